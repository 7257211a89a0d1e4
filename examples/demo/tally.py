"""What the clients count, for the timeline; the verdicts do not rest on it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace

__all__ = ["Counts", "Tally"]


@dataclass(slots=True, kw_only=True)
class Counts:
    """Calls of one stretch of time.

    Args:
        by_breaker: Rejected by the breaker.
        by_limiter: Rejected by the limiter.
        succeeded: Admitted, and answered well.
        failed: Admitted, and failed.
        latencies: Seconds of each call that was made, in order of their ends.
    """

    by_breaker: int = 0
    by_limiter: int = 0
    succeeded: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def admitted(self) -> int:
        """Calls that were made, counted when they end."""
        return self.succeeded + self.failed

    @property
    def calls(self) -> int:
        """Calls that the clients wanted to make."""
        return self.admitted + self.by_breaker + self.by_limiter


class Tally:
    """Counts that threads and tasks add to and the timeline takes away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self.fault: str | None = None
        """The fault at present; what the breaker refuses while there is none was not saved, but lost."""
        self.saved: Counter[str] = Counter()
        """Calls that the breaker refused during each kind of fault."""

    def rejected_by_breaker(self) -> None:
        """Count a call that the breaker refused."""
        with self._lock:
            self._counts.by_breaker += 1
            if self.fault is not None:
                self.saved[self.fault] += 1

    def rejected_by_limiter(self) -> None:
        """Count a call that the limiter refused."""
        with self._lock:
            self._counts.by_limiter += 1

    def ended(self, seconds: float, *, failed: bool) -> None:
        """Count a call that was made and took *seconds*."""
        with self._lock:
            self._counts.latencies.append(seconds)
            if failed:
                self._counts.failed += 1
            else:
                self._counts.succeeded += 1

    def look(self) -> Counts:
        """What was counted since the last `take`; a copy."""
        with self._lock:
            return replace(self._counts, latencies=self._counts.latencies.copy())

    def take(self) -> Counts:
        """What was counted since the last `take`; the next stretch begins."""
        with self._lock:
            taken = self._counts
            self._counts = Counts()
            return taken
