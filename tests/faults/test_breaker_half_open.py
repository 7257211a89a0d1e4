"""Faults of other circuit breakers: half-open, and outcomes that come back late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, circuit_breaker
from resilience.testing import FakeClock
from tests.conftest import Flavour
from tests.scenarios.in_flight import Down

Lives = Callable[..., None]
ONE = {"failure_threshold": 1, "recovery_timeout": 10}


def test_late_failures_extend_the_open_time(breaker_lives: Lives) -> None:
    """Failures of calls from before the trip leave the open time as it is (circuitbreaker, pyresilience, backon)."""
    breaker_lives(
        "start#a start#b fail*3 refused:10 +8 fail#a refused:2 fail#b refused:2 opened:1 stale:2 +2 ok is:closed",
        failure_threshold=3,
        recovery_timeout=10,
    )


def test_ten_probes_in_a_row_go_to_a_dead_dependency(breaker_lives: Lives) -> None:
    """A rate reopens as soon as no later probe could change it: after five of ten at one half (interlock-cb)."""
    breaker_lives(
        "fail*20 is:open +10 fail*4 is:half_open fail is:open refused:10",
        failure_rate=0.5,
        recovery_timeout=10,
        probes=10,
    )


@pytest.mark.parametrize("mode", [{"failure_threshold": 1}, {"failure_rate": 0.1, "minimum_calls": 1}])
def test_a_dead_dependency_is_probed_ten_times(mode: dict[str, Any], flavour: Flavour, clock: FakeClock) -> None:
    """One failed probe of ten reopens where no failure is allowed: the dependency is called once (interlock-cb)."""
    breaker = CircuitBreaker(recovery_timeout=10, probes=10, clock=clock, **mode)
    calls: list[float] = []

    def fail() -> None:
        calls.append(clock.monotonic())
        raise Down

    call = flavour.guarded(circuit_breaker(breaker), fail)
    with pytest.raises(Down):
        call()
    clock.advance(10)
    for _ in range(10):
        with pytest.raises((Down, CircuitOpenError)):
            call()

    assert [100.0, 110.0] == calls


def test_a_hung_probe_rejects_everybody_for_ever(breaker_lives: Lives) -> None:
    """A probe that never ends is given up at its deadline, and all are told when (interlock-cb, opossum, Polly)."""
    breaker_lives(
        """fail +10 start#hung refused:30 +29 refused:1 +1 refused:10 is:open
           +10 ok is:closed fail#hung is:closed stale:1 row:0""",
        **ONE,
    )


def test_a_hung_probe_is_found_late(breaker_lives: Lives) -> None:
    """The open time after a lost probe starts at its deadline, however late that is noticed (gobreaker, opossum)."""
    breaker_lives("fail +10 start#hung +37 refused:3 +3 ok is:closed", **ONE)


def test_a_hung_probe_blocks_the_next_probe(breaker_lives: Lives) -> None:
    """After a lost probe the first call after the open time is a probe, even hours later (resilience4j)."""
    breaker_lives(
        "fail +10 start#hung +36000 start#p is:half_open refused:5 ok#hung stale:1 ok#p is:closed",
        **ONE,
        probe_timeout=5,
    )


def test_a_stale_success_closes_the_circuit(breaker_lives: Lives) -> None:
    """A success from before the trip changes nothing, open or half-open (opossum, Polly, failsafe-go)."""
    breaker_lives(
        "start#a start#b fail ok#a is:open +10 start#p ok#b is:half_open stale:2 refused ok#p is:closed", **ONE
    )


def test_a_stale_failure_reopens_the_circuit(breaker_lives: Lives) -> None:
    """A failure from before the trip changes nothing, half-open or closed again (Polly, cockatiel)."""
    breaker_lives(
        "start#a start#b fail +10 start#p fail#a is:half_open stale:1 ok#p is:closed fail#b is:closed row:0 stale:2",
        **ONE,
    )


def test_a_stale_ignored_result_frees_a_second_probe(breaker_lives: Lives) -> None:
    """A neutral outcome gives its slot back to its own generation only (resilience4j)."""
    breaker_lives(
        "start#a start#b fail +10 start#p ignored#a refused running:1 cancelled#b refused running:1 ok#p is:closed",
        **ONE,
    )


def test_a_stale_probe_frees_a_slot_of_the_next_round(breaker_lives: Lives) -> None:
    """A probe of an earlier round has no slot and no say in this one, whatever it says (failsafe-go)."""
    breaker_lives(
        """fail +10 start#a start#b start#c fail#a is:open
           +10 start#p start#q start#r refused ok#b refused running:3 ignored#c refused running:3 is:half_open""",
        **ONE,
        probes=3,
    )
