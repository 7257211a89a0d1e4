"""The one breaker and the one bucket that all clients share, sound or sabotaged."""

from __future__ import annotations

import functools
import http.client
import inspect
import itertools
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from examples.demo.settings import Settings
from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    Rejected,
    TokenBucket,
    circuit_breaker,
    rate_limited,
)

__all__ = ["FAILURES", "SABOTAGES", "Guard", "Guards", "WorkFailedError", "leaky"]

P = ParamSpec("P")
R = TypeVar("R")

SABOTAGES = ("limiter", "breaker")
"""What can be made to leak."""


class WorkFailedError(Exception):
    """The service answered that it could not."""


FAILURES = (OSError, EOFError, http.client.HTTPException, WorkFailedError)
"""What counts as a failure of the service: refused, reset, timed out, cut short, answered with an error."""


class Guard(Protocol):
    """A decorator for functions and coroutine functions that keeps their types."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """*function*, guarded."""


def leaky(guard: Guard, rejection: type[Rejected], *, every: int = 3) -> Guard:
    """*guard*, sabotaged: of the calls that it refuses with *rejection*, each third is made all the same."""
    turns = itertools.count(1)

    def decorate(function: Callable[P, R], /) -> Callable[P, R]:
        guarded = guard(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def leak_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                try:
                    return await cast(Any, guarded(*args, **kwargs))
                except rejection:
                    if next(turns) % every:
                        raise
                return await function(*args, **kwargs)

            return cast(Callable[P, R], leak_async)

        @functools.wraps(function)
        def leak(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return guarded(*args, **kwargs)
            except rejection:
                if next(turns) % every:
                    raise
            return function(*args, **kwargs)

        return leak

    return decorate


class Guards:
    """The policies of a run, and the two decorators that apply them.

    Args:
        settings: The numbers of the run.
        rate: Calls a second, as the service publishes it.
        capacity: Calls at once, as the service publishes it.
        sabotage: One of `SABOTAGES`, to make that policy leak, or None.
    """

    def __init__(self, settings: Settings, *, rate: float, capacity: float, sabotage: str | None = None) -> None:
        self.breaker = CircuitBreaker(
            "demo",
            failure_threshold=settings.failure_threshold,
            window_calls=settings.window_calls,
            minimum_calls=settings.minimum_calls,
            slow_call_duration=settings.slow_call_duration,
            slow_call_rate=settings.slow_call_rate,
            recovery_timeout=settings.recovery_timeout,
            probes=settings.probes,
            on=FAILURES,
        )
        self.bucket = TokenBucket(rate, capacity, name="demo")
        self.by_breaker: Guard = circuit_breaker(self.breaker)
        self.by_limiter: Guard = rate_limited(self.bucket)
        if sabotage == "breaker":
            self.by_breaker = leaky(self.by_breaker, CircuitOpenError)
        elif sabotage == "limiter":
            self.by_limiter = leaky(self.by_limiter, RateLimitExceeded)
