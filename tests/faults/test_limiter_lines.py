"""Faults of other rate limiters: who waits, for how long, and behind whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from resilience import CircuitBreaker, TokenBucket, circuit_breaker, rate_limited
from resilience.testing import FakeClock
from tests.faults.threads import LONG, all_at_once, finishes, switching_fast

Lives = Callable[..., None]


@pytest.fixture
def still_clock() -> FakeClock:
    """A clock at 100 s on which sleepers are parked until it is moved."""
    return FakeClock(100.0, autojump=False)


def test_a_request_for_five_starves_while_newcomers_pass(bucket_lives: Lives) -> None:
    """A call for five units heads the line: newcomers that want one neither pass it nor delay it (aiolimiter)."""
    bucket_lives("yes:5 wait#five:5=5 no @1 no wait#one:1=6 @2 no wait#two:2=8 @4 no refuse:1<4~5", rate=1, capacity=5)


@pytest.mark.parametrize("waits", ["thread", "task"])
def test_who_will_not_wait_is_held_up_by_who_does(waits: str, still_clock: FakeClock) -> None:
    """`allow` answers at once while others wait, by tokens and its key's line alone (pyrate-limiter)."""
    bucket = TokenBucket(1, 1, clock=still_clock)
    answers: list[bool] = []
    assert bucket.allow(key="ada")

    def wait() -> None:
        if waits == "thread":
            bucket.acquire(key="ada")
        else:
            asyncio.run(bucket.acquire_async(key="ada"))

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    still_clock.wait_for_parked(1)
    finishes(lambda: answers.extend([bucket.allow(key="bob"), bucket.allow(key="ada"), bucket.allow(key="bob")]))
    still_clock.advance(1)
    waiter.join(LONG)

    assert [True, False, False] == answers
    assert [1.0] == still_clock.sleeps
    assert not waiter.is_alive()


def test_a_call_is_refused_because_a_lock_was_busy(clock: FakeClock) -> None:
    """Threads that call at the same moment are all admitted while there are tokens (pyrate-limiter)."""
    bucket = TokenBucket(1, 4000, clock=clock)
    answers: list[bool] = []

    def person() -> None:
        answers.extend(bucket.allow() for _ in range(500))

    with switching_fast():
        all_at_once(8, person)

    assert [True] * 4000 == answers
    assert not bucket.allow()


def test_policies_cannot_be_made_at_import(still_clock: FakeClock) -> None:
    """Policies are made, and decorate, where no event loop runs, and are used in any later (hyx)."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    guarded: list[Callable[[], Coroutine[Any, Any, str]]] = []

    def module() -> None:
        bucket, breaker = TokenBucket(1, 2, clock=still_clock), CircuitBreaker(clock=still_clock)

        @circuit_breaker(breaker)
        @rate_limited(bucket, max_wait=None)
        async def call() -> str:
            return "up"

        guarded.append(call)

    finishes(module)

    assert ["up", "up"] == [asyncio.run(guarded[0]()), asyncio.run(guarded[0]())]


def test_the_event_loop_is_closed_in_the_second_run(clock: FakeClock) -> None:
    """A bucket whose callers waited in one event loop serves those of the next (aiolimiter: loop is closed)."""
    bucket = TokenBucket(1, 1, clock=clock)
    instants: list[float] = []

    @rate_limited(bucket, max_wait=None)
    async def call() -> None:
        instants.append(clock.monotonic())

    async def main() -> None:
        await call()
        await call()

    asyncio.run(main())
    asyncio.run(main())

    assert [100.0, 101.0, 102.0, 103.0] == instants


def test_one_event_loop_at_a_time_can_wait(still_clock: FakeClock) -> None:
    """Callers of several event loops stand in one line at once, and are served in their order (aiolimiter)."""
    bucket = TokenBucket(1, 1, clock=still_clock)
    served: list[tuple[str, float]] = []
    assert bucket.allow()

    async def call(name: str) -> None:
        await bucket.acquire_async()
        served.append((name, still_clock.monotonic()))

    loops = [threading.Thread(target=asyncio.run, args=(call(name),), daemon=True) for name in ("first", "second")]
    for parked, loop in enumerate(loops, 1):
        loop.start()
        still_clock.wait_for_parked(parked)
    for loop in loops:
        still_clock.advance(1)
        loop.join(LONG)

    assert [("first", 101.0), ("second", 102.0)] == served


def test_async_def_blocks_the_loop(still_clock: FakeClock) -> None:
    """A limited coroutine function awaits its turn: the loop goes on meanwhile (ratelimit: it blocks)."""
    instants: list[float] = []

    @rate_limited(TokenBucket(1, 1, clock=still_clock), max_wait=None)
    async def call() -> None:
        instants.append(still_clock.monotonic())

    async def main() -> None:
        async with asyncio.timeout(LONG):
            await call()
            waiting = asyncio.create_task(call())
            while still_clock.parked < 1:  # this task runs while the other one waits
                await asyncio.sleep(0)
            still_clock.advance(1)
            await waiting

    finishes(lambda: asyncio.run(main()))

    assert [100.0, 101.0] == instants


def test_async_def_is_not_limited(clock: FakeClock) -> None:
    """A limited coroutine function is limited when it is awaited (throttled-py: it does nothing)."""
    calls: list[int] = []

    @rate_limited(TokenBucket(1, 2, clock=clock))
    async def call() -> None:
        calls.append(1)

    async def main() -> list[BaseException | None]:
        return await asyncio.gather(*(call() for _ in range(5)), return_exceptions=True)

    outcomes = asyncio.run(main())

    assert (2, 2) == (len(calls), outcomes.count(None))


def test_newcomers_overtake_after_a_rate_change(bucket_lives: Lives) -> None:
    """A new rate plans the line anew, and newcomers come after it (x/time/rate)."""
    bucket_lives("yes wait#w:1=0.01 set:100 wait#v:1=0.02", rate=1, capacity=1)


def test_a_waiter_keeps_its_old_time_after_a_rate_change(bucket_lives: Lives) -> None:
    """Those who wait already get the new rate too, whether or not anybody comes after them (x/time/rate)."""
    bucket_lives("yes wait#w:1=0.01 set:100", rate=1, capacity=1)


def test_a_slower_rate_leaves_the_line_as_it_was(bucket_lives: Lives) -> None:
    """A slower rate puts everybody in line off, in their order (x/time/rate)."""
    bucket_lives("yes wait#a:1=2 set:0.5 wait#b:1=4 @1 no", rate=1, capacity=1)


def test_a_cancelled_wait_keeps_its_token(bucket_lives: Lives) -> None:
    """Who leaves the line takes nothing along: those behind move up (failsafe-go, resilience4j)."""
    bucket_lives("yes wait#a:1=1 wait#b:1 wait#c:1=2 @1 cancel#b @2 tokens:0 wait#d:1=3", rate=1, capacity=1)


def test_a_cancelled_head_of_the_line_keeps_its_tokens(bucket_lives: Lives) -> None:
    """When the head of the line leaves, those behind are served as soon as their own tokens are there (failsafe-go)."""
    bucket_lives("yes:5 wait#big:5 wait#a:1=2 wait#b:1=2 @2! cancel#big tokens:0", rate=1, capacity=5)


def test_the_whole_timeout_is_slept_and_then_refused(bucket_lives: Lives) -> None:
    """A wait that would exceed `max_wait` is refused at once; nobody sleeps (resilience4j)."""
    bucket_lives("yes refuse:1<0.3~10 refuse:1<9.999999999~10 wait#a:1<10=10", rate=1, per=10)
