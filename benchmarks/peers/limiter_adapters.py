"""Each library's rate limiter behind the same few wishes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.peers.row import Adapter

__all__ = ["LIMITERS", "Limiter", "Quota"]

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a check asks of a limiter: *amount* each *per* seconds, and a burst of as many."""

    amount: int
    per: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiter:
    """A limiter as its library means it to be used; what it does not offer is None."""

    allow: Callable[..., bool] | None = None
    """Takes ``key`` and ``cost``; answers at once."""
    allow_async: Callable[[], Awaitable[bool]] | None = None
    wait: Callable[[], Any] | None = None
    """Blocks until one unit is there."""
    wait_async: Callable[[int], Awaitable[Any]] | None = None
    """Awaits as many units."""
    dress: Callable[[Function], Function] | None = None
    """Decorates a function that is to wait for its turn."""
    handler: Callable[[Function], Function] | None = None
    """Decorates a request handler, which is called without arguments and refused at once."""


Built = Callable[[Any, Quota, dict[str, Any]], Limiter]


def _limits(strategy: str) -> Built:
    def build(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
        limiter = getattr(lib.strategies, strategy)(lib.storage.MemoryStorage())
        item = lib.RateLimitItemPerSecond(want.amount, want.per)

        def allow(key: str = "key", cost: int = 1) -> bool:
            return bool(limiter.hit(item, key, cost=cost))

        return Limiter(allow=allow)

    return build


def _throttled(algorithm: str) -> Built:
    def build(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
        duration = import_module("datetime").timedelta(seconds=want.per)
        quota = lib.rate_limiter.per_duration(duration, want.amount, want.amount)
        throttle = lib.Throttled(key="key", using=algorithm, quota=quota)

        def allow(key: str = "key", cost: int = 1) -> bool:
            return not throttle.limit(key, cost).limited

        def wait() -> None:
            throttle.limit("key", timeout=5.0)

        waiting = lib.Throttled(key="decorated", using=algorithm, quota=quota, timeout=5.0)
        return Limiter(allow=allow, wait=wait, dress=waiting)

    return build


def _pyrate(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    limiter = lib.Limiter(lib.Rate(want.amount, want.per * lib.Duration.SECOND))

    def allow(key: str = "key", cost: int = 1) -> bool:
        return bool(limiter.try_acquire(key, cost, blocking=False))

    async def allow_async() -> bool:
        return bool(await limiter.try_acquire_async("key", blocking=False))

    async def wait_async(cost: int) -> None:
        await limiter.try_acquire_async("key", cost)

    return Limiter(allow=allow, allow_async=allow_async, wait_async=wait_async)


def _aiolimiter(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    limiter = lib.AsyncLimiter(want.amount, want.per)
    return Limiter(wait_async=limiter.acquire)


def _hyx(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    limiter = lib.TokenBucketLimiter(want.amount, want.per)

    async def wait_async(cost: int) -> None:
        for _ in range(cost):
            await limiter.acquire()

    return Limiter(wait_async=wait_async)


def _token_bucket(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    limiter = lib.Limiter(want.amount / want.per, want.amount, lib.MemoryStorage())

    def allow(key: str = "key", cost: int = 1) -> bool:
        return bool(limiter.consume(key, cost))

    return Limiter(allow=allow)


def _ratelimit(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    limits = lib.limits(want.amount, want.per)
    guarded = limits(lambda: None)

    def allow() -> bool:
        try:
            guarded()
        except lib.RateLimitException:
            return False
        return True

    return Limiter(allow=allow, dress=lambda function: lib.sleep_and_retry(limits(function)))


def _slowapi(lib: Any, want: Quota, _: dict[str, Any]) -> Limiter:
    request = import_module("starlette.requests").Request
    limiter = lib.Limiter(key_func=lambda: "client")

    def handler(function: Function) -> Function:
        # slowapi insists on a parameter of this name, and finds limits by module and name.
        @functools.wraps(function, updated=())
        def endpoint(request: Any) -> Any:  # noqa: ARG001 - see above
            return function()

        del vars(endpoint)["__wrapped__"]
        dressed = limiter.limit(f"{want.amount}/{want.per} seconds")(endpoint)

        def call() -> Any:
            scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "state": {}}
            return dressed(request=request(scope))

        return call

    return Limiter(handler=handler)


def _ours(lib: Any, want: Quota, clock: dict[str, Any]) -> Limiter:
    bucket = lib.TokenBucket(want.amount, want.amount, per=float(want.per), **clock)

    def allow(key: str | None = None, cost: int = 1) -> bool:
        return bool(bucket.allow(cost, key))

    async def allow_async() -> bool:
        await asyncio.sleep(0)
        return allow()

    async def wait_async(cost: int) -> None:
        await bucket.acquire_async(cost)

    def handler(function: Function) -> Function:
        dressed: Function = lib.rate_limited(f"{want.amount}/{want.per}s")(function)
        return dressed

    return Limiter(
        allow=allow,
        allow_async=allow_async,
        wait=bucket.acquire,
        wait_async=wait_async,
        dress=lib.rate_limited(bucket, max_wait=5.0),
        handler=handler,
    )


def _adapter(distribution: str, module: str, build: Built) -> Adapter[Quota, Limiter]:
    return Adapter(distribution=distribution, module=module, build=build)


LIMITERS: dict[str, Adapter[Quota, Limiter]] = {
    "limits (fixed window)": _adapter("limits", "limits", _limits("FixedWindowRateLimiter")),
    "limits (moving window)": _adapter("limits", "limits", _limits("MovingWindowRateLimiter")),
    "throttled-py": _adapter("throttled-py", "throttled", _throttled("token_bucket")),
    "throttled-py (fixed window)": _adapter("throttled-py", "throttled", _throttled("fixed_window")),
    "pyrate-limiter": _adapter("pyrate-limiter", "pyrate_limiter", _pyrate),
    "aiolimiter": _adapter("aiolimiter", "aiolimiter", _aiolimiter),
    "hyx": _adapter("hyx", "hyx.ratelimit", _hyx),
    "token-bucket": _adapter("token-bucket", "token_bucket", _token_bucket),
    "ratelimit": _adapter("ratelimit", "ratelimit", _ratelimit),
    "slowapi": _adapter("slowapi", "slowapi", _slowapi),
    "resilience": _adapter("resilience-decorators", "resilience", _ours),
}
