"""Resilience for Python services: circuit breakers and rate limits on any callable, sync or async.

from resilience import circuit_breaker, rate_limited

@circuit_breaker(failure_threshold=5, recovery_timeout=30.0, on=ConnectionError)
@rate_limited("100/minute", max_wait=2.0)
def charge(order): ...
"""

from __future__ import annotations

from typing import Any

from resilience import _registry, events
from resilience._circuit_breaker import circuit_breaker
from resilience._gate.breaker_snapshot import BreakerSnapshot
from resilience._gate.bucket_snapshot import BucketSnapshot
from resilience._rate_limited import rate_limited
from resilience._state import State
from resilience.backoff import constant, exponential, linear
from resilience.breaker import CircuitBreaker
from resilience.clock import Clock, SystemClock
from resilience.errors import (
    BulkheadFullError,
    CallTimeoutError,
    CircuitOpenError,
    DeadlineExceeded,
    RateLimitExceeded,
    Rejected,
    ResilienceError,
    StoreError,
)
from resilience.rate_limit import TokenBucket

__all__ = [
    "BreakerSnapshot",
    "BucketSnapshot",
    "BulkheadFullError",
    "CallTimeoutError",
    "CircuitBreaker",
    "CircuitOpenError",
    "Clock",
    "DeadlineExceeded",
    "RateLimitExceeded",
    "Rejected",
    "ResilienceError",
    "State",
    "StoreError",
    "SystemClock",
    "TokenBucket",
    "circuit_breaker",
    "constant",
    "events",
    "exponential",
    "linear",
    "policies",
    "rate_limited",
]

__version__ = "0.1.0"


def policies(function: Any = None, /) -> tuple[Any, ...]:
    """The policies that guard *function*, outermost first; without it, all that are alive in this process.

    They are held weakly: asking keeps none of them alive, and one that nobody uses any more is gone.
    """
    return _registry.living() if function is None else _registry.guards_of(function)
