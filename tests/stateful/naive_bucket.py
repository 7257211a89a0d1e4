"""A token bucket in rational numbers, so plain that it is right by inspection. It imports nothing from the package.

Times are whole nanoseconds, levels are fractions of tokens.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from math import ceil

__all__ = ["NaiveBucket", "NaiveBuckets", "rational"]


def rational(number: float | Fraction) -> Fraction:
    """A number as it is written: 0.1 is one tenth."""
    return number if isinstance(number, Fraction) else Fraction(str(number))


class NaiveBucket:
    """One level, which rises with time up to the capacity and may fall below zero by a charge."""

    def __init__(self, rate: Fraction, capacity: Fraction, now: int) -> None:
        self.rate = rate  # tokens a nanosecond
        self.capacity = capacity
        self.level = capacity
        self.at = now
        self.paused_until = 0

    def flow(self, now: int) -> None:
        self.level = min(self.capacity, self.level + self.rate * (now - self.at))
        self.at = now

    def wait(self, cost: Fraction, now: int) -> int:
        """Nanoseconds until the tokens are there and no pause is on."""
        self.flow(now)
        if not cost:
            return 0
        missing = max(Fraction(0), cost - self.level)
        return max(ceil(missing / self.rate), self.paused_until - now)

    def take(self, cost: Fraction, now: int) -> None:
        self.flow(now)
        self.level -= cost

    def give(self, amount: Fraction, now: int) -> None:
        self.flow(now)
        self.level = min(self.capacity, self.level + amount)

    def set_rate(self, rate: Fraction, capacity: Fraction, now: int) -> None:
        self.flow(now)
        if self.level > 0:
            self.level *= capacity / self.capacity
        self.rate, self.capacity = rate, capacity

    def copy(self) -> NaiveBucket:
        other = NaiveBucket(self.rate, self.capacity, self.at)
        other.level, other.paused_until = self.level, self.paused_until
        return other


class NaiveBuckets:
    """A bucket for each key, each visited at each change."""

    def __init__(self, rate: Fraction, capacity: Fraction) -> None:
        self.rate = rate
        self.capacity = capacity
        self.by_key: dict[Hashable, NaiveBucket] = {}

    def of(self, key: Hashable, now: int) -> NaiveBucket:
        if key not in self.by_key:
            self.by_key[key] = NaiveBucket(self.rate, self.capacity, now)
        self.by_key[key].flow(now)
        return self.by_key[key]

    def set_rate(self, rate: Fraction, capacity: Fraction | None, now: int) -> None:
        self.rate, self.capacity = rate, self.capacity if capacity is None else capacity
        for bucket in self.by_key.values():
            bucket.set_rate(self.rate, self.capacity, now)
