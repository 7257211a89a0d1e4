"""The breaker core against a naive model that keeps every verdict and recomputes every answer (B1 to B8)."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience._core.breaker import BreakerCore
from resilience._core.config import BreakerConfig
from resilience._core.permit import Permit, SliceTally
from tests.stateful.naive_breaker import NaiveBreaker, Ticket

SECOND = 10**9
RATES = (0.01, 0.25, 1 / 3, 0.495, 0.5, 2 / 3, 0.8, 1.0)
FAILURES = (None, None, "TimeoutError", "OSError")
LENGTHS = st.sampled_from([1, 700, SECOND, 5 * SECOND, 29 * SECOND, 45 * SECOND, 90 * SECOND])
BACK = st.sampled_from([0, 0, 0, 0, 1, 2 * SECOND, 50 * SECOND])
APART = st.sampled_from([0, 0, 0, 0.4, 1, 1.01, 2.5, 49])
PLACE = st.integers(0, 30)


@st.composite
def rules_of_a_breaker(draw: Any) -> dict[str, Any]:
    rate = draw(st.none() | st.sampled_from(RATES))
    slow_rate = draw(st.none() | st.none() | st.sampled_from(RATES))
    rules: dict[str, Any] = {
        "failure_threshold": draw(st.integers(1, 4)) if rate is None else None,
        "failure_rate": rate,
        "slow_call_rate": slow_rate,
        "slow_call_duration": None if slow_rate is None else SECOND,
        "window_calls": None,
        "window_span": None,
        "minimum_calls": draw(st.sampled_from([1, 2, 3, 5, 20])),
        "recovery_time": draw(st.none() | LENGTHS),
        "probes": draw(st.integers(1, 5)),
        "probe_timeout": draw(st.none() | LENGTHS),
    }
    if rate is not None or slow_rate is not None:
        if draw(st.booleans()):
            rules["window_span"] = draw(st.sampled_from([7, 250, 12_345, SECOND, 10 * SECOND, 61 * SECOND + 1]))
        else:
            rules["window_calls"] = draw(st.integers(rules["minimum_calls"], 25) | st.just(100))
    return rules


class BreakerMachine(RuleBasedStateMachine):
    """Every step is made in both; after each, everything that can be asked has the same answer."""

    @initialize(rules=rules_of_a_breaker(), start=st.sampled_from([0, 100 * SECOND]))
    def begin(self, rules: dict[str, Any], start: int) -> None:
        self.clock = start
        self.core = BreakerCore(BreakerConfig(**rules), start)
        self.model = NaiveBreaker(start, **rules)
        self.calls: list[tuple[Permit, Ticket]] = []
        self.questions: list[int] = []

    # -- calls ----------------------------------------------------------------------------------------------------

    @rule(number=st.integers(1, 6), back=BACK, length=st.none() | LENGTHS)
    def admit(self, number: int, back: int, length: int | None) -> None:
        """Calls come; where one finds that an opening has begun, that one's length is asked for first."""
        for _ in range(number):
            self.admitted(self.clock - back, length)

    def admitted(self, now: int, length: int | None) -> bool:
        while True:
            permit, ticket = self.core.admit(now), self.model.admit(now)
            assert (permit is None) == (ticket is None)
            if not self.take_question():
                break
            if length is not None:
                self.answer(-1, length)
        if permit is None:
            assert self.core.wait(now) == self.model.wait(now)
            return False
        self.calls.append((permit, ticket))
        return True

    @precondition(lambda self: self.calls)
    @rule(place=PLACE, failure=st.sampled_from(FAILURES), slow=st.booleans(), back=BACK)
    def settle(self, place: int, failure: str | None, slow: bool, back: int) -> None:
        """Any call ends, in whatever period it began; a failure first tries the short way, which reads no clock."""
        permit, ticket = self.calls.pop(place % len(self.calls))
        if failure and not slow and self.core.count_failure(permit, failure):
            self.model.settle(ticket, self.model.now, failure, slow=False)
            return
        self.core.settle(permit, self.clock - back, failure=failure, slow=slow)
        self.model.settle(ticket, self.clock - back, failure, slow=slow)
        self.take_question()

    @precondition(lambda self: self.calls)
    @rule(place=PLACE, back=BACK)
    def give_back(self, place: int, back: int) -> None:
        """Any call ends and proves nothing."""
        permit, ticket = self.calls.pop(place % len(self.calls))
        self.core.give_back(permit, self.clock - back)
        self.model.give_back(ticket, self.clock - back)
        self.take_question()

    @rule(number=st.integers(1, 30) | st.just(130), failure=st.sampled_from(FAILURES), slow=st.booleans(), apart=APART)
    def burst(self, number: int, failure: str | None, slow: bool, apart: float) -> None:
        """A run of calls that all end alike, so many slices of the window apart."""
        for _ in range(number):
            if not self.admitted(self.clock, None):
                return
            self.settle(-1, failure, slow, 0)
            self.clock += int((self.model.rules.window_span or 0) / 100 * apart)
            self.same()

    @rule(number=st.integers(0, 5), slow=st.booleans())
    def trip_and_wait(self, number: int, slow: bool) -> None:
        """Calls fail until the circuit opens; when the time is over, so many probes set out."""
        self.burst(30, "OSError", slow, 0)
        if self.model.until is not None:
            self.clock = max(self.clock, self.model.until)
        self.admit(number, 0, None)

    # -- time and orders ------------------------------------------------------------------------------------------

    @rule(length=st.sampled_from([1, 2, 80, 124, SECOND // 10, SECOND, 31 * SECOND]) | st.integers(0, 100 * SECOND))
    def pass_time(self, length: int) -> None:
        self.clock += length

    @rule(place=PLACE, offset=st.sampled_from([-1, 0, 0, 0, 1]))
    def pass_to_a_boundary(self, place: int, offset: int) -> None:
        """Go to the very nanosecond at which something is due, or one beside it."""
        due = [at for at in self.model.boundaries() if at + offset > self.clock]
        if due:
            self.clock = due[place % min(3, len(due))] + offset

    @rule(
        command=st.sampled_from(["", "", "", "force_open", "disable", "reset"]), length=st.none() | LENGTHS, back=BACK
    )
    def order(self, command: str, length: int | None, back: int) -> None:
        """An operator's command, now and then."""
        now = self.clock - back
        if command == "force_open":
            self.core.force_open(now, length)
            self.model.force_open(now, length)
        elif command:
            getattr(self.core, command)(now)
            self.model.admit_all("disabled" if command == "disable" else "closed", now)
        self.take_question()

    @precondition(lambda self: self.questions)
    @rule(place=PLACE, length=LENGTHS, number=st.integers(0, 2))
    def answer_late(self, place: int, length: int, number: int) -> None:
        """The length of an opening is known at last, perhaps long after that opening; calls follow."""
        self.answer(place, length)
        self.admit(number, 0, None)

    def answer(self, place: int, length: int) -> None:
        generation = self.questions.pop(place % len(self.questions))
        self.core.open_for(length, generation)
        self.model.answer(length, generation)

    def take_question(self) -> bool:
        """Notice, as the gate does, that the length of a new opening is to be asked for."""
        assert self.core.opening == (self.model.openings if self.model.undecided else 0)
        if not self.core.opening:
            return False
        self.core.opening, self.model.undecided = 0, False
        self.questions.append(self.core.generation)
        return True

    # -- the law --------------------------------------------------------------------------------------------------

    @invariant()
    def same(self) -> None:
        """Core and model agree on everything that can be asked; the window empties with time alone (B7)."""
        core, model = self.core, self.model
        assert core.counts(self.clock) == model.counts(self.clock)
        assert core.wait(self.clock) == model.wait(self.clock)
        for fact in ("generation", "since", "until", "length", "openings", "stale", "rejected", "last_failure"):
            assert (fact, getattr(core, fact)) == (fact, getattr(model, fact))
        assert core.state.value == model.state
        assert core.failures_in_a_row == model.failures_in_a_row()
        assert (len(core.round.running) if core.round else 0) == len(model.running())
        assert [(move.at, move.old.value, move.new.value, move.generation) for move in core.moves] == model.transitions
        core.moves.clear()
        model.transitions.clear()

    @invariant()
    def a_quiet_permit_is_the_standing_one_without_debts(self) -> None:
        """`quiet` is the standing permit, or None while failures in a row stand against the circuit."""
        assert self.core.quiet is (None if self.model.failures_in_a_row() else self.core.standing)

    @invariant()
    def only_an_open_circuit_is_shut(self) -> None:
        """`shut` promises rejections while the circuit is open, until its end or for ever, and nowhere else."""
        shut = self.model.state in ("open", "forced_open")
        assert (self.core.shut and self.core.shut[:2]) == ((self.model.until, self.model.state) if shut else None)

    @invariant()
    def slices_are_few(self) -> None:
        """A window by seconds is kept in at most a hundred slices."""
        if isinstance(self.core.standing, SliceTally):
            assert len(self.core.standing._slices) <= 100


TestBreakerModel = BreakerMachine.TestCase
TestBreakerModel.settings = settings(max_examples=max(300, settings.default.max_examples))


def test_all_probes_of_a_round_have_one_timeout():
    """A length that comes late from a recovery-time function changes the time of no probe of the round (B4)."""
    core = BreakerCore(BreakerConfig(failure_threshold=1, recovery_time=None, probes=2), 0)
    core.settle(core.admit(0), 0, failure="OSError")
    core.opening = 0
    core.open_for(90 * SECOND, core.generation)
    core.admit(90 * SECOND)
    core.open_for(SECOND, core.generation - 1)
    core.admit(91 * SECOND)

    assert 89 * SECOND == core.wait(91 * SECOND)


def test_a_look_at_the_window_changes_nothing():
    """A look at the window takes nothing out of it that a step with an earlier time would still have counted."""
    core = BreakerCore(BreakerConfig(failure_threshold=None, failure_rate=1.0, minimum_calls=2, window_span=SECOND), 0)
    core.settle(core.admit(0), 0, failure="OSError")
    core.counts(SECOND)
    core.settle(core.admit(0), SECOND - 1, failure="OSError")

    assert "open" == core.state.value
