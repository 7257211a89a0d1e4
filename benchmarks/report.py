"""The results as Markdown."""

from collections.abc import Iterator
from typing import Any

from benchmarks.row import OURS
from benchmarks.verdict import MISS, NOT_MEASURED

__all__ = ["markdown"]

Results = dict[str, Any]


def markdown(results: Results) -> str:
    """The whole report.

    Args:
        results: ``machine``, ``effort`` and ``runs``, as in ``results.json``.
    """
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    machine, runs = results["machine"], results["runs"]
    plain = [run for run in runs if not run["locked"]]
    locked = [run for run in runs if run["locked"]]
    yield "# What a guarded call costs"
    yield ""
    yield f"{machine['model']}, {machine['cores']} cores, {machine['system']}; `make bench` measures it again."
    if results["effort"] != "full":
        yield ""
        yield "**A quick run: good for a first look, too short for a verdict.**"
    yield ""
    yield "R is an empty `functools.wraps` decorator around the same function, called in the same loop in the"
    yield "same interleaved rounds; each time is the minimum of its rounds, and the loop's own cost is in all of them."
    yield "A ratio is the median of those of several processes. A value up to 10 % beyond its bar is marked as noise."
    if plain and not plain[0]["resilience"]:
        yield ""
        yield "`resilience` could not be imported: the peers' columns only."
    yield ""
    yield from _summary(plain)
    yield ""
    yield from _misses(runs)
    if locked:
        yield ""
        yield "## With the locks of a build without the GIL"
        yield ""
        yield "The same interpreters, with the library told that there is no GIL, so that it takes its locks."
        yield ""
        yield from _summary(locked)
    for run in plain:
        yield ""
        yield from _details(run)


def _summary(runs: list[Results]) -> Iterator[str]:
    """One line a row, one column a Python."""
    if not runs:
        return
    names = [run["python"] for run in runs]
    yield _line("path", "unit", "bar", *names, f"best peer ({names[0]})")
    yield _line(*["---"] * (len(names) + 4))
    for at, row in enumerate(runs[0]["rows"]):
        same = [run["rows"][at] for run in runs]
        yield _line(row["title"], row["unit"], _bars(names, same), *map(_verdict, same), _best(row))


def _bars(names: list[str], rows: list[Results]) -> str:
    first = rows[0]["bar"]
    if first is None:
        return ""
    sign = "≥" if rows[0]["higher_is_better"] else "≤"
    others = [f"{name}: {_number(row['bar'])}" for name, row in zip(names, rows, strict=True) if row["bar"] != first]
    return f"{sign} {_number(first)}" + (f" ({', '.join(others)})" if others else "")


def _verdict(row: Results) -> str:
    if row["ours"] is None:
        return "-"
    mark = f"**{MISS}**" if row["verdict"] == MISS else row["verdict"]
    return f"{_number(row['ours'])} {mark}".strip()


def _ours(row: Results) -> str:
    """The value, and the smallest and largest of the processes'."""
    if row["ours"] is None:
        return "-"
    spread = row["spread"]
    return _number(row["ours"]) + (f" ({_number(spread[0])} to {_number(spread[1])})" if spread else "")


def _best(row: Results) -> str:
    name = row["best_peer"]
    return "" if name is None else f"{_number(row['values'][name])} {name}"


def _misses(runs: list[Results]) -> Iterator[str]:
    yield "## Misses"
    yield ""
    found = [
        f"- {run['python']}{', locks taken' if run['locked'] else ''}: {row['title']}: {_number(row['ours'])} "
        f"{row['unit']}, the bar is {_number(row['bar'])}."
        for run in runs
        for row in run["rows"]
        if row["verdict"] == MISS
    ]
    unmeasured = sum(row["verdict"] == NOT_MEASURED for run in runs for row in run["rows"])
    if unmeasured:
        found.append(f"- {unmeasured} results with a bar were not measured.")
    yield from found or ["None: every bar is reached."]


def _details(run: Results) -> Iterator[str]:
    """Every candidate of every row on one Python."""
    yield f"## Python {run['python']}, all candidates"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
    yield f"{versions or 'No peers'}."
    yield ""
    yield _line("path", "unit", "reference", "noise", OURS, "peers")
    yield _line(*["---"] * 6)
    for row in run["rows"]:
        reference = row["nanoseconds"].get("reference")
        noise = row["noise"]
        peers = {name: value for name, value in row["values"].items() if name != OURS}
        order = sorted(peers.items(), key=lambda item: item[1], reverse=row["higher_is_better"])
        yield _line(
            row["title"],
            row["unit"],
            "" if reference is None else f"{reference:.0f} ns",
            "" if noise is None else f"{noise:.1%}",
            _ours(row),
            ", ".join(f"{name} {_number(value)}" for name, value in order),
        )
    remarks = [
        f"- {row['title']}: {' '.join(row['notes'] + [f'{name}: {reason}.' for name, reason in row['errors'].items()])}"
        for row in run["rows"]
        if row["notes"] or row["errors"]
    ]
    if remarks:
        yield ""
        yield from remarks


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float) -> str:
    """Three digits that matter, never an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value else "0"
