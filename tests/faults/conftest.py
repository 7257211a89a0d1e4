"""Lives of breakers and buckets, told in the words of the scenarios, once for each form of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios import breaker_steps, forms, in_line, limiter_steps
from tests.scenarios.row import Row

Lives = Callable[..., None]


def _row(options: dict[str, Any], steps: str) -> Row:
    return Row(id="PEER", project="a peer", unit=options.pop("unit", "1"), options=options, steps=steps)


@pytest.fixture(params=forms.FORMS)
def breaker_lives(request: pytest.FixtureRequest) -> Lives:
    """Let a breaker with some options live through steps (the words of `breaker_steps`)."""
    return lambda steps, **options: breaker_steps.live(_row(options, steps), request.param)


@pytest.fixture(params=in_line.FORMS)
def bucket_lives(request: pytest.FixtureRequest) -> Lives:
    """Let a bucket with some options live through steps (the words of `limiter_steps`)."""
    return lambda steps, **options: limiter_steps.live(_row(options, steps), request.param)
