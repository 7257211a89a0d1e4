"""How long to wait after the first, the second, the n-th time: exponential, linear or constant, with jitter.

Jitter spreads callers that failed together: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from resilience._validate import count, duration, number, refuse

__all__ = ["constant", "exponential", "linear"]

Jitter = float | Literal["full"]


class _Backoff:
    """A function of the number of times, from 1, that gives seconds: `start * growth ** (n - 1) + step * (n - 1)`."""

    def __init__(self, text: str, start: float, growth: float, step: float, maximum: float, jitter: Jitter) -> None:  # noqa: PLR0913, PLR0917 -- one each
        self._text = text
        self._start = start
        self._growth = growth
        self._step = step
        self._maximum = maximum
        self._jitter = jitter

    def __call__(self, times: int, /) -> float:
        past = count("times", times) - 1
        try:
            length = self._start * self._growth**past + self._step * past
        except OverflowError:
            length = float("inf")
        length = min(length, self._maximum)
        if self._jitter == "full":
            length *= random.random()
        elif self._jitter and not isinstance(self._jitter, str):
            length *= 1 + self._jitter * (2 * random.random() - 1)
        return min(length, self._maximum)

    def __repr__(self) -> str:
        return self._text


def _spread(jitter: Any) -> Jitter:
    allowed = "a number j with 0 <= j <= 1, or 'full'"
    if jitter == "full":
        return "full"
    if number("jitter", jitter, allowed=allowed, least=0) > 1:
        refuse("jitter", jitter, allowed)
    return float(jitter)


def _cap(maximum: Any) -> float:
    return float("inf") if maximum is None else duration("maximum", maximum)


def exponential(
    first: float | timedelta, *, factor: float = 2.0, maximum: float | timedelta | None = None, jitter: Jitter = 0.0
) -> Callable[[int], float]:
    """Wait *first*, then *factor* times as long each time: `first * factor ** (n - 1)`.

    Args:
        first: Seconds, finite and > 0.
        factor: At least 1.
        maximum: Seconds that no answer exceeds, jitter included; None for no limit.
        jitter: A share j spreads uniformly over d * (1 - j) to d * (1 + j), `"full"` over 0 to d.

    Raises:
        ValueError: A value is out of range.
        TypeError: A value is of the wrong type.
    """
    start = duration("first", first)
    growth = number("factor", factor, allowed="a finite number >= 1", least=1)
    text = f"exponential({start:g}, factor={growth:g}, maximum={maximum!r}, jitter={jitter!r})"
    return _Backoff(text, start, float(growth), 0.0, _cap(maximum), _spread(jitter))


def linear(
    first: float | timedelta,
    *,
    step: float | timedelta | None = None,
    maximum: float | timedelta | None = None,
    jitter: Jitter = 0.0,
) -> Callable[[int], float]:
    """Wait *first*, then *step* longer each time: `first + step * (n - 1)`.

    Args:
        first: Seconds, finite and > 0.
        step: Seconds, finite and >= 0; as long as *first* when None.
        maximum: Seconds that no answer exceeds, jitter included; None for no limit.
        jitter: A share j spreads uniformly over d * (1 - j) to d * (1 + j), `"full"` over 0 to d.

    Raises:
        ValueError: A value is out of range.
        TypeError: A value is of the wrong type.
    """
    start = duration("first", first)
    allowed = "a finite number of seconds >= 0, a timedelta, or None"
    more = start if step is None else duration("step", step, allowed=allowed, least=0)
    text = f"linear({start:g}, step={more:g}, maximum={maximum!r}, jitter={jitter!r})"
    return _Backoff(text, start, 1.0, more, _cap(maximum), _spread(jitter))


def constant(seconds: float | timedelta, *, jitter: Jitter = 0.0) -> Callable[[int], float]:
    """Wait *seconds* each time.

    Args:
        seconds: Finite and > 0.
        jitter: A share j spreads uniformly over d * (1 - j) to d * (1 + j), `"full"` over 0 to d.

    Raises:
        ValueError: A value is out of range.
        TypeError: A value is of the wrong type.
    """
    length = duration("seconds", seconds)
    text = f"constant({length:g}, jitter={jitter!r})"
    return _Backoff(text, length, 1.0, 0.0, float("inf"), _spread(jitter))
