"""Bad input is rejected at the door: every message names the parameter, the value and what is allowed."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NoReturn

__all__ = [
    "callable_or_none",
    "count",
    "duration",
    "exceptions",
    "flag",
    "fraction",
    "is_async_callable",
    "known_options",
    "number",
    "plain_callable",
    "refuse",
    "text_or_none",
]

_LONGEST = 1e15
"""Seconds; what is longer (31 million years) is cut to it, so that no sum of nanoseconds overflows a float."""


def refuse(parameter: str, value: object, allowed: str, *, kind: type[Exception] = ValueError) -> NoReturn:
    """Raise the one message that every bad argument gets."""
    message = f"{parameter} must be {allowed}, got {value!r}"
    raise kind(message)


def known_options(policy: str, options_class: type, given: Any) -> Any:
    """Let keywords pass that *options_class* has, and refuse others with the nearest name that it has."""
    known = [name for name, parameter in inspect.signature(options_class).parameters.items() if parameter.kind > 1]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(known)}"
            message = f"{policy} got an unexpected keyword argument {name!r}; {hint}"
            raise TypeError(message)
    return given


def number(parameter: str, value: Any, *, allowed: str = "a finite number > 0", least: float | None = None) -> float:
    """Let an int or a float pass that is finite and > 0, or >= *least* where that is given."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(parameter, value, allowed, kind=TypeError)
    if not _is_finite(value) or (value <= 0 if least is None else value < least):
        refuse(parameter, value, allowed)
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False  # an int beyond every float: what is made of it could not be told


def duration(
    parameter: str,
    value: Any,
    *,
    allowed: str = "a finite number of seconds > 0, or a timedelta",
    least: float | None = None,
) -> float:
    """Let seconds or a `timedelta` pass, as seconds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, int) and value > _LONGEST:
        value = _LONGEST
    return min(float(min(number(parameter, value, allowed=allowed, least=least), _LONGEST)), _LONGEST)


def fraction(parameter: str, value: Any) -> float:
    """Let a share pass: 0 < value <= 1."""
    allowed = "a number r with 0 < r <= 1"
    if number(parameter, value, allowed=allowed) > 1:
        refuse(parameter, value, allowed)
    return float(value)


def count(parameter: str, value: Any, *, least: int = 1) -> int:
    """Let a whole number >= *least* pass; a bool is not a number here."""
    allowed = f"a whole number >= {least}"
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(parameter, value, allowed, kind=TypeError)
    if value < least:
        refuse(parameter, value, allowed)
    return value


def flag(parameter: str, value: Any) -> bool:
    """Let True and False pass, and nothing that is only truthy."""
    if not isinstance(value, bool):
        refuse(parameter, value, "True or False", kind=TypeError)
    return value


def text_or_none(parameter: str, value: Any) -> str | None:
    """Let a text that is not empty pass, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(parameter, value, "a non-empty str, or None", kind=TypeError)
    if not value:
        refuse(parameter, value, "a non-empty str, or None")
    return value


def is_async_callable(value: Any) -> bool:
    """Tell whether calling *value* gives a coroutine or an async generator."""
    for candidate in (value, getattr(type(value), "__call__", None)):  # noqa: B004 -- the method itself is looked at
        if inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate):
            return True
    return False


def plain_callable(parameter: str, value: Any, *, allowed: str = "a plain callable") -> Callable[..., Any]:
    """Let a callable pass that gives its answer at once."""
    if not callable(value):
        refuse(parameter, value, allowed, kind=TypeError)
    if is_async_callable(value):
        refuse(parameter, value, f"{allowed}, not an async function", kind=TypeError)
    return value  # type: ignore[no-any-return] # callable() narrows Any to a callable of Any


def callable_or_none(parameter: str, value: Any) -> Callable[..., Any] | None:
    """Let a plain callable pass, or None."""
    return None if value is None else plain_callable(parameter, value, allowed="a plain callable, or None")


def exceptions(parameter: str, value: Any) -> tuple[type[BaseException], ...] | Callable[[BaseException], Any]:
    """Let exception types pass, as a tuple, or a predicate."""
    allowed = "an exception type, a tuple of them, or a predicate"
    if isinstance(value, type) and issubclass(value, BaseException):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | type):
        types = tuple(value)
        if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in types):
            return types
        refuse(parameter, value, allowed, kind=TypeError)
    if isinstance(value, type):  # a class that is no exception would be called as a predicate, and be true for ever
        refuse(parameter, value, allowed, kind=TypeError)
    return plain_callable(parameter, value, allowed=allowed)
