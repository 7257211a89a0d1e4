"""A token bucket at one instant."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BucketSnapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSnapshot:
    """A bucket at one instant; `dataclasses.asdict` of it is JSON.

    Attributes:
        name: The bucket's name.
        rate: Tokens a second.
        capacity: Tokens a full bucket holds.
        tokens: Tokens of the bucket without a key; negative in debt.
        keys: Keys that are remembered.
        waiting: Calls in line, of all keys.
        rejected: Calls turned away so far.
    """

    name: str
    rate: float
    capacity: float
    tokens: float
    keys: int
    waiting: int
    rejected: int
