"""Other libraries' rate limiters, in their in-memory form, refusing at once.

A limiter without a decorator of its own that refuses is dressed in the smallest one that does.
Rows of admitted calls use a limit that no row reaches.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

from benchmarks.ratio import Maker
from benchmarks.reference import Refused

__all__ = ["admits", "admits_async", "admits_keys", "rate_of", "refuses"]

Fn = Callable[..., Any]
_PLENTY = 10**9
_RATE = 1000


def rate_of(*, admitting: bool) -> tuple[int, int, str]:
    """(rate, capacity, unit): one that admits every call of a run, or only the first."""
    return (_RATE, _PLENTY, "s") if admitting else (1, 1, "h")


def _dressed(fn: Fn, allowed: Callable[[Any], Any]) -> Fn:
    """A decorator around *allowed*, asked with the first argument as the key."""
    if iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def awaiting(x: Any) -> Any:
            if not await allowed(x):
                raise Refused
            return await fn(x)

        return awaiting

    @functools.wraps(fn)
    def calling(x: Any) -> Any:
        if not allowed(x):
            raise Refused
        return fn(x)

    return calling


def _limits(fn: Fn, *, strategy: str, admitting: bool, keyed: bool = False) -> Any:
    library = import_module("limits")
    source = import_module("limits.aio") if iscoroutinefunction(fn) else library
    hit = getattr(source.strategies, strategy)(source.storage.MemoryStorage()).hit
    item = library.RateLimitItemPerHour(_PLENTY if admitting else 1)
    if keyed:
        return _dressed(fn, lambda key: hit(item, key))
    return _dressed(fn, lambda _: hit(item))


def _throttled(fn: Fn, *, using: str, admitting: bool, keyed: bool = False) -> Any:
    library = import_module("throttled.asyncio" if iscoroutinefunction(fn) else "throttled")
    rate, capacity, unit = rate_of(admitting=admitting)
    throttle = library.Throttled(
        key="bench",
        using=using,
        quota=f"{rate}/{unit} burst {capacity}",
        store=library.MemoryStore(options={"MAX_SIZE": _PLENTY}),
    )
    if keyed:
        return _dressed(fn, lambda key: not throttle.limit(key).limited)
    return throttle(fn)


def _pyrate(fn: Fn, *, admitting: bool, keyed: bool = False) -> Any:
    library = import_module("pyrate_limiter")
    rate, capacity, unit = rate_of(admitting=admitting)
    duration = library.Duration.SECOND if unit == "s" else library.Duration.HOUR
    rates = [library.Rate(rate, duration, burst=capacity)]

    def bucket() -> Any:
        return library.StateBucket(rates, algorithm=library.TokenBucket())

    if keyed:
        factory = _per_key(library, bucket)
        limiter = library.Limiter(factory)
        return _dressed(fn, lambda key: limiter.try_acquire(key, blocking=False))
    # A bucket of constant size has nothing to leak, so its thread is left out of the measurement.
    factory = library.SingleBucketFactory(bucket(), schedule_leak=False)
    limiter = library.Limiter(factory)
    if iscoroutinefunction(fn):
        return _dressed(fn, lambda _: limiter.try_acquire_async("bench", blocking=False))
    return _dressed(fn, lambda _: limiter.try_acquire("bench", blocking=False))


def _per_key(library: Any, bucket: Callable[[], Any]) -> Any:
    """The routing that its documentation asks its user to write."""
    clock = library.MonotonicClock()
    buckets: dict[Any, Any] = {}

    def wrap_item(_self: Any, name: Any, weight: int = 1) -> Any:
        return library.RateItem(name, clock.now(), weight=weight)

    def get(_self: Any, item: Any) -> Any:
        found = buckets.get(item.name)
        if found is None:
            found = buckets[item.name] = bucket()
        return found

    members = {"wrap_item": wrap_item, "get": get}
    return type("PerKey", (library.BucketFactory,), members)()


def _aiolimiter(fn: Fn) -> Any:
    limiter = import_module("aiolimiter").AsyncLimiter(_PLENTY, 1)

    @functools.wraps(fn)
    async def awaiting(*args: Any, **kwargs: Any) -> Any:
        async with limiter:
            return await fn(*args, **kwargs)

    return awaiting


def _all(**options: Any) -> dict[str, Maker]:
    """Every limiter that serves both colours."""
    part = functools.partial
    sliding = "SlidingWindowCounterRateLimiter"
    return {
        "limits (fixed window)": part(_limits, strategy="FixedWindowRateLimiter", **options),
        "limits (sliding window)": part(_limits, strategy=sliding, **options),
        "throttled-py (token bucket)": part(_throttled, using="token_bucket", **options),
        "throttled-py (GCRA)": part(_throttled, using="gcra", **options),
        "pyrate-limiter (token bucket)": part(_pyrate, **options),
    }


def admits() -> dict[str, Maker]:
    """Limiters that admit every call."""
    return _all(admitting=True)


def admits_async() -> dict[str, Maker]:
    """Limiters that admit every call of a coroutine function."""
    return {**_all(admitting=True), "aiolimiter": _aiolimiter}


def admits_keys() -> dict[str, Maker]:
    """Limiters with a bucket for each key, admitting every call."""
    return _all(admitting=True, keyed=True)


def refuses() -> dict[str, Maker]:
    """Limiters that admit one call an hour."""
    return _all(admitting=False)
