"""Buckets that are taken together have one lock."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilience._gate.limiter import Limiter

__all__ = ["Domain", "unite"]


class Domain:
    """Buckets that are taken together, and the one lock of them all."""

    __slots__ = ("departed", "lock", "members")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        # What waiters left to do that went while the lock was taken; whoever gives the lock back does it.
        self.departed: deque[Callable[[], None]] = deque()
        self.members: weakref.WeakSet[Limiter] = weakref.WeakSet()

    def see_off(self) -> None:
        """Do what departed waiters left."""
        while self.departed:
            try:
                leave = self.departed.popleft()
            except IndexError:
                return  # another thread was faster
            leave()


def unite(limiters: Iterable[Limiter]) -> None:
    """Put limiters that are taken together under one lock."""
    first, *others = limiters
    for other in others:
        while first.domain is not other.domain:
            one, two = sorted((first.domain, other.domain), key=lambda domain: id(domain.lock))  # as a fork does
            with one.lock, two.lock:
                if {first.domain, other.domain} != {one, two}:
                    continue
                for member in tuple(two.members):
                    member.domain = one
                    one.members.add(member)
                two.members.clear()
