"""A call that arrives: what it wants, and who waits there already."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from fractions import Fraction

from resilience._core.line import Part, Waiter, serve, when
from resilience._gate.limiter import Limiter

__all__ = ["Want", "lined", "parts_of"]

Want = tuple[Hashable, Fraction | int]
"""A key and a cost."""


def parts_of(limiters: tuple[Limiter, ...], wants: tuple[Want, ...], now: int) -> tuple[tuple[Part, ...], list[Waiter]]:
    """What is really wanted of whom; buckets in shadow mode that would refuse are told and left out."""
    parts: list[Part] = []
    rung: list[Waiter] = []
    for limiter, (key, cost) in zip(limiters, wants, strict=True):
        if not cost or limiter.bucket.aside:
            continue
        if limiter.shadow and cost * limiter.bucket.quota.unit > limiter.bucket.quota.cap:
            limiter.would_reject(key, cost, None, now)
            continue
        limiter.check_capacity(cost)
        limiter.bucket.prepare(Fraction(cost), now)
        part = Part(limiter.bucket, key, Fraction(cost))
        line = limiter.bucket.lines.get(key)
        if line is not None:
            rung += serve([line], now)
        wait = when((part,), now) - now
        if limiter.shadow and (wait > 0 or lined([part])):
            limiter.would_reject(key, cost, wait, now)
            continue
        parts.append(part)
    return tuple(parts), rung


def lined(parts: Iterable[Part]) -> bool:
    """Whether anybody waits where one of these parts would be taken."""
    lines = [part.bucket.lines.get(part.key) for part in parts]
    return any(line is not None and line.head() is not None for line in lines)
