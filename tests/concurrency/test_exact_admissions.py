"""A bucket hands out exactly its tokens, however its callers collide."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock, TickClock, crowd

THREADS = 8
CALLS = 100_000
TINY = 1e-9  # tokens a second: none comes back while a test runs


def nothing(number: int) -> int:
    return number


def admissions(call: Callable[[int], Any], calls: int) -> int:
    """Make *calls* calls in each of the threads; how many were admitted."""

    def work(_: int) -> int:
        admitted = 0
        for number in range(calls):
            try:
                call(number)
            except RateLimitExceeded:
                continue
            admitted += 1
        return admitted

    return sum(crowd(THREADS, work))


@pytest.mark.slow
@pytest.mark.parametrize("capacity", [CALLS * THREADS - CALLS, CALLS * THREADS - 1])
def test_the_lane_admits_exactly_the_capacity(locking: str, capacity: int) -> None:
    """Of 800,000 calls of eight threads a bucket of N admits exactly N."""
    bucket = TokenBucket(TINY, capacity)

    assert capacity == admissions(rate_limited(bucket)(nothing), CALLS)
    assert bucket.tokens() < 1


def test_the_lane_of_a_small_bucket_admits_exactly_its_capacity(locking: str) -> None:
    """Eight threads that are nearly always refused are admitted exactly N times."""
    bucket = TokenBucket(TINY, 1000)

    assert admissions(rate_limited(bucket)(nothing), 5_000) == 1000


@pytest.mark.slow
def test_the_lane_admits_exactly_the_capacity_by_a_clock_that_runs(locking: str) -> None:
    """The same with a clock that is a Python function, where threads change places most often."""
    bucket = TokenBucket(TINY, 100_000, clock=TickClock())

    assert admissions(rate_limited(bucket)(nothing), 20_000) == 100_000


@pytest.mark.slow
def test_a_keyed_limiter_admits_exactly_the_capacity_of_each_key(locking: str) -> None:
    """Of 800,000 calls for four keys a bucket of N admits exactly N for each."""
    bucket = TokenBucket(TINY, 190_000)
    call = rate_limited(bucket, key=lambda number: number % 4)(nothing)

    assert admissions(call, CALLS) == 4 * 190_000
    assert all(bucket.tokens(key) < 1 for key in range(4))


@pytest.mark.slow
def test_allow_admits_exactly_the_capacity(locking: str) -> None:
    """Of 800,000 `allow()`s of eight threads a bucket of N says True to exactly N."""
    bucket = TokenBucket(TINY, 700_000)

    assert sum(crowd(THREADS, lambda _: sum(bucket.allow() for _ in range(CALLS)))) == 700_000


def test_coroutines_in_eight_loops_are_admitted_exactly(locking: str) -> None:
    """The lane of a coroutine function is exact across loops in threads."""
    bucket = TokenBucket(TINY, 50_000)

    @rate_limited(bucket)
    async def call(number: int) -> int:
        return number

    async def work() -> int:
        admitted = 0
        for number in range(10_000):
            try:
                admitted += (await call(number)) is not None
            except RateLimitExceeded:
                continue
        return admitted

    assert sum(crowd(THREADS, lambda _: asyncio.run(work()))) == 50_000


@pytest.mark.slow
def test_the_lane_is_exact_while_others_go_the_long_way(locking: str) -> None:
    """Costs, fractions, refunds, charges and looks, which close the lane each time, lose and mint nothing."""
    capacity = 100_000
    bucket = TokenBucket(TINY, capacity)
    call = rate_limited(bucket)(nothing)

    def work(at: int) -> Fraction:
        taken = Fraction(0)
        for number in range(20_000):
            if at or number % 10:
                try:
                    call(number)
                except RateLimitExceeded:
                    continue
                taken += 1
            else:
                cost = Fraction(1 + number % 4, 2)
                taken += cost if bucket.allow(float(cost)) else 0
                bucket.charge(1)
                bucket.refund(1)  # never more than was just taken, so it is never cut off at the capacity
                assert bucket.tokens() <= capacity
        return taken

    taken = sum(crowd(THREADS, work))

    assert capacity - taken == pytest.approx(bucket.tokens(), abs=1e-3)


def test_what_accrues_while_threads_take_is_neither_lost_nor_minted(locking: str) -> None:
    """Admitted plus left is what there was plus what accrued, while the clock moves under eight threads."""
    clock = HandClock()
    bucket = TokenBucket(1000, 1_000_000, clock=clock)
    bucket.charge(1_000_000)
    call = rate_limited(bucket)(nothing)

    def work(at: int) -> int:
        admitted = 0
        for number in range(10_000):
            if at == 0 and number % 10 == 0:
                clock.now += 0.015625  # a whole number of nanoseconds, and exact in binary
            try:
                call(number)
            except RateLimitExceeded:
                continue
            admitted += 1
        return admitted

    admitted = sum(crowd(THREADS, work))

    assert 1000 * (clock.now - 100) == admitted + bucket.tokens()


def test_a_bucket_that_is_full_again_and_again_admits_no_more_than_it_may() -> None:
    """In the span of D seconds at most `capacity + rate * D` are admitted with the lane written anew all the time."""
    clock = HandClock()
    bucket = TokenBucket(64, 8, clock=clock)
    call = rate_limited(bucket)(nothing)

    def work(at: int) -> int:
        admitted = 0
        for number in range(20_000):
            if at == 0 and number % 20 == 0:
                clock.now += 1 / 128
            try:
                call(number)
            except RateLimitExceeded:
                continue
            admitted += 1
        return admitted

    admitted = sum(crowd(THREADS, work))

    assert admitted <= 8 + 64 * (clock.now - 100)
    assert admitted >= 64 * (clock.now - 100) * 0.5, "the threads did not keep the bucket busy; the fact was not tested"


def test_several_buckets_are_taken_all_or_nothing_by_threads(locking: str) -> None:
    """What one bucket refuses is not taken from the other, in whatever order functions name them."""
    wide, narrow = TokenBucket(TINY, 10_000), TokenBucket(TINY, 3_000)
    calls = [rate_limited(wide, narrow)(nothing), rate_limited(narrow, wide)(nothing)]

    def work(at: int) -> int:
        admitted = 0
        for number in range(2_000):
            try:
                calls[at % 2](number)
            except RateLimitExceeded:
                continue
            admitted += 1
        return admitted

    assert sum(crowd(THREADS, work)) == 3_000
    assert wide.tokens() == pytest.approx(7_000, abs=1e-3)


def test_buckets_tied_together_while_threads_take_from_them_stay_exact(locking: str) -> None:
    """Decorating with two buckets while both are in use neither loses a token nor ends in a deadlock."""
    one, two = TokenBucket(TINY, 20_000), TokenBucket(TINY, 20_000)

    def work(at: int) -> int:
        taken = 0
        for _ in range(2_000):
            if at < 2:
                rate_limited(*((one, two), (two, one))[at])(nothing)
            taken += (one, two)[at % 2].allow()
        return taken

    assert sum(crowd(THREADS, work)) == 16_000
    assert one.tokens() + two.tokens() == pytest.approx(24_000, abs=1e-3)


def test_a_key_that_is_dropped_and_made_again_by_threads_is_whole() -> None:
    """Under a flood of new keys the table never holds more than `max_keys`, and counts those it holds."""
    bucket = TokenBucket(TINY, 5, max_keys=100, clock=FakeClock())

    crowd(THREADS, lambda at: [bucket.allow(key=(at, number)) for number in range(3_000)])

    table = bucket.limiter.bucket.keys
    assert 100 == bucket.snapshot().keys == sum(len(shard) for shard in table.shards)


def test_without_the_gil_no_level_changes_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket made without the GIL admits each call under its lock, with a key and without."""
    monkeypatch.setattr("resilience._gil.LOCK_FREE", False)
    bucket = TokenBucket(10, 100)
    plain, keyed = rate_limited(bucket)(nothing), rate_limited(bucket, key=lambda number: 1)(nothing)

    assert [(number, number) for number in range(5)] == [(plain(number), keyed(number)) for number in range(5)]
    assert bucket.limiter.bucket.key_lane is None
    assert "locked_lane" in plain.__code__.co_qualname
