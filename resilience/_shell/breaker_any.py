"""Shells of the circuit breaker that find their circuit at each call: for keys, generators and async generators.

`find` gives the circuit for the arguments of a call: the breaker's one, or the one of the call's key. `clock` tells
seconds, or anything where no call is slow.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from resilience._shell.awaited import Awaited
from resilience._shell.steps import steps_of

if TYPE_CHECKING:
    from resilience._gate.circuit import Circuit

__all__ = ["async_generator", "generator", "keyed", "keyed_async"]

Find = Callable[..., "Circuit"]
Seconds = Callable[[], float]


def keyed(call: Callable[..., Any], find: Find, clock: Seconds) -> Callable[..., Any]:
    """Guard a function with the circuit of its key."""

    def shell(*args: Any, **kwargs: Any) -> Any:
        gate = find(*args, **kwargs)
        core = gate.core
        permit = core.standing or gate.admit()
        started = clock()
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error, started)
            raise
        if hasattr(type(result), "__await__"):
            return Awaited(result, gate, permit, started)
        if permit is not core.quiet or core.config.windowed:
            gate.succeed(permit, result, started)
        return result

    return shell


def keyed_async(call: Callable[..., Awaitable[Any]], find: Find, clock: Seconds) -> Callable[..., Any]:
    """Guard a coroutine function with the circuit of its key."""

    async def shell(*args: Any, **kwargs: Any) -> Any:
        gate = find(*args, **kwargs)
        core = gate.core
        permit = core.standing or gate.admit()
        started = clock()
        try:
            result = await call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error, started)
            raise
        if permit is not core.quiet or core.config.windowed:
            gate.succeed(permit, result, started)
        return result

    return shell


def generator(call: Callable[..., Generator[Any, Any, Any]], find: Find, clock: Seconds) -> Callable[..., Any]:
    """Guard a generator function: admitted at the first step, settled at the end, closed early is neutral."""

    def shell(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        gate = find(*args, **kwargs)
        permit = gate.core.standing or gate.admit()
        watch = None
        try:
            watch = steps_of(call(*args, **kwargs), clock)
            result = yield from watch
        except BaseException as error:
            gate.fail(permit, error, None if watch is None else clock() - watch.spent)
            if watch is not None and watch.parting is not None and isinstance(error, GeneratorExit):
                return watch.parting
            raise
        gate.succeed(permit, result, clock() - watch.spent)
        return result

    return shell


def async_generator(call: Callable[..., AsyncGenerator[Any, Any]], find: Find, clock: Seconds) -> Callable[..., Any]:
    """Guard an async generator function, with the whole asend, athrow and aclose protocol."""

    async def shell(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        gate = find(*args, **kwargs)
        permit = gate.core.standing or gate.admit()
        spent = 0.0
        try:
            steps = call(*args, **kwargs)
            step = steps.asend(None)
            while True:
                began = clock()
                try:
                    item = await step
                except StopAsyncIteration:
                    break
                finally:
                    spent += clock() - began
                try:
                    sent = yield item
                except GeneratorExit:
                    await steps.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer: it goes to the generator
                    step = steps.athrow(error)
                else:
                    step = steps.asend(sent)
        except BaseException as error:
            gate.fail(permit, error, clock() - spent)
            raise
        gate.succeed(permit, None, clock() - spent)

    return shell
