"""The exact numbers of a token bucket.

Theory of operation. A bucket is described by one instant: when it will be full again (the virtual scheduling form of
the generic cell rate algorithm, ITU-T I.371). Taking a token moves that instant one *unit* ahead; a call is admitted
while it stays within *cap* of now. Instants are counted in *ticks*, `scale` of them to the nanosecond, with `scale`
chosen so that a token and the capacity are whole numbers of ticks. All sums are of integers, so nothing drifts.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

__all__ = ["Quota", "exact"]

_FINEST = 1 << 62
"""Ticks to the nanosecond beyond which a change of rate rounds a level down to a tick."""


def exact(number: float) -> Fraction:
    """The rational number that a float was written as: 0.1 is one tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


class Quota:
    """A rate and a capacity, in ticks.

    Args:
        rate: Tokens a nanosecond.
        capacity: Tokens.
        finer: Ticks to the nanosecond are a multiple of what is needed and this.
    """

    __slots__ = ("cap", "capacity", "rate", "room", "scale", "unit")

    def __init__(self, rate: Fraction, capacity: Fraction, *, finer: int = 1) -> None:
        self.rate = rate
        self.capacity = capacity
        interval = 1 / rate
        self.scale = lcm(interval.denominator, (capacity * interval).denominator) * finer
        self.unit = int(interval * self.scale)
        self.cap = int(capacity * interval * self.scale)
        self.room = self.cap - self.unit

    @property
    def per_second(self) -> float:
        """Tokens a second."""
        return float(self.rate * 10**9)

    def ticks(self, cost: Fraction) -> Fraction:
        """A cost in ticks; not a whole number where this quota is too coarse for it."""
        return cost * self.unit

    def refined(self, factor: int) -> Quota:
        """The same quota with *factor* times as many ticks."""
        return Quota(self.rate, self.capacity, finer=self.scale * factor // _least_scale(self.rate, self.capacity))

    def after(self, old: Quota) -> Quota:
        """This quota, fine enough to hold every level of *old* exactly, within reason."""
        cap, unit = Fraction(self.cap, old.cap), Fraction(self.unit, old.unit)
        factor = lcm(cap.denominator, unit.denominator)
        return self.refined(factor) if self.scale * factor < _FINEST else self

    def convert(self, full_at: int, old: Quota, now: int) -> int:
        """Carry a bucket over from *old*: a positive level scales with the capacity, a debt stays as it is.

        Args:
            full_at: Ticks of *old*.
            old: The quota until now.
            now: Nanoseconds.
        """
        left = old.cap - max(0, full_at - now * old.scale)
        # Rounded down, where at all: never a tick more than there was.
        carried = left * self.cap // old.cap if left >= 0 else left * self.unit // old.unit
        return now * self.scale + self.cap - carried


def _least_scale(rate: Fraction, capacity: Fraction) -> int:
    return lcm((1 / rate).denominator, (capacity / rate).denominator)
