"""A circuit breaker at one instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from resilience._core.breaker import BreakerCore
from resilience._state import State

__all__ = ["BreakerSnapshot", "sum_up", "view", "worst"]

_SEVERITY = (State.DISABLED, State.CLOSED, State.HALF_OPEN, State.OPEN, State.FORCED_OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSnapshot:
    """A breaker at one instant; `dataclasses.asdict` of it is JSON.

    Attributes:
        name: The breaker's name.
        state: Its state; the worst of all keys' for a breaker with keys.
        generation: The number of the present period; the highest of all keys'.
        since: Seconds on its clock at which that period began; the latest of all keys'.
        retry_after: Seconds until a call has a chance; None when calls pass, or when nobody can know.
        reason: Why the circuit is in this state; empty before the first transition.
        failures_in_a_row: Consecutive failures that stand against it; 0 in rate mode.
        calls: Verdicts in the window; 0 where none is kept.
        failures: How many of them failed.
        slow: How many of them were slow.
        openings: Openings in a row, without a closing between them.
        probes_running: Probes on their way.
        rejected: Calls turned away so far.
        stale: Outcomes so far that came back in a later period and changed nothing.
        last_failure: The type of the last failure, None before the first.
        states: How many circuits are in each state.
    """

    name: str
    state: State
    generation: int
    since: float
    retry_after: float | None
    reason: str
    failures_in_a_row: int
    calls: int
    failures: int
    slow: int
    openings: int
    probes_running: int
    rejected: int
    stale: int
    last_failure: str | None
    states: dict[str, int]


def worst(states: Iterable[State]) -> State:
    """The state of many circuits: that of the one in the worst."""
    return max(states, key=_SEVERITY.index, default=State.CLOSED)


def view(core: BreakerCore, now: int) -> BreakerSnapshot:
    """One circuit at *now*; its lock is held."""
    counts = core.counts(now)
    wait = None if core.standing is not None else core.wait(now)
    if core.round is not None and len(core.round.running) + core.round.settled < core.round.size:
        wait = 0  # a slot is free
    return BreakerSnapshot(
        name="",
        state=core.state,
        generation=core.generation,
        since=core.since / 1e9,
        retry_after=None if wait is None else wait / 1e9,
        reason=core.reason,
        failures_in_a_row=core.failures_in_a_row,
        calls=counts.calls,
        failures=counts.failures,
        slow=counts.slow,
        openings=core.openings,
        probes_running=0 if core.round is None else len(core.round.running),
        rejected=core.rejected,
        stale=core.stale,
        last_failure=core.last_failure,
        states={core.state.value: 1},
    )


def sum_up(name: str, parts: list[BreakerSnapshot]) -> BreakerSnapshot:
    """All circuits of a breaker as one: the worst one's story, everybody's counts."""
    if not parts:
        return replace(_EMPTY, name=name)
    lead = max(parts, key=lambda part: _SEVERITY.index(part.state))
    if len(parts) == 1:
        return replace(lead, name=name)
    return replace(
        lead,
        name=name,
        generation=max(part.generation for part in parts),
        since=max(part.since for part in parts),
        failures_in_a_row=max(part.failures_in_a_row for part in parts),
        calls=sum(part.calls for part in parts),
        failures=sum(part.failures for part in parts),
        slow=sum(part.slow for part in parts),
        openings=max(part.openings for part in parts),
        probes_running=sum(part.probes_running for part in parts),
        rejected=sum(part.rejected for part in parts),
        stale=sum(part.stale for part in parts),
        states=dict(Counter(part.state.value for part in parts)),
    )


_EMPTY = BreakerSnapshot(
    name="", state=State.CLOSED, generation=0, since=0.0, retry_after=None, reason="", failures_in_a_row=0, calls=0,
    failures=0, slow=0, openings=0, probes_running=0, rejected=0, stale=0, last_failure=None, states={},
)  # fmt: skip
