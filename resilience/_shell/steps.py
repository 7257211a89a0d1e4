"""The steps of a generator that a shell drives by `yield from`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

__all__ = ["Steps", "steps_of"]


class Steps:
    """Stands for a generator, and knows what a plain `yield from` would lose.

    Attributes:
        spent: Seconds spent inside the generator so far, where they are measured.
        parting: What it returned when it was closed, None for nothing.
    """

    __slots__ = ("_next", "_steps", "parting", "spent")

    def __init__(self, steps: Generator[Any, Any, Any]) -> None:
        self._steps = steps
        self._next = steps.__next__
        self.spent = 0.0
        self.parting: Any = None

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        return self._next()

    def send(self, value: Any) -> Any:
        """Go on with a value."""
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        return self._steps.throw(*error)

    def close(self) -> None:
        """End it, and keep what it returns then (Python 3.13 and later)."""
        self.parting = self._steps.close()  # type: ignore[func-returns-value] # it does, from 3.13 on


class _TimedSteps(Steps):
    """The same, with a stopwatch that runs while the generator does."""

    __slots__ = ("_clock",)

    def __init__(self, steps: Generator[Any, Any, Any], clock: Callable[[], float]) -> None:
        super().__init__(steps)
        self._clock = clock

    def _timed(self, step: Callable[..., Any], *args: Any) -> Any:
        began = self._clock()
        try:
            return step(*args)
        finally:
            self.spent += self._clock() - began

    def __next__(self) -> Any:
        return self._timed(self._next)

    def send(self, value: Any) -> Any:
        return self._timed(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        return self._timed(self._steps.throw, *error)

    def close(self) -> None:
        self._timed(super().close)


def steps_of(steps: Generator[Any, Any, Any], clock: Callable[[], float]) -> Steps:
    """The steps of a generator, timed where *clock* is one and not `float`."""
    return Steps(steps) if clock is float else _TimedSteps(steps, clock)
