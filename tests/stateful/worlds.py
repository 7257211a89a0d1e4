"""One breaker in several worlds: behind the shells, as a block, and as the bare core with every call settled."""

from __future__ import annotations

import contextvars
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from dataclasses import replace
from typing import Any

from resilience import CircuitBreaker, CircuitOpenError, circuit_breaker
from resilience._core.breaker import BreakerCore
from resilience._gate.breaker_snapshot import BreakerSnapshot, view
from resilience.testing import FakeClock

__all__ = ["ENDS", "Blocks", "Core", "Tasks", "Wobbly", "World", "finish"]

ENDS = ("fine", "fine", "fine", "failed", "failed", "answered", "cancelled")
"""How a call may end: an answer, a failure, an exception that is none, an exception that says nothing."""


class Wobbly(FakeClock):
    """A fake clock that may show less than it did."""

    lag = 0

    def monotonic(self) -> float:
        return (self._now - self.lag) / 1e9


def finish(end: str) -> int:
    """What a guarded function does at last."""
    if end == "fine":
        return 1
    raise {"failed": ConnectionError, "answered": KeyError, "cancelled": CancelledError}[end](end)


class World:
    """Calls begin and end one by one, overlapping at will."""

    def __init__(self, clock: FakeClock, options: dict[str, Any]) -> None:
        self.breaker = CircuitBreaker(clock=clock, on=ConnectionError, **options)

    def begin(self) -> Any:
        """What the call holds, or the error that it was rejected with."""
        raise NotImplementedError

    def end(self, held: Any, end: str) -> None:
        raise NotImplementedError

    def call(self, body: Callable[[], int]) -> int:
        """A whole call, within which others may run."""
        return self.breaker.call(body)

    def order(self, command: str, seconds: float | None) -> None:
        getattr(self.breaker, command)(*([seconds] if command == "force_open" else []))

    def look(self) -> BreakerSnapshot:
        return replace(self.breaker.snapshot(), name="")


@types.coroutine
def _told() -> Generator[None, str, str]:
    return (yield)


class Tasks(World):
    """Behind the shells, sync and async: what they skip, they skip here."""

    def __init__(self, clock: FakeClock, options: dict[str, Any]) -> None:
        super().__init__(clock, options)

        @circuit_breaker(self.breaker)
        async def task() -> int:
            return finish(await _told())

        @circuit_breaker(self.breaker)
        def function(body: Callable[[], int]) -> int:
            return body()

        self.task: Callable[[], Coroutine[None, str, int]] = task
        self.call = function

    def begin(self) -> Any:
        held = self.task()
        try:
            held.send(None)
        except CircuitOpenError as error:
            return error
        return held

    def end(self, held: Any, end: str) -> None:
        try:
            held.send(end)
        except (StopIteration, ConnectionError, KeyError, CancelledError):
            return


class Blocks(World):
    """As blocks, each in a context of its own."""

    def begin(self) -> Any:
        context = contextvars.copy_context()
        try:
            context.run(self.breaker.__enter__)
        except CircuitOpenError as error:
            return error
        return context

    def end(self, held: Any, end: str) -> None:
        try:
            finish(end)
        except BaseException as error:
            held.run(self.breaker.__exit__, type(error), error, None)
        else:
            held.run(self.breaker.__exit__, None, None, None)


class Core(World):
    """The bare core: every call asks to be admitted, and every call is settled."""

    def __init__(self, clock: FakeClock, options: dict[str, Any]) -> None:
        super().__init__(clock, options)
        self.clock = clock
        self.config = replace(self.breaker._shared.config, settle_all=True, lock_free=False)
        self.latest = 0
        self.core = BreakerCore(self.config, self.now())

    def now(self) -> int:
        self.latest = max(self.latest, round(self.clock.monotonic() * 1e9))
        return self.latest

    def begin(self) -> Any:
        now = self.now()
        permit = self.core.admit(now)
        if permit is not None:
            return permit, self.clock.monotonic()
        wait = self.core.wait(now)
        return CircuitOpenError(
            name="", retry_after=None if wait is None else wait / 1e9, reason="", state=self.core.state
        )

    def end(self, held: Any, end: str) -> None:
        permit, started = held
        now = self.now()
        if end == "cancelled":
            self.core.give_back(permit, now)
            return
        limit = self.config.slow_call_duration
        slow = limit is not None and round((self.clock.monotonic() - started) * 1e9) > limit
        self.core.settle(permit, now, failure="ConnectionError" if end == "failed" else None, slow=slow)

    def call(self, body: Callable[[], int]) -> int:
        held = self.begin()
        if isinstance(held, CircuitOpenError):
            raise held
        try:
            result = body()
        except BaseException as error:
            self.end(held, error.args[0])
            raise
        self.end(held, "fine")
        return result

    def order(self, command: str, seconds: float | None) -> None:
        length = [None if seconds is None else round(seconds * 1e9)] if command == "force_open" else []
        getattr(self.core, command)(self.now(), *length)

    def look(self) -> BreakerSnapshot:
        return view(self.core, self.now())
