"""For tests: a clock that only moves when told to, and ways to start fresh or do without policies.

With pytest installed the fixtures `fake_clock` and `policies_reset` are there by themselves.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

from resilience import _registry
from resilience._validate import duration, flag, number
from resilience.clock import Alarm, AsyncAlarm, async_alarm, to_nanoseconds

__all__ = ["FakeClock", "policies_disabled", "reset_policies"]


class FakeClock:
    """A clock for tests, exact to the nanosecond.

    By default a sleep jumps the clock forward and returns at once; `sleeps` records its length. With `autojump=False`
    sleepers, threads and tasks alike, are parked until `advance` reaches them. A timer never moves the clock: it fires
    when a sleep or `advance` passes it.

    Args:
        start: Seconds it shows at first, finite and >= 0.
        autojump: Whether a sleep moves the clock by itself.
    """

    def __init__(self, start: float = 0.0, *, autojump: bool = True) -> None:
        self._now = to_nanoseconds(number("start", start, allowed="a finite number of seconds >= 0", least=0))
        self.autojump = flag("autojump", autojump)
        self.sleeps: list[float] = []
        self._lock = threading.Condition()
        self._serials = itertools.count()
        # When due, in which order, what to do then, and whether that wakes a sleeper.
        self._due: list[tuple[int, int, Callable[[], object], bool]] = []

    def monotonic(self) -> float:
        """Seconds it shows."""
        return self._now / 1e9

    @property
    def parked(self) -> int:
        """Sleepers that wait for `advance`."""
        with self._lock:
            return self._sleepers()

    def wait_for_parked(self, sleepers: int, *, timeout: float = 10.0) -> None:
        """Block until that many sleepers are parked, so that a test need not hope that its threads are there.

        Raises:
            TimeoutError: They were not within *timeout* real seconds.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: self._sleepers() >= sleepers, timeout):
                message = f"{self._sleepers()} of {sleepers} sleepers were parked within {timeout:g} s"
                raise TimeoutError(message)

    def advance(self, seconds: float | timedelta) -> None:
        """Move forward, stopping at every timer and sleeper on the way.

        Whoever is woken runs when the clock has come to its end: a line in which one waits for the next is served step
        by step, by as many advances.

        Raises:
            ValueError: *seconds* is negative or not finite.
        """
        length = duration("seconds", seconds, allowed="a finite number of seconds >= 0, or a timedelta", least=0)
        self._advance_to(self._now + to_nanoseconds(length))

    def sleep(self, seconds: float, /) -> None:
        """Sleep by this clock; a negative or infinite length is a `ValueError`."""
        number("seconds", seconds, allowed="a finite number of seconds >= 0", least=0)
        alarm = Alarm()
        if not self._jump(seconds, asked=True):
            self._wait(alarm, seconds)

    async def sleep_async(self, seconds: float, /) -> None:
        """Sleep by this clock, in a task; other tasks get a turn in any case."""
        number("seconds", seconds, allowed="a finite number of seconds >= 0", least=0)
        alarm = async_alarm()
        if self._jump(seconds, asked=True):
            alarm.ring()
            await alarm.wait(None)
        else:
            await self._wait_async(alarm, seconds)

    def park(self, alarm: Alarm, seconds: float | None) -> None:
        """Wait until *alarm* rings or *seconds* have passed on this clock."""
        if seconds is None:
            alarm.wait(None)
        elif not self._jump(seconds, asked=True):
            self._wait(alarm, seconds)

    async def park_async(self, alarm: AsyncAlarm, seconds: float | None) -> None:
        """Wait, in a task, until *alarm* rings or *seconds* have passed on this clock."""
        if seconds is None:
            await alarm.wait(None)
        elif self._jump(seconds, asked=True):
            alarm.ring()
            await alarm.wait(None)
        else:
            await self._wait_async(alarm, seconds)

    def timer(self, seconds: float, callback: Callable[[], object]) -> Callable[[], None]:
        """Call *callback* when the clock passes *seconds* from now, unless the returned function is called before."""
        number("seconds", seconds, allowed="a finite number of seconds >= 0", least=0)
        return self._enter(seconds, callback, sleeper=False)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _jump(self, seconds: float, *, asked: bool) -> bool:
        if asked:
            self.sleeps.append(seconds)
        if self.autojump:
            self._advance_to(self._now + to_nanoseconds(seconds))
        return self.autojump

    def _sleepers(self) -> int:
        return sum(sleeper for *_, sleeper in self._due)

    def _enter(self, seconds: float, callback: Callable[[], object], *, sleeper: bool) -> Callable[[], None]:
        with self._lock:
            entry = (self._now + to_nanoseconds(seconds), next(self._serials), callback, sleeper)
            heapq.heappush(self._due, entry)
            self._lock.notify_all()

        def cancel() -> None:
            with self._lock:
                if entry in self._due:
                    self._due.remove(entry)
                    heapq.heapify(self._due)

        return cancel

    def _advance_to(self, target: int) -> None:
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > target:
                    self._now = max(self._now, target)
                    return
                at, _, callback, _ = heapq.heappop(self._due)
                self._now = max(self._now, at)
            callback()

    def _wait(self, alarm: Alarm, seconds: float) -> None:
        leave = self._enter(seconds, alarm.ring, sleeper=True)
        try:
            alarm.wait(None)
        finally:
            leave()

    async def _wait_async(self, alarm: AsyncAlarm, seconds: float) -> None:
        leave = self._enter(seconds, alarm.ring, sleeper=True)
        try:
            await alarm.wait(None)
        finally:
            leave()


def reset_policies() -> None:
    """Make every living policy as good as new: circuits closed and empty, buckets full, nobody waiting."""
    for policy in _registry.living():
        policy._renew()  # noqa: SLF001 -- the testing module is the package's own


@contextmanager
def policies_disabled() -> Generator[None]:
    """Let every call pass every policy, uncounted, inside the block; afterwards all is as it was before."""
    block = _registry.begin_aside()
    try:
        yield
    finally:
        _registry.end_aside(block)
