"""A process that forks, at whatever moment, has a child in which every policy works and nobody stands in line."""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

import resilience
from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    State,
    TokenBucket,
    circuit_breaker,
    events,
    rate_limited,
)
from resilience.testing import FakeClock
from tests.concurrency.child import fates, in_child
from tests.concurrency.crowd import start, switching_fast

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Broken(Exception):
    """What opens the circuit."""


class Service:
    """Policies of every kind, and threads that use them all the time."""

    def __init__(self) -> None:
        logging.getLogger("resilience").setLevel(logging.CRITICAL)
        self.consecutive = CircuitBreaker(failure_threshold=2, recovery_timeout=1e-9, listeners=[lambda event: None])
        self.window = CircuitBreaker(failure_rate=0.5, window_seconds=60, recovery_timeout=1e-9)
        self.keyed = CircuitBreaker(failure_threshold=2, recovery_timeout=1e-9, key=lambda number: number, max_keys=20)
        self.bucket = TokenBucket(100_000, 1_000, listeners=[lambda event: None])
        self.pair = TokenBucket(100_000, 1_000), TokenBucket(100_000, 1_000)
        self.stop = False
        breakers = (self.consecutive, self.window, self.keyed)
        self.calls = [circuit_breaker(breaker)(self.work) for breaker in breakers]
        self.calls += [rate_limited(self.bucket, key=key)(self.work) for key in (None, lambda number: number)]
        self.calls += [rate_limited(*self.pair, max_wait=0.01)(self.work)]

    @staticmethod
    def work(number: int) -> int:
        if number % 3 == 0:
            raise Broken
        return number

    def use(self, number: int) -> None:
        for call in self.calls:
            try:
                call(number)
            except (Broken, CircuitOpenError, RateLimitExceeded):
                continue

    def hammer(self, at: int) -> None:
        for number in itertools.count(at):
            if self.stop:
                return
            self.use(number % 30)
            if at == 0:
                self.bucket.set_rate(90_000 + number % 9)
                self.keyed.reset()
                rate_limited(TokenBucket(1), TokenBucket(1))(self.work)
                self.consecutive.subscribe(str)()
                events.subscribe(str)()

    def check(self) -> None:
        """What a child does: everything."""
        self.stop = True
        assert 0 == self.bucket.snapshot().waiting == self.pair[0].snapshot().waiting == self.pair[1].snapshot().waiting
        for number in range(6):
            self.use(number)
        heard: list[Any] = []
        end = self.consecutive.subscribe(heard.append)
        events.subscribe(heard.append)()
        self.consecutive.force_open()
        end()
        assert len(heard) == 1
        for breaker in (self.consecutive, self.window, self.keyed):
            breaker.reset()
            assert breaker.snapshot().state is State.CLOSED
        self.bucket.acquire(2)
        self.pair[0].acquire()
        asyncio.run(asyncio.wait_for(self.bucket.acquire_async(1_000), 5))
        CircuitBreaker(failure_threshold=1)
        assert len(resilience.policies()) >= 6


def under_fire(forks: Callable[[Service], None]) -> int:
    """Do *forks* in a child of its own, in which five threads use every policy, so that even a hung parent ends."""

    def work() -> None:
        service = Service()
        with switching_fast():
            threads = [start(service.hammer, at) for at in range(5)]
            forks(service)
            service.stop = True
            for thread in threads:
                thread.join(20)

    return in_child(work, seconds=60)


@pytest.mark.slow
def test_a_child_forked_under_fire_can_use_every_policy() -> None:
    """Of sixty forks, while five threads hold locks at random, every child does everything and ends well."""

    def forks(service: Service) -> None:
        assert {0} == fates(60, service.check)

    assert under_fire(forks) == 0


@pytest.mark.slow
def test_a_child_of_multiprocessing_can_use_every_policy() -> None:
    """The same through `multiprocessing` with its fork method."""

    def forks(service: Service) -> None:
        context = multiprocessing.get_context("fork")
        for _ in range(20):
            process = context.Process(target=service.check)
            process.start()
            process.join(10)
            process.kill()
            assert process.exitcode == 0

    assert under_fire(forks) == 0


def test_the_parent_goes_on_after_a_fork() -> None:
    """In the parent every lock is free again and every count is kept."""
    breaker = CircuitBreaker(failure_rate=1.0, window_calls=100)
    bucket = TokenBucket(1e-9, 5)
    with breaker, bucket:
        assert in_child(lambda: None) == 0
    with breaker, bucket:
        pass

    assert (2, 3) == (breaker.snapshot().calls, round(bucket.tokens()))


def test_a_child_begins_with_an_empty_line_and_the_parent_keeps_its_own() -> None:
    """Threads that wait in line at the time of the fork wait on in the parent, and are not there in the child."""
    clock = FakeClock(autojump=False)
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.acquire()
    bucket.acquire(key="key")
    waiters = [start(bucket.acquire, 1, key) for key in (None, None, "key")]
    clock.wait_for_parked(3)

    def check() -> None:
        assert bucket.snapshot().waiting == 0
        clock.autojump = True
        bucket.acquire()
        bucket.acquire(key="key")
        assert clock.monotonic() == 1

    assert in_child(check) == 0
    assert bucket.snapshot().waiting == 3
    clock.advance(1)
    waiters[0].join(10)
    waiters[2].join(10)
    clock.advance(1)
    waiters[1].join(10)
    assert not any(thread.is_alive() for thread in waiters)


def test_a_fork_from_inside_a_call_a_block_or_a_listener_works() -> None:
    """The child may fork off in a guarded function, in a block, and in a listener, and use the policy there."""
    breaker = CircuitBreaker(failure_threshold=1)
    parent = os.getpid()
    statuses: list[int] = []

    def use() -> None:
        breaker.reset()
        with breaker:
            pass
        heard: list[Any] = []
        breaker.subscribe(heard.append)
        breaker.force_open()
        assert len(heard) == 1

    def fork(*_: object) -> None:
        if os.getpid() == parent:
            statuses.append(in_child(use))

    circuit_breaker(breaker)(fork)()
    with breaker:
        fork()
    breaker.subscribe(fork)()
    end = breaker.subscribe(fork)
    breaker.disable()
    end()

    assert [0, 0, 0] == statuses


def test_a_child_keeps_what_was_counted_and_goes_its_own_way() -> None:
    """State is copied at the fork: the child sees the parent's, and what it does is not seen by the parent."""
    breaker = CircuitBreaker(failure_threshold=1, clock=FakeClock())
    bucket = TokenBucket(1e-9, 5)
    bucket.acquire(2)

    def check() -> None:
        assert (State.CLOSED, 3) == (breaker.state, round(bucket.tokens()))
        breaker.force_open()
        bucket.acquire(3)

    assert in_child(check) == 0
    assert (State.CLOSED, 3) == (breaker.state, round(bucket.tokens()))


def test_events_that_were_on_their_way_are_told_by_the_parent_alone() -> None:
    """What a listener in another thread has still to hear at the fork is heard once, in the parent."""
    inside, go_on = threading.Event(), threading.Event()
    heard: list[int] = []

    def listener(event: Any) -> None:
        heard.append(os.getpid())
        if len(heard) == 1:
            inside.set()
            go_on.wait(30)

    breaker = CircuitBreaker(listeners=[listener])
    thread = start(breaker.force_open)
    assert inside.wait(30)
    breaker.reset()

    def check() -> None:
        breaker.disable()
        assert [os.getpid()] == heard[1:]

    assert in_child(check) == 0
    go_on.set()
    thread.join(30)
    assert [os.getpid()] * 2 == heard
