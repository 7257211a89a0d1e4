"""Checks of what a breaker does to the call and its caller: errors, generators, decoration."""

from __future__ import annotations

import abc
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

from benchmarks.peers.breaker_adapters import Circuit, Guard
from benchmarks.peers.dependency import Dependency
from benchmarks.peers.row import Lab, Observed, Row

__all__ = ["CALL_ROWS"]

Bench = Lab[Circuit, Guard]


class MetaclassError(Exception, metaclass=abc.ABCMeta):
    """An error whose class has a metaclass."""


class Local:
    """Something large that a failing call holds in a local variable."""


def _error_of(call: Callable[[], Any]) -> BaseException | None:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - a Ctrl-C is among what is being looked at
        return error
    return None


def _metaclass(bench: Bench) -> Observed:
    """An excluded exception excludes itself, also when its class has a metaclass."""
    dependency = Dependency()
    call = dependency.behind(bench.build(Circuit(recovery=30.0, ignore=(MetaclassError,))))
    for _ in range(3):
        call("fails")
    return Observed(f"{dependency.made} of 3 calls failing otherwise were made; allowed 1", dependency.made != 1)


def _replaced(bench: Bench) -> Observed:
    """The caller gets the very error of the call that trips, and a Ctrl-C stays one."""
    told, faulty = [], False
    for error in (ConnectionError(), KeyboardInterrupt()):

        def fail(error: BaseException = error) -> None:
            raise error

        seen = _error_of(bench.build(Circuit()).dress(fail))
        told.append(f"{type(error).__name__} reaches the caller as {type(seen).__name__}")
        faulty = faulty or seen is not error
    return Observed("; ".join(told), faulty)


def _other_site(bench: Bench) -> Observed:
    """What one call site asks for does not change under another's feet."""
    guard = bench.build(Circuit(recovery=30.0, ignore=(ValueError,)))
    assert guard.other_site is not None
    made = 0

    @guard.other_site
    def refund() -> None:
        nonlocal made
        made += 1

    @guard.dress
    def charge() -> None:
        refund()
        raise ValueError

    _error_of(charge)
    _error_of(refund)
    opened = made != 2
    return Observed(
        f"an error that its call site excludes {'opened' if opened else 'did not open'} the circuit", opened
    )


def _pickling(bench: Bench) -> Observed:
    """A rejection survives pickling, and keeps nothing of the failed call alive."""
    alive: list[weakref.ref[Local]] = []

    def function() -> None:
        local = Local()
        alive.append(weakref.ref(local))
        raise ConnectionError

    call = bench.build(Circuit(recovery=30.0)).dress(function)
    _error_of(call)
    rejection = _error_of(call)
    assert rejection is not None
    rejection.__traceback__ = None
    gc.collect()
    kept = alive[0]() is not None
    try:
        copy = pickle.loads(pickle.dumps(rejection))  # noqa: S301 - pickled in the line itself
    except Exception as error:  # noqa: BLE001 - whichever way it fails is the finding
        told, same = f"pickling raises {type(error).__name__}", False
    else:
        was, now = ((str(e), getattr(e, "retry_after", None)) for e in (rejection, copy))
        same = was == now
        told = "pickling keeps it" if same else f"pickled, it reads: {copy}"
    return Observed(f"{told}; the failed call's locals are {'kept alive' if kept else 'let go'}", kept or not same)


def _half(bench: Bench) -> Observed:
    """Five of ten is judged over ten calls, not over two."""
    call = Dependency().behind(bench.build(Circuit(rate=0.5, calls=10, recovery=30.0)))
    made = 0
    while made < 10 and call("fails" if made % 2 else "answers"):
        made += 1
    return Observed(f"asked to open at 5 of 10, it opened after {made} calls", made != 10)


CALL_ROWS: tuple[Row[Circuit, Guard], ...] = (
    Row(
        number="4",
        fault="an excluded exception whose class has a metaclass excludes everything",
        check=_metaclass,
        peers=("pybreaker", "aiobreaker"),
    ),
    Row(
        number="5",
        fault="the tripping call's error is replaced; Ctrl-C becomes a breaker error",
        check=_replaced,
        peers=("pybreaker",),
    ),
    Row(
        number="12",
        fault="one call site's options overwrite the shared object's",
        check=_other_site,
        peers=("purgatory",),
    ),
    Row(
        number="23",
        fault="the error does not survive pickling; keeps frames alive",
        check=_pickling,
        peers=("interlock-cb",),
    ),
    Row(
        number="24",
        fault="`Fraction(5, 10)` silently becomes a window of two",
        check=_half,
        peers=("resilient-circuit",),
    ),
)
