"""What the candidates are compared with: the least a decorator can do."""

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

__all__ = ["Failure", "Refused", "empty", "refusing", "try_except"]

Fn = Callable[..., Any]


class Failure(Exception):  # noqa: N818 - It is what a dependency raises, not an error of ours.
    """Raised by the functions that stand for a failing dependency."""


class Refused(Exception):  # noqa: N818 - It names the outcome, as the rejections it stands for do.
    """Raised where a call is rejected."""


def empty(fn: Fn) -> Fn:
    """R: a decorator that just calls the function."""
    if iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            return await fn(*args, **kwargs)

        return awaiting

    @functools.wraps(fn)
    def calling(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return calling


def try_except(fn: Fn) -> Fn:
    """A decorator that sees the failure pass by: the least a breaker can do."""

    @functools.wraps(fn)
    def calling(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except Exception:  # noqa: TRY203 - That it is caught and raised again is the point.
            raise

    return calling


def refusing(fn: Fn) -> Fn:
    """A decorator that raises a plain exception instead of calling the function."""
    if iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def awaiting(*_args: Any, **_kwargs: Any) -> Any:
            raise Refused

        return awaiting

    @functools.wraps(fn)
    def calling(*_args: Any, **_kwargs: Any) -> Any:
        raise Refused

    return calling
