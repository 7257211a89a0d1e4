"""A breaker's rules, validated, in the units of the core."""

from __future__ import annotations

from dataclasses import dataclass, field

from resilience._core.permit import Counts, CountTally, Permit, SliceTally

__all__ = ["SECOND", "BreakerConfig", "several"]

SECOND = 1_000_000_000
"""Nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """A breaker's rules, validated. Instants and lengths are whole nanoseconds.

    Attributes:
        failure_threshold: Consecutive failures that open; None in rate mode.
        failure_rate: Share of failures that opens; None in consecutive mode.
        window_calls: Verdicts in the window; None when it is a span.
        window_span: Length of the window; None when it counts calls.
        minimum_calls: Verdicts needed before a rate is judged.
        slow_call_duration: Calls longer than this are slow; None without slow-call detection.
        slow_call_rate: Share of slow calls that opens.
        recovery_time: Length of an opening; None when a function gives it.
        probes: Verdicts that decide half-open.
        probe_timeout: Age at which a probe is given up; None: the recovery time, at least 30 s.
        settle_all: Whether every success must be settled: a predicate looks at results, or there is a window and no
            GIL to let shells count by themselves.
        lock_free: Whether calls may be rejected and failures counted without the lock: under the GIL, where no thread
            comes between a load and a store without a call, and not in shadow mode, where rejecting is more than that.
    """

    failure_threshold: int | None = 5
    failure_rate: float | None = None
    window_calls: int | None = None
    window_span: int | None = None
    minimum_calls: int = 20
    slow_call_duration: int | None = None
    slow_call_rate: float | None = None
    recovery_time: int | None = 30 * SECOND
    probes: int = 1
    probe_timeout: int | None = None
    settle_all: bool = False
    lock_free: bool = True

    windowed: bool = field(init=False)
    """Whether verdicts are kept."""

    def __post_init__(self) -> None:
        windowed = self.failure_rate is not None or self.slow_call_rate is not None
        object.__setattr__(self, "windowed", windowed)  # the way around `frozen`, for the one who freezes

    def new_tally(self) -> Permit:
        """The standing permit of a new closed period."""
        if not self.windowed:
            return Permit()
        counts = not self.settle_all
        if self.window_span is not None:
            return SliceTally(self.window_span, counts=counts)
        return CountTally(self.window_calls or 100, counts=counts)

    def broken_rule(self, in_a_row: int, counts: Counts, last: str | None, failed: bool, slow: bool) -> str | None:  # noqa: FBT001 -- the facts of one verdict
        """The rule that a verdict breaks, in words, or None; a success that was not slow breaks none.

        Args:
            in_a_row: Failures in a row, this one included.
            counts: What the window holds, this verdict included.
            last: The type of the last failure.
            failed: Whether this verdict is a failure.
            slow: Whether it was slow.
        """
        if failed and self.failure_threshold is not None and in_a_row >= self.failure_threshold:
            return f"{several(in_a_row, 'failure')} in a row, last {last}"
        calls, failures, slow_calls = counts
        if calls < self.minimum_calls:
            return None
        if failed and self.failure_rate is not None and failures / calls >= self.failure_rate:
            return f"{failures} of {calls} calls failed, limit {self.failure_rate:g}, last {last}"
        if slow and self.slow_call_rate is not None and slow_calls / calls >= self.slow_call_rate:
            return f"{slow_calls} of {calls} calls were slow, limit {self.slow_call_rate:g}"
        return None


def several(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
