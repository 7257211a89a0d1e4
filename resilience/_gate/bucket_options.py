"""What a user may say about a token bucket, checked once at the door."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from resilience._core.quota import Quota
from resilience._feed import check_listeners
from resilience._gate.rate import quota_of
from resilience._validate import count, flag, text_or_none
from resilience.clock import check_clock

if TYPE_CHECKING:
    from resilience.clock import Clock
    from resilience.events import Listener

__all__ = ["BucketKeywords", "BucketOptions"]


class BucketKeywords(TypedDict, total=False):
    """The keywords that `TokenBucket` and `rate_limited` share, for type checkers."""

    per: float | timedelta
    name: str | None
    max_keys: int
    clock: Clock | None
    shadow: bool
    listeners: Iterable[Listener]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketOptions:
    """The same with their defaults; once made, every value is good and `quota` holds the rate in the core's units."""

    rate: Any
    capacity: Any = None
    per: Any = 1.0
    name: str | None = None
    max_keys: Any = 1_000_000
    clock: Any = None
    shadow: Any = False
    listeners: Any = ()
    quota: Quota = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__  # the way around `frozen`, for the one who freezes
        put(self, "quota", quota_of(self.rate, self.capacity, self.per))
        text_or_none("name", self.name)
        count("max_keys", self.max_keys)
        put(self, "clock", check_clock(self.clock))
        flag("shadow", self.shadow)
        put(self, "listeners", check_listeners(self.listeners))
