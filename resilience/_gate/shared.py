"""What all circuits of one breaker share."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Hashable
from typing import Any

from resilience._core.breaker import BreakerCore
from resilience._core.move import Move
from resilience._core.permit import Permit
from resilience._feed import Feed
from resilience._gate.breaker_options import BreakerOptions
from resilience._gate.outcome import Outcomes
from resilience._state import State
from resilience.clock import nanoseconds, seconds_of
from resilience.events import StateChanged

__all__ = ["Shared", "key_text", "level_of"]

_KEY_TEXT = 100
_LOUD = 2
"""The trip and the first reopening."""


class Shared:
    """The rules, clock, lock, feed and name of a breaker."""

    __slots__ = ("config", "feed", "lock", "name", "outcomes", "read", "recovery", "returned", "seconds", "shadow")

    def __init__(self, name: str, options: BreakerOptions) -> None:
        self.name = name
        self.config = options.config
        self.outcomes = Outcomes(options.on, options.ignore, options.failure_when, name)
        self.recovery = options.recovery
        self.read = nanoseconds(options.clock)
        self.seconds = seconds_of(options.clock, self.read)
        self.feed = Feed(options.listeners)
        self.shadow = options.shadow
        self.lock = threading.Lock()
        # Permits that proved nothing: whoever gives the lock back takes them back.
        self.returned: deque[tuple[BreakerCore, Permit, int]] = deque()

    def see_off(self) -> None:
        """Take returned permits back, now or when the lock is given back."""
        while self.returned and self.lock.acquire(blocking=False):
            try:
                while self.returned:
                    core, permit, now = self.returned.popleft()
                    core.give_back(permit, now)
            finally:
                self.lock.release()

    def stamp(self, now: int, key: Hashable) -> dict[str, Any]:
        """What every event of a breaker says."""
        text = None if key is None else key_text(key)
        return {"name": self.name, "policy": "circuit_breaker", "at": now / 1e9, "key": text}

    def event(self, move: Move, key: Hashable) -> StateChanged:
        """A transition as listeners see it."""
        return StateChanged(
            **self.stamp(move.at, key),
            old=move.old,
            new=move.new,
            reason=move.reason,
            generation=move.generation,
            retry_after=None if move.wait is None else move.wait / 1e9,
        )

    def told(self, move: Move, key: Hashable) -> tuple[StateChanged, int]:
        """A transition, and how loud it is in the log."""
        return self.event(move, key), level_of(move)


def key_text(key: Hashable) -> str:
    """A key as events carry it: text of at most 100 characters, whatever its `str` does."""
    try:
        return str(key)[:_KEY_TEXT]
    except Exception:  # noqa: BLE001 -- a user's __str__ must not break the call that it only describes
        return f"<{type(key).__name__}>"


def level_of(move: Move) -> int:
    """How loud a transition is: bad news is a warning, a half-open that fails again only the first time in a row."""
    if move.new is State.OPEN:
        return logging.WARNING if move.openings <= _LOUD else logging.INFO
    return logging.WARNING if move.new in (State.FORCED_OPEN, State.DISABLED) else logging.INFO
