"""Candidates timed against a reference, in the same rounds."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError
from typing import Any

from benchmarks.effort import Effort
from benchmarks.loop import Loop, Timed, interleaved
from benchmarks.reference import Failure, empty
from benchmarks.row import Outcome

__all__ = ["Maker", "Ratio", "why"]

Maker = Callable[[Callable[..., Any]], Any]
"""Takes the function and gives the guarded one."""

_REFERENCE, _AGAIN = "reference", "reference again"
_QUIET, _TRIES = 0.02, 4
"""A reference farther from itself than that asks for more rounds, so many times at most."""


def why(error: BaseException) -> str:
    """One line that says what went wrong, without anything of the machine in it."""
    if isinstance(error, ImportError | PackageNotFoundError):
        return "not installed"
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Measures how many times the reference's cost each candidate's call costs.

    Args:
        subject: The function that is guarded.
        makers: Candidate -> decorator.
        loop: How a candidate is called.
        reference: The decorator that everything is divided by.
        colour: ``"sync"``, ``"method"`` or ``"async"``.
        trip: Make the circuits open, or the buckets empty, before the rounds.
    """

    subject: Callable[..., Any]
    makers: Mapping[str, Maker]
    loop: Loop = field(default_factory=Loop)
    reference: Maker = empty
    colour: str = "sync"
    trip: bool = False

    def __call__(self, effort: Effort) -> Outcome:
        """Run the rounds."""
        outcome = Outcome()
        with ExitStack() as stack:
            loop = self.loop
            if self.colour == "async":
                loop = replace(loop, runner=stack.enter_context(asyncio.Runner()))
            elif self.colour == "method":
                loop = replace(loop, call=loop.call.replace("f(", "f.method("))
            timed: dict[str, Timed] = {}
            for name in (_REFERENCE, _AGAIN):
                timed[name] = loop.timed(self._candidate(self.reference))
            for name, maker in self.makers.items():
                try:
                    candidate = self._candidate(maker)
                    timed[name] = loop.timed(candidate)
                    self._check(loop, timed[name], candidate)
                except Exception as error:  # noqa: BLE001 - A peer that fails loses its column only.
                    timed.pop(name, None)
                    outcome.errors[name] = why(error)
            best = dict.fromkeys(timed, float("inf"))
            for _ in range(_TRIES):
                more = interleaved(timed, effort.rounds, effort.slice_seconds)
                best = {name: min(seconds, more[name]) for name, seconds in best.items()}
                outcome.noise = max(best[_REFERENCE], best[_AGAIN]) / min(best[_REFERENCE], best[_AGAIN]) - 1
                if outcome.noise < _QUIET:
                    break
        once, again = best.pop(_REFERENCE), best.pop(_AGAIN)
        outcome.nanoseconds = {_REFERENCE: min(once, again) * 1e9}
        for name, seconds in best.items():
            outcome.values[name] = seconds / min(once, again)
            outcome.nanoseconds[name] = seconds * 1e9
        return outcome

    def _candidate(self, maker: Maker) -> Any:
        if self.colour != "method":
            return maker(self.subject)
        return type("Service", (), {"method": maker(_as_method(self.subject))})()

    def _check(self, loop: Loop, timed: Timed, candidate: Any) -> None:
        """Bring the candidate into the state to be measured, and prove that it is there."""
        timed(3)
        if not self.trip:
            return
        timed(20)
        raised = _outcome(loop, candidate)
        if raised is None or isinstance(raised, Failure):
            msg = "did not reject"
            raise RuntimeError(msg)


def _as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    if function.__code__.co_argcount != 1:
        msg = "a method row takes a function of one argument"
        raise ValueError(msg)

    def method(self: Any, x: Any) -> Any:  # noqa: ARG001 - It stands for a method.
        return x

    return method


def _outcome(loop: Loop, candidate: Any) -> Exception | None:
    """What one call raises, or None."""

    async def awaited() -> None:
        await candidate(1)

    try:
        if loop.runner is None:
            candidate(1)
        else:
            loop.runner.run(awaited())
    except Exception as error:  # noqa: BLE001 - The question is which one it is.
        return error
    return None
