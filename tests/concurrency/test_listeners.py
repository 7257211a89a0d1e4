"""Listeners run outside every lock, in order, and are nobody else's trouble."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, RateLimitExceeded, State, TokenBucket, circuit_breaker, events
from resilience.events import CallRejected, StateChanged
from resilience.testing import FakeClock
from tests.concurrency.child import in_child
from tests.concurrency.crowd import crowd, start

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Broken(Exception):
    """What opens the circuit."""


def broken() -> None:
    raise Broken


def test_a_slow_listener_holds_up_the_caller_who_delivers_and_nobody_else(clock: FakeClock) -> None:
    """While one caller is in a listener, others trip, are rejected, look and give orders; the listener hears it all."""
    inside, go_on = threading.Event(), threading.Event()
    heard: list[Any] = []

    def slow(event: Any) -> None:
        heard.append(event)
        if len(heard) == 1:
            inside.set()
            assert go_on.wait(30)

    breaker = CircuitBreaker(failure_threshold=1, clock=clock, listeners=[slow])
    thread = start(breaker.force_open)
    assert inside.wait(30)

    with pytest.raises(CircuitOpenError):
        breaker.call(broken)
    breaker.reset()
    with pytest.raises(Broken):
        breaker.call(broken)
    assert (State.OPEN, 1) == (breaker.snapshot().state, len(heard))
    go_on.set()
    thread.join(30)

    assert [State.FORCED_OPEN, "rejected", State.CLOSED, State.OPEN] == [
        event.new if isinstance(event, StateChanged) else "rejected" for event in heard
    ]


def test_a_slow_listener_of_a_bucket_holds_up_no_waiter(clock: FakeClock) -> None:
    """While a listener hears of one refusal, others take, wait, are refused and pass."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(event: Any) -> None:
        inside.set()
        assert go_on.wait(30)

    bucket = TokenBucket(1, 1, clock=clock, listeners=[slow])
    bucket.acquire()
    thread = start(bucket.allow)
    assert inside.wait(30)

    assert not bucket.allow()
    bucket.acquire()
    asyncio.run(bucket.acquire_async())
    go_on.set()
    thread.join(30)

    assert clock.monotonic() == 102


def test_a_listener_may_call_look_at_and_order_the_policy_it_hears() -> None:
    """From inside a listener the same breaker may be called, read, reset and subscribed to; there is no deadlock."""

    def work() -> None:
        clock = FakeClock()
        bucket = TokenBucket(1, 1, clock=clock)
        breaker = CircuitBreaker(failure_threshold=1, clock=clock)
        seen: list[Any] = []

        def listener(event: Any) -> None:
            seen.append((type(event), breaker.snapshot().state, breaker.state, bucket.tokens(), len(breaker.history())))
            if isinstance(event, StateChanged) and event.new is State.OPEN:
                with pytest.raises(CircuitOpenError):
                    breaker.call(broken)
                breaker.subscribe(seen.append)()
                breaker.reset()
                bucket.allow()
                bucket.allow()

        for policy in (breaker, bucket):
            policy.subscribe(listener)
        with pytest.raises(Broken):
            breaker.call(broken)

        kinds = [kind for kind, *_ in seen]
        assert (2, 2) == (kinds.count(StateChanged), kinds.count(CallRejected))
        assert breaker.state is State.CLOSED

    assert in_child(work) == 0


def test_events_of_a_reentrant_listener_come_after_the_one_it_is_hearing(clock: FakeClock) -> None:
    """Every listener hears what a listener set off in the order in which the state moved, never one within another."""
    depth: list[int] = []
    heard: dict[str, list[State]] = {"first": [], "second": []}
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)

    def first(event: StateChanged) -> None:
        assert not depth
        depth.append(1)
        heard["first"].append(event.new)
        if event.new is State.OPEN:
            breaker.reset()
            breaker.disable()
        depth.pop()

    breaker.subscribe(first)
    breaker.subscribe(lambda event: heard["second"].append(event.new))
    with pytest.raises(Broken):
        breaker.call(broken)

    assert [State.OPEN, State.CLOSED, State.DISABLED] == heard["first"] == heard["second"]


def test_a_listener_that_raises_breaks_no_call_and_is_logged_once(
    flavour: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets its own error, the other listeners hear everything, and the log says it once."""
    heard: list[Any] = []

    def bad(event: Any) -> None:
        raise ZeroDivisionError

    breaker = CircuitBreaker(failure_threshold=1, clock=clock, listeners=[bad, heard.append])
    call = flavour.guarded(circuit_breaker(breaker), broken)
    caplog.set_level(logging.ERROR, "resilience")
    with pytest.raises(Broken):
        call()
    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            call()

    assert 4 == len(heard)
    assert 1 == len(caplog.records)
    assert "bad" in caplog.text


def test_listeners_that_come_and_go_while_events_are_told_hear_whole_events(caplog: pytest.LogCaptureFixture) -> None:
    """Threads that subscribe and unsubscribe all the time neither lose another listener's events nor break a call."""
    caplog.set_level(logging.CRITICAL, "resilience")
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1e-9)
    steady: list[StateChanged] = []
    breaker.subscribe(steady.append)

    def work(at: int) -> None:
        for _ in range(500):
            if at < 3:
                ends = [breaker.subscribe(lambda event: None), events.subscribe(lambda event: None, StateChanged)]
                for end in ends:
                    end()
                    end()
                continue
            try:
                breaker.call(broken)
            except (Broken, CircuitOpenError):
                continue

    crowd(8, work)

    generations = [event.generation for event in steady if isinstance(event, StateChanged)]
    assert list(range(2, breaker.snapshot().generation + 1)) == generations


def test_a_flood_behind_a_slow_listener_drops_rejections_and_no_transition(clock: FakeClock) -> None:
    """However many rejections pile up behind a listener, memory stays bounded and every transition is told."""
    inside, go_on = threading.Event(), threading.Event()
    heard: list[Any] = []

    def slow(event: Any) -> None:
        heard.append(event)
        inside.set()
        assert go_on.wait(30)

    breaker = CircuitBreaker(failure_threshold=1, clock=clock, listeners=[slow])
    thread = start(breaker.force_open)
    assert inside.wait(30)

    def flood(_: int) -> None:
        for _ in range(1_000):
            with pytest.raises(CircuitOpenError):
                breaker.call(broken)

    crowd(4, flood)
    breaker.reset()
    breaker.disable()
    go_on.set()
    thread.join(30)

    transitions = [event.new for event in heard if isinstance(event, StateChanged)]
    assert [State.FORCED_OPEN, State.CLOSED, State.DISABLED] == transitions
    assert 4_000 == breaker.snapshot().rejected
    assert len(heard) < 1_100


def test_a_listener_is_told_outside_of_the_lock_of_a_bucket() -> None:
    """From inside a listener the same bucket may be taken from, read, and given another rate."""

    def work() -> None:
        bucket = TokenBucket(1, 1, clock=FakeClock())
        seen: list[Any] = []

        def listener(event: Any) -> None:
            seen.append(event)
            if not isinstance(event, CallRejected):
                return
            bucket.refund(1)
            bucket.set_rate(2)
            bucket.snapshot()
            assert bucket.allow()

        end = bucket.subscribe(listener)
        bucket.acquire()
        with pytest.raises(RateLimitExceeded):
            bucket.acquire(max_wait=0)
        end()
        assert isinstance(seen[0], CallRejected)

    assert in_child(work) == 0
