"""The five states of a circuit."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["State"]


class State(StrEnum):
    """What a circuit does with calls; the values are the names in lower case."""

    CLOSED = "closed"
    """Calls pass and their outcomes are counted."""
    OPEN = "open"
    """Calls are rejected until the recovery time is over."""
    HALF_OPEN = "half_open"
    """A few probes pass; their outcomes decide."""
    FORCED_OPEN = "forced_open"
    """Calls are rejected because somebody said so."""
    DISABLED = "disabled"
    """Calls pass, outcomes are counted, nothing ever opens."""
