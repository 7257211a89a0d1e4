"""Rows of calls that fail, and of calls that are rejected."""

from collections.abc import Iterator

from benchmarks import rival_breakers as breakers
from benchmarks import rival_limiters as limiters
from benchmarks.bar import Bar
from benchmarks.loop import Loop
from benchmarks.ours import breaker, limiter, ours
from benchmarks.ratio import Maker, Ratio
from benchmarks.reference import refusing, try_except
from benchmarks.row import Row
from benchmarks.subjects import afails, fails, fn

__all__ = ["rows"]

_CAUGHT = Loop(caught=True)
_RAISE = "raise"
"""The unit of a rejection: ``def w(*a, **k): raise E``, caught by the caller."""


def rows() -> Iterator[Row]:
    """Everything that raises."""
    makers: dict[str, Maker] = ours(breaker(threshold="never"))
    makers |= breakers.never_opens(breakers.SYNC)
    yield Row(
        name="failing",
        title="a failing call, closed, sync",
        unit="try/except closure",
        locked=True,
        repeated=True,
        bar=Bar(limit=2.0),
        measure=Ratio(subject=fails, makers=makers, loop=_CAUGHT, reference=try_except),
    )
    bar = Bar(limit=2.5)
    makers = ours(breaker(threshold="first")) | breakers.one_failure(breakers.SYNC)
    yield Row(
        name="rejected-breaker",
        title="rejection by an open breaker, sync",
        unit=_RAISE,
        locked=True,
        repeated=True,
        bar=bar,
        measure=Ratio(subject=fails, makers=makers, loop=_CAUGHT, reference=refusing, trip=True),
    )
    makers = ours(breaker(threshold="first")) | breakers.one_failure(breakers.ASYNC)
    yield Row(
        name="rejected-breaker-async",
        title="rejection by an open breaker, async",
        unit=_RAISE,
        locked=True,
        repeated=True,
        bar=bar,
        measure=Ratio(
            subject=afails,
            makers=makers,
            loop=_CAUGHT,
            reference=refusing,
            trip=True,
            colour="async",
        ),
    )
    makers = ours(limiter(admitting=False)) | limiters.refuses()
    yield Row(
        name="rejected-limiter",
        title="rejection by an empty limiter, sync",
        unit=_RAISE,
        locked=True,
        repeated=True,
        bar=bar,
        measure=Ratio(subject=fn, makers=makers, loop=_CAUGHT, reference=refusing, trip=True),
    )
