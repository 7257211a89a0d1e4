"""The integers of a quota against rational numbers: exact through fractions of tokens and changes of rate (L1, L6)."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from resilience._core.quota import Quota, exact
from tests.stateful.naive_bucket import NaiveBucket, rational

SECOND = 10**9
RATES = st.sampled_from([1, 2, 3, 10, 0.5, 0.3, 7])
CAPACITIES = st.sampled_from([1, 2, 3, 6, 10, 2.5])
STEPS = st.tuples(RATES, CAPACITIES, st.integers(0, 5 * SECOND), st.integers(-3, 30))
"""A rate, a capacity, nanoseconds that pass before it, and tokens that are taken (or given back) at that instant."""


def level(quota: Quota, full_at: int, now: int) -> Fraction:
    return Fraction(quota.cap - max(0, full_at - now * quota.scale), quota.unit)


@settings(max_examples=max(500, settings.default.max_examples))
@given(first=st.tuples(RATES, CAPACITIES), steps=st.lists(STEPS, min_size=1, max_size=4))
def test_levels_and_debts_come_through_changes_of_rate_exactly(
    first: tuple[float, float], steps: list[tuple[float, float, int, int]]
) -> None:
    """A positive level scales with the capacity, a debt stays, to the last tick; time then flows at the new rate."""
    now = 100 * SECOND
    quota = Quota(rational(first[0]) / SECOND, rational(first[1]))
    naive = NaiveBucket(quota.rate, quota.capacity, now)
    full_at = 0
    for rate, capacity, length, tokens in steps:
        now += length
        full_at = max(full_at, now * quota.scale) + tokens * quota.unit
        (naive.take if tokens >= 0 else naive.give)(Fraction(abs(tokens)), now)
        assert naive.level == level(quota, full_at, now)
        old, quota = quota, Quota(rational(rate) / SECOND, rational(capacity)).after(quota)
        full_at = quota.convert(full_at, old, now)
        naive.set_rate(quota.rate, quota.capacity, now)
        assert naive.level == level(quota, full_at, now)


@given(rate=RATES, capacity=CAPACITIES, parts=st.integers(1, 1000), times=st.integers(1, 6))
def test_a_finer_quota_is_the_same_quota(rate: float, capacity: float, parts: int, times: int) -> None:
    """Refining makes a fraction of a token a whole number of ticks, and changes no rate and no capacity."""
    quota = Quota(rational(rate) / SECOND, rational(capacity)).refined(times)
    finer = quota.refined(parts)

    assert 1 == finer.ticks(Fraction(1, parts)).denominator
    for one in (quota, finer):
        assert (rational(rate), rational(capacity)) == (one.rate * SECOND, Fraction(one.cap, one.unit))
        assert one.rate == Fraction(one.scale, one.unit)
        assert one.room == one.cap - one.unit
    assert finer.scale == quota.scale * parts


def test_a_float_is_the_number_that_was_written() -> None:
    """One tenth is one tenth, and a whole float is whole."""
    assert [Fraction(1, 10), Fraction(3), 7, Fraction(1, 10**7)] == [exact(number) for number in (0.1, 3.0, 7, 1e-7)]
