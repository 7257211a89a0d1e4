"""The log: one logger, levels that tell good news from bad, and the event as a dict beside the text."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, TokenBucket, events
from resilience.testing import FakeClock

WARNING, INFO = "WARNING", "INFO"


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    """Everything from INFO up is kept."""
    caplog.set_level(logging.INFO, "resilience")


def fail() -> None:
    raise ConnectionError


def make(clock: FakeClock, **options: Any) -> CircuitBreaker:
    return CircuitBreaker("payments", failure_threshold=1, recovery_timeout=10, clock=clock, **options)


def trip(breaker: CircuitBreaker) -> None:
    with pytest.raises(ConnectionError):
        breaker.call(fail)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Level, old and new state of each transition logged."""
    return [
        (record.levelname, record.resilience["old"], record.resilience["new"])
        for record in caplog.records
        if record.resilience["event"] == "StateChanged"
    ]


def test_bad_news_is_a_warning_and_good_news_is_not(clock, caplog):
    """To open: WARNING; to half-open and to closed: INFO."""
    breaker = make(clock)
    trip(breaker)
    clock.advance(10)
    breaker.call(int)

    assert [(WARNING, "closed", "open"), (INFO, "open", "half_open"), (INFO, "half_open", "closed")] == told(caplog)


def test_orders_of_an_operator_are_warnings(clock, caplog):
    """To forced open and to disabled: WARNING; the reset: INFO."""
    breaker = make(clock)
    for order in (breaker.force_open, breaker.disable, breaker.reset):
        order()

    expected = [
        (WARNING, "closed", "forced_open"),
        (WARNING, "forced_open", "disabled"),
        (INFO, "disabled", "closed"),
    ]
    assert expected == told(caplog)


def test_probes_that_fail_again_and_again_are_a_warning_once(clock, caplog):
    """The trip and the first reopening in a row are WARNINGs, later ones INFO; after a closing it begins anew."""
    breaker = make(clock)
    for _ in range(4):
        trip(breaker)
        clock.advance(10)
    breaker.call(int)
    trip(breaker)
    levels = [level for level, _, new in told(caplog) if new == "open"]

    assert [WARNING, WARNING, INFO, INFO, WARNING] == levels


def test_a_record_carries_the_event(clock, caplog):
    """`record.resilience` is the event as a dict that JSON takes, whoever listens."""
    heard: list[Any] = []
    breaker = make(clock, listeners=[heard.append])
    trip(breaker)
    (record,) = caplog.records

    assert events.as_dict(heard[0]) == record.resilience
    assert record.resilience == json.loads(json.dumps(record.resilience))


def test_the_text_says_who_what_and_why(clock, caplog):
    """A line can be read without the dict, and names the key where there is one."""
    breaker = make(clock, key=str)
    trip(breaker.for_key("a.example"))
    trip(circuit := make(clock))

    why = "closed -> open: 1 failure in a row, last ConnectionError"
    assert [
        f"circuit {breaker.name!r} for 'a.example': {why}",
        f"circuit {circuit.name!r}: {why}",
    ] == [record.getMessage() for record in caplog.records]


def test_arguments_are_lazy(clock, caplog):
    """The text is put together by the handler, so that records of one kind can be grouped by their template."""
    trip(make(clock))

    assert "%" in caplog.records[0].msg
    assert caplog.records[0].args


def test_transitions_are_logged_without_a_listener(clock, caplog):
    """Transitions are rare, and always logged."""
    CircuitBreaker(clock=clock).disable()

    assert 1 == len(told(caplog))


def rejections(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.resilience["event"] == "CallRejected"]


def reject(policy: CircuitBreaker | TokenBucket, times: int) -> None:
    for _ in range(times):
        if isinstance(policy, TokenBucket):
            assert not policy.allow()
        else:
            with pytest.raises(CircuitOpenError):
                policy.call(int)


@pytest.fixture(params=["circuit_breaker", "rate_limit"])
def refusing(request: pytest.FixtureRequest, clock: FakeClock) -> CircuitBreaker | TokenBucket:
    """A policy of each kind that refuses every call."""
    if request.param == "rate_limit":
        bucket = TokenBucket(1e-6, 1, clock=clock)
        bucket.acquire()
        return bucket
    breaker = CircuitBreaker(clock=clock)
    breaker.force_open()
    return breaker


def test_the_logger_is_silent_until_it_is_asked():
    """A program that configures no logging sees nothing of it on stderr: there is a `NullHandler`."""
    script = "import resilience; resilience.CircuitBreaker().force_open()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ("", "") == (done.stdout, done.stderr)
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("resilience").handlers)
