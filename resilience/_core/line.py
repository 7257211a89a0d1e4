"""Those who wait for tokens: a first-in-first-out line for each key, and plans that say when each is served.

Theory of operation. The head of a line blocks all behind it, whatever their cost. With the level of the bucket, the
costs ahead and the end of a pause, each waiter's instant of service is certain as long as nobody leaves: its *plan*. A
waiter of several buckets stands in all their lines, is served when it heads each and all have its tokens, and whoever
is behind it in any of them waits for the latest of its lines. Waiters join all their lines under one lock, so the order
of their serial numbers is the order in every line.

Whoever looks at a line with the clock in hand serves all that are due, so a sleepy head holds up nobody. A head is
rung when it learns of a plan other than the one it is armed for; the others sleep on.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Hashable, Iterable
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from resilience._core.bucket import Bucket

__all__ = ["Line", "Part", "Standing", "Waiter", "join", "reached", "replan", "serve", "unsettle", "when"]

_serials = itertools.count()


class Part(NamedTuple):
    """What a call wants of one bucket."""

    bucket: Bucket
    key: Hashable
    cost: Fraction


class Standing(Enum):
    """How far a waiter has come."""

    WAITING = "waiting"
    SERVED = "served"
    TOO_LATE = "its new plan exceeds its max_wait"
    TOO_MUCH = "its cost exceeds the new capacity"
    GONE = "gone"


class Waiter:
    """One call that waits; `alarm` is the caller's own."""

    __slots__ = ("alarm", "armed_at", "joined_at", "limit_at", "parts", "plan_at", "serial", "standing")

    def __init__(self, parts: tuple[Part, ...], now: int, limit: int | None, alarm: Any) -> None:
        self.parts = parts
        self.joined_at = now
        self.limit_at = None if limit is None else now + limit
        self.alarm = alarm
        self.serial = next(_serials)
        self.standing = Standing.WAITING
        self.plan_at = now
        self.armed_at: int | None = None

    def lines(self) -> list[Line]:
        """The lines it stands in."""
        return [part.bucket.line(part.key) for part in self.parts]


class Line:
    """The waiters of one key, and until when nobody is admitted."""

    __slots__ = ("bucket", "key", "paused_until", "tail", "tied", "waiters")

    def __init__(self, bucket: Bucket, key: Hashable) -> None:
        self.bucket = bucket
        self.key = key
        self.waiters: deque[Waiter] = deque()
        self.paused_until = 0
        self.tied = False  # whether a waiter of several buckets has stood here
        # When full again, in ticks, and the last service, after all who stand here; None: to be planned anew.
        self.tail: tuple[int, int] | None = None

    def head(self) -> Waiter | None:
        """The first who still waits."""
        waiters = self.waiters
        while waiters and waiters[0].standing is not Standing.WAITING:
            waiters.popleft()
        return waiters[0] if waiters else None

    def waiting(self) -> int:
        """How many stand here."""
        return sum(waiter.standing is Standing.WAITING for waiter in self.waiters)

    def start(self, now: int) -> tuple[int, int]:
        """Where planning begins: the level as it is, and now."""
        return self.bucket.full_at_of(self.key), now


def _service(part: Part, cursor: tuple[int, int], paused_until: int) -> int:
    """The first instant at which a bucket in the state of *cursor* has the part's tokens."""
    quota = part.bucket.quota
    needed = cursor[0] + part.bucket.ticks(part.cost) - quota.cap
    return max(cursor[1], paused_until, -(-needed // quota.scale))


def _served(part: Part, cursor: tuple[int, int], at: int) -> tuple[int, int]:
    quota = part.bucket.quota
    return max(cursor[0], at * quota.scale) + part.bucket.ticks(part.cost), at


def when(parts: Iterable[Part], now: int) -> int:
    """The first instant at which a call of these parts could be served, behind all who wait."""
    at = now
    for part in parts:
        line = part.bucket.lines.get(part.key)
        if line is None:
            at = max(at, _service(part, (part.bucket.full_at_of(part.key), now), 0))
            continue
        if line.head() is None:
            line.tail = None
            cursor = line.start(now)
        else:
            if line.tail is None:
                replan([line], now, enforce=False)
            cursor = line.tail or line.start(now)
        at = max(at, _service(part, cursor, line.paused_until))
    return at


def join(waiter: Waiter, at: int, now: int) -> None:
    """Stand at the end of every line of the waiter's parts, with the plan *at* that `when` gave."""
    waiter.plan_at = at
    for part, line in zip(waiter.parts, waiter.lines(), strict=True):
        cursor = line.start(now) if line.head() is None else line.tail
        line.tail = None if cursor is None else _served(part, cursor, at)
        line.waiters.append(waiter)
        line.tied |= len(waiter.parts) > 1


def serve(lines: Iterable[Line], now: int) -> list[Waiter]:
    """Serve all heads that are due; the answer is who must be rung: the served, and new heads with other plans."""
    rung: list[Waiter] = []
    work = list(lines)
    asked: set[Line] = set()
    while work:
        line = work.pop()
        head = line.head()
        if head is None:
            line.bucket.leave_line(line, now)
            continue
        ahead = {other for other in head.lines() if other.head() is not head}
        if ahead:  # somebody else may be due there, and asleep
            work.extend(ahead - asked)
            asked |= ahead
            continue
        at = now
        for part, its in zip(head.parts, head.lines(), strict=True):
            at = max(at, _service(part, its.start(now), its.paused_until))
        if at > now:
            head.plan_at = at
            if head.armed_at != at:
                rung.append(head)
            continue
        head.standing = Standing.SERVED
        rung.append(head)
        for part, its in zip(head.parts, head.lines(), strict=True):
            if part.bucket.full_at_of(part.key) < now * part.bucket.quota.scale:
                unsettle([its])  # served late, after the bucket was full: the plans behind shift
            part.bucket.take(part, now)
            work.append(its)
            asked.discard(its)
    return rung


def unsettle(lines: Iterable[Line]) -> None:
    """Let the plans in these lines be made anew when somebody asks, and in those tied to them."""
    for line in reached(lines):
        line.tail = None


def reached(lines: Iterable[Line]) -> dict[Line, None]:
    """These lines and all that are tied to them, directly or by way of others, by a waiter of several."""
    found: dict[Line, None] = {}
    work = list(lines)
    while work:
        line = work.pop()
        if line in found:
            continue
        found[line] = None
        if line.tied:
            tying = (waiter for waiter in line.waiters if waiter.standing is Standing.WAITING)
            work.extend(other for waiter in tying if len(waiter.parts) > 1 for other in waiter.lines())
    return found


def replan(lines: Iterable[Line], now: int, *, enforce: bool) -> list[Waiter]:
    """Plan anew everybody in these lines and in those tied to them by a waiter of several.

    Args:
        lines: Where something changed.
        now: Nanoseconds.
        enforce: Refuse those whose plan has come to exceed their limit, or whose cost the capacity.

    Returns:
        Those who were refused.
    """
    cursors = {line: line.start(now) for line in reached(lines)}
    waiting = {waiter for line in cursors for waiter in line.waiters if waiter.standing is Standing.WAITING}
    refused: list[Waiter] = []
    for waiter in sorted(waiting, key=lambda one: one.serial):
        its = list(zip(waiter.parts, waiter.lines(), strict=True))
        if enforce and any(part.cost > part.bucket.quota.capacity for part, _ in its):
            waiter.standing = Standing.TOO_MUCH
            refused.append(waiter)
            continue
        at = max(_service(part, cursors[line], line.paused_until) for part, line in its)
        waiter.plan_at = at
        if enforce and waiter.limit_at is not None and at > waiter.limit_at:
            waiter.standing = Standing.TOO_LATE
            refused.append(waiter)
            continue
        for part, line in its:
            cursors[line] = _served(part, cursors[line], at)
    for line, cursor in cursors.items():
        line.tail = cursor
    return refused
