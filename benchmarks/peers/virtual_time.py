"""A clock moved by hand, under libraries that never meant to have one."""

from __future__ import annotations

import datetime as dt
import importlib
import sys
import time
from types import ModuleType
from typing import Any

__all__ = ["VirtualTime"]


class VirtualTime:
    """Gives one library its own wall clock and monotonic clock, which move only when told to.

    The library is imported while ``time`` and ``datetime`` stand for modules that read this object, so every way
    of asking for the time is covered, and nothing else in the process notices. It is also a ``Clock`` of the three
    methods that this package asks for.
    """

    def __init__(self) -> None:
        # A whole number of days, so that windows aligned to minutes or hours begin here.
        self._wall = 20_000 * 86_400.0
        self._monotonic = 1_000.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass on both clocks."""
        self._wall += seconds
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as an administrator or a time server does."""
        self._wall += seconds

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never stepped."""
        return self._monotonic

    def sleep(self, seconds: float, /) -> None:
        """Pass *seconds* at once."""
        self.advance(seconds)

    async def sleep_async(self, seconds: float, /) -> None:
        """Pass *seconds* at once."""
        self.advance(seconds)

    def load(self, name: str) -> ModuleType:
        """Import the module *name* so that its whole package reads this clock."""
        # Once in real time: what the package itself imports must keep the real clocks.
        importlib.import_module(name)
        package = name.partition(".")[0]
        for loaded in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
            del sys.modules[loaded]
        stand_ins = {"time": self._time_module(), "datetime": self._datetime_module()}
        real = {known: sys.modules[known] for known in stand_ins}
        sys.modules.update(stand_ins)
        try:
            return importlib.import_module(name)
        finally:
            sys.modules.update(real)

    def _time_module(self) -> ModuleType:
        module = ModuleType("time")
        vars(module).update(vars(time))
        vars(module).update(
            time=lambda: self._wall,
            time_ns=lambda: round(self._wall * 1e9),
            monotonic=self.monotonic,
            monotonic_ns=lambda: round(self._monotonic * 1e9),
            perf_counter=self.monotonic,
            perf_counter_ns=lambda: round(self._monotonic * 1e9),
            sleep=self.sleep,
        )
        return module

    def _datetime_module(self) -> ModuleType:
        clock = self

        class VirtualDatetime(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> Any:
                return cls.fromtimestamp(clock._wall, tz)

            @classmethod
            def utcnow(cls) -> Any:
                return cls.fromtimestamp(clock._wall, dt.UTC).replace(tzinfo=None)

        module = ModuleType("datetime")
        vars(module).update(vars(dt))
        vars(module)["datetime"] = VirtualDatetime
        return module
