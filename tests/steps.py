"""Generators of both colours that echo, and a way to drive them from tests that are neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from typing import Any

import pytest

__all__ = ["CAUGHT", "Steps", "async_echo", "echo"]

CAUGHT: list[str] = []


def echo(first: Any) -> Generator[Any, Any, str]:
    """Gives back what is sent or thrown in, until None is sent; returns the last answer."""
    answer = first
    while True:
        try:
            sent = yield answer
        except KeyError as error:
            sent = f"caught {error.args[0]}"
        except GeneratorExit:
            CAUGHT.append("closed")
            raise
        if sent is None:
            return f"last {answer}"
        answer = sent


async def async_echo(first: Any) -> AsyncIterator[Any]:
    """The same, asynchronously; nothing can be returned."""
    answer = first
    while True:
        try:
            sent = yield answer
        except KeyError as error:
            sent = f"caught {error.args[0]}"
        except GeneratorExit:
            CAUGHT.append("closed")
            raise
        await asyncio.sleep(0)
        if sent is None:
            return
        answer = sent


class Steps:
    """A generator of either colour, driven from a test that is not."""

    def __init__(self, runner: asyncio.Runner, generator: Any) -> None:
        self._run = runner.run
        self.generator = generator
        self.is_async = hasattr(generator, "asend")

    def _drive(self, verb: str, *values: Any) -> Any:
        step = getattr(self.generator, f"a{verb}" if self.is_async else verb)(*values)
        if not self.is_async:
            return step

        async def main(step: Awaitable[Any]) -> Any:
            return await step

        return self._run(main(step))

    def send(self, value: Any) -> Any:
        return self._drive("send", value)

    def throw(self, error: BaseException) -> Any:
        return self._drive("throw", error)

    def close(self) -> Any:
        return self._drive("close")

    def end(self) -> Any:
        """Send None, which must end it."""
        with pytest.raises((StopIteration, StopAsyncIteration)) as end:
            self.send(None)
        return getattr(end.value, "value", None)
