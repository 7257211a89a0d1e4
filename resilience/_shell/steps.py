"""The steps of a generator that a shell drives by `yield from`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

__all__ = ["Steps"]


class Steps:
    """Stands for a generator, and knows what a plain `yield from` would lose.

    Attributes:
        spent: Seconds spent inside the generator so far.
        parting: What it returned when it was closed, None for nothing.
    """

    __slots__ = ("_clock", "_steps", "parting", "spent")

    def __init__(self, steps: Generator[Any, Any, Any], clock: Callable[[], float]) -> None:
        self._steps = steps
        self._clock = clock
        self.spent = 0.0
        self.parting: Any = None

    def _timed(self, step: Callable[..., Any], *args: Any) -> Any:
        began = self._clock()
        try:
            return step(*args)
        finally:
            self.spent += self._clock() - began

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        return self._timed(self._steps.__next__)

    def send(self, value: Any) -> Any:
        """Go on with a value."""
        return self._timed(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        return self._timed(self._steps.throw, *error)

    def close(self) -> None:
        """End it, and keep what it returns then (Python 3.13 and later)."""
        self.parting = self._timed(self._steps.close)
