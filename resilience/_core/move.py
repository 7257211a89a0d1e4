"""One transition of a circuit, and what it says while it is shut."""

from __future__ import annotations

from dataclasses import dataclass

from resilience._state import State

__all__ = ["Move", "Shut"]

Shut = tuple[int | None, State, str]
"""Why an open circuit rejects: until when (nanoseconds, None for as long as nobody says otherwise), its state and the
reason; one object, so that a look without a lock sees all of it or none, and a plain tuple, since those are fastest."""


@dataclass(slots=True)
class Move:
    """A transition, in the units of the core.

    Attributes:
        at: Nanoseconds.
        old: The state that was left.
        new: The state that was entered.
        reason: The rule and the counts that moved it.
        generation: The number of the period that began.
        openings: Openings in a row, this one included.
        wait: Nanoseconds until a call has a chance, None when unknowable or when calls pass.
    """

    at: int
    old: State
    new: State
    reason: str
    generation: int
    openings: int
    wait: int | None
