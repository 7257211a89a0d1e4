"""Faults of other rate limiters: how much they admit, when, and at what cost."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from resilience import RateLimitExceeded, TokenBucket, rate_limited
from resilience.testing import FakeClock
from tests.scenarios.in_flight import Calls, TaskCalls, ThreadCalls

Lives = Callable[..., None]
TEN_MINUTES = 600


@pytest.fixture(params=["function", "coroutine"])
def calls_under(request: pytest.FixtureRequest) -> Iterator[Callable[..., Calls]]:
    """Make calls under a bucket, of one colour and then of the other."""
    made: list[Calls] = []

    def make(bucket: TokenBucket, **options: Any) -> Calls:
        @rate_limited(bucket, **options)
        def plain(play: Any) -> object:
            return play()

        @rate_limited(bucket, **options)
        async def coroutine(play: Any) -> object:
            return await play()

        made.append(ThreadCalls(plain) if request.param == "function" else TaskCalls(coroutine))
        return made[-1]

    yield make
    for calls in made:
        calls.close()


@pytest.mark.parametrize(
    ("rate", "capacity", "admitted"), [("100/minute", 100, 1100), ("45/minute", 45, 495), ("7/3s", 7, 1407)]
)
def test_a_hundred_a_minute_delivers_sixty(
    rate: str, capacity: int, admitted: int, calls_under: Callable[..., Calls], clock: FakeClock
) -> None:
    """Who calls at each `retry_after` gets all of the rate, to the last token (throttled-py: 60 of 100, 30 of 45)."""
    calls = calls_under(TokenBucket(rate, clock=clock))
    passed = 0
    while clock.monotonic() <= 100 + TEN_MINUTES:
        out = calls.call()
        if isinstance(out, RateLimitExceeded):
            clock.advance(out.retry_after)
        else:
            passed += 1

    assert admitted == passed


@pytest.mark.parametrize(("rate", "admitted"), [("100/minute", 300), ("45/minute", 135), ("7/3s", 287)])
def test_who_hammers_gets_more(rate: str, admitted: int, calls_under: Callable[..., Calls], clock: FakeClock) -> None:
    """Who calls every twentieth of a second for two minutes gets the burst and the rate, and no more (throttled-py)."""
    calls = calls_under(TokenBucket(rate, clock=clock))
    passed = 0
    for _ in range(20 * 120 + 1):
        passed += calls.call() is None
        clock.advance(0.05)

    assert admitted == passed


def test_waits_are_rounded_up_to_whole_seconds(calls_under: Callable[..., Calls], clock: FakeClock) -> None:
    """A third of a second is waited as a third of a second, to the nanosecond (throttled-py: a whole second)."""
    calls = calls_under(TokenBucket(3, 2, clock=clock), max_wait=None)
    instants: list[float] = []
    for _ in range(5):
        assert calls.call(during=lambda: instants.append(clock.monotonic())) is None

    assert [100.0, 100.0, 100.333333334, 100.666666667, 101.0] == instants
    assert [0.333333334, 0.333333333, 0.333333333] == clock.sleeps


class Stepping(FakeClock):
    """A clock that a test may set back."""

    offset = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.offset


def test_a_clock_that_steps_back_gives_free_tokens(calls_under: Callable[..., Calls]) -> None:
    """A clock that goes back and forth fills no bucket; when it has caught up all is as promised (x/time/rate)."""
    clock = Stepping(1000.0)
    calls = calls_under(TokenBucket(1, 3, clock=clock))
    assert [None] * 3 == [calls.call() for _ in range(3)]
    for _ in range(20):
        for clock.offset in (-500.0, 0.0):
            out = calls.call()
            assert isinstance(out, RateLimitExceeded)
            assert 1 == out.retry_after
    clock.advance(0.999999999)
    assert isinstance(calls.call(), RateLimitExceeded)
    clock.advance(0.000000001)
    assert calls.call() is None


def test_a_step_of_the_wall_clock_stalls_or_fills(
    calls_under: Callable[..., Calls], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the wall clock, either way, neither stalls a bucket nor fills it (redis_rate, x/time/rate)."""
    calls = calls_under(TokenBucket("1/hour"))
    wall = time.time()
    began = time.monotonic()
    assert calls.call() is None
    for step in (-86_400, 86_400):
        monkeypatch.setattr(time, "time", lambda step=step: wall + step)
        monkeypatch.setattr(time, "time_ns", lambda step=step: int((wall + step) * 1e9))
        out = calls.call()
        assert isinstance(out, RateLimitExceeded)
        assert 3600 - (time.monotonic() - began) <= out.retry_after <= 3600


def _effort(work: Callable[[], object]) -> int:
    """How many Python and C functions a piece of work calls."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("key", [None, "ada"])
def test_time_per_call_grows_with_what_was_admitted(key: str | None, clock: FakeClock) -> None:
    """A call costs the same after fifty thousand as after ten (limits' moving window, pyrate-limiter: O(n))."""
    bucket = TokenBucket(1, 100_000, clock=clock)
    for _ in range(10):
        bucket.allow(key=key)
    early = _effort(lambda: bucket.allow(key=key))
    for _ in range(50_000):
        bucket.allow(key=key)

    assert early == _effort(lambda: bucket.allow(key=key))


@pytest.mark.parametrize("key", [None, "ada"])
def test_memory_per_key_grows_with_what_was_admitted(key: str | None, clock: FakeClock) -> None:
    """Ten thousand calls of a key leave nothing behind but its level (limits' moving window, pyrate-limiter: O(n))."""
    bucket = TokenBucket(1, 100_000, clock=clock)
    for _ in range(10):
        bucket.allow(key=key)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10_000):
            bucket.allow(key=key)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert grown < 1000


def test_twice_the_burst_passes_at_a_windows_edge(bucket_lives: Lives) -> None:
    """A burst just before a whole second leaves nothing for just after it (fixed windows: twice the burst)."""
    bucket_lives("@999 yes:10 no @1000 no @1098 no @1099 yes no", rate=10, per=1, unit="1/1000")
