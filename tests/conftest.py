"""What all tests share: Hypothesis profiles, the two flavours of a call, and a clock that stands still."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from resilience.testing import FakeClock

# Trio comes with the group `interop`; `make test` does without.
collect_ignore = [] if importlib.util.find_spec("trio") else ["test_trio.py"]

settings.register_profile(
    "ci", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, stateful_step_count=200, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


class Flavour:
    """A colour of function, and how to call one of that colour from a test that is not."""

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async

    def guarded(self, decorate: Callable[[Any], Any], body: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate *body* in this colour; what comes back is called plainly either way."""
        if not self.is_async:

            @decorate
            def function(*args: Any, **kwargs: Any) -> Any:
                return body(*args, **kwargs)

            return function

        @decorate
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            answer = body(*args, **kwargs)
            return await answer if inspect.isawaitable(answer) else answer

        return lambda *args, **kwargs: asyncio.run(coroutine(*args, **kwargs))


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Run the test once for plain functions and once for coroutines."""
    return Flavour(is_async=request.param == "async")


@pytest.fixture
def clock() -> FakeClock:
    """A clock at 100 s whose sleeps jump."""
    return FakeClock(100.0)
