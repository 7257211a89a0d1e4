"""Faults of other circuit breakers: what they make of errors and cancellations, and what they keep of them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import pickle
import traceback
import weakref
from abc import ABCMeta
from collections.abc import Callable

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker
from resilience.testing import FakeClock
from tests.conftest import Flavour
from tests.scenarios.in_flight import Aborted, Down


class Meta(type):
    """A metaclass that is not `type`."""


class Marked(Exception, metaclass=Meta):
    """An error whose class has a metaclass."""


class Abstract(Exception, metaclass=ABCMeta):
    """An error whose class is an abstract base class."""


@pytest.mark.parametrize("kind", [Marked, Abstract])
def test_an_excluded_class_with_a_metaclass_excludes_everything(
    kind: type[Exception], flavour: Flavour, clock: FakeClock
) -> None:
    """An ignored class with a metaclass of its own ignores its own errors alone (pybreaker, aiobreaker: all)."""
    breaker = CircuitBreaker(failure_threshold=2, ignore=kind, clock=clock)

    def fail(error: Exception) -> None:
        raise error

    call = flavour.guarded(circuit_breaker(breaker), fail)
    for error, failures in [(Down(), 1), (kind(), 1), (kind(), 1)]:
        with pytest.raises(type(error)):
            call(error)
        assert failures == breaker.snapshot().failures_in_a_row
    with pytest.raises(Down):
        call(Down())
    assert State.OPEN is breaker.state


@pytest.mark.parametrize("kind", [Marked, Abstract])
def test_a_named_class_with_a_metaclass_names_everything(
    kind: type[Exception], flavour: Flavour, clock: FakeClock
) -> None:
    """A failure class with a metaclass of its own names its own errors alone (pybreaker, aiobreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, on=kind, clock=clock)

    def fail(error: Exception) -> None:
        raise error

    call = flavour.guarded(circuit_breaker(breaker), fail)
    with pytest.raises(Down):
        call(Down())
    assert State.CLOSED is breaker.state
    with pytest.raises(kind):
        call(kind())
    assert State.OPEN is breaker.state


def test_the_tripping_calls_error_is_replaced(flavour: Flavour, clock: FakeClock) -> None:
    """The call that trips raises its own error: same object, own traceback, no cause or context (pybreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    error = Down("the disk is full")

    def fail() -> None:
        raise error

    with pytest.raises(Down) as caught:
        flavour.guarded(circuit_breaker(breaker), fail)()

    assert State.OPEN is breaker.state
    assert error is caught.value
    assert (None, None) == (error.__cause__, error.__context__)
    assert "fail" == traceback.extract_tb(error.__traceback__)[-1].name


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_becomes_a_breaker_error(kind: type[BaseException], flavour: Flavour, clock: FakeClock) -> None:
    """Ctrl-C comes out as it went in and says nothing about the dependency (pybreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    interrupt = kind()

    def fail() -> None:
        raise interrupt

    with pytest.raises(kind) as caught:
        flavour.guarded(circuit_breaker(breaker), fail)()

    assert interrupt is caught.value
    assert (State.CLOSED, 0) == (breaker.state, breaker.snapshot().failures_in_a_row)


def test_a_probe_whose_caller_timed_out_closes_the_circuit(clock: FakeClock) -> None:
    """A probe that is cancelled by its caller's timeout is neutral; its slot is free again (circuitbreaker, Polly)."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    breaker.force_open(10)
    clock.advance(10)

    @circuit_breaker(breaker)
    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hang(), 0.001)

    asyncio.run(main())

    assert (State.HALF_OPEN, 0, 0.0) == (
        breaker.state,
        breaker.snapshot().probes_running,
        breaker.snapshot().retry_after,
    )


def test_a_cancelled_probe_closes_the_circuit(breaker_lives: Callable[..., None]) -> None:
    """A cancelled probe neither closes nor reopens, and the next call is a probe in its place (hyx, Polly)."""
    breaker_lives(
        "fail +10 start#p refused cancelled#p is:half_open running:0 start#q refused ok#q is:closed",
        failure_threshold=1,
        recovery_timeout=10,
    )


def test_three_client_disconnects_open_the_circuit(breaker_lives: Callable[..., None]) -> None:
    """Cancellations never open a circuit, however many (purgatory, backon)."""
    breaker_lives("cancelled*3 is:closed row:0 cancelled*30 is:closed row:0", failure_threshold=3)


def test_client_disconnects_hide_failures(breaker_lives: Callable[..., None]) -> None:
    """Cancellations are no successes either: failures before and after them are in a row (purgatory, backon)."""
    breaker_lives("fail*2 cancelled*3 row:2 fail is:open", failure_threshold=3)


def test_client_disconnects_count_in_a_rate(breaker_lives: Callable[..., None]) -> None:
    """Cancellations are not in the window (purgatory, backon)."""
    breaker_lives("ok fail cancelled*9 window:2/1 ok is:closed window:3/1", failure_rate=0.6, minimum_calls=3)


def test_an_abort_leaks_the_probes_permit(breaker_lives: Callable[..., None]) -> None:
    """A `BaseException` gives the probe's permit back (failsafe-go, resilience4j: rejects for ever)."""
    breaker_lives(
        "fail +10 aborted*3 is:half_open running:0 start#p aborted#p running:0 ok is:closed",
        failure_threshold=1,
        recovery_timeout=10,
    )


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Aborted])
def test_a_base_exception_leaks_the_probes_permit(
    kind: type[BaseException], flavour: Flavour, clock: FakeClock
) -> None:
    """Whatever `BaseException` ends a probe, its permit is given back (failsafe-go, resilience4j)."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    breaker.force_open(10)
    clock.advance(10)
    ending: list[BaseException] = [kind()]

    def call() -> str:
        if ending:
            raise ending.pop()
        return "up"

    guarded = flavour.guarded(circuit_breaker(breaker), call)
    with pytest.raises(kind):
        guarded()

    assert (State.HALF_OPEN, 0) == (breaker.state, breaker.snapshot().probes_running)
    assert "up" == guarded()
    assert State.CLOSED is breaker.state


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_the_error_does_not_survive_pickling(
    again: Callable[[CircuitOpenError], CircuitOpenError], flavour: Flavour, clock: FakeClock
) -> None:
    """A rejection survives pickle and copy with all its attributes and its text (interlock-cb)."""
    breaker = CircuitBreaker("payments", failure_threshold=1, recovery_timeout=10, key=lambda who: who, clock=clock)

    def fail(who: str) -> None:
        raise Down

    call = flavour.guarded(circuit_breaker(breaker), fail)
    with pytest.raises(Down):
        call("ada")
    clock.advance(5.8)
    with pytest.raises(CircuitOpenError) as caught:
        call("ada")

    error = again(caught.value)
    assert (CircuitOpenError, breaker.name, 4.2, State.OPEN, "ada", "1 failure in a row, last Down") == (
        type(error),
        error.name,
        error.retry_after,
        error.state,
        error.key,
        error.reason,
    )
    assert str(caught.value) == str(error)
    assert "1 failure in a row, last Down; retry in 4.2 s" in str(error)


def test_the_breaker_keeps_frames_alive(flavour: Flavour, clock: FakeClock) -> None:
    """Nothing keeps the error, its frames or the call's arguments alive, not even a rejection (interlock-cb)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)

    class Payload:
        """What a caller passes in."""

    def fail(payload: Payload) -> None:
        local = Payload()
        held.extend([weakref.ref(payload), weakref.ref(local)])
        error = Down(payload)
        held.append(weakref.ref(error))
        raise error

    held: list[weakref.ref[object]] = []
    call = flavour.guarded(circuit_breaker(breaker), fail)
    with contextlib.suppress(Down):
        call(Payload())
    with pytest.raises(CircuitOpenError) as caught:
        call(Payload())
    gc.collect()

    assert [None, None, None] == [ref() for ref in held]
    assert "last Down" in caught.value.reason
    assert "Down" == breaker.snapshot().last_failure
