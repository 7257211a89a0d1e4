"""Clocks: the system's, the fake one in both its modes, and custom ones, also such as step back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    Clock,
    RateLimitExceeded,
    State,
    SystemClock,
    TokenBucket,
    circuit_breaker,
    rate_limited,
)
from resilience.clock import Alarm, async_alarm
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock, start


class Broken(Exception):
    """What opens the circuit."""


def trip(breaker: CircuitBreaker) -> None:
    with pytest.raises(Broken), breaker:
        raise Broken


def test_the_systems_clock_is_the_monotonic_one() -> None:
    """`SystemClock` reads `time.monotonic`, and its sleeps take real time, in threads and in tasks."""
    clock = SystemClock()
    began = clock.monotonic()
    clock.sleep(0.01)
    asyncio.run(clock.sleep_async(0.01))

    assert began + 0.02 - 1e-3 <= clock.monotonic() <= time.monotonic()


def test_a_parked_thread_wakes_when_rung_or_when_its_time_has_come() -> None:
    """`park` returns at the alarm, however long the time, and at the time, however silent the alarm."""
    clock, alarm = SystemClock(), Alarm()
    thread = start(clock.park, alarm, None)
    alarm.ring()
    thread.join(30)
    began = time.monotonic()
    clock.park(alarm, 0.02)
    assert not thread.is_alive()
    assert time.monotonic() - began >= 0.02 - 1e-3


def test_an_alarm_rung_early_is_not_lost() -> None:
    """A ring before the wait ends the wait at once, and once only."""
    clock, alarm = SystemClock(), Alarm()
    alarm.ring()
    alarm.ring()
    clock.park(alarm, None)
    began = time.monotonic()
    clock.park(alarm, 0.01)

    assert time.monotonic() - began >= 0.01 - 1e-3
    assert alarm.wakes == 2


def test_a_parked_task_wakes_when_rung_from_another_thread_or_when_its_time_has_come() -> None:
    """The same for a task; the ring may come from a thread that has no loop."""
    clock = SystemClock()

    async def main() -> float:
        alarm = async_alarm()
        thread = start(alarm.ring)
        await clock.park_async(alarm, None)
        thread.join(30)
        began = time.monotonic()
        await clock.park_async(alarm, 0.02)
        return time.monotonic() - began

    assert asyncio.run(main()) >= 0.02 - 1e-3


def test_a_wait_longer_than_a_lock_can_wait_is_no_error() -> None:
    """A wait of ten thousand years is cut to what the system can do; the waiter looks again then."""
    bucket = TokenBucket(1e-12, 1)
    bucket.acquire()
    thread = start(bucket.acquire)
    ends = time.monotonic() + 30
    while bucket.snapshot().waiting != 1:
        assert time.monotonic() < ends
    bucket.refund(1)
    thread.join(30)

    assert not thread.is_alive()


def test_a_timer_fires_once_in_its_time_unless_it_was_cancelled() -> None:
    """`timer` calls back after the time from a thread that does not keep the program alive."""
    clock = SystemClock()
    fired = threading.Event()
    by: list[threading.Thread] = []
    cancel = clock.timer(30, lambda: by.append(threading.current_thread()))
    cancel()
    cancel()
    clock.timer(0.01, lambda: (by.append(threading.current_thread()), fired.set()))

    assert fired.wait(30)
    assert [True] == [thread.daemon for thread in by]


@pytest.mark.parametrize("make", [HandClock, FakeClock, SystemClock])
def test_policies_take_any_object_with_the_three_methods(make: Callable[[], Clock]) -> None:
    """A clock need not inherit from anything."""
    assert isinstance(make(), Clock)
    assert TokenBucket(1, clock=make()).allow()
    with CircuitBreaker(clock=make()):
        pass


@pytest.mark.parametrize("clock", [time, SystemClock, 1, object(), "monotonic"])
def test_what_is_no_clock_is_refused(clock: Any) -> None:
    """A module, a class instead of an instance, or anything without the methods is a `TypeError` that names them."""
    for make in (lambda: TokenBucket(1, clock=clock), lambda: CircuitBreaker(clock=clock)):
        with pytest.raises(TypeError, match=r"clock.*monotonic.*sleep.*sleep_async"):
            make()


def test_a_subclass_of_the_systems_clock_is_believed() -> None:
    """A `SystemClock` that was given another `monotonic` decides by that."""

    class Shifted(SystemClock):
        now = 5.0

        def monotonic(self) -> float:  # type: ignore[override]
            return self.now

    clock = Shifted()
    bucket = TokenBucket(1, 1, clock=clock)
    assert bucket.allow()
    assert not bucket.allow()
    clock.now += 1

    assert bucket.allow()


def test_instants_are_whole_nanoseconds_of_the_clocks_seconds() -> None:
    """A breaker by a custom clock opens again at exactly the nanosecond that its `retry_after` names."""
    clock = HandClock(0.1)
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=0.3, clock=clock)
    trip(breaker)

    clock.now = 0.399999999
    with pytest.raises(CircuitOpenError) as caught, breaker:
        pass
    assert 1e-9 == caught.value.retry_after
    clock.now = 0.4
    with breaker:
        pass


@pytest.mark.parametrize("key", [None, "key"])
def test_a_clock_that_steps_back_mints_no_token(flavour: Any, key: str | None) -> None:
    """Time that goes back and comes again accrues once, with a key and without."""
    clock = HandClock(100)
    bucket = TokenBucket(1, 2, clock=clock)
    call = flavour.guarded(rate_limited(bucket, key=lambda: key), lambda: None)
    admitted = []
    for now in (100, 50, 0, 101, 10, 101, 101.5, 30, 102):
        clock.now = now
        for _ in range(3):
            with contextlib.suppress(RateLimitExceeded):
                call()
                admitted.append(now)

    assert [100, 100, 101, 102] == admitted
    clock.now = 50
    assert (0, False) == (bucket.tokens(key), bucket.allow(key=key))


def test_a_clock_that_steps_back_reopens_nothing_and_ends_no_opening_early() -> None:
    """An open circuit half-opens when its own time is over, wherever the clock was in between; then it stays closed."""
    clock = HandClock(100)
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    trip(breaker)
    for now in (105, 0, 109, 50):
        clock.now = now
        with pytest.raises(CircuitOpenError), breaker:
            pass
        assert 0 < (breaker.snapshot().retry_after or 0) <= 10
    clock.now = 110
    with breaker:
        pass
    clock.now = 3
    with breaker:
        pass

    assert breaker.state is State.CLOSED


def test_a_clock_that_steps_back_makes_no_call_slow() -> None:
    """A quick call that fails after the clock went back an hour is a failure, and no slow call."""
    clock = HandClock(10_000)
    breaker = CircuitBreaker(failure_threshold=50, slow_call_duration=1, slow_call_rate=1.0, clock=clock)
    with breaker:
        pass
    clock.now -= 3600

    @circuit_breaker(breaker)
    def quick() -> None:
        clock.now += 0.1
        raise Broken

    for _ in range(3):
        with pytest.raises(Broken):
            quick()

    assert (3, 0) == (breaker.snapshot().failures, breaker.snapshot().slow)


def test_a_wait_by_a_clock_that_steps_back_ends(flavour: Any) -> None:
    """A waiter whose clock steps back in the middle of its wait is served when its time has come after all."""

    class Stepping(HandClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            if len(self.slept) == 10:
                self.now -= 5

        async def sleep_async(self, seconds: float, /) -> None:
            self.sleep(seconds)

    clock = Stepping(100)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    asyncio.run(bucket.acquire_async()) if flavour.is_async else bucket.acquire()

    assert 101 == pytest.approx(clock.now)
    assert sum(clock.slept) == pytest.approx(6)
