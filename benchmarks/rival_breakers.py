"""Other libraries' circuit breakers, each as its own documentation has it used.

Every maker takes the function, how many failures open the circuit, and how long it stays open.
A library that is not installed raises ``ImportError`` when its maker is called.
"""

import functools
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

from benchmarks.ratio import Maker

__all__ = [
    "ASYNC",
    "NEVER",
    "SYNC",
    "closed",
    "count_window",
    "never_opens",
    "one_failure",
    "slow_calls",
    "time_window",
]

Fn = Callable[..., Any]
NEVER = 10**9
"""More failures than any row makes."""
_HOUR = 3600


def _pybreaker(fn: Fn, threshold: int, seconds: float) -> Any:
    return import_module("pybreaker").CircuitBreaker(fail_max=threshold, reset_timeout=seconds)(fn)


def _circuitbreaker(fn: Fn, threshold: int, seconds: float) -> Any:
    circuit = import_module("circuitbreaker").circuit
    return circuit(failure_threshold=threshold, recovery_timeout=seconds)(fn)


def _aiobreaker(fn: Fn, threshold: int, seconds: float) -> Any:
    breaker = import_module("aiobreaker").CircuitBreaker
    return breaker(fail_max=threshold, timeout_duration=timedelta(seconds=seconds))(fn)


def _purgatory(fn: Fn, threshold: int, seconds: float) -> Any:
    library = import_module("purgatory")
    kind = "AsyncCircuitBreakerFactory" if iscoroutinefunction(fn) else "SyncCircuitBreakerFactory"
    return getattr(library, kind)(default_threshold=threshold, default_ttl=seconds)("bench")(fn)


def _interlock(fn: Fn, threshold: int, seconds: float, **options: Any) -> Any:
    # It has no count of failures in a row: a rate over a window is all it offers.
    library = import_module("interlock")
    config = library.Config(minimum_number_of_calls=threshold, wait_duration_in_open=seconds, **options)
    return library.CircuitBreaker(name="bench", config=config)(fn)


SYNC = {
    "pybreaker": _pybreaker,
    "circuitbreaker": _circuitbreaker,
    "aiobreaker": _aiobreaker,
    "purgatory": _purgatory,
    "interlock-cb": _interlock,
}
ASYNC = {name: maker for name, maker in SYNC.items() if name != "pybreaker"}
"""Those whose decorator guards a coroutine function (pybreaker's counts nothing there)."""


def _with(makers: dict[str, Any], threshold: int, seconds: float) -> dict[str, Maker]:
    return {name: functools.partial(maker, threshold=threshold, seconds=seconds) for name, maker in makers.items()}


def closed(makers: dict[str, Any]) -> dict[str, Maker]:
    """Breakers with everyday settings: five failures open the circuit for half a minute."""
    return _with(makers, 5, 30)


def never_opens(makers: dict[str, Any]) -> dict[str, Maker]:
    """Breakers that stay closed however often the call fails."""
    return _with(makers, NEVER, 30)


def one_failure(makers: dict[str, Any]) -> dict[str, Maker]:
    """Breakers that the first failure opens for an hour."""
    return _with(makers, 1, _HOUR)


def count_window() -> dict[str, Maker]:
    """A failure rate over the last hundred calls."""
    return {"interlock-cb": lambda fn: _interlock(fn, 20, 30, window_size=100)}


def time_window() -> dict[str, Maker]:
    """A failure rate over the last ten seconds."""

    def make(fn: Fn) -> Any:
        kind = import_module("interlock").WindowType.TIME_BASED
        return _interlock(fn, 20, 30, window_type=kind, window_size=10)

    return {"interlock-cb": make}


def slow_calls() -> dict[str, Maker]:
    """A share of slow calls that opens the circuit."""

    def make(fn: Fn) -> Any:
        slow = {"slow_call_duration_threshold": 1.0, "slow_call_rate_threshold": 0.5}
        return _interlock(fn, 20, 30, **slow)

    return {"interlock-cb": make}
