"""The row of eight threads on one breaker."""

import gc
import threading
from collections.abc import Iterator
from time import perf_counter

from benchmarks import rival_breakers as breakers
from benchmarks.bar import Bar
from benchmarks.effort import Effort
from benchmarks.loop import Loop, Timed, calls_in
from benchmarks.ours import breaker, limiter, ours
from benchmarks.ratio import Maker, why
from benchmarks.reference import empty
from benchmarks.row import Outcome, Row
from benchmarks.subjects import fn

__all__ = ["rows"]

_THREADS = 8
_REFERENCE = "reference"


def rows() -> Iterator[Row]:
    """Throughput of one shared policy under eight threads, as a share of R's."""
    makers = ours(breaker()) | breakers.closed(breakers.SYNC)
    yield Row(
        name="threads-breaker",
        title="8 threads on one breaker: throughput, of R's under the same threads",
        unit="R's throughput",
        locked=True,
        bar=Bar(limit=0.9, higher=True),
        measure=lambda effort: _measure(effort, makers),
    )
    yield Row(
        name="threads-limiter",
        title="8 threads on one limiter: throughput, of R's under the same threads",
        unit="R's throughput",
        locked=True,
        measure=lambda effort: _measure(effort, ours(limiter(admitting=True))),
    )


def _measure(effort: Effort, makers: dict[str, Maker]) -> Outcome:
    outcome = Outcome()
    timed: dict[str, Timed] = {_REFERENCE: Loop().timed(empty(fn))}
    for name, maker in makers.items():
        try:
            timed[name] = Loop().timed(maker(fn))
            timed[name](3)
        except Exception as error:  # noqa: BLE001 - A peer that fails loses its column only.
            timed.pop(name, None)
            outcome.errors[name] = why(error)
    counts = {name: max(1, calls_in(run, effort.thread_seconds) // _THREADS) for name, run in timed.items()}
    best = dict.fromkeys(timed, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(effort.thread_rounds):
            for name, run in timed.items():
                best[name] = min(best[name], _together(run, counts[name]))
    finally:
        gc.enable()
    reference = best.pop(_REFERENCE)
    outcome.nanoseconds = {_REFERENCE: reference * 1e9}
    for name, seconds in best.items():
        outcome.values[name] = reference / seconds
        outcome.nanoseconds[name] = seconds * 1e9
    return outcome


def _together(run: Timed, calls: int) -> float:
    """Seconds a call, all threads together, from the first start to the last end."""
    started: list[float] = []
    ended: list[float] = []
    line = threading.Barrier(_THREADS)

    def body() -> None:
        line.wait()
        started.append(perf_counter())
        run(calls)
        ended.append(perf_counter())

    threads = [threading.Thread(target=body) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (max(ended) - min(started)) / (calls * _THREADS)
