"""The promises, judged by the ledger alone, and the table that says how they fared.

Each judgement is one-sided on purpose: what the clients' clock readings leave open is counted in the policies' favour,
so that a busy machine breaks no promise. What is found broken is broken.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from examples.demo.chaos import Outage
from examples.demo.ledger import Ledger
from examples.demo.settings import Settings
from examples.demo.ticket import Ticket
from resilience import State

__all__ = ["Span", "Verdict", "judge", "table", "widest_span"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of the table.

    Args:
        promise: What was promised.
        bound: How much of it.
        measured: What the ledger says.
        kept: Whether the one agrees with the other.
    """

    promise: str
    bound: str
    measured: str
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time and the calls certainly admitted within it.

    Args:
        calls: How many.
        seconds: How long it is.
        allowed: How many a bucket may admit in such a span.
    """

    calls: int
    seconds: float
    allowed: float


def judge(ledger: Ledger, settings: Settings) -> list[Verdict]:
    """Every promise, judged."""
    return [
        judge_limit(ledger, settings),
        judge_probes(ledger, settings),
        judge_open(ledger),
        judge_recovery(ledger, settings),
        judge_outages(ledger, settings),
        judge_evidence(ledger, settings),
    ]


def widest_span(tickets: Sequence[Ticket], *, rate: float, capacity: float) -> Span:
    """The span that comes nearest to the limit `capacity + rate * seconds`, or goes furthest beyond it.

    A call counts in each span that holds both its readings, so the bucket's own decision was within it, too. When the
    calls arrived plays no part: a backlog that bursts in when a hung service goes on was admitted earlier.
    """
    widest = Span(calls=0, seconds=0.0, allowed=capacity)
    admitted: list[float] = []
    # From the last start of a span to the first: those asked for later are in the list, the others are not.
    for ticket in sorted(tickets, key=attrgetter("asked_at"), reverse=True):
        insort(admitted, ticket.admitted_at)
        for calls, end in enumerate(admitted, start=1):
            seconds = end - ticket.asked_at
            allowed = capacity + rate * seconds
            if calls - allowed > widest.calls - widest.allowed:
                widest = Span(calls=calls, seconds=seconds, allowed=allowed)
    return widest


def judge_limit(ledger: Ledger, settings: Settings) -> Verdict:
    """Never more than `capacity + rate * t` calls admitted in any span of *t* seconds."""
    tickets = [arrival.ticket for arrival in ledger.arrivals]
    span = widest_span(tickets, rate=settings.rate, capacity=settings.capacity)
    return Verdict(
        promise="admitted in any t seconds",
        bound=f"{settings.capacity:g} + {settings.rate:g} t",
        measured=f"{span.calls} in {span.seconds:.2f} s, where {span.allowed:.1f} may",
        # A millionth of a call is the readings' own rounding.
        kept=span.calls <= span.allowed + 1e-6,
    )


def judge_probes(ledger: Ledger, settings: Settings) -> Verdict:
    """At most `probes` calls in any one half-open round."""
    rounds = Counter({period.generation: 0 for period in ledger.periods if period.state is State.HALF_OPEN})
    for arrival in ledger.arrivals:
        match ledger.admitting(arrival.ticket):
            case [only] if only.state is State.HALF_OPEN:
                rounds[only.generation] += 1
    most = max(rounds.values(), default=0)
    return Verdict(
        promise="calls in a half-open round",
        bound=f"{settings.probes}",
        measured=f"{most} at most, in {len(rounds)} rounds",
        kept=most <= settings.probes,
    )


def judge_open(ledger: Ledger) -> Verdict:
    """No call while the circuit is open."""
    leaked = sum(not ledger.admitting(arrival.ticket) for arrival in ledger.arrivals)
    times = sum(period.state is State.OPEN for period in ledger.periods)
    return Verdict(
        promise="calls while open",
        bound="0",
        measured=f"{leaked}, open {times} times",
        kept=leaked == 0,
    )


def seconds_to_close(ledger: Ledger, outage: Outage, settings: Settings) -> float:
    """Seconds from the end of *outage* until the circuit was closed: 0 if it was, infinite if it never was."""
    state = ledger.periods[0].state
    for period in ledger.periods:
        if period.began_at <= outage.ended_at:
            state = period.state
    later = [period for period in ledger.periods if period.began_at > outage.ended_at]
    # Calls still under way when the service recovers may yet fail, and open the circuit for the first time.
    opens = any(period.began_at <= outage.ended_at + settings.call_timeout for period in later)
    if state is State.CLOSED and not opens:
        return 0.0
    closings = [period.began_at for period in later if period.state is State.CLOSED]
    return min(closings, default=math.inf) - outage.ended_at


def judge_recovery(ledger: Ledger, settings: Settings) -> Verdict:
    """Closed again within the bound, each time that the service is well again."""
    times = [(seconds_to_close(ledger, outage, settings), outage.kind) for outage in ledger.outages]
    longest, kind = max(times, default=(0.0, "no fault"))
    return Verdict(
        promise="recovery to closed",
        bound=f"{settings.recovery_bound:.2f} s",
        measured=f"never, after {kind}" if math.isinf(longest) else f"{longest:.2f} s, after {kind}",
        kept=longest <= settings.recovery_bound,
    )


def judge_outages(ledger: Ledger, settings: Settings) -> Verdict:
    """Few calls made before a fault opens the circuit; the rest of them are saved."""
    spent = []
    for outage in ledger.outages:
        calls = 0
        for arrival in ledger.arrivals:
            within = outage.began_at <= arrival.ticket.admitted_at <= outage.ended_at
            periods = ledger.admitting(arrival.ticket)
            calls += within and bool(periods) and all(period.state is State.CLOSED for period in periods)
        spent.append((calls - settings.outage_bound(outage.kind), calls, outage.kind))
    over, calls, kind = max(spent, default=(0, 0, "no fault"))
    return Verdict(
        promise="calls spent on a fault",
        bound=f"{settings.outage_bound('dead')}, slow {settings.outage_bound('slow')}",
        measured=f"{calls} at most, on {kind}",
        kept=over <= 0,
    )


def judge_evidence(ledger: Ledger, settings: Settings) -> Verdict:
    """The log itself: each call once, after its admission, in a known generation, and none lost but to faults."""
    tickets = [arrival.ticket for arrival in ledger.arrivals]
    numbers = {ticket.number for ticket in tickets}
    known = {period.generation for period in ledger.periods}
    lost = max(numbers, default=0) - len(numbers)
    # Refused by a dead service or swallowed by its death: those spent on such a fault, and the probes.
    silent = sum(settings.outage_bound(outage.kind) for outage in ledger.outages if outage.kind in {"hung", "dead"})
    rounds = sum(period.state is State.HALF_OPEN for period in ledger.periods)
    faults = [
        (not tickets, "no calls"),
        (not ledger.outages, "no faults"),
        (len(numbers) < len(tickets), "a call logged twice"),
        (any(arrival.arrived_at < arrival.ticket.admitted_at for arrival in ledger.arrivals), "arrived unadmitted"),
        (any(not known >= {ticket.from_generation, ticket.generation} for ticket in tickets), "generation unknown"),
        (lost > silent + settings.probes * rounds, f"{lost} calls lost"),
    ]
    wrong = [text for found, text in faults if found]
    return Verdict(
        promise="calls logged",
        bound="all",
        measured=", ".join(wrong) or f"{len(tickets)} of {max(numbers)}",
        kept=not wrong,
    )


def table(verdicts: Sequence[Verdict]) -> str:
    """*verdicts* in columns, with a head."""
    rows = [("promise", "bound", "measured", "verdict")]
    rows += [(row.promise, row.bound, row.measured, "kept" if row.kept else "BROKEN") for row in verdicts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
