"""All rows, and their run in one interpreter."""

import json
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import calls, crowd, decoration, imports, keys, refusals
from benchmarks.bar import gil_is_on
from benchmarks.effort import Effort
from benchmarks.ratio import why
from benchmarks.row import OURS, Row
from benchmarks.venvs import PEERS
from benchmarks.verdict import verdict

__all__ = ["every_row", "work"]


def every_row() -> Iterator[Row]:
    """The table, from top to bottom."""
    for source in (calls, refusals, crowd, keys, decoration, imports):
        yield from source.rows()


def work(only: str, effort: Effort, target: Path, *, locked: bool, again: bool) -> None:
    """Run rows in this interpreter, and write what they measured to a file.

    Args:
        only: Part of the names of the rows to run; empty for all.
        effort: How much to put into each row.
        target: The file.
        locked: Make the library take the locks that it needs without a global lock, and run the rows where they show.
        again: Run the repeated rows only.
    """
    rows = [row for row in every_row() if only in row.name and (row.repeated or not again)]
    label = python_label()
    if locked:
        possible = gil_is_on() and find_spec(OURS) is not None
        rows = [row for row in rows if row.locked and possible]
        # What the library asks when it is imported, and what the bars ask.
        vars(sys)["_is_gil_enabled"] = lambda: False
    results = {
        "python": label,
        "implementation": platform.python_implementation(),
        "locked": locked,
        "resilience": find_spec(OURS) is not None,
        "packages": _versions(),
        "rows": list(_measured(rows, effort, label + (", locks taken" if locked else ""))),
    }
    target.write_text(json.dumps(results), encoding="utf-8")


def python_label() -> str:
    """The version, with a ``t`` where there is no global lock."""
    return platform.python_version() + ("" if gil_is_on() else "t")


def _measured(rows: list[Row], effort: Effort, label: str) -> Iterator[dict[str, Any]]:
    """Each row's results, saying how far it is."""
    for number, row in enumerate(rows, 1):
        start = perf_counter()
        _say(f"{label} [{number:2}/{len(rows)}] {row.title} ... ", end="")
        try:
            result = row.run(effort)
        except Exception as error:  # noqa: BLE001 - One row that fails must not cost the others.
            _say(f"failed: {why(error)}")
            result = row.failed(why(error))
        else:
            ours = result["values"].get(OURS)
            value = "-" if ours is None else f"{ours:.3g} {row.unit}"
            _say(f"{value} {verdict(result)} ({perf_counter() - start:.1f} s)")
        yield result


def _versions() -> dict[str, str]:
    found = {}
    for requirement in PEERS:
        name = requirement.partition("==")[0]
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _say(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()
