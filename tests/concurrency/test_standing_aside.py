"""`policies_disabled` while calls are on their way, while orders are given and while threads are at it."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, TokenBucket, circuit_breaker, rate_limited
from resilience.testing import FakeClock, policies_disabled, reset_policies
from tests.concurrency.crowd import crowd


class Broken(Exception):
    """What opens the circuit."""


def broken() -> None:
    raise Broken


def tripped(clock: FakeClock, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=30, clock=clock, **options)
    with pytest.raises(Broken), breaker:
        raise Broken
    return breaker


@pytest.mark.parametrize("order", ["reset", "disable", "force_open", "reset_policies"])
def test_an_order_given_inside_the_block_holds_after_it(clock: FakeClock, order: str) -> None:
    """Calls pass uncounted to the end of the block; then the state that was ordered is there, and works."""
    breaker, bucket = tripped(clock), TokenBucket(1, 1, clock=clock)
    call, limited = circuit_breaker(breaker)(broken), rate_limited(bucket)(lambda: None)
    limited()

    with policies_disabled():
        reset_policies() if order == "reset_policies" else getattr(breaker, order)()
        for _ in range(3):
            with pytest.raises(Broken):
                call()
            limited()

    expected = {"disable": State.DISABLED, "force_open": State.FORCED_OPEN}.get(order, State.CLOSED)
    assert (expected, 0) == (breaker.state, breaker.snapshot().failures_in_a_row)
    with pytest.raises(CircuitOpenError if order == "force_open" else Broken):
        call()


@pytest.mark.parametrize("fails", [False, True])
def test_a_probe_that_comes_back_inside_the_block_is_a_verdict(clock: FakeClock, fails: bool) -> None:
    """A call that was begun before the block and ends in it decides, and the circuit works after the block."""
    breaker = tripped(clock)
    clock.advance(30)
    block = policies_disabled()
    try:
        with breaker:
            block.__enter__()
            if fails:
                raise Broken
    except Broken:
        pass
    block.__exit__(None, None, None)

    assert breaker.state is (State.OPEN if fails else State.CLOSED)
    with pytest.raises(CircuitOpenError if fails else Broken):
        breaker.call(broken)


def test_a_call_that_was_begun_inside_the_block_and_ends_after_it_counts_as_nothing(clock: FakeClock) -> None:
    """What the block let through is not settled, whenever it ends."""
    breaker = tripped(clock)
    before = breaker.snapshot()
    block = policies_disabled()
    block.__enter__()
    with pytest.raises(Broken), breaker:
        block.__exit__(None, None, None)
        raise Broken

    assert before == breaker.snapshot()


def test_blocks_may_be_nested(clock: FakeClock) -> None:
    """Policies stand aside until the outermost block ends."""
    breaker, bucket = tripped(clock), TokenBucket(1, 1, clock=clock)
    bucket.acquire()

    with policies_disabled():
        with policies_disabled():
            assert bucket.allow()
            with breaker:
                pass
        assert bucket.allow()
        with breaker:
            pass

    assert not bucket.allow()
    with pytest.raises(CircuitOpenError), breaker:
        pass


def test_a_policy_made_inside_the_block_is_in_force_after_it(clock: FakeClock) -> None:
    """What is decorated in the block is guarded once the block is over."""
    with policies_disabled():
        breaker, bucket = tripped(clock), TokenBucket(1, 1, clock=clock)
        bucket.allow()
        keyed = CircuitBreaker(failure_threshold=1, key=lambda key: key)
    with policies_disabled():
        keyed.call(lambda key: key, "made in the block")

    bucket.allow()
    assert not bucket.allow()
    with pytest.raises(Broken):
        circuit_breaker(keyed)(lambda key: broken())("made in the block")
    assert keyed.for_key("made in the block").state is State.OPEN
    assert breaker.state in State


def test_threads_that_call_while_blocks_begin_and_end_are_counted_at_most_once(locking: str) -> None:
    """However blocks come and go, a call is counted once or, inside a block, not at all; tokens likewise."""
    breaker = CircuitBreaker(failure_rate=1.0, window_calls=1_000_000, minimum_calls=1_000_000)
    bucket = TokenBucket(1e-9, 100_000)
    call = circuit_breaker(breaker)(rate_limited(bucket)(lambda: None))

    def work(at: int) -> None:
        for number in range(1_000):
            if at:
                call()
            elif number % 10 == 0:
                with policies_disabled():
                    pass

    crowd(6, work)

    counted, taken = breaker.snapshot().calls, 100_000 - bucket.tokens()
    assert 0 < counted <= 5_000
    assert 0 < taken <= 5_000.001
    call()
    assert counted + 1 == breaker.snapshot().calls
