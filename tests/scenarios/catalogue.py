"""The scenarios of circuit breakers (CB) and rate limiters (RL) collected from the field, by number."""

from __future__ import annotations

__all__ = ["IDS", "LEFT_OUT"]

_BREAKERS = (
    *(
        1,
        5,
        7,
        8,
        9,
        10,
        12,
        14,
        15,
        16,
        18,
        20,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        29,
        31,
        34,
        36,
        37,
        38,
        40,
        41,
        42,
        43,
        44,
    ),
    *(45, 46, 49, 50, 51, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 80, 81, 82, 84, 86, 91, 92, 93),
)
_LIMITERS = (
    *(1, 6, 7, 8, 9, 10, 13, 14, 15, 16, 18, 19, 20, 21, 22, 24, 30, 32, 34, 36, 38, 40, 42, 43, 44, 45, 51, 52),
)

IDS = (*(f"CB{number:02}" for number in _BREAKERS), *(f"RL{number:02}" for number in _LIMITERS))
"""All of them."""

LEFT_OUT = {
    "CB44": "There is no order that forces a circuit half-open, so there is none to refuse.",
    "CB84": "A circuit's state is not saved and restored; stores will share it between processes.",
    "RL51": "Lines are first in, first out, and bounded by max_wait; none is newest-first, and nobody is evicted.",
}
"""Those that no row tells, and why."""
