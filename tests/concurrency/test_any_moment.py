"""Another thread that comes in at the first, second, third … step of a call finds nothing half done.

The interpreter may let another thread run where a function begins and after each call, in code that it has not run so
often yet as to have specialised it; so each such place in the package is tried.
"""

from __future__ import annotations

import dis
import itertools
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, TokenBucket, circuit_breaker, rate_limited
from resilience.testing import FakeClock
from tests.concurrency.crowd import HandClock, start

KEYS = [None, "a key", (1, 2)]


class Broken(Exception):
    """What opens the circuit."""


def meet(work: Callable[[], object], at: int, meanwhile: Callable[[], object]) -> bool:
    """Do *work*, and at its step number *at* let another thread do something; False when there are not so many."""
    count = 0
    others: list[threading.Thread] = []

    def step() -> None:
        nonlocal count
        count += 1
        if count == at:
            others.append(start(meanwhile))
            others[0].join(0.002)  # no longer: this thread may hold the lock that the other one wants

    def enter(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("resilience."):
            return None
        last = ""

        def follow(frame: FrameType, event: str, _: object) -> Any:
            nonlocal last
            if event == "opcode":
                if last.startswith("CALL"):
                    step()
                last = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            return follow

        frame.f_trace = follow
        frame.f_trace_opcodes = True  # only in this order does 3.13 heed it
        step()
        return follow

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
        for other in others:
            other.join(30)
            assert not other.is_alive()
    return bool(others)


CHANGES: dict[str, Callable[[TokenBucket, Any], object]] = {
    "set_rate": lambda bucket, key: bucket.set_rate(7, per=3),
    "finer": lambda bucket, key: (bucket.charge(0.25, key), bucket.charge(0.25, key), bucket.refund(0.5, key)),
    "refund": lambda bucket, key: bucket.refund(1, key),
    "take": lambda bucket, key: bucket.allow(2, key),
    "take by lane": lambda bucket, key: rate_limited(bucket, key=lambda: key)(lambda: None)(),
    "pause": lambda bucket, key: bucket.pause(1, key),
    "tie": lambda bucket, key: rate_limited(bucket, TokenBucket(1, clock=bucket.limiter.clock))(lambda: None),
    "renew": lambda bucket, key: bucket._renew(),
}
LEFT = {"refund": {6}, "take": {3}, "take by lane": {4}, "pause": {5, 6}, "renew": {9, 10}}


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_happens_to_a_bucket_during_an_admission_no_token_is_lost_or_minted(key: Any, change: str) -> None:
    """Admitted plus left is what there was plus what was put in; a pause lets the call pass before it or not at all."""
    for at in itertools.count(1):
        bucket = TokenBucket(1, 10, clock=HandClock())
        call = rate_limited(bucket, key=lambda _: key, max_wait=None)(lambda number: number)
        for number in range(4):
            call(number)
        for number in range(300):  # so many keys that a change of rate cannot carry them all over at once
            bucket.allow(key=f"another {number}")

        met = meet(lambda call=call: call(5), at, lambda bucket=bucket: CHANGES[change](bucket, key))

        assert bucket.tokens(key) in (LEFT.get(change, {5}) if met else {5})
        assert bucket.snapshot().waiting == 0
        if not met:
            break


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("other", ["acquire", "allow", "refund", "charge", "set_rate"])
def test_whatever_happens_to_a_line_during_a_wait_everybody_is_served(key: Any, other: str) -> None:
    """A wait that another waiter, taker or order meets at any step ends, and leaves an empty line and honest tokens."""
    others: dict[str, Callable[[TokenBucket], object]] = {
        "acquire": lambda bucket: bucket.acquire(key=key),
        "allow": lambda bucket: bucket.allow(key=key),
        "refund": lambda bucket: bucket.refund(1, key),
        "charge": lambda bucket: bucket.charge(1, key),
        "set_rate": lambda bucket: bucket.set_rate(0.5),
    }
    for at in itertools.count(1):
        clock = FakeClock(100)
        bucket = TokenBucket(1, 2, clock=clock)
        bucket.acquire(2, key=key)

        met = meet(lambda bucket=bucket: bucket.acquire(key=key), at, lambda bucket=bucket: others[other](bucket))

        assert bucket.snapshot().waiting == 0
        assert -1 <= bucket.tokens(key) <= 2
        assert 100 <= clock.monotonic() <= 103
        if not met:
            break


CONFIGS: dict[str, dict[str, Any]] = {
    "consecutive": {"failure_threshold": 1},
    "calls": {"failure_rate": 1.0, "window_calls": 10, "minimum_calls": 1},
    "seconds": {"failure_rate": 1.0, "window_seconds": 10, "minimum_calls": 1},
    "slow": {"failure_threshold": 1, "slow_call_duration": 5, "slow_call_rate": 1.0},
}
ORDERS = {"reset": State.CLOSED, "force_open": State.FORCED_OPEN, "disable": State.DISABLED}


@pytest.mark.parametrize("began", ["closed", "half-open"])
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("fails", [False, True])
def test_an_order_that_comes_at_any_moment_of_a_call_stands(fails: bool, order: str, config: str, began: str) -> None:
    """What was begun before the order is stale after it; what was begun after it counts; nothing is left running."""
    for at in itertools.count(1):
        clock = FakeClock(100)
        breaker = CircuitBreaker(recovery_timeout=10, clock=clock, **CONFIGS[config])
        if began == "half-open":
            with pytest.raises(Broken), breaker:
                raise Broken
            clock.advance(10)
        guarded = circuit_breaker(breaker)

        def call(guarded: Any = guarded) -> None:
            try:
                guarded(lambda: 1 / 0 if fails else 1)()
            except (ZeroDivisionError, CircuitOpenError):
                return

        met = meet(call, at, getattr(breaker, order))

        if not met:
            assert breaker.state is (State.OPEN if fails else State.CLOSED)
            break
        seen = breaker.snapshot()
        allowed = {ORDERS[order]} | ({State.OPEN} if fails and order == "reset" else set())
        assert seen.state in allowed
        assert seen.probes_running == 0
        assert seen.calls <= 1
        if seen.state in (State.CLOSED, State.DISABLED):
            with breaker:
                pass


@pytest.mark.parametrize("config", CONFIGS)
def test_two_calls_that_meet_at_any_moment_are_both_counted(config: str) -> None:
    """Whatever the step at which another call comes between, neither is lost and the run of failures is right."""
    options = CONFIGS[config] | ({"failure_threshold": 9} if "failure_threshold" in CONFIGS[config] else {})
    for at in itertools.count(1):
        breaker = CircuitBreaker(
            clock=FakeClock(100), **options | ({"minimum_calls": 9} if "minimum_calls" in options else {})
        )

        def fail(breaker: CircuitBreaker = breaker) -> None:
            with pytest.raises(Broken), breaker:
                raise Broken

        def succeed(breaker: CircuitBreaker = breaker) -> None:
            circuit_breaker(breaker)(lambda: 1)()

        fail()
        met = meet(fail, at, fail)
        before = breaker.snapshot()
        meet(succeed, at, succeed)
        after = breaker.snapshot()

        assert 2 + met == (before.failures or before.failures_in_a_row)
        if before.calls:
            assert before.calls + 1 <= after.calls <= before.calls + 2
        assert after.failures_in_a_row == 0
        if not met:
            break
