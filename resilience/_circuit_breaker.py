"""The `circuit_breaker` decorator."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, Unpack, overload

from resilience._gate.breaker_options import BreakerKeywords, BreakerOptions
from resilience._skin import Colour, check_shape, dress, title_of
from resilience._validate import callable_or_none, known_options
from resilience.breaker import CircuitBreaker

__all__ = ["circuit_breaker"]

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")

_NOTHING: Any = object()
"""Stands for no target: None is one, and refused."""


@overload
def circuit_breaker(function: F, /) -> F: ...
@overload
def circuit_breaker(shared: CircuitBreaker, /, *, key: Callable[..., Hashable] | None = None) -> Callable[[F], F]: ...
@overload
def circuit_breaker(**options: Unpack[BreakerKeywords]) -> Callable[[F], F]: ...
def circuit_breaker(target: Any = _NOTHING, /, **options: Any) -> Any:
    """Guard a callable with a circuit breaker.

    Three forms: bare `@circuit_breaker`; `@circuit_breaker(failure_threshold=3, ...)` with the options of
    `CircuitBreaker`; `@circuit_breaker(shared)` with a `CircuitBreaker` that any number of functions use at once,
    beside which only `key=` may be given. The first two make one breaker for each function, named after it.

    Any callable is taken: functions of every colour, methods, generators, partials, callable instances, builtins, above
    and below `classmethod` and `staticmethod`.

    Raises:
        ValueError: An option is out of range, or two contradict each other.
        TypeError: An option is of the wrong type or unknown, the target cannot be guarded, or options stand beside a
            shared breaker.
    """
    if isinstance(target, CircuitBreaker):
        unwelcome = sorted(options.keys() - {"key"})
        if unwelcome:
            message = f"only key= may stand beside the shared breaker {target.name!r}, got {', '.join(unwelcome)}"
            raise TypeError(message)
        key = callable_or_none("key", options.get("key")) or target._key  # noqa: SLF001 -- the decorator is the class's own

        def decorate(function: Any) -> Any:
            return _guard(function, target, key)

        return decorate
    if target is not _NOTHING:
        check_shape(target)
        if options:
            message = "give the options first, then the function: circuit_breaker(...)(function)"
            raise TypeError(message)
        return _guard_alone(target, BreakerOptions())
    checked = BreakerOptions(**known_options("circuit breaker", BreakerOptions, options))

    def decorate_alone(function: Any) -> Any:
        return _guard_alone(function, checked)

    return decorate_alone


def _guard_alone(function: Any, options: BreakerOptions) -> Any:
    check_shape(function)
    breaker = CircuitBreaker.__new__(CircuitBreaker)
    breaker._set_up(options, title_of(function))  # noqa: SLF001 -- its other constructor
    return _guard(function, breaker, options.key)


def _guard(function: Any, breaker: CircuitBreaker, key: Callable[..., Hashable] | None) -> Any:
    def shell(call: Callable[..., Any], colour: Colour) -> Any:
        return breaker._shell(call, colour, key)  # noqa: SLF001 -- the decorator is the class's own

    return dress(function, shell, (breaker,))
