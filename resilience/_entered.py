"""The permits of `with` blocks, held by the context they were entered in, not by the thread.

A generator that is dropped half-way is closed in whatever context the collection comes; its block is then found by its
frame, which is the same at both ends.
"""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from types import FrameType
from typing import Any

__all__ = ["enter", "leave"]

_Place = tuple[int, int]

_SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_entered: ContextVar[tuple[tuple[object, _Place | None, Any], ...]] = ContextVar("resilience_entered", default=())
_by_place: dict[_Place, list[Any]] = {}
"""What is held, by the identities of its owner and of the frame its block is in."""


def enter(owner: object, held: Any, frame: FrameType) -> None:
    """Remember what *owner* handed out at the beginning of a block in *frame*."""
    # Only the frames that can be left half-way are put on the books: an id is used again when its frame is gone.
    place = (id(owner), id(frame)) if frame.f_code.co_flags & _SUSPENDS else None
    if place is not None:
        _by_place.setdefault(place, []).append(held)
    _entered.set((*_entered.get(), (owner, place, held)))


def leave(owner: object, frame: FrameType, name: str) -> Any:
    """Give back what *owner*, called *name*, handed out for the innermost block of this context or frame.

    Raises:
        RuntimeError: There is none: the block began in another context.
    """
    stack = _entered.get()
    here = id(owner), id(frame)
    if here in _by_place:  # a frame that can be suspended: blocks of several end in any order
        held = _by_place[here][-1]
        _forget(here, held)
        _entered.set(tuple(entry for entry in stack if entry[2] is not held))
        return held
    for at in range(len(stack) - 1, -1, -1):
        whose, place, held = stack[at]
        if whose is owner and (place is None or _forget(place, held)):
            _entered.set(stack[:at] + stack[at + 1 :])
            return held
    message = f"a block of circuit breaker {name!r} ended in another context than it began in"
    raise RuntimeError(message)


def _forget(place: _Place, held: Any) -> bool:
    """Take a block off the books; False where another context has done so before."""
    there = _by_place.get(place, [])
    if held not in there:
        return False
    there.remove(held)
    if not there:
        del _by_place[place]
    return True
