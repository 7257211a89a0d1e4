"""Generators and async generators under both decorators: the whole protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from resilience.testing import FakeClock
from tests.guards import GUARDS, Guard
from tests.steps import CAUGHT, Steps, async_echo, echo


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, clock: FakeClock) -> Guard:
    """Run the test once for each kind of shell."""
    return GUARDS[request.param](clock)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for the length of a test."""
    CAUGHT.clear()
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[echo, async_echo])
def began(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Callable[..., Steps]:
    """Decorate an echo of each colour, and begin it; nothing of it has run yet."""

    def begin(decorate: Callable[[Any], Any], first: Any = "first") -> Steps:
        return Steps(runner, decorate(request.param)(first))

    return begin


def test_what_is_sent_reaches_the_generator(began, guard):
    """`send` and `asend` go through, and what the generator yields comes back."""
    steps = began(guard.decorate)

    assert ["first", "one", "two"] == [steps.send(value) for value in (None, "one", "two")]


def test_what_is_thrown_reaches_the_generator(began, guard):
    """`throw` and `athrow` go through, and a generator that handles the error goes on."""
    steps = began(guard.decorate)
    steps.send(None)

    assert ["caught key", "then"] == [steps.throw(KeyError("key")), steps.send("then")]


def test_an_error_that_is_not_handled_comes_back_untouched(began, guard):
    """What the generator does not catch reaches whoever threw it: the same object."""
    steps = began(guard.decorate)
    steps.send(None)
    error = LookupError("mine")

    with pytest.raises(LookupError) as caught:
        steps.throw(error)

    assert error is caught.value


def test_closing_reaches_the_generator(began, guard):
    """`close` and `aclose` end the generator where it stands, and it is over."""
    steps = began(guard.decorate)
    steps.send(None)
    steps.close()
    assert ["closed"] == CAUGHT

    with pytest.raises((StopIteration, StopAsyncIteration)):
        steps.send(None)


def test_a_generator_returns_its_value(guard):
    """`yield from` a guarded generator gives what the generator returns."""

    def outer() -> Generator[Any, Any, str]:
        return "got " + (yield from guard.decorate(echo)("first"))

    steps = outer()
    next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)

    assert "got last first" == end.value.value


def test_close_gives_what_the_original_s_close_gives(guard):
    """Since Python 3.13 `close` gives the value that a generator returns when it is closed."""

    def closing() -> Generator[int, None, str]:
        try:
            yield 1
        except GeneratorExit:
            return "value"
        return "end"

    bare, guarded = closing(), guard.decorate(closing)()
    next(bare)
    next(guarded)

    assert bare.close() == guarded.close()
