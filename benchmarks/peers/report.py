"""The table as text and as Markdown."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["OURS", "Result", "markdown", "summary", "text"]

OURS = "resilience"


@dataclass(frozen=True, slots=True)
class Result:
    """What one check saw in one library."""

    number: str
    fault: str
    library: str
    version: str
    figure: str
    verdict: str
    """``faulty``; ``sound`` (this library) or ``not reproduced`` (a peer); else why there is no verdict."""


def text(results: Sequence[Result]) -> str:
    """The table for a terminal, grouped by fault."""
    wide = max(len(f"{result.library} {result.version}") for result in results)
    lines: list[str] = []
    fault = ""
    for result in results:
        if result.number != fault:
            fault = result.number
            lines += ["", f"{result.number}. {result.fault}"]
        who = f"{result.library} {result.version}"
        lines.append(f"    {who:{wide}}  {result.verdict:14}  {result.figure}")
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """How many of the checks found what, in two sentences."""
    peers = Counter(result.verdict for result in results if result.library != OURS)
    ours = Counter(result.verdict for result in results if result.library == OURS)
    return (
        f"Peers: {', '.join(f'{count} {verdict}' for verdict, count in peers.most_common())}. "
        f"This library: {', '.join(f'{count} {verdict}' for verdict, count in ours.most_common())}."
    )


def markdown(results: Sequence[Result]) -> str:
    """The table as a page, with everything needed to run it again."""
    lines = [
        "# The faults of others, side by side",
        "",
        "Written by `make peers` (`python -m benchmarks.peers`). Each check runs on the installed peers in which its",
        "fault was found and, the same code, on this library; each run is a process of its own with a time limit.",
        "A peer's verdict is *faulty* or *not reproduced*, this library's is *sound* or *faulty*. Faults found only in",
        "libraries of other languages are not here; `tests/faults/` has those too.",
        "",
        f"{platform.python_implementation()} {platform.python_version()}. {summary(results)}",
        "",
        "| # | fault | library | version | observed | verdict |",
        "|---|---|---|---|---|---|",
    ]
    number = ""
    for result in results:
        first = result.number != number
        number = result.number
        library = f"**{result.library}**" if result.library == OURS else result.library
        verdict = f"**{result.verdict}**" if result.verdict == "faulty" else result.verdict
        figure = result.figure.replace("|", "\\|")
        head = f"{number} | {result.fault}" if first else " | "
        lines.append(f"| {head} | {library} | {result.version} | {figure} | {verdict} |")
    return "\n".join([*lines, ""])
