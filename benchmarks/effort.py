"""How much work a run puts into each row."""

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The size of a run.

    Args:
        processes: Processes for each row of calls, of whose ratios the median counts.
        rounds: Interleaved rounds in a row of calls.
        slice_seconds: How long one candidate runs in one round.
        thread_rounds: Rounds in the threaded row.
        thread_seconds: How long one candidate's threads run in one round.
        imports: Fresh processes for each import measured.
        decorations: Different signatures decorated.
        keys: Live keys in the keys row.
        key_runs: Fresh processes whose smallest worst pause is kept.
    """

    processes: int
    rounds: int
    slice_seconds: float
    thread_rounds: int
    thread_seconds: float
    imports: int
    decorations: int
    keys: int
    key_runs: int


FULL = Effort(
    processes=5,
    rounds=40,
    slice_seconds=0.001,
    thread_rounds=20,
    thread_seconds=0.04,
    imports=20,
    decorations=200,
    keys=1_000_000,
    key_runs=3,
)
QUICK = Effort(
    processes=1,
    rounds=25,
    slice_seconds=0.0005,
    thread_rounds=5,
    thread_seconds=0.02,
    imports=4,
    decorations=40,
    keys=100_000,
    key_runs=1,
)
