"""The token bucket as a pure state machine: levels by key, lines of waiters, and a lane for the commonest call.

Theory of operation. `full_at` is the instant at which a bucket is full again (see `quota`). For the bucket without a
key a *lane* lies open in the object's own attributes, through which a shell takes one token with one comparison:

* `lane_full_at`, in nanoseconds, is when the bucket is full if nothing is taken but the last call there. A call that
  finds it passed, with nothing taken since or with time enough for what was, finds a full bucket and writes it anew.
* `lane_taken` counts the tokens taken since, up to `lane_limit`: so many were certainly there. A call before
  `lane_full_at` takes one of them: had it looked closer it could only have found more.

Whatever the two do not answer goes the long way: the lane is closed (so that every other call goes the long way too),
its takings are added up, the exact decision is made, and the lane opens again, unless somebody waits or a pause is on.
A refusal leaves `refused_until`, before which no call of one token can be anything else. `key_lane` holds the table of
keys while shells may change the levels of those it knows.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from math import lcm

from resilience._core.keys import KeyTable, Shard
from resilience._core.line import Line, Part
from resilience._core.quota import Quota

__all__ = ["CLOSED", "Bucket"]

CLOSED = 1 << 200
"""A `lane_full_at` that no clock reaches."""
_TRIES = 16
_COMPACT = 1 << 29
"""The lane counts at most this many tokens: beyond it Python's integers become slow."""


class Bucket:
    """Every method wants the caller's lock, and `now` in nanoseconds."""

    __slots__ = (
        "_alone", "_lane_gap", "_lane_open", "_most", "_smallest", "aside", "dropped", "key_lane", "keys",
        "lane_full_at", "lane_limit", "lane_taken", "lane_unit", "lines", "lock_free", "quota", "refused_until",
    )  # fmt: skip

    def __init__(self, quota: Quota, *, max_keys: int, lock_free: bool) -> None:
        self.quota = quota
        self.keys = KeyTable(quota, max_keys)
        self.lines: dict[Hashable, Line] = {}
        self.dropped: list[Hashable] = []
        self.lock_free = lock_free  # whether shells may change levels without the lock
        self.aside = 0  # above it every call passes, untold
        self._alone = 0
        self._smallest = 1  # into how many parts costs have divided a token so far
        self._lane_open = False
        self.lane_full_at = CLOSED
        self.lane_taken = self.lane_limit = self.refused_until = 0
        self.key_lane: list[Shard] | None = None
        self._measure_lane()

    # -- levels ---------------------------------------------------------------------------------------------------

    def ticks(self, cost: Fraction) -> int:
        """A cost in whole ticks; `prepare` has seen to it that there are any."""
        return int(cost * self.quota.unit)

    def full_at_of(self, key: Hashable) -> int:
        """When the key's bucket is full again, in ticks; long ago where nothing is known."""
        if key is None:
            self.close_lane()
            return self._alone
        return self.keys.get(key) or 0

    def put(self, key: Hashable, full_at: int, now: int) -> None:
        """Write a level."""
        if key is None:
            self.close_lane()
            self._alone = full_at
            return
        gone = self.keys.put(key, full_at, now)
        if gone is not None:
            self.dropped.append(gone)

    def take(self, part: Part, now: int) -> None:
        """Take a part's tokens, wherever that leads."""
        self.take_ticks(part.key, self.ticks(part.cost), now)

    def give(self, part: Part, now: int) -> None:
        """Give a part's tokens back, up to the capacity."""
        full_at = self.full_at_of(part.key)
        if full_at:
            self.put(part.key, full_at - self.ticks(part.cost), now)

    def whole_ticks(self, cost: Fraction | int) -> int:
        """A cost in ticks, or -1 where they are too coarse for it."""
        if type(cost) is int:
            return cost * self.quota.unit
        ticks, rest = divmod(cost.numerator * self.quota.unit, cost.denominator)
        return -1 if rest else ticks

    def shortage(self, key: Hashable, ticks: int, now: int) -> int:
        """Nanoseconds until so many ticks are there, 0 when they are, for a call that meets no line."""
        quota = self.quota
        over = max(self.full_at_of(key) - now * quota.scale, 0) + ticks - quota.cap
        return -(-over // quota.scale) if over > 0 else 0

    def take_ticks(self, key: Hashable, ticks: int, now: int) -> None:
        """Take so many ticks, wherever that leads."""
        self.put(key, max(self.full_at_of(key), now * self.quota.scale) + ticks, now)

    def tokens(self, key: Hashable, now: int) -> Fraction:
        """Tokens there are; negative in debt."""
        spent = max(0, self.full_at_of(key) - now * self.quota.scale)
        return Fraction(self.quota.cap - spent, self.quota.unit)

    # -- lines ----------------------------------------------------------------------------------------------------

    def line(self, key: Hashable) -> Line:
        """The key's line, made now if need be."""
        found = self.lines.get(key)
        if found is None:
            self.key_lane = None
            found = self.lines[key] = Line(self, key)
        return found

    def leave_line(self, line: Line, now: int) -> None:
        """Forget a line in which nobody waits, unless a pause keeps it."""
        if line.paused_until <= now and line.head() is None:
            self.lines.pop(line.key, None)

    # -- quotas -----------------------------------------------------------------------------------------------------

    def prepare(self, cost: Fraction, now: int) -> None:
        """Make the ticks fine enough for a fraction of a token."""
        if cost.denominator != 1 and self.quota.unit % cost.denominator:
            self._smallest = lcm(self._smallest, cost.denominator)
            self.change(self.quota, now)

    def change(self, quota: Quota, now: int) -> None:
        """Let *quota* hold for every key from *now* on."""
        self.shut_lanes()
        missing = Fraction(quota.unit, self._smallest).denominator
        if missing != 1:
            quota = quota.refined(missing)
        old, self.quota = self.quota, quota
        self._alone = quota.convert(self._alone, old, now)
        self.keys.change(quota, now)
        for line in self.lines.values():
            line.tail = None
        self._measure_lane()

    # -- the lane ---------------------------------------------------------------------------------------------------

    def close_lane(self) -> None:
        """Add up what went through the lane, and send every call the long way."""
        self.refused_until = 0
        if not self._lane_open:
            return
        # No call between these loads and stores: under the GIL no shell comes between.
        full_at, taken = self.lane_full_at, self.lane_taken
        self.lane_full_at = CLOSED
        self.lane_limit = 0
        self._lane_open = False
        quota = self.quota
        self._alone = full_at * quota.scale - self._lane_gap + taken * quota.unit

    def open_lane(self, now: int) -> None:
        """Let shells take tokens by themselves, when nobody waits."""
        if self.aside:
            return
        quota = self.quota
        keyed = self.lock_free and not self.lines and self.keys.settled and quota.cap >= quota.unit
        self.key_lane = self.keys.shards if keyed else None
        if self._lane_open or None in self.lines or quota.cap < quota.unit:
            return
        ticks = now * quota.scale
        full_at = max(self._alone, ticks)
        limit = min((ticks + quota.cap - full_at) // quota.unit, self._most)
        # The lane counts from a whole nanosecond; as if some tokens had been taken before, where that makes it whole.
        for taken in range(min(quota.scale, _TRIES)):
            whole, rest = divmod(full_at + self._lane_gap - taken * quota.unit, quota.scale)
            if not rest and whole > now:
                break
        else:
            if full_at > ticks:
                return  # none: the long way until the bucket is full
            whole, taken, limit = now, 0, 0
        if limit <= 0 and full_at > ticks:
            return  # nothing to take
        self._lane_open = True
        self.lane_taken = taken
        self.lane_limit = min(limit + taken, self._most)
        self.lane_full_at = whole

    def shut_lanes(self) -> None:
        """Send every call the long way, those with keys too."""
        self.close_lane()
        self.key_lane = None

    def refuse(self, until: int) -> None:
        """Remember that no call of one token without a key passes before *until*."""
        if self.lock_free and until < CLOSED:
            self.refused_until = until

    def _measure_lane(self) -> None:
        quota = self.quota
        self.lane_unit = -(-quota.unit // quota.scale)
        # What a whole number of nanoseconds is more than a token: the lane counts its calls from there.
        self._lane_gap = self.lane_unit * quota.scale - quota.unit
        self._most = max(0, min(quota.cap // quota.unit - 1, _COMPACT))
