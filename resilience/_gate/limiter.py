"""One token bucket made safe to share: the core with a lock, a clock, and events."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from resilience import _gil
from resilience._core.bucket import Bucket
from resilience._core.line import Line, Part, Standing, Waiter, reached, replan, serve
from resilience._core.quota import Quota
from resilience._feed import Feed, everyone
from resilience._gate.cost import check_capacity, why
from resilience._gate.domain import Domain
from resilience._gate.shared import key_text
from resilience.clock import nanoseconds, to_seconds
from resilience.errors import RateLimitExceeded
from resilience.events import CallRejected, Event, KeyDropped, LimitChanged, WouldReject

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience._gate.bucket_options import BucketOptions
    from resilience.clock import Clock

__all__ = ["Limiter", "ring"]

_new_error = RateLimitExceeded.__new__


def ring(waiters: Iterable[Waiter]) -> None:
    """Wake waiters; no lock is held."""
    for waiter in waiters:
        waiter.alarm.ring()


class Limiter:
    """The gate of one bucket."""

    __slots__ = (
        "__weakref__",
        "_first",
        "_shape",
        "_why_one",
        "bucket",
        "clock",
        "domain",
        "feed",
        "name",
        "read",
        "rejected",
        "shadow",
    )

    clock: Clock
    read: Callable[[], int]

    def __init__(self, name: str, options: BucketOptions) -> None:
        self.name = name
        self._first = options.quota
        self._shape = {"max_keys": options.max_keys, "lock_free": _gil.LOCK_FREE}
        self.bucket = Bucket(self._first, **self._shape)
        self.clock = options.clock
        self.read = nanoseconds(options.clock)
        self.feed = Feed(options.listeners)
        self.shadow = options.shadow
        self.rejected = 0
        self.domain = Domain()
        self.domain.members.add(self)

    def locked(self, work: Callable[[int], Any]) -> Any:
        """Do *work* with the time under the domain's lock, whichever domain that is by then."""
        while True:
            domain = self.domain
            with domain.lock:
                moved = domain is not self.domain
                answer = None if moved else work(self.read())
            if domain.departed:
                domain.see_off()
            if not moved:
                return answer

    def check_capacity(self, cost: Fraction | int) -> None:
        """Refuse what can never be taken, with a `ValueError`."""
        check_capacity(cost, self.bucket.quota, repr(self.name))

    def move(self, key: Hashable, amount: Fraction | int, *, forward: bool) -> None:
        """Charge or refund tokens ahead of the line, and plan the line anew."""

        def work(now: int) -> list[Waiter]:
            self.bucket.prepare(Fraction(amount), now)
            part = Part(self.bucket, key, Fraction(amount))
            if forward:
                self.bucket.take(part, now)
            else:
                self.bucket.give(part, now)
            return self._changed(self._line_of(key), now)

        self._finish(self.locked(work))

    def pause(self, key: Hashable, length: int) -> None:
        """Admit nobody for *length* nanoseconds; a later pause never shortens one."""

        def work(now: int) -> list[Waiter]:
            self.bucket.close_lane()
            line = self.bucket.line(key)
            line.paused_until = max(line.paused_until, now + length)
            return self._changed([line], now)

        self._finish(self.locked(work))

    def set_rate(self, rate: Fraction, capacity: Fraction | None) -> None:
        """Let another rate hold for every key from now on."""

        def work(now: int) -> list[Waiter]:
            old = self.bucket.quota
            quota = Quota(rate, old.capacity if capacity is None else capacity).after(old)
            self.bucket.change(quota, now)
            self.feed.post(partial(self._changed_limit, old.per_second, quota.per_second, now), must=True)
            return self._changed(list(self.bucket.lines.values()), now)

        self._finish(self.locked(work))

    def _line_of(self, key: Hashable) -> list[Line]:
        line = self.bucket.lines.get(key)
        return [] if line is None else [line]

    def _changed(self, lines: list[Line], now: int) -> list[Waiter]:
        all_lines = reached(lines)  # who is refused here may have stood in others too
        refused = replan(lines, now, enforce=True)
        rung = [*refused, *serve(all_lines, now)]
        self.bucket.open_lane(now)
        return rung

    def _finish(self, rung: list[Waiter]) -> None:
        ring(rung)
        self.feed.deliver()

    def rejection(self, key: Hashable, cost: Fraction | int, wait: int, now: int) -> RateLimitExceeded:
        """The error of a call that was refused, and its event."""
        self.rejected += 1
        error = _new_error(RateLimitExceeded)
        error.name = self.name
        error.retry_after = to_seconds(wait)
        error.key = key
        error.cost = cost if type(cost) is int else float(cost)
        error._reason = why, cost, self.bucket.quota, wait, *self._in_the_way(key, now)  # noqa: SLF001 -- no constructor
        if self.feed.listened:
            self._post(CallRejected, key, error.reason, wait, now)
        return error

    def shut_out(self, wait: int, now: int) -> RateLimitExceeded:
        """The same for one token without a key and without a line.

        Written out, without a call: this is the price of every call in excess (`bench: rejection`).
        """
        self.rejected += 1
        error = _new_error(RateLimitExceeded)
        error.name = self.name
        error.retry_after = wait / 1e9
        error.key = None
        error.cost = 1
        error._reason = why, 1, self.bucket.quota, wait  # noqa: SLF001 -- no constructor
        feed = self.feed
        if feed.audience.members or everyone.members:
            self._post(CallRejected, None, error.reason, wait, now)
        if feed.pending:
            feed.deliver()
        return error

    def turn_away(self, key: Hashable, wait: int, now: int) -> RateLimitExceeded:
        """The error of one token that is not there, and its event, delivered; no lock is held."""
        error = self.rejection(key, 1, wait, now)
        if self.feed.pending:
            self.feed.deliver()
        return error

    def _in_the_way(self, key: Hashable, now: int) -> tuple[int, bool]:
        """How many wait in line, and whether a pause is on."""
        line = self.bucket.lines.get(key)
        return (0, False) if line is None else (line.waiting(), line.paused_until > now)

    def would_reject(self, key: Hashable, cost: Fraction | int, wait: int | None, now: int) -> None:
        """Tell that a call in shadow mode passes without its tokens; *wait* is None when they would never be there."""
        if self.feed.listened:
            self._post(WouldReject, key, why(cost, self.bucket.quota, wait, *self._in_the_way(key, now)), wait, now)

    def _post(
        self, kind: type[CallRejected | WouldReject], key: Hashable, reason: str, wait: int | None, now: int
    ) -> None:
        def build() -> tuple[Event, None]:  # at delivery: the text of a key is the user's code
            text = None if key is None else key_text(key)
            return kind(
                **self._stamp(now), reason=reason, retry_after=None if wait is None else to_seconds(wait), key=text
            ), None

        self.feed.post(build)

    def post_dropped(self, now: int) -> None:
        """Tell which keys made room; the lock is held."""
        while self.bucket.dropped:
            self.feed.post(partial(self._dropped, self.bucket.dropped.pop(), now))

    def _dropped(self, key: Hashable, now: int) -> tuple[Event, None]:
        return KeyDropped(**self._stamp(now), key=key_text(key)), None

    def _changed_limit(self, old: float, new: float, now: int) -> tuple[Event, None]:
        return LimitChanged(**self._stamp(now), old=old, new=new), None

    def _stamp(self, now: int) -> dict[str, Any]:
        return {"name": self.name, "policy": "rate_limit", "at": now / 1e9}

    def renew(self) -> None:
        """Be as good as new: full, with the first rate, and nobody in line."""

        def work(now: int) -> list[Waiter]:
            waiting = [waiter for line in self.bucket.lines.values() for waiter in line.waiters]
            for waiter in waiting:
                waiter.standing = Standing.SERVED
            self.bucket.shut_lanes()
            aside = self.bucket.aside
            self.bucket.__init__(self._first, **self._shape)  # type: ignore[misc] # in place: shells hold it
            self.bucket.aside = aside
            self.bucket.open_lane(now)
            self.rejected = 0
            return waiting

        ring(self.locked(work))

    def stand_aside(self, step: int) -> None:
        """Let every call pass untold, or, with -1, no longer; may be nested."""

        def work(now: int) -> None:
            self.bucket.shut_lanes()
            self.bucket.aside += step
            self.bucket.open_lane(now)

        self.locked(work)

    def in_child(self) -> None:
        """Forget the waiters of threads and loops that do not exist in a forked child."""
        for line in list(self.bucket.lines.values()):
            line.waiters.clear()
            line.tail = None
            self.bucket.leave_line(line, self.read())
        self.feed.after_fork()
