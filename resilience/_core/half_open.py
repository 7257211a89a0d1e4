"""One half-open round: a fixed number of probes, and the verdict as soon as it is certain.

Theory of operation. At most `size` slots exist. A running probe holds one, a verdict keeps it for good, a neutral
outcome gives it back. With f failures and s successes of p probes, consecutive mode reopens at the first failure and
closes when all p succeeded; rate mode reopens when `f / p >= rate` and closes when `(p - s) / p < rate`: no later
verdict could change either. Slow probes are tallied beside, with a rate of their own; either tally reopens, both must
allow closing.
"""

from __future__ import annotations

from resilience._core.permit import Probe

__all__ = ["Round"]


class Round:
    """The probes of one half-open period.

    Args:
        size: Verdicts that decide.
        timeout: Nanoseconds after which a probe is given up.
        rate: Share of failures that reopens; None for the first one.
        slow_rate: Share of slow probes that reopens; None where none is slow.
    """

    __slots__ = ("failed", "fast", "rate", "running", "size", "slow", "slow_rate", "succeeded", "timeout")

    def __init__(self, size: int, timeout: int, *, rate: float | None, slow_rate: float | None) -> None:
        self.size = size
        self.timeout = timeout
        self.rate = rate
        self.slow_rate = slow_rate
        self.running: dict[Probe, None] = {}  # in the order of their deadlines
        self.failed = self.succeeded = self.slow = self.fast = 0

    @property
    def settled(self) -> int:
        """Verdicts so far."""
        return self.failed + self.succeeded

    def issue(self, now: int) -> Probe | None:
        """Give a slot to one more probe, or None when all are taken."""
        if len(self.running) + self.settled >= self.size:
            return None
        probe = Probe(now + self.timeout)
        self.running[probe] = None
        return probe

    def give_back(self, probe: Probe) -> None:
        """Free the slot of a probe that proved nothing."""
        del self.running[probe]

    def settle(self, probe: Probe, *, failed: bool, slow: bool) -> bool | None:
        """Count a verdict: True closes the circuit, False reopens it, None is not certain yet."""
        del self.running[probe]
        if failed:
            self.failed += 1
        else:
            self.succeeded += 1
        if slow:
            self.slow += 1
        else:
            self.fast += 1
        tallies = [(self.failed, self.succeeded, self.rate)]
        if self.slow_rate is not None:
            tallies.append((self.slow, self.fast, self.slow_rate))
        if any(self._reopens(bad, rate) for bad, _, rate in tallies):
            return False
        return True if all(self._closes(good, rate) for _, good, rate in tallies) else None

    def _reopens(self, bad: int, rate: float | None) -> bool:
        return bad > 0 if rate is None else bad / self.size >= rate

    def _closes(self, good: int, rate: float | None) -> bool:
        return good == self.size if rate is None else (self.size - good) / self.size < rate

    def tale(self) -> str:
        """How the round stands, in words."""
        return f"{len(self.running)} of {self.size} probes running, {self.settled} settled"

    def overdue(self, now: int) -> Probe | None:
        """The running probe with the earliest deadline, when that has come."""
        first = next(iter(self.running), None)
        return first if first is not None and first.deadline <= now else None

    def earliest_deadline(self) -> int | None:
        """When the first of the running probes is given up."""
        first = next(iter(self.running), None)
        return None if first is None else first.deadline
