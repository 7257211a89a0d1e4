"""The shapes a callable can have: one table, for every test that is about all of them.

Each original takes one number and gives its square root, sooner or later, so that 4 is a good call and -1 a bad one
(`ValueError`). `bind` puts what decorating gave where it belongs and gives back the callable; `drive` brings a call to
its very end, whatever the colour.
"""

from __future__ import annotations

import asyncio
import functools
import math
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

__all__ = ["RAN", "REFUSED", "SHAPES", "Shape", "async_steps", "awaited", "plainly", "steps"]

RAN: list[float] = []
"""The arguments of every call that reached its body."""


def root(x: float) -> float:
    """The square root of *x*."""
    RAN.append(x)
    return math.sqrt(x)


async def coroutine_root(x: float) -> float:
    """The square root of *x*, later."""
    await asyncio.sleep(0)
    return root(x)


def generator_root(x: float) -> Generator[str, Any, float]:
    """The square root of *x*, as the value returned."""
    yield "first"
    return root(x)


async def async_generator_root(x: float) -> AsyncIterator[Any]:
    """The square root of *x*, as the last item."""
    yield "first"
    yield root(x)


def promised_root(x: float) -> Awaitable[float]:
    """An awaitable of the square root of *x*."""
    return coroutine_root(x)


@functools.lru_cache
def cached_root(x: float) -> float:
    """The square root of *x*, remembered."""
    return root(x)


def method_root(self: object, x: float) -> float:
    """The square root of *x*, for an instance or a class."""
    assert self is not None
    return root(x)


async def method_coroutine_root(self: object, x: float) -> float:
    """The square root of *x*, for an instance or a class, later."""
    assert self is not None
    return await coroutine_root(x)


class Rooter:
    """Called, gives the square root."""

    def __call__(self, x: float) -> float:
        return root(x)

    def method(self, x: float) -> float:
        """The square root of *x*."""
        assert isinstance(self, Rooter)
        return root(x)


class AsyncCallable:
    """Called, gives a coroutine of the square root."""

    async def __call__(self, x: float) -> float:
        return await coroutine_root(x)


class GeneratorCallable:
    """Called, gives a generator."""

    def __call__(self, x: float) -> Generator[str, Any, float]:
        return (yield from generator_root(x))


class AsyncGeneratorCallable:
    """Called, gives an async generator."""

    async def __call__(self, x: float) -> AsyncIterator[Any]:
        async for item in async_generator_root(x):
            yield item


def plainly(call: Callable[[], Any]) -> Any:
    """Drive a function that gives its answer at once."""
    return call()


def awaited(call: Callable[[], Any]) -> Any:
    """Drive what gives an awaitable, inside a loop from the call on."""

    async def main() -> Any:
        return await call()

    return asyncio.run(main())


def in_a_task(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.create_task(call())

    return asyncio.run(main())


def gathered(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return (await asyncio.gather(call()))[0]

    return asyncio.run(main())


def waited_for(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(call(), 10)

    return asyncio.run(main())


def steps(call: Callable[[], Any]) -> Any:
    """Drive a generator to its end, for the value it returns."""
    generator = call()
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def async_steps(call: Callable[[], Any]) -> Any:
    """Drive an async generator to its end, for its last item."""

    async def main() -> Any:
        return [item async for item in call()][-1]

    return asyncio.run(main())


def as_it_is(guarded: Any) -> Any:
    return guarded


def as_a_method(guarded: Any) -> Any:
    return type("Host", (), {"method": guarded})().method


def on_the_class(guarded: Any) -> Any:
    return type("Host", (), {"method": guarded}).method  # type: ignore[attr-defined] # made on the spot


def below_classmethod(guarded: Any) -> Any:
    return on_the_class(classmethod(guarded))


def below_staticmethod(guarded: Any) -> Any:
    return as_a_method(staticmethod(guarded))


@dataclass(frozen=True, kw_only=True)
class Shape:
    original: Any
    bind: Callable[[Any], Callable[..., Any]] = as_it_is
    drive: Callable[[Callable[[], Any]], Any] = plainly
    signed: bool = True  # whether Python knows its signature

    def use(self, guarded: Any, x: float) -> Any:
        """Call what decorating gave, and bring the call to its end."""
        return self.drive(lambda: self.bind(guarded)(x))


SHAPES: dict[str, Shape] = {
    "function": Shape(original=root),
    "method": Shape(original=method_root, bind=as_a_method),
    "bound method": Shape(original=Rooter().method),
    "coroutine function": Shape(original=coroutine_root, drive=awaited),
    "coroutine method": Shape(original=method_coroutine_root, bind=as_a_method, drive=awaited),
    "generator": Shape(original=generator_root, drive=steps),
    "async generator": Shape(original=async_generator_root, drive=async_steps),
    "partial": Shape(original=functools.partial(root)),
    "partial with a keyword": Shape(original=functools.partial(lambda x, *, y: root(x + y), y=0.0)),
    "partial of a coroutine function": Shape(original=functools.partial(coroutine_root), drive=awaited),
    "partial of a generator": Shape(original=functools.partial(generator_root), drive=steps),
    "partial of an async generator": Shape(original=functools.partial(async_generator_root), drive=async_steps),
    "callable instance": Shape(original=Rooter()),
    "async callable instance": Shape(original=AsyncCallable(), drive=awaited),
    "generator callable instance": Shape(original=GeneratorCallable(), drive=steps),
    "async generator callable instance": Shape(original=AsyncGeneratorCallable(), drive=async_steps),
    "partial of an async callable instance": Shape(original=functools.partial(AsyncCallable()), drive=awaited),
    "above classmethod": Shape(original=classmethod(method_root), bind=on_the_class),
    "above classmethod, async": Shape(original=classmethod(method_coroutine_root), bind=on_the_class, drive=awaited),
    "below classmethod": Shape(original=method_root, bind=below_classmethod),
    "above staticmethod": Shape(original=staticmethod(root), bind=as_a_method),
    "above staticmethod, async": Shape(original=staticmethod(coroutine_root), bind=on_the_class, drive=awaited),
    "below staticmethod": Shape(original=root, bind=below_staticmethod),
    "awaitable from a function": Shape(original=promised_root, drive=awaited),
    "awaitable from a function, in a task": Shape(original=promised_root, drive=in_a_task),
    "awaitable from a function, gathered": Shape(original=promised_root, drive=gathered),
    "awaitable from a function, under wait_for": Shape(original=promised_root, drive=waited_for),
    "builtin": Shape(original=math.sqrt),
    "builtin without a signature": Shape(original=math.log, signed=False),
    "cached function": Shape(original=cached_root),
    "cached function as a method": Shape(original=functools.lru_cache(method_root), bind=as_a_method),
    "lambda": Shape(original=lambda x: root(x + 0.0)),
}  # fmt: skip

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "class": (lambda: Rooter, "decorate its methods"),
    "property": (lambda: property(root), "below @property"),
    "coroutine object": (lambda: coroutine_root(4), "decorate the function that makes it"),
    "generator object": (lambda: generator_root(4), "decorate the function that makes it"),
    "async generator object": (lambda: async_generator_root(4), "decorate the function that makes it"),
    "number": (lambda: 5, "decorate a function"),
    "module": (lambda: operator, "decorate a function"),
    "nothing": (lambda: None, "decorate a function"),
    "partialmethod": (lambda: functools.partialmethod(method_root), "decorate"),
    "classmethod of a property": (lambda: classmethod(property(root)), "below @property"),  # type: ignore[arg-type] # on purpose
}
"""What makes it, and what the refusal advises."""
