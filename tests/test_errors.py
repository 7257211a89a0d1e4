"""The errors: their family, their facts, their words; and that nothing is lost in a pickle or a copy."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import resilience
from resilience import (
    BulkheadFullError,
    CallTimeoutError,
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceeded,
    RateLimitExceeded,
    Rejected,
    ResilienceError,
    State,
    StoreError,
    TokenBucket,
    errors,
)

WHO: dict[str, Any] = {"name": "payments", "retry_after": 4.2, "reason": "why"}
FACTS: dict[type[ResilienceError], dict[str, Any]] = {
    Rejected: WHO,
    CircuitOpenError: {**WHO, "state": State.OPEN, "key": "host"},
    RateLimitExceeded: {**WHO, "key": ("tenant", 1), "cost": 2.5},
    BulkheadFullError: {**WHO, "limit": 3, "in_flight": 3, "waiting": 1},
    DeadlineExceeded: WHO,
    CallTimeoutError: {"name": "payments", "seconds": 2.0, "by_deadline": True},
    StoreError: {"store": "redis", "operation": "read"},
}


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


COPIES: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {protocol}": pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


class ConnectTimeout(Exception):
    """What the dependency raises."""


@pytest.fixture(params=FACTS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[ResilienceError]:
    """Run the test once for each error."""
    kind: type[ResilienceError] = request.param
    return kind


@pytest.fixture
def error(kind: type[ResilienceError]) -> ResilienceError:
    """One of each error, with facts."""
    return kind(**FACTS[kind])


def tripped(clock: Any, **options: Any) -> CircuitBreaker:
    breaker = CircuitBreaker("payments", clock=clock, **options)

    def fail() -> None:
        raise ConnectTimeout

    for _ in range(5):
        with pytest.raises(ConnectTimeout):
            breaker.call(fail)
    return breaker


def rejection(breaker: CircuitBreaker) -> CircuitOpenError:
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(int)
    return caught.value


def test_every_error_is_tested_here():
    """The table holds each error there is but the root."""
    assert set(errors.__all__) - {"ResilienceError"} == {kind.__name__ for kind in FACTS}


def test_the_facts_are_attributes(kind, error):
    """What the constructor is given can be read under the same name."""
    assert {name: getattr(error, name) for name in FACTS[kind]} == FACTS[kind]


def test_the_constructor_takes_keywords_alone(kind):
    """Nobody has to remember an order."""
    with pytest.raises(TypeError, match="positional"):
        kind(*FACTS[kind].values())


@pytest.mark.parametrize("missing", ["name", "retry_after", "reason"])
def test_a_rejection_must_explain_itself(missing):
    """Name, time and reason are required."""
    with pytest.raises(TypeError, match=missing):
        Rejected(**{name: value for name, value in WHO.items() if name != missing})


@pytest.mark.parametrize("again", COPIES)
def test_a_copy_has_everything(kind, error, again):
    """Pickle, copy and deepcopy keep type, attributes and text."""
    error.add_note("while paying")
    other = COPIES[again](error)

    assert (kind, FACTS[kind]) == (type(other), {name: getattr(other, name) for name in FACTS[kind]})
    assert (str(error), repr(error), error.__notes__) == (str(other), repr(other), other.__notes__)
    assert error is not other


@pytest.mark.parametrize("again", COPIES)
def test_a_raised_rejection_survives_a_copy(again, clock):
    """The errors that policies raise, made without their constructor, are as good as any."""
    bucket = TokenBucket(1, clock=clock)
    bucket.acquire()
    with pytest.raises(RateLimitExceeded) as caught:
        bucket.acquire(max_wait=0)
    keyed = CircuitBreaker(key=str, clock=clock).for_key("host")
    keyed.force_open(5)
    for error in (caught.value, rejection(tripped(clock)), rejection(keyed)):
        other = COPIES[again](error)

        assert (str(error), repr(error)) == (str(other), repr(other))
        assert (error.name, error.retry_after, error.reason) == (other.name, other.retry_after, other.reason)
        assert error.key == other.key


def test_the_family():
    """A `Rejected` call was never made; a timeout of either kind is a `TimeoutError`; all are `ResilienceError`s."""
    rejected = {CircuitOpenError, RateLimitExceeded, BulkheadFullError, DeadlineExceeded}

    assert all(issubclass(kind, ResilienceError) for kind in FACTS)
    assert rejected == {kind for kind in FACTS if issubclass(kind, Rejected)} - {Rejected}
    assert {DeadlineExceeded, CallTimeoutError} == {kind for kind in FACTS if issubclass(kind, TimeoutError)}


def test_the_family_is_at_the_top_level():
    """Each error is imported from the package itself."""
    assert all(getattr(resilience, name) is getattr(errors, name) for name in errors.__all__)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            CircuitOpenError(
                name="payments", retry_after=4.2, reason="5 failures in a row, last ConnectTimeout", state=State.OPEN
            ),
            "circuit 'payments' is open: 5 failures in a row, last ConnectTimeout; retry in 4.2 s",
        ),
        (
            CircuitOpenError(**WHO, state=State.HALF_OPEN, key="a.example"),
            "circuit 'payments' for 'a.example' is half open: why; retry in 4.2 s",
        ),
        (
            CircuitOpenError(name="payments", retry_after=None, reason="forced open", state=State.FORCED_OPEN),
            "circuit 'payments' is forced open: forced open; no time to retry is known",
        ),
        (RateLimitExceeded(**WHO), "rate limit 'payments' is exceeded: why; retry in 4.2 s"),
        (RateLimitExceeded(**WHO, key=7), "rate limit 'payments' for 7 is exceeded: why; retry in 4.2 s"),
        (BulkheadFullError(**FACTS[BulkheadFullError]), "bulkhead 'payments' is full: why; retry in 4.2 s"),
        (DeadlineExceeded(**WHO), "'payments' has no time left: why; retry in 4.2 s"),
        (CallTimeoutError(name="x", seconds=2.0), "call 'x' was abandoned after 2 s: its timeout passed"),
        (
            CallTimeoutError(name="x", seconds=2, by_deadline=True),
            "call 'x' was abandoned after 2 s: its deadline passed",
        ),
        (StoreError(store="redis", operation="read"), "store 'redis' failed to read"),
    ],
)
def test_the_message_says_what_which_and_when(error, text):
    """The text is made of the facts."""
    assert text == str(error)


def test_an_open_circuit_says_why(clock):
    """What a tripped breaker raises reads like a sentence."""
    breaker = tripped(clock, recovery_timeout=5)
    clock.advance(0.8)

    assert f"circuit {breaker.name!r} is open: 5 failures in a row, last ConnectTimeout; retry in 4.2 s" == str(
        rejection(breaker)
    )


def test_each_rejection_is_a_fresh_error(clock):
    """Two callers never share one error object, whose traceback and context would get mixed up."""
    breaker = tripped(clock)

    assert rejection(breaker) is not rejection(breaker)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.0042, "0.0042 s"), (4.2, "4.2 s"), (29.999, "30 s"), (999.7, "1000 s"), (9e4, "90000 s")],
)
def test_a_duration_is_written_for_a_reader(seconds, words):
    """Three digits and no exponent, for everyday lengths."""
    assert str(Rejected(name="x", retry_after=seconds, reason="why")).endswith(f"retry in {words}")


def test_the_repr_shows_type_and_facts(kind, error):
    """For logs and debuggers: every fact by name."""
    shown = repr(error)

    assert shown.startswith(f"{kind.__name__}(")
    assert all(f"{name}={value!r}" in shown for name, value in FACTS[kind].items())


def test_an_error_of_the_system_s_family_has_no_errno():
    """`TimeoutError` is an `OSError`; these carry none of its numbers."""
    assert (None, ()) == (DeadlineExceeded(**WHO).errno, DeadlineExceeded(**WHO).args)
