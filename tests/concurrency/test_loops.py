"""One object serves tasks, loops one after the other, loops in threads, and plain threads at once."""

from __future__ import annotations

import asyncio
import gc
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
from resilience.testing import FakeClock
from tests.concurrency.crowd import crowd

TASKS = 1000


class Broken(Exception):
    """What opens the circuit."""


def test_a_thousand_tasks_on_one_breaker_are_counted_one_by_one() -> None:
    """A thousand tasks that are all on their way at once leave a thousand verdicts, and their failures among them."""
    breaker = CircuitBreaker(failure_rate=1.0, window_calls=2 * TASKS)

    @circuit_breaker(breaker)
    async def call(number: int) -> int:
        for _ in range(number % 4):
            await asyncio.sleep(0)
        if number % 10 == 0:
            raise Broken
        return number

    async def main() -> list[Any]:
        return await asyncio.gather(*(call(number) for number in range(TASKS)), return_exceptions=True)

    answers = asyncio.run(main())

    assert (TASKS, TASKS // 10) == (breaker.snapshot().calls, breaker.snapshot().failures)
    assert [number for number in range(TASKS) if number % 10] == [answer for answer in answers if type(answer) is int]


def test_a_thousand_tasks_trip_a_breaker_once() -> None:
    """Those already on their way when the circuit opens come back as stale; the rest are never begun."""
    breaker = CircuitBreaker(failure_threshold=5)
    begun = []

    @circuit_breaker(breaker)
    async def call(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        raise Broken

    async def main() -> list[Any]:
        first = [asyncio.create_task(call(number)) for number in range(TASKS // 2)]
        answers = await asyncio.gather(*first, return_exceptions=True)
        return answers + await asyncio.gather(*(call(0) for _ in range(TASKS // 2)), return_exceptions=True)

    answers = asyncio.run(main())

    assert TASKS // 2 == len(begun) == sum(type(answer) is Broken for answer in answers)
    assert TASKS // 2 == sum(type(answer) is CircuitOpenError for answer in answers) == breaker.snapshot().rejected
    assert (1, TASKS // 2 - 5) == (breaker.snapshot().openings, breaker.snapshot().stale)


def test_a_thousand_tasks_are_served_in_order_of_arrival(clock: FakeClock) -> None:
    """A thousand tasks in one line pass in the order in which they came, the last at the instant of its token."""
    bucket = TokenBucket(10, 1, clock=clock)
    served: list[int] = []

    @rate_limited(bucket, max_wait=None)
    async def call(number: int) -> None:
        served.append(number)

    async def main() -> None:
        await asyncio.gather(*(call(number) for number in range(TASKS)))

    asyncio.run(main())

    assert list(range(TASKS)) == served
    assert (199.9, 0) == (clock.monotonic(), bucket.snapshot().waiting)


def test_a_thousand_tasks_wait_by_the_systems_clock() -> None:
    """A thousand tasks at 5,000 a second, a hundred at once, take no less than 0.18 s, and all pass."""
    bucket = TokenBucket(5_000, 100)
    served: list[int] = []

    @rate_limited(bucket, max_wait=None)
    async def call(number: int) -> None:
        served.append(number)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(call(number) for number in range(TASKS)))
        return loop.time() - began

    spent = asyncio.run(main())

    assert list(range(TASKS)) == sorted(served)
    assert 0.18 <= spent + 1e-3


def test_a_thousand_tasks_without_patience_are_admitted_exactly() -> None:
    """Of a thousand tasks at once a bucket of N admits N and refuses the others at once."""
    bucket = TokenBucket(1e-9, 400)

    @rate_limited(bucket)
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def main() -> list[Any]:
        return await asyncio.gather(*(call(number) for number in range(TASKS)), return_exceptions=True)

    answers = asyncio.run(main())

    assert list(range(400)) == answers[:400]
    assert {RateLimitExceeded} == {type(answer) for answer in answers[400:]}


@pytest.mark.parametrize("max_wait", [0.0, None])
def test_one_limiter_serves_loops_in_threads_and_plain_threads_at_once(locking: str, max_wait: float | None) -> None:
    """Tasks of four loops and four plain threads share one bucket exactly, also while they stand in line."""
    calls = 200
    patient = max_wait is None
    bucket = TokenBucket(20_000 if patient else 1e-9, 100)
    limit = rate_limited(bucket, max_wait=max_wait)

    @limit
    def plain() -> int:
        return 1

    @limit
    async def colourful() -> int:
        return 1

    async def main() -> int:
        answers = await asyncio.gather(*(colourful() for _ in range(calls)), return_exceptions=True)
        return sum(answer for answer in answers if not isinstance(answer, RateLimitExceeded))

    def threaded() -> int:
        admitted = 0
        for _ in range(calls):
            try:
                admitted += plain()
            except RateLimitExceeded:
                continue
        return admitted

    admitted = sum(crowd(8, lambda at: asyncio.run(main()) if at % 2 else threaded()))

    assert admitted == (8 * calls if patient else 100)
    assert bucket.snapshot().waiting == 0


def test_one_breaker_serves_loops_in_threads_and_plain_threads_at_once(locking: str) -> None:
    """Tasks of four loops and four plain threads are counted in one window."""
    calls = 500
    breaker = CircuitBreaker(failure_rate=1.0, window_calls=100_000)

    @circuit_breaker(breaker)
    def plain() -> int:
        return 1

    @circuit_breaker(breaker)
    async def colourful() -> int:
        await asyncio.sleep(0)
        return 1

    async def main() -> None:
        await asyncio.gather(*(colourful() for _ in range(calls)))

    crowd(8, lambda at: asyncio.run(main()) if at % 2 else [plain() for _ in range(calls)])

    assert breaker.snapshot().calls == 8 * calls


def test_an_object_made_in_one_loop_is_used_in_the_next(clock: FakeClock) -> None:
    """Two `asyncio.run` in a row use one breaker and one limiter, which remember what happened in the first."""
    breaker = CircuitBreaker(failure_threshold=2, clock=clock)
    bucket = TokenBucket(1, 3, clock=clock)

    @circuit_breaker(breaker)
    @rate_limited(bucket, max_wait=5)
    async def call() -> None:
        raise Broken

    for _ in range(2):
        with pytest.raises(Broken):
            asyncio.run(call())

    assert (State.OPEN, 1) == (breaker.state, bucket.tokens())


def test_a_wait_in_a_second_loop_is_woken_there() -> None:
    """A limiter whose line stood in a loop that is over serves the line of the next loop."""
    bucket = TokenBucket(100, 1)

    async def main() -> None:
        await asyncio.wait_for(asyncio.gather(*(bucket.acquire_async() for _ in range(5))), 30)

    for _ in range(2):
        asyncio.run(main())
    assert bucket.snapshot().waiting == 0


def test_waiters_of_a_loop_that_was_dropped_hold_up_nobody(clock: FakeClock) -> None:
    """A loop that is closed with tasks in line leaves a line that moves on, and rings nobody who is gone."""
    clock.autojump = False
    bucket = TokenBucket(1, 1, clock=clock)
    loop = asyncio.new_event_loop()
    bucket.acquire()
    waiters = [bucket.acquire_async() for _ in range(2)]
    tasks = [loop.create_task(waiter) for waiter in waiters]
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert bucket.snapshot().waiting == 2
    loop.close()

    passed = []
    for seconds in (3, 1, 1):
        clock.advance(seconds)
        passed.append(bucket.allow())

    assert passed == [False, False, True], "the two of the dropped loop come first, then it is free"
    for task, waiter in zip(tasks, waiters, strict=True):
        task._log_destroy_pending = False  # type: ignore[attr-defined] # asyncio would complain about the dropped task
        waiter.close()
    del task, tasks
    gc.collect()
    assert bucket.snapshot().waiting == 0
