"""Faults of other circuit breakers: windows, shares, clocks and listeners."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker
from resilience.events import StateChanged
from resilience.testing import FakeClock
from tests.conftest import Flavour
from tests.faults.threads import all_at_once, finishes, switching_fast
from tests.scenarios.in_flight import Down

Lives = Callable[..., None]


def test_a_window_still_counts_failures_of_an_hour_ago(breaker_lives: Lives) -> None:
    """A window of ten seconds is empty after an hour in which nobody called (fluxgate, cockatiel)."""
    breaker_lives(
        "fail*9 window:9/9 +3600 window:0/0 fail is:closed window:1/1 fail*9 is:open",
        failure_rate=1.0,
        window_seconds=10,
        minimum_calls=10,
    )


def test_a_window_forgets_one_slice_at_a_time(breaker_lives: Lives) -> None:
    """Each failure leaves the window when it is ten seconds old, all that are due together (cockatiel)."""
    breaker_lives(
        "fail +1 fail +1 fail +7.999999999 window:3/3 +0.000000001 window:2/2 +2 window:0/0",
        failure_rate=1.0,
        window_seconds=10,
        minimum_calls=10,
    )


@pytest.mark.parametrize("window", [{"window_calls": 1000}, {"window_seconds": 60}])
def test_fewer_than_half_trip_a_threshold_of_one_half(window: dict[str, int], breaker_lives: Lives) -> None:
    """49.5 % does not reach 50 %, nor does 49.9 %, and 50 % does: the share is not rounded (failsafe-go)."""
    options = {"failure_rate": 0.5, "minimum_calls": 1000, **window}
    breaker_lives("ok*505 fail*495 is:closed window:1000/495", **options)
    breaker_lives("ok*501 fail*499 is:closed window:1000/499", **options)
    breaker_lives("ok*500 fail*499 is:closed fail is:open heard:500_of_1000", **options)


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"failure_threshold": Fraction(5, 10)}, "failure_threshold"),
        ({"failure_rate": Fraction(5, 10)}, "failure_rate"),
        ({"failure_rate": 0.5, "window_calls": Fraction(10, 5)}, "window_calls"),
        ({"failure_rate": 0.5, "minimum_calls": Fraction(10, 5)}, "minimum_calls"),
        ({"probes": Fraction(10, 5)}, "probes"),
    ],
)
def test_a_fraction_silently_becomes_a_window(options: dict[str, Any], parameter: str) -> None:
    """A `Fraction` where a count or a share belongs is refused by name, not read as a window (resilient-circuit)."""
    with pytest.raises(TypeError, match=rf"{parameter}.*Fraction"):
        CircuitBreaker(**options)


def test_a_step_of_the_wall_clock_is_felt(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock may step by a day, both ways: the circuit stays open as long as it said (pybreaker, purgatory)."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=3600)

    def fail() -> None:
        raise Down

    call = flavour.guarded(circuit_breaker(breaker), fail)
    wall = time.time()
    began = time.monotonic()
    with pytest.raises(Down):
        call()
    for step in (86_400, -86_400):
        monkeypatch.setattr(time, "time", lambda step=step: wall + step)
        monkeypatch.setattr(time, "time_ns", lambda step=step: int((wall + step) * 1e9))
        with pytest.raises(CircuitOpenError) as caught:
            call()
        passed = time.monotonic() - began
        assert 3600 - passed <= caught.value.retry_after <= 3600


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_open_time_is_wrong_outside_utc(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instants are those of the monotonic clock in every time zone (aiobreaker, hyx, fluxgate)."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        breaker = CircuitBreaker(failure_threshold=1)
        before = time.monotonic()
        with pytest.raises(Down), breaker:
            raise Down
        after = time.monotonic()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert before - 1e-6 <= breaker.history()[0].at <= after + 1e-6


def test_a_clock_that_steps_back_reopens_a_circuit(flavour: Flavour) -> None:
    """A clock that steps back reopens nothing and shortens nothing (pybreaker, aiobreaker)."""

    class Stepping(FakeClock):
        """A clock that a test may set back."""

        offset = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.offset

    clock = Stepping(1000.0)
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    outcomes: list[Exception] = [Down()]

    def call() -> str:
        if outcomes:
            raise outcomes.pop()
        return "up"

    guarded = flavour.guarded(circuit_breaker(breaker), call)
    with pytest.raises(Down):
        guarded()
    clock.offset = -500.0
    with pytest.raises(CircuitOpenError) as caught:
        guarded()
    assert 10 == caught.value.retry_after
    clock.offset = 0.0
    clock.advance(10)
    assert "up" == guarded()
    clock.offset = -500.0

    assert "up" == guarded()
    assert State.CLOSED is breaker.state


def test_a_listener_that_reads_the_breaker_deadlocks(flavour: Flavour, clock: FakeClock) -> None:
    """A listener may read the breaker, call through it and order it about: no lock is held (gobreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    seen: list[object] = []

    def fail() -> None:
        raise Down

    def listen(event: object) -> None:
        if isinstance(event, StateChanged) and event.new is State.OPEN:
            seen.extend([breaker.state, breaker.snapshot().state, breaker.history()[-1].new])
            with pytest.raises(CircuitOpenError):
                breaker.call(fail)
            breaker.reset()
            seen.append(breaker.state)

    breaker.subscribe(listen)

    def trip() -> None:
        with pytest.raises(Down):
            flavour.guarded(circuit_breaker(breaker), fail)()

    finishes(trip)

    assert [State.OPEN, State.OPEN, State.OPEN, State.CLOSED] == seen


def test_listeners_hear_transitions_out_of_order(clock: FakeClock) -> None:
    """Listeners hear every transition once, in the order in which the state moved (gobreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    heard: list[tuple[int, State, State]] = []
    breaker.subscribe(lambda event: heard.append((event.generation, event.old, event.new)))

    def toggle() -> None:
        for _ in range(50):
            breaker.force_open()
            breaker.disable()

    with switching_fast():
        all_at_once(4, toggle)

    assert [one[0] for one in heard] == sorted({one[0] for one in heard})
    assert [one[1] for one in heard[1:]] == [one[2] for one in heard[:-1]]
    assert breaker.state is heard[-1][2]
