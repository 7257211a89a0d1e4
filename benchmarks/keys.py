"""Rows of a limiter that holds a million live keys.

Each limiter runs in processes of its own (``python -m benchmarks.keys NAME COUNT MODE``): one
under tracemalloc for the bytes, several without for the pauses. The keys exist beforehand and the
collector is told to leave them alone, so neither their memory nor their traversal is counted; in
all else the collector runs as it does in a service.
"""

import functools
import gc
import json
import subprocess
import sys
import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from benchmarks.bar import Bar
from benchmarks.effort import Effort
from benchmarks.rival_limiters import admits_keys
from benchmarks.row import OURS, Outcome, Row

__all__ = ["rows"]

_DICT = "a bare dict"
_EMPTY = "a call that does nothing (the machine's own pauses)"
_PAUSES, _BYTES = "pauses", "bytes"


def rows() -> Iterator[Row]:
    """Bytes a key, the worst pause, and the pause of the thousandth-worst call."""
    yield Row(
        name="keys-bytes",
        title="a million live keys: bytes a key, beyond the key itself",
        unit="bytes",
        bar=Bar(limit=100, tolerance=0),
        measure=lambda effort: _outcome(effort, "bytes"),
    )
    yield Row(
        name="keys-worst-pause",
        title="a million live keys: the worst single call",
        unit="ms",
        bar=Bar(limit=10),
        measure=lambda effort: _outcome(effort, "worst"),
    )
    yield Row(
        name="keys-p99.9",
        title="a million live keys: 99.9 % of calls are at most",
        unit="µs",
        measure=lambda effort: _outcome(effort, "p999"),
    )


def _outcome(effort: Effort, figure: str) -> Outcome:
    outcome = Outcome(notes=[f"{effort.keys:,} keys."])
    for name in (OURS, *admits_keys()):
        figures = _figures(name, effort)
        if figures is None:
            outcome.errors[name] = "failed, or not installed"
        else:
            outcome.values[name] = figures[figure]
    if figure == _BYTES:
        outcome.notes.append("The others' bytes are from a tenth of the keys.")
    else:
        outcome.notes.append(f"Ours: the smallest of {effort.key_runs} processes; the others': of one.")
    for name in (_DICT, _EMPTY):
        figures = _figures(name, effort)
        if figures is not None and (figure != _BYTES or name == _DICT):
            outcome.notes.append(f"For comparison, {name}: {figures[figure]:.3g}.")
    return outcome


@functools.cache
def _figures(name: str, effort: Effort) -> dict[str, float] | None:
    """All figures of one limiter; None when it does not run.

    The other libraries take minutes under tracemalloc, so a tenth of the keys has to do there.
    """
    thorough = name in {OURS, _DICT, _EMPTY}
    held = _process(name, effort.keys if thorough else effort.keys // 10, _BYTES)
    if held is None:
        return None
    runs = effort.key_runs if thorough else 1
    found = [run for run in (_process(name, effort.keys, _PAUSES) for _ in range(runs)) if run]
    if not found:
        return None
    return held | {figure: min(run[figure] for run in found) for figure in found[0]}


def _process(name: str, count: int, mode: str) -> dict[str, float] | None:
    done = subprocess.run(  # noqa: S603 - Our own interpreter and our own module.
        [sys.executable, "-m", "benchmarks.keys", name, str(count), mode],
        capture_output=True,
        check=False,
        text=True,
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


def _allow(name: str) -> Callable[[str], Any]:
    """The call that admits one use of a key, and leaves the key alive."""
    if name == OURS:
        # An hour to be full again: no key goes idle during the run.
        bucket = import_module("resilience").TokenBucket(rate=10, capacity=10, per=3600.0)
        return lambda key: bucket.allow(1, key)
    if name == _DICT:
        table: dict[str, int] = {}

        def put(key: str) -> None:
            table[key] = perf_counter_ns()

        return put
    if name == _EMPTY:
        return lambda _: None
    guarded: Callable[[str], Any] = admits_keys()[name](lambda key: key)
    return guarded


def _bytes(allow: Callable[[], Callable[[str], Any]], keys: list[str]) -> dict[str, float]:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call = allow()
    for key in keys:
        call(key)
    gc.collect()
    return {"bytes": (tracemalloc.get_traced_memory()[0] - before) / len(keys)}


def _pauses(allow: Callable[[], Callable[[str], Any]], keys: list[str]) -> dict[str, float]:
    spans = array("q", bytes(8 * len(keys)))
    call = allow()
    for index, key in enumerate(keys):
        start = perf_counter_ns()
        call(key)
        spans[index] = perf_counter_ns() - start
    ordered = sorted(spans)
    return {"worst": ordered[-1] / 1e6, "p999": ordered[int(len(ordered) * 0.999)] / 1e3}


def _main(name: str, count: int, mode: str) -> None:
    keys = [f"user-{number:07}" for number in range(count)]
    _allow(name)(keys[0])  # Brings the library's imports, so that they are not counted.
    gc.collect()
    gc.freeze()
    measure = {_BYTES: _bytes, _PAUSES: _pauses}[mode]
    print(json.dumps(measure(lambda: _allow(name), keys)))  # noqa: T201 - For the parent process.


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
