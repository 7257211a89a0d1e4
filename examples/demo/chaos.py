"""The faults: which, when, for how long."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass

from examples.demo.process import ServiceProcess
from examples.demo.settings import Settings

__all__ = ["FAULTS", "Chaos", "Outage"]

FAULTS = {
    "slow": "the service answers slowly",
    "erroring": "the service answers 503",
    "hung": "the service is hung: SIGSTOP",
    "dead": "the service is dead: SIGKILL",
}
"""Each kind of fault, in order, and what the timeline says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A fault that is over.

    Args:
        kind: One of `FAULTS`.
        began_at: Monotonic seconds; no later than the first call that could meet the fault.
        ended_at: Monotonic seconds; from then on the service was well.
    """

    kind: str
    began_at: float
    ended_at: float


class Chaos:
    """One fault after another; after each, the service is well until the circuit has closed and for a while longer.

    It has no clock and no thread: whoever holds it calls `step` often.

    Args:
        settings: The numbers of the run.
        process: The service to torment.
        now: Monotonic seconds at the start.
    """

    def __init__(self, settings: Settings, process: ServiceProcess, now: float) -> None:
        self._settings = settings
        self._process = process
        self._chance = random.Random(settings.seed)
        self._waiting = deque(FAULTS)
        self._until = now + settings.seconds
        self._cycle = (settings.seconds - settings.calm) / len(FAULTS)
        self._due_at = now + settings.calm
        self._began_at = now
        self.present: str | None = None
        """The fault at present, or None while the service is well."""
        self.outages: list[Outage] = []

    def step(self, now: float, *, closed: bool) -> str | None:
        """Do what is due at *now*, and say so in a few words; None when nothing is.

        Args:
            now: Monotonic seconds.
            closed: Whether the circuit is closed.

        Raises:
            ServiceError: The service did not do what it was told.
        """
        if self.present is not None:
            return self._end(self.present) if now >= self._due_at else None
        if self._waiting and now >= self._due_at and self._settled(now, closed=closed):
            return self._begin(self._waiting.popleft(), now)
        return None

    def done(self, now: float, *, closed: bool) -> bool:
        """Whether all faults are over, the circuit has had its chance to close, and the time is up."""
        over = self.present is None and not self._waiting
        return over and now >= max(self._until, self._due_at) and self._settled(now, closed=closed)

    def _settled(self, now: float, *, closed: bool) -> bool:
        return closed or not self.outages or now > self.outages[-1].ended_at + self._settings.recovery_bound

    def _begin(self, kind: str, now: float) -> str:
        self._began_at = now
        if kind == "hung":
            self._process.stop()
        elif kind == "dead":
            self._process.kill()
        else:
            self._process.mode(kind)
        self.present = kind
        self._due_at = now + self._cycle * self._chance.uniform(0.5, 0.6)
        return FAULTS[kind]

    def _end(self, kind: str) -> str:
        if kind == "hung":
            self._process.resume()
        elif kind == "dead":
            self._process.start()
        else:
            self._process.mode("well")
        self.present = None
        ended_at = time.monotonic()
        self.outages.append(Outage(kind=kind, began_at=self._began_at, ended_at=ended_at))
        self._due_at = max(self._began_at + self._cycle, ended_at + self._settings.calm / 2)
        return "the service is well again"
