"""The waiting line against a naive one: order, plans, refusals and the very nanosecond of each service (L3, L6, L7)."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.stateful.naive_bucket import NaiveBuckets, rational
from tests.stateful.naive_line import NaiveLines, NaiveWaiter

SECOND = 10**9
PACES = st.sampled_from([0.5, 1, 2, 3, 10])
CAPACITIES = st.sampled_from([1, 2, 2, 3, 5])
COSTS = st.sampled_from([1, 1, 1, 1, 1, 0.5, 0.5, 2, 1.5, 0])
LIMITS = st.sampled_from([None, None, 0, 0.5, 1, 2, 3, 4, 5, 8])
KEYS = st.sampled_from([None, None, None, None, None, "a"])
NUMBERS = st.sampled_from([0, 0, 0, 1, 1, 2])
PLACE = st.integers(0, 9)


@st.composite
def wants(draw: Any) -> list[tuple[int, Hashable, float]]:
    """Of one bucket or of several, in any order: a number, a key and a cost."""
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=3, unique=True))
    return [(number, draw(KEYS), draw(COSTS)) for number in numbers]


class LineMachine(RuleBasedStateMachine):
    """Tasks wait on a clock that stands still; at each instant everybody's fate is the naive one's."""

    @initialize(sizes=st.lists(st.tuples(PACES, CAPACITIES), min_size=3, max_size=3), empty=st.booleans())
    def begin(self, sizes: list[tuple[float, float]], empty: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock(100.0, autojump=False)
        self.buckets = [TokenBucket(rate, capacity, clock=self.clock) for rate, capacity in sizes]
        self.model = NaiveLines([NaiveBuckets(rational(rate) / SECOND, rational(size)) for rate, size in sizes])
        self.calls: list[tuple[asyncio.Task[Any], NaiveWaiter]] = []
        self.changes = 0
        for number in range(3 if empty else 0):
            self.adjust(number, None, sizes[number][1], True)

    def teardown(self) -> None:
        for task, _ in self.calls:
            task.cancel()
        self.run()
        self.loop.close()

    @property
    def now(self) -> int:
        return round(self.clock.monotonic() * 1e9)

    def run(self) -> None:
        """Let the tasks go as far as they can; the clock stands still."""

        async def turns() -> None:
            for _ in range(12):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    # -- calls ----------------------------------------------------------------------------------------------------

    def call_of(self, want: list[tuple[int, Hashable, float]], limit: float | None) -> Any:
        """An async function that wants that and says how it ended."""
        (number, key, cost), *others = want
        if not others and (key is not None or cost != 1):
            return lambda: self.buckets[number].acquire_async(cost, key, limit)
        views = [
            self.buckets[number].by(key=None if key is None else lambda key=key: key, cost=lambda cost=cost: cost)
            for number, key, cost in want
        ]

        async def guarded() -> None:
            return None

        return rate_limited(*(views if others else [self.buckets[number]]), max_wait=limit)(guarded)

    @rule(calls=st.lists(st.tuples(wants(), LIMITS), min_size=1, max_size=6))
    def arrive(self, calls: list[tuple[list[tuple[int, Hashable, float]], float | None]]) -> None:
        """Tasks come, and are served, refused, or stand in line."""
        for want, limit in calls:
            self.call(want, limit)
            self.run()

    def call(self, want: list[tuple[int, Hashable, float]], limit: float | None) -> None:
        function = self.call_of_checked(want, limit)

        async def told() -> tuple[str, int, int]:
            try:
                await function()
            except RateLimitExceeded as error:
                return "refused", round(error.retry_after * 1e9), self.now
            except ValueError:
                return "too much", 0, self.now
            except asyncio.CancelledError:
                return "cancelled", 0, self.now
            return "served", 0, self.now

        parts = [((bucket, key), rational(cost)) for bucket, key, cost in want]
        waiter = self.model.arrive(parts, None if limit is None else round(limit * SECOND), self.now)
        self.calls.append((self.loop.create_task(told()), waiter))

    def call_of_checked(self, want: list[tuple[int, Hashable, float]], limit: float | None) -> Any:
        try:
            return self.call_of(want, limit)
        except ValueError as error:  # a constant cost that is too much is refused at decoration
            refusal = error

        async def refused() -> None:
            raise refusal

        return refused

    @precondition(lambda self: self.model.waiters)
    @rule(place=PLACE)
    def cancel(self, place: int) -> None:
        """A waiter leaves; those behind move up."""
        waiter = self.model.waiters[place % len(self.model.waiters)]
        next(task for task, its in self.calls if its is waiter).cancel()
        self.model.leave(waiter, self.now)
        self.run()

    # -- time -----------------------------------------------------------------------------------------------------

    @rule(length=st.sampled_from([1, SECOND // 10, SECOND // 3, SECOND, 4 * SECOND]), stop=st.booleans())
    def pass_time(self, length: int, stop: bool) -> None:
        """Everybody is served at the very nanosecond that was planned, not the one before."""
        target = self.now + length
        while (at := self.model.next_service(self.now)) is not None and at <= target:
            if at > self.now + 1:
                self.clock.advance((at - 1 - self.now) / 1e9)
                self.run()
                self.same()
            self.clock.advance((at - self.now) / 1e9)
            self.model.serve(self.now)
            self.run()
            self.same()
            if stop:
                return
        self.clock.advance((target - self.now) / 1e9)

    @rule(length=st.sampled_from([SECOND // 2, SECOND, 3 * SECOND]))
    def oversleep(self, length: int) -> None:
        """Nobody looks for a while: whoever is due by then is served then."""
        self.clock.advance(length / 1e9)
        self.model.serve(self.now)
        self.run()

    @precondition(lambda self: self.model.waiters)
    @rule(want=wants(), place=PLACE, late=st.sampled_from([0, 0, SECOND]))
    def overtake(self, want: list[tuple[int, Hashable, float]], place: int, late: int) -> None:
        """Before those who are due wake up, a call comes that never waits, and one of them is cancelled."""
        at = self.model.next_service(self.now)
        self.clock.advance((at - self.now + late) / 1e9)
        number, key, cost = want[0]
        before = list(self.model.waiters)
        naive = self.model.arrive([((number, key), rational(cost))], 0, self.now)
        try:
            admitted = self.buckets[number].allow(cost, key)
        except ValueError:
            assert "too much" == naive.end[0]
        else:
            assert (naive.end[0] == "served") == admitted
        waiter = before[place % len(before)]
        next(task for task, its in self.calls if its is waiter).cancel()
        self.model.leave(waiter, self.now)
        self.run()

    # -- changes --------------------------------------------------------------------------------------------------

    @rule(number=NUMBERS, key=KEYS, amount=st.sampled_from([0.5, 1, 4]), forward=st.booleans())
    def adjust(self, number: int, key: Hashable, amount: float, forward: bool) -> None:
        """A charge or a refund goes ahead of the line."""
        level = self.model.level((number, key), self.now)
        (level.take if forward else level.give)(rational(amount), self.now)
        self.model.changed([(number, key)], self.now)
        (self.buckets[number].charge if forward else self.buckets[number].refund)(amount, key)
        self.run()

    @rule(number=NUMBERS, key=KEYS, length=st.sampled_from([SECOND // 4, 2 * SECOND]))
    def pause(self, number: int, key: Hashable, length: int) -> None:
        level = self.model.level((number, key), self.now)
        level.paused_until = max(level.paused_until, self.now + length)
        self.model.changed([(number, key)], self.now)
        self.buckets[number].pause(length / 1e9, key)
        self.run()

    @precondition(lambda self: self.changes < 4)
    @rule(number=NUMBERS, rate=PACES, capacity=st.none() | CAPACITIES)
    def set_rate(self, number: int, rate: float, capacity: float | None) -> None:
        self.changes += 1
        size = None if capacity is None else rational(capacity)
        self.model.buckets[number].set_rate(rational(rate) / SECOND, size, self.now)
        self.model.changed([(number, key) for key in self.model.buckets[number].by_key], self.now)
        self.buckets[number].set_rate(rate, capacity)
        self.run()

    # -- the law --------------------------------------------------------------------------------------------------

    @invariant()
    def same(self) -> None:
        """Who was served, who was refused and why, and at which instant; who still waits; what is left."""
        for task, waiter in self.calls:
            assert waiter.end == (task.result() if task.done() else None)
        self.calls = [(task, waiter) for task, waiter in self.calls if waiter.end is None]
        for number, bucket in enumerate(self.buckets):
            assert self.model.waiting(number) == bucket.snapshot().waiting
            assert float(self.model.level((number, None), self.now).level) == bucket.tokens()


TestLineModel = LineMachine.TestCase
TestLineModel.settings = settings(max_examples=max(200, settings.default.max_examples))
