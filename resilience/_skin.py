"""Dress any callable shape: find out what it is, have a shell made, and make the result look like the original."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from resilience._registry import attach

__all__ = ["Colour", "dress", "title_of"]

COLOUR = "__resilience_colour__"
"""The attribute by which a guarded callable instance tells its colour: its own `__call__` tells nothing."""

Guard = Callable[[Callable[..., Any], "Colour"], Callable[..., Any]]
"""Makes the shell for a callable of a colour."""


class Colour(Enum):
    """How a callable gives its answer."""

    SYNC = "sync"
    ASYNC = "async"
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async generator"


def colour_of(target: Any) -> Colour:
    """Find out how *target* gives its answer, looking into partials and callable instances."""
    known = getattr(type(target), COLOUR, None)
    if known is not None:
        return target.__resilience_colour__  # type: ignore[no-any-return] # what a guarded instance says of itself
    if inspect.iscoroutinefunction(target):
        return Colour.ASYNC
    while isinstance(target, functools.partial):
        target = target.func
    if not isinstance(target, FunctionType | MethodType):
        method = getattr(type(target), "__call__", None)  # noqa: B004 -- the method itself is looked at
        target = method if isinstance(method, FunctionType) else target
    code = getattr(target, "__code__", None)
    if inspect.iscoroutinefunction(target) or (code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE):
        return Colour.ASYNC
    if inspect.isasyncgenfunction(target):
        return Colour.ASYNC_GENERATOR
    return Colour.GENERATOR if inspect.isgeneratorfunction(target) else Colour.SYNC


def title_of(target: Any) -> str:
    """The name a policy takes from what it guards: `module.qualname`."""
    inner = target
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = getattr(inner, "__func__", inner)
    if not hasattr(inner, "__qualname__"):
        inner = type(inner)
    return f"{getattr(inner, '__module__', None) or 'builtins'}.{inner.__qualname__}"


def dress(target: Any, guard: Guard, policies: tuple[Any, ...]) -> Any:
    """Guard *target*, whatever callable it is.

    Args:
        target: A function of any colour, a method, a classmethod or staticmethod object, a partial, a callable
            instance or a builtin.
        guard: Makes the shell.
        policies: What `resilience.policies(result)` shall give first.

    Raises:
        TypeError: It cannot be guarded; the message says what to do instead.
    """
    if isinstance(target, classmethod | staticmethod):
        return type(target)(dress(target.__func__, guard, policies))
    if isinstance(target, MethodType):
        return MethodType(dress(target.__func__, guard, policies), target.__self__)
    if isinstance(target, FunctionType):
        shell = guard(target, colour_of(target))
        functools.update_wrapper(shell, target)
        attach(shell, policies, target)
        return shell
    check_shape(target)
    from resilience._proxy import Guarded  # noqa: PLC0415 -- imports wrapt, which most programs never need

    colour = colour_of(target)
    return Guarded(target, guard(target, colour), policies, colour)


def check_shape(target: Any) -> None:
    """Refuse what cannot be guarded, with a `TypeError` that says what to do."""
    if isinstance(target, classmethod | staticmethod):
        return
    if isinstance(target, type):
        advice = "decorate its methods, or a function that makes instances"
    elif isinstance(target, property):
        advice = "put the decorator below @property, on the getter"
    elif inspect.isawaitable(target) or inspect.isgenerator(target) or inspect.isasyncgen(target):
        advice = "decorate the function that makes it, not what a call of it gave"
    elif not callable(target):
        advice = "decorate a function, a method or another callable"
    else:
        return
    message = f"cannot guard {target!r}: {advice}"
    raise TypeError(message)
