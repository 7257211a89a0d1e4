"""The tables are complete, and what reads them notices a life that is told wrongly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.scenarios import breaker_rows, breaker_steps, half_open_rows, in_line, limiter_rows, limiter_steps
from tests.scenarios.catalogue import IDS, LEFT_OUT
from tests.scenarios.row import Row

ROWS = [*breaker_rows.ROWS, *half_open_rows.ROWS, *limiter_rows.ROWS]
BREAKER = {"failure_rate": 0.5, "window_calls": 10, "minimum_calls": 2, "slow_call_duration": 1, "slow_call_rate": 1.0}
BUCKET = {"rate": 1, "capacity": 2}


def test_each_scenario_is_told_or_left_out() -> None:
    """Each number of the catalogue is that of a row, or of one left out, and no other numbers are."""
    assert set(IDS) == {row.id for row in ROWS} | LEFT_OUT.keys()


def test_no_scenario_is_both_told_and_left_out() -> None:
    """A number that is left out has no row."""
    assert set() == {row.id for row in ROWS} & LEFT_OUT.keys()


def test_the_catalogue_has_each_number_once() -> None:
    """There are 83 scenarios, 55 of circuit breakers and 28 of rate limiters."""
    assert {"CB": 55, "RL": 28} == Counter(number[:2] for number in dict.fromkeys(IDS))
    assert 83 == len(IDS)


def test_what_is_left_out_has_a_reason() -> None:
    """Each number that is left out says why, in a sentence."""
    assert [] == [number for number, reason in LEFT_OUT.items() if not reason.endswith(".")]


def test_rows_are_told_apart() -> None:
    """No two rows have the same title."""
    assert [] == [title for title, times in Counter(row.title for row in ROWS).items() if times > 1]


@pytest.mark.parametrize(
    "steps",
    [
        "fail fail ok",
        "fail fail fail",
        "fail fail start#a",
        "refused",
        "fail fail refused:29",
        "fail fail refused:none",
        "force refused:30",
        "ok fresh:2",
        "crowd:2x2:ok,fail",
        "ok is:open",
        "fail window:1/0",
        "ok:2 window:1/0/0",
        "fail fail +30 start#p running:0",
        "fail fail openings:2",
        "fail fail opened:2",
        "fail fail half_opened:1",
        "ok wait:0",
        "fail last:NotMine",
        "fail fail heard:3_of",
        "start#a fail fail ok#a stale:0",
        "fail fail refused rejected:2",
        "ok would:1",
        "ok row:1",
    ],
)
def test_a_breaker_that_does_otherwise_is_noticed(steps: str) -> None:
    """A breaker that does not live as its row says fails the row's test."""
    with pytest.raises(AssertionError):
        breaker_steps.live(Row(id="CB00", project="nobody", options=BREAKER, steps=steps), "function")


@pytest.mark.parametrize(
    "steps",
    [
        "yes yes yes",
        "no",
        "yes:2 wait#a:1=2",
        "yes:2 wait#a:1=1 waiting:2",
        "yes wait#a:2",
        "yes:2 wait#a:1 waiting:1",
        "yes:2 wait#a:1=1 wait#b:1=2 cancel#a",
        "crowd:3=3",
        "tokens:1",
        "yes:2 refuse:1<0.5~2",
        "yes:2 @0.5 yes",
        "yes:2 @1 no",
        "yes:2 set:1,4 tokens:2",
        "yes refund:1 tokens:1",
        "charge:3 tokens:0",
        "pause:1 yes",
    ],
)
def test_a_bucket_that_does_otherwise_is_noticed(steps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that does not live as its row says fails the row's test."""
    monkeypatch.setattr(in_line, "SOON", 0.1)
    with pytest.raises(AssertionError):
        limiter_steps.live(Row(id="RL00", project="nobody", options=BUCKET, steps=steps), "decorated")


@pytest.mark.parametrize("steps", ["yes refuse:1<5", "never:2"])
def test_a_bucket_that_does_not_refuse_is_noticed(steps: str) -> None:
    """A call that passes where its row says that it is refused fails the row's test."""
    with pytest.raises(pytest.fail.Exception):
        limiter_steps.live(Row(id="RL00", project="nobody", options=BUCKET, steps=steps), "threads")


def test_a_waiter_that_comes_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that is served after the instant of its row fails the row's test."""
    monkeypatch.setattr(in_line, "SOON", 0.1)
    with pytest.raises(TimeoutError):
        limiter_steps.live(Row(id="RL00", project="nobody", options=BUCKET, steps="yes:2 wait#a:1=0.5"), "threads")


@pytest.mark.parametrize(("policy", "steps"), [(breaker_steps, "oops:1"), (limiter_steps, "oops:1")])
def test_a_word_that_nobody_understands_is_an_error(policy: Any, steps: str) -> None:
    """A misspelt word stops a row; it is not skipped."""
    options = BREAKER if policy is breaker_steps else BUCKET
    form = "function" if policy is breaker_steps else "threads"
    with pytest.raises(ValueError, match="no step reads 'oops"):
        policy.live(Row(id="XX00", project="nobody", options=options, steps=steps), form)
