"""Callers of a token bucket that try at once or wait in line: threads, tasks, or guarded functions of both kinds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from resilience import TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.scenarios.in_flight import SOON

__all__ = ["FORMS", "Callers", "Waiting"]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Somebody in line: what gives the instant of its return, and when that is due (None: it will be cancelled)."""

    answer: Future[int] | asyncio.Task[int]
    due: int | None


class Callers:
    """Plain calls of the bucket itself, in line as threads; those that will be cancelled are tasks in any case.

    Args:
        bucket: Whose line it is.
        clock: Its clock, with autojump off.
        leavers: Labels of those that will be cancelled.
    """

    def __init__(self, bucket: TokenBucket, clock: FakeClock, leavers: set[str]) -> None:
        self.bucket = bucket
        self.clock = clock
        self.runner = asyncio.Runner()
        self._leavers = leavers
        self._tasks: dict[str, asyncio.Task[int]] = {}

    def take(self, cost: float, limit: float | None) -> None:
        """Take tokens, in this thread."""
        self.bucket.acquire(cost, max_wait=limit)

    async def take_async(self, cost: float, limit: float | None) -> None:
        """Take tokens, in this task."""
        await self.bucket.acquire_async(cost, max_wait=limit)

    def try_now(self, cost: float, limit: float | None) -> None:
        """Make a call that will not wait."""
        self.take(cost, limit)

    def as_task(self, label: str) -> bool:
        """Whether a caller in line is a task."""
        return label in self._leavers

    def join(self, cost: float, limit: float | None, due: int | None, label: str, *, parked: int) -> Waiting:
        """Stand in line; come back when served at once, or when all in line are parked, *parked* before this one."""
        served = due == self.now()
        if self.as_task(label):
            task = self._tasks[label] = self.runner.run(self._stand(cost, limit, 0 if served else parked + 1))
            return Waiting(answer=task, due=due)
        answer: Future[int] = Future()
        threading.Thread(target=self._report, args=(answer, cost, limit), daemon=True).start()
        if not served:
            self.clock.wait_for_parked(parked + 1)
        return Waiting(answer=answer, due=due)

    def came_back(self, one: Waiting) -> int:
        """The instant at which somebody in line came back; an error if refused, or not back by now."""
        if isinstance(one.answer, Future):
            return one.answer.result(SOON)
        return self.runner.run(_result(one.answer))

    def cancel(self, label: str) -> None:
        """Cancel a task."""

        async def cancel() -> None:
            task = self._tasks[label]
            late = task.done()
            task.cancel()
            await asyncio.wait({task}, timeout=SOON)
            assert late or task.cancelled()

        self.runner.run(cancel())

    def crowd(self, people: int) -> list[BaseException | None]:
        """What comes out of so many calls at once, one a thread."""
        barrier = threading.Barrier(people)
        outcomes: list[BaseException | None] = []

        def person() -> None:
            barrier.wait(SOON)
            try:
                self.take(1, 0.0)
            except Exception as error:
                outcomes.append(error)
            else:
                outcomes.append(None)

        threads = [threading.Thread(target=person, daemon=True) for _ in range(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
        assert people == len(outcomes)
        return outcomes

    def close(self) -> None:
        """Leave no task behind."""
        self.runner.close()

    def now(self) -> int:
        """The clock in nanoseconds."""
        return round(self.clock.monotonic() * 1e9)

    def _report(self, answer: Future[int], cost: float, limit: float | None) -> None:
        try:
            self.take(cost, limit)
        except Exception as error:
            answer.set_exception(error)
        else:
            answer.set_result(self.now())

    async def _stand(self, cost: float, limit: float | None, parked: int) -> asyncio.Task[int]:
        async def stand() -> int:
            await self.take_async(cost, limit)
            return self.now()

        task = asyncio.create_task(stand())
        async with asyncio.timeout(SOON):
            await asyncio.sleep(0)
            while self.clock.parked < parked and not task.done():
                await asyncio.sleep(0)
        return task


class TaskCallers(Callers):
    """The same, all in line as tasks of one event loop."""

    def try_now(self, cost: float, limit: float | None) -> None:
        self.runner.run(self.take_async(cost, limit))

    def as_task(self, label: str) -> bool:
        return True

    def crowd(self, people: int) -> list[BaseException | None]:
        async def everybody() -> list[BaseException | None]:
            return await asyncio.gather(*(self.take_async(1, 0.0) for _ in range(people)), return_exceptions=True)

        return self.runner.run(everybody())


class DecoratedCallers(Callers):
    """Guarded functions; every other one in line is a coroutine."""

    turn = 0

    def take(self, cost: float, limit: float | None) -> None:
        self._guarded(cost, limit, _nothing)()

    async def take_async(self, cost: float, limit: float | None) -> None:
        await self._guarded(cost, limit, _nothing_async)()

    def as_task(self, label: str) -> bool:
        self.turn += 1
        return super().as_task(label) or self.turn % 2 == 0

    def _guarded(self, cost: float, limit: float | None, function: Callable[[], Any]) -> Callable[[], Any]:
        return rate_limited(self.bucket, cost=cost, max_wait=limit)(function)


def _nothing() -> None:
    pass


async def _nothing_async() -> None:
    pass


async def _result(answer: Awaitable[int]) -> int:
    return await asyncio.wait_for(answer, SOON)


FORMS = {"threads": Callers, "tasks": TaskCallers, "decorated": DecoratedCallers}
"""The ways to stand in line."""
