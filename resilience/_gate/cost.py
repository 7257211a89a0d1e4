"""What a call costs, checked, and why it is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from resilience._core.quota import Quota, exact
from resilience._validate import duration, plain_callable, refuse
from resilience.clock import to_nanoseconds

__all__ = ["check_capacity", "check_cost", "check_cost_rule", "check_wait", "why"]

_MOST = 10**300
"""Tokens; beyond it no float could tell a level."""


def check_cost(cost: Any, parameter: str = "cost") -> Fraction | int:
    """Let a cost pass: an int or a finite float, >= 0, as a rational number."""
    if type(cost) is int and 0 <= cost < _MOST:
        return cost
    allowed = "a finite number of tokens >= 0"
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        refuse(parameter, cost, allowed, kind=TypeError)
    if not 0 <= cost < _MOST:
        refuse(parameter, cost, allowed)
    rational = exact(cost)
    return int(rational) if rational.denominator == 1 else rational


def check_capacity(cost: Fraction | int, quota: Quota, whose: str) -> None:
    """Refuse a cost that can never be taken.

    Raises:
        ValueError: It is more than the capacity.
    """
    if cost * quota.unit > quota.cap:
        given = cost if isinstance(cost, int) else float(cost)
        refuse(
            "cost", given, f"at most the capacity of {whose} ({float(quota.capacity):g} tokens), or it can never pass"
        )


def check_cost_rule(cost: Any) -> Any:
    """Let a constant cost pass, as a rational number, or a plain function that gives one."""
    if callable(cost):
        return plain_callable("cost", cost, allowed="a finite number of tokens >= 0, or a plain function")
    return check_cost(cost)


def check_wait(max_wait: Any) -> int | None:
    """Let a longest wait pass, as nanoseconds; None is as long as needed."""
    if max_wait is None:
        return None
    allowed = "a finite number of seconds >= 0, a timedelta, or None"
    return to_nanoseconds(duration("max_wait", max_wait, allowed=allowed, least=0))


def why(cost: Fraction | int, quota: Quota, wait: int | None, waiting: int = 0, paused: bool = False) -> str:  # noqa: FBT001, FBT002 -- kept for later
    """The rule and the counts behind a refusal, in words."""
    wanted = "1 token" if cost == 1 else f"{float(cost):g} tokens"
    rule = f"{quota.per_second:g} a second, bursts of {float(quota.capacity):g}"
    if wait is None:
        return f"{wanted} wanted, which is more than the capacity; {rule}"
    if paused:
        return f"{wanted} wanted, and it is paused; {rule}"
    if waiting:
        return f"{wanted} wanted, and {waiting} in line for theirs; {rule}"
    return f"{wanted} wanted, {max(0.0, float(cost - wait * quota.rate)):.3g} there; {rule}"
