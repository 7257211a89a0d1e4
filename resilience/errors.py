"""The errors of every policy, named by what happened to the call.

A `Rejected` call was never made; a `CallTimeoutError` was begun and abandoned. Attributes come before text: each error
carries the facts and builds its message only when somebody reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from resilience._state import State

__all__ = [
    "BulkheadFullError",
    "CallTimeoutError",
    "CircuitOpenError",
    "DeadlineExceeded",
    "RateLimitExceeded",
    "Rejected",
    "ResilienceError",
    "StoreError",
]


def _revive(kind: type[ResilienceError]) -> ResilienceError:
    """Make an empty error for pickle and copy to fill: a constructor with keywords alone cannot be called by them."""
    return kind.__new__(kind)


def in_seconds(seconds: float) -> str:
    """Write a duration for a reader: three significant digits, never an exponent for everyday lengths."""
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"  # noqa: PLR2004 -- three digits end there


class ResilienceError(Exception):
    """The root of every error this package raises of its own accord."""

    def _facts(self) -> dict[str, Any]:
        slots = (name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ()))
        return {name: getattr(self, name) for name in slots if hasattr(self, name)} | self.__dict__

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self),), self._facts()

    def __repr__(self) -> str:
        facts = (f"{name.lstrip('_')}={value!r}" for name, value in self._facts().items() if name != "__notes__")
        return f"{type(self).__name__}({', '.join(facts)})"


class Rejected(ResilienceError):  # noqa: N818 -- the design's word: the call was turned away, nothing went wrong in it
    """The call was never made.

    Attributes:
        name: The policy that refused.
        retry_after: Seconds until a call has a chance; None only when unknowable.
        reason: The rule and the counts behind the refusal.
    """

    name: str
    retry_after: float | None
    # The errors that are raised most keep these in slots, which make them twice as fast to make (`bench: rejection`).
    # A reason is a text, or a function that makes it and its arguments: most are never read, so it waits for a reader.
    _reason: str | tuple[Any, ...]

    def __init__(self, *, name: str, retry_after: float | None, reason: str) -> None:
        super().__init__()
        self.name = name
        self.retry_after = retry_after
        self._reason = reason

    @property
    def reason(self) -> str:
        """The rule and the counts behind the refusal."""
        reason = self._reason
        return reason if isinstance(reason, str) else str(reason[0](*reason[1:]))

    def _facts(self) -> dict[str, Any]:
        return super()._facts() | {"_reason": self.reason}

    def _subject(self) -> str:
        return f"{self.name!r}"

    def __str__(self) -> str:
        wait = self.retry_after
        hint = "no time to retry is known" if wait is None else f"retry in {in_seconds(wait)}"
        return f"{self._subject()}: {self.reason}; {hint}"


class CircuitOpenError(Rejected):
    """A circuit breaker did not let the call through.

    Attributes:
        state: The state that refused: `OPEN`, `HALF_OPEN` (all probes are out) or `FORCED_OPEN`.
        key: The circuit's key, None for a breaker without keys.
    """

    __slots__ = ("_reason", "key", "name", "retry_after", "state")

    state: State
    key: Hashable

    def __init__(
        self, *, name: str, retry_after: float | None, reason: str, state: State, key: Hashable = None
    ) -> None:
        super().__init__(name=name, retry_after=retry_after, reason=reason)
        self.state = state
        self.key = key

    def _subject(self) -> str:
        key = "" if self.key is None else f" for {self.key!r}"
        return f"circuit {self.name!r}{key} is {self.state.value.replace('_', ' ')}"


class RateLimitExceeded(Rejected):
    """A rate limiter had no token for the call, now or within its `max_wait`.

    Attributes:
        key: The bucket's key, None for the bucket without one.
        cost: Tokens the call asked for.
    """

    __slots__ = ("_reason", "cost", "key", "name", "retry_after")

    key: Hashable
    cost: float

    def __init__(
        self, *, name: str, retry_after: float | None, reason: str, key: Hashable = None, cost: float = 1
    ) -> None:
        super().__init__(name=name, retry_after=retry_after, reason=reason)
        self.key = key
        self.cost = cost

    def _subject(self) -> str:
        key = "" if self.key is None else f" for {self.key!r}"
        return f"rate limit {self.name!r}{key} is exceeded"


class BulkheadFullError(Rejected):
    """Too many calls were already running and waiting.

    Attributes:
        limit: Calls that may run at once.
        in_flight: Calls that were running.
        waiting: Calls that stood in line.
    """

    limit: int
    in_flight: int
    waiting: int

    def __init__(  # noqa: PLR0913 -- one keyword a fact
        self, *, name: str, retry_after: float | None, reason: str, limit: int, in_flight: int, waiting: int
    ) -> None:
        super().__init__(name=name, retry_after=retry_after, reason=reason)
        self.limit = limit
        self.in_flight = in_flight
        self.waiting = waiting

    def _subject(self) -> str:
        return f"bulkhead {self.name!r} is full"


class DeadlineExceeded(Rejected, TimeoutError):  # noqa: N818 -- the design's name
    """No time was left, so the call was not begun."""

    def _subject(self) -> str:
        return f"{self.name!r} has no time left"


class CallTimeoutError(ResilienceError, TimeoutError):
    """The call was begun and abandoned.

    Attributes:
        name: The timeout that ended it.
        seconds: How long it was given.
        by_deadline: Whether the surrounding deadline, not the timeout itself, was the shorter.
    """

    name: str
    seconds: float
    by_deadline: bool

    def __init__(self, *, name: str, seconds: float, by_deadline: bool = False) -> None:
        super().__init__()
        self.name = name
        self.seconds = seconds
        self.by_deadline = by_deadline

    def __str__(self) -> str:
        limit = "its deadline" if self.by_deadline else "its timeout"
        return f"call {self.name!r} was abandoned after {in_seconds(self.seconds)}: {limit} passed"


class StoreError(ResilienceError):
    """A shared store failed, and its policy was told to say so (`on_store_error="raise"`).

    Attributes:
        store: The store's name.
        operation: What it was asked to do.
    """

    store: str
    operation: str

    def __init__(self, *, store: str, operation: str) -> None:
        super().__init__()
        self.store = store
        self.operation = operation

    def __str__(self) -> str:
        return f"store {self.store!r} failed to {self.operation}"
