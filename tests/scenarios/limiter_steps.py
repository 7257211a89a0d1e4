"""A small language for the lives of token buckets, and what reads it.

A life is words with blanks between them; instants and lengths are in the row's unit of time.

    yes  no  yes:2  no:2        a call of that cost (1) that must pass, or be turned away, without waiting
    refuse:2<5  refuse:2<5~7    one that would wait at most 5 is refused at once, with retry_after 7; none may sleep
    never:4                     a cost that can never be had is a ValueError
    wait#a:2=7  wait#a:2<9=7    a call that waits in line (at most 9) and is served at instant 7, not before
    wait#a:2  cancel#a          a call that waits until it is cancelled; cancelling one that was served does nothing
    crowd:15=5                  so many calls at once, of which so many pass
    @3                          time goes on to instant 3, and whoever is due until then is served
    @3!                         the same, but who is due at 3 itself will be served by the next word
    set:10  set:10,4  refund:2  charge:2  pause:3     the orders: rate (and capacity), tokens, a length
    tokens:0.5  waiting:2       what there is now, and who stands in line
    unmade                      a bucket with these options is a ValueError
"""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from resilience import RateLimitExceeded, TokenBucket
from resilience.testing import FakeClock
from tests.scenarios.in_line import FORMS, Waiting
from tests.scenarios.row import Row, misread

__all__ = ["live"]

NUMBER = r"[\d.e+-]+"
WORD = re.compile(
    rf"(?P<verb>[a-z]+|@)(#(?P<label>\w+))?:?(?P<given>{NUMBER}(,{NUMBER})?)?"
    rf"(<(?P<limit>{NUMBER}))?(=(?P<due>{NUMBER}))?(~(?P<after>{NUMBER}))?(?P<hold>!)?"
)
SECOND = 10**9


def live(row: Row, form: str) -> None:
    """Let a bucket live through a row, its callers of *form*."""
    if row.steps == "unmade":
        with pytest.raises(ValueError):
            TokenBucket(**row.options)
        return
    life = _Life(row, form)
    try:
        for word in row.steps.split():
            life.read(word)
        life.wait_for_everybody()
    finally:
        life.callers.close()


class _Life:
    def __init__(self, row: Row, form: str) -> None:
        self.unit = Fraction(row.unit) * SECOND
        self.clock = FakeClock(100.0, autojump=False)
        self.bucket = TokenBucket(**row.options, name=row.title, clock=self.clock)
        self.callers = FORMS[form](self.bucket, self.clock, set(re.findall(r"cancel#(\w+)", row.steps)))
        self.pokes = form == "decorated"  # one form alone: a look at the line might mend what a waiter forgot
        self.waiting: dict[str, Waiting] = {}

    # -- time -------------------------------------------------------------------------------------------------------

    def instant(self, given: str) -> int:
        """An instant of the row in nanoseconds."""
        return round(Fraction(given) * self.unit) + 100 * SECOND

    def length(self, given: str | None) -> float | None:
        """A length of the row in seconds."""
        return None if given is None else round(Fraction(given) * self.unit) / SECOND

    def now(self) -> int:
        return round(self.clock.monotonic() * SECOND)

    def go(self, target: int, *, hold: bool = False) -> None:
        """Go on to *target*; everybody who is due on the way must be served then, and nobody else."""
        while (due := min((one.due for one in self.waiting.values() if one.due is not None), default=target)) < target:
            self.step_to(due)
            self.welcome()
        self.step_to(target)
        if not hold:
            self.welcome()

    def step_to(self, target: int) -> None:
        if target > self.now() + 1 and self.waiting:
            self.clock.advance((target - 1 - self.now()) / SECOND)
            if self.pokes:
                assert not self.bucket.allow()
            assert len(self.waiting) == self.bucket.snapshot().waiting, "somebody was served before the time"
        self.clock.advance((target - self.now()) / SECOND)

    def welcome(self) -> None:
        """See everybody come back who is due now."""
        for label, one in list(self.waiting.items()):
            if one.due == self.now():
                assert (label, one.due) == (label, self.callers.came_back(one))
                del self.waiting[label]

    def wait_for_everybody(self) -> None:
        """Go on until the line is empty, as the row says that it will be."""
        assert [] == [label for label, one in self.waiting.items() if one.due is None]
        self.go(max([self.now(), *(one.due for one in self.waiting.values() if one.due is not None)]))
        assert 0 == self.bucket.snapshot().waiting

    # -- words ------------------------------------------------------------------------------------------------------

    def read(self, word: str) -> None:
        """Do what a word says, or see whether it is so."""
        match = WORD.fullmatch(word)
        if match is None:
            misread(word)
        verb, label, given = match["verb"], match["label"], match["given"] or "1"
        match verb:
            case "@":
                self.go(self.instant(given), hold=bool(match["hold"]))
            case "yes" | "no":
                assert (word, verb == "yes") == (word, self.passes(number(given)))
            case "never":
                with pytest.raises(ValueError, match="capacity"):
                    self.callers.try_now(number(given), 0.0)
            case "refuse":
                self.refused(number(given), self.length(match["limit"]), self.length(match["after"]))
            case "wait":
                self.join(label, number(given), self.length(match["limit"]), match["due"])
            case "cancel":
                self.leave(label)
            case "crowd":
                assert int(match["due"]) == self.callers.crowd(int(given)).count(None)
            case "set" | "refund" | "charge" | "pause":
                self.order(verb, given)
            case "tokens":
                assert float(given) == self.bucket.tokens()
            case "waiting":
                assert int(given) == self.bucket.snapshot().waiting
            case _:
                misread(word)

    def passes(self, cost: float) -> bool:
        try:
            self.callers.try_now(cost, 0.0)
        except RateLimitExceeded:
            return False
        return True

    def refused(self, cost: float, limit: float | None, after: float | None) -> None:
        before = self.now(), len(self.clock.sleeps), self.bucket.tokens()
        with pytest.raises(RateLimitExceeded) as caught:
            self.callers.try_now(cost, limit)
        assert before == (self.now(), len(self.clock.sleeps), self.bucket.tokens())
        if after is not None:
            assert after == caught.value.retry_after

    def join(self, label: str, cost: float, limit: float | None, due: str | None) -> None:
        at = None if due is None else self.instant(due)
        self.waiting[label] = self.callers.join(cost, limit, at, label, parked=len(self.waiting))
        self.welcome()

    def leave(self, label: str) -> None:
        one = self.waiting.pop(label, None)
        self.callers.cancel(label)
        assert one is None or one.due is None, f"{label} was to be served and cannot leave"
        self.welcome()

    def order(self, verb: str, given: str) -> None:
        if verb == "set":
            self.bucket.set_rate(*map(number, given.split(",")))
        elif verb == "pause":
            self.bucket.pause(self.length(given) or 0.0)
        else:
            getattr(self.bucket, verb)(number(given))
        self.welcome()


def number(given: str) -> float:
    """An int where it is one: costs and rates are taken as they are written."""
    return int(given) if given.isdecimal() else float(given)
