"""The table of keys against a plain dict of levels: nothing is forgotten that was owed, unless it is said (L5, L6)."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience import TokenBucket
from resilience._core import keys
from resilience._core import keys as keys_module
from resilience._core.keys import KeyTable
from resilience._core.quota import Quota
from resilience.events import Event, KeyDropped
from resilience.testing import FakeClock
from tests.stateful.naive_bucket import NaiveBuckets, rational
from tests.stateful.test_bucket_model import Ways

SECOND = 10**9
PACES = st.sampled_from([1, 2, 3, 10, 0.5])
CAPACITIES = st.sampled_from([1, 2, 3, 10])
KEYS = st.integers(0, 50) | st.sampled_from(["a", "b", ("c", 1), 0.5])
AMOUNTS = st.integers(1, 12)
SAMPLE = 16
"""So many keys are looked at when one must go."""


class KeysMachine(RuleBasedStateMachine):
    """Levels are those of a dict that keeps every key; one that had to go is named, owed, and was nearest to full."""

    @initialize(
        max_keys=st.sampled_from([1, 2, 3, 8, 16, 17, 40, 40, 60]),
        keys_a_shard=st.sampled_from([20_000, 20_000, 4]),
        rate=PACES,
        capacity=CAPACITIES,
    )
    def begin(self, max_keys: int, keys_a_shard: int, rate: float, capacity: float) -> None:
        self.now = 100 * SECOND
        self.quota = Quota(rational(rate) / SECOND, rational(capacity))
        self.model = NaiveBuckets(rational(rate) / SECOND, rational(capacity))
        many, keys._KEYS_A_SHARD = keys._KEYS_A_SHARD, keys_a_shard
        self.table = KeyTable(self.quota, max_keys)
        keys._KEYS_A_SHARD = many
        self.changes = 0

    # -- what the table holds -------------------------------------------------------------------------------------

    def stored(self) -> list[Hashable]:
        """Every key in it, without a look that moves any."""
        eras = [shards for era in self.table._past for shards in era.shards]
        return [key for shard in (*self.table.shards, *eras) for key in shard]

    def owes(self, key: Hashable) -> Fraction:
        level = self.model.of(key, self.now)
        return level.capacity - level.level

    def level_in_table(self, key: Hashable) -> Fraction:
        full_at = self.table.get(key) or 0
        return Fraction(self.quota.cap - max(0, full_at - self.now * self.quota.scale), self.quota.unit)

    # -- rules ----------------------------------------------------------------------------------------------------

    @rule(key=KEYS, amount=AMOUNTS)
    def take(self, key: Hashable, amount: int) -> None:
        """A look, then a write, as the bucket does it."""
        assert self.model.of(key, self.now).level == self.level_in_table(key)
        full_at = max(self.table.get(key) or 0, self.now * self.quota.scale) + amount * self.quota.unit
        before = self.stored()
        gone = self.table.put(key, full_at, self.now)
        self.model.of(key, self.now).take(Fraction(amount), self.now)
        if gone is not None:
            self.check_farewell(gone, key, before)
            del self.model.by_key[gone]

    def check_farewell(self, gone: Hashable, new: Hashable, before: list[Hashable]) -> None:
        """It made room for a new key; so many others were looked at, and each of them owed as much at least."""
        assert new not in before
        assert gone != new
        assert len(before) == self.table.max_keys == self.table.count
        assert self.owes(gone) > 0
        beside = [key for key in before if key != gone and hash(key) % self.table.size == hash(gone) % self.table.size]
        as_deep = sum(self.owes(key) >= self.owes(gone) for key in beside)
        assert as_deep >= min(len(beside), SAMPLE - 1)

    @rule(keys=st.lists(KEYS, max_size=20) | st.just(list(range(50))), amount=AMOUNTS)
    def take_of_many(self, keys: list[Hashable], amount: int) -> None:
        for key in keys:
            self.take(key, amount)

    @rule(key=KEYS, amount=AMOUNTS)
    def give(self, key: Hashable, amount: int) -> None:
        full_at = self.table.get(key)
        if full_at is not None:
            assert self.table.put(key, full_at - amount * self.quota.unit, self.now) is None
        self.model.of(key, self.now).give(Fraction(amount), self.now)

    @rule(key=KEYS)
    def look(self, key: Hashable) -> None:
        assert self.model.of(key, self.now).level == self.level_in_table(key)

    @precondition(lambda self: self.changes < 5)
    @rule(rate=PACES, capacity=CAPACITIES)
    def change(self, rate: float, capacity: float) -> None:
        """A new quota holds for every key from this instant, whenever the key is next looked at."""
        self.changes += 1
        self.quota = Quota(rational(rate) / SECOND, rational(capacity)).after(self.quota)
        self.table.change(self.quota, self.now)
        self.model.set_rate(rational(rate) / SECOND, rational(capacity), self.now)

    @rule(length=st.sampled_from([0, 1, SECOND // 3, SECOND, 5 * SECOND, 100 * SECOND]))
    def pass_time(self, length: int) -> None:
        self.now += length

    @invariant()
    def the_table_is_bounded_and_counts_itself(self) -> None:
        stored = self.stored()
        assert len(stored) == len(set(stored)) == self.table.count <= self.table.max_keys
        for era in self.table._past:
            assert sum(map(len, era.shards)) == era.count

    @invariant()
    def who_is_not_in_the_table_owes_nothing(self) -> None:
        stored = set(self.stored())
        assert not [key for key in self.model.by_key if key not in stored and self.owes(key)]


TestKeysModel = KeysMachine.TestCase
TestKeysModel.settings = settings(max_examples=max(300, settings.default.max_examples))


@given(deep=st.integers(1, 8), shallow=st.integers(0, 40), rates=st.lists(PACES, min_size=2, max_size=4))
def test_a_key_left_in_the_past_goes_through_every_change(deep: int, shallow: int, rates: list[float]) -> None:
    """A key that no change has come by is carried through each of them, also where none was in use between two."""
    now, rate = 100 * SECOND, Fraction(1, SECOND)
    table, model = KeyTable(Quota(rate, Fraction(1)), 1000), NaiveBuckets(rate, Fraction(1))
    for key in range(deep + shallow):
        amount = 1000 if key < deep else 1
        table.put(key, (now + amount * SECOND) * table.quota.scale, now)
        model.of(key, now).take(Fraction(amount), now)
    for faster in rates:
        now += 2 * SECOND
        table.change(Quota(rational(faster) / SECOND, Fraction(1)).after(table.quota), now)
        model.set_rate(rational(faster) / SECOND, Fraction(1), now)
    for key in range(deep):
        spent = (table.get(key) or 0) - now * table.quota.scale
        assert 1 - model.of(key, now).level == Fraction(max(0, spent), table.quota.unit)


@settings(max_examples=max(300, settings.default.max_examples))
@given(
    max_keys=st.integers(1, 6),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.sampled_from([0, 0, 0, 0.5, 3])), max_size=60),
)
def test_a_dropped_key_is_told_and_starts_full(max_keys: int, steps: list[tuple[int, int, float]]) -> None:
    """Each key that goes while it owes is told, once; all others are as if no table had a bound."""
    heard: list[Event] = []
    clock = FakeClock(100.0)
    bucket = TokenBucket(1, 3, max_keys=max_keys, clock=clock, listeners=[heard.append])
    ways = Ways(bucket)
    model = NaiveBuckets(Fraction(1, SECOND), Fraction(3))
    for key, cost, pause in steps:
        now = round(clock.monotonic() * 1e9)
        admitted = ways.enter("keyed" if cost == 1 else "allow", key, cost) == 0
        assert admitted == (model.of(key, now).wait(Fraction(cost), now) == 0)
        dropped = [event.key for event in heard if isinstance(event, KeyDropped)]
        heard.clear()
        if admitted:
            model.of(key, now).take(Fraction(cost), now)
        assert len(dropped) <= 1
        for name in dropped:
            left = {its: model.of(its, now).level for its in tuple(model.by_key)}
            del model.by_key[int(name)]
            owing = [level for its, level in left.items() if its != key and level < 3]
            assert max(owing) == left[int(name)] < 3
        assert bucket.snapshot().keys <= max_keys
        clock.advance(pause)


@given(st.integers(1, 60))
def test_each_new_key_sweeps_two_idle_ones_away(number: int) -> None:
    """Keys whose buckets are full again do not pile up: half as many new ones see them all off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "_CALM", 0)  # a small table would not be swept
        clock = FakeClock(100.0)
        bucket = TokenBucket(1, clock=clock, max_keys=1000)
        for key in range(number):
            bucket.allow(key=key)
        clock.advance(1)
        newcomers = number // 2 + 1
        for key in range(newcomers):
            bucket.allow(key=f"new {key}")

        assert newcomers == bucket.snapshot().keys
