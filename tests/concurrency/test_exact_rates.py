"""What a change of rate, a pause or a renewal meets half-way loses nothing and mints nothing."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from tests.concurrency.crowd import HandClock, crowd, start

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


def calls_it_makes(work: Callable[[], object], at: int, meanwhile: Callable[[], object]) -> bool:
    """Do *work*; at its call or return number *at*, let another thread do something. False when there are not so many.

    These are the places where the interpreter may let another thread run.
    """
    count = 0
    others: list[threading.Thread] = []

    def event(*_: object) -> None:
        nonlocal count
        count += 1
        if count == at:
            others.append(start(meanwhile))
            others[0].join(0.05)  # no longer: this thread may hold the lock that the other one wants

    sys.setprofile(event)
    try:
        work()
    finally:
        sys.setprofile(None)
    for other in others:
        other.join(30)
    return bool(others)


@pytest.mark.parametrize("key", [None, "a key", 7, (1, 2)], ids=str)
@pytest.mark.parametrize("change", ["set_rate", "charge", "refund", "renew"])
def test_a_change_at_any_moment_of_a_call_is_met_whole(locking: str, key: Any, change: str) -> None:
    """Whatever happens between two steps of an admission, admitted plus left is what there was."""
    clock = HandClock()
    changes: dict[str, Callable[[TokenBucket], object]] = {
        "set_rate": lambda bucket: bucket.set_rate(7, per=3),
        "charge": lambda bucket: (bucket.charge(0.25, key), bucket.charge(0.25, key), bucket.refund(0.5, key)),
        "refund": lambda bucket: bucket.refund(1, key),
        "renew": lambda bucket: bucket._renew(),
    }
    for at in itertools.count(1):
        bucket = TokenBucket(1, 10, clock=clock)
        call = rate_limited(bucket, key=lambda _: key)(lambda number: number)
        for number in range(4):
            call(number)
        for number in range(40):  # so many that a change cannot move them all at once
            bucket.allow(key=f"another {number}")
        met = calls_it_makes(lambda call=call: call(5), at, lambda bucket=bucket: changes[change](bucket))

        left = {"refund": [6], "renew": [9, 10]}.get(change, [5]) if met else [5]
        assert bucket.tokens(key) in left
        if not met:
            break
