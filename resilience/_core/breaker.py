"""The circuit breaker as a pure state machine.

Theory of operation. `admit(now)` gives a permit or None; `settle(permit, ...)` ends it. CLOSED hands out one standing
permit, OPEN none, HALF_OPEN a few probes (see `half_open`). Each transition starts a new generation: the standing
permit or the round of probes is replaced, so an outcome that comes back from an older one is known by identity, counted
as stale and changes nothing. `quiet` is the standing permit while a plain success would change nothing but a count,
and None otherwise; a shell that finds its permit there need not settle.

`shut` tells before which instant nothing but a rejection can be the answer, and why; `count_failure` is the short way
of a failure that breaks no rule. These two need no lock under the GIL: the one is a look, the other has no call between
its loads and stores, and neither has whoever else writes what they read.

Time is whole nanoseconds and never goes back. The length of an opening may be the answer of a user's function, which a
core never calls: `opening` then says that an answer is due, and until `open_for` brings it the last good length stands.

After Nygard, "Release It!", 2007 (the pattern), and Google's SRE book, chapter 22 (why half-open must be narrow).
"""

from __future__ import annotations

from collections import deque

from resilience._core.config import SECOND, BreakerConfig, several
from resilience._core.half_open import Round
from resilience._core.move import Move, Shut
from resilience._core.permit import GHOST, Counts, Permit, Probe
from resilience._state import State

__all__ = ["BreakerCore"]

_HISTORY = 100
_LEAST_PROBE_TIMEOUT = 30 * SECOND


class BreakerCore:
    """One circuit. Every method wants the caller's lock, and `now` in nanoseconds."""

    __slots__ = (
        "aside", "config", "failures_in_a_row", "generation", "history", "last", "last_failure", "length", "moves",
        "opening", "openings", "quiet", "reason", "rejected", "round", "short_of", "shut", "since", "stale",
        "standing", "state", "tally", "until",
    )  # fmt: skip

    def __init__(self, config: BreakerConfig, now: int) -> None:
        self.config = config
        self.state = State.CLOSED
        self.generation = 1
        self.last = self.since = now
        self.until: int | None = None
        self.shut: Shut | None = None
        # Below this many in a row a failure is only counted; 0 where it must be settled.
        self.short_of = 0 if config.windowed or not config.lock_free else config.failure_threshold or 0
        self.reason = ""
        self.length = config.recovery_time or _LEAST_PROBE_TIMEOUT
        self.opening = self.openings = 0
        self.round: Round | None = None
        self.tally: Permit | None = config.new_tally()
        self.aside = 0
        self.standing: Permit | None = None
        self.failures_in_a_row = self.rejected = self.stale = 0
        self.last_failure: str | None = None
        self.moves: list[Move] = []
        self.history: deque[Move] = deque(maxlen=_HISTORY)
        self.quiet: Permit | None = None
        self._publish()

    def admit(self, now: int) -> Permit | None:
        """Give a permit, or None when the call is rejected."""
        if self.standing is not None:
            return self.standing
        now = self._observe(now)
        if self.opening:
            return None  # an opening was found to have begun, and its length is not known yet
        if self.until is not None and now >= self.until:
            forced = self.state is State.FORCED_OPEN
            self._enter_half_open(now, f"the {'forced' if forced else 'recovery'} time is over")
        probe = None if self.round is None else self.round.issue(now)
        if probe is None:
            self.rejected += 1
        return probe

    def count_failure(self, permit: Permit, failure: str) -> bool:
        """Note a failure where that is all there is to it: in a row that is still too short; else False."""
        failures = self.failures_in_a_row + 1
        if permit is not self.tally or failures >= self.short_of:
            return False
        self.failures_in_a_row = failures
        self.last_failure = failure
        if not self.aside:
            self.quiet = None
        return True

    def settle(self, permit: Permit, now: int, *, failure: str | None = None, slow: bool = False) -> None:
        """End a permit with a verdict.

        Args:
            permit: What `admit` gave.
            now: Nanoseconds.
            failure: What failed, for a failure; None for a success.
            slow: Whether the call was slow.
        """
        now = self._observe(now)
        if permit is self.tally:
            self._count(permit, now, failure, slow=slow)
        elif isinstance(permit, Probe) and self.round is not None and permit in self.round.running:
            self._judge(permit, now, failure, slow=slow)
        else:
            self.stale += 1

    def give_back(self, permit: Permit, now: int) -> None:
        """End a permit that proved nothing: its slot is free again, in its own round only.

        Nothing moves here. A probe that comes after its deadline stays, and is given up by the next who looks.
        """
        if self.round is None or not isinstance(permit, Probe) or permit not in self.round.running:
            return
        if max(now, self.last) < permit.deadline:
            self.round.give_back(permit)

    def wait(self, now: int) -> int | None:
        """Nanoseconds until a call has a chance, None when nobody can know; a pure read."""
        at = self.until if self.round is None else self.round.earliest_deadline()
        return None if at is None else max(0, at - max(now, self.last))

    def counts(self, now: int) -> Counts:
        """What the window holds at *now*."""
        return Counts(0, 0, 0) if self.tally is None else self.tally.holds(max(now, self.last))

    def force_open(self, now: int, length: int | None) -> None:
        """Reject everything, for *length* or until told otherwise."""
        now = self._observe(now)
        self.until = None if length is None else now + length
        self._move(State.FORCED_OPEN, now, "forced open" if length is None else f"forced open for {length / 1e9:g} s")

    def disable(self, now: int) -> None:
        """Admit everything and keep counting."""
        self._admit_all(State.DISABLED, self._observe(now), "disabled")

    def reset(self, now: int) -> None:
        """Be automatic again: closed and empty."""
        self._admit_all(State.CLOSED, self._observe(now), "reset")

    def open_for(self, length: int, generation: int) -> None:
        """Bring the length of the opening that began with *generation*."""
        self.length = length
        if generation == self.generation and self.state is State.OPEN:
            self.until = self.since + length
            self._publish()
            if self.history:
                self.history[-1].wait = length

    def _observe(self, now: int) -> int:
        """Never go back in time, and give up the probes that are overdue, in the order of their deadlines."""
        now = self.last = max(now, self.last)
        while self.round is not None and (lost := self.round.overdue(now)) is not None:
            self._judge(lost, lost.deadline, "a lost probe", slow=True)
        return now

    def _count(self, tally: Permit, now: int, failure: str | None, *, slow: bool) -> None:
        config = self.config
        if config.windowed:
            tally.record(failed=failure is not None, slow=slow, now=now)
        if failure is not None:
            self.last_failure = failure
        if config.failure_threshold is not None:  # elsewhere successes go by unseen, so no run could be counted
            self.failures_in_a_row = 0 if failure is None else self.failures_in_a_row + 1
        if self.state is State.CLOSED and (slow or failure is not None):
            counts = tally.holds(now)
            reason = config.broken_rule(self.failures_in_a_row, counts, self.last_failure, failure is not None, slow)
            if reason is not None:
                self._open(now, reason)
                return
        self._publish()

    def _judge(self, probe: Probe, now: int, failure: str | None, *, slow: bool) -> None:
        current = self.round
        if current is None:
            return
        verdict = current.settle(probe, failed=failure is not None, slow=slow)
        if failure is not None:
            self.last_failure = failure
        if verdict is True:
            self._admit_all(State.CLOSED, now, f"{current.succeeded} of {several(current.size, 'probe')} succeeded")
        elif verdict is False:
            bad = f"{current.failed} of {several(current.size, 'probe')} failed, last {self.last_failure}"
            slow_too = f"{current.slow} of {several(current.size, 'probe')} were slow"
            self._open(now, slow_too if current.failed == 0 else bad)

    def _open(self, now: int, reason: str) -> None:
        self.openings += 1
        if self.config.recovery_time is None:
            self.opening = self.openings
        self.until = now + self.length
        self._move(State.OPEN, now, reason)

    def _enter_half_open(self, now: int, reason: str) -> None:
        self.until = None
        self._move(State.HALF_OPEN, now, reason)
        config = self.config
        timeout = max(self.length, _LEAST_PROBE_TIMEOUT) if config.probe_timeout is None else config.probe_timeout
        self.round = Round(config.probes, timeout, rate=config.failure_rate, slow_rate=config.slow_call_rate)

    def _admit_all(self, state: State, now: int, reason: str) -> None:
        self.until = None
        self.openings = 0
        self._move(state, now, reason)
        self.tally = self.config.new_tally()
        self._publish()

    def _move(self, new: State, now: int, reason: str) -> None:
        old, self.state = self.state, new
        self.generation += 1
        self.reason = reason
        if self.tally is not None:
            self.tally.retire()
        self.since = now
        self.tally = self.round = None
        self.failures_in_a_row = 0
        self._publish()
        if new is not State.OPEN:
            self.opening = 0
        if old is new:
            return  # an order that changes the period, not the state, is no transition
        wait = None if self.until is None else self.until - now
        move = Move(now, old, new, reason, self.generation, self.openings, wait)
        self.moves.append(move)
        self.history.append(move)

    def stand_aside(self, step: int) -> None:
        """Let every call pass as a ghost, or, with -1, no longer; may be nested."""
        self.aside += step
        self._publish()

    def _publish(self) -> None:
        """Write what shells look at."""
        if self.aside:
            self.standing = self.quiet = GHOST
            self.shut = None
            return
        shut = self.config.lock_free and self.state in (State.OPEN, State.FORCED_OPEN)
        self.shut = (self.until, self.state, self.reason) if shut else None
        self.standing = self.tally
        # A success must be settled while failures in a row stand against the circuit. No call between the look at them
        # and the store: `count_failure` may come at any other time.
        config = self.config
        owes = config.settle_all or (config.failure_threshold is not None and self.failures_in_a_row)
        self.quiet = None if owes else self.tally
