"""The callers: guarded functions in threads and guarded coroutines in tasks, over one breaker and one bucket."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from examples.demo.guards import FAILURES, Guards, WorkFailedError
from examples.demo.settings import Settings
from examples.demo.tally import Tally
from examples.demo.ticket import Ticket
from resilience import CircuitOpenError, RateLimitExceeded

__all__ = ["Clients"]

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wish:
    """A call as it is asked for, before anyone has admitted it."""

    asked_at: float
    generation: int


class Clients:
    """All callers, at work between `with` and its end.

    Args:
        settings: The numbers of the run.
        port: Where the service listens.
        guards: The policies that all calls share.
        tally: Where to count.
    """

    def __init__(self, settings: Settings, port: int, guards: Guards, tally: Tally) -> None:
        self._settings = settings
        self._breaker = guards.breaker
        self._tally = tally
        self._numbers = itertools.count(1)
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(settings.threads + 1, thread_name_prefix="client")
        self._work: list[Future[None]] = []
        timeout = settings.call_timeout

        # The policies stand in the recommended order, the breaker outside: a call that the limiter refuses says
        # nothing about the service, and gives a probe's place back.
        @guards.by_breaker
        @guards.by_limiter
        def fetch(wish: Wish) -> None:
            headers = self._ticket(wish).headers()
            connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
            try:
                connection.request("GET", "/work", headers=headers)
                status = connection.getresponse().status
            finally:
                connection.close()
            if status >= 500:
                raise WorkFailedError(status)

        @guards.by_breaker
        @guards.by_limiter
        async def fetch_async(wish: Wish) -> None:
            headers = self._ticket(wish).headers()
            async with asyncio.timeout(timeout):
                status = await request_status(port, headers)
            if status >= 500:
                raise WorkFailedError(status)

        self._fetch = fetch
        self._fetch_async = fetch_async

    def __enter__(self) -> Self:
        settings = self._settings
        for index in range(settings.threads):
            self._work.append(self._pool.submit(self._call_on, random.Random(f"{settings.seed} thread {index}")))
        self._work.append(self._pool.submit(asyncio.run, self._run_tasks()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._pool.shutdown()
        if error is None:
            self.check()

    def check(self) -> None:
        """Do nothing while all callers are well.

        Raises:
            Exception: What a caller met that it was not meant to meet; the demo, or the package, has a fault.
        """
        for work in self._work:
            if work.done():
                work.result()

    def _wish(self) -> Wish:
        return Wish(time.monotonic(), self._breaker.snapshot().generation)

    def _ticket(self, wish: Wish) -> Ticket:
        # First of all the clock: whatever comes before it widens the span in which the call may have been admitted.
        admitted_at = time.monotonic()
        return Ticket(
            number=next(self._numbers),
            asked_at=wish.asked_at,
            admitted_at=admitted_at,
            from_generation=wish.generation,
            generation=self._breaker.snapshot().generation,
        )

    def _call_on(self, chance: random.Random) -> None:
        while not self._ended.is_set():
            with self._counted():
                self._fetch(self._wish())
            self._ended.wait(pause(chance))

    async def _call_on_async(self, chance: random.Random) -> None:
        while not self._ended.is_set():
            with self._counted():
                await self._fetch_async(self._wish())
            await asyncio.sleep(pause(chance))

    async def _run_tasks(self) -> None:
        settings = self._settings
        chances = [random.Random(f"{settings.seed} task {index}") for index in range(settings.tasks)]
        await asyncio.gather(*map(self._call_on_async, chances))

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        started_at = time.monotonic()
        try:
            yield
        except CircuitOpenError:
            self._tally.rejected_by_breaker()
        except RateLimitExceeded:
            self._tally.rejected_by_limiter()
        except FAILURES:
            self._tally.ended(time.monotonic() - started_at, failed=True)
        else:
            self._tally.ended(time.monotonic() - started_at, failed=False)


def pause(chance: random.Random) -> float:
    """Seconds until a caller asks again, whatever became of its last call."""
    return chance.uniform(0.02, 0.04)


async def request_status(port: int, headers: dict[str, str]) -> int:
    """The status with which the service answers one request.

    Raises:
        OSError: No connection, or it was lost.
        http.client.HTTPException: It was closed without an answer.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        lines = ["GET /work HTTP/1.0", f"Host: {HOST}:{port}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not answer.startswith(b"HTTP/1."):
        raise http.client.BadStatusLine(answer.decode("ascii", "replace"))
    return int(answer.split()[1])
