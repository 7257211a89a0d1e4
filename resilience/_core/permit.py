"""Permits: what a call holds between its admission and its settlement.

Theory of operation. While a circuit is closed all calls share one *standing* permit, so admitting costs a look at one
attribute. The standing permit is at the same time the tally of its period: a shell may note a success by adding one to
`calls` itself, as long as the permit is still the core's `quiet` one and the clock has not passed `until`. Each
transition makes a new permit; a call that comes back with an old one is recognised by identity and changes nothing.

`counts` says whether shells may add at all, and `until` up to which instant: a retired permit and a probe refuse both.
`calls` is a float because adding one to a float costs less than to an int (`bench: failure-rate window`); it is a whole
number, exact up to 2 ** 53.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

__all__ = ["GHOST", "NEVER", "CountTally", "Counts", "Permit", "Probe", "SliceTally"]

NEVER = float("-inf")
_ALWAYS = float("inf")
_SLICES = 100


class Counts(NamedTuple):
    """What a tally holds: verdicts, and how many of them failed or were slow."""

    calls: int
    failures: int
    slow: int


class Permit:
    """The standing permit of a closed period that keeps no window.

    Args:
        counts: Whether shells may note successes themselves.
    """

    __slots__ = ("calls", "counts", "until")

    def __init__(self, *, counts: bool = True) -> None:
        self.calls = 0.0
        self.counts = counts
        self.until = _ALWAYS if counts else NEVER

    def retire(self) -> None:
        """Refuse what shells would add: the period is over."""
        self.counts = False
        self.until = NEVER

    def record(self, *, failed: bool, slow: bool, now: int) -> None:  # noqa: ARG002 -- no window, nothing to keep
        """Note one verdict."""
        self.calls += 1.0

    def holds(self, now: int) -> Counts:  # noqa: ARG002 -- no window, nothing kept
        """What the window holds at *now*."""
        return Counts(0, 0, 0)


class CountTally(Permit):
    """The last *size* verdicts, exactly, with nothing stored for a success.

    Each verdict takes the next number; only failures and slow calls keep theirs. A number is in the window while it is
    among the last *size* taken.
    """

    __slots__ = ("_failures", "_size", "_slow")

    def __init__(self, size: int, *, counts: bool = True) -> None:
        super().__init__(counts=counts)
        self._size = size
        self._failures: deque[float] = deque()
        self._slow: deque[float] = deque()

    def record(self, *, failed: bool, slow: bool, now: int) -> None:  # noqa: ARG002 -- a count does not age
        """Note one verdict."""
        number = self.calls + 1.0
        self.calls = number
        if failed:
            self._failures.append(number)
        if slow:
            self._slow.append(number)
        if failed or slow:
            self._trim()

    def _trim(self) -> None:
        oldest = self.calls - self._size
        for numbers in (self._failures, self._slow):
            while numbers and numbers[0] <= oldest:
                numbers.popleft()

    def holds(self, now: int) -> Counts:  # noqa: ARG002 -- a count does not age
        """What the window holds; it does not age with time."""
        self._trim()
        return Counts(min(int(self.calls), self._size), len(self._failures), len(self._slow))


class _Slice:
    __slots__ = ("calls", "failures", "first_at", "slow")

    def __init__(self, first_at: int) -> None:
        self.first_at = first_at
        self.calls = 0
        self.failures = 0
        self.slow = 0


class SliceTally(Permit):
    """The verdicts of the last *span* nanoseconds, in at most a hundred slices.

    A slice begins with its first verdict, is `span / 100` wide, and goes when that first verdict reaches the age of
    *span*. The calls of the running slice are counted in `calls`, where shells add to them; `until` is the instant, in
    seconds, before which a success certainly belongs to it.
    """

    __slots__ = ("_failures", "_past", "_slices", "_slow", "_span")

    def __init__(self, span: int, *, counts: bool = True) -> None:
        super().__init__(counts=counts)
        self._span = span
        self._slices: deque[_Slice] = deque()
        self._past = self._failures = self._slow = 0
        self.until = NEVER

    def record(self, *, failed: bool, slow: bool, now: int) -> None:
        """Note one verdict."""
        self._expire(now)
        slices = self._slices
        if not slices or (now - slices[-1].first_at) * _SLICES >= self._span:
            self._close_slice()
            slices.append(_Slice(now))
            # A microsecond early: what falls between, or is lost in a float, is settled by the exact path.
            if self.counts:
                self.until = (now + self._span // _SLICES - 1000) / 1e9
        self.calls += 1.0
        if failed:
            slices[-1].failures += 1
            self._failures += 1
        if slow:
            slices[-1].slow += 1
            self._slow += 1

    def _close_slice(self) -> None:
        # The two loads and stores contain no call: no success that a shell adds in between is lost under the GIL, and
        # without it shells never add.
        calls = self.calls
        self.calls = 0.0
        if self._slices:
            self._slices[-1].calls = int(calls)
            self._past += int(calls)

    def _expire(self, now: int) -> None:
        slices = self._slices
        while slices and now - slices[0].first_at >= self._span:
            if len(slices) == 1:
                self.until = NEVER
                self._close_slice()
            gone = slices.popleft()
            self._past -= gone.calls
            self._failures -= gone.failures
            self._slow -= gone.slow

    def holds(self, now: int) -> Counts:
        """What the window holds at *now*; a look takes nothing out of it."""
        calls, failures, slow = self._past + int(self.calls), self._failures, self._slow
        for old in self._slices:
            if now - old.first_at < self._span:
                break
            running = old is self._slices[-1]
            calls -= int(self.calls) if running else old.calls
            failures -= old.failures
            slow -= old.slow
        return Counts(calls, failures, slow)


class Probe(Permit):
    """The permit of one call that tests a half-open circuit."""

    __slots__ = ("deadline",)

    def __init__(self, deadline: int) -> None:
        super().__init__(counts=False)
        self.deadline = deadline


GHOST = Permit()
"""What a call holds that was let through without a permit: its outcome means nothing."""
