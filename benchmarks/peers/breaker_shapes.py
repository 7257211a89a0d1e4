"""Checks of the callables a breaker can guard: coroutine functions, generators, and the decorator itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from benchmarks.peers.breaker_adapters import Circuit, Guard
from benchmarks.peers.dependency import Dependency, settled
from benchmarks.peers.row import Lab, Observed, Row

__all__ = ["SHAPE_ROWS"]

Bench = Lab[Circuit, Guard]


def _no_op(bench: Bench) -> Observed:
    """An ``async def`` is guarded: its first failure opens the circuit."""
    dependency = Dependency()

    async def main() -> None:
        call = bench.build(Circuit(recovery=30.0)).dress(dependency.wait)
        for _ in range(3):
            await settled(call("fails"))

    asyncio.run(main())
    return Observed(f"{dependency.made} of 3 failing awaits were made; allowed 1", dependency.made != 1)


def _protocol(bench: Bench) -> Observed:
    """A guarded generator takes what is sent and thrown, and returns its value."""

    def conversation() -> Generator[Any, Any, str]:
        heard = yield "hello"
        try:
            yield heard
        except ConnectionError:
            yield "caught"
        return "value"

    def answer(step: Callable[[], Any]) -> Any:
        try:
            return step()
        except StopIteration as stop:
            return stop.value
        except ConnectionError:
            return None

    talk = bench.build(Circuit(failures=9)).dress(conversation)()
    next(talk)
    steps: dict[str, tuple[Callable[[], Any], str]] = {
        "send": (lambda: talk.send("word"), "word"),
        "throw": (lambda: talk.throw(ConnectionError()), "caught"),
        "return value": (lambda: next(talk), "value"),
    }
    lost = [name for name, (step, due) in steps.items() if answer(step) != due]
    return Observed(f"lost: {', '.join(lost) or 'nothing'}", bool(lost))


def _generators(bench: Bench) -> Observed:
    """A generator that fails while it is iterated is a failure."""
    begun = {"generator": 0, "async generator": 0}

    def rows() -> Iterator[int]:
        begun["generator"] += 1
        yield 1
        raise ConnectionError

    async def rows_async() -> AsyncIterator[int]:
        begun["async generator"] += 1
        yield 1
        raise ConnectionError

    async def drain() -> None:
        async for _ in guarded_async():
            pass

    guarded = bench.build(Circuit(recovery=30.0)).dress(rows)
    guarded_async = bench.build(Circuit(recovery=30.0)).dress(rows_async)
    first = asyncio.run(settled(drain()))
    for _ in range(2):
        asyncio.run(settled(drain()))
    for _ in range(3):
        # It fails, or is rejected.
        with contextlib.suppress(Exception):
            list(guarded())
    told = ", ".join(f"{count} of 3 failing {kind}s" for kind, count in begun.items())
    unlike = "" if isinstance(first, ConnectionError) else f" (the first raised {type(first).__name__})"
    return Observed(f"{told}{unlike} were begun; allowed 1 each", list(begun.values()) != [1, 1])


def _at_import(bench: Bench) -> Observed:
    """Decorating a function does not call it."""
    calls = 0

    def function() -> None:
        nonlocal calls
        calls += 1

    dressed = bench.build(Circuit()).dress(function)
    at_decoration = calls
    with contextlib.suppress(TypeError):
        dressed()
    guarded = calls - at_decoration == 1
    told = f"{at_decoration} calls at decoration, {calls - at_decoration} when called"
    return Observed(f"{told}; allowed 0 and 1", at_decoration != 0 or not guarded)


SHAPE_ROWS: tuple[Row[Circuit, Guard], ...] = (
    Row(number="3", fault="silent no-op on `async def`", check=_no_op, peers=("pybreaker",)),
    Row(
        number="8",
        fault="generators lose `send`, `throw` and their return value",
        check=_protocol,
        peers=("circuitbreaker",),
    ),
    Row(
        number="16",
        fault="generators and async generators count as instant success",
        check=_generators,
        peers=("interlock-cb", "purgatory", "pyresilience", "backon", "fluxgate", "resilient-circuit"),
    ),
    Row(
        number="22",
        fault="the decorator calls the function at import",
        check=_at_import,
        peers=("backon (decorator)",),
    ),
)
