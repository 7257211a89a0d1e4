"""Permits of `with` blocks belong to the context they were entered in, whoever else is in a block at that time."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import AsyncExitStack, ExitStack

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, TokenBucket
from resilience._entered import _entered
from resilience.testing import FakeClock
from tests.concurrency.crowd import crowd, suspend


class Broken(Exception):
    """What opens the circuit."""


def half_open_at_the_next_call(clock: FakeClock, probes: int) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, probes=probes, clock=clock)
    with pytest.raises(Broken), breaker:
        raise Broken
    clock.advance(10)
    return breaker


async def block(breaker: CircuitBreaker, error: BaseException | None = None, *, colour: str = "with") -> None:
    """A block that is suspended in its middle, and ends well or with *error*."""
    if colour == "with":
        with breaker:
            await suspend()
            if error:
                raise error
    else:
        async with breaker:
            await suspend()
            if error:
                raise error


@pytest.mark.parametrize("colour", ["with", "async with"])
@pytest.mark.parametrize("ends_first", [0, 1])
def test_interleaved_blocks_of_two_contexts_settle_their_own_permits(
    clock: FakeClock, colour: str, ends_first: int
) -> None:
    """Two blocks on one breaker: the one from before the trip is stale, whatever order they end in."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    contexts = [contextvars.copy_context(), contextvars.copy_context()]
    old = block(breaker, Broken(), colour=colour)
    contexts[0].run(old.send, None)
    breaker.force_open(1)
    clock.advance(1)
    probe = block(breaker, colour=colour)
    contexts[1].run(probe.send, None)
    assert breaker.snapshot().probes_running == 1

    for at in (ends_first, 1 - ends_first):
        with pytest.raises((StopIteration, Broken)):
            contexts[at].run((old, probe)[at].send, None)

    seen = breaker.snapshot()
    assert (State.CLOSED, 1, 0) == (seen.state, seen.stale, seen.failures_in_a_row)


def test_blocks_of_a_thousand_tasks_settle_one_permit_each() -> None:
    """A thousand tasks whose blocks begin and end in any order are counted one by one."""
    breaker = CircuitBreaker(failure_rate=1.0, window_calls=10_000)

    async def one(number: int) -> None:
        async with breaker:
            for _ in range(number * 7919 % 5):
                await asyncio.sleep(0)
            if number % 10 == 0:
                raise Broken

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(1000)), return_exceptions=True)

    asyncio.run(main())

    assert (1000, 100) == (breaker.snapshot().calls, breaker.snapshot().failures)


def test_blocks_of_threads_that_overlap_settle_one_permit_each(clock: FakeClock) -> None:
    """Twenty threads in blocks at once hold twenty probes, and each gives up its own."""
    breaker = half_open_at_the_next_call(clock, 20)
    all_in = threading.Barrier(20)

    def work(_: int) -> None:
        with breaker:
            all_in.wait(30)
            assert breaker.snapshot().probes_running == 20
            all_in.wait(30)

    crowd(20, work)

    assert (State.CLOSED, 0) == (breaker.state, breaker.snapshot().probes_running)


def test_nested_blocks_of_one_breaker_hold_one_permit_each(clock: FakeClock) -> None:
    """A block within a block of the same breaker is a call of its own, and the inner one is settled first."""
    breaker = half_open_at_the_next_call(clock, 3)

    with breaker:
        with breaker:
            with breaker:
                assert breaker.snapshot().probes_running == 3
            assert breaker.snapshot().probes_running == 2
        assert breaker.snapshot().probes_running == 1

    assert breaker.state is State.CLOSED


def test_nested_blocks_of_several_breakers_settle_each_its_own(clock: FakeClock) -> None:
    """An error counts against every breaker around it, and not against one whose block caught it or had ended."""
    outer, inner, done = (CircuitBreaker(failure_threshold=1, clock=clock) for _ in range(3))

    with pytest.raises(Broken), outer:
        with done:
            pass
        with pytest.raises(Broken), inner:
            raise Broken
        assert (State.CLOSED, State.OPEN) == (outer.state, inner.state)
        raise Broken

    assert (State.OPEN, State.CLOSED) == (outer.state, done.state)


def test_a_task_begun_in_a_block_has_blocks_of_its_own(clock: FakeClock) -> None:
    """A task that inherits its parent's context neither ends the parent's block nor outlives it in the way."""
    breaker = half_open_at_the_next_call(clock, 2)

    async def child(parent_is_out: asyncio.Event) -> None:
        async with breaker:
            await parent_is_out.wait()

    async def main() -> None:
        event = asyncio.Event()
        async with breaker:
            task = asyncio.create_task(child(event))
            await asyncio.sleep(0)
            assert breaker.snapshot().probes_running == 2
        assert (1, State.HALF_OPEN) == (breaker.snapshot().probes_running, breaker.state)
        event.set()
        await task

    asyncio.run(main())

    assert breaker.state is State.CLOSED


def test_a_rejected_block_holds_nothing(clock: FakeClock) -> None:
    """A block that was never entered leaves the blocks around it as they were."""
    breaker = half_open_at_the_next_call(clock, 1)

    with breaker:
        for _ in range(3):
            with pytest.raises(CircuitOpenError), breaker:
                pass
        assert breaker.snapshot().probes_running == 1

    assert breaker.state is State.CLOSED


def test_exit_stacks_hold_permits_like_blocks(clock: FakeClock) -> None:
    """`ExitStack` and `AsyncExitStack` enter and leave a breaker and a bucket as a block would."""
    breaker, bucket = half_open_at_the_next_call(clock, 2), TokenBucket(1, 4, clock=clock)

    with ExitStack() as stack:
        stack.enter_context(breaker)
        stack.enter_context(bucket)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(breaker)
            await stack.enter_async_context(bucket)

    asyncio.run(main())

    assert (State.CLOSED, 2) == (breaker.state, bucket.tokens())


def test_blocks_leave_nothing_behind_in_their_context(clock: FakeClock) -> None:
    """After any number of blocks, ended well, badly or never entered, a context holds what it held before."""
    breaker = CircuitBreaker(failure_threshold=2, clock=clock)

    for _ in range(100):
        try:
            with breaker:
                raise Broken
        except (Broken, CircuitOpenError):
            pass
    breaker.reset()
    with breaker, breaker:
        pass

    assert () == _entered.get()


@pytest.mark.parametrize("colour", ["with", "async with"])
def test_a_block_that_was_dropped_half_way_is_settled_in_whatever_context_it_is_collected(
    clock: FakeClock, colour: str
) -> None:
    """A coroutine that is dropped inside its block gives the slot back, also when another task's step collects it."""
    breaker = half_open_at_the_next_call(clock, 1)
    begun = block(breaker, colour=colour)
    contextvars.copy_context().run(begun.send, None)
    assert breaker.snapshot().probes_running == 1

    contextvars.Context().run(begun.close)

    assert breaker.snapshot().probes_running == 0


def test_a_block_ended_in_another_context_says_so(clock: FakeClock) -> None:
    """A block whose end runs in another context than its beginning is an error that names the breaker."""
    breaker = CircuitBreaker("payments", clock=clock)
    contextvars.copy_context().run(breaker.__enter__)

    def end() -> None:
        breaker.__exit__(None, None, None)

    with pytest.raises(RuntimeError, match=r"'payments'.*another context"):
        end()


def test_a_bucket_in_blocks_of_threads_and_tasks_takes_one_token_each(locking: str) -> None:
    """`with` and `async with` on a bucket wait their turn and take exactly one token each."""
    bucket = TokenBucket(10_000, 10)

    async def one() -> None:
        async with bucket:
            pass

    async def tasks() -> None:
        await asyncio.gather(*(one() for _ in range(100)))

    def work(at: int) -> None:
        if at:
            asyncio.run(tasks())
        for _ in range(100):
            with bucket:
                pass

    crowd(2, work)

    assert bucket.snapshot().waiting == 0
