"""What a change of rate, a pause or a renewal meets half-way loses nothing and mints nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from tests.concurrency.crowd import HandClock, crowd

THREADS = 8
CALLS = 5_000
RATES: tuple[dict[str, Any], ...] = ({"rate": 1000}, {"rate": 7, "per": 3}, {"rate": "10/15s"}, {"rate": 0.3})


def count(call: Callable[[int], Any], calls: int) -> int:
    admitted = 0
    for number in range(calls):
        try:
            call(number)
        except RateLimitExceeded:
            continue
        admitted += 1
    return admitted


@pytest.mark.parametrize("key", [None, "a key", 7, (1, 2)], ids=str)
def test_changes_of_rate_between_takes_lose_no_token(locking: str, key: Any) -> None:
    """While one thread changes the rate all the time, admitted plus left stays what there was; time stands still."""
    capacity = 20_000
    bucket = TokenBucket(1, capacity, clock=HandClock())
    call = rate_limited(bucket, key=lambda _: key)(lambda number: number)

    def work(at: int) -> int:
        if at:
            return count(call, CALLS)
        for number in range(300):
            bucket.set_rate(**RATES[number % len(RATES)])
        return 0

    admitted = sum(crowd(THREADS, work))

    assert capacity == admitted + bucket.tokens(key)


@pytest.mark.parametrize("key", [None, "a key"], ids=str)
def test_a_change_of_rate_meets_cold_shells(locking: str, key: Any) -> None:
    """Functions that are called for the first time, which is when threads change places anywhere, are exact as well."""
    capacity = 20_000
    bucket = TokenBucket(1, capacity, clock=HandClock())

    callers = list(range(1, THREADS))

    def work(at: int) -> int:
        admitted = 0
        for number in itertools.count():
            if at and number < 100:
                admitted += count(rate_limited(bucket, key=lambda _: key)(lambda number: number), 2)
            elif at:
                callers.remove(at)
                break
            elif callers:
                bucket.set_rate(**RATES[number % len(RATES)])
            else:
                break
        return admitted

    admitted = sum(crowd(THREADS, work))

    assert capacity == admitted + bucket.tokens(key)


@pytest.mark.parametrize("key", [None, "a key"], ids=str)
def test_nobody_is_admitted_between_a_pause_and_its_end(locking: str, key: Any) -> None:
    """Once `pause` has returned, no call that begins later is admitted, from whatever thread."""
    bucket = TokenBucket(1, 1_000_000, clock=HandClock())
    call = rate_limited(bucket, key=lambda _: key)(lambda number: number)
    paused: list[bool] = []

    def work(at: int) -> list[bool]:
        if not at:
            count(call, 1_000)
            bucket.pause(10, key=key)
            paused.append(True)
            return []
        wrong = []
        for number in range(CALLS):
            before = bool(paused)
            try:
                call(number)
            except RateLimitExceeded:
                continue
            wrong.append(before)
        return wrong

    assert not any(wrong for answers in crowd(THREADS, work) for wrong in answers)


def test_a_renewal_in_the_middle_admits_at_most_one_capacity_more(locking: str) -> None:
    """`reset_policies` while threads take gives a full bucket once, whatever they were about to take."""
    bucket = TokenBucket(1, 1_000, clock=HandClock())
    call = rate_limited(bucket)(lambda number: number)

    def work(at: int) -> int:
        if not at:
            bucket._renew()
            return 0
        return count(call, 1_000)

    for _ in range(20):
        bucket._renew()
        assert sum(crowd(THREADS, work)) <= 2_000
        assert bucket.tokens() <= 1_000
