"""The moments at which a fork could find a lock that nobody will ever give back, one by one."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import resilience
from resilience import CircuitBreaker, TokenBucket, _registry, circuit_breaker, rate_limited
from tests.concurrency.child import fates, in_child
from tests.concurrency.crowd import HandClock, start, switching_fast

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class HookedClock(HandClock):
    """A clock that does something when it is looked at, which policies do inside their locks."""

    def __init__(self) -> None:
        super().__init__()
        self.hook: Callable[[], object] = int

    def monotonic(self) -> float:
        self.hook()
        return super().monotonic()


@pytest.mark.parametrize(
    "make",
    [
        CircuitBreaker,
        lambda: CircuitBreaker(key=id),
        lambda: TokenBucket(1),
        lambda: circuit_breaker(len),
        lambda: rate_limited(1)(lambda: None),
    ],
    ids=["CircuitBreaker", "keyed CircuitBreaker", "TokenBucket", "circuit_breaker", "rate_limited"],
)
def test_a_policy_is_whole_from_the_moment_others_can_see_it(make: Callable[[], object]) -> None:
    """At every step of its making each living policy has the locks that a fork takes and can be looked at."""
    errors: list[BaseException] = []

    def peek(*_: object) -> None:
        sys.setprofile(None)
        try:
            for policy in resilience.policies():
                policy._locks()
                assert policy.name
        except BaseException as error:
            errors.append(error)
        finally:
            sys.setprofile(peek)

    sys.setprofile(peek)
    try:
        made = make()
    finally:
        sys.setprofile(None)

    assert [] == errors
    assert made


def test_a_policy_that_ends_inside_anothers_lock_does_not_stop_a_fork() -> None:
    """A thread that collects garbage inside a lock, for which a fork waits, does not wait for the fork."""

    def work() -> None:
        clock = HookedClock()
        looked_at = CircuitBreaker(clock=clock)
        ending = [CircuitBreaker()]
        inside = threading.Event()

        def hook() -> None:
            inside.set()
            while _registry._lock.acquire(blocking=False):  # until the fork has it
                _registry._lock.release()
            ending.clear()
            gc.collect()

        def look() -> None:
            clock.hook = hook
            looked_at.snapshot()

        thread = start(look)
        assert inside.wait(5)
        clock.hook = int
        assert in_child(looked_at.snapshot) == 0
        thread.join(5)
        assert not thread.is_alive()

    assert in_child(work, seconds=20) == 0


def test_policies_that_ended_are_forgotten_sooner_or_later() -> None:
    """Whoever made and dropped a thousand policies, in many threads, has left nothing in the registry."""
    before = len(_registry._living)

    def work() -> None:
        for _ in range(200):
            circuit_breaker(lambda: None)
            rate_limited(1)(lambda: None)

    with switching_fast():
        threads = [start(work) for _ in range(4)]
        for thread in threads:
            thread.join(30)
    gc.collect()
    CircuitBreaker()

    assert len(_registry._living) <= before + 20
    assert all(isinstance(entry, weakref.ref) for entry in _registry._living.values())


class MeetingLock:
    """A lock whose holders meet before they take a second one, so that two orders of taking end in a deadlock."""

    held: dict[int, int]

    def __init__(self, meeting: threading.Barrier, held: dict[int, int]) -> None:
        self._lock = threading.Lock()
        self._meeting = meeting
        self.held = held

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = threading.get_ident()
        if self.held.get(me):
            # Broken, when the other one waits for our first lock: then the two agree about the order.
            with contextlib.suppress(threading.BrokenBarrierError):
                self._meeting.wait(0.5)
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            self.held[me] = self.held.get(me, 0) + 1
        return taken

    def release(self) -> None:
        self.held[threading.get_ident()] -= 1
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()


@pytest.mark.parametrize("turned", [False, True])
def test_tying_buckets_together_and_a_fork_take_locks_in_one_order(turned: bool) -> None:
    """A thread that ties two buckets together while another forks: neither waits for the other for ever."""

    def work() -> None:
        buckets = sorted((TokenBucket(1), TokenBucket(1)), key=lambda bucket: id(domain_of(bucket)))
        meeting, held = threading.Barrier(2), {}
        locks = sorted((MeetingLock(meeting, held) for _ in buckets), key=id, reverse=turned)
        for bucket, lock in zip(buckets, locks, strict=True):
            domain_of(bucket).lock = lock
        thread = start(lambda: rate_limited(*buckets)(lambda: None))
        assert in_child(buckets[0].allow) == 0
        thread.join(5)
        assert not thread.is_alive()

    assert in_child(work, seconds=15) == 0


def domain_of(bucket: TokenBucket) -> Any:
    return bucket.limiter.domain


def test_a_child_can_subscribe_whoever_was_subscribing_at_the_fork() -> None:
    """Listeners that come and go by the thousand while the process forks leave no lock taken in the child."""

    def work() -> None:
        breaker = CircuitBreaker()
        for _ in range(2_000):
            breaker.subscribe(str)
            resilience.events.subscribe(str)

        def come_and_go(subscribe: Callable[..., Callable[[], None]]) -> None:
            while True:
                subscribe(str)()

        def check() -> None:
            breaker.subscribe(str)()
            resilience.events.subscribe(str)()

        with switching_fast():
            start(come_and_go, breaker.subscribe)
            start(come_and_go, resilience.events.subscribe)
            assert {0} == fates(10, check)

    assert in_child(work, seconds=60) == 0


@pytest.mark.slow
def test_a_child_may_make_policies_whoever_was_making_them_at_the_fork() -> None:
    """Threads that make and drop policies while the process forks leave the registry free in the child."""

    def work() -> None:
        def make() -> None:
            while True:
                circuit_breaker(rate_limited(1)(lambda: None))

        def check() -> None:
            made = circuit_breaker(rate_limited(1)(lambda: None))
            made()
            assert len(resilience.policies(made)) == 2
            gc.collect()

        with switching_fast():
            for _ in range(3):
                start(make)
            assert {0} == fates(15, check)

    assert in_child(work, seconds=60) == 0
