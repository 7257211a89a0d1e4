"""The timed loop: one source for all candidates, one compiled copy for each."""

import asyncio
import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle, islice, repeat
from time import perf_counter
from typing import Any

__all__ = ["Loop", "Timed", "calls_in", "interleaved"]

Timed = Callable[[int], float]
"""Makes that many calls and says how many seconds they took."""

_TEMPLATE = """
{head}def loop(f, n):
    xs = items(n)
    start = clock()
    for x in xs:
        {body}
    return clock() - start
"""
_CAUGHT = """try:
            {call}
        except Exception:
            pass"""


def _ones(n: int) -> Iterable[int]:
    return repeat(1, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How a candidate is called.

    Args:
        call: The call, written with ``f`` and ``x``; awaited when *runner* is given.
        caught: Every call raises, and the loop catches it.
        keys: What ``x`` goes through, in a circle; 1 for ever without.
        runner: Runs the loop as one coroutine, so that the event loop turns once a round and
            its own cost does not show.
    """

    call: str = "f(x)"
    caught: bool = False
    keys: tuple[Any, ...] = ()
    runner: asyncio.Runner | None = None

    def timed(self, candidate: Any) -> Timed:
        """A fresh compiled copy of the loop around *candidate*."""
        head, call = ("", self.call) if self.runner is None else ("async ", f"await {self.call}")
        body = _CAUGHT.format(call=call) if self.caught else call
        source = _TEMPLATE.format(head=head, body=body)
        namespace: dict[str, Any] = {"clock": perf_counter, "items": self._items()}
        # Compiled anew each time: a shared code object would share its inline caches, and each
        # candidate would undo the specialisation that the one before it had earned.
        exec(compile(source, "<timed loop>", "exec"), namespace)  # noqa: S102
        loop = namespace["loop"]
        if self.runner is None:
            return lambda n: float(loop(candidate, n))
        run = self.runner.run
        return lambda n: float(run(loop(candidate, n)))

    def _items(self) -> Callable[[int], Iterable[Any]]:
        if not self.keys:
            return _ones
        circle = cycle(self.keys)
        return lambda n: islice(circle, n)


def calls_in(timed: Timed, seconds: float) -> int:
    """How many calls fill about *seconds*; also warms the call up."""
    n = 1
    while True:
        spent = min(timed(n) for _ in range(3))
        if spent * 4 > seconds or n >= 1 << 24:
            return max(1, int(n * seconds / max(spent, 1e-9)))
        n *= 2


def interleaved(timed: dict[str, Timed], rounds: int, seconds: float) -> dict[str, float]:
    """Seconds a call for each candidate: the minimum over interleaved rounds."""
    counts = {name: calls_in(run, seconds) for name, run in timed.items()}
    best = dict.fromkeys(timed, float("inf"))
    names = list(timed)
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            at = turn % len(names)  # Nobody always runs right behind the same neighbour.
            for name in names[at:] + names[:at]:
                spent = timed[name](counts[name]) / counts[name]
                best[name] = min(best[name], spent)
    finally:
        if was_on:
            gc.enable()
    return best
