"""A guarded call that is cancelled, wherever it stands, gives back what it held and counts as nothing."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker
from resilience.testing import FakeClock
from tests.concurrency.crowd import suspend

BODY = 4  # suspensions of the guarded function


class Broken(Exception):
    """What opens the circuit."""


async def body() -> str:
    for _ in range(BODY):
        await suspend()
    return "done"


def decorated(breaker: CircuitBreaker) -> Any:
    return circuit_breaker(breaker)(body)()


def by_key(breaker: CircuitBreaker) -> Any:
    return circuit_breaker(breaker, key=lambda: None)(body)()


def called(breaker: CircuitBreaker) -> Any:
    return breaker.call_async(body)


async def block(breaker: CircuitBreaker) -> str:
    async with breaker:
        return await body()


async def plain_block(breaker: CircuitBreaker) -> str:
    with breaker:
        return await body()


def handed_on(breaker: CircuitBreaker) -> Any:
    """A plain function that returns an awaitable."""

    def make() -> Any:
        return body()

    return circuit_breaker(breaker)(make)()


async def generator(breaker: CircuitBreaker) -> str:
    @circuit_breaker(breaker)
    async def items() -> AsyncGenerator[int, None]:
        for number in range(BODY // 2):
            await suspend()
            yield number
            await suspend()

    steps = items()
    try:
        async for _ in steps:
            pass
    finally:
        await steps.aclose()
    return "done"


WAYS = (decorated, by_key, called, block, plain_block, handed_on, generator)
CONFIGS: dict[str, dict[str, Any]] = {
    "consecutive": {"failure_threshold": 1},
    "calls": {"failure_rate": 0.01, "window_calls": 10, "minimum_calls": 1},
    "seconds": {"failure_rate": 0.01, "window_seconds": 10, "minimum_calls": 1},
    "slow": {"failure_threshold": 1, "slow_call_duration": 1, "slow_call_rate": 0.01, "minimum_calls": 1},
    "results": {"failure_threshold": 1, "failure_when": bool},
}
ENDS: dict[str, Callable[[Any], object]] = {
    "CancelledError": lambda call: call.throw(asyncio.CancelledError()),
    "close": lambda call: call.close(),
    "KeyboardInterrupt": lambda call: call.throw(KeyboardInterrupt()),
    "SystemExit": lambda call: call.throw(SystemExit()),
}
# Before 3.13 closing a coroutine does not reach an async generator that it awaits, guarded or not.
CASES = [
    pytest.param(way, how, id=f"{way.__name__}-{how}")
    for way in WAYS
    for how in ENDS
    if sys.version_info >= (3, 13) or (way, how) != (generator, "close")
]


def end(call: Any, how: str) -> None:
    try:
        ENDS[how](call)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        assert how != "close"
        return
    assert how == "close"


def steps(call: Any, times: int) -> bool:
    try:
        for _ in range(times):
            call.send(None)
    except StopIteration:
        return False
    return True


def trip(breaker: CircuitBreaker, clock: FakeClock) -> None:
    with pytest.raises(Broken), breaker:
        raise Broken
    assert breaker.state is State.OPEN
    clock.advance(30)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("way", "how"), CASES)
def test_a_probe_ended_at_any_suspension_gives_its_slot_back(clock: FakeClock, way: Any, config: str, how: str) -> None:
    """Ended at suspension 1, 2, 3 …, a probe is no verdict, and the next caller finds the slot free."""
    at = 0
    while True:
        at += 1
        breaker = CircuitBreaker(clock=clock, recovery_timeout=30, **CONFIGS[config])
        trip(breaker, clock)
        call = way(breaker)
        if not steps(call, at):
            break
        assert (1, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)
        with pytest.raises(CircuitOpenError), breaker:
            pass

        end(call, how)

        assert (0, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)
        with breaker:
            pass
        assert breaker.state is State.CLOSED

    assert at == BODY + 1


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("way", "how"), CASES)
def test_a_call_ended_at_any_suspension_counts_as_nothing(clock: FakeClock, way: Any, config: str, how: str) -> None:
    """Ended at suspension 1, 2, 3 … through a closed circuit, a call changes no count, fast or slow."""
    for at in range(1, BODY + 1):
        breaker = CircuitBreaker(clock=clock, **CONFIGS[config])
        before = breaker.snapshot()
        call = way(breaker)
        assert steps(call, at)
        clock.advance(5)

        end(call, how)

        assert before == breaker.snapshot()


@pytest.mark.filterwarnings("ignore:coroutine 'body' was never awaited:RuntimeWarning")  # the next test is about that
@pytest.mark.parametrize("how", ENDS)
def test_a_call_that_was_never_begun_holds_nothing(clock: FakeClock, how: str) -> None:
    """A guarded coroutine, or the awaitable of a plain function, that is ended before its first step holds no slot."""
    for way in (decorated, by_key, called, handed_on):
        breaker = CircuitBreaker(clock=clock, failure_threshold=1, recovery_timeout=30)
        trip(breaker, clock)

        end(way(breaker), how)

        assert breaker.snapshot().probes_running == 0
        with breaker:
            pass
    gc.collect()


def test_a_task_that_is_cancelled_before_its_first_step_leaves_no_warning(clock: FakeClock) -> None:
    """As with the bare coroutine, nobody is told that it "was never awaited"."""

    async def main(call: Any) -> None:
        task = asyncio.ensure_future(call)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for way in (decorated, by_key, called, handed_on):
            asyncio.run(main(way(CircuitBreaker(clock=clock))))
        gc.collect()

    assert [] == [str(warning.message) for warning in told]
