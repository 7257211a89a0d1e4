"""Waiting lines so plain that they are right by inspection: one list of waiters, and new plans for every question.

It imports nothing from the package. Times are whole nanoseconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from tests.stateful.naive_bucket import NaiveBucket, NaiveBuckets

__all__ = ["NaiveLines", "NaiveWaiter", "Place"]

Place = tuple[int, Hashable]
"""A bucket's number and a key."""


@dataclass(eq=False)
class NaiveWaiter:
    """One call in line, and how it ended: served, or refused with the seconds it would have had to wait."""

    parts: list[tuple[Place, Fraction]]
    limit_at: int | None
    end: tuple[str, int, int] | None = None

    def meets(self, places: Iterable[Place]) -> bool:
        return any(place in places for place, _ in self.parts)


class NaiveLines:
    """Some buckets, and everybody who waits, in the order in which they came."""

    def __init__(self, buckets: list[NaiveBuckets]) -> None:
        self.buckets = buckets
        self.waiters: list[NaiveWaiter] = []

    def level(self, place: Place, now: int) -> NaiveBucket:
        return self.buckets[place[0]].of(place[1], now)

    # -- calls ----------------------------------------------------------------------------------------------------

    def arrive(self, parts: list[tuple[Place, Fraction]], limit: int | None, now: int) -> NaiveWaiter:
        """A call comes: it ends at once, or it waits."""
        waiter = NaiveWaiter([part for part in parts if part[1]], None if limit is None else now + limit)
        self.serve(now)
        if any(cost > self.buckets[place[0]].capacity for place, cost in waiter.parts):
            waiter.end = ("too much", 0, now)
            return waiter
        at = self.plans([*self.waiters, waiter], now)[waiter]
        ahead = any(other.meets([place for place, _ in waiter.parts]) for other in self.waiters)
        if (limit is not None and at > now + limit) or (limit == 0 and ahead):
            waiter.end = ("refused", at - now, now)
            return waiter
        self.waiters.append(waiter)
        self.serve(now)
        return waiter

    def leave(self, waiter: NaiveWaiter, now: int) -> None:
        """A waiter is cancelled, perhaps when it has just been served: then it gives back what it took."""
        if waiter.end is not None:
            for place, cost in waiter.parts:
                self.level(place, now).give(cost, now)
        waiter.end = ("cancelled", 0, now)
        self.waiters = [other for other in self.waiters if other is not waiter]
        self.serve(now)

    # -- plans ----------------------------------------------------------------------------------------------------

    def plans(
        self, waiters: list[NaiveWaiter], now: int, *, enforce: Iterable[NaiveWaiter] = ()
    ) -> dict[NaiveWaiter, int]:
        """When each is served; of those in *enforce* the ones who must be refused have ended, and are left out."""
        plans: dict[NaiveWaiter, int] = {}
        levels: dict[Place, NaiveBucket] = {}
        for waiter in waiters:
            if waiter in enforce and any(cost > self.buckets[place[0]].capacity for place, cost in waiter.parts):
                waiter.end = ("too much", 0, now)
                continue
            at = now
            for place, cost in waiter.parts:
                level = levels.setdefault(place, self.level(place, now).copy())
                at = max(at, level.at + level.wait(cost, level.at))
            if waiter in enforce and waiter.limit_at is not None and at > waiter.limit_at:
                waiter.end = ("refused", at - now, now)
                continue
            plans[waiter] = at
            for place, cost in waiter.parts:
                levels[place].take(cost, at)
        return plans

    def next_service(self, now: int) -> int | None:
        return min(self.plans(self.waiters, now).values(), default=None)

    def serve(self, now: int) -> None:
        """Whoever has nobody ahead, and whose tokens are all there, is served; as often as there is one."""
        taken: set[Place] = set()
        for waiter in list(self.waiters):
            heads_all = not waiter.meets(taken)
            if heads_all and all(not self.level(place, now).wait(cost, now) for place, cost in waiter.parts):
                for place, cost in waiter.parts:
                    self.level(place, now).take(cost, now)
                waiter.end = ("served", 0, now)
                self.waiters.remove(waiter)
            else:
                taken |= {place for place, _ in waiter.parts}

    def changed(self, places: list[Place], now: int) -> None:
        """Something changed there: all who are tied to it plan anew, and are refused if that is too late."""
        tied = set(places)
        while more := {place for one in self.waiters if one.meets(tied) for place, _ in one.parts if place not in tied}:
            tied |= more
        self.plans(self.waiters, now, enforce=[waiter for waiter in self.waiters if waiter.meets(tied)])
        self.waiters = [waiter for waiter in self.waiters if waiter.end is None]
        self.serve(now)

    # -- looks ----------------------------------------------------------------------------------------------------

    def waiting(self, number: int) -> int:
        """Places taken in the lines of a bucket."""
        return sum(place[0] == number for waiter in self.waiters for place, _ in waiter.parts)
