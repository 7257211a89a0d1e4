"""What is dropped half-way is settled by the collector, which may come at any moment: also inside a policy's lock."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    State,
    TokenBucket,
    circuit_breaker,
    rate_limited,
)
from tests.concurrency.child import in_child
from tests.concurrency.crowd import HandClock, crowd, in_a_loop, suspend

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork.*:DeprecationWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)


class Broken(Exception):
    """What opens the circuit."""


class CollectingClock(HandClock):
    """A clock in whose reading garbage is collected, as happens by chance anywhere; policies read it in their locks."""

    def monotonic(self) -> float:
        gc.collect()
        return super().monotonic()


def half_open_at_the_next_call(clock: HandClock, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker(clock=clock, recovery_timeout=10, failure_threshold=1, **options)
    with pytest.raises(Broken), breaker:
        raise Broken
    clock.now += 10
    return breaker


def in_a_cycle(begun: object) -> None:
    """Leave *begun* to the collector."""
    cycle: list[object] = [begun]
    cycle.append(cycle)


async def suspended() -> None:
    await suspend()


def handed_on() -> Any:
    return suspended()


async def block(breaker: CircuitBreaker) -> None:
    async with breaker:
        await suspend()


def step(begun: Any) -> Any:
    begun.send(None)
    return begun


def generator(breaker: CircuitBreaker) -> Any:
    @circuit_breaker(breaker)
    def items() -> Generator[int, None, None]:
        yield 1

    return step(items())


def async_generator(breaker: CircuitBreaker) -> Any:
    @circuit_breaker(breaker)
    async def items() -> AsyncGenerator[int, None]:
        yield 1

    made = items()
    with pytest.raises(StopIteration):
        made.asend(None).send(None)
    return made


BEGUN: dict[str, Callable[[CircuitBreaker], Any]] = {
    "coroutine": lambda breaker: step(circuit_breaker(breaker)(suspended)()),
    "by key": lambda breaker: step(circuit_breaker(breaker, key=lambda: None)(suspended)()),
    "called": lambda breaker: step(breaker.call_async(suspended)),
    "block": lambda breaker: step(block(breaker)),
    "awaitable": lambda breaker: step(circuit_breaker(breaker)(handed_on)()),
    "awaitable never awaited": lambda breaker: circuit_breaker(breaker)(handed_on)(),
    "generator": generator,
    "async generator": async_generator,
}


@pytest.mark.parametrize("how", BEGUN)
def test_what_is_collected_inside_the_lock_of_its_own_circuit_gives_its_slot_back(how: str) -> None:
    """A probe dropped in a cycle and collected while its circuit's lock is held: no deadlock, and no verdict."""

    def work() -> None:
        clock = CollectingClock()
        breaker = half_open_at_the_next_call(clock)
        gc.disable()
        in_a_cycle(BEGUN[how](breaker))
        breaker.snapshot()
        with breaker:
            pass
        assert (State.CLOSED, 0) == (breaker.state, breaker.snapshot().probes_running)

    assert in_child(work) == 0


@pytest.mark.parametrize("how", BEGUN)
def test_what_is_dropped_gives_its_slot_back_at_once(how: str) -> None:
    """Without a cycle, the slot of a dropped probe is free as soon as nobody holds it."""
    breaker = half_open_at_the_next_call(HandClock())
    begun = BEGUN[how](breaker)
    assert breaker.snapshot().probes_running == 1

    del begun

    assert breaker.snapshot().probes_running == 0


@in_a_loop
def wait_in_line(bucket: TokenBucket, key: object = None) -> None:
    with contextlib.suppress(StopIteration):  # which says that it need not wait
        in_a_cycle(step(bucket.acquire_async(key=key)))


def test_a_wait_that_is_collected_inside_the_lock_of_its_own_bucket_leaves_the_line() -> None:
    """A coroutine that was dropped while it stood in line is collected anywhere: no deadlock, an empty line."""

    def work() -> None:
        clock = CollectingClock()
        bucket = TokenBucket(1, 1, clock=clock)
        bucket.acquire()
        gc.disable()
        wait_in_line(bucket)
        bucket.tokens()
        assert bucket.snapshot().waiting == 0
        clock.now += 1
        assert bucket.allow()

    assert in_child(work) == 0


def test_a_wait_for_several_buckets_that_is_collected_inside_a_lock_leaves_all_lines() -> None:
    """The same for one who stood in two lines, collected in the middle of a third caller's decision."""

    def work() -> None:
        clock = CollectingClock()
        one, two = TokenBucket(1, 1, clock=clock), TokenBucket(1, 1, clock=clock)
        call = rate_limited(one, two, max_wait=None)(suspended)
        one.acquire()
        gc.disable()
        in_a_loop(lambda: in_a_cycle(step(call())))()
        assert two.allow() or two.allow(), "the line of the second bucket is not held up"
        assert (0, 0) == (one.snapshot().waiting, two.snapshot().waiting)

    assert in_child(work) == 0


def test_a_listener_is_not_told_inside_the_lock_of_another_policy() -> None:
    """A slot given back inside another policy's lock may move the state; its listeners hear of it later."""

    def work() -> None:
        other = CircuitBreaker(clock=(clock := CollectingClock()))
        breaker = half_open_at_the_next_call(quiet := HandClock(), probes=2)
        heard: list[Any] = []
        breaker.subscribe(lambda event: heard.append((event.new, other.snapshot().state)))
        gc.disable()
        lost, dropped = generator(breaker), generator(breaker)
        quiet.now += 5
        in_a_cycle(dropped)
        del dropped
        quiet.now += 26  # the other probe is overdue: whoever comes by reopens the circuit
        other.snapshot()
        clock.now += 1
        with pytest.raises(CircuitOpenError), breaker:
            pass
        assert [(State.HALF_OPEN, State.CLOSED), (State.OPEN, State.CLOSED)] == heard
        lost.close()

    assert in_child(work) == 0


def test_a_listener_may_collect_garbage() -> None:
    """A collection in a listener settles what was dropped, of this circuit and others, and the event goes on."""

    def work() -> None:
        breaker = half_open_at_the_next_call(clock := HandClock(), probes=3)
        heard: list[State] = []

        def listener(event: Any) -> None:
            gc.collect()
            heard.append(event.new)

        gc.disable()
        breaker.subscribe(listener)
        for way in BEGUN.values():
            in_a_cycle(way(breaker))
            breaker.force_open(1)
            clock.now += 1
        with breaker, breaker, breaker:
            pass
        assert (State.CLOSED, State.CLOSED, 0) == (heard[-1], breaker.state, breaker.snapshot().probes_running)

    assert in_child(work) == 0


@pytest.mark.slow
def test_collections_at_every_allocation_neither_deadlock_nor_lose_a_slot() -> None:
    """With the collector at its most eager, threads that begin, drop and wait leave slots free and lines empty."""

    def work() -> None:
        clock = HandClock()
        breaker = half_open_at_the_next_call(clock, probes=4)
        bucket = TokenBucket(1_000, 5)
        ways = [way for how, way in BEGUN.items() if how != "block"]  # a block ends in its own context

        def one(at: int) -> None:
            for number in range(60):
                with contextlib.suppress(CircuitOpenError):
                    in_a_cycle(ways[(at + number) % len(ways)](breaker))
                wait_in_line(bucket, number % 3)
                with contextlib.suppress(RateLimitExceeded):
                    bucket.acquire(key=number % 3, max_wait=0.001)
                breaker.snapshot()

        gc.set_threshold(1)
        crowd(4, one)
        gc.set_threshold(700)
        gc.collect()
        with breaker, breaker, breaker, breaker:
            pass
        assert (State.CLOSED, 0) == (breaker.state, bucket.snapshot().waiting)
        assert all(0 <= bucket.tokens(key) <= 5 for key in range(3))

    assert in_child(work, seconds=60) == 0
