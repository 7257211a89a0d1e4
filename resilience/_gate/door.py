"""Ways into one bucket for calls of one token: what a shell enters by when its own look does not admit.

A door is called with a key, the time just read, and the nanoseconds that are certainly missing, if the shell knows. It
refuses as the last refusal did while nothing can have changed since, without a lock, by an error for the shell to raise
(`bench: rejection`), and leaves everything else to the entrance.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable

from resilience._gate.entrance import Entrance
from resilience.errors import RateLimitExceeded

__all__ = ["door", "door_async"]


def door(entrance: Entrance, limit: int | None) -> Callable[..., RateLimitExceeded | None]:
    """A door for threads, behind which a call waits at most *limit* nanoseconds."""
    limiter = entrance.limiters[0]
    bucket, admit = limiter.bucket, entrance.admit
    longest = float("inf") if limit is None else limit

    def enter(key: Hashable, now: int, wait: int = 0) -> RateLimitExceeded | None:
        if key is None:
            wait = bucket.refused_until - now
        if wait > longest:
            return limiter.shut_out(wait, now) if key is None else limiter.turn_away(key, wait, now)
        admit(((key, 1),), limit)
        return None

    return enter


def door_async(entrance: Entrance, limit: int | None) -> Callable[..., Awaitable[RateLimitExceeded | None]]:
    """A door for tasks, behind which a call waits at most *limit* nanoseconds."""
    limiter = entrance.limiters[0]
    bucket, admit = limiter.bucket, entrance.admit_async
    longest = float("inf") if limit is None else limit

    async def enter(key: Hashable, now: int, wait: int = 0) -> RateLimitExceeded | None:
        if key is None:
            wait = bucket.refused_until - now
        if wait > longest:
            return limiter.shut_out(wait, now) if key is None else limiter.turn_away(key, wait, now)
        await admit(((key, 1),), limit)
        return None

    return enter
