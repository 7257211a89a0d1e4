"""A guarded partial, callable instance or builtin: the original in everything but the call."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import wrapt

from resilience._registry import guards_of

__all__ = ["Guarded"]


if TYPE_CHECKING:
    _Proxy = wrapt.ObjectProxy[Any]
else:
    _Proxy = wrapt.ObjectProxy


class Guarded(_Proxy):
    """Stands for a callable that is not a Python function; calls go through its shell."""

    def __init__(self, target: Any, shell: Callable[..., Any], policies: tuple[Any, ...], colour: Any) -> None:
        super().__init__(target)
        self._self_colour = colour
        self._self_shell = shell
        self._self_policies = (*policies, *guards_of(target))

    @property
    def __resilience_colour__(self) -> Any:
        return self._self_colour

    @property
    def __resilience_policies__(self) -> tuple[Any, ...]:
        return self._self_policies

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._self_shell(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # Binds where the original would: a cached function does, a builtin and a partial do not.
        binds = instance is not None and hasattr(type(self.__wrapped__), "__get__")
        return MethodType(self, instance) if binds else self

    def __copy__(self) -> Guarded:
        return self  # as a function does

    def __deepcopy__(self, memo: Any) -> Guarded:
        return self

    def __reduce_ex__(self, protocol: Any) -> str:
        name = getattr(self.__wrapped__, "__qualname__", None)
        if name is None:
            message = f"cannot pickle {self!r}: it has no name to be found by; pickle a guarded function instead"
            raise pickle.PicklingError(message)
        return str(name)
