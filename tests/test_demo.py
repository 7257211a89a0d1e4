"""The demo: its verdicts on hand-made ledgers, its parts, and whole runs, sound and sabotaged."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples.demo import verdict
from examples.demo.chaos import FAULTS, Outage
from examples.demo.guards import leaky
from examples.demo.ledger import Arrival, Ledger, LogError, Period, Transitions, read_log
from examples.demo.process import ROOT, ServiceError, ServiceProcess
from examples.demo.settings import Settings
from examples.demo.tally import Tally
from examples.demo.ticket import Ticket
from examples.demo.timeline import Timeline
from resilience import CircuitBreaker, RateLimitExceeded, State, TokenBucket, rate_limited

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


def line(number: int) -> str:
    """A line that the service might have written."""
    ticket = {"number": number, "asked_at": 1.0, "admitted_at": 1.1, "from_generation": 0, "generation": 0}
    return json.dumps({"event": "call", "arrived_at": 1.2, "mode": "well", **ticket}) + "\n"


def test_a_line_torn_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    """Where a new process took up the log, or where the log ends, half a line is no fault."""
    log = tmp_path / "log"
    log.write_text(line(1) + line(2)[:9] + '\n{"event": "listening", "pid": 1}\n' + line(3) + line(4)[:9])

    assert [1, 3] == [arrival.ticket.number for arrival in read_log(log)]


@pytest.mark.parametrize(
    "text", [line(1)[:9] + "\n" + line(2) + line(3), line(1)[:9] + "\n" + line(2), '{"event": "call"}']
)
def test_any_other_bad_line_is_an_error(tmp_path: Path, text: str) -> None:
    """Half a line in the midst of a process's life, or a call without its ticket, is no evidence."""
    (tmp_path / "log").write_text(text)

    with pytest.raises(LogError, match="line 1 "):
        read_log(tmp_path / "log")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service at work."""
    with ServiceProcess(SETTINGS, tmp_path) as process:
        yield process


def work(process: ServiceProcess, timeout: float = 5.0) -> int:
    """The status of one call, which takes *timeout* seconds at most."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=timeout)
    try:
        connection.request("GET", "/work", headers=call(time.monotonic()).ticket.headers())
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_service_logs_calls_made_well_erroring_hung_and_after_its_death(process: ServiceProcess) -> None:
    """Its log goes on through every fault, and a backlog keeps the instants of its admission."""
    assert (SETTINGS.rate, SETTINGS.capacity) == process.limit()
    assert 204 == work(process)
    process.mode("erroring")
    assert 503 == work(process)
    process.stop()
    with pytest.raises(TimeoutError):
        work(process, timeout=0.1)
    resumed_at = time.monotonic()
    process.resume()
    assert 503 == work(process)
    process.kill()
    with pytest.raises(ConnectionRefusedError):
        work(process)
    process.start()
    assert 204 == work(process)

    arrivals = read_log(process.log)

    assert ["well", "erroring", "erroring", "erroring", "well"] == [arrival.mode for arrival in arrivals]
    assert [False, False, True, False, False] == [
        arrival.ticket.admitted_at < resumed_at - 0.09 < resumed_at <= arrival.arrived_at for arrival in arrivals
    ]


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Its last words are in the error."""
    process = ServiceProcess(SETTINGS, tmp_path)
    process.log.mkdir()

    with pytest.raises(ServiceError, match="IsADirectoryError"), process:
        pytest.fail("it must not start")


def test_a_leaky_guard_makes_each_third_call_that_it_refuses() -> None:
    """The sabotage is real: the function runs although the policy refused."""
    made: list[int] = []
    limited = leaky(rate_limited(TokenBucket(rate=0.001, capacity=1)), RateLimitExceeded)(made.append)
    for number in range(6):
        try:
            limited(number)
        except RateLimitExceeded:
            assert number not in made

    assert [0, 3] == made


def test_periods_are_numbered_as_the_breaker_numbers_them() -> None:
    """A call's reading of the generation finds the period that it was made in."""
    breaker = CircuitBreaker("followed", failure_threshold=1)
    transitions = Transitions(breaker, time.monotonic())
    numbers = [breaker.snapshot().generation]
    with pytest.raises(OSError, match="broken"), breaker:
        raise OSError("broken")
    numbers.append(breaker.snapshot().generation)

    assert [State.CLOSED, State.OPEN] == [period.state for period in transitions.all()]
    assert numbers == [period.generation for period in transitions.all()]
    assert ([State.OPEN], []) == ([period.state for period in transitions.fresh()], transitions.fresh())


@pytest.mark.parametrize("plain", [True, False])
def test_the_timeline_is_live_on_a_terminal_and_plain_elsewhere(monkeypatch, plain: bool) -> None:
    """Before a row is finished, only a terminal shows it; elsewhere lines are whole and free of control characters."""
    monkeypatch.setenv("COLUMNS", "80")
    out, tally = io.StringIO(), Tally()
    timeline = Timeline(out, tally, 100.0, plain=plain)
    tally.ended(0.012, failed=False)
    tally.rejected_by_limiter()
    row = "0.5 s well closed 2 1 0 1 0 12 12"
    head = out.getvalue()
    timeline.tick(100.2, "well", "closed")
    live = out.getvalue()
    timeline.tick(100.5, "well", "closed")

    assert plain == (live == head) == ("\x1b" not in out.getvalue())
    assert row == " ".join(re.sub(r"\x1b\[\d*[mK]", "", out.getvalue().splitlines()[-1]).split())


def start(*options: str, **environment: str) -> subprocess.Popen[str]:
    """A short demo, begun."""
    command = [sys.executable, "-u", "-m", "examples.demo", "--seconds", "6", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
def test_sound_policies_keep_their_promises() -> None:
    """A whole run, through all four faults, ends with every promise kept."""
    with start() as demo:
        shown, said = demo.communicate(timeout=60)

    assert (0, "") == (demo.returncode, said), shown
    assert shown.endswith("Every promise was kept.\n")
    assert all(fault in shown for fault in FAULTS.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sabotage", "broken"), [("limiter", "admitted in any t seconds"), ("breaker", "calls in a half-open round")]
)
def test_sabotaged_policies_are_caught(sabotage: str, broken: str) -> None:
    """A policy that leaks makes the table name the promise, and the run fail."""
    with start("--sabotage", sabotage) as demo:
        shown, said = demo.communicate(timeout=60)

    assert (1, "") == (demo.returncode, said), shown
    assert broken in shown.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or an end asked for, ends the service too, even a hung one, and takes its folder away."""
    with start(TMPDIR=str(tmp_path)) as demo:
        assert demo.stdout is not None
        assert any(FAULTS["hung"] in line for line in demo.stdout)
        log = next(tmp_path.glob("*/service.jsonl"))
        service = json.loads(log.read_text().partition("\n")[0])["pid"]
        demo.send_signal(number)
        demo.communicate(timeout=10)

    assert (128 + number, []) == (demo.returncode, list(tmp_path.iterdir()))
    with pytest.raises(ProcessLookupError):
        os.kill(service, 0)
