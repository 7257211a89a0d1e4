"""A small language for the lives of circuit breakers, and what reads it.

A life is words with blanks between them. `a:b` has an argument, `a#b` speaks of the call in flight called b, `a*3` is
said three times.

    ok fail ignored aborted cancelled    a call that is admitted and ends that way (`:2` after 2 seconds)
    start#p   ok#p fail#p ignored#p ...  a call that is admitted and stays in flight, and its end
    refused  refused:3  refused:none     a call that is not made, with its retry_after
    fresh:100                            so many refused calls: each error a new one, no traceback longer than another's
    crowd:10x500:ok,ignored              ten threads (or tasks) make 500 calls each, ending in turn in these ways
    +2.5                                 time goes on
    force  force:60  disable  reset      the orders
    unmade                               a breaker with these options is a ValueError
    is:open  window:9/3  window:9/3/1    the state; verdicts, failures and slow ones in the window
    row:2  stale:1  rejected:1  running:1  openings:2  wait:3  wait:none  last:Down    the rest of the snapshot
    opened:1  half_opened:1  would:3     how often listeners heard of that
    heard:1_of_2                         the reason of the last transition begins so (`_` is a blank)
"""

from __future__ import annotations

import asyncio
import re
import traceback
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State
from resilience.events import StateChanged, WouldReject
from resilience.testing import FakeClock
from tests.scenarios.forms import FORMS
from tests.scenarios.in_flight import Aborted, Down, NotMine
from tests.scenarios.row import Row, misread

__all__ = ["live"]

WORD = re.compile(r"(?P<verb>[a-z_]+|\+)(#(?P<label>\w+))?:?(?P<given>[^*]*)(\*(?P<times>\d+))?")
ENDINGS: dict[str, type[BaseException] | None] = {
    "ok": None,
    "fail": Down,
    "ignored": NotMine,
    "aborted": Aborted,
    "cancelled": asyncio.CancelledError,
}
ORDERS = ("force", "disable", "reset")


def live(row: Row, form: str) -> None:
    """Let a breaker live through a row, its calls made in *form*."""
    if row.steps == "unmade":
        with pytest.raises(ValueError):
            CircuitBreaker(**row.options)
        return
    life = _Life(row, form)
    try:
        for word in row.steps.split():
            life.read(word)
    finally:
        life.calls.close()


class _Life:
    def __init__(self, row: Row, form: str) -> None:
        self.clock = FakeClock(100.0)
        self.events: list[Any] = []
        more = {"clock": self.clock, "ignore": NotMine, "listeners": [self.events.append]}
        self.breaker = CircuitBreaker(row.title, **{**more, **row.options})
        self.calls = FORMS[form](self.breaker)

    def read(self, word: str) -> None:
        """Do what a word says, or see whether it is so."""
        match = WORD.fullmatch(word)
        if match is None:
            misread(word)
        verb, label, given = match["verb"], match["label"], match["given"]
        for _ in range(int(match["times"] or 1)):
            if verb in ENDINGS:
                self._end(verb, label, given)
            elif verb == "start":
                assert self.calls.start(label) is None, word
            elif verb == "+":
                self.clock.advance(float(given))
            elif verb in ORDERS:
                self._order(verb, given)
            elif verb in ("refused", "fresh", "crowd"):
                getattr(self, f"_{verb}")(given)
            else:
                assert (word, given) == (word, self._seen(verb, given))

    def _end(self, verb: str, label: str | None, given: str) -> None:
        kind = ENDINGS[verb]
        error = None if kind is None else kind()
        if label is not None:
            out = self.calls.end(label, error)
        else:
            out = self.calls.call(error, during=lambda: self.clock.advance(float(given or 0)))
        assert (verb, kind) == (verb, None if out is None else type(out))
        if kind is not asyncio.CancelledError:  # a cancelled task makes an error of its own
            assert error is out

    def _order(self, verb: str, given: str) -> None:
        if verb == "force":
            self.breaker.force_open(float(given) if given else None)
        else:
            getattr(self.breaker, verb)()

    def _turned_away(self) -> CircuitOpenError:
        inside: list[object] = []
        error = self.calls.call(during=lambda: inside.append(1))
        assert isinstance(error, CircuitOpenError), error
        assert inside == []
        return error

    def _refused(self, given: str) -> None:
        error = self._turned_away()
        if given:
            assert (None if given == "none" else float(given)) == error.retry_after

    def _fresh(self, given: str) -> None:
        errors = [self._turned_away() for _ in range(int(given))]
        assert int(given) == len({id(error) for error in errors})
        assert 1 == len({len(traceback.extract_tb(error.__traceback__)) for error in errors})

    def _crowd(self, given: str) -> None:
        size, endings = given.split(":")
        people, each = map(int, size.split("x"))
        kinds = [ENDINGS[word] for word in endings.split(",")]
        errors = [None if kind is None else kind() for kind in kinds] * (each // len(kinds))
        outcomes = self.calls.crowd(people, errors)
        for kind in kinds:
            count = sum((None if out is None else type(out)) is kind for out in outcomes)
            assert (kind, people * each // len(kinds)) == (kind, count)

    def _seen(self, verb: str, given: str) -> str:
        look = self.breaker.snapshot()
        moves = [event for event in self.events if isinstance(event, StateChanged)]
        match verb:
            case "is":
                assert self.breaker.state is look.state
                return look.state.value
            case "window":
                return "/".join(map(str, (look.calls, look.failures, look.slow)[: given.count("/") + 1]))
            case "wait":
                return "none" if look.retry_after is None else f"{look.retry_after:.12g}"
            case "heard":
                reason = moves[-1].reason.replace(" ", "_")
                return reason[: len(given)]
            case "opened" | "half_opened":
                state = State.OPEN if verb == "opened" else State.HALF_OPEN
                return str(sum(event.new is state for event in moves))
            case "would":
                return str(sum(isinstance(event, WouldReject) for event in self.events))
            case "row" | "stale" | "rejected" | "running" | "openings" | "last":
                names = {"row": "failures_in_a_row", "running": "probes_running", "last": "last_failure"}
                return str(getattr(look, names.get(verb, verb))).replace(" ", "_")
            case _:
                return misread(verb)
