"""What the package gives to tests: a clock that moves when told to, and ways to start fresh or do without policies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    State,
    TokenBucket,
    circuit_breaker,
    rate_limited,
)
from resilience.testing import FakeClock, policies_disabled, reset_policies
from tests.concurrency.crowd import start

ROOT = Path(__file__).parent.parent


class Broken(Exception):
    """What opens the circuit."""


def test_a_sleep_jumps_the_clock_and_is_recorded(flavour: Any) -> None:
    """By default a sleep returns at once, the clock shows its end, and `sleeps` its length."""
    clock = FakeClock(100)
    if flavour.is_async:
        asyncio.run(clock.sleep_async(2.5))
    else:
        clock.sleep(2.5)

    assert (102.5, [2.5]) == (clock.monotonic(), clock.sleeps)


def test_a_wait_in_line_jumps_the_clock_to_its_end(flavour: Any) -> None:
    """A limiter that makes its caller wait moves the clock by that wait, which `sleeps` shows."""
    clock = FakeClock()
    call = flavour.guarded(rate_limited(rate=1, capacity=1, max_wait=10, clock=clock), clock.monotonic)

    assert ([0, 1, 2], [1, 1]) == ([call(), call(), call()], clock.sleeps)


def test_time_is_exact_to_the_nanosecond() -> None:
    """Ten times a tenth of a second is a second, and a `timedelta` is a length too."""
    clock = FakeClock()
    for _ in range(10):
        clock.advance(timedelta(milliseconds=100))

    assert clock.monotonic() == 1


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", True, None])
def test_a_clock_that_cannot_be_is_refused(seconds: Any) -> None:
    """A start or an advance that is negative, not finite or no number is refused and names itself."""
    with pytest.raises((ValueError, TypeError), match="start"):
        FakeClock(seconds)
    with pytest.raises((ValueError, TypeError), match="seconds"):
        FakeClock().advance(seconds)


def test_timers_fire_in_order_each_at_its_instant_and_never_move_the_clock() -> None:
    """`advance` stops at each timer on its way; equal instants keep the order in which they were set."""
    clock = FakeClock()
    fired: list[tuple[str, float]] = []
    for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("b too", 2), ("late", 9)):
        clock.timer(seconds, lambda name=name: fired.append((name, clock.monotonic())))
    assert (0, []) == (clock.monotonic(), fired)

    clock.advance(5)

    assert ([("a", 1), ("b", 2), ("b too", 2), ("c", 3)], 5) == (fired, clock.monotonic())


def test_a_sleep_fires_the_timers_it_passes(flavour: Any) -> None:
    """A jump passes timers as an advance does."""
    clock = FakeClock()
    fired: list[float] = []
    clock.timer(1, lambda: fired.append(clock.monotonic()))
    clock.timer(3, lambda: fired.append(clock.monotonic()))
    if flavour.is_async:
        asyncio.run(clock.sleep_async(2))
    else:
        clock.sleep(2)

    assert ([1], 2) == (fired, clock.monotonic())


def test_a_timer_may_set_cancel_and_advance() -> None:
    """What a timer sets within the advance fires in it, what it cancels does not, and it may advance further itself."""
    clock = FakeClock()
    fired: list[str] = []
    cancel = clock.timer(2, lambda: fired.append("cancelled"))

    def first() -> None:
        cancel()
        cancel()
        clock.timer(1, lambda: fired.append(f"set at 1 for {clock.monotonic():g}"))
        clock.advance(5)

    clock.timer(1, first)
    clock.advance(3)

    assert (["set at 1 for 2"], 6) == (fired, clock.monotonic())


def test_without_autojump_sleepers_are_parked_until_advance_reaches_them() -> None:
    """Threads and tasks alike wait for `advance`; those whose time it reaches go on, the others stay."""
    clock = FakeClock(autojump=False)
    awake: list[str] = []
    long_ago = threading.Event()

    def thread() -> None:
        clock.sleep(1)
        awake.append("thread")
        long_ago.set()

    async def task(seconds: float) -> None:
        await clock.sleep_async(seconds)
        awake.append(f"task {seconds:g}")

    async def tasks() -> None:
        await asyncio.gather(task(2), task(3))

    threads = [start(thread), start(lambda: asyncio.run(tasks()))]
    clock.wait_for_parked(3)
    assert (0, []) == (clock.monotonic(), awake)
    clock.advance(1)
    assert long_ago.wait(30)
    assert ["thread"] == awake
    clock.advance(5)
    for one in threads:
        one.join(30)

    assert ["thread", "task 2", "task 3"] == awake
    assert (0, [1, 2, 3]) == (clock.parked, sorted(clock.sleeps))


def test_who_has_been_reached_is_parked_no_longer() -> None:
    """`parked` counts those who wait for `advance`: not who was cancelled, nor who was reached and is yet to run."""
    clock = FakeClock(autojump=False)

    async def main() -> list[int]:
        sleeper, cancelled = (asyncio.create_task(clock.sleep_async(5)) for _ in range(2))
        await asyncio.sleep(0)
        parked = [clock.parked]
        cancelled.cancel()
        await asyncio.sleep(0)
        parked.append(clock.parked)
        clock.advance(5)
        parked.append(clock.parked)
        await sleeper
        return parked

    assert [2, 1, 0] == asyncio.run(main())


# -- policies in tests


def used() -> tuple[CircuitBreaker, TokenBucket, Callable[[], Any], Callable[[], Any]]:
    clock = FakeClock()
    breaker, bucket = CircuitBreaker(failure_threshold=1, clock=clock), TokenBucket(1, 1, clock=clock)
    call, limited = circuit_breaker(breaker)(lambda: 1 / 0), rate_limited(bucket)(lambda: 1)
    with pytest.raises(ZeroDivisionError):
        call()
    limited()
    return breaker, bucket, call, limited


def test_reset_policies_makes_every_living_policy_as_good_as_new() -> None:
    """Circuits are closed and empty again, buckets full, for functions that were decorated before."""
    breaker, bucket, call, limited = used()
    bucket.set_rate(5, 7)

    reset_policies()

    assert (State.CLOSED, (), 1) == (breaker.state, breaker.history(), bucket.tokens())
    with pytest.raises(ZeroDivisionError):
        call()
    assert (State.OPEN, 1) == (breaker.state, limited())


def test_inside_policies_disabled_every_call_passes_uncounted() -> None:
    """Open circuits and empty buckets let all pass, nothing is counted, and afterwards all is as it was."""
    breaker, bucket, call, limited = used()
    before = breaker.snapshot(), bucket.snapshot()

    with pytest.raises(Broken), policies_disabled():
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                call()
            assert (1, True) == (limited(), bucket.allow())
        raise Broken

    assert before == (breaker.snapshot(), bucket.snapshot())
    with pytest.raises(CircuitOpenError):
        call()
    with pytest.raises(RateLimitExceeded):
        limited()


PLUGGED_IN = """
from resilience import CircuitBreaker

breaker = CircuitBreaker(failure_threshold=1)


def test_one(policies_reset, fake_clock):
    assert fake_clock.monotonic() == 0
    fake_clock.sleep(5)
    assert (fake_clock.monotonic(), fake_clock.sleeps) == (5, [5])
    breaker.force_open()


def test_two(policies_reset):
    assert breaker.state == "closed"
"""


def test_the_fixtures_come_with_the_plugin(tmp_path: Path) -> None:
    """`fake_clock` and `policies_reset` are there for whoever has the package, through its entry point or `-p`."""
    (tmp_path / "test_plugged_in.py").write_text(PLUGGED_IN)
    command = [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", "-presilience._pytest", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr
