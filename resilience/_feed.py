"""The ordered delivery of events to listeners, outside every lock.

A policy posts an event while it holds its own lock, so the queue has the order in which the state moved. It delivers
after the lock is free. One thread delivers at a time; another one that comes by leaves its event to that thread and
goes on, so a slow listener holds up one caller at most. The queue is bounded: under a flood behind a slow listener
rejections are dropped and counted, transitions never.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from resilience import _validate
from resilience._log import log_listener_failure, log_transition

if TYPE_CHECKING:
    from resilience.events import Event, Listener

__all__ = ["Feed", "check_listeners", "everyone", "subscribe_to_all"]

_MOST_PENDING = 1000

Build = Callable[[], tuple["Event", int | None]]
"""Makes the event and says at which level to log it; called at delivery, when every fact is known."""


class _Subscription:
    """One listener, the event types it wants, and whether its failure has been logged."""

    __slots__ = ("failed", "listener", "types")

    def __init__(self, listener: Listener, types: tuple[type[Event], ...]) -> None:
        self.listener = _validate.plain_callable("listener", listener, allowed="a plain function of one event")
        self.types = types
        self.failed = False

    def hear(self, event: Event) -> None:
        if self.types and not isinstance(event, self.types):
            return
        try:
            self.listener(event)
        except Exception:  # noqa: BLE001 -- a listener's failure is logged and must never break a call
            if not self.failed:
                self.failed = True
                log_listener_failure(self.listener, event)


class _Audience:
    """Subscriptions, replaced as a whole at each change so that a delivery can read them without a lock."""

    __slots__ = ("_lock", "members")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.members: tuple[_Subscription, ...] = ()

    def add(self, listener: Listener, types: tuple[type[Event], ...] = ()) -> Callable[[], None]:
        member = _Subscription(listener, types)
        with self._lock:
            self.members = (*self.members, member)

        def unsubscribe() -> None:
            with self._lock:
                self.members = tuple(other for other in self.members if other is not member)

        return unsubscribe

    def after_fork(self) -> None:
        """Take the lock back from a thread that does not exist in the child; members are whole at any time."""
        self._lock = threading.Lock()


everyone = _Audience()
"""Those who hear every policy."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=everyone.after_fork)


def subscribe_to_all(listener: Listener, types: tuple[type[Event], ...]) -> Callable[[], None]:
    """Add a listener of every policy's events."""
    return everyone.add(listener, types)


class Feed:
    """One policy's events on their way to its listeners, those of every policy, and the log."""

    __slots__ = ("_turn", "audience", "dropped", "pending")

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self.audience = _Audience()
        self.pending: deque[Build] = deque()
        self._turn = threading.Lock()
        self.dropped = 0
        for listener in listeners:
            self.audience.add(listener)

    @property
    def listened(self) -> bool:
        """Whether anybody listens: when nobody does, only transitions are worth building."""
        return bool(self.audience.members or everyone.members)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the answer ends its subscription and may be called again."""
        return self.audience.add(listener)

    def post(self, build: Build, *, must: bool = False) -> None:
        """Queue an event; the caller holds the lock under which the state moved.

        Args:
            build: Makes the event at delivery.
            must: Keep it even when the queue is full.
        """
        if must or len(self.pending) < _MOST_PENDING:
            self.pending.append(build)
        else:
            self.dropped += 1

    def deliver(self) -> None:
        """Hand out what is queued; the caller holds no lock."""
        pending = self.pending
        turn = self._turn
        while pending:
            if not turn.acquire(blocking=False):
                return  # whoever has the turn looks again after giving it back, and finds ours
            try:
                while pending:
                    self._hand_out(pending.popleft())
            finally:
                turn.release()

    def _hand_out(self, build: Build) -> None:
        event, level = build()
        if level is not None:
            log_transition(event, level)
        for member in (*self.audience.members, *everyone.members):
            member.hear(event)

    def after_fork(self) -> None:
        """Take the turn back from a thread that does not exist in the child."""
        self._turn = threading.Lock()
        self.pending.clear()
        self.audience.after_fork()


def check_listeners(listeners: Any) -> tuple[Listener, ...]:
    """Let an iterable of plain callables pass, as a tuple."""
    if isinstance(listeners, str | bytes) or not isinstance(listeners, Iterable):
        _validate.refuse("listeners", listeners, "an iterable of plain functions of one event", kind=TypeError)
    return tuple(
        _validate.plain_callable("listeners", one, allowed="an iterable of plain functions of one event")
        for one in listeners
    )
