"""Plain functions that return an awaitable: admitted at the call, settled when awaited, neutral when dropped."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, RateLimitExceeded, State, circuit_breaker, rate_limited
from resilience.testing import FakeClock

Promise = Callable[..., Any]


class Soon:
    """An awaitable that is no coroutine, with an attribute of its own."""

    note = "mine"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Obliging:
    """No awaitable, though it answers for every attribute, as a proxy of something remote does."""

    def __getattr__(self, name: str) -> str:
        return name


def stuck() -> Awaitable[None]:
    return Soon(asyncio.Event()) if False else asyncio.Event().wait()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    """A breaker that counts in a window, and never opens here."""
    return CircuitBreaker(failure_rate=1.0, minimum_calls=100, clock=clock)


@pytest.fixture
def promise(breaker: CircuitBreaker) -> Promise:
    """A guarded plain function that gives an awaitable of its argument."""
    return circuit_breaker(breaker)(Soon)


@pytest.fixture
def probing(clock: FakeClock) -> CircuitBreaker:
    """A breaker whose one probe is due."""
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open(1)
    clock.advance(1)
    return breaker
