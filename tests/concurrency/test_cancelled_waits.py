"""A wait in line that is cancelled, wherever it stands, costs nothing and lets those behind move up."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from resilience import TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock, in_a_loop, suspend

STEPS = 50  # a wait of a second in slices of 20 ms
BODY = 3  # suspensions of the guarded function itself

ENDS: dict[str, Callable[[Coroutine[Any, Any, Any]], None]] = {
    "CancelledError": lambda call: call.throw(asyncio.CancelledError()),
    "close": lambda call: call.close(),
    "KeyboardInterrupt": lambda call: call.throw(KeyboardInterrupt()),
    "SystemExit": lambda call: call.throw(SystemExit()),
    "an error": lambda call: call.throw(RuntimeError()),
}


def step(call: Coroutine[Any, Any, Any], times: int = 1) -> bool:
    """Go on to the next suspension, *times* times; False when there is none left."""
    try:
        for _ in range(times):
            call.send(None)
    except StopIteration:
        return False
    return True


def end(call: Coroutine[Any, Any, Any], how: str) -> None:
    try:
        ENDS[how](call)
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, RuntimeError):
        return
    assert how == "close"


@pytest.mark.parametrize("how", ENDS)
@in_a_loop
def test_a_wait_ended_at_any_suspension_leaves_the_bucket_as_if_it_had_never_come(how: str) -> None:
    """Ended at suspension 1, 2, 3 … of the wait: no token is gone, nobody in line; in the call: its token is spent."""
    at = 0
    while True:
        at += 1
        clock = HandClock()
        bucket = TokenBucket(1, 1, clock=clock)
        bucket.acquire()

        @rate_limited(bucket, max_wait=None)
        async def call() -> None:
            for _ in range(BODY):
                await suspend()

        one = call()
        if not step(one, at):
            break
        waits = bucket.snapshot().waiting
        end(one, how)

        assert waits == (at <= STEPS)
        assert bucket.snapshot().waiting == 0
        assert bucket.tokens() == pytest.approx((clock.now - 100) - (at > STEPS))

    assert at == STEPS + BODY + 1


@pytest.mark.parametrize("how", ENDS)
@in_a_loop
def test_those_behind_a_wait_ended_at_any_suspension_move_up(how: str) -> None:
    """Whenever the first of three leaves the line, the second has its place, and the third the second's."""
    for at in range(1, STEPS + 1):
        clock = HandClock()
        bucket = TokenBucket(1, 1, clock=clock)
        bucket.acquire()
        first, second, third = (bucket.acquire_async() for _ in range(3))
        assert step(first, at)
        step(second)
        step(third)
        end(first, how)
        assert bucket.snapshot().waiting == 2

        clock.now = 101
        assert not step(second)
        assert step(third)
        clock.now = 102
        assert not step(third)


@pytest.mark.parametrize("leaver", [0, 1, 2, 3])
@in_a_loop
def test_whoever_leaves_the_others_keep_their_order(leaver: int) -> None:
    """One of four leaves: the other three are served in their order, a second apart."""
    clock = HandClock()
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    line = [bucket.acquire_async() for _ in range(4)]
    for one in line:
        step(one)
    end(line.pop(leaver), "CancelledError")

    for second in range(1, 4):
        clock.now = 100 + second
        assert [False, *[True] * (len(line) - 1)] == [step(one) for one in line]
        line.pop(0)


@pytest.mark.parametrize("how", ENDS)
@in_a_loop
def test_a_served_waiter_that_ends_before_it_runs_gives_its_token_back(how: str) -> None:
    """A waiter that another caller's look has served, and that never gets to run, has taken nothing."""
    clock = HandClock()
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    waiter = bucket.acquire_async()
    step(waiter)
    clock.now += 1
    assert not bucket.allow(), "the waiter comes first"
    assert bucket.tokens() == 0

    end(waiter, how)

    assert bucket.tokens() == 1
    assert bucket.allow()


@in_a_loop
def test_a_token_given_back_by_a_served_waiter_serves_the_next_one() -> None:
    """The one behind a served waiter that never ran passes with that waiter's token, at once."""
    clock = HandClock()
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    first, second = bucket.acquire_async(), bucket.acquire_async()
    step(first)
    step(second)
    clock.now += 1
    assert not bucket.allow()

    end(first, "CancelledError")

    assert not step(second)
    assert bucket.tokens() == 0


@pytest.mark.parametrize("how", ENDS)
@in_a_loop
def test_a_wait_for_several_buckets_ended_anywhere_leaves_all_of_them_whole(how: str) -> None:
    """A waiter of two buckets that leaves, or that was served and never ran, has taken from neither."""
    for served in (False, True):
        clock = HandClock()
        fast, slow = TokenBucket(2, 2, clock=clock), TokenBucket(1, 1, clock=clock)
        fast.acquire(2)
        slow.acquire()

        @rate_limited(fast, slow, max_wait=None)
        async def call() -> None:
            return None

        one = call()
        step(one)
        clock.now += 1 if served else 0.5
        assert not slow.allow()
        end(one, how)

        assert (0, 0) == (fast.snapshot().waiting, slow.snapshot().waiting)
        assert ((2, 1) if served else (1, 0.5)) == (fast.tokens(), slow.tokens())


def test_a_wait_that_times_out_leaves_the_line() -> None:
    """`asyncio.wait_for` around a wait costs nothing, and the task behind is served at the time of the first."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()

    async def main() -> None:
        first = asyncio.create_task(asyncio.wait_for(bucket.acquire_async(), 0.01))
        await asyncio.sleep(0.001)
        behind = asyncio.create_task(bucket.acquire_async())
        with pytest.raises(TimeoutError):
            await first
        assert bucket.snapshot().waiting == 1
        clock.advance(1)
        await asyncio.wait_for(behind, 30)

    asyncio.run(main())

    assert (0, 0) == (bucket.snapshot().waiting, bucket.tokens())


def test_a_thousand_waits_that_time_out_at_random_leave_an_empty_line() -> None:
    """Of a thousand tasks whose patience differs each is served or gone, and what is served was there."""
    bucket = TokenBucket(2_000, 50)

    async def main() -> int:
        async def one(number: int) -> int:
            try:
                await asyncio.wait_for(bucket.acquire_async(), (number * 7919 % 1000) / 4000)
            except TimeoutError:
                return 0
            return 1

        return sum(await asyncio.gather(*(one(number) for number in range(1000))))

    began = time.monotonic()
    served = asyncio.run(main())
    spent = time.monotonic() - began

    assert 50 <= served <= 50 + 2_000 * spent
    assert bucket.snapshot().waiting == 0
    assert 0 <= bucket.tokens() <= 50


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_a_signal_that_ends_a_threads_wait_takes_it_out_of_the_line(error: type[BaseException]) -> None:
    """Ctrl-C while the main thread waits in line: it leaves, nothing is taken, the next one moves up."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()

    def interrupt(*_: object) -> None:
        raise error

    def signaller() -> None:
        clock.wait_for_parked(1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=signaller)
    try:
        thread.start()
        with pytest.raises(error):
            bucket.acquire()
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)

    assert (0, 0) == (bucket.snapshot().waiting, clock.parked)
    clock.advance(1)
    assert bucket.allow()
