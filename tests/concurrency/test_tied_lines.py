"""Waiters of several buckets stand in several lines at once; none of the lines is held up or goes round in circles."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from tests.concurrency.crowd import HandClock, crowd, in_a_loop, suspend


class ParkingClock(HandClock):
    """A clock that can wait for an event, and is driven by hand."""

    async def park_async(self, alarm: object, seconds: float | None) -> None:
        self.slept.append(seconds or 0)
        await suspend(seconds)


def nothing() -> None:
    return None


@in_a_loop
def test_a_sleepy_head_of_a_tied_line_holds_up_nobody_whose_turn_it_is() -> None:
    """Behind a waiter of two buckets whose other line has a head that does not run, a waiter who is due passes."""
    clock = ParkingClock()
    one, two = TokenBucket(1, 2, clock=clock), TokenBucket(1, 2, clock=clock)
    one.acquire(2)
    two.acquire(2)

    @rate_limited(one, two, max_wait=None)
    async def both() -> None:
        return None

    head, tied, behind = two.acquire_async(), both(), one.acquire_async()
    for waiter in (head, tied, behind):
        waiter.send(None)
    clock.now += 10  # everybody is due; head's task has not run yet

    with pytest.raises(StopIteration):
        behind.send(None)
    for waiter in (tied, head):
        with pytest.raises(StopIteration):
            waiter.send(None)


@in_a_loop
def test_nobody_in_a_tied_line_waits_for_no_time_at_all() -> None:
    """A waiter that is not served sleeps for some time, instead of going round in circles."""
    clock = ParkingClock()
    one, two = TokenBucket(1, 2, clock=clock), TokenBucket(1, 2, clock=clock)
    one.acquire(2)
    two.acquire(2)

    @rate_limited(one, two, max_wait=None)
    async def both() -> None:
        return None

    waiters = [two.acquire_async(), both(), one.acquire_async()]
    for waiter in waiters:
        waiter.send(None)
    clock.now += 10
    clock.slept.clear()

    with contextlib.suppress(StopIteration):
        for _ in range(5):
            waiters[2].send(None)
    for waiter in waiters:
        waiter.close()

    assert 0 not in clock.slept


def test_a_crowd_in_tied_lines_is_served_to_the_last_one(locking: str) -> None:
    """Threads and tasks that want one, two or three of three buckets, in any order, all pass; no line is left over."""
    buckets = [TokenBucket(5_000, 5) for _ in range(3)]
    wants = [(0,), (1,), (2,), (0, 1), (1, 0), (1, 2), (2, 0), (0, 1, 2), (2, 1, 0)]
    calls = [rate_limited(*(buckets[at] for at in want), max_wait=None)(nothing) for want in wants]

    async def colourful() -> None:
        return None

    tasks = [rate_limited(*(buckets[at] for at in want), max_wait=None)(colourful) for want in wants]

    async def main(at: int) -> int:
        return len(await asyncio.gather(*(tasks[(at + number) % len(wants)]() for number in range(60))))

    def work(at: int) -> int:
        if at % 2:
            return asyncio.run(main(at))
        return sum(calls[(at + number) % len(wants)]() is None for number in range(60))

    assert [60] * 8 == crowd(8, work)
    assert [0, 0, 0] == [bucket.snapshot().waiting for bucket in buckets]
    assert all(0 <= bucket.tokens() <= 5 for bucket in buckets)


def test_impatient_and_cancelled_waiters_of_tied_lines_leave_them_whole() -> None:
    """Time-outs, limits on the wait and calls that never wait, all at once, end with empty lines and honest levels."""
    buckets = [TokenBucket(2_000, 5) for _ in range(2)]

    async def colourful() -> None:
        return None

    pair: list[Any] = [rate_limited(*buckets[::way], max_wait=None)(colourful) for way in (1, -1)]

    async def main() -> None:
        async def one(number: int) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pair[number % 2](), 0.0005 * (number % 60))

        await asyncio.gather(*(one(number) for number in range(200)))

    def work(at: int) -> None:
        if at % 2:
            asyncio.run(main())
        for number in range(100):
            try:
                buckets[number % 2].acquire(1 + number % 3, max_wait=0.002)
            except RateLimitExceeded:
                buckets[number % 2].allow()

    crowd(6, work)

    assert [0, 0] == [bucket.snapshot().waiting for bucket in buckets]
    assert all(0 <= bucket.tokens() <= 5 for bucket in buckets)
