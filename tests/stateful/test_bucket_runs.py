"""Long runs of a token bucket: no drift, no more than a span allows, hardly less than it allows."""

from __future__ import annotations

import os
import random
from fractions import Fraction
from math import ceil

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.stateful.naive_bucket import NaiveBuckets, rational
from tests.stateful.test_bucket_model import Ways

SECOND = 10**9
STEPS = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 4_000
PACES = [(1, 1, 1), (100, 60, 100), (0.3333, 1, 2.5), (7, 3, 40), (10**9, 1, 5), (12345.678, 1, 17.25)]
"""Tokens, seconds, capacity."""


def fresh(rate: float, per: float, capacity: float) -> tuple[FakeClock, TokenBucket, Fraction]:
    """A clock, a bucket on it, and tokens a nanosecond."""
    clock = FakeClock()
    return clock, TokenBucket(rate, capacity, per=per, clock=clock), rational(rate) / (per * SECOND)


def nanoseconds(clock: FakeClock) -> int:
    return round(clock.monotonic() * 1e9)


@pytest.mark.parametrize(("rate", "per", "capacity"), PACES)
def test_a_long_run_of_mixed_calls_is_exact_and_no_span_gets_too_much(rate: float, per: float, capacity: float) -> None:
    """All ways mixed decide like rational numbers; a span D admits at most capacity + rate * D of any key (L1)."""
    clock, bucket, pace = fresh(rate, per, capacity)
    ways, model = Ways(bucket), NaiveBuckets(pace, rational(capacity))
    dice = random.Random(f"{rate} {per} {capacity}")
    taken: dict[object, list[Fraction]] = {None: [], "a": [], 2: []}  # admitted so far, least so far at a span's start
    refused = 0
    for _ in range(STEPS):
        way = dice.choice(["lane", "lane", "lane_async", "keyed", "keyed_async", "general", "allow", "acquire"])
        key = None if way.startswith("lane") else dice.choice(list(taken))
        one = way in ways.for_one
        cost = 1 if one or dice.random() < 0.7 else dice.choice([c for c in (0, 0.5, 0.25, 2, 1.5) if c <= capacity])
        now = nanoseconds(clock)
        wait = model.of(key, now).wait(rational(cost), now)
        answer = ways.enter(way, key, cost)
        assert answer in ((wait, None) if wait else (0,))
        if wait:
            refused += 1
        else:
            model.of(key, now).take(rational(cost), now)
            sums = taken[key] or [Fraction(0), -pace * now]
            sums[1] = min(sums[1], sums[0] - pace * now)
            sums[0] += rational(cost)
            assert sums[0] - pace * now - sums[1] <= rational(capacity)
            taken[key] = sums
        length = dice.choice(
            [0, 0, 0, 0, 0, 0, 0, 1, wait, max(0, wait - 1), dice.randrange(ceil(2 / pace)), ceil(1 / pace)]
        )
        clock.advance((length if dice.random() > 0.01 else ceil(3 * rational(capacity) / pace)) / 1e9)
        if dice.random() < 0.01:
            bucket.charge(0.5, key)
            model.of(key, nanoseconds(clock)).take(Fraction(1, 2), nanoseconds(clock))

    assert refused > STEPS / 50


@pytest.mark.parametrize(("rate", "per", "capacity"), PACES)
def test_who_calls_at_each_retry_after_gets_all_but_a_token(rate: float, per: float, capacity: float) -> None:
    """A caller who does nothing but obey `retry_after` gets at least capacity + rate * D - 1 tokens (L1)."""
    clock, bucket, pace = fresh(rate, per, capacity)

    @rate_limited(bucket)
    def call() -> None:
        return None

    admitted = 0
    for _ in range(STEPS):
        allowed = rational(capacity) + pace * nanoseconds(clock)
        try:
            call()
            admitted += 1
        except RateLimitExceeded as error:
            assert allowed - 1 <= admitted <= allowed
            clock.advance(error.retry_after)
        else:
            assert admitted <= allowed


def test_a_million_tokens_leave_no_drift() -> None:
    """After a million tokens at a rate that no float holds, the next one comes to the nanosecond when it should."""
    clock, bucket, pace = fresh(0.3, 1, 2)
    call = rate_limited(bucket)(lambda: None)
    bucket.charge(1)
    count = 1_000_000 if STEPS > 10_000 else 20_000
    for number in range(count):
        clock.advance((ceil(number / pace) - nanoseconds(clock)) / 1e9)
        call()

    with pytest.raises(RateLimitExceeded) as caught:
        call()

    assert ceil(count / pace) - nanoseconds(clock) == round(caught.value.retry_after * 1e9)


def test_after_very_many_changes_of_rate_a_level_is_rounded_down_by_less_than_a_nanosecond_each() -> None:
    """Once ticks are as fine as they get, a change of rate may cost the tokens of a nanosecond; none mints any."""
    dice = random.Random(1)
    clock, bucket, pace = fresh(3, 1, 10)
    model = NaiveBuckets(pace, Fraction(10))
    lost_at, allowance = None, Fraction(0)
    for changes in range(STEPS // 20):
        now = nanoseconds(clock)
        rate, capacity = dice.choice([1, 2, 3, 7, 0.3, 11]), dice.choice([None, 1, 3, 7, 10, 13])
        before = model.capacity
        bucket.set_rate(rate, capacity)
        model.set_rate(rational(rate) / SECOND, None if capacity is None else rational(capacity), now)
        allowance = allowance * max(1, model.capacity / before) + model.rate
        exact, got = model.of(None, now).level, bucket.limiter.bucket.tokens(None, now)
        assert 0 <= exact - got <= allowance
        if exact != got and lost_at is None:
            lost_at = changes
        if bucket.allow(0.5 if model.capacity == 1 else 1):
            model.of(None, now).take(Fraction(1, 2) if model.capacity == 1 else Fraction(1), now)
        clock.advance(dice.choice([1, 0.01, 1 / 3, 0.5]))

    assert lost_at is None or lost_at > 20


def test_a_call_that_costs_nothing_passes_whatever_is_owed() -> None:
    """Cost 0 always passes and leaves no trace: in debt, and with a key of its own where there is no room for one."""
    clock = FakeClock()
    bucket = TokenBucket(1, max_keys=1, clock=clock)
    bucket.charge(5)
    bucket.charge(5, key="a")

    assert [True, True, True] == [bucket.allow(0), bucket.allow(0, "a"), bucket.allow(0, "b")]
    assert [-4, -4] == [bucket.tokens(), bucket.tokens("a")]
