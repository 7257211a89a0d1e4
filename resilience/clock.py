"""Where time comes from: the `Clock` protocol, the system's clock, and how a waiter waits for an event *or* a time.

A clock needs three methods. One that also has `park`, `park_async` and `timer`, as `SystemClock` and
`resilience.testing.FakeClock` do, lets a waiter in a line wake the moment the line moves; with any other clock waiters
look again every 20 ms.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from resilience import _validate

__all__ = ["Alarm", "AsyncAlarm", "Clock", "SystemClock", "async_alarm", "nanoseconds", "park", "park_async"]

_SLICE = 0.02
"""Seconds between two looks at the line, with a clock that cannot wait for an event."""
_LONGEST = 10**24
"""Nanoseconds; 31 million years."""
_HEARTBEAT = 1.0
"""Seconds between two looks for signals in a wait without an end."""
_LONGEST_WAIT = 86_400.0
"""Seconds; a longer wait is cut into days, below what any lock or event loop takes as a timeout."""


@runtime_checkable
class Clock(Protocol):
    """Anything that tells monotonic seconds and sleeps by them."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never by the wall clock."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Block this thread for *seconds*."""
        ...

    async def sleep_async(self, seconds: float, /) -> None:
        """Suspend this task for *seconds*."""
        ...


class Alarm:
    """What a waiting thread waits on; `ring` may be called from anywhere, any number of times."""

    __slots__ = ("_event", "wakes")

    def __init__(self) -> None:
        self._event = threading.Event()
        self.wakes = 0

    def ring(self) -> None:
        """Wake the waiter, now or as soon as it waits."""
        self._event.set()

    def wait(self, seconds: float | None) -> None:
        """Block until rung, or for *seconds* (None: for as long as it takes)."""
        # A signal that comes just before an untimed wait is handled only after it: timed, so that Ctrl-C never hangs.
        while not self._event.wait(_HEARTBEAT if seconds is None else seconds) and seconds is None:
            continue
        self._event.clear()
        self.wakes += 1


class AsyncAlarm(Protocol):
    """What a waiting task waits on."""

    wakes: int

    def ring(self) -> None:
        """Wake the waiter, from any thread."""
        ...

    async def wait(self, seconds: float | None) -> None:
        """Suspend until rung, or for *seconds* (None: for as long as it takes)."""
        ...


class _AsyncioAlarm:
    __slots__ = ("_event", "_loop", "wakes")

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 -- imported at its first use: it costs most of the package's start

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.wakes = 0

    def ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            return  # its loop is closed: nobody waits there any more

    async def wait(self, seconds: float | None) -> None:
        timer = None if seconds is None else self._loop.call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._event.clear()
        self.wakes += 1


class _TrioAlarm:
    __slots__ = ("_event", "_token", "_trio", "wakes")

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()
        self.wakes = 0

    def ring(self) -> None:
        event = self._event
        try:
            self._token.run_sync_soon(event.set)
        except self._trio.RunFinishedError:
            return  # its run is over: nobody waits there any more

    async def wait(self, seconds: float | None) -> None:
        with self._trio.move_on_after(float("inf") if seconds is None else seconds):
            await self._event.wait()
        self._event = self._trio.Event()
        self.wakes += 1


def _trio_here() -> Any:
    """Give the trio module when the caller runs under trio, else None; never imports it."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


def async_alarm() -> AsyncAlarm:
    """Make an alarm for the task that runs now, under asyncio or trio."""
    trio = _trio_here()
    return _AsyncioAlarm() if trio is None else _TrioAlarm(trio)


class SystemClock:
    """The machine's monotonic clock; the wall clock is never read."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float, /) -> None:
        """Block this thread for *seconds*."""
        time.sleep(seconds)

    async def sleep_async(self, seconds: float, /) -> None:
        """Suspend this task for *seconds*, under asyncio or trio."""
        trio = _trio_here()
        if trio is not None:
            await trio.sleep(seconds)
        else:
            import asyncio  # noqa: PLC0415 -- imported at its first use

            await asyncio.sleep(seconds)

    def park(self, alarm: Alarm, seconds: float | None) -> None:
        """Block this thread until *alarm* rings, or for *seconds*."""
        alarm.wait(seconds if seconds is None else min(seconds, _LONGEST_WAIT))

    async def park_async(self, alarm: AsyncAlarm, seconds: float | None) -> None:
        """Suspend this task until *alarm* rings, or for *seconds*."""
        await alarm.wait(seconds if seconds is None else min(seconds, _LONGEST_WAIT))

    def timer(self, seconds: float, callback: Callable[[], object]) -> Callable[[], None]:
        """Call *callback* in *seconds* from a thread of its own, unless the returned function is called before."""
        timer = threading.Timer(seconds, callback)
        timer.daemon = True
        timer.start()
        return timer.cancel


SYSTEM_CLOCK = SystemClock()
"""The clock of every policy that names none."""


def park(clock: Clock, alarm: Alarm, seconds: float | None) -> None:
    """Block until *alarm* rings or *seconds* have passed on *clock*; may return early."""
    wait = getattr(clock, "park", None)
    if wait is not None:
        wait(alarm, seconds)
    else:
        clock.sleep(_SLICE if seconds is None else min(seconds, _SLICE))


async def park_async(clock: Clock, alarm: AsyncAlarm, seconds: float | None) -> None:
    """Suspend until *alarm* rings or *seconds* have passed on *clock*; may return early."""
    wait = getattr(clock, "park_async", None)
    if wait is not None:
        await wait(alarm, seconds)
    else:
        await clock.sleep_async(_SLICE if seconds is None else min(seconds, _SLICE))


def to_nanoseconds(seconds: float) -> int:
    """Turn seconds into whole nanoseconds, the unit in which every decision is made."""
    return round(min(seconds, _LONGEST / 1e9) * 1e9)


def to_seconds(nanoseconds: int) -> float:
    """Turn whole nanoseconds into seconds; what no float could hold becomes the longest length there is."""
    return nanoseconds / 1e9 if nanoseconds < _LONGEST else _LONGEST / 1e9


def nanoseconds(clock: Clock) -> Callable[[], int]:
    """Make a reader of *clock* in whole nanoseconds that never goes back (`now = max(now, last)`)."""
    if type(clock) is SystemClock:
        return time.monotonic_ns  # the system promises that it never goes back
    last = 0
    started = False
    monotonic = clock.monotonic

    def read() -> int:
        nonlocal last, started
        now = round(monotonic() * 1e9)
        # No call between the look and the store, so under the GIL no other thread's later reading is overwritten;
        # without it the cores' own `max(now, last)` still holds.
        if now > last or not started:
            last = now
            started = True
        return last

    return read


def seconds_of(clock: Clock, read: Callable[[], int]) -> Callable[[], float]:
    """Make a reader of *clock* in seconds, in step with *read*, which `nanoseconds` made."""
    if type(clock) is SystemClock:
        return time.monotonic
    return lambda: read() / 1e9


def check_clock(clock: Any) -> Clock:
    """Let a clock pass, or None for the system's."""
    if clock is None:
        return SYSTEM_CLOCK
    if isinstance(clock, type) or not isinstance(clock, Clock):
        allowed = "an object with monotonic(), sleep(seconds) and async sleep_async(seconds)"
        _validate.refuse("clock", clock, allowed, kind=TypeError)
    return clock
