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


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    """A breaker that counts in a window, and never opens here."""
    return CircuitBreaker(failure_rate=1.0, minimum_calls=100, clock=clock)


@pytest.fixture
def promise(breaker: CircuitBreaker) -> Promise:
    """A guarded plain function that gives an awaitable of its argument."""

    @circuit_breaker(breaker)
    def promise(answer: Any) -> Awaitable[Any]:
        return Soon(answer)

    return promise


@pytest.fixture
def probing(clock: FakeClock) -> CircuitBreaker:
    """A breaker whose one probe is due."""
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open(1)
    clock.advance(1)
    return breaker


def unproven(breaker: CircuitBreaker) -> bool:
    """Whether the breaker has learnt nothing and its probe's slot is free."""
    return (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)


def test_it_is_settled_when_it_has_been_awaited(promise, breaker):
    """Between the call and the end of the await nothing is counted; then one success."""

    async def main() -> tuple[float, Any]:
        promised = promise(4)
        before = breaker.snapshot().calls
        return before, await promised

    assert (0, 4) == asyncio.run(main())
    assert (1, 0) == (breaker.snapshot().calls, breaker.snapshot().failures)


def test_it_can_be_awaited_without_being_kept(promise):
    """`await f()` is the commonest way: nobody but the await holds the awaitable."""

    async def main() -> Any:
        return await promise(4)

    assert 4 == asyncio.run(main())


def test_what_the_await_raises_is_the_failure(promise, breaker):
    """The caller gets the very exception, and the breaker counts it once."""
    error = LookupError("mine")

    with pytest.raises(LookupError) as caught:
        asyncio.run(promise(error))

    assert error is caught.value
    assert (1, 1) == (breaker.snapshot().calls, breaker.snapshot().failures)


def test_an_open_circuit_rejects_at_the_call(promise, breaker):
    """The call itself raises: nothing is left to be awaited."""
    breaker.force_open()

    with pytest.raises(CircuitOpenError):
        promise(4)


def test_an_exhausted_limiter_rejects_at_the_call(clock):
    """The token is taken at the call, awaited or not, and the limiter hands on the function's own awaitable."""
    given = Soon(4)
    function = rate_limited(1, clock=clock)(lambda: given)
    assert given is function()

    with pytest.raises(RateLimitExceeded):
        function()


def test_one_that_is_dropped_is_neutral(probing):
    """The probe's slot is free as soon as nobody holds the awaitable."""
    promised = circuit_breaker(probing)(lambda: Soon(4))()
    assert 1 == probing.snapshot().probes_running
    del promised

    assert unproven(probing)


def test_one_that_is_closed_is_neutral(probing):
    """Closing it before its first step gives the slot back, and closes the coroutine inside."""
    inner = forever()
    circuit_breaker(probing)(lambda: inner)().close()

    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(inner)
    assert unproven(probing)


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_cancelled_task_is_neutral(probing, turns):
    """A task of it that is cancelled, before its first step or at a later one, gives the slot back."""
    inner = forever()

    async def main() -> str:
        task = asyncio.create_task(circuit_breaker(probing)(lambda: inner)())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return inspect.getcoroutinestate(inner)

    state = asyncio.run(main())
    inner.close()

    assert unproven(probing)
    assert inspect.CORO_CLOSED == state, "else Python warns that it was never awaited"


def test_a_timeout_around_it_is_neutral(probing):
    """`wait_for` that gives up cancels it, which proves nothing."""
    function = circuit_breaker(probing)(lambda: Soon(asyncio.Event()))

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(function(), 0)

    asyncio.run(main())

    assert unproven(probing)


def test_a_probe_that_is_awaited_closes_the_circuit(probing):
    """The probe's verdict is that of the await."""
    asyncio.run(circuit_breaker(probing)(lambda: Soon(4))())

    assert State.CLOSED is probing.state


def test_the_time_of_the_await_counts(clock):
    """A call is slow when call and await together take longer than the limit."""
    breaker = CircuitBreaker(slow_call_duration=1.0, slow_call_rate=1.0, minimum_calls=1, clock=clock)

    @circuit_breaker(breaker)
    def function() -> Awaitable[None]:
        clock.advance(0.5)
        return clock.sleep_async(0.6)

    asyncio.run(function())

    assert State.OPEN is breaker.state


def test_failure_when_sees_what_was_awaited(clock):
    """The predicate is asked about the awaited value, not about the awaitable."""
    seen: list[Any] = []
    breaker = CircuitBreaker(failure_when=seen.append, clock=clock)
    asyncio.run(circuit_breaker(breaker)(lambda: Soon(4))())

    assert [4] == seen


def test_a_future_can_be_awaited_again(breaker):
    """A future gives its result to any number of awaits, guarded or not; only the first is a verdict."""

    async def main() -> list[Any]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(4)
        promised = circuit_breaker(breaker)(lambda: future)()
        return [await promised, await promised]

    assert [4, 4] == asyncio.run(main())
    assert 1 == breaker.snapshot().calls


def test_a_context_manager_that_can_be_awaited_is_still_one(breaker):
    """What HTTP clients return works in `async with` as well as with `await`."""

    class Response(Soon):
        async def __aenter__(self) -> Any:
            return await self

        async def __aexit__(self, *error: object) -> None:
            return None

    async def main() -> Any:
        async with circuit_breaker(breaker)(lambda: Response(4))() as answer:
            return answer

    assert 4 == asyncio.run(main())


def test_the_awaitable_keeps_its_attributes(promise):
    """All but the await is the original's own."""
    promised = promise(4)

    assert ("mine", 4, True) == (promised.note, promised.answer, inspect.isawaitable(promised))
    assert repr(promised).startswith("<guarded <")


def test_an_object_that_answers_for_everything_is_no_awaitable(breaker):
    """Only a type with `__await__` can be awaited, so anything else comes back as it is, and is settled at once."""
    obliging = Obliging()

    assert obliging is circuit_breaker(breaker)(lambda: obliging)()
    assert 1 == breaker.snapshot().calls
