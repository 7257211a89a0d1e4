"""Faults of other rate limiters: keys, names, and crowds of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from resilience import RateLimitExceeded, TokenBucket, policies, rate_limited
from resilience.events import KeyDropped
from resilience.testing import FakeClock
from tests.conftest import Flavour
from tests.faults.threads import all_at_once, switching_fast


def passes(call: Callable[..., object], *args: object) -> bool:
    """Whether a call is admitted."""
    try:
        call(*args)
    except RateLimitExceeded:
        return False
    return True


def test_all_users_share_one_bucket(flavour: Flavour, clock: FakeClock) -> None:
    """Each key has a bucket of its own, whatever the limiter is called (pyrate-limiter: one for all)."""
    guard = rate_limited(rate=1, capacity=2, key=lambda user: user, name="api", clock=clock)
    call = flavour.guarded(guard, lambda user: None)

    assert [True, True, False] == [passes(call, "ada") for _ in range(3)]
    assert [True, True, False] == [passes(call, "bob") for _ in range(3)]


def test_equal_keys_do_not_meet(clock: FakeClock) -> None:
    """Equal keys share a bucket, whichever function made them; None is the one without a key (pyrate-limiter)."""
    bucket = TokenBucket(1, 2, clock=clock)
    one = rate_limited(bucket, key=lambda user: user)(lambda user: None)
    other = rate_limited(bucket, key=lambda user: user.lower())(lambda user: None)

    assert [True, True, False, False] == [
        passes(one, "ada"),
        passes(other, "ADA"),
        passes(one, "ada"),
        passes(other, "ADA"),
    ]
    assert [True, True, False] == [bucket.allow(), passes(one, None), bucket.allow()]


def test_two_limiters_of_one_name_share_a_bucket(clock: FakeClock) -> None:
    """Two limiters that are given one name have a bucket each, and names that tell them apart (pyrate-limiter)."""
    one, other = (TokenBucket(1, 1, name="one name", clock=clock) for _ in range(2))

    assert [True, True, False, False] == [one.allow(), other.allow(), one.allow(), other.allow()]
    assert ["one name", "one name#2"] == [one.name, other.name]


def test_two_handlers_of_one_name_share_their_limit(flavour: Flavour, clock: FakeClock) -> None:
    """Two functions of the same name have a limit each (slowapi: shared and merged)."""
    guard = rate_limited(rate=1, capacity=2, clock=clock)  # even with one decorator object

    def handlers() -> Callable[..., object]:
        def index() -> None:
            pass

        return flavour.guarded(guard, index)

    one, other = handlers(), handlers()

    assert [True, True, False] == [passes(one) for _ in range(3)]
    assert [True, True, False] == [passes(other) for _ in range(3)]


def test_two_handlers_of_one_name_look_the_same() -> None:
    """Two functions of the same name show as two policies (slowapi)."""

    def handler() -> Callable[[], None]:
        @rate_limited(rate=1)
        def index() -> None:
            pass

        return index

    handlers = [handler(), handler()]
    names = [policies(one)[0].name for one in handlers]

    assert f"{names[0]}#2" == names[1]


CAPACITY, PEOPLE, EACH = 1000, 8, 250


def _function(clock: FakeClock) -> Callable[[], object]:
    return rate_limited(rate=1, capacity=CAPACITY, clock=clock)(lambda: None)


def _costly(clock: FakeClock) -> Callable[[], object]:
    return rate_limited(rate=1, capacity=2.5 * CAPACITY, cost=2.5, clock=clock)(lambda: None)


def _keyed(clock: FakeClock) -> Callable[[], object]:
    return rate_limited(rate=1, capacity=CAPACITY, key=lambda: "ada", clock=clock)(lambda: None)


def _two(clock: FakeClock) -> Callable[[], object]:
    buckets = TokenBucket(1, CAPACITY, clock=clock), TokenBucket(1, 5 * CAPACITY, clock=clock)
    return rate_limited(*buckets)(lambda: None)


def _acquire(clock: FakeClock) -> Callable[[], object]:
    bucket = TokenBucket(1, CAPACITY, clock=clock)
    return lambda: bucket.acquire(max_wait=0)


def _both(clock: FakeClock) -> Callable[[], object]:
    bucket = TokenBucket(1, CAPACITY, clock=clock)
    ways = [rate_limited(bucket)(lambda: None), lambda: bucket.acquire(max_wait=0)]

    def alternate() -> None:
        ways.append(way := ways.pop(0))
        way()

    return alternate


@pytest.mark.parametrize("form", [_function, _costly, _keyed, _two, _acquire, _both])
def test_threads_get_more_than_there_is(form: Callable[[FakeClock], Callable[[], object]], clock: FakeClock) -> None:
    """Of two thousand calls by eight threads at one moment exactly a thousand are admitted (limits, token-bucket)."""
    call = form(clock)
    answers: list[bool] = []

    def person() -> None:
        answers.extend(passes(call) for _ in range(EACH))

    with switching_fast():
        all_at_once(PEOPLE, person)

    assert CAPACITY == answers.count(True)
    assert PEOPLE * EACH == len(answers)


def test_tasks_get_more_than_there_is(clock: FakeClock) -> None:
    """Of two thousand tasks at one moment exactly a thousand are admitted (limits, token-bucket)."""

    @rate_limited(rate=1, capacity=CAPACITY, clock=clock)
    async def call() -> bool:
        return True

    async def main() -> list[bool | BaseException]:
        return await asyncio.gather(*(call() for _ in range(PEOPLE * EACH)), return_exceptions=True)

    assert CAPACITY == asyncio.run(main()).count(True)


def test_the_key_table_silently_forgets(clock: FakeClock) -> None:
    """Below `max_keys` no key that owes is forgotten: 2000 keys with one call each pass 2000 (throttled-py: 6000)."""
    dropped: list[object] = []
    bucket = TokenBucket("1/day", max_keys=2000, listeners=[dropped.append], clock=clock)
    rounds = [sum(bucket.allow(key=key) for key in range(2000)) for _ in range(3)]

    assert [2000, 0, 0] == rounds
    assert [] == [event for event in dropped if isinstance(event, KeyDropped)]


def test_the_default_key_table_silently_forgets(flavour: Flavour, clock: FakeClock) -> None:
    """By default thousands of keys are kept, for functions of either colour (throttled-py)."""
    bucket = TokenBucket("1/day", clock=clock)
    call = flavour.guarded(rate_limited(bucket, key=lambda user: user), lambda user: None)
    for key in range(1, 6000):
        bucket.charge(1, key=key)

    assert [True, False, False, False] == [passes(call, key) for key in (0, 0, 1, 5999)]
    assert 6000 == bucket.snapshot().keys
