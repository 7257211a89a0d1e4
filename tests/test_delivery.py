"""How events reach listeners: in the order of the state, outside every lock, and at no cost when nobody listens."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import threading
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, TokenBucket, circuit_breaker, events, rate_limited
from resilience.events import CallRejected, StateChanged, WouldReject

ENOUGH = 10.0
"""Seconds that no healthy step takes."""


@pytest.fixture
def heard() -> list[Any]:
    """What a listener has heard."""
    return []


def rejected(breaker: CircuitBreaker) -> None:
    with pytest.raises(CircuitOpenError):
        breaker.call(int)


def in_threads(*works: Any) -> None:
    """Run functions at once, each in a thread, and wait for all."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENOUGH)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"


def test_threads_hear_transitions_in_order(clock, heard):
    """However many threads move the state, each transition a listener hears begins where the last one ended."""
    breaker = CircuitBreaker(clock=clock, listeners=[heard.append])
    start = threading.Barrier(8)

    def move(order: Any) -> None:
        start.wait(ENOUGH)
        for _ in range(200):
            order()

    in_threads(
        *[
            lambda order=order: move(order)
            for order in (breaker.force_open, breaker.reset, breaker.disable, breaker.reset) * 2
        ]
    )

    numbers = [told.generation for told in heard]
    assert sorted(numbers) == numbers
    assert [one.new for one in heard[:-1]] == [other.old for other in heard[1:]]
    assert heard[-1].new is breaker.state


def test_a_slow_listener_holds_up_one_caller_alone(clock, heard):
    """A thread that finds another one delivering leaves its event to it and goes on; nothing is lost, nothing early."""
    entered, go_on = threading.Event(), threading.Event()

    def listen(event: StateChanged) -> None:
        entered.set()
        assert go_on.wait(ENOUGH)
        heard.append(event.new)

    breaker = CircuitBreaker(clock=clock, listeners=[listen])
    slow = threading.Thread(target=breaker.force_open, daemon=True)
    slow.start()
    assert entered.wait(ENOUGH)
    in_threads(breaker.disable, lambda: None)
    assert (State.DISABLED, []) == (breaker.state, heard)
    go_on.set()
    slow.join(ENOUGH)

    assert [State.FORCED_OPEN, State.DISABLED] == heard


def test_a_listener_may_look_and_call(clock, heard):
    """Inside a listener the policy can be read, called and subscribed to: no lock is held."""

    def listen(event: Any) -> None:
        heard.append((breaker.state, breaker.snapshot().state, len(breaker.history()), bucket.snapshot().rejected))
        unsubscribe = breaker.subscribe(print)
        unsubscribe()
        bucket.tokens()
        with pytest.raises(CircuitOpenError):
            guarded()

    breaker, bucket = CircuitBreaker(clock=clock), TokenBucket(1, clock=clock)
    guarded = circuit_breaker(breaker)(rate_limited(bucket)(lambda: None))
    unsubscribe = events.subscribe(listen, StateChanged)
    in_threads(breaker.force_open)
    unsubscribe()

    assert [(State.FORCED_OPEN, State.FORCED_OPEN, 1, 0)] == heard


def test_a_listener_of_a_limiter_may_look_and_call(clock, heard):
    """The same for a bucket: its tokens can be read and taken while it tells of a rejection."""

    def listen(event: CallRejected) -> None:
        heard.append((bucket.tokens(), bucket.snapshot().waiting, bucket.allow(0), bucket.allow(key="other")))

    bucket = TokenBucket(1, clock=clock, listeners=[listen])
    bucket.acquire()
    in_threads(bucket.allow)

    assert [(0.0, 0, True, True)] == heard


def test_a_listener_may_move_the_state(clock, heard):
    """What it causes is told after what it was told, to every listener in the same order."""
    breaker = CircuitBreaker(clock=clock)
    breaker.subscribe(lambda event: breaker.reset() if event.new is State.FORCED_OPEN else None)
    breaker.subscribe(lambda event: heard.append(event.new))
    in_threads(breaker.force_open)

    assert [State.FORCED_OPEN, State.CLOSED] == heard


def test_a_listener_that_raises_breaks_nothing(clock, heard, caplog):
    """It is logged once, however often it raises; the call goes on, and the next listener hears every event."""

    def listen(event: Any) -> None:
        raise LookupError("mine")

    breaker = CircuitBreaker(clock=clock, listeners=[listen, heard.append])
    for order in (breaker.force_open, breaker.reset) * 3:
        order()
    complaints = [record for record in caplog.records if record.levelno == logging.ERROR]

    assert (6, 1) == (len(heard), len(complaints))
    assert "resilience" == complaints[0].name
    assert complaints[0].exc_info is not None
    assert LookupError is complaints[0].exc_info[0]


def test_each_listener_s_failure_is_logged(clock, caplog):
    """Once per listener, not once per policy."""

    def listen(event: Any) -> None:
        raise LookupError

    def other(event: Any) -> None:
        raise LookupError

    breaker = CircuitBreaker(clock=clock, listeners=[listen, other])
    breaker.force_open()
    breaker.reset()

    assert 2 == sum(record.levelno == logging.ERROR for record in caplog.records)


@pytest.mark.parametrize("shadow", [False, True])
def test_nothing_is_built_when_nobody_listens(clock, monkeypatch, shadow):
    """Without a listener a rejection makes no event, and leaves nothing behind to be delivered."""
    built = itertools.count()
    for kind in (CallRejected, WouldReject):
        monkeypatch.setattr(kind, "__init__", lambda self, **facts: next(built))
    breaker = CircuitBreaker(clock=clock, shadow=shadow)
    breaker.force_open()
    bucket = TokenBucket(1, clock=clock, shadow=shadow)
    for _ in range(3):
        if shadow:
            breaker.call(int)
        else:
            rejected(breaker)
        bucket.allow()

    assert 0 == next(built)


def test_events_are_built_while_somebody_listens(clock, heard):
    """From the first subscription to the end of the last."""
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open()
    rejected(breaker)
    first, second = breaker.subscribe(heard.append), events.subscribe(lambda event: None)
    rejected(breaker)
    first()
    rejected(breaker)
    second()

    assert [CallRejected] == [type(told) for told in heard]


def test_an_event_keeps_nothing_alive(clock, heard):
    """A listener that keeps events keeps no exception, frame or argument of the calls."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock, listeners=[heard.append])

    class Mine(Exception):
        pass

    def fail() -> None:
        raise Mine

    with pytest.raises(Mine):
        breaker.call(fail)

    plain = (str, float, int, State, type(None))
    assert all(isinstance(value, plain) for value in dataclasses.asdict(heard[0]).values())
