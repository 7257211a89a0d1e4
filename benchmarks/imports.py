"""The row of import time, in fresh processes."""

import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from benchmarks.bar import Bar
from benchmarks.effort import Effort
from benchmarks.row import OURS, Outcome, Row

__all__ = ["rows"]

_FLOOR_MS = 60.0
_SHARE_OF_ASYNCIO = 0.6
_LAZY = ("asyncio", "trio", "redis", "http.server", "wrapt", "typing_extensions")
_MODULES = {
    OURS: "resilience",
    "asyncio": "asyncio",
    "pybreaker": "pybreaker",
    "circuitbreaker": "circuitbreaker",
    "aiobreaker": "aiobreaker",
    "purgatory": "purgatory",
    "interlock-cb": "interlock",
    "limits": "limits",
    "throttled-py": "throttled",
    "pyrate-limiter": "pyrate_limiter",
    "aiolimiter": "aiolimiter",
    "tenacity": "tenacity",
    "stamina": "stamina",
}


def rows() -> Iterator[Row]:
    """Milliseconds that the import adds to the start of the interpreter."""
    yield Row(
        name="import",
        title="import time over bare interpreter start",
        unit="ms",
        bar=Bar(limit=_FLOOR_MS),
        measure=_measure,
    )
    yield Row(
        name="import-lazy",
        title="modules imported too early by `import resilience`",
        unit="modules",
        bar=Bar(limit=0, tolerance=0),
        measure=_lazy,
    )


def _measure(effort: Effort) -> Outcome:
    outcome = Outcome()
    code = {"": "pass"} | {name: f"import {module}" for name, module in _MODULES.items()}
    best: dict[str, float] = {}
    for name, source in code.items():  # Once unmeasured: it writes the bytecode and fills caches.
        if _run(source) is None:
            outcome.errors[name] = "not installed"
        else:
            best[name] = float("inf")
    for _ in range(effort.imports):
        for name, least in best.items():
            best[name] = min(least, _run(code[name]) or least)
    bare = best.pop("")
    outcome.values = {name: (seconds - bare) * 1e3 for name, seconds in best.items()}
    asyncio = outcome.values.pop("asyncio")
    outcome.limit = max(_FLOOR_MS, _SHARE_OF_ASYNCIO * asyncio)
    outcome.notes = [
        f"Bare start {bare * 1e3:.1f} ms; `import asyncio` {asyncio:.1f} ms over it.",
        f"The bar is the larger of {_FLOOR_MS:.0f} ms and {_SHARE_OF_ASYNCIO} of the latter.",
    ]
    return outcome


def _run(source: str) -> float | None:
    """Seconds that a fresh interpreter takes to run *source*; None when it fails."""
    start = perf_counter()
    done = subprocess.run(  # noqa: S603 - Our own interpreter and our own source.
        [sys.executable, "-c", source], capture_output=True, check=False
    )
    spent = perf_counter() - start
    return spent if done.returncode == 0 else None


def _lazy(_effort: Effort) -> Outcome:
    source = (
        "import sys; before = set(sys.modules); import resilience; "
        f"print(*sorted({{*{_LAZY!r}}} & ({{*sys.modules}} - before)))"
    )
    done = subprocess.run(  # noqa: S603 - Our own interpreter and our own source.
        [sys.executable, "-c", source], capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        return Outcome(errors={OURS: "not installed"})
    early = done.stdout.split()
    notes = [f"Imported too early: {', '.join(early)}."] if early else []
    return Outcome(values={OURS: float(len(early))}, notes=notes)
