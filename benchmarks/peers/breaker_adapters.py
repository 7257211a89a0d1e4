"""Each library's circuit breaker behind the same few wishes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from benchmarks.peers.row import Adapter

__all__ = ["BREAKERS", "Circuit", "Guard"]

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What a check asks of a breaker."""

    failures: int = 1
    """Failures in a row that open it, unless ``rate`` is given."""
    recovery: float = 1.0
    ignore: tuple[type[BaseException], ...] = ()
    probes: int = 1
    rate: float | None = None
    """Share of failures that opens it, judged over ``calls``."""
    calls: int = 10
    window_seconds: int | None = None
    """Forget what is older, where the library has such a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A breaker as its library means it to be used."""

    dress: Callable[[Function], Function]
    """The decorator."""
    rejected: type[BaseException]
    """What a caller gets when the call was not made."""
    block: Callable[[], Any] | None = None
    """Opens a ``with`` block, where there is one."""
    other_site: Callable[[Function], Function] | None = None
    """Decorates a second call site of the same circuit, which asks for no options of its own."""
    asynchronous_only: bool = False


Built = Callable[[Any, Circuit, dict[str, Any]], Guard]


def _pybreaker(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    breaker = lib.CircuitBreaker(fail_max=want.failures, reset_timeout=want.recovery, exclude=want.ignore)
    return Guard(dress=breaker, rejected=lib.CircuitBreakerError, block=breaker.calling)


def _circuitbreaker(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    breaker = lib.CircuitBreaker(failure_threshold=want.failures, recovery_timeout=want.recovery)
    return Guard(dress=breaker, rejected=lib.CircuitBreakerError, block=lambda: breaker)


def _aiobreaker(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    breaker = lib.CircuitBreaker(want.failures, timedelta(seconds=want.recovery), exclude=want.ignore)
    return Guard(dress=breaker, rejected=lib.CircuitBreakerError)


def _purgatory(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    wait = lib.AsyncCircuitBreakerFactory(want.failures, want.recovery)
    block = lib.SyncCircuitBreakerFactory(want.failures, want.recovery)

    def dress(function: Function, ignore: tuple[type[BaseException], ...] = want.ignore) -> Function:
        factory = wait if inspect.iscoroutinefunction(function) else block
        dressed: Function = factory("circuit", exclude=list(ignore))(function)
        return dressed

    rejected = lib.domain.model.OpenedState
    return Guard(dress=dress, rejected=rejected, other_site=functools.partial(dress, ignore=()))


def _hyx(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    breaker = lib.consecutive_breaker(
        failure_threshold=want.failures, recovery_time_secs=want.recovery, recovery_threshold=want.probes
    )
    rejected = lib.exceptions.BreakerFailing
    return Guard(dress=breaker, rejected=rejected, block=lambda: breaker, asynchronous_only=True)


def _hyx_block(lib: Any, want: Circuit, clock: dict[str, Any]) -> Guard:
    guard = _hyx(lib, want, clock)
    assert guard.block is not None
    block = guard.block

    def dress(function: Function) -> Function:
        async def in_a_block(*args: Any) -> Any:
            async with block():
                return await function(*args)

        return in_a_block

    return Guard(dress=dress, rejected=guard.rejected, asynchronous_only=True)


def _pyresilience(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    config = lib.CircuitBreakerConfig(
        failure_threshold=want.failures, recovery_timeout=want.recovery, success_threshold=want.probes
    )
    return Guard(dress=lib.resilient(circuit_breaker=config), rejected=lib.CircuitOpenError)


def _backon(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    breaker = lib.CircuitBreaker(want.failures, want.recovery, want.probes)

    def dress(function: Function) -> Function:
        call = breaker.async_call if inspect.iscoroutinefunction(function) else breaker.call
        return functools.partial(call, function)

    return Guard(dress=dress, rejected=lib.CircuitOpenError, block=lambda: breaker)


def _backon_decorator(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    return Guard(dress=lib.CircuitBreaker(want.failures, want.recovery), rejected=lib.CircuitOpenError)


def _interlock(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    calls = want.failures if want.rate is None else want.calls
    config = lib.Config(
        failure_rate_threshold=want.rate or 1.0,
        minimum_number_of_calls=calls,
        window_size=calls,
        wait_duration_in_open=want.recovery,
        permitted_calls_in_half_open=want.probes,
    )
    return Guard(dress=lib.CircuitBreaker(name="circuit", config=config), rejected=lib.CircuitOpenError)


def _fluxgate(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    trippers, windows = lib.trippers, lib.windows
    opens = trippers.FailureStreak(want.failures)
    if want.rate is not None:
        opens = trippers.MinRequests(want.calls) & trippers.FailureRate(want.rate)

    def breaker(cls: Any) -> Any:
        window = windows.TimeWindow(want.window_seconds) if want.window_seconds else windows.CountWindow(100)
        return cls(window=window, tripper=opens, retry=lib.retries.Cooldown(want.recovery), permit=lib.permits.All())

    block, wait = breaker(lib.CircuitBreaker), breaker(lib.AsyncCircuitBreaker)

    def dress(function: Function) -> Function:
        asynchronous = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        dressed: Function = (wait if asynchronous else block)(function)
        return dressed

    return Guard(dress=dress, rejected=lib.CallNotPermittedError)


def _resilient_circuit(lib: Any, want: Circuit, _: dict[str, Any]) -> Guard:
    # A share of ten calls can only be asked for as a fraction of ten.
    limit = Fraction(1) if want.rate is None else Fraction(round(want.rate * want.calls), want.calls)
    policy = lib.CircuitProtectorPolicy(failure_limit=limit, cooldown=timedelta(seconds=want.recovery))
    return Guard(dress=policy, rejected=lib.exceptions.ProtectedCallError)


def _ours(lib: Any, want: Circuit, clock: dict[str, Any]) -> Guard:
    options: dict[str, Any] = {"failure_threshold": want.failures}
    if want.rate is not None:
        window = {"window_seconds": want.window_seconds} if want.window_seconds else {"window_calls": want.calls}
        options = {"failure_rate": want.rate, "minimum_calls": want.calls, **window}
    breaker = lib.CircuitBreaker(
        recovery_timeout=want.recovery, ignore=want.ignore, probes=want.probes, **options, **clock
    )

    def other_site(function: Function) -> Function:
        # Options beside a shared breaker are refused; without them the site simply shares it.
        with contextlib.suppress(TypeError):
            lib.circuit_breaker(breaker, ignore=())
            raise AssertionError("options beside a shared breaker were taken")
        dressed: Function = lib.circuit_breaker(breaker)(function)
        return dressed

    return Guard(
        dress=lib.circuit_breaker(breaker),
        rejected=lib.CircuitOpenError,
        block=lambda: breaker,
        other_site=other_site,
    )


def _adapter(distribution: str, module: str, build: Built) -> Adapter[Circuit, Guard]:
    return Adapter(distribution=distribution, module=module, build=build)


BREAKERS: dict[str, Adapter[Circuit, Guard]] = {
    "pybreaker": _adapter("pybreaker", "pybreaker", _pybreaker),
    "circuitbreaker": _adapter("circuitbreaker", "circuitbreaker", _circuitbreaker),
    "aiobreaker": _adapter("aiobreaker", "aiobreaker", _aiobreaker),
    "purgatory": _adapter("purgatory", "purgatory", _purgatory),
    "hyx": _adapter("hyx", "hyx.circuitbreaker", _hyx),
    "hyx (async with)": _adapter("hyx", "hyx.circuitbreaker", _hyx_block),
    "pyresilience": _adapter("pyresilience", "pyresilience", _pyresilience),
    "backon": _adapter("backon", "backon", _backon),
    "backon (decorator)": _adapter("backon", "backon", _backon_decorator),
    "interlock-cb": _adapter("interlock-cb", "interlock", _interlock),
    "fluxgate": _adapter("fluxgate", "fluxgate", _fluxgate),
    "resilient-circuit": _adapter("resilient-circuit", "resilient_circuit", _resilient_circuit),
    "resilience": _adapter("resilience-decorators", "resilience", _ours),
}
