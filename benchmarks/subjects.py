"""The functions that are guarded in the rows, one for each shape."""

from collections.abc import Callable
from typing import Any

from benchmarks.reference import Failure

__all__ = ["SHAPES", "afails", "afn", "fails", "fn"]


def fn(x: Any) -> Any:
    """Give the argument back: the body costs as little as a body can."""
    return x


async def afn(x: Any) -> Any:
    """Give the argument back, from a coroutine."""
    return x


def fails(x: Any) -> Any:
    """Fail as a dependency does."""
    raise Failure(x)


async def afails(x: Any) -> Any:
    """Fail as a dependency does, from a coroutine."""
    raise Failure(x)


def _none() -> Any:
    return 1


def _six(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:  # noqa: ARG001, PLR0913, PLR0917
    return a


def _defaults(a: Any, b: int = 1, c: str = "c") -> Any:  # noqa: ARG001
    return a


def _keyword_only(*, a: Any, b: int = 1) -> Any:  # noqa: ARG001
    return a


def _star_args(*args: Any) -> Any:
    return args


def _star_both(*args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
    return args


SHAPES: dict[str, tuple[Callable[..., Any], str]] = {
    "no parameters": (_none, "f()"),
    "six parameters": (_six, "f(x, x, x, x, x, x)"),
    "defaults, left out": (_defaults, "f(x)"),
    "defaults, given by keyword": (_defaults, "f(x, b=x)"),
    "keyword-only": (_keyword_only, "f(a=x)"),
    "*args": (_star_args, "f(x)"),
    "*args, **kwargs": (_star_both, "f(x, b=x)"),
}
"""Shape -> (a function of that shape, how it is called)."""
