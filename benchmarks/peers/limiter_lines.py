"""Checks of those who wait for a limiter, of event loops, and of decorated functions."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable

from benchmarks.peers.limiter_adapters import Limiter, Quota
from benchmarks.peers.row import Lab, Observed, Row

__all__ = ["LINE_ROWS"]

Bench = Lab[Quota, Limiter]


def _wait(limiter: Limiter) -> Callable[[int], Awaitable[object]]:
    assert limiter.wait_async is not None
    return limiter.wait_async


def _starved(bench: Bench) -> Observed:
    """Whoever asks for five units is not passed by those who come later and ask for one."""
    passed = 0

    async def newcomers(wait: Callable[[int], Awaitable[object]], large: asyncio.Task[None]) -> None:
        nonlocal passed
        while not large.done():
            await wait(1)
            passed += not large.done()

    async def main() -> bool:
        wait = _wait(bench.build(Quota(amount=10)))

        async def large() -> None:
            await wait(5)

        await wait(10)
        asked = asyncio.ensure_future(large())
        await asyncio.sleep(0.01)
        crowd = [asyncio.ensure_future(newcomers(wait, asked)) for _ in range(3)]
        await asyncio.wait([asked], timeout=2.0)
        served = asked.done()
        for task in (asked, *crowd):
            task.cancel()
        await asyncio.gather(asked, *crowd, return_exceptions=True)
        return served

    served = asyncio.run(main())
    told = "it was served" if served else "it still waited after 2 s (due after 0.5 s)"
    return Observed(f"{passed} newcomers passed a request for 5 units; {told}", passed > 0 or not served)


def _answers_at_once(bench: Bench) -> Observed:
    """A call that is not to block answers at once, and by the tokens, whoever else waits or asks."""

    async def main() -> float:
        limiter = bench.build(Quota(amount=1, per=2))
        assert limiter.allow_async is not None
        await _wait(limiter)(1)
        someone = asyncio.ensure_future(_wait(limiter)(1))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        await limiter.allow_async()
        took = time.perf_counter() - started
        someone.cancel()
        await asyncio.gather(someone, return_exceptions=True)
        return took

    took = asyncio.run(main())
    allow = bench.build(Quota(amount=1_000_000, per=3600)).allow
    assert allow is not None
    refused = [0] * 8

    def work(mine: int) -> None:
        refused[mine] = sum(not allow() for _ in range(2000))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = f"behind a waiter the answer took {took:.1f} s; {sum(refused)} of 16000 refused with tokens for 10⁶"
    return Observed(told, took > 0.2 or sum(refused) > 0)


def _same_name(bench: Bench) -> Observed:
    """Two handlers of the same function name have a limit each."""
    limiter = bench.build(Quota(amount=2, per=60))
    assert limiter.handler is not None
    answered = 0

    def handlers() -> list[Callable[[], object]]:
        def read() -> None:
            nonlocal answered
            answered += 1

        first = read

        def read() -> None:  # type: ignore[no-redef]  # the same name is what is being looked at
            nonlocal answered
            answered += 1

        assert limiter.handler is not None
        return [limiter.handler(first), limiter.handler(read)]

    for handler in handlers():
        for _ in range(2):
            # Whatever it raises, the call was refused.
            with contextlib.suppress(Exception):
                handler()
    return Observed(f"two handlers of 2/minute each answered {answered} of 4 calls", answered != 4)


def _at_import(bench: Bench) -> Observed:
    """A limiter can be made while no event loop runs, as at import."""
    try:
        limiter = bench.build(Quota(amount=10))
    except RuntimeError as error:
        return Observed(f"made outside a loop it raises {type(error).__name__}: {error}", faulty=True)

    async def main() -> None:
        await _wait(limiter)(1)

    asyncio.run(main())
    return Observed("made outside a loop and used in one", faulty=False)


async def _three(wait: Callable[[int], Awaitable[object]]) -> None:
    await asyncio.wait_for(asyncio.gather(*(wait(1) for _ in range(3))), timeout=3.0)


def _served(wait: Callable[[int], Awaitable[object]]) -> str:
    try:
        asyncio.run(_three(wait))
    except (RuntimeError, TimeoutError) as error:
        return f"{type(error).__name__}: {str(error).rpartition('> ')[2]}"
    return "served"


def _emptied(bench: Bench) -> Callable[[int], Awaitable[object]]:
    wait = _wait(bench.build(Quota(amount=20)))

    async def first() -> None:
        await wait(20)
        # One is left waiting when this loop ends.
        left = asyncio.ensure_future(wait(1))
        await asyncio.sleep(0.01)
        left.add_done_callback(lambda _: None)

    asyncio.run(first())
    return wait


def _second_loop(bench: Bench) -> Observed:
    """A limiter serves a second ``asyncio.run`` as it served the first, also when someone was left waiting."""
    again = _served(_emptied(bench))
    return Observed(f"the second asyncio.run: {again}", again != "served")


def _two_loops(bench: Bench) -> Observed:
    """A limiter serves two event loops at once."""
    wait = _emptied(bench)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(_served(wait))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Observed(f"two loops at once: {' / '.join(sorted(results))}", set(results) != {"served"})


def _blocked_loop(bench: Bench) -> Observed:
    """A decorated ``async def`` waits for its turn without stopping the loop."""
    limiter = bench.build(Quota(amount=1))
    assert limiter.dress is not None

    async def function() -> None:
        pass

    call = limiter.dress(function)

    async def main() -> tuple[float, float]:
        longest = 0.0

        async def heart() -> None:
            nonlocal longest
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.01)
                longest = max(longest, time.perf_counter() - before)

        beating = asyncio.ensure_future(heart())
        await asyncio.sleep(0.03)
        started = time.perf_counter()
        for _ in range(2):
            await call()
        took = time.perf_counter() - started
        await asyncio.sleep(0.03)
        beating.cancel()
        return took, longest

    took, longest = asyncio.run(main())
    told = f"2 calls at 1/s took {took:.1f} s, in which the loop stood still for {longest:.1f} s"
    return Observed(told, longest > 0.3 or took < 0.5)


LINE_ROWS: tuple[Row[Quota, Limiter], ...] = (
    Row(
        number="32",
        fault="a request for 5 units starves; newcomers pass it",
        check=_starved,
        peers=("aiolimiter",),
        virtual=False,
    ),
    Row(
        number="33",
        fault="`blocking=False` blocks behind somebody else's wait, or is refused because a lock was busy",
        check=_answers_at_once,
        peers=("pyrate-limiter",),
        virtual=False,
    ),
    Row(
        number="35",
        fault="two handlers of the same function name share and merge their limits",
        check=_same_name,
        peers=("slowapi",),
        virtual=False,
    ),
    Row(
        number="38", fault="not usable at import: needs a running loop", check=_at_import, peers=("hyx",), virtual=False
    ),
    Row(
        number="39",
        fault='"event loop is closed" in the second `asyncio.run`',
        check=_second_loop,
        peers=("aiolimiter",),
        virtual=False,
    ),
    Row(number="39b", fault="several event loops at once", check=_two_loops, peers=("aiolimiter",), virtual=False),
    Row(
        number="40",
        fault="a sync limiter on `async def` blocks the loop or does nothing",
        check=_blocked_loop,
        peers=("ratelimit", "throttled-py"),
        virtual=False,
    ),
)
