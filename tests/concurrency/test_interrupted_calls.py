"""What interrupts a call, from inside, from outside or on its way in, leaves no slot taken and no verdict behind."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, TokenBucket, circuit_breaker, rate_limited
from resilience.events import KeyDropped, StateChanged
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock

INTERRUPTIONS = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
CONFIGS: dict[str, dict[str, Any]] = {
    "consecutive": {"failure_threshold": 1},
    "calls": {"failure_rate": 0.01, "window_calls": 10, "minimum_calls": 1},
    "seconds": {"failure_rate": 0.01, "window_seconds": 10, "minimum_calls": 1},
    "slow": {"failure_threshold": 1, "slow_call_duration": 1, "slow_call_rate": 0.01, "minimum_calls": 1},
    "results": {"failure_threshold": 1, "failure_when": bool},
}


class Broken(Exception):
    """What opens the circuit."""


def half_open_at_the_next_call(clock: FakeClock, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker(clock=clock, recovery_timeout=30, **{"failure_threshold": 1} | options)
    with pytest.raises(Broken), breaker:
        raise Broken
    clock.advance(30)
    return breaker


@pytest.mark.parametrize("error", INTERRUPTIONS)
@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_no_exception_raised_inside_a_call_is_neutral(
    flavour: Any, clock: FakeClock, config: str, error: type[BaseException]
) -> None:
    """Ctrl-C, an exit or a cancellation from inside comes out as it is, frees the slot and counts as nothing."""
    breaker = half_open_at_the_next_call(clock, **{"failure_threshold": None} | CONFIGS[config])
    mine = error("mine")

    def interrupted() -> None:
        raise mine

    call = flavour.guarded(circuit_breaker(breaker), interrupted)
    with pytest.raises(error) as caught:
        call()

    assert flavour.is_async or caught.value is mine
    assert (0, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)
    with breaker:
        pass


@pytest.mark.parametrize("how", ["close", "throw", "drop"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_generator_ended_at_any_step_gives_its_slot_back(clock: FakeClock, at: int, how: str) -> None:
    """A guarded generator closed, interrupted or dropped before its end is no verdict."""
    breaker = half_open_at_the_next_call(clock)

    @circuit_breaker(breaker)
    def items() -> Generator[int, None, None]:
        yield from range(3)

    made = items()
    for number in range(at):
        assert number == next(made)
    assert (at > 0) == breaker.snapshot().probes_running
    if how == "throw":
        with pytest.raises(KeyboardInterrupt):
            made.throw(KeyboardInterrupt)
    elif how == "close":
        made.close()
    del made

    assert breaker.snapshot().probes_running == 0
    with breaker:
        pass


def test_calls_that_time_out_free_their_slots(clock: FakeClock) -> None:
    """A hundred probes in a row under `asyncio.wait_for` that never end leave the slot free for the next."""
    breaker = half_open_at_the_next_call(clock)

    @circuit_breaker(breaker)
    async def never() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(never(), 0.0001)

    asyncio.run(main())

    assert (0, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)


def test_a_slot_given_back_while_the_lock_is_taken_is_given_back_then(clock: FakeClock) -> None:
    """A probe that ends as nothing while another thread looks is neutral, however much later somebody comes by."""
    ending: list[Any] = []

    class Looked(FakeClock):
        def monotonic(self) -> float:
            while ending:
                ending.pop().close()  # in the middle of a look, whose lock is taken
            return super().monotonic()

    looked = Looked(100.0)
    breaker = half_open_at_the_next_call(looked)

    @circuit_breaker(breaker)
    def items() -> Generator[int, None, None]:
        yield 1

    made = items()
    next(made)
    ending.append(made)
    breaker.snapshot()
    looked.advance(31)  # beyond the probe's deadline, and not beyond the opening that its loss would begin

    with breaker:
        pass
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_probe_whose_way_in_is_interrupted_by_a_listener_gives_its_slot_back(
    flavour: Any, clock: FakeClock, error: type[BaseException]
) -> None:
    """A listener that ends the program while the circuit half-opens: the call is never made, and its slot is free."""
    breaker = half_open_at_the_next_call(clock)
    interruptions = [error]

    def listener(event: Any) -> None:
        if isinstance(event, StateChanged) and interruptions:
            raise interruptions.pop()

    breaker.subscribe(listener)
    calls: list[int] = []
    call = flavour.guarded(circuit_breaker(breaker), lambda: calls.append(1))
    with pytest.raises(error):
        call()

    assert ([], 0) == (calls, breaker.snapshot().probes_running)
    call()
    assert ([1], State.CLOSED) == (calls, breaker.state)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_wait_whose_way_in_is_interrupted_by_a_listener_leaves_the_line(error: type[BaseException]) -> None:
    """A listener that ends the program as a call joins the line leaves nobody standing there."""
    clock = HandClock()
    bucket = TokenBucket(1, 1, max_keys=1, clock=clock)

    def listener(event: Any) -> None:
        if isinstance(event, KeyDropped) and event.key == "b":
            raise error

    async def main() -> None:
        bucket.acquire(key="a")
        waiter = bucket.acquire_async(key="a")
        waiter.send(None)
        clock.now += 0.5
        bucket.acquire(key="b")
        clock.now += 0.5
        with pytest.raises(error):
            bucket.acquire(key="a")  # serves the waiter, whose key takes the place of b's, and stands behind it
        with pytest.raises(StopIteration):
            waiter.send(None)

    bucket.subscribe(listener)
    asyncio.run(main())

    assert bucket.snapshot().waiting == 0


def test_an_opening_whose_recovery_function_is_interrupted_stands(clock: FakeClock) -> None:
    """Ctrl-C in a recovery-time function comes out; the circuit is open for the last good length, 30 s at first."""

    def recovery(openings: int) -> float:
        raise KeyboardInterrupt

    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=recovery, clock=clock)
    with pytest.raises(KeyboardInterrupt), breaker:
        raise Broken

    assert (State.OPEN, 30) == (breaker.state, breaker.snapshot().retry_after)
    with pytest.raises(CircuitOpenError), breaker:
        pass
    clock.advance(30)
    with breaker:
        pass
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("error", INTERRUPTIONS)
def test_a_predicate_that_is_interrupted_leaves_no_slot_taken(clock: FakeClock, error: type[BaseException]) -> None:
    """Ctrl-C in `on`, `ignore` or `failure_when` comes out, and the permit is settled."""

    def interrupted(_: object) -> bool:
        raise error

    for options in ({"on": interrupted}, {"ignore": interrupted}, {"failure_when": interrupted}):
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=30, clock=clock, **options)
        breaker.force_open(1)
        clock.advance(1)
        call = circuit_breaker(breaker)(lambda options=options: "failure_when" in options or 1 / 0)
        with pytest.raises(error):
            call()

        assert (0, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)


def test_a_key_or_cost_that_is_interrupted_takes_nothing(flavour: Any) -> None:
    """Ctrl-C in `key` or `cost` comes out before any token is gone or any circuit is made."""

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    bucket = TokenBucket(1, 5, clock=HandClock())
    breaker = CircuitBreaker(key=interrupted)
    for decorate in (
        rate_limited(bucket, key=interrupted),
        rate_limited(bucket, cost=interrupted),
        circuit_breaker(breaker),
    ):
        with pytest.raises(KeyboardInterrupt):
            flavour.guarded(decorate, lambda: None)()

    assert (5, {}) == (bucket.tokens(), breaker.snapshot().states)
