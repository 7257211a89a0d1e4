"""The numbers of one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL_LENGTH", "SHORTEST", "Settings"]

FULL_LENGTH = 20.0
"""Seconds of a run in which every time has its full length; a shorter run shortens them alike."""

SHORTEST = 6.0
"""Seconds below which four faults, each with a recovery, no longer fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service, its clients and the promises agree on.

    Args:
        seconds: How long the run lasts, at least `SHORTEST`; waiting for a circuit to close may add a little.
        seed: Decides the clients' pauses, the service's latencies and the lengths of the faults.
    """

    seconds: float = FULL_LENGTH
    seed: int = 1

    # The limit that the service publishes, in calls a second and calls at once.
    rate: float = 80.0
    capacity: float = 40.0

    threads: int = 4
    tasks: int = 8

    failure_threshold: int = 5
    window_calls: int = 40
    minimum_calls: int = 20
    slow_call_rate: float = 0.5
    probes: int = 2

    def __post_init__(self) -> None:
        if not SHORTEST <= self.seconds <= 3600:
            raise ValueError(f"seconds must be from {SHORTEST:g} to 3600, not {self.seconds!r}")

    @property
    def clients(self) -> int:
        """Callers, each with at most one call under way."""
        return self.threads + self.tasks

    @property
    def scale(self) -> float:
        """How much shorter than in a run of full length the times are, at most 1."""
        return min(1.0, self.seconds / FULL_LENGTH)

    @property
    def recovery_timeout(self) -> float:
        """Seconds for which the circuit stays open."""
        return self.scale

    # Floors: a busy machine must not make a healthy answer look slow or lost.
    @property
    def call_timeout(self) -> float:
        """Seconds after which a client gives a call up, by its own socket timeout."""
        return max(0.3, 0.5 * self.scale)

    @property
    def slow_call_duration(self) -> float:
        """Seconds beyond which an answer counts as slow."""
        return 0.5 * self.call_timeout

    @property
    def slow_answer(self) -> float:
        """Seconds that the service takes to answer when it is slow: slow, yet in time."""
        return 0.75 * self.call_timeout

    @property
    def calm(self) -> float:
        """Seconds of health before the first fault, and at least half of that between two."""
        return 1.5 * self.scale

    @property
    def recovery_bound(self) -> float:
        """Seconds from the service's recovery to a closed circuit, at most.

        A probe sent just before the recovery may still fail, a whole call timeout later, and start a whole new
        recovery time. The rest is for the clients' pauses, the probes' answers and a busy machine.
        """
        return self.call_timeout + self.recovery_timeout + 0.5

    def outage_bound(self, kind: str) -> int:
        """Calls that a fault of *kind* may cost before the circuit opens.

        So many verdicts open the circuit; and each client may have had one call under way when the fault began,
        whose late success starts the count again, and one when the circuit opened.
        """
        verdicts = self.failure_threshold
        if kind == "slow":
            verdicts = max(self.minimum_calls, round(self.slow_call_rate * self.window_calls))
        return verdicts + 2 * self.clients
