"""Faults of other circuit breakers: generators, plain and async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker
from resilience.testing import FakeClock
from tests.scenarios.in_flight import Down


class Steps:
    """An iteration under a breaker that a test walks through by hand."""

    def __init__(self, breaker: CircuitBreaker, *, is_async: bool) -> None:
        self._runner = asyncio.Runner() if is_async else None

        @circuit_breaker(breaker)
        def rows(error: Exception | None) -> Iterator[int]:
            yield 1
            yield 2
            if error is not None:
                raise error

        @circuit_breaker(breaker)
        async def async_rows(error: Exception | None) -> AsyncGenerator[int]:
            yield 1
            yield 2
            if error is not None:
                raise error

        self._rows: Callable[[Exception | None], Any] = async_rows if is_async else rows

    def begin(self, error: Exception | None = None) -> Any:
        """Make a generator; nothing has been asked of it yet."""
        return self._rows(error)

    def step(self, rows: Any) -> int:
        """Its next row."""
        if self._runner is None:
            return next(rows)

        async def step() -> int:
            return await anext(rows)

        return self._runner.run(step())

    def rest(self, rows: Any) -> list[int]:
        """All that are left."""
        if self._runner is None:
            return list(rows)

        async def rest() -> list[int]:
            return [row async for row in rows]

        return self._runner.run(rest())

    def close(self, rows: Any) -> None:
        """Ask for no more."""
        if self._runner is None:
            rows.close()
        else:
            self._runner.run(rows.aclose())

    def end(self) -> None:
        """End the event loop."""
        if self._runner is not None:
            self._runner.close()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    """A breaker that opens at the second failure in a row."""
    return CircuitBreaker(failure_threshold=2, recovery_timeout=10, clock=clock)


@pytest.fixture(params=["generator", "async generator"])
def steps(request: pytest.FixtureRequest, breaker: CircuitBreaker) -> Iterator[Steps]:
    """Generators under the breaker, of one colour and then of the other."""
    steps = Steps(breaker, is_async=request.param == "async generator")
    yield steps
    steps.end()


def test_a_generator_that_fails_on_the_way_is_a_success(steps: Steps, breaker: CircuitBreaker) -> None:
    """A generator that fails at its third step has failed: two of them open the circuit (interlock-cb)."""
    for _ in range(2):
        rows = steps.begin(Down())
        assert [1, 2] == [steps.step(rows), steps.step(rows)]
        with pytest.raises(Down):
            steps.step(rows)

    assert State.OPEN is breaker.state
    with pytest.raises(CircuitOpenError):
        steps.step(steps.begin())


def test_a_generator_is_a_success_before_it_ends(steps: Steps, breaker: CircuitBreaker) -> None:
    """A generator is a success when its iteration has ended, not when it has been made or begun (interlock-cb)."""
    with pytest.raises(Down):
        steps.rest(steps.begin(Down()))
    rows = steps.begin()
    seen = [breaker.snapshot().failures_in_a_row]
    steps.step(rows)
    seen.append(breaker.snapshot().failures_in_a_row)
    steps.rest(rows)

    assert [1, 1, 0] == [*seen, breaker.snapshot().failures_in_a_row]


def test_a_generator_gives_its_probe_back_at_once(steps: Steps, breaker: CircuitBreaker, clock: FakeClock) -> None:
    """A generator that is a probe holds its slot until it ends, from its first step on (interlock-cb)."""
    breaker.force_open(10)
    clock.advance(10)
    rows, others = steps.begin(), steps.begin()
    assert State.FORCED_OPEN is breaker.state
    steps.step(rows)
    with pytest.raises(CircuitOpenError):
        steps.step(others)
    assert State.HALF_OPEN is breaker.state
    steps.rest(rows)

    assert State.CLOSED is breaker.state


def test_a_generator_that_is_closed_early_is_a_verdict(steps: Steps, breaker: CircuitBreaker, clock: FakeClock) -> None:
    """A generator whose caller wants no more is neutral; its slot is free again (interlock-cb)."""
    breaker.force_open(10)
    clock.advance(10)
    rows = steps.begin()
    steps.step(rows)
    steps.close(rows)

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)
    assert [1, 2] == steps.rest(steps.begin())
    assert State.CLOSED is breaker.state


def test_generators_lose_send_throw_and_their_return_value() -> None:
    """A guarded generator has the full protocol: send, throw, close and its return value (circuitbreaker)."""
    log: list[str] = []

    @circuit_breaker
    def echo() -> Generator[str, str, str]:
        try:
            sent = yield "first"
            try:
                yield f"heard {sent}"
            except Down as error:
                yield f"caught {error}"
        finally:
            log.append("closed")
        return "done"

    def outer() -> Generator[str, str, None]:
        log.append((yield from echo()))

    steps = outer()
    assert ["first", "heard you", "caught it"] == [next(steps), steps.send("you"), steps.throw(Down("it"))]
    assert [] == list(steps)
    assert ["closed", "done"] == log

    again = echo()
    next(again)
    again.close()
    assert ["closed", "done", "closed"] == log


def test_async_generators_lose_asend_athrow_and_aclose() -> None:
    """A guarded async generator has the full protocol: asend, athrow and aclose (circuitbreaker)."""
    log: list[str] = []

    @circuit_breaker
    async def echo() -> AsyncGenerator[str, str]:
        try:
            sent = yield "first"
            try:
                yield f"heard {sent}"
            except Down as error:
                yield f"caught {error}"
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    async def main() -> None:
        steps = echo()
        heard = [await anext(steps), await steps.asend("you"), await steps.athrow(Down("it"))]
        assert ["first", "heard you", "caught it"] == heard
        assert [] == [row async for row in steps]
        assert ["closed"] == log
        again = echo()
        await anext(again)
        await again.aclose()

    asyncio.run(main())
    assert ["closed", "closed"] == log
