"""The windows of a breaker count every call, however its callers collide."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, circuit_breaker
from tests.concurrency.crowd import TickClock, crowd

THREADS = 8
CALLS = 100_000
EVERY = 100  # one call in so many fails

# Nothing is ever judged: the windows hold more verdicts than there are calls, and ask for more than that.
COUNT_WINDOW = {"failure_rate": 1.0, "window_calls": 10_000_000, "minimum_calls": 10_000_000}
SECONDS_WINDOW = {"failure_rate": 1.0, "window_seconds": 60.0, "minimum_calls": 10_000_000}
SLOW_TOO = {"slow_call_duration": 30.0, "slow_call_rate": 1.0}


class Refused(Exception):
    """What the guarded function raises."""


def outcome(number: int) -> int:
    if number % EVERY == 0:
        raise Refused
    return number


def hammer(call: Callable[[int], Any], calls: int) -> None:
    """Make *calls* calls in each of the threads."""

    def work(_: int) -> None:
        for number in range(calls):
            try:
                call(number)
            except Refused:
                continue

    crowd(THREADS, work)


def hammer_async(call: Callable[[int], Any], calls: int) -> None:
    """The same with a loop in each of the threads."""

    async def work() -> None:
        for number in range(calls):
            try:
                await call(number)
            except Refused:
                continue

    crowd(THREADS, lambda _: asyncio.run(work()))


def assert_exact(breaker: CircuitBreaker, calls: int) -> None:
    seen = breaker.snapshot()

    assert (THREADS * calls, THREADS * calls // EVERY) == (seen.calls, seen.failures)


@pytest.mark.slow
@pytest.mark.parametrize("window", [COUNT_WINDOW, SECONDS_WINDOW], ids=["calls", "seconds"])
def test_a_window_counts_each_of_800_000_calls(locking: str, window: dict[str, Any]) -> None:
    """Eight threads with 100,000 calls each leave exactly 800,000 verdicts, and each failure among them."""
    breaker = CircuitBreaker(**window, clock=TickClock())

    hammer(circuit_breaker(breaker)(outcome), CALLS)

    assert_exact(breaker, CALLS)


@pytest.mark.slow
@pytest.mark.parametrize("window", [COUNT_WINDOW, SECONDS_WINDOW], ids=["calls", "seconds"])
def test_a_window_of_coroutines_is_exact_across_eight_loops(locking: str, window: dict[str, Any]) -> None:
    """Coroutines in eight loops at once are counted one by one."""
    breaker = CircuitBreaker(**window, clock=TickClock())

    @circuit_breaker(breaker)
    async def call(number: int) -> int:
        return outcome(number)

    hammer_async(call, 20_000)

    assert_exact(breaker, 20_000)


@pytest.mark.slow
@pytest.mark.parametrize("window", [COUNT_WINDOW, SECONDS_WINDOW], ids=["calls", "seconds"])
def test_a_window_beside_slow_call_detection_is_exact(locking: str, window: dict[str, Any]) -> None:
    """Measuring calls loses none of them; none of them is slow."""
    breaker = CircuitBreaker(**window, **SLOW_TOO, clock=TickClock())

    hammer(circuit_breaker(breaker)(outcome), 20_000)

    assert_exact(breaker, 20_000)
    assert breaker.snapshot().slow == 0


def test_a_window_is_exact_for_every_way_to_call(locking: str) -> None:
    """Decorated, through `call`, in a block and by key, all on one breaker at once: no call is lost."""
    breaker = CircuitBreaker(**COUNT_WINDOW)
    decorated = circuit_breaker(breaker)(outcome)
    by_key = circuit_breaker(breaker, key=lambda _: None)(outcome)

    def block(number: int) -> None:
        with breaker:
            outcome(number)

    ways = (decorated, by_key, block, lambda number: breaker.call(outcome, number))

    def work(at: int) -> None:
        for number in range(2_000):
            try:
                ways[at % len(ways)](number)
            except Refused:
                continue

    crowd(THREADS, work)

    assert_exact(breaker, 2_000)


def test_slices_that_are_looked_at_all_the_time_are_exact(locking: str) -> None:
    """Snapshots in between, which sum the slices up, lose no call and see the count only grow."""
    breaker = CircuitBreaker(**SECONDS_WINDOW, clock=TickClock())
    call = circuit_breaker(breaker)(outcome)
    calls = 10_000

    def work(at: int) -> list[int]:
        seen = []
        for number in range(calls):
            try:
                call(number)
            except Refused:
                seen.append(breaker.snapshot().calls)
            if number % 10 == at:
                seen.append(breaker.snapshot().calls)
        return seen

    looks = crowd(THREADS, work)

    assert_exact(breaker, calls)
    assert all(seen == sorted(seen) for seen in looks)


def test_each_key_counts_its_own_calls(locking: str) -> None:
    """Threads that meet at new keys make one circuit for each, which counts them all."""
    breaker = CircuitBreaker(**COUNT_WINDOW, key=lambda key: key)
    call = circuit_breaker(breaker)(lambda key: key)

    def work(_: int) -> None:
        for number in range(2_000):
            call(number % 50)

    crowd(THREADS, work)

    assert [THREADS * 2_000 // 50] * 50 == [breaker.for_key(key).snapshot().calls for key in range(50)]


def test_consecutive_failures_are_counted_one_by_one() -> None:
    """A threshold of 8,000 is reached by the 8,000th failure of eight threads, and by none before."""
    failures = 1_000
    breaker = CircuitBreaker(failure_threshold=THREADS * failures)
    call = circuit_breaker(breaker)(outcome)
    seen = []

    def work(_: int) -> None:
        for number in range(failures):
            with pytest.raises(Refused):
                call(0)
            if number == failures - 2:
                seen.append(breaker.state.value)

    crowd(THREADS, work)

    assert "closed" in seen
    assert breaker.snapshot().reason.startswith(f"{THREADS * failures} failures in a row")


@pytest.mark.parametrize("window", [COUNT_WINDOW, SECONDS_WINDOW], ids=["calls", "seconds"])
def test_without_the_gil_every_verdict_of_a_window_takes_the_lock(
    monkeypatch: pytest.MonkeyPatch, window: dict[str, Any]
) -> None:
    """A breaker with a window made without the GIL has no quiet permit, so shells never count by themselves."""
    monkeypatch.setattr("resilience._gil.LOCK_FREE", False)
    breaker = CircuitBreaker(**window)

    assert circuit_breaker(breaker)(outcome)(1) == 1
    assert breaker._only_circuit().core.quiet is None
