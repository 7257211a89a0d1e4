"""What a row must reach."""

import sys
from dataclasses import dataclass

__all__ = ["Bar", "gil_is_on"]


def gil_is_on() -> bool:
    """Whether this interpreter runs under the global lock."""
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else bool(check())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A limit a value must stay under, or reach when *higher* is better.

    Args:
        limit: The value promised.
        on_311: The value promised on Python 3.11, where that differs.
        gil_off: The value promised on a build without the global lock, where that differs.
        higher: The value is a throughput: more is better.
        tolerance: The share that noise may cost before a value counts as a miss.
    """

    limit: float
    on_311: float | None = None
    gil_off: float | None = None
    higher: bool = False
    tolerance: float = 0.10

    def here(self) -> float:
        """The limit that holds for the running interpreter."""
        if self.gil_off is not None and not gil_is_on():
            return self.gil_off
        if self.on_311 is not None and sys.version_info < (3, 12):
            return self.on_311
        return self.limit
