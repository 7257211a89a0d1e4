"""Lines that a waiter of several buckets ties together: what happens in one is felt in the other at once (L3, L7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock


class Lines:
    """Two buckets with nothing in them, one token a second, and tasks that wait for them."""

    def __init__(self, capacity: float = 1) -> None:
        self.clock = FakeClock(autojump=False)
        self.one, self.two = (TokenBucket(1, capacity, clock=self.clock) for _ in range(2))
        self.one.allow(capacity)
        self.two.allow(capacity)

    def both(self, max_wait: float | None = None) -> Awaitable[None]:
        @rate_limited(self.one, self.two, max_wait=max_wait)
        async def function() -> None:
            return None

        return function()

    async def stand(self, wait: Awaitable[None]) -> asyncio.Task[str]:
        async def told() -> str:
            try:
                await wait
            except RateLimitExceeded:
                return f"refused at {self.clock.monotonic():g}"
            return f"served at {self.clock.monotonic():g}"

        task = asyncio.ensure_future(told())
        await self.rest()
        return task

    async def rest(self, seconds: float = 0) -> None:
        """Let *seconds* pass at once, then the tasks go as far as they can."""
        self.clock.advance(seconds)
        for _ in range(12):
            await asyncio.sleep(0)


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run


@in_a_loop
async def test_who_comes_behind_one_who_moved_up_is_not_refused_for_the_old_plan() -> None:
    """When a cancelled waiter lets one of two buckets move up, the plans behind that one in the other line move too."""
    lines = Lines(capacity=10)
    ahead = await lines.stand(lines.one.acquire_async(9))
    tied = await lines.stand(lines.both())
    ahead.cancel()
    await lines.rest()
    behind = await lines.stand(lines.two.acquire_async(max_wait=2))
    for _ in range(2):
        await lines.rest(1)

    assert ["served at 1", "served at 2"] == [tied.result(), behind.result()]


@in_a_loop
async def test_who_stood_behind_one_who_is_refused_moves_up_at_once() -> None:
    """When a charge to one bucket refuses a waiter of two, those behind it in the other line move up."""
    lines = Lines()
    tied = await lines.stand(lines.both(max_wait=2))
    behind = await lines.stand(lines.two.acquire_async())
    lines.one.charge(5)
    await lines.rest()
    for _ in range(2):
        await lines.rest(1)

    assert ["refused at 0", "served at 1"] == [tied.result(), behind.result()]


@in_a_loop
async def test_a_late_service_is_felt_behind_a_tie() -> None:
    """When a head wakes up late, plans move in the other line too, and who comes behind is told the true wait."""
    lines = Lines()
    await lines.stand(lines.one.acquire_async())
    await lines.stand(lines.both())
    await lines.rest(1.5)
    behind = await lines.stand(lines.two.acquire_async(max_wait=1.5))

    assert "refused at 1.5" == (behind.done() and behind.result())


@in_a_loop
async def test_who_looks_at_one_line_serves_those_who_are_due_in_the_lines_tied_to_it() -> None:
    """A call that never waits is admitted when everybody ahead is due, even if that one's own head sleeps elsewhere."""
    lines = Lines(capacity=2)
    await lines.stand(lines.one.acquire_async())
    await lines.stand(lines.both())
    lines.clock.advance(4)

    assert lines.two.allow()
