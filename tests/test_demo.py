"""The demo's parts, and whole runs, sound and sabotaged."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo.chaos import FAULTS
from examples.demo.guards import leaky
from examples.demo.ledger import LogError, Transitions, read_log
from examples.demo.process import ROOT, ServiceError, ServiceProcess
from examples.demo.settings import Settings
from examples.demo.tally import Tally
from examples.demo.timeline import Timeline
from resilience import CircuitBreaker, RateLimitExceeded, State, TokenBucket, rate_limited
from tests.test_demo_verdicts import call

SETTINGS = Settings(seconds=20)  # 40 at once and 80 a second; 2 probes


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
