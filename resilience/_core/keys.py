"""The table of a keyed limiter: one integer a key, bounded, with no pause however large.

Theory of operation. A dict of a million entries stops the world for 37 ms when it grows, so the keys are spread over a
prime number of small dicts (a prime, since the hashes of integers are the integers: multiples of a power of two would
all meet in one). Values are ints, which the collector never has to visit. A key whose bucket is full again carries no
information; in a large table each new key sweeps a few of the oldest away where they are full.

A change of rate must hold for every key from that instant, and may not visit them all: the keys so far become a past
*era* with its quota. A key found there is carried through the changes since and moves to the present; a few more move
with each new key.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice

from resilience._core.quota import Quota

__all__ = ["KeyTable", "Shard"]

_PRIMES = (1, 7, 61, 251, 1021, 4093)
_KEYS_A_SHARD = 20_000
_SWEEP = 4
_TURN = 8
_CALM = 4096
"""Keys up to which nothing is swept: a full bucket that is found again costs less than one that is made anew."""
_SAMPLE = 16
_CONVERSIONS = 256
"""Steps from one era to the next that a call makes at most for keys other than its own."""

Shard = dict[Hashable, int]


class _Era:
    __slots__ = ("count", "ended_at", "furthest", "quota", "shards")

    def __init__(self, shards: list[Shard], count: int, quota: Quota, ended_at: int, furthest: int) -> None:
        self.shards = shards
        self.count = count
        self.quota = quota
        self.ended_at = ended_at
        self.furthest = furthest  # no key of it is full later, in ticks of its quota


class KeyTable:
    """Keys and the instants, in ticks of the present quota, at which their buckets are full again."""

    __slots__ = ("_furthest", "_past", "count", "max_keys", "quota", "shards", "size")

    def __init__(self, quota: Quota, max_keys: int) -> None:
        self.quota = quota
        self.max_keys = max_keys
        self.size = next((prime for prime in _PRIMES if prime * _KEYS_A_SHARD >= max_keys), _PRIMES[-1])
        self.shards: list[Shard] = [{} for _ in range(self.size)]
        self.count = 0
        self._past: list[_Era] = []
        self._furthest = 0  # what was written through `put`; shells write nothing beyond a capacity from now

    def get(self, key: Hashable) -> int | None:
        """When the key's bucket is full again; None where nothing is known, which is the same as full."""
        shard = self.shards[hash(key) % self.size]
        found = shard.get(key)
        return self._from_the_past(key) if found is None and self._past else found

    def put(self, key: Hashable, full_at: int, now: int) -> Hashable | None:
        """Store an instant; the answer is a key that still owed and had to go, None for none."""
        shard = self.shards[hash(key) % self.size]
        self._furthest = max(self._furthest, full_at)
        if key in shard:
            shard[key] = full_at
            return None
        dropped = None
        if self.count > _CALM or self._past:
            self._sweep(shard, now)
        if self.count >= self.max_keys:
            dropped = self._make_room(shard, now)
        shard[key] = full_at
        self.count += 1
        return dropped

    def change(self, quota: Quota, now: int) -> None:
        """Let *quota* hold for every key from *now* on."""
        present = self.count - sum(era.count for era in self._past)
        furthest = max(self._furthest, now * self.quota.scale + self.quota.cap)
        if present:
            self._past.append(_Era(self.shards, present, self.quota, now, furthest))
            self.shards = [{} for _ in range(self.size)]
        elif self._past:
            self._past.append(_Era([], 0, self.quota, now, 0))  # its keys' history goes through this quota too
        self._furthest = quota.convert(furthest, self.quota, now)
        self.quota = quota
        self._migrate(now)

    @property
    def settled(self) -> bool:
        """Whether every key is in the present era."""
        return not self._past

    # -- inside ---------------------------------------------------------------------------------------------------

    def _from_the_past(self, key: Hashable) -> int | None:
        for at, era in enumerate(self._past):
            if era.count:
                shard = era.shards[hash(key) % self.size]
                if key in shard:
                    full_at = self._carried(shard.pop(key), at)
                    era.count -= 1
                    self.shards[hash(key) % self.size][key] = full_at
                    return full_at
        return None

    def _carried(self, full_at: int, at: int) -> int:
        """Carry an instant of the era *at* through all changes since."""
        for era, later in zip(self._past[at:], [*self._past[at + 1 :], None], strict=True):
            quota = self.quota if later is None else later.quota
            full_at = quota.convert(full_at, era.quota, era.ended_at)
        return full_at

    def _migrate(self, now: int) -> None:
        """Move a few keys of the oldest era to the present, and forget eras whose keys are gone or full."""
        past = self._past
        while past and not (past[0].count and self._carried(past[0].furthest, 0) > now * self.quota.scale):
            self.count -= past[0].count
            del past[0]
        if not past:
            return
        moved, most = 0, max(1, _CONVERSIONS // len(past))  # each goes through all eras: so much work, and no more
        for shard in past[0].shards:
            while shard and moved < most:
                key, full_at = shard.popitem()
                past[0].count -= 1
                moved += 1
                full_at = self._carried(full_at, 0)
                if full_at > now * self.quota.scale:
                    self.shards[hash(key) % self.size][key] = full_at
                else:
                    self.count -= 1
            if moved == most:
                return

    def _sweep(self, shard: Shard, now: int) -> None:
        if self._past:
            self._migrate(now)
        ticks = now * self.quota.scale
        for key in list(islice(shard, _SWEEP)):
            full_at = shard[key]
            if full_at > ticks:
                # To the end, so that later sweeps look at others; not each time, or the dict would grow by its holes.
                if not self.count % _TURN:
                    del shard[key]
                    shard[key] = full_at
                return
            del shard[key]
            self.count -= 1

    def _make_room(self, shard: Shard, now: int) -> Hashable | None:
        """Drop the full ones of a sample, else the one nearest to full: that one is the answer."""
        victims = shard or next((other for other in self.shards if other), {})
        if not victims:
            era = next(era for era in self._past if era.count)
            victims = next(other for other in era.shards if other)
            era.count -= 1
            self.count -= 1
            return victims.popitem()[0]
        ticks = now * self.quota.scale
        sample = list(islice(victims.items(), _SAMPLE))
        full = [key for key, full_at in sample if full_at <= ticks]
        gone = full or [min(sample, key=lambda item: item[1])[0]]
        for key, full_at in sample:
            del victims[key]
            if key not in gone:
                victims[key] = full_at
        self.count -= len(gone)
        return None if full else gone[0]
