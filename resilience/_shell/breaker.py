"""Shells of the circuit breaker, one for each kind of tally.

Each is a factory: `call` is the user's function, `gate` the circuit, `core` its state machine. The shell inside is
ordinary Python; `specialise` compiles it again with the user's own signature in the place of `*args, **kwargs`, and for
a coroutine function with `await` before the call.

What a shell may leave out is what would change nothing: a success is not settled while `permit is core.quiet`, and only
counted while the permit allows that (`counts`, `until`). `tests/stateful/test_quiet_law.py` holds this law. The
additions to `permit.calls` contain no call and no jump back, so under the GIL no other thread can come between their
load and store; in builds without it no permit allows them.

A plain function may return an awaitable: then the outcome is that of the await. `plain` remembers the type of the last
result that was none, since asking a type costs more than all the rest (`bench: closed breaker`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience._shell.awaited import Awaited
from resilience.errors import CircuitOpenError

if TYPE_CHECKING:
    from resilience._core.breaker import BreakerCore
    from resilience._gate.circuit import Circuit

__all__ = ["clocked", "counted", "quiet", "timed"]

PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
"""Types that are common as results and certainly no awaitables."""


def quiet(call: Callable[..., Any], gate: Circuit, core: BreakerCore) -> Callable[..., Any]:
    """Guard a function; a success changes nothing while none has failed."""
    plain: type = int

    def shell(*args: Any, **kwargs: Any) -> Any:
        nonlocal plain
        permit: Any = core.standing
        if permit is None:
            permit = gate.knock()
            if type(permit) is CircuitOpenError:
                try:
                    raise permit
                finally:
                    del permit  # or this frame would hold the error that holds it, until a collection
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error)
            raise
        if type(result) is not plain and type(result) not in PLAIN:
            if hasattr(type(result), "__await__"):
                return Awaited(result, gate, permit)
            plain = type(result)
        if permit is not core.quiet:
            gate.succeed(permit, result)
        return result

    return shell


def counted(call: Callable[..., Any], gate: Circuit, core: BreakerCore) -> Callable[..., Any]:
    """Guard a function; a success takes the next number of the window."""
    plain: type = int

    def shell(*args: Any, **kwargs: Any) -> Any:
        nonlocal plain
        permit: Any = core.standing
        if permit is None:
            permit = gate.knock()
            if type(permit) is CircuitOpenError:
                try:
                    raise permit
                finally:
                    del permit  # or this frame would hold the error that holds it, until a collection
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error)
            raise
        if type(result) is not plain and type(result) not in PLAIN:
            if hasattr(type(result), "__await__"):
                return Awaited(result, gate, permit)
            plain = type(result)
        if permit.counts:
            permit.calls += 1.0
        else:
            gate.succeed(permit, result)
        return result

    return shell


def timed(call: Callable[..., Any], gate: Circuit, core: BreakerCore, clock: Callable[[], float]) -> Callable[..., Any]:
    """Guard a function; a success belongs to the running slice until that is over."""
    plain: type = int

    def shell(*args: Any, **kwargs: Any) -> Any:
        nonlocal plain
        permit: Any = core.standing
        if permit is None:
            permit = gate.knock()
            if type(permit) is CircuitOpenError:
                try:
                    raise permit
                finally:
                    del permit  # or this frame would hold the error that holds it, until a collection
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error)
            raise
        if type(result) is not plain and type(result) not in PLAIN:
            if hasattr(type(result), "__await__"):
                return Awaited(result, gate, permit)
            plain = type(result)
        if clock() < permit.until:
            permit.calls += 1.0
        else:
            gate.succeed(permit, result)
        return result

    return shell


def clocked(
    call: Callable[..., Any], gate: Circuit, core: BreakerCore, clock: Callable[[], float], fast: float
) -> Callable[..., Any]:
    """Guard a function and measure it; what took less than *fast* seconds was certainly not slow."""
    plain: type = int

    def shell(*args: Any, **kwargs: Any) -> Any:
        nonlocal plain
        permit: Any = core.standing
        if permit is None:
            permit = gate.knock()
            if type(permit) is CircuitOpenError:
                try:
                    raise permit
                finally:
                    del permit  # or this frame would hold the error that holds it, until a collection
        started = clock()
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            gate.fail(permit, error, started)
            raise
        if type(result) is not plain and type(result) not in PLAIN:
            if hasattr(type(result), "__await__"):
                return Awaited(result, gate, permit, started)
            plain = type(result)
        now = clock()
        if now - started < fast and now < permit.until and permit is core.quiet:
            permit.calls += 1.0  # type: ignore[union-attr] # what is a permit is not None
        else:
            gate.succeed(permit, result, started)
        return result

    return shell
