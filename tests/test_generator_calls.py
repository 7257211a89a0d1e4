"""What counts as one call where the callable is a generator or an async generator."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, RateLimitExceeded, State, circuit_breaker, rate_limited
from resilience.testing import FakeClock
from tests.guards import GUARDS, Guard
from tests.steps import Steps, async_echo, echo


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, clock: FakeClock) -> Guard:
    """Run the test once for each kind of shell."""
    return GUARDS[request.param](clock)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for the length of a test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[echo, async_echo])
def began(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Callable[..., Steps]:
    """Decorate an echo of each colour, and begin it; nothing of it has run yet."""

    def begin(decorate: Callable[[Any], Any], first: Any = "first") -> Steps:
        return Steps(runner, decorate(request.param)(first))

    return begin


def half_open(clock: FakeClock, **options: Any) -> CircuitBreaker:
    """A breaker whose one probe is due."""
    breaker = CircuitBreaker(clock=clock, **options)
    breaker.force_open(1)
    clock.advance(1)
    return breaker


def test_a_generator_is_admitted_at_its_first_step(began, guard):
    """Making it costs nothing; one that is never begun was no call."""
    steps = began(guard.decorate)
    steps.close()

    assert 0 == guard.seen()


def test_an_open_circuit_rejects_at_the_first_step(began, clock):
    """The call gives a generator, and its first step raises."""
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open()
    steps = began(circuit_breaker(breaker))

    with pytest.raises(CircuitOpenError):
        steps.send(None)


def test_an_exhausted_limiter_rejects_at_the_first_step(began, clock):
    """A second generator finds no token at its first step; the first one's steps cost no more than one."""
    decorate = rate_limited(1, clock=clock)
    guarded: list[Any] = []

    def decorate_once(body: Any) -> Any:
        guarded.append(guarded[0] if guarded else decorate(body))
        return guarded[0]

    first, second = began(decorate_once), began(decorate_once)
    assert ["first", "more"] == [first.send(None), first.send("more")]

    with pytest.raises(RateLimitExceeded):
        second.send(None)


def test_a_generator_is_settled_at_its_end(began, guard):
    """All its steps together are one call, which a breaker counts when iteration ends."""
    counted_at_once = hasattr(guard.policy, "tokens")
    steps = began(guard.decorate)
    steps.send(None)
    steps.send("more")
    assert int(counted_at_once) == guard.seen()
    steps.end()

    assert 1 == guard.seen()


def test_a_generator_that_raises_has_failed(began, clock):
    """An error out of any step is one failure."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    steps = began(circuit_breaker(breaker))
    steps.send(None)
    with pytest.raises(LookupError):
        steps.throw(LookupError())

    assert State.OPEN is breaker.state


def test_a_generator_closed_early_is_neutral(began, clock):
    """Closing before the end gives the probe's slot back and proves nothing."""
    breaker = half_open(clock)
    decorate = circuit_breaker(breaker)
    steps = began(decorate)
    steps.send(None)
    steps.close()
    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)
    other = began(decorate)
    other.send(None)
    other.end()

    assert State.CLOSED is breaker.state


def test_a_generator_dropped_early_is_neutral(clock):
    """One that nobody holds any more gives its slot back at once."""
    breaker = half_open(clock)
    next(circuit_breaker(breaker)(echo)("first"))

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)


def test_an_async_generator_left_early_is_neutral(clock):
    """After a `break` out of `async for` the loop closes it, and the slot is given back."""
    breaker = half_open(clock)

    async def main() -> None:
        async for _ in circuit_breaker(breaker)(async_echo)("first"):
            break

    asyncio.run(main())

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)


def test_an_async_generator_cancelled_at_a_step_is_neutral(clock):
    """A cancellation inside a step is no verdict."""
    breaker = half_open(clock)

    @circuit_breaker(breaker)
    async def stuck() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def main() -> None:
        task = asyncio.ensure_future(anext(stuck()))
        await asyncio.sleep(0)
        assert 1 == breaker.snapshot().probes_running
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)


@pytest.mark.parametrize(("inside", "outside", "slow"), [(0.0, 60.0, 0), (0.6, 0.0, 1), (0.4, 60.0, 0)])
def test_only_time_inside_the_generator_counts(clock, inside, outside, slow):
    """Two steps of *inside* seconds are slow above one second together; what the consumer does between is not."""
    breaker = CircuitBreaker(slow_call_duration=1.0, slow_call_rate=1.0, minimum_calls=2, clock=clock)

    @circuit_breaker(breaker)
    def sync() -> Generator[None, None, None]:
        clock.advance(inside)
        yield
        clock.advance(inside)

    @circuit_breaker(breaker)
    async def coloured() -> AsyncIterator[None]:
        clock.advance(inside)
        yield
        await clock.sleep_async(inside)

    async def consume() -> None:
        async for _ in coloured():
            clock.advance(outside)

    for _ in sync():
        clock.advance(outside)
    asyncio.run(consume())

    assert ["2 of 2 calls were slow, limit 1"] * slow == [move.reason for move in breaker.history()]


def test_failure_when_sees_what_a_generator_returns(clock):
    """The predicate gets the return value: here it makes a failure of it."""
    breaker = CircuitBreaker(failure_threshold=1, failure_when="last first".__eq__, clock=clock)
    assert ["first"] == list(circuit_breaker(breaker)(echo)("first"))

    assert State.OPEN is breaker.state


@pytest.mark.parametrize("error", [None, LookupError("mine")])
def test_a_guarded_generator_makes_a_context_manager(guard, error):
    """`contextmanager` around a guarded generator works, whether its block ends well or not."""
    ended: list[str] = []

    @contextlib.contextmanager
    @guard.decorate
    def block() -> Iterator[int]:
        try:
            yield 1
        finally:
            ended.append("ended")

    with pytest.raises(LookupError) if error else contextlib.nullcontext() as caught, block() as value:
        assert 1 == value
        if error:
            raise error

    assert (["ended"], error, 1) == (ended, caught and caught.value, guard.seen())


@pytest.mark.parametrize("error", [None, LookupError("mine")])
def test_a_guarded_async_generator_makes_a_context_manager(guard, error):
    """`asynccontextmanager` around a guarded async generator works, whether its block ends well or not."""
    ended: list[str] = []

    @contextlib.asynccontextmanager
    @guard.decorate
    async def block() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append("ended")

    async def main() -> None:
        async with block() as value:
            assert 1 == value
            if error:
                raise error

    with pytest.raises(LookupError) if error else contextlib.nullcontext() as caught:
        asyncio.run(main())

    assert (["ended"], error, 1) == (ended, caught and caught.value, guard.seen())
