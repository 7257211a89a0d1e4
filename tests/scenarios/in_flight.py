"""Calls that stay in flight until they are told how to end: each in a thread of its own, or in a task of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

__all__ = ["SOON", "Aborted", "Calls", "Down", "NotMine", "Play", "TaskCalls", "ThreadCalls"]

Play = Callable[[], object]
"""What a call does in the end: return, or raise."""

SOON = 10.0
"""Real seconds after which what should happen at once has failed to happen."""
INSIDE = object()


class Down(Exception):
    """The dependency failed."""


class NotMine(Exception):
    """An error that a breaker is told to ignore."""


class Aborted(BaseException):
    """The caller gave up, in a way that is no `Exception`."""


class Calls(Protocol):
    """Makes calls under a guard, at once or in flight; each answer is what came out, None for a plain return."""

    def call(self, error: BaseException | None = None, *, during: Play = lambda: None) -> BaseException | None:
        """Call: *during* happens inside, then it ends with *error*, or well."""
        ...

    def start(self, label: str = "it") -> BaseException | None:
        """Begin a call that stays inside."""
        ...

    def end(self, label: str = "it", error: BaseException | None = None) -> BaseException | None:
        """End it."""
        ...

    def crowd(self, people: int, errors: Sequence[BaseException | None]) -> list[BaseException | None]:
        """Let so many at once make one call after the other, one for each of *errors*."""
        ...

    def close(self) -> None:
        """End whatever is still in flight."""
        ...


def end_with(error: BaseException | None) -> None:
    """End a call."""
    if error is not None:
        raise error


class ThreadCalls:
    """Calls of a plain function; each one in flight has a thread."""

    def __init__(self, guard: Callable[[Play], object]) -> None:
        self._guard = guard
        self._held: dict[str, tuple[queue.SimpleQueue[BaseException | None], queue.SimpleQueue[object]]] = {}

    def call(self, error: BaseException | None = None, *, during: Play = lambda: None) -> BaseException | None:
        def inside() -> None:
            during()
            end_with(error)

        return self._outcome(inside)

    def start(self, label: str = "it") -> BaseException | None:
        orders: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        news: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def inside() -> None:
            news.put(INSIDE)
            end_with(orders.get())

        threading.Thread(target=lambda: news.put(self._outcome(inside)), daemon=True).start()
        first = news.get(timeout=SOON)
        if first is not INSIDE:
            return never_inside(first)
        self._held[label] = orders, news
        return None

    def end(self, label: str = "it", error: BaseException | None = None) -> BaseException | None:
        orders, news = self._held.pop(label)
        orders.put(error)
        return news.get(timeout=SOON)  # type: ignore[return-value] # the second news is what came out

    def crowd(self, people: int, errors: Sequence[BaseException | None]) -> list[BaseException | None]:
        outcomes: list[BaseException | None] = []
        barrier = threading.Barrier(people)

        def person() -> None:
            barrier.wait(SOON)
            for error in errors:
                outcomes.append(self.call(error))

        threads = [threading.Thread(target=person, daemon=True) for _ in range(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
        return outcomes

    def close(self) -> None:
        for label in tuple(self._held):
            self.end(label, Aborted())

    def _outcome(self, inside: Play) -> BaseException | None:
        try:
            self._guard(inside)
        except BaseException as error:
            return error
        return None


class TaskCalls:
    """Calls of a coroutine function, all on one event loop; each one in flight has a task."""

    def __init__(self, guard: Callable[[Play | Callable[[], Awaitable[object]]], Awaitable[object]]) -> None:
        self._guard = guard
        self._runner = asyncio.Runner()
        self._held: dict[str, tuple[asyncio.Future[None], asyncio.Task[BaseException | None]]] = {}

    def call(self, error: BaseException | None = None, *, during: Play = lambda: None) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError):
            return self.start() or self.end(error=error)

        async def inside() -> None:
            during()
            end_with(error)

        return self._runner.run(self._outcome(inside))

    def start(self, label: str = "it") -> BaseException | None:
        async def begin() -> BaseException | None:
            entered, orders = asyncio.Event(), asyncio.get_running_loop().create_future()

            async def inside() -> None:
                entered.set()
                await orders

            task = asyncio.create_task(self._outcome(inside))
            waiter = asyncio.create_task(entered.wait())
            await asyncio.wait({task, waiter}, timeout=SOON, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            if not entered.is_set():
                return never_inside(task.result())
            self._held[label] = orders, task
            return None

        return self._runner.run(begin())

    def end(self, label: str = "it", error: BaseException | None = None) -> BaseException | None:
        orders, task = self._held.pop(label)

        async def finish() -> BaseException | None:
            if isinstance(error, asyncio.CancelledError):
                task.cancel()
            elif error is None:
                orders.set_result(None)
            else:
                orders.set_exception(error)
            return await asyncio.wait_for(task, SOON)

        return self._runner.run(finish())

    def crowd(self, people: int, errors: Sequence[BaseException | None]) -> list[BaseException | None]:
        async def person() -> list[BaseException | None]:
            outcomes = []
            for error in errors:

                async def inside(error: BaseException | None = error) -> None:
                    await asyncio.sleep(0)
                    end_with(error)

                outcomes.append(await self._outcome(inside))
            return outcomes

        async def everybody() -> list[BaseException | None]:
            return [one for each in await asyncio.gather(*(person() for _ in range(people))) for one in each]

        return self._runner.run(everybody())

    def close(self) -> None:
        for label in tuple(self._held):
            self.end(label, asyncio.CancelledError())
        self._runner.close()

    def _outcome(self, inside: Callable[[], Awaitable[object]]) -> Coroutine[Any, Any, BaseException | None]:
        async def outcome() -> BaseException | None:
            try:
                await self._guard(inside)
            except BaseException as error:
                return error
            return None

        return outcome()


def never_inside(outcome: Any) -> BaseException:
    """What came out of a call that never came inside: an error, for the guard must not make an answer up."""
    assert isinstance(outcome, BaseException), "the guard returned without making the call"
    return outcome
