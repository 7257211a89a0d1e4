"""What policies tell, to whom, and in which order."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    State,
    TokenBucket,
    events,
    rate_limited,
)
from resilience.events import CallRejected, Event, KeyDropped, LimitChanged, StateChanged, WouldReject

EXAMPLES: list[Event] = [
    StateChanged(
        name="x", policy="circuit_breaker", at=1.0, old=State.CLOSED, new=State.OPEN, reason="why", generation=2,
        retry_after=30.0, key="k",
    ),
    CallRejected(name="x", policy="rate_limit", at=1.0, reason="why", retry_after=None, key=None),
    WouldReject(name="x", policy="rate_limit", at=1.0, reason="why", retry_after=0.5, key="k"),
    KeyDropped(name="x", policy="rate_limit", at=1.0, key="k"),
    LimitChanged(name="x", policy="rate_limit", at=1.0, old=1.0, new=2.0),
]  # fmt: skip


@pytest.fixture(params=EXAMPLES, ids=lambda event: type(event).__name__)
def event(request: pytest.FixtureRequest) -> Event:
    """Run the test once for each kind of event."""
    event: Event = request.param
    return event


@pytest.fixture
def heard() -> list[Any]:
    """What a listener has heard."""
    return []


@pytest.fixture
def everywhere() -> Iterator[Callable[..., Any]]:
    """`events.subscribe`, undone after the test."""
    undo: list[Callable[[], None]] = []

    def subscribe(*args: Any) -> Callable[[], None]:
        undo.append(events.subscribe(*args))
        return undo[-1]

    yield subscribe
    for unsubscribe in undo:
        unsubscribe()


def fail() -> None:
    raise ConnectionError


def trip(breaker: CircuitBreaker) -> None:
    """Make it open by one failing call."""
    with pytest.raises(ConnectionError):
        breaker.call(fail)


def test_every_event_is_tested_here():
    """The examples are of every class of event there is."""
    kinds = {kind for name in events.__all__ if isinstance(kind := getattr(events, name), type)}

    assert kinds - {Event} == {type(example) for example in EXAMPLES}


def test_an_event_is_frozen(event):
    """What has been told cannot be changed, and an event has no room for more."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.name = "other"

    assert not hasattr(event, "__dict__")


def test_an_event_is_made_with_keywords_alone(event):
    """Nobody has to remember an order, and a field can be added."""
    with pytest.raises(TypeError, match="positional"):
        type(event)(*dataclasses.astuple(event))


def test_an_event_is_json(event):
    """As a dict it has its class name under `event`, and JSON carries it."""
    told = json.loads(json.dumps(events.as_dict(event)))

    assert {"event": type(event).__name__, **dataclasses.asdict(event)} == told


def test_a_transition_is_told(clock, heard):
    """Name, kind, time on the policy's clock, both states, the reason, the generation and the wait."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=5, clock=clock, listeners=[heard.append])
    trip(breaker)
    reason = "1 failure in a row, last ConnectionError"
    tripped = StateChanged(
        name=breaker.name, policy="circuit_breaker", at=100.0, old=State.CLOSED, new=State.OPEN, reason=reason,
        generation=2, retry_after=5.0, key=None,
    )  # fmt: skip

    assert [tripped] == heard == list(breaker.history())


def test_a_rejection_is_told(clock, heard):
    """A breaker and a limiter tell of the call that was not made, with the words of the error."""
    breaker = CircuitBreaker(clock=clock, listeners=[heard.append])
    breaker.force_open(4)
    bucket = TokenBucket(2, 1, clock=clock, listeners=[heard.append])
    bucket.acquire(key="k")
    del heard[:]
    with pytest.raises(CircuitOpenError) as opened:
        breaker.call(int)
    assert not bucket.allow(key="k")

    with pytest.raises(RateLimitExceeded) as limited:
        bucket.acquire(key="k", max_wait=0)

    told = CallRejected(
        name=bucket.name, policy="rate_limit", at=100.0, reason=limited.value.reason, retry_after=0.5, key="k"
    )
    assert [
        CallRejected(
            name=breaker.name, policy="circuit_breaker", at=100.0, reason=opened.value.reason, retry_after=4.0
        ),
        told,
        told,
    ] == heard


def test_what_only_shadow_mode_lets_pass_is_told(clock, heard):
    """The calls are made, and `WouldReject` says for each what would have happened."""
    breaker = CircuitBreaker(clock=clock, shadow=True, listeners=[heard.append])
    breaker.force_open(4)
    del heard[:]
    limited = rate_limited(1, clock=clock, shadow=True, listeners=[heard.append])(breaker.call)
    assert [0, 0] == [limited(int), limited(int)]

    assert [(WouldReject, 4.0), (WouldReject, 1.0), (WouldReject, 4.0)] == [(type(e), e.retry_after) for e in heard]


def test_a_changed_limit_is_told(clock, heard):
    """In tokens a second, whatever the span was."""
    TokenBucket("60/minute", clock=clock, listeners=[heard.append]).set_rate("240/minute")

    assert [(1.0, 4.0)] == [(told.old, told.new) for told in heard]


def test_a_key_that_owed_and_made_room_is_told(clock, heard):
    """A full table drops a key that still mattered, and says which."""
    breaker = CircuitBreaker(key=str, failure_threshold=1, max_keys=1, clock=clock)
    bucket = TokenBucket(1, max_keys=1, clock=clock)
    for policy in (breaker, bucket):
        policy.subscribe(lambda event: heard.append(event) if isinstance(event, KeyDropped) else None)
    trip(breaker.for_key("one"))
    breaker.for_key("two").call(int)
    bucket.acquire(key="one")
    bucket.acquire(key="two")

    assert [("circuit_breaker", "one"), ("rate_limit", "one")] == [(told.policy, told.key) for told in heard]


class Mute:
    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("key", "text"), [(7, "7"), ("k" * 300, "k" * 100), (("a", 1), "('a', 1)"), (Mute(), "<Mute>")]
)
def test_a_key_is_told_as_short_text(clock, heard, key, text):
    """At most 100 characters of its text, whatever the key is; None is no key."""
    breaker = CircuitBreaker(key=id, clock=clock, listeners=[heard.append])
    breaker.for_key(key).force_open()
    bucket = TokenBucket(1, clock=clock, listeners=[heard.append])
    bucket.allow(key=key)
    bucket.allow(key=key)

    assert [text, text] == [told.key for told in heard]


def test_a_listener_of_all_hears_every_policy(clock, heard, everywhere):
    """`events.subscribe` hears policies made before it and after it."""
    before = CircuitBreaker("before", clock=clock)
    everywhere(heard.append)
    before.disable()
    CircuitBreaker("after", clock=clock).disable()
    TokenBucket(1, name="bucket", clock=clock).set_rate(2)

    assert ["before", "after", "bucket"] == [told.name.split("#")[0] for told in heard]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((), [StateChanged, CallRejected, StateChanged]),
        ((StateChanged,), [StateChanged, StateChanged]),
        ((CallRejected, LimitChanged), [CallRejected]),
        ((Event,), [StateChanged, CallRejected, StateChanged]),
    ],
)
def test_a_listener_of_all_can_choose(clock, heard, everywhere, types, expected):
    """Only events of the classes it names reach it."""
    everywhere(heard.append, *types)
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open()
    with pytest.raises(CircuitOpenError):
        breaker.call(int)
    breaker.reset()

    assert expected == [type(told) for told in heard]


@pytest.mark.parametrize("where", ["policy", "everywhere"])
def test_a_subscription_ends_once(clock, heard, everywhere, where):
    """What `subscribe` returns may be called again, and ends no other subscription of the same listener."""
    breaker = CircuitBreaker(clock=clock)
    subscribe = breaker.subscribe if where == "policy" else everywhere
    unsubscribe = subscribe(heard.append)
    subscribe(heard.append)
    unsubscribe()
    unsubscribe()
    breaker.disable()

    assert 1 == len(heard)


def test_an_async_listener_is_refused(clock):
    """It would never run, so it is a `TypeError` wherever it is given."""

    async def listen(event: Event) -> None: ...

    for give in (CircuitBreaker(clock=clock).subscribe, TokenBucket(1).subscribe, events.subscribe):
        with pytest.raises(TypeError, match="not an async function"):
            give(listen)
