"""The evidence: the service's log and the circuit's transitions, read back once the run is over."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.demo.chaos import Outage
from examples.demo.ticket import Ticket
from resilience import CircuitBreaker, State
from resilience.events import Event, StateChanged

__all__ = ["Arrival", "Ledger", "LogError", "Period", "Transitions", "read_log"]


class LogError(Exception):
    """The service's log cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A call as the service logged it.

    Args:
        ticket: What the call carried.
        arrived_at: Monotonic seconds, on the service's side.
        mode: The service's mood when it arrived.
    """

    ticket: Ticket
    arrived_at: float
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One generation of the circuit.

    Args:
        generation: Its number.
        state: The state it was in throughout.
        began_at: Monotonic seconds.
        reason: Why it began.
    """

    generation: int
    state: State
    began_at: float
    reason: str


class Transitions:
    """The periods of a breaker, from now on.

    Args:
        breaker: The breaker to follow.
        now: Monotonic seconds.
    """

    def __init__(self, breaker: CircuitBreaker, now: float) -> None:
        self._lock = threading.Lock()
        first = Period(
            generation=breaker.snapshot().generation, state=breaker.state, began_at=now, reason="the run begins"
        )
        self._periods = [first]
        self._seen = 1
        self.unfollow = breaker.subscribe(self._note)

    def _note(self, event: Event) -> None:
        if isinstance(event, StateChanged):
            period = Period(generation=event.generation, state=event.new, began_at=event.at, reason=event.reason)
            with self._lock:
                self._periods.append(period)

    def all(self) -> list[Period]:
        """Every period so far, in order."""
        with self._lock:
            return self._periods.copy()

    def fresh(self) -> list[Period]:
        """The periods that began since this was last asked."""
        with self._lock:
            fresh = self._periods[self._seen :]
            self._seen = len(self._periods)
        return fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All that a verdict rests on.

    Args:
        arrivals: The calls that reached the service, in order of their arrival.
        periods: The circuit's generations, in order.
        outages: The faults, in order.
    """

    arrivals: list[Arrival] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def admitting(self, ticket: Ticket) -> list[Period]:
        """The periods in which *ticket*'s call may have been admitted by a sound breaker; one, when it is certain.

        An open circuit admits nothing (the call that ends the open time belongs to the half-open round it begins), so
        a call that can only have been admitted while the circuit was open gets none.
        """
        possible = range(ticket.from_generation, ticket.generation + 1)
        return [period for period in self.periods if period.generation in possible and period.state is not State.OPEN]


def read_log(path: Path) -> list[Arrival]:
    """The calls in the service's log, in order of their lines.

    A line torn by SIGKILL is allowed where a new process takes up the log, and nowhere else.

    Raises:
        LogError: Another line cannot be read, or there is no log.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise LogError(f"the service's log cannot be read: {error}") from error
    arrivals = []
    torn: int | None = None
    for number, line in enumerate(lines, start=1):
        entry = parse(line)
        if torn is not None and (entry is None or entry.get("event") != "listening"):
            break
        torn = number if entry is None else None
        if entry is not None and entry.get("event") == "call":
            arrivals.append(arrival(entry, number))
    if torn is not None and torn != len(lines):
        raise LogError(f"line {torn} of the service's log is not JSON: {lines[torn - 1][:60]!r}")
    return arrivals


def parse(line: str) -> dict[str, Any] | None:
    """The object on *line*, or None when it is not a whole one."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def arrival(entry: dict[str, Any], number: int) -> Arrival:
    """The call that *entry*, line *number* of the log, tells of.

    Raises:
        LogError: A field is missing, or not known.
    """
    fields = {name: value for name, value in entry.items() if name != "event"}
    try:
        arrived_at, mode = fields.pop("arrived_at"), fields.pop("mode")
        return Arrival(ticket=Ticket(**fields), arrived_at=arrived_at, mode=mode)
    except (KeyError, TypeError) as error:
        raise LogError(f"line {number} of the service's log tells no call: {error}") from error
