"""What a user may say about a circuit breaker, checked once at the door."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from resilience import _gil
from resilience._core.config import SECOND, BreakerConfig
from resilience._feed import check_listeners
from resilience._validate import (
    callable_or_none,
    count,
    duration,
    exceptions,
    flag,
    fraction,
    plain_callable,
    refuse,
    text_or_none,
)
from resilience.clock import check_clock

if TYPE_CHECKING:
    from resilience.clock import Clock
    from resilience.events import Listener

__all__ = ["BreakerKeywords", "BreakerOptions", "Names"]

Names = type[BaseException] | Iterable[type[BaseException]] | Callable[[BaseException], object]
"""Exception types, or a predicate on an exception."""


class BreakerKeywords(TypedDict, total=False):
    """The keywords of `CircuitBreaker` and `circuit_breaker`, for type checkers."""

    name: str | None
    failure_threshold: int | None
    failure_rate: float | None
    window_calls: int | None
    window_seconds: float | timedelta | None
    minimum_calls: int | None
    slow_call_duration: float | timedelta | None
    slow_call_rate: float | None
    recovery_timeout: float | timedelta | Callable[[int], float]
    probes: int
    probe_timeout: float | timedelta | None
    on: Names
    ignore: Names
    failure_when: Callable[[Any], object] | None
    key: Callable[..., Hashable] | None
    max_keys: int
    clock: Clock | None
    shadow: bool
    listeners: Iterable[Listener]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOptions:
    """The same with their defaults; once made, every value is good and `config` holds them in the core's units."""

    name: str | None = None
    failure_threshold: Any = None
    failure_rate: Any = None
    window_calls: Any = None
    window_seconds: Any = None
    minimum_calls: Any = None
    slow_call_duration: Any = None
    slow_call_rate: Any = None
    recovery_timeout: Any = 30.0
    probes: Any = 1
    probe_timeout: Any = None
    on: Any = Exception
    ignore: Any = ()
    failure_when: Any = None
    key: Any = None
    max_keys: Any = 10_000
    clock: Any = None
    shadow: Any = False
    listeners: Any = ()
    config: BreakerConfig = field(init=False)
    recovery: Callable[[int], float] | None = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__  # the way around `frozen`, for the one who freezes
        text_or_none("name", self.name)
        put(self, "config", self._checked_config())
        put(self, "recovery", self.recovery_timeout if callable(self.recovery_timeout) else None)
        put(self, "on", exceptions("on", self.on))
        put(self, "ignore", exceptions("ignore", self.ignore))
        callable_or_none("failure_when", self.failure_when)
        callable_or_none("key", self.key)
        count("max_keys", self.max_keys)
        put(self, "clock", check_clock(self.clock))
        flag("shadow", self.shadow)
        put(self, "listeners", check_listeners(self.listeners))

    def _checked_config(self) -> BreakerConfig:
        self._check_company()
        threshold = self.failure_threshold
        if self.failure_rate is None:
            threshold = 5 if threshold is None else count("failure_threshold", threshold)
        size = None
        if self.window_seconds is None:
            size = 100 if self.window_calls is None else count("window_calls", self.window_calls)
        least = min(20, size or 20) if self.minimum_calls is None else count("minimum_calls", self.minimum_calls)
        if size is not None and least > size:
            refuse("minimum_calls", least, f"at most window_calls ({size})")
        recovery = self.recovery_timeout
        if callable(recovery):
            plain_callable("recovery_timeout", recovery, allowed="seconds > 0, a timedelta, or a plain function")
        windowed = self.failure_rate is not None or self.slow_call_rate is not None
        return BreakerConfig(
            failure_threshold=threshold,
            failure_rate=_share("failure_rate", self.failure_rate),
            window_calls=size,
            window_span=_span("window_seconds", self.window_seconds),
            minimum_calls=least,
            slow_call_duration=_span("slow_call_duration", self.slow_call_duration),
            slow_call_rate=_share("slow_call_rate", self.slow_call_rate),
            recovery_time=None if callable(recovery) else _length("recovery_timeout", recovery),
            probes=count("probes", self.probes),
            probe_timeout=_span("probe_timeout", self.probe_timeout),
            settle_all=self.failure_when is not None or (windowed and not _gil.LOCK_FREE),
            lock_free=_gil.LOCK_FREE and not self.shadow,
        )

    def _check_company(self) -> None:
        """Refuse options that contradict each other, or that mean nothing without another."""
        if self.failure_rate is not None:
            _alone(self, "failure_rate", "failure_threshold")
        if self.window_seconds is not None:
            _alone(self, "window_seconds", "window_calls")
        if (self.slow_call_duration is None) != (self.slow_call_rate is None):
            message = (
                "slow_call_duration and slow_call_rate must be given together, got "
                f"slow_call_duration={self.slow_call_duration!r} and slow_call_rate={self.slow_call_rate!r}"
            )
            raise ValueError(message)
        if self.failure_rate is None and self.slow_call_rate is None:
            for name in ("window_calls", "window_seconds", "minimum_calls"):
                value = getattr(self, name)
                if value is not None:
                    refuse(name, value, "left out unless failure_rate or slow_call_rate is given")


def _alone(options: BreakerOptions, one: str, other: str) -> None:
    its, others = getattr(options, one), getattr(options, other)
    if others is not None:
        message = f"{one} and {other} must not be given together, got {one}={its!r} and {other}={others!r}"
        raise ValueError(message)


def _share(name: str, value: Any) -> float | None:
    return None if value is None else fraction(name, value)


def _span(name: str, value: Any) -> int | None:
    return None if value is None else _length(name, value)


def _length(name: str, value: Any) -> int:
    """A length in whole nanoseconds, at least one."""
    return max(1, round(duration(name, value) * SECOND))
