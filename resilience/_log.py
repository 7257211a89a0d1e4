"""The log lines of the package: one logger, lazy arguments, the event as a dict beside the text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilience.events import Event, Listener

__all__ = ["log_failure", "log_listener_failure", "log_transition"]

logger = logging.getLogger("resilience")
logger.addHandler(logging.NullHandler())


def log_transition(event: Any, level: int) -> None:
    """Write a circuit's transition, with `record.resilience` as its fields."""
    if not logger.isEnabledFor(level):
        return
    from resilience.events import as_dict  # noqa: PLC0415 -- the events module imports the feed, which imports this one

    key = "" if event.key is None else f" for {event.key!r}"
    logger.log(
        level,
        "circuit %r%s: %s -> %s: %s",
        event.name,
        key,
        event.old.value,
        event.new.value,
        event.reason,
        extra={"resilience": as_dict(event)},
    )


def log_listener_failure(listener: Listener, event: Event) -> None:
    """Write that a listener raised; said once for each listener."""
    kind = type(event).__name__
    logger.exception("listener %r failed on %s of %r; it stays subscribed", listener, kind, event.name)  # noqa: LOG004 -- called in its handler


def log_failure(what: str, name: str, outcome: str) -> None:
    """Write that a function of the user's raised, and what was done instead."""
    logger.exception("%s of %r failed; %s", what, name, outcome)  # noqa: LOG004 -- called in its handler
