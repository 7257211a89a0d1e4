"""Threads and tasks stand in one line, are served in order of arrival, and sleep until it is their turn."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest

from resilience import RateLimitExceeded, SystemClock, TokenBucket, rate_limited
from resilience.clock import Alarm, AsyncAlarm
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock, in_a_loop, start


class Loop:
    """An event loop in a thread of its own."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self.thread = start(self.loop.run_forever)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def task(self, work: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
        async def main() -> Any:
            return await work()

        future = asyncio.run_coroutine_threadsafe(main(), self.loop)
        return lambda: future.result(30)


class Served:
    """Who was served, in order."""

    def __init__(self) -> None:
        self.names: list[int] = []
        self._changed = threading.Condition()

    def __call__(self, name: int) -> None:
        with self._changed:
            self.names.append(name)
            self._changed.notify_all()

    def wait(self, number: int) -> list[int]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.names) >= number, 30), f"only {self.names} were served"
            return list(self.names)


class WatchedClock(SystemClock):
    """The system's clock, which remembers whom it let wait."""

    def __init__(self) -> None:
        self.alarms: list[Alarm | AsyncAlarm] = []

    def park(self, alarm: Alarm, seconds: float | None) -> None:
        self.alarms.append(alarm)
        super().park(alarm, seconds)

    async def park_async(self, alarm: AsyncAlarm, seconds: float | None) -> None:
        self.alarms.append(alarm)
        await super().park_async(alarm, seconds)


def arrive(loop: Loop, bucket: TokenBucket, number: int, served: Served, **options: Any) -> Callable[[], Any]:
    """Let a thread (even numbers) or a task (odd ones) come to the line; the answer waits for its end."""
    if number % 2:

        async def task() -> None:
            await bucket.acquire_async(**options)
            served(number)

        return loop.task(task)

    def thread() -> None:
        bucket.acquire(**options)
        served(number)

    return start(thread).join


def until_waiting(bucket: TokenBucket, number: int) -> None:
    ends = time.monotonic() + 30
    while bucket.snapshot().waiting != number:
        assert time.monotonic() < ends, f"{bucket.snapshot().waiting} of {number} wait"
        time.sleep(0.001)


def test_threads_and_tasks_in_one_line_are_served_in_order_of_arrival(locking: str) -> None:
    """Each second one of them passes, the first who came first, whatever its colour; then nobody waits."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    served = Served()
    bucket.acquire()

    with Loop() as loop:
        for number in range(8):
            arrive(loop, bucket, number, served)
            clock.wait_for_parked(number + 1)
        for number in range(8):
            clock.advance(1)
            assert list(range(number + 1)) == served.wait(number + 1)

    assert (0, 0) == (bucket.snapshot().waiting, bucket.tokens())


def test_a_line_of_threads_and_tasks_by_the_systems_clock_is_served_in_order() -> None:
    """Six who came one after the other pass in that order, twenty a second, and not before."""
    bucket = TokenBucket(20, 1)
    served = Served()
    began = time.monotonic()
    bucket.acquire()

    with Loop() as loop:
        for number in range(6):
            arrive(loop, bucket, number, served)
            ends = time.monotonic() + 30
            while bucket.snapshot().waiting + len(served.names) <= number:
                assert time.monotonic() < ends
        assert list(range(6)) == served.wait(6)

    assert time.monotonic() - began >= 6 / 20 - 1e-3


@pytest.mark.parametrize("number", [0, 1], ids=["thread", "task"])
def test_a_waiter_sleeps_until_its_time(number: int) -> None:
    """A wait of 0.3 s by the system's clock is one sleep, not a look every few milliseconds."""
    clock = WatchedClock()
    bucket = TokenBucket(1 / 0.3, 1, clock=clock)
    served = Served()
    bucket.acquire()

    with Loop() as loop:
        arrive(loop, bucket, number, served)
        served.wait(1)

    assert 1 == len(set(map(id, clock.alarms)))
    assert clock.alarms[0].wakes <= 3


def test_those_behind_sleep_until_their_time_too() -> None:
    """In a line of six each wakes at most three times, though the line moves five times before the last one."""
    clock = WatchedClock()
    bucket = TokenBucket(20, 1, clock=clock)
    served = Served()
    bucket.acquire()

    with Loop() as loop:
        for number in range(6):
            arrive(loop, bucket, number, served)
        served.wait(6)

    alarms = {id(alarm): alarm for alarm in clock.alarms}
    assert 6 == len(alarms)
    assert max(alarm.wakes for alarm in alarms.values()) <= 3


@pytest.mark.parametrize("number", [0, 1], ids=["thread", "task"])
def test_a_waiter_wakes_when_the_line_moves(number: int) -> None:
    """One who would wait for an hour passes as soon as those ahead leave and tokens come back."""
    bucket = TokenBucket(1 / 3600, 1)
    served = Served()
    bucket.acquire()

    with Loop() as loop:
        arrive(loop, bucket, number, served)
        until_waiting(bucket, 1)
        bucket.refund(1)
        served.wait(1)

    assert bucket.snapshot().waiting == 0


@pytest.mark.parametrize("change", ["charge", "set_rate", "pause"])
def test_waiters_of_both_colours_are_told_of_a_new_plan(change: str) -> None:
    """After a charge, a slower rate or a pause those whose wait became too long are refused then; the others stay."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    served = Served()
    bucket.acquire()
    orders: dict[str, Callable[[], None]] = {
        "charge": lambda: bucket.charge(10),
        "set_rate": lambda: bucket.set_rate(0.1, 1),
        "pause": lambda: bucket.pause(10),
    }

    with Loop() as loop:
        refused = loop.task(lambda: bucket.acquire_async(max_wait=5))
        clock.wait_for_parked(1)
        arrive(loop, bucket, 2, served)
        clock.wait_for_parked(2)
        orders[change]()
        with pytest.raises(RateLimitExceeded):
            refused()
        assert bucket.snapshot().waiting == 1
        clock.advance(11)
        served.wait(1)


def test_a_clock_with_three_methods_is_asked_again_every_20_ms(flavour: Any) -> None:
    """With a clock that cannot wait for an event, waiters look at the line in slices of at most 20 ms."""

    class Slept(HandClock):
        async def sleep_async(self, seconds: float, /) -> None:
            self.sleep(seconds)

    clock = Slept()
    bucket = TokenBucket(1, 1, clock=clock)
    call = flavour.guarded(rate_limited(bucket, max_wait=None), clock.monotonic)
    call()

    assert call() == pytest.approx(101)
    assert 0 < max(clock.slept) <= 0.02
    assert sum(clock.slept) == pytest.approx(1)


@in_a_loop
def test_a_sleepy_head_holds_up_nobody_whose_turn_it_is() -> None:
    """A head whose task does not run is served by whoever looks at the line, so those behind it pass in time."""
    clock = HandClock()
    bucket = TokenBucket(1, 2, clock=clock)
    bucket.acquire(2)
    head, behind = bucket.acquire_async(), bucket.acquire_async()
    head.send(None)
    behind.send(None)

    clock.now += 2

    with pytest.raises(StopIteration):
        behind.send(None)
    with pytest.raises(StopIteration):
        head.send(None)
