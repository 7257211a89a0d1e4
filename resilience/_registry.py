"""The living policies of this process, held weakly, each under a name of its own; and what a fork does to them."""

from __future__ import annotations

import functools
import itertools
import os
import threading
import weakref
from typing import Any, Protocol

__all__ = ["Policy", "attach", "enrol", "fresh_name", "guards_of", "living"]


class Policy(Protocol):
    """What the registry knows of a policy."""

    @property
    def name(self) -> str:
        """The name that no other living policy has."""
        ...

    def _locks(self) -> tuple[threading.Lock, ...]: ...
    def _in_child(self) -> None: ...


_lock = threading.RLock()  # re-entrant: a collection inside may end a policy, and its end comes back here
_living: dict[tuple[str, str], weakref.ref[Any]] = {}
_serials = itertools.count(1)
_next_number: dict[tuple[str, str], int] = {}
_blocks: list[list[Any]] = []
"""The policies that stand aside, for each block that wants none."""

MADE = "_made"
"""The attribute that is True once a policy is whole: it is entered before, to know its name."""
GUARDS = "__resilience_policies__"
"""The attribute under which a guarded callable keeps its policies, outermost first."""


def fresh_name(kind: str) -> str:
    """Make a name for a shared object that was given none."""
    return f"{kind}-{next(_serials)}"


def enrol(policy: Any, kind: str, wanted: str) -> str:
    """Enter a policy and give the name it shows under: *wanted*, or `wanted#2` and so on where its kind has that."""
    with _lock:
        name = wanted
        if _is_taken(kind, name):
            number = _next_number.get((kind, wanted), 2)  # where the last search ended: names may be many
            while _is_taken(kind, name := f"{wanted}#{number}"):
                number += 1
            _next_number[kind, wanted] = number + 1
        else:
            _next_number.pop((kind, wanted), None)
        entry = kind, name

        def forget(ended: weakref.ref[Any]) -> None:
            # A collection may bring us here anywhere, also inside a lock for which the holder of this one waits. What
            # is not forgotten now is passed over later.
            if _lock.acquire(blocking=False):
                try:
                    if _living.get(entry) is ended:
                        del _living[entry]
                finally:
                    _lock.release()

        _living[entry] = weakref.ref(policy, forget)
        return name


def _is_taken(kind: str, name: str) -> bool:
    holder = _living.get((kind, name))
    return holder is not None and holder() is not None


def finish(policy: Any) -> None:
    """Let a policy be seen, now that it is whole; inside blocks without policies it stands aside like the others."""
    setattr(policy, MADE, True)
    for block in _blocks:
        policy._stand_aside(1)  # noqa: SLF001 -- the registry and its policies are one
        block.append(policy)


def begin_aside() -> list[Any]:
    """Let all policies stand aside, and those made until `end_aside`."""
    block = list(living())
    for policy in block:
        policy._stand_aside(1)  # noqa: SLF001 -- as above
    _blocks.append(block)
    return block


def end_aside(block: list[Any]) -> None:
    """Let the policies of a block act again."""
    _blocks[:] = [other for other in _blocks if other is not block]
    for policy in block:
        policy._stand_aside(-1)  # noqa: SLF001 -- as above


def living() -> tuple[Any, ...]:
    """Every policy that is made and that somebody still holds, in the order in which they were made."""
    with _lock:
        holders = tuple(_living.values())
    policies = (holder() for holder in holders)
    return tuple(policy for policy in policies if getattr(policy, MADE, False))


def attach(guarded: Any, policies: tuple[Any, ...], inner: Any) -> None:
    """Write on a guarded callable which policies guard it, its own first."""
    setattr(guarded, GUARDS, (*policies, *guards_of(inner)))


def guards_of(function: Any) -> tuple[Any, ...]:
    """The policies that guard *function*, outermost first; looks through methods, partials and properties."""
    while True:
        found = getattr(function, GUARDS, None)
        if isinstance(found, tuple):
            return found
        inner = (getattr(function, name, None) for name in ("__func__", "func", "fget"))
        function = next((one for one in inner if one is not None), None)
        if function is None:
            return ()


_held: list[threading.Lock] = []


def _before_fork() -> None:
    # Every lock is taken, so that no state is half-moved in the child; none is ever held while user code runs, and two
    # at once only in this order.
    _lock.acquire()
    locks = {id(lock): lock for policy in living() for lock in policy._locks()}  # noqa: SLF001 -- registry and policies are one
    for _, lock in sorted(locks.items()):
        lock.acquire()
        _held.append(lock)


def _after_fork(*, in_child: bool) -> None:
    while _held:
        _held.pop().release()
    _lock.release()
    if in_child:
        for policy in living():
            policy._in_child()  # noqa: SLF001 -- the registry and its policies are one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=functools.partial(_after_fork, in_child=False),
        after_in_child=functools.partial(_after_fork, in_child=True),
    )
