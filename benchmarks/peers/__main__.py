"""Run every check on every peer and on this library: ``python -m benchmarks.peers``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.peers.breaker_adapters import BREAKERS
from benchmarks.peers.breaker_calls import CALL_ROWS
from benchmarks.peers.breaker_shapes import SHAPE_ROWS
from benchmarks.peers.breakers import BREAKER_ROWS
from benchmarks.peers.limiter_adapters import LIMITERS
from benchmarks.peers.limiter_lines import LINE_ROWS
from benchmarks.peers.limiters import LIMITER_ROWS
from benchmarks.peers.report import OURS, Result, markdown, summary, text
from benchmarks.peers.row import Adapter, Lab, Row

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
SECONDS_A_CHECK = 12.0
TRIES_AFTER_A_CRASH = 3
NO_ANSWER, NOT_IMPORTABLE = 3, 4

Table = tuple[tuple[Row[Any, Any], dict[str, Adapter[Any, Any]]], ...]
TABLE: Table = (
    *((row, BREAKERS) for row in (*BREAKER_ROWS, *CALL_ROWS, *SHAPE_ROWS)),
    *((row, LIMITERS) for row in (*LIMITER_ROWS, *LINE_ROWS)),
)


def _version(distribution: str, library: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        # This library may be run from its checkout, without having been installed.
        return "checkout" if library == OURS else None


def _check_here(number: str, library: str) -> None:
    """Run one check in this process, which it may leave full of threads, patched modules and closed loops."""
    row, adapters = next(entry for entry in TABLE if entry[0].number == number)
    code = 0
    try:
        observed = row.check(Lab(adapters[library], virtual=row.virtual))
    except Exception as error:  # noqa: BLE001 - whatever it is, the table says so
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        code = NOT_IMPORTABLE if isinstance(error, ImportError) else NO_ANSWER
    else:
        sys.stdout.write(json.dumps([observed.figure, observed.faulty]))
    sys.stdout.flush()
    # Not sys.exit: a check that leaves a thread behind must not keep the process.
    os._exit(code)


def _verdict(library: str, *, faulty: bool) -> str:
    if faulty:
        return "faulty"
    return "sound" if library == OURS else "not reproduced"


def _asked(row: Row[Any, Any], library: str) -> tuple[str, str]:
    """The figure and the verdict of a check that runs in a process of its own, for a bounded time."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.peers", "--check", row.number, library]
    code = 0
    for _ in range(TRIES_AFTER_A_CRASH):
        try:
            done = subprocess.run(  # noqa: S603 - this module, by this interpreter
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS_A_CHECK,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {SECONDS_A_CHECK:.0f} s", "no verdict"
        last = (done.stdout.splitlines() or ["no answer"])[-1]
        code = done.returncode
        if code == 0:
            figure, faulty = json.loads(last)
            return figure, _verdict(library, faulty=faulty)
        if code > 0:
            return last, "not importable" if code == NOT_IMPORTABLE else "no verdict"
        # limits can crash the interpreter under threads; that alone says nothing about the row.
    return f"the interpreter died {TRIES_AFTER_A_CRASH} times: {signal.strsignal(-code)}", "crashed"


def _check(row: Row[Any, Any], adapter: Adapter[Any, Any], library: str) -> Result:
    version = _version(adapter.distribution, library)
    figure, verdict = ("", "not installed") if version is None else _asked(row, library)
    return Result(row.number, row.fault, library, version or "", figure, verdict)


def _results() -> Iterator[Result]:
    """Check everything: what moves its own clock side by side, what really waits one after the other."""
    for virtual in (True, False):
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1) if virtual else 1) as pool:
            yield from pool.map(
                lambda job: _check(*job),
                [
                    (row, adapters[library], library)
                    for row, adapters in TABLE
                    if row.virtual == virtual
                    for library in (*row.peers, OURS)
                ],
            )


def main() -> int:
    """Print the table, write it to ``benchmarks/PEERS.md``, and tell by the exit code whether this library held."""
    started = time.perf_counter()
    numbers = [row.number for row, _ in TABLE]
    numbers.sort(key=lambda number: (int(number.rstrip("b")), number))
    results = sorted(_results(), key=lambda result: numbers.index(result.number))
    (ROOT / "benchmarks" / "PEERS.md").write_text(markdown(results), encoding="utf-8")
    took = time.perf_counter() - started
    sys.stdout.write(f"{text(results)}\n\n{summary(results)}\nTook {took:.0f} s.\n")
    return 0 if all(result.verdict == "sound" for result in results if result.library == OURS) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        _check_here(*sys.argv[2:])
    sys.exit(main())
