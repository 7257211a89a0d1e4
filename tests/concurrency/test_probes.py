"""Half-open lets exactly so many probes through, and no transition is lost or told out of order."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker
from resilience.events import StateChanged
from resilience.testing import FakeClock
from tests.concurrency.crowd import crowd, start

CROWD = 50


class Broken(Exception):
    """What opens the circuit."""


def half_open_at_the_next_call(clock: FakeClock, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock, **options)
    with pytest.raises(Broken), breaker:
        raise Broken
    clock.advance(10)
    return breaker


def blocks(breaker: CircuitBreaker) -> Callable[[Callable[[], None]], None]:
    def call(body: Callable[[], None]) -> None:
        with breaker:
            body()

    return call


WAYS: dict[str, Callable[[CircuitBreaker], Callable[[Callable[[], None]], None]]] = {
    "decorated": lambda breaker: circuit_breaker(breaker)(lambda body: body()),
    "by key": lambda breaker: circuit_breaker(breaker, key=lambda _: None)(lambda body: body()),
    "call": lambda breaker: breaker.call,
    "block": blocks,
}


@pytest.mark.parametrize("again", range(3))
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("probes", [1, 3, 49])
def test_exactly_so_many_probes_run_of_fifty_callers(clock: FakeClock, way: str, probes: int, again: int) -> None:
    """Fifty threads that come at once find `probes` slots; the others are rejected while those run."""
    breaker = half_open_at_the_next_call(clock, probes=probes)
    call = WAYS[way](breaker)
    others_are_gone = threading.Event()
    rejections: list[CircuitOpenError] = []

    def body() -> None:
        assert others_are_gone.wait(30)

    def work(_: int) -> bool:
        try:
            call(body)
        except CircuitOpenError as error:
            rejections.append(error)
            if len(rejections) == CROWD - probes:
                others_are_gone.set()
            return False
        return True

    assert crowd(CROWD, work).count(True) == probes
    assert breaker.state is State.CLOSED
    assert [State.HALF_OPEN] * (CROWD - probes) == [error.state for error in rejections]


def test_exactly_so_many_probes_run_of_a_thousand_tasks(clock: FakeClock) -> None:
    """A thousand tasks that come at once find three slots."""
    breaker = half_open_at_the_next_call(clock, probes=3)
    began = []

    @circuit_breaker(breaker)
    async def call(others_are_gone: asyncio.Event) -> None:
        began.append(1)
        await others_are_gone.wait()

    async def main() -> list[Any]:
        event = asyncio.Event()
        tasks = [asyncio.create_task(call(event)) for _ in range(1000)]
        await asyncio.sleep(0)
        event.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())

    assert 3 == len(began) == answers.count(None)
    assert {CircuitOpenError} == {type(answer) for answer in answers if answer is not None}


def test_probes_that_prove_nothing_never_widen_the_gate(clock: FakeClock) -> None:
    """While probes are given back and taken again by twenty threads, there are never more than `probes` at once."""
    breaker = half_open_at_the_next_call(clock, probes=2)
    inside: set[int] = set()
    most: list[int] = []

    def body(at: int) -> None:
        inside.add(at)
        most.append(len(inside))
        inside.discard(at)
        raise asyncio.CancelledError  # neutral

    call = circuit_breaker(breaker)(body)

    def work(at: int) -> int:
        entered = 0
        for _ in range(300):
            try:
                call(at)
            except CircuitOpenError:
                continue
            except asyncio.CancelledError:
                entered += 1
        return entered

    assert sum(crowd(20, work)) == len(most) >= 300
    assert max(most) <= 2
    assert (0, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)


@pytest.mark.parametrize("again", range(10))
def test_a_verdict_is_reached_once_however_many_probes_end_at_once(clock: FakeClock, again: int) -> None:
    """Of ten probes that fail together the first reopens; the others are stale and change nothing."""
    breaker = half_open_at_the_next_call(clock, probes=10)
    together = threading.Barrier(10)

    def body() -> None:
        together.wait(30)
        raise Broken

    def work(_: int) -> None:
        with pytest.raises(Broken):
            breaker.call(body)

    crowd(10, work)

    seen = breaker.snapshot()
    assert (State.OPEN, 2, 9) == (seen.state, seen.openings, seen.stale)


@pytest.mark.parametrize("probes", [1, 2])
def test_no_transition_is_lost_or_told_out_of_order(caplog: pytest.LogCaptureFixture, probes: int) -> None:
    """A listener hears every generation once, in order, each leaving the state that the last one entered."""
    caplog.set_level(logging.CRITICAL, "resilience")
    heard: list[StateChanged] = []
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=1e-9, probes=probes, listeners=[heard.append])

    @circuit_breaker(breaker)
    def call(number: int) -> None:
        if number % 3:
            raise Broken

    def work(at: int) -> None:
        for number in range(2_000):
            try:
                call(number + at)
            except (Broken, CircuitOpenError):
                continue

    crowd(8, work)

    transitions = [event for event in heard if isinstance(event, StateChanged)]
    assert list(range(2, breaker.snapshot().generation + 1)) == [event.generation for event in transitions]
    assert len(transitions) > 100
    assert [State.CLOSED, *(event.new for event in transitions)] == [
        *(event.old for event in transitions),
        breaker.state,
    ]
    assert tuple(transitions[-100:]) == breaker.history()


def test_a_rejection_names_a_state_that_rejects(caplog: pytest.LogCaptureFixture) -> None:
    """Callers who race with orders are never told that a closed, disabled or half-open circuit is in their way."""
    caplog.set_level(logging.CRITICAL, "resilience")
    breaker = CircuitBreaker(failure_threshold=1, clock=FakeClock())
    call = circuit_breaker(breaker)(lambda: None)
    orders = (breaker.force_open, breaker.reset, breaker.force_open, breaker.disable)
    callers = list(range(7))

    def work(at: int) -> set[State]:
        states: list[State] = []
        number = 0
        while callers if not at else len(states) < 50:
            number += 1
            try:
                orders[number % len(orders)]() if not at else call()
            except CircuitOpenError as error:
                states.append(error.state)
        if at:
            callers.pop()
        return set(states)

    assert {State.FORCED_OPEN} == set().union(*crowd(8, work))


def test_an_event_posted_as_another_thread_gives_up_its_turn_is_told() -> None:
    """A caller who leaves its event to a delivery that was just about to end is not forgotten."""
    heard: list[StateChanged] = []
    breaker = CircuitBreaker(clock=FakeClock(), listeners=[heard.append])
    feed = breaker._shared.feed

    class Turn:
        """A turn at whose end another caller comes by, once."""

        def __init__(self) -> None:
            self.acquire = (lock := threading.Lock()).acquire
            self._release = lock.release
            self.late = [breaker.disable]

        def release(self) -> None:
            for order in self.late:
                self.late = []
                start(order).join(30)
            self._release()

    feed._turn = Turn()
    breaker.force_open()

    assert [State.FORCED_OPEN, State.DISABLED] == [event.new for event in heard]


def test_a_block_from_before_the_trip_is_no_verdict_on_the_probe_in_another_block(clock: FakeClock) -> None:
    """Two generators, each in a block of its own, in one context: each block settles the permit that it began with."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)

    def block(*errors: Exception) -> Iterator[None]:
        with breaker:
            yield
            for error in errors:
                raise error

    old, probe = block(Broken()), block()
    next(old)
    breaker.force_open(1)
    clock.advance(1)
    next(probe)
    with pytest.raises(Broken):
        next(old)

    assert (State.HALF_OPEN, 1) == (breaker.state, breaker.snapshot().stale)
