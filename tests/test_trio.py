"""Breaker and limiter under trio: calls, waits in line, cancellation, and trio beside asyncio and threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from resilience import CircuitBreaker, CircuitOpenError, State, SystemClock, TokenBucket, circuit_breaker, rate_limited
from resilience.testing import FakeClock
from tests.concurrency.crowd import start


class Broken(Exception):
    """What opens the circuit."""


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(30):
        while not condition():
            await trio.sleep(0.001)


def half_open_at_the_next_call(clock: FakeClock, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=30, clock=clock, **options)
    with pytest.raises(Broken), breaker:
        raise Broken
    clock.advance(30)
    return breaker


@pytest.mark.parametrize(
    "options",
    [
        {"failure_threshold": 2},
        {"failure_rate": 1.0, "minimum_calls": 2},
        {"failure_rate": 1.0, "minimum_calls": 2, "window_seconds": 10},
        {"failure_threshold": 2, "slow_call_duration": 5, "slow_call_rate": 1.0},
    ],
    ids=["consecutive", "calls", "seconds", "slow"],
)
def test_a_breaker_opens_rejects_and_recovers(clock: FakeClock, options: dict[str, Any]) -> None:
    """A guarded coroutine function does under trio what it does elsewhere."""
    breaker = CircuitBreaker(recovery_timeout=30, clock=clock, **options)
    fails = True

    @circuit_breaker(breaker)
    async def call() -> str:
        await trio.sleep(0)
        if fails:
            raise Broken
        return "done"

    async def main() -> str:
        nonlocal fails
        for _ in range(2):
            with pytest.raises(Broken):
                await call()
        with pytest.raises(CircuitOpenError):
            await call()
        clock.advance(30)
        fails = False
        return await call()

    assert "done" == trio.run(main)
    assert breaker.state is State.CLOSED


def test_a_cancelled_call_is_neutral_and_frees_its_slot(clock: FakeClock) -> None:
    """`trio.Cancelled` in a probe is no verdict; the next caller finds the slot free."""
    breaker = half_open_at_the_next_call(clock)

    @circuit_breaker(breaker)
    async def never() -> None:
        await trio.sleep_forever()

    async def main() -> None:
        for _ in range(3):
            with trio.move_on_after(0) as scope:
                await never()
            assert scope.cancelled_caught

    trio.run(main)

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)
    with breaker:
        pass


def test_blocks_of_two_trio_tasks_settle_their_own_permits(clock: FakeClock) -> None:
    """`async with` in tasks that overlap: each task gives up its own probe."""
    breaker = half_open_at_the_next_call(clock, probes=2)

    async def one(mine: trio.Event, others: trio.Event) -> None:
        async with breaker:
            mine.set()
            await others.wait()

    async def main() -> None:
        events = trio.Event(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, *events)
            nursery.start_soon(one, *reversed(events))

    trio.run(main)

    assert breaker.state is State.CLOSED


def test_tasks_in_line_are_served_in_order_of_arrival() -> None:
    """Trio tasks wait in line by the system's clock, one after the other, and not before their time."""
    bucket = TokenBucket(50, 1)
    served: list[int] = []

    @rate_limited(bucket, max_wait=None)
    async def call(number: int) -> None:
        served.append(number)

    async def main() -> float:
        began = trio.current_time()
        await call(0)
        async with trio.open_nursery() as nursery:
            for number in range(1, 6):
                nursery.start_soon(call, number)
                await until(lambda number=number: bucket.snapshot().waiting + len(served) > number)
        return trio.current_time() - began

    assert trio.run(main) >= 5 / 50 - 1e-3
    assert list(range(6)) == served


def test_a_cancelled_wait_costs_nothing_and_those_behind_move_up() -> None:
    """A trio task that is cancelled in line takes no token, and the task behind it has its place."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    served: list[str] = []

    async def wait(name: str, scope: trio.CancelScope) -> None:
        with scope:
            await bucket.acquire_async()
            served.append(name)

    async def main() -> None:
        first, second = trio.CancelScope(), trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "first", first)
            await until(lambda: clock.parked == 1)
            nursery.start_soon(wait, "second", second)
            await until(lambda: clock.parked == 2)
            first.cancel()
            await until(lambda: bucket.snapshot().waiting == 1)
            clock.advance(1)

    trio.run(main)

    assert (["second"], 0, 0) == (served, bucket.snapshot().waiting, bucket.tokens())


def test_a_waiter_sleeps_until_its_time_or_until_the_line_moves() -> None:
    """A waiting trio task wakes at most three times, and at once when tokens come back."""
    alarms: list[Any] = []

    class Watched(SystemClock):
        async def park_async(self, alarm: Any, seconds: float | None) -> None:
            alarms.append(alarm)
            await super().park_async(alarm, seconds)

    timed, told = TokenBucket(1 / 0.2, 1, clock=Watched()), TokenBucket(1 / 3600, 1, clock=Watched())

    async def main() -> None:
        for bucket in (timed, told):
            bucket.acquire()
        await timed.acquire_async()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told.acquire_async)
            await until(lambda: told.snapshot().waiting == 1)
            await trio.to_thread.run_sync(told.refund, 1)

    trio.run(main)
    assert 2 == len({id(alarm) for alarm in alarms})
    assert max(alarm.wakes for alarm in alarms) <= 3


def test_one_line_for_trio_asyncio_and_threads() -> None:
    """A trio task, an asyncio task and a thread in one line are served in order of arrival."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    served: list[str] = []
    done = threading.Semaphore(0)

    async def colourful(name: str) -> None:
        await bucket.acquire_async()
        served.append(name)
        done.release()

    def plain() -> None:
        bucket.acquire()
        served.append("thread")
        done.release()

    ways = [lambda: trio.run(colourful, "trio"), lambda: asyncio.run(colourful("asyncio")), plain]
    for number, way in enumerate(ways):
        start(way)
        clock.wait_for_parked(number + 1)
    for _ in ways:
        clock.advance(1)
        assert done.acquire(timeout=30)

    assert ["trio", "asyncio", "thread"] == served


def test_a_run_that_is_over_is_rung_in_vain() -> None:
    """A waiter whose trio run ended by force holds up nobody, and ringing it is no error."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bucket.acquire_async)
            await until(lambda: clock.parked == 1)
            raise Broken

    with pytest.raises(BaseExceptionGroup):
        trio.run(main)
    clock.advance(1)

    assert bucket.allow()


def test_the_clocks_sleep_under_trio() -> None:
    """`SystemClock` and `FakeClock` sleep by trio where trio runs."""
    fake = FakeClock()

    async def main() -> None:
        began = time.monotonic()
        await SystemClock().sleep_async(0.01)
        await fake.sleep_async(5)
        assert time.monotonic() - began >= 0.01 - 1e-3

    trio.run(main)

    assert (5, [5]) == (fake.monotonic(), fake.sleeps)
