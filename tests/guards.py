"""Both decorators, in each of the forms that has a shell of its own: one table for all tests that are about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resilience import CircuitBreaker, TokenBucket, circuit_breaker, rate_limited
from resilience.testing import FakeClock

__all__ = ["GUARDS", "ONE_OF_EACH", "Guard"]

CAPACITY = 50
KEY = "key"


@dataclass(frozen=True)
class Guard:
    """A decorator around one policy that lets everything pass, and how many calls that policy has seen."""

    decorate: Callable[[Any], Any]
    policy: Any
    seen: Callable[[], float]


def same_key(*args: Any, **kwargs: Any) -> str:
    return KEY


def _breaker(**options: Any) -> Callable[[FakeClock], Guard]:
    def make(clock: FakeClock) -> Guard:
        breaker = CircuitBreaker(minimum_calls=100, clock=clock, **options)
        return Guard(circuit_breaker(breaker), breaker, lambda: breaker.snapshot().calls)

    return make


def _limiter(*, key: Any = None, **options: Any) -> Callable[[FakeClock], Guard]:
    def make(clock: FakeClock) -> Guard:
        bucket = TokenBucket(rate=1e-6, capacity=CAPACITY, clock=clock)
        whose = key and KEY
        return Guard(
            rate_limited(bucket, key=key, **options), bucket, lambda: round(CAPACITY - bucket.tokens(key=whose))
        )

    return make


GUARDS: dict[str, Callable[[FakeClock], Guard]] = {
    "circuit_breaker": _breaker(failure_rate=1.0),
    "circuit_breaker, seconds": _breaker(failure_rate=1.0, window_seconds=60),
    "circuit_breaker, slow calls": _breaker(slow_call_duration=60, slow_call_rate=1.0),
    "circuit_breaker, keyed": _breaker(failure_rate=1.0, key=same_key),
    "rate_limited": _limiter(),
    "rate_limited, keyed": _limiter(key=same_key),
    "rate_limited, with a cost": _limiter(cost=lambda *args, **kwargs: 1),
}
"""Makes a guard of each kind."""

ONE_OF_EACH = ("circuit_breaker", "rate_limited")
"""For facts in which the kind of shell makes no difference."""
