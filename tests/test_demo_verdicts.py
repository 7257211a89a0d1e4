"""The demo's verdicts on hand-made ledgers: each promise both kept and broken."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from examples.demo import verdict
from examples.demo.chaos import FAULTS, Outage
from examples.demo.ledger import Arrival, Ledger, Period
from examples.demo.settings import Settings
from examples.demo.ticket import Ticket
from resilience import State

SETTINGS = Settings(seconds=20)  # 40 at once and 80 a second; 2 probes
NUMBERS = itertools.count(1)
OUTAGE = Outage(kind="erroring", began_at=10.0, ended_at=12.0)
CLOSED, OPEN, HALF_OPEN, CLOSED_AGAIN = PERIODS = [
    Period(generation=generation, state=state, began_at=began_at, reason="")
    for generation, (state, began_at) in enumerate(
        [(State.CLOSED, 0.0), (State.OPEN, 10.1), (State.HALF_OPEN, 12.1), (State.CLOSED, 12.2)]
    )
]


def call(at: float, *, since: float = 0.0, arrived_at: float = 0.0, generations: str = "0-0") -> Arrival:
    """A call asked for at *since* and admitted by *at*, with readings of *generations* before and after."""
    headers = {"X-Asked-At": repr(since or at), "X-Admitted-At": repr(at), "X-Generations": generations}
    ticket = Ticket.from_headers({"X-Number": str(next(NUMBERS)), **headers})
    return Arrival(ticket=ticket, arrived_at=arrived_at or at + 0.001, mode="well")


def spread(calls: int, **more: float) -> list[Arrival]:
    """Calls that use up the rate exactly."""
    return [call(100 + number / 80, **more) for number in range(1, calls + 1)]


BURST = [call(100.0) for _ in range(40)]
PROBES = [call(12.1, generations="1-2"), call(12.11, generations="2-2")]


@pytest.mark.parametrize(
    ("arrivals", "kept"),
    [
        pytest.param(BURST + spread(200), True, id="a burst and then the rate is what a bucket may do"),
        pytest.param([*BURST, *spread(200), call(101.0)], False, id="one call more is found"),
        pytest.param(spread(160, arrived_at=110.0), True, id="a backlog that bursts in was admitted before"),
        pytest.param([call(100 + number / 80, since=100) for number in range(200)], True, id="a line since the start"),
        pytest.param(
            [call(103, since=100 + number / 80) for number in range(200)], True, id="callers held up since admission"
        ),
    ],
)
def test_the_limit_is_judged_by_admission(arrivals: list[Arrival], kept: bool) -> None:
    """More than `capacity + rate * t` certainly admitted in a span is found; anything less certain is not."""
    assert kept == verdict.judge_limit(Ledger(arrivals=arrivals), SETTINGS).kept


def test_the_worst_span_is_found_wherever_it_lies() -> None:
    """Calm before and after a burst hides nothing."""
    tickets = [call(at).ticket for at in [*range(1, 100, 3), *(50.5 + step / 1000 for step in range(10))]]

    span = verdict.widest_span(tickets, rate=1.0, capacity=5.0)

    assert (10, pytest.approx(0.009), pytest.approx(5.009)) == (span.calls, span.seconds, span.allowed)


@pytest.mark.parametrize(
    ("generations", "most"),
    [
        pytest.param("2-2", 3, id="certainly in the round"),
        pytest.param("1-2", 3, id="in the round, for an open circuit admits nothing"),
        pytest.param("2-3", 2, id="in the round or after it"),
        pytest.param("0-2", 2, id="in the round or long before it"),
    ],
)
def test_a_probe_too_many_is_found_when_it_is_certain(generations: str, most: int) -> None:
    """Beside the two probes allowed, a third breaks the promise, unless it may belong elsewhere."""
    ledger = Ledger(arrivals=[*PROBES, call(12.12, generations=generations)], periods=PERIODS)

    found = verdict.judge_probes(ledger, SETTINGS)

    assert (most == 2, f"{most} at most, in 1 rounds") == (found.kept, found.measured)


@pytest.mark.parametrize(("generations", "kept"), [("0-1", True), ("1-2", True), ("3-3", True), ("1-1", False)])
def test_a_call_while_open_is_found(generations: str, kept: bool) -> None:
    """Only a call that can have been admitted at no other time breaks the promise."""
    ledger = Ledger(arrivals=[call(11.0, generations=generations)], periods=PERIODS)

    assert kept == verdict.judge_open(ledger).kept


@pytest.mark.parametrize(
    ("periods", "measured", "kept"),
    [
        (PERIODS, "0.20 s", True),
        ([*PERIODS[:3], replace(CLOSED_AGAIN, began_at=14.01)], "2.01 s", False),
        (PERIODS[:3], "never", False),
        pytest.param([CLOSED], "0.00 s", True, id="never opened"),
        pytest.param([CLOSED, replace(OPEN, began_at=20.0)], "0.00 s", True, id="opened long after"),
        pytest.param([CLOSED, replace(OPEN, began_at=12.1)], "never", False, id="opened by the last failures"),
    ],
)
def test_recovery_counts_from_the_end_of_the_fault(periods: list[Period], measured: str, kept: bool) -> None:
    """A circuit that closes late, or never, is found."""
    found = verdict.judge_recovery(Ledger(periods=periods, outages=[OUTAGE]), SETTINGS)

    assert (kept, measured) == (found.kept, found.measured.partition(",")[0])


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("more", [0, 1])
def test_a_fault_costs_so_many_calls_and_no_more(kind: str, more: int) -> None:
    """Calls during the fault through a closed circuit count; earlier and later ones and probes do not."""
    spent = [call(10.05) for _ in range(SETTINGS.outage_bound(kind) + more)]
    others = [call(9.9), *PROBES, call(11.9, generations="2-2"), call(12.5, generations="3-3")]
    ledger = Ledger(arrivals=spent + others, periods=PERIODS, outages=[replace(OUTAGE, kind=kind)])

    assert (not more) == verdict.judge_outages(ledger, SETTINGS).kept


def numbered(*numbers: int, early: float = 0.0) -> list[Arrival]:
    """Calls with these numbers, of which the last arrives *early*."""
    arrivals = [replace(call(5.0), ticket=replace(call(5.0).ticket, number=number)) for number in numbers]
    return [*arrivals[:-1], replace(arrivals[-1], arrived_at=5.001 - early)]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, ""),
        ({"arrivals": []}, "no calls"),
        ({"outages": []}, "no faults"),
        ({"arrivals": numbered(1, 2, 2)}, "a call logged twice"),
        ({"arrivals": numbered(1, 2, early=0.1)}, "arrived unadmitted"),
        ({"arrivals": [*numbered(1), *PROBES], "periods": PERIODS[:2]}, "generation unknown"),
        ({"arrivals": numbered(1, 2, 6)}, "3 calls lost"),
        ({"arrivals": numbered(1, 2, 34), "outages": [replace(OUTAGE, kind="dead")]}, ""),
        ({"arrivals": numbered(1, 2, 35), "outages": [replace(OUTAGE, kind="dead")]}, "32 calls lost"),
    ],
)
def test_a_log_that_proves_nothing_is_found(change: dict[str, list[Arrival]], wrong: str) -> None:
    """Each call is there once, after its admission, in a known generation; none is lost but to a silent fault."""
    sound = Ledger(arrivals=numbered(1, 2, 3), periods=PERIODS, outages=[OUTAGE])

    found = verdict.judge_evidence(replace(sound, **change), SETTINGS)

    assert (not wrong) == found.kept
    assert wrong in found.measured
