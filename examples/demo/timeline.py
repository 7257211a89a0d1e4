"""The live view: a row for each half second, and a line for each thing that happens."""

from __future__ import annotations

import os
import shutil
import statistics
from typing import TextIO

from examples.demo.tally import Counts, Tally

__all__ = ["Timeline"]

STRETCH = 0.5
"""Seconds that a row stands for."""

HEAD = (
    "                                              rejected by           latency, ms",
    "   time  service   circuit   calls admitted breaker limiter failed median worst",
)
COLOURS = {"closed": "\x1b[32m", "half-open": "\x1b[33m", "open": "\x1b[31m"}


class Timeline:
    """Rows and marks; on a terminal the present row is live and the circuit coloured, elsewhere lines are plain.

    Args:
        out: Where to print.
        tally: What to print.
        now: Monotonic seconds at the start.
        plain: Whether to print finished lines only, without colours; by default, unless *out* is a terminal.
    """

    def __init__(self, out: TextIO, tally: Tally, now: float, *, plain: bool | None = None) -> None:
        self._out = out
        self._tally = tally
        self._start_at = now
        self._due_at = now + STRETCH
        self._plain = plain_by_default(out) if plain is None else plain
        self._coloured = not self._plain and "NO_COLOR" not in os.environ
        for line in HEAD:
            self._print(line[: self._width()])

    def tick(self, now: float, service: str, circuit: str) -> None:
        """Show what has come to pass by *now*.

        Args:
            now: Monotonic seconds.
            service: How the service fares at present.
            circuit: The circuit's state at present.
        """
        if now >= self._due_at:
            self._print(self._row(now, service, circuit, self._tally.take()))
            self._due_at = max(self._due_at + STRETCH, now)
        elif not self._plain:
            row = self._row(now, service, circuit, self._tally.look())
            # No line end: the next row, or mark, is written over this one.
            self._out.write(f"\r{row}\x1b[K")
            self._out.flush()

    def mark(self, at: float, text: str) -> None:
        """Print a line of its own: *text*, which became true at *at* (monotonic seconds)."""
        self._print(f"{self._time(at)}  -- {text}"[: self._width()])

    def end(self) -> None:
        """Leave a live row behind."""
        if not self._plain:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _print(self, line: str) -> None:
        self._out.write(f"{line}\n" if self._plain else f"\r{line}\x1b[K\n")
        self._out.flush()

    def _time(self, at: float) -> str:
        return f"{max(0.0, at - self._start_at):5.1f} s"

    def _row(self, now: float, service: str, circuit: str, counts: Counts) -> str:
        median = worst = "-"
        if counts.latencies:
            median = f"{statistics.median(counts.latencies) * 1000:.0f}"
            worst = f"{max(counts.latencies) * 1000:.0f}"
        cells = (
            f"{self._time(now)}  {service:<8}  {circuit:<9} {counts.calls:5} {counts.admitted:8} "
            f"{counts.by_breaker:7} {counts.by_limiter:7} {counts.failed:6} {median:>6} {worst:>5}"
        )[: self._width()]
        if not self._coloured:
            return cells
        return cells.replace(circuit, f"{COLOURS.get(circuit, '')}{circuit}\x1b[0m", 1)

    def _width(self) -> int:
        # One column short: a full line would wrap, and then \r no longer leads back to its beginning.
        return 200 if self._plain else max(20, shutil.get_terminal_size().columns - 1)


def plain_by_default(out: TextIO) -> bool:
    """Whether *out* is anything but a terminal that can move its cursor."""
    return not out.isatty() or os.environ.get("TERM", "dumb") == "dumb"
