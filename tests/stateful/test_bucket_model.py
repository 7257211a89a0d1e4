"""The token bucket against one in rational numbers: exact to the nanosecond, by whatever way a call comes in."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.stateful.naive_bucket import NaiveBuckets, rational

SECOND = 10**9
KEYS = (None, None, "a", "b", b"c", 1, True, 1.0, ("tuple", 2), frozenset({3}))
FAR = 1 << 52
"""Nanoseconds; a float of seconds is exact to the nanosecond up to here."""


class Ways:
    """All ways into one bucket; each answers 0, or the nanoseconds after which to try again, or None where unsaid."""

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket

        @rate_limited(bucket)
        def lane() -> None:
            return None

        @rate_limited(bucket)
        async def lane_async() -> None:
            return None

        @rate_limited(bucket, key=lambda key: key)
        def keyed(key: Hashable) -> None:
            return None

        @rate_limited(bucket, key=lambda key: key)
        async def keyed_async(key: Hashable) -> None:
            return None

        @rate_limited(bucket, key=lambda key, _: key, cost=lambda _, cost: cost)
        def general(key: Hashable, cost: float) -> None:
            return None

        self.for_one: dict[str, Callable[[Hashable], Any]] = {
            "lane": lambda _: lane(),
            "lane_async": lambda _: finished(lane_async()),
            "keyed": keyed,
            "keyed_async": lambda key: finished(keyed_async(key)),
        }
        self.for_any: dict[str, Callable[[Hashable, float], Any]] = {
            "general": general,
            "acquire": lambda key, cost: bucket.acquire(cost, key, 0),
            "acquire_async": lambda key, cost: finished(bucket.acquire_async(cost, key, 0)),
        }

    def enter(self, way: str, key: Hashable, cost: float) -> int | None:
        if way == "allow":
            return 0 if self.bucket.allow(cost, key) else None
        try:
            if way in self.for_one:
                self.for_one[way](key)
            else:
                self.for_any[way](key, cost)
        except RateLimitExceeded as error:
            return round(error.retry_after * 1e9)
        return 0


def finished(coroutine: Any) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)
    coroutine.close()


WAYS_OF_ONE = st.sampled_from(["lane", "lane", "lane_async", "keyed", "keyed", "keyed_async"])
WAYS = st.sampled_from(["allow", "general", "acquire", "acquire_async"])
COSTS = st.sampled_from([0, 0, 0.0, 1, 1, 1, 2, 3, 0.5, 0.25, 1.5, 2.75, 0.1, 0.3, 1e-3])
TAME = st.sampled_from([(1, 1), (2, 1), (3, 1), (10, 1), (0.5, 1), (7, 60), (100, 60)])
WILD = st.sampled_from([(10**9, 1), (3 * 10**9, 1), (0.3333, 1), (1e-3, 1), (12345.678, 1), (999_999_937, 7)])
CAPACITIES = st.sampled_from([0.5, 1, 1.5, 2, 2.5, 3, 10, 40])
FIRST_CAPACITIES = st.none() | st.sampled_from([1, 1.5, 2, 2.5, 3, 10, 40])


class BucketMachine(RuleBasedStateMachine):
    """Levels, admissions and waits are those of rational numbers, whichever ways are mixed."""

    @initialize(pace=TAME | WILD, capacity=FIRST_CAPACITIES)
    def begin(self, pace: tuple[float, int], capacity: float | None) -> None:
        self.clock = FakeClock(100.0)
        rate, per = pace
        self.bucket = TokenBucket(rate, capacity, per=per, clock=self.clock)
        self.ways = Ways(self.bucket)
        worth = max(Fraction(1), rational(rate)) if capacity is None else rational(capacity)
        self.model = NaiveBuckets(rational(rate) / (per * SECOND), worth)
        self.changes = 0

    @property
    def now(self) -> int:
        return round(self.clock.monotonic() * 1e9)

    def enter(self, way: str, key: Hashable, cost: float) -> int:
        """One call in both; the answer is the nanoseconds after which to try again, 0 for admitted."""
        key = None if way.startswith("lane") else key
        naive = self.model.of(key, self.now)
        if rational(cost) > naive.capacity:
            with pytest.raises(ValueError, match="at most the capacity"):
                self.ways.enter(way, key, cost)
            return 0
        wait = naive.wait(rational(cost), self.now)
        answer = self.ways.enter(way, key, cost)
        assert (answer == 0) == (wait == 0)
        if wait:
            assert answer in (wait, None)
        else:
            naive.take(rational(cost), self.now)
        return wait

    @rule(way=WAYS_OF_ONE, key=st.sampled_from(KEYS), number=st.integers(1, 6))
    def calls_of_one(self, way: str, key: Hashable, number: int) -> None:
        for _ in range(number):
            self.enter(way, key, 1)

    @rule(way=WAYS, key=st.sampled_from(KEYS), cost=COSTS)
    def call(self, way: str, key: Hashable, cost: float) -> None:
        self.enter(way, key, cost)

    @precondition(lambda self: self.now < FAR)
    @rule(way=WAYS, one=WAYS_OF_ONE, key=st.sampled_from(KEYS), cost=COSTS, early=st.booleans())
    def retry(self, way: str, one: str, key: Hashable, cost: float, early: bool) -> None:
        """Refused a nanosecond before the time that a refusal named, admitted at it (L2)."""
        way = one if cost == 1 else way
        wait = self.enter(way, key, cost)
        if wait:
            self.clock.advance((wait - early) / 1e9)
            assert early == self.enter(way, key, cost)
            if early:
                self.clock.advance(1e-9)
                assert 0 == self.enter(way, key, cost)

    @precondition(lambda self: self.now < FAR)
    @rule(key=st.sampled_from(KEYS), cost=COSTS, spare=st.sampled_from([-1, 0, SECOND]))
    def wait_for(self, key: Hashable, cost: float, spare: int) -> None:
        """A call that may wait is served at the very instant, or refused at once when that is too late (L3)."""
        naive = self.model.of(key, self.now)
        wait = naive.wait(rational(cost), self.now) if rational(cost) <= naive.capacity else 0
        if not wait:
            return
        before = self.now
        if spare < 0:
            with pytest.raises(RateLimitExceeded) as caught:
                self.bucket.acquire(cost, key, (wait + spare) / 1e9)
            assert (wait, before) == (round(caught.value.retry_after * 1e9), self.now)
        else:
            self.bucket.acquire(cost, key, (wait + spare) / 1e9)
            assert before + wait == self.now
            naive.take(rational(cost), self.now)

    @rule(key=st.sampled_from(KEYS), amount=COSTS, forward=st.booleans())
    def adjust(self, key: Hashable, amount: float, forward: bool) -> None:
        naive = self.model.of(key, self.now)
        (naive.take if forward else naive.give)(rational(amount), self.now)
        (self.bucket.charge if forward else self.bucket.refund)(amount, key)

    @rule(key=st.sampled_from(KEYS), length=st.sampled_from([1, 10**6, SECOND, 7 * SECOND]), really=st.integers(0, 3))
    def pause(self, key: Hashable, length: int, really: int) -> None:
        if really == 0:
            naive = self.model.of(key, self.now)
            naive.paused_until = max(naive.paused_until, self.now + length)
            self.bucket.pause(length / 1e9, key)

    @precondition(lambda self: self.changes < 5)
    @rule(pace=TAME, capacity=CAPACITIES | st.none(), really=st.integers(0, 2))
    def set_rate(self, pace: tuple[float, int], capacity: float | None, really: int) -> None:
        """Exact for the first few; the rounding after very many is the last test's subject."""
        if really == 0:
            self.changes += 1
            rate, per = pace
            self.model.set_rate(
                rational(rate) / (per * SECOND), None if capacity is None else rational(capacity), self.now
            )
            self.bucket.set_rate(rate, capacity, per=per)

    @precondition(lambda self: self.now < FAR)
    @rule(tokens=st.sampled_from([0.01, 0.5, 1, 1, 2, 10]), offset=st.integers(-2, 2), random_ns=st.integers(0, SECOND))
    def pass_time(self, tokens: float, offset: int, random_ns: int) -> None:
        """About the time of so many tokens."""
        length = round(rational(tokens) / self.model.rate) + offset
        self.clock.advance((random_ns if length < 0 else length) / 1e9)

    @precondition(lambda self: self.now < FAR)
    @rule(way=WAYS_OF_ONE, rest=st.sampled_from([0.3, 0.5, 0.7, 1, 1.4]), long=st.sampled_from([1, 2, 50]))
    def drain_after_a_rest(self, way: str, rest: float, long: int) -> None:
        """A bucket is drained, looked at on its way up, and drained again."""
        self.calls_of_one(way, "a", 12)
        self.pass_time(rest, 0, 0)
        self.look(None)
        self.pass_time(long, 0, 0)
        self.calls_of_one(way, "a", 12)

    @rule(key=st.sampled_from(KEYS))
    def look(self, key: Hashable) -> None:
        assert float(self.model.of(key, self.now).level) == self.bucket.tokens(key)


TestBucketModel = BucketMachine.TestCase
TestBucketModel.settings = settings(max_examples=max(400, settings.default.max_examples))
