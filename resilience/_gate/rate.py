"""What a user may say about a rate: tokens and a span, or a text such as `100/minute`."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Any

from resilience._core.quota import Quota, exact
from resilience._validate import duration, number, refuse

__all__ = ["quota_of", "rate_and_capacity"]

_UNITS = {"s": 1, "second": 1, "m": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_TEXT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*([0-9]+(?:\.[0-9]+)?)?\s*([a-z]+)\s*", re.ASCII)
_ALLOWED = f"a finite number > 0, or a text such as '100/minute' or '10/15s' (units {', '.join(_UNITS)})"


def rate_and_capacity(rate: Any, capacity: Any, per: Any) -> tuple[Fraction, Fraction | None, Fraction]:
    """Check a rate, and give tokens a nanosecond, the capacity if one was given, and the tokens of one span.

    Raises:
        ValueError: A value is out of range.
        TypeError: A value is of the wrong type.
    """
    if isinstance(rate, str):
        tokens, seconds = _parse(rate)
        if isinstance(per, bool) or per != 1:
            refuse("per", per, "left out when the rate is a text, which names its own span")
    else:
        tokens = exact(number("rate", rate, allowed=_ALLOWED))
        if isinstance(per, timedelta):
            per = per.total_seconds()
        seconds = exact(number("per", per, allowed="a finite number of seconds > 0, or a timedelta"))
        duration("per", per)
    if capacity is not None:
        capacity = exact(number("capacity", capacity, allowed="a finite number of tokens > 0, or None"))
    return tokens / (seconds * 10**9), capacity, tokens


def quota_of(rate: Any, capacity: Any, per: Any) -> Quota:
    """The quota of a new bucket: the capacity defaults to one span's worth, at least 1."""
    pace, burst, worth = rate_and_capacity(rate, capacity, per)
    return Quota(pace, max(Fraction(1), worth) if burst is None else burst)


def _parse(text: str) -> tuple[Fraction, Fraction]:
    match = _TEXT.fullmatch(text)
    if match is None or match[3] not in _UNITS:
        refuse("rate", text, _ALLOWED)
    tokens, times = Fraction(match[1]), Fraction(match[2] or 1)
    if not tokens or not times:
        refuse("rate", text, _ALLOWED)
    return tokens, times * _UNITS[match[3]]
