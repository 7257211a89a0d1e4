"""Threads for tests: all at once, or one that must come to its end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["LONG", "all_at_once", "finishes", "switching_fast"]

LONG = 10.0
"""Real seconds after which what should have happened at once has failed to happen."""


def all_at_once(people: int, work: Callable[[], object]) -> None:
    """Run *work* in so many threads that start together, and wait for them."""
    barrier = threading.Barrier(people)
    errors: list[BaseException] = []

    def person() -> None:
        barrier.wait(LONG)
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=person, daemon=True) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert [] == errors
    assert not any(thread.is_alive() for thread in threads), "somebody never came back"


def finishes(work: Callable[[], object]) -> None:
    """Run *work* in a thread that must come to its end, so that a deadlock fails one test and hangs none."""
    all_at_once(1, work)


@contextmanager
def switching_fast() -> Iterator[None]:
    """Let threads be interrupted as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
