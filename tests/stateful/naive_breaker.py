"""A circuit breaker so plain that it is right by inspection: it keeps every verdict and recomputes every answer.

It imports nothing from the package. Times are whole nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

__all__ = ["HALF_A_MINUTE", "NaiveBreaker", "Ticket", "Verdict"]

HALF_A_MINUTE = 30 * 10**9


class Verdict(NamedTuple):
    """How a call ended, and when."""

    at: int
    failure: str | None
    slow: bool


@dataclass(eq=False)
class Ticket:
    """What one call holds: the period it was admitted in and, for a probe, its deadline and its end."""

    generation: int
    deadline: int | None = None
    verdict: Verdict | None = None
    given_back: bool = False

    @property
    def running(self) -> bool:
        return self.verdict is None and not self.given_back


class NaiveBreaker:
    """Takes the keywords of the real configuration, and lists: no counter is kept that a list can answer."""

    def __init__(self, now: int, **rules: object) -> None:
        self.rules = SimpleNamespace(**rules)
        self.now = now
        self.state, self.generation, self.since, self.until = "closed", 1, now, None
        self.length = self.rules.recovery_time or HALF_A_MINUTE
        self.probe_timeout = HALF_A_MINUTE
        self.undecided = False
        self.verdicts: list[Verdict] = []
        self.probes: list[Ticket] = []
        self.last_failure: str | None = None
        self.openings = self.stale = self.rejected = 0
        self.transitions: list[tuple[int, str, str, int]] = []

    # -- calls ----------------------------------------------------------------------------------------------------

    def admit(self, now: int) -> Ticket | None:
        if self.state in ("closed", "disabled"):
            return Ticket(self.generation)
        self.observe(now)
        if self.undecided:
            return None
        if self.until is not None and self.now >= self.until:
            self.begin("half_open", self.now, until=None)
            self.probe_timeout = self.rules.probe_timeout or max(self.length, HALF_A_MINUTE)
        if self.state == "half_open" and sum(not probe.given_back for probe in self.probes) < self.rules.probes:
            self.probes.append(Ticket(self.generation, deadline=self.now + self.probe_timeout))
            return self.probes[-1]
        self.rejected += 1
        return None

    def settle(self, ticket: Ticket, now: int, failure: str | None, *, slow: bool) -> None:
        self.observe(now)
        if ticket.generation != self.generation or not ticket.running:
            self.stale += 1
        elif self.state == "half_open":
            self.judge(ticket, self.now, failure, slow=slow)
        else:
            self.record(failure, slow=slow)

    def give_back(self, ticket: Ticket, now: int) -> None:
        """Nothing else moves; a probe that comes too late is lost, as the next step will notice."""
        if ticket.running and ticket.deadline is not None and max(now, self.now) < ticket.deadline:
            ticket.given_back = True

    def observe(self, now: int) -> None:
        self.now = max(self.now, now)
        while overdue := [probe for probe in self.running() if probe.deadline <= self.now]:
            lost = min(overdue, key=lambda probe: probe.deadline)
            self.judge(lost, lost.deadline, "a lost probe", slow=True)

    # -- verdicts -------------------------------------------------------------------------------------------------

    def record(self, failure: str | None, *, slow: bool) -> None:
        self.verdicts.append(Verdict(self.now, failure, slow))
        self.last_failure = failure or self.last_failure
        if self.state == "closed" and self.breaks_a_rule(self.verdicts[-1]):
            self.open(self.now)

    def breaks_a_rule(self, verdict: Verdict) -> bool:
        rules = self.rules
        if verdict.failure and rules.failure_threshold and self.failures_in_a_row() >= rules.failure_threshold:
            return True
        calls, failures, slow = self.counts(self.now)
        if not calls or calls < rules.minimum_calls:
            return False
        if verdict.failure and rules.failure_rate is not None and failures / calls >= rules.failure_rate:
            return True
        return verdict.slow and rules.slow_call_rate is not None and slow / calls >= rules.slow_call_rate

    def judge(self, probe: Ticket, at: int, failure: str | None, *, slow: bool) -> None:
        probe.verdict = Verdict(at, failure, slow)
        self.last_failure = failure or self.last_failure
        verdicts = [probe.verdict for probe in self.probes if probe.verdict is not None]
        failed = [verdict.failure is not None for verdict in verdicts]
        fates = [self.fate(failed, self.rules.failure_rate)]
        if self.rules.slow_call_rate is not None:
            fates.append(self.fate([verdict.slow for verdict in verdicts], self.rules.slow_call_rate))
        if "reopen" in fates:
            self.open(at)
        elif set(fates) == {"close"}:
            self.openings = 0
            self.begin("closed", at, until=None)

    def fate(self, bad: list[bool], rate: float | None) -> str:
        """What the verdicts so far make certain, found by trying the best and the worst that may still come."""
        rest = self.rules.probes - len(bad)
        best, worst = ([*bad, *[late] * rest] for late in (False, True))

        def reopens(all_of_them: list[bool]) -> bool:
            return any(all_of_them) if rate is None else sum(all_of_them) / len(all_of_them) >= rate

        return "reopen" if reopens(best) else "open question" if reopens(worst) else "close"

    # -- orders ---------------------------------------------------------------------------------------------------

    def force_open(self, now: int, length: int | None) -> None:
        self.observe(now)
        self.begin("forced_open", self.now, until=None if length is None else self.now + length)

    def admit_all(self, state: str, now: int) -> None:
        self.observe(now)
        self.openings = 0
        self.begin(state, self.now, until=None)

    def answer(self, length: int, generation: int) -> None:
        self.length = length
        if self.generation == generation and self.state == "open":
            self.until = self.since + length

    # -- looks ----------------------------------------------------------------------------------------------------

    def running(self) -> list[Ticket]:
        return [probe for probe in self.probes if probe.running]

    def failures_in_a_row(self) -> int:
        if self.rules.failure_threshold is None:
            return 0
        run = 0
        while run < len(self.verdicts) and self.verdicts[-1 - run].failure:
            run += 1
        return run

    def wait(self, now: int) -> int | None:
        deadlines = [probe.deadline for probe in self.running()]
        at = min(deadlines, default=None) if self.state == "half_open" else self.until
        return None if at is None else max(0, at - max(now, self.now))

    def counts(self, now: int) -> tuple[int, int, int]:
        window = self.window(max(now, self.now))
        return len(window), sum(one.failure is not None for one in window), sum(one.slow for one in window)

    def window(self, now: int) -> list[Verdict]:
        rules = self.rules
        if rules.failure_rate is None and rules.slow_call_rate is None:
            return []
        if rules.window_span is None:
            return self.verdicts[-(rules.window_calls or 100) :]
        return [verdict for piece in self.slices(now) for verdict in piece]

    def slices(self, now: int) -> list[list[Verdict]]:
        """Those whose first verdict is younger than the span."""
        span = self.rules.window_span
        slices: list[list[Verdict]] = []
        for verdict in self.verdicts:
            first = slices[-1][0] if slices else None
            if first is None or (verdict.at - first.at) * 100 >= span:
                slices.append([])
            slices[-1].append(verdict)
        return [piece for piece in slices if now - piece[0].at < span]

    def boundaries(self) -> list[int]:
        """The instants at which something is due to change."""
        due = [probe.deadline for probe in self.running()]
        if self.until is not None:
            due.append(self.until)
        if self.rules.window_span is not None and self.verdicts:
            due += [piece[0].at + self.rules.window_span for piece in self.slices(self.now)]
            due += [piece[0].at + -(-self.rules.window_span // 100) for piece in self.slices(self.now)]
        return sorted(due)

    # -- transitions ----------------------------------------------------------------------------------------------

    def open(self, at: int) -> None:
        self.openings += 1
        self.begin("open", at, until=at + self.length)
        self.undecided = self.rules.recovery_time is None

    def begin(self, state: str, at: int, *, until: int | None) -> None:
        if state != self.state:
            self.transitions.append((at, self.state, state, self.generation + 1))
        self.state, self.since, self.until = state, at, until
        self.generation += 1
        self.undecided = False
        self.verdicts, self.probes = [], []
