"""The rate limiter as an object to share: the token bucket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from datetime import timedelta
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from resilience import _registry, _validate
from resilience._core.quota import Quota
from resilience._gate.bucket_options import BucketKeywords, BucketOptions
from resilience._gate.bucket_snapshot import BucketSnapshot
from resilience._gate.cost import check_cost, check_cost_rule, check_wait
from resilience._gate.entrance import Entrance
from resilience._gate.limiter import Limiter
from resilience._gate.rate import rate_and_capacity
from resilience._validate import known_options
from resilience.clock import to_nanoseconds
from resilience.errors import RateLimitExceeded

if TYPE_CHECKING:
    from resilience.events import Listener

__all__ = ["BucketSnapshot", "BucketView", "TokenBucket"]


class TokenBucket:
    """Admits calls at a steady rate, with bursts up to a capacity; exact, first in first out.

    A new bucket is full. In any span of D seconds at most `capacity + rate * D` tokens are taken, so `"100/minute"`
    admits up to 200 calls in its first minute. One object serves any number of functions, threads and event loops.

    Args:
        rate: Tokens every `per` seconds, a finite number > 0; or a text `"N/unit"` with unit s, second, m, minute, h,
            hour, d, day or a multiple of one (`"10/15s"`).
        capacity: Tokens a full bucket holds, a finite number > 0; the tokens of one `per`, at least 1, when None.
        per: Seconds, finite and > 0; left out with a text.
        name: What errors, events and metrics call it; unique among the living policies (`name#2` where it is taken).
        max_keys: Keys remembered at most; full buckets are forgotten first, since they carry no information.
        clock: Where time comes from; the system's monotonic clock when None.
        shadow: Let the level move but refuse and delay nothing; what would be refused is told as `WouldReject`.
        listeners: Plain functions that get each event.

    Raises:
        ValueError: A value is out of range.
        TypeError: A value is of the wrong type.
    """

    def __init__(self, rate: float | str, capacity: float | None = None, **options: Unpack[BucketKeywords]) -> None:
        self._set_up(
            BucketOptions(rate=rate, capacity=capacity, **known_options("token bucket", BucketOptions, options))
        )

    def _set_up(self, options: BucketOptions, title: str = "") -> None:
        self._name = _registry.enrol(self, "rate_limit", options.name or title or _registry.fresh_name("token-bucket"))
        self.limiter = Limiter(self._name, options)  # the gate; for the decorator, not for users
        self._entrance = Entrance((self.limiter,))
        _registry.finish(self)

    # -- taking -----------------------------------------------------------------------------------------------------

    def allow(self, cost: float = 1, key: Hashable = None) -> bool:
        """Take *cost* tokens if they are there and nobody waits in line; never waits.

        Raises:
            ValueError: The cost is negative, or more than the capacity.
        """
        try:
            self._entrance.admit(((key, check_cost(cost)),), 0)
        except RateLimitExceeded:
            return False
        return True

    def acquire(self, cost: float = 1, key: Hashable = None, max_wait: float | timedelta | None = None) -> None:
        """Take *cost* tokens, waiting in line for them.

        Args:
            cost: Tokens, >= 0; 0 always passes.
            key: Whose bucket; None is the bucket without a key.
            max_wait: Seconds, >= 0; None waits as long as needed.

        Raises:
            RateLimitExceeded: The wait would exceed *max_wait*; said at once, and nothing is taken.
            ValueError: The cost is negative, or more than the capacity.
        """
        self._entrance.admit(((key, check_cost(cost)),), check_wait(max_wait))

    async def acquire_async(
        self, cost: float = 1, key: Hashable = None, max_wait: float | timedelta | None = None
    ) -> None:
        """The same for a task, in the same line as the threads; a cancelled wait costs nothing."""
        await self._entrance.admit_async(((key, check_cost(cost)),), check_wait(max_wait))

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    async def __aenter__(self) -> Self:
        await self.acquire_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    # -- adjusting --------------------------------------------------------------------------------------------------

    def refund(self, n: float, key: Hashable = None) -> None:
        """Put *n* tokens back, up to the capacity."""
        self.limiter.move(key, check_cost(n, "n"), forward=False)

    def charge(self, n: float, key: Hashable = None) -> None:
        """Take *n* tokens for a cost known only afterwards: ahead of the line, and into debt if need be."""
        self.limiter.move(key, check_cost(n, "n"), forward=True)

    def pause(self, seconds: float | timedelta, key: Hashable = None) -> None:
        """Admit nobody for *seconds* (>= 0), as a remote `Retry-After` asks; tokens accrue meanwhile.

        A later pause never shortens one. Those in line plan anew.
        """
        allowed = "a finite number of seconds >= 0, or a timedelta"
        allowed = "a finite number of seconds >= 0, or a timedelta"
        self.limiter.pause(key, to_nanoseconds(_validate.duration("seconds", seconds, allowed=allowed, least=0)))

    def set_rate(self, rate: float | str, capacity: float | None = None, *, per: float | timedelta = 1.0) -> None:
        """Let another rate hold for every key from this instant; None keeps the capacity.

        A positive level scales with the capacity, a debt stays; those in line plan anew, and who could no longer be
        served within its `max_wait` is refused.
        """
        pace, burst, _ = rate_and_capacity(rate, capacity, per)
        self.limiter.set_rate(pace, burst)

    def by(
        self, *, key: Callable[..., Hashable] | None = None, cost: float | Callable[..., float] | None = None
    ) -> BucketView:
        """The same bucket, seen with a key and a cost of its own, for `@rate_limited(api, tpm.by(cost=...))`."""
        return BucketView(self, _validate.callable_or_none("key", key), None if cost is None else check_cost_rule(cost))

    # -- looking ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What errors, events and metrics call it."""
        return self._name

    def tokens(self, key: Hashable = None) -> float:
        """Tokens there are now; negative in debt. Ignores the line."""

        def work(now: int) -> Fraction:
            there = self.limiter.bucket.tokens(key, now)
            self.limiter.bucket.open_lane(now)
            return there

        return float(self.limiter.locked(work))

    def snapshot(self) -> BucketSnapshot:
        """The bucket at this instant."""

        def work(now: int) -> tuple[Quota, Fraction, int, int, int]:
            bucket = self.limiter.bucket
            there = bucket.tokens(None, now)
            bucket.open_lane(now)
            waiting = sum(line.waiting() for line in bucket.lines.values())
            return bucket.quota, there, bucket.keys.count, waiting, self.limiter.rejected

        quota, there, keys, waiting, rejected = self.limiter.locked(work)
        return BucketSnapshot(
            name=self._name,
            rate=quota.per_second,
            capacity=float(quota.capacity),
            tokens=float(there),
            keys=keys,
            waiting=waiting,
            rejected=rejected,
        )

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear this bucket's events; the answer ends the subscription."""
        return self.limiter.feed.subscribe(listener)

    def _renew(self) -> None:
        self.limiter.renew()

    def _stand_aside(self, step: int) -> None:
        self.limiter.stand_aside(step)

    def _locks(self) -> tuple[threading.Lock, ...]:
        return (self.limiter.domain.lock,)

    def _in_child(self) -> None:
        self.limiter.in_child()

    def __repr__(self) -> str:
        quota = self.limiter.bucket.quota
        return f"<TokenBucket {self._name!r} {quota.per_second:g}/s, capacity {float(quota.capacity):g}>"


class BucketView:
    """A bucket with a key and a cost of its own (None: the decorator's); made by `TokenBucket.by`."""

    __slots__ = ("bucket", "cost", "key")

    def __init__(self, bucket: TokenBucket, key: Callable[..., Hashable] | None, cost: Any) -> None:
        self.bucket = bucket
        self.key = key
        self.cost = cost
