"""The permits of `with` blocks, held by the context they were entered in, not by the thread."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

__all__ = ["enter", "leave"]

_entered: ContextVar[tuple[tuple[object, Any], ...]] = ContextVar("resilience_entered", default=())


def enter(owner: object, held: Any) -> None:
    """Remember what *owner* handed out at the beginning of a block."""
    _entered.set((*_entered.get(), (owner, held)))


def leave(owner: object) -> Any:
    """Give back what *owner* handed out for the innermost block of this context, None where there is none."""
    stack = _entered.get()
    for at in range(len(stack) - 1, -1, -1):
        if stack[at][0] is owner:
            _entered.set(stack[:at] + stack[at + 1 :])
            return stack[at][1]
    return None
