"""What policies tell: one frozen event a fact, and `subscribe` to hear those of every policy.

Events carry exception types, never instances, and keys as text of at most 100 characters, so that keeping an event
keeps nothing else alive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from resilience import _feed
from resilience._state import State

__all__ = [
    "CallRejected",
    "Event",
    "KeyDropped",
    "LimitChanged",
    "Listener",
    "StateChanged",
    "WouldReject",
    "as_dict",
    "subscribe",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event says.

    Attributes:
        name: The policy's name.
        policy: Its kind: `circuit_breaker` or `rate_limit`.
        at: Seconds on the policy's clock.
    """

    name: str
    policy: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged(Event):
    """A circuit moved from one state to another.

    Attributes:
        old: The state it left.
        new: The state it is in.
        reason: The rule and the counts that moved it.
        generation: The number of the period that begins; each transition adds one.
        retry_after: Seconds until a call has a chance; None when calls pass, or when nobody can know.
        key: The circuit's key as text, None for a breaker without keys.
    """

    old: State
    new: State
    reason: str
    generation: int
    retry_after: float | None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRejected(Event):
    """A call was not made.

    Attributes:
        reason: The rule and the counts behind it.
        retry_after: Seconds until a call has a chance, None when unknowable.
        key: The key as text, None without keys.
    """

    reason: str
    retry_after: float | None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldReject(Event):
    """A policy in shadow mode let a call pass that it would have rejected or delayed.

    Attributes:
        reason: The rule and the counts behind it.
        retry_after: Seconds until a call has a chance, None when unknowable.
        key: The key as text, None without keys.
    """

    reason: str
    retry_after: float | None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDropped(Event):
    """A key that still owed something made room for a new one.

    Attributes:
        key: The key as text.
    """

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged(Event):
    """A limiter's rate was set anew.

    Attributes:
        old: Tokens a second before.
        new: Tokens a second from now on.
    """

    old: float
    new: float


Listener = Callable[[Any], object]
"""A plain function of one event; what it returns is ignored."""


def subscribe(listener: Listener, *types: type[Event]) -> Callable[[], None]:
    """Hear the events of every policy in this process, in the order in which each policy moved.

    Args:
        listener: A plain function of one event. One that raises is logged, once, and never breaks a call.
        types: Only events of these classes; all when none is given.

    Returns:
        A function that ends the subscription; calling it again does nothing.

    Raises:
        TypeError: `listener` is not a plain callable, or one of `types` is not an event class.
    """
    for kind in types:
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            message = f"types must be event classes of resilience.events, got {kind!r}"
            raise TypeError(message)
    return _feed.subscribe_to_all(listener, types)


def as_dict(event: Event) -> dict[str, Any]:
    """Give an event as a dict that JSON can carry, with its class name under `event`."""
    return {"event": type(event).__name__} | asdict(event)
