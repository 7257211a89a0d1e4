"""This library's policies, as the rows use them."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.rival_breakers import NEVER
from benchmarks.rival_limiters import rate_of
from benchmarks.row import OURS

__all__ = ["breaker", "keyed_limiter", "limiter", "ours", "retry", "stack"]

Fn = Callable[..., Any]
_HOUR = 3600


def ours(maker: Callable[[Fn], Any]) -> dict[str, Callable[[Fn], Any]]:
    """This library's column."""
    return {OURS: maker}


def breaker(**options: Any) -> Callable[[Fn], Any]:
    """A circuit breaker with *options*; five failures in a row without any.

    Args:
        **options: As of ``circuit_breaker``; ``threshold="never"`` stays closed whatever fails,
            ``threshold="first"`` opens at the first failure, for an hour.
    """
    kind = options.pop("threshold", None)
    if kind == "never":
        options["failure_threshold"] = NEVER
    elif kind == "first":
        options.update(failure_threshold=1, recovery_timeout=_HOUR)

    def make(fn: Fn) -> Any:
        return import_module("resilience").circuit_breaker(**options)(fn)

    return make


def limiter(*, admitting: bool, **options: Any) -> Callable[[Fn], Any]:
    """A token bucket that admits every call of a run, or one an hour."""
    rate, capacity, unit = rate_of(admitting=admitting)
    per = {"s": 1.0, "h": float(_HOUR)}[unit]

    def make(fn: Fn) -> Any:
        decorate = import_module("resilience").rate_limited
        return decorate(rate=rate, capacity=capacity, per=per, **options)(fn)

    return make


def keyed_limiter(fn: Fn) -> Any:
    """A token bucket for each first argument."""
    return limiter(admitting=True, key=lambda x: x)(fn)


def stack(fn: Fn) -> Any:
    """A breaker around a limiter around a breaker."""
    return breaker()(limiter(admitting=True)(breaker()(fn)))


def retry(fn: Fn) -> Any:
    """Three attempts, of which one is needed."""
    return import_module("resilience").retry(attempts=3)(fn)
