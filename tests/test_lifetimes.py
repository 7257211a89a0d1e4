"""How long policies live: as long as somebody holds them, and no longer."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    TokenBucket,
    circuit_breaker,
    events,
    policies,
    rate_limited,
)
from resilience.testing import FakeClock


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The cycle collector is off: what goes, goes because nobody holds it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def charge() -> None: ...


def test_the_living_are_listed_in_order():
    """`policies()` gives the objects, oldest first."""
    held = [CircuitBreaker(), TokenBucket(5), CircuitBreaker()]

    assert held == [policy for policy in policies() if policy in held]


def test_a_refused_policy_never_lived():
    """Options that are no good leave nothing behind."""
    before = len(policies())
    with pytest.raises(ValueError):
        CircuitBreaker(probes=0)
    with pytest.raises(ValueError):
        rate_limited(rate=0)

    assert before == len(policies())


def use_breaker(breaker: CircuitBreaker) -> None:
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError), breaker:
        fail()
    with pytest.raises(CircuitOpenError):
        breaker.call(fail)
    breaker.reset()
    asyncio.run(breaker.call_async(asyncio.sleep, 0))
    breaker.for_key("k").call(int)
    breaker.subscribe(lambda event: breaker)()


def use_bucket(bucket: TokenBucket) -> None:
    with bucket, pytest.raises(RateLimitExceeded):
        bucket.acquire(max_wait=0)
    bucket.pause(1)
    bucket.allow(key="k")
    asyncio.run(bucket.acquire_async())
    bucket.set_rate(7)
    bucket.subscribe(lambda event: bucket)()


def use_function(guarded: Callable[[], Any]) -> None:
    guarded()


MAKERS: dict[str, tuple[Callable[[FakeClock], Any], Callable[[Any], None]]] = {
    "breaker": (lambda clock: CircuitBreaker(failure_threshold=1, clock=clock), use_breaker),
    "bucket": (lambda clock: TokenBucket(1, clock=clock), use_bucket),
    "guarded function": (lambda clock: circuit_breaker(clock=clock)(charge), use_function),
    "keyed function": (lambda clock: circuit_breaker(clock=clock, key=lambda: 1)(charge), use_function),
    "limited function": (lambda clock: rate_limited(5, clock=clock)(charge), use_function),
    "guarded partial": (lambda clock: rate_limited(5, clock=clock)(functools.partial(charge)), use_function),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_policy_that_nobody_holds_is_gone_at_once(clock, no_collector, maker):
    """However it was used: no cycle keeps it, and the registry holds it weakly."""
    make, use = MAKERS[maker]
    made = make(clock)
    use(made)
    policy = weakref.ref(policies(made)[0] if policies(made) else made)
    assert policy() in policies()
    del made

    assert policy() is None


def test_buckets_taken_together_are_gone_at_once(clock, no_collector):
    """Sharing a line ties no bucket to life."""
    one, two = TokenBucket(5, clock=clock), TokenBucket(5, clock=clock)
    rate_limited(one, two)(charge)()
    gone = weakref.ref(two)
    del two

    assert gone() is None


def test_a_listener_of_all_keeps_no_policy_alive(clock, no_collector):
    """Hearing everybody holds nobody."""
    unsubscribe = events.subscribe(lambda event: None)
    breaker = CircuitBreaker(clock=clock)
    breaker.disable()
    gone = weakref.ref(breaker)
    del breaker
    unsubscribe()

    assert gone() is None
