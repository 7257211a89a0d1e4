"""A row of the table: what it measures, what it must reach, what came out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.bar import Bar
from benchmarks.effort import Effort

__all__ = ["OURS", "Outcome", "Row"]

OURS = "resilience"
"""The name of this library's column."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a row measured.

    Args:
        values: Candidate -> value in the row's unit; this library's under ``OURS``.
        nanoseconds: Candidate -> nanoseconds a call, where calls were timed.
        errors: Candidate -> why it has no value.
        noise: How far apart the reference was from itself, as a share.
        limit: The limit, where it depends on something measured in the same run.
        notes: Sentences for the reader.
    """

    values: dict[str, float] = field(default_factory=dict)
    nanoseconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    noise: float | None = None
    limit: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        name: A short name for ``--only``.
        title: What the reader sees.
        unit: What the values are counted in.
        measure: Does the work.
        bar: What this library must reach; None when nothing is promised.
        locked: Worth a second look with the locks of a build without the global lock.
        repeated: Measured in several processes: where the allocator puts a function moves its calls by some percent.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Effort], Outcome]
    bar: Bar | None = None
    locked: bool = False
    repeated: bool = False

    def run(self, effort: Effort) -> dict[str, Any]:
        """Measure, and give everything as plain data."""
        return self._data(self.measure(effort))

    def failed(self, reason: str) -> dict[str, Any]:
        """The row's place in the results when it could not be measured."""
        return self._data(Outcome(errors={OURS: reason}))

    def _data(self, outcome: Outcome) -> dict[str, Any]:
        data = asdict(outcome)
        limit = data.pop("limit")
        if limit is None and self.bar is not None:
            limit = self.bar.here()
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "bar": limit,
            "tolerance": 0.0 if self.bar is None else self.bar.tolerance,
            "higher_is_better": self.bar is not None and self.bar.higher,
            **data,
        }
