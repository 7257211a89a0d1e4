"""Shells of the rate limiter.

`lane` takes one token of one bucket without a key, by the two comparisons that `_core.bucket` explains; under the GIL
no other thread can come between them and the stores, since there is no call and no jump back among them. What the lane
does not answer goes to `enter`, which decides exactly, and waits, or gives the error to raise. `keyed` does the same
with the level of a key whose type (str, int) compares and hashes without Python code, so that there too no other thread
comes between; `general` always goes to `enter`. For coroutine functions `specialise` awaits both `enter` and the call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Hashable
from typing import TYPE_CHECKING, Any

from resilience._shell.steps import Steps

if TYPE_CHECKING:
    from resilience._core.bucket import Bucket
    from resilience._gate.limiter import Limiter

__all__ = [
    "general",
    "general_async",
    "general_async_generator",
    "general_generator",
    "keyed",
    "lane",
    "locked_lane",
]

Enter = Callable[..., Any]
"""Decides for a key, given the time just read and the nanoseconds certainly missing; waits, or gives an error."""


def lane(call: Callable[..., Any], bucket: Bucket, read: Callable[[], int], enter: Enter) -> Callable[..., Any]:
    """Guard a function with one token of one bucket."""

    def shell(*args: Any, **kwargs: Any) -> Any:
        now = read()
        if now >= bucket.lane_full_at:
            if not bucket.lane_taken:
                bucket.lane_full_at = now + bucket.lane_unit
                return call(*args, **kwargs)
            if now >= bucket.lane_full_at + bucket.lane_taken * bucket.lane_unit:
                bucket.lane_taken = 0
                bucket.lane_full_at = now + bucket.lane_unit
                return call(*args, **kwargs)
        elif bucket.lane_taken < bucket.lane_limit:
            bucket.lane_taken += 1
            return call(*args, **kwargs)
        refused = enter(None, now)
        if refused is not None:
            try:
                raise refused
            finally:
                del refused  # or this frame would hold the error that holds it, until a collection
        return call(*args, **kwargs)

    return shell


def locked_lane(
    call: Callable[..., Any], bucket: Bucket, read: Callable[[], int], enter: Enter, limiter: Limiter
) -> Callable[..., Any]:
    """The same in a build without the GIL, where the lock keeps others from coming between."""

    def shell(*args: Any, **kwargs: Any) -> Any:
        domain = limiter.domain
        with domain.lock:
            now = read()
            admitted = True
            if domain is not limiter.domain:
                admitted = False
            elif now >= bucket.lane_full_at:
                if not bucket.lane_taken:
                    bucket.lane_full_at = now + bucket.lane_unit
                else:
                    admitted = False
            elif bucket.lane_taken < bucket.lane_limit:
                bucket.lane_taken += 1
            else:
                admitted = False
        if not admitted:
            refused = enter(None, now)
            if refused is not None:
                try:
                    raise refused
                finally:
                    del refused  # see `lane`
        return call(*args, **kwargs)

    return shell


def keyed(
    call: Callable[..., Any], key: Callable[..., Hashable], bucket: Bucket, read: Callable[[], int], enter: Enter
) -> Callable[..., Any]:
    """Guard a function with one token of its key's bucket."""

    def shell(*args: Any, **kwargs: Any) -> Any:
        whose = key(*args, **kwargs)
        slot = hash(whose)
        kind = type(whose)
        wait = 0
        now = read()  # the last call: none may come between the looks and the stores below
        shards = bucket.key_lane
        if shards is not None and (kind is str or kind is int):
            shard = shards[slot % bucket.keys.size]
            quota = bucket.quota
            present = now if quota.scale == 1 else now * quota.scale
            try:
                full_at = shard[whose]
            except KeyError:
                wait = 0  # not known yet: the door makes it
            else:
                if full_at <= present:
                    shard[whose] = present + quota.unit
                    return call(*args, **kwargs)
                if full_at - present <= quota.room:
                    shard[whose] = full_at + quota.unit
                    return call(*args, **kwargs)
                wait = -((quota.room + present - full_at) // quota.scale)
        refused = enter(whose, now, wait)
        if refused is not None:
            try:
                raise refused
            finally:
                del refused  # see `lane`
        return call(*args, **kwargs)

    return shell


def general(call: Callable[..., Any], enter: Callable[..., object]) -> Callable[..., Any]:
    """Guard a function; keys and costs are asked of its arguments."""

    def shell(*args: Any, **kwargs: Any) -> Any:
        enter(*args, **kwargs)
        return call(*args, **kwargs)

    return shell


def general_async(call: Callable[..., Awaitable[Any]], enter: Callable[..., Awaitable[object]]) -> Callable[..., Any]:
    """Guard a coroutine function; keys and costs are asked of its arguments."""

    async def shell(*args: Any, **kwargs: Any) -> Any:
        await enter(*args, **kwargs)
        return await call(*args, **kwargs)

    return shell


def general_generator(
    call: Callable[..., Generator[Any, Any, Any]], enter: Callable[..., object]
) -> Callable[..., Any]:
    """Guard a generator function: admitted at the first step."""

    def shell(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        enter(*args, **kwargs)
        steps = Steps(call(*args, **kwargs))
        try:
            return (yield from steps)
        except GeneratorExit:
            if steps.parting is None:
                raise
            return steps.parting

    return shell


def general_async_generator(
    call: Callable[..., AsyncGenerator[Any, Any]], enter: Callable[..., Awaitable[object]]
) -> Callable[..., Any]:
    """Guard an async generator function: admitted at the first step; asend, athrow and aclose reach it."""

    async def shell(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        await enter(*args, **kwargs)
        steps = call(*args, **kwargs)
        step = steps.asend(None)
        while True:
            try:
                item = await step
            except StopAsyncIteration:
                return
            try:
                sent = yield item
            except GeneratorExit:
                await steps.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer: it goes to the generator
                step = steps.athrow(error)
            else:
                step = steps.asend(sent)

    return shell
