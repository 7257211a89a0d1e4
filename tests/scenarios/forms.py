"""The ways to put a call under a circuit breaker: decorated or in a block, plain or async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import CircuitBreaker, circuit_breaker
from tests.scenarios.in_flight import Calls, Play, TaskCalls, ThreadCalls

__all__ = ["FORMS"]


def _function(breaker: CircuitBreaker) -> Calls:
    @circuit_breaker(breaker)
    def guarded(play: Play) -> object:
        return play()

    return ThreadCalls(guarded)


def _coroutine(breaker: CircuitBreaker) -> Calls:
    @circuit_breaker(breaker)
    async def guarded(play: Any) -> object:
        return await play()

    return TaskCalls(guarded)


def _block(breaker: CircuitBreaker) -> Calls:
    def guarded(play: Play) -> object:
        with breaker:
            return play()

    return ThreadCalls(guarded)


def _async_block(breaker: CircuitBreaker) -> Calls:
    async def guarded(play: Any) -> object:
        async with breaker:
            return await play()

    return TaskCalls(guarded)


FORMS: dict[str, Callable[[CircuitBreaker], Calls]] = {
    "function": _function,
    "coroutine": _coroutine,
    "block": _block,
    "async block": _async_block,
}
"""Makers of calls under a breaker, by the name of the form."""
