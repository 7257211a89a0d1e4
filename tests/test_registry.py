"""Which policies guard a function, and under which names they show."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Iterator

import pytest

from resilience import (
    CircuitBreaker,
    TokenBucket,
    circuit_breaker,
    policies,
    rate_limited,
)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The cycle collector is off: what goes, goes because nobody holds it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def charge() -> None: ...


# -- what guards a function -------------------------------------------------------------------------------------------


def test_the_policies_of_a_function_come_outermost_first():
    """Policies stack, and the objects themselves are given."""
    breaker, bucket = CircuitBreaker(), TokenBucket(5)
    guarded = circuit_breaker(breaker)(rate_limited(bucket)(charge))

    assert (breaker, bucket) == policies(guarded)
    assert (bucket, breaker) == policies(rate_limited(bucket)(circuit_breaker(breaker)(charge)))


def test_a_function_without_a_guard_has_no_policies():
    """Whatever it is."""
    assert ((), (), ()) == (policies(charge), policies(len), policies(CircuitBreaker))


def test_several_buckets_of_one_limit_are_all_there():
    """In the order in which they were given."""
    one, two = TokenBucket(5), TokenBucket(6)

    assert (one, two) == policies(rate_limited(one, two.by(cost=2))(charge))


def test_the_policies_of_a_method_are_found_everywhere():
    """Through the class, an instance, and the descriptor itself."""
    breaker = CircuitBreaker()

    class Client:
        @circuit_breaker(breaker)
        def method(self) -> None: ...

        @circuit_breaker(breaker)
        @classmethod
        def above(cls) -> None: ...

        @staticmethod
        @circuit_breaker(breaker)
        def below() -> None: ...

    places = [Client.method, Client().method, Client.above, Client().above, Client.__dict__["above"], Client.below]
    assert [(breaker,)] * 7 == [policies(place) for place in [*places, Client.__dict__["below"]]]


@pytest.mark.parametrize("target", [functools.partial(charge), functools.lru_cache(charge), len], ids=repr)
def test_the_policies_of_what_is_no_function_are_found(target):
    """Partials, cached functions and builtins too, also under two guards."""
    breaker, bucket = CircuitBreaker(), TokenBucket(5)

    assert (breaker, bucket) == policies(circuit_breaker(breaker)(rate_limited(bucket)(target)))


def test_each_function_has_a_policy_of_its_own():
    """The bare form and the form with options make one policy for each function, even with one decorator object."""
    for decorator in (circuit_breaker, circuit_breaker(probes=2), rate_limited(5)):
        (first,), (second,) = policies(decorator(charge)), policies(decorator(charge))

        assert first is not second


def test_a_shared_policy_guards_many_functions():
    """One object for any number of them."""
    breaker = CircuitBreaker()
    decorator = circuit_breaker(breaker)

    assert policies(decorator(charge)) == policies(decorator(len)) == (breaker,)


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_policy_is_named_after_its_function():
    """Its name is the function's module and qualname, and `name=` wins."""

    def here() -> None: ...

    where = "tests.test_registry.test_a_policy_is_named_after_its_function.<locals>.here"
    assert [where, where, "mine"] == [
        policies(decorate(here))[0].name
        for decorate in (circuit_breaker, rate_limited(5), circuit_breaker(name="mine"))
    ]


class Host:
    def __call__(self) -> None: ...

    def method(self) -> None: ...


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Host.method, "tests.test_registry.Host.method"),
        (Host().method, "tests.test_registry.Host.method"),
        (Host(), "tests.test_registry.Host"),
        (functools.partial(charge), "tests.test_registry.charge"),
        (functools.partial(Host()), "tests.test_registry.Host"),
        (functools.lru_cache(charge), "tests.test_registry.charge"),
        (staticmethod(charge), "tests.test_registry.charge"),
        (len, "builtins.len"),
        ([].append, "builtins.list.append"),
    ],
    ids=str,
)
def test_every_shape_gives_a_name(target, name):
    """What has no name of its own is named after what it holds, or after its class."""
    (policy,) = policies(circuit_breaker(target))

    assert name == policy.name.split("#")[0]


def test_a_name_that_is_taken_gets_a_number():
    """The second policy of a kind under one name shows as `name#2`, and so on."""
    held = [CircuitBreaker("twice"), CircuitBreaker("twice"), CircuitBreaker(name="twice")]

    assert ["twice", "twice#2", "twice#3"] == [breaker.name for breaker in held]


def test_a_breaker_and_a_bucket_may_share_a_name():
    """Names tell apart policies of one kind."""
    held = CircuitBreaker("api"), TokenBucket(5, name="api")

    assert ["api", "api"] == [policy.name for policy in held]


def test_a_name_is_free_again_when_its_policy_is_gone(no_collector):
    """A module that is loaded again does not count up for ever."""
    assert ["again"] * 3 == [CircuitBreaker("again").name for _ in range(3)]


def test_policies_without_a_name_get_one_each():
    """Shared objects are told apart all the same."""
    held = [CircuitBreaker(), CircuitBreaker(), TokenBucket(5), TokenBucket(5)]

    assert 4 == len({policy.name for policy in held})


def test_names_stay_unique_under_threads():
    """Policies made at once in many threads never get one name."""
    made: list[CircuitBreaker] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait(10)
        made.extend(CircuitBreaker("crowd") for _ in range(50))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert 400 == len({breaker.name for breaker in made})
