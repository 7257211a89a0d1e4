"""Threads that start together and are made to collide, and a clock to steer a test by hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any, ParamSpec, TypeVar

__all__ = ["HandClock", "TickClock", "crowd", "in_a_loop", "start", "suspend", "switching_fast"]

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def switching_fast() -> Iterator[None]:
    """Let threads cut in on one another a million times a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def start(work: Callable[..., object], *args: Any) -> threading.Thread:
    """Run *work* in a thread that does not keep a failed test from ending."""
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


def crowd(number: int, work: Callable[[int], T], *, seconds: float = 60.0) -> list[T]:
    """Run `work(0)`, `work(1)` … in threads that leave one barrier together; give their answers, in order."""
    barrier = threading.Barrier(number)
    answers: dict[int, T] = {}
    errors: list[BaseException] = []

    def one(at: int) -> None:
        try:
            barrier.wait(seconds)
            answers[at] = work(at)
        except BaseException as error:
            errors.append(error)

    with switching_fast():
        threads = [start(one, at) for at in range(number)]
        for thread in threads:
            thread.join(seconds)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return [answers[at] for at in range(number)]


def in_a_loop(test: Callable[P, T]) -> Callable[P, T]:
    """Run a test that drives coroutines by hand where a loop is running, as a task's alarm asks for one."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        async def main() -> T:
            return test(*args, **kwargs)

        return asyncio.run(main())

    return run


@types.coroutine
def suspend(value: Any = None) -> Generator[Any, Any, Any]:
    """Suspend a coroutine that a test drives by hand."""
    return (yield value)


class HandClock:
    """A clock with the three methods alone; whoever sleeps asynchronously is suspended once, then the time has come."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        target = self.now + seconds
        await suspend(seconds)
        self.now = max(self.now, target)


class TickClock(HandClock):
    """A clock that goes on by a microsecond at each look, so that the pace of the machine does not matter."""

    def monotonic(self) -> float:
        self.now += 1e-6  # two threads may take the same tick: still never back, and never faster than looks
        return self.now
