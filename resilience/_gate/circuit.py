"""One circuit made safe to share: the breaker core with a lock, a clock, rules for outcomes, and events."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from resilience._core.breaker import BreakerCore
from resilience._core.permit import GHOST, Permit
from resilience._feed import everyone
from resilience._gate.shared import Shared
from resilience._log import log_failure
from resilience._validate import duration
from resilience.clock import to_nanoseconds
from resilience.errors import CircuitOpenError
from resilience.events import CallRejected, Event, WouldReject

__all__ = ["Circuit"]

_new_error = CircuitOpenError.__new__


class Circuit:
    """One circuit. Shells look at `core.standing` and `core.quiet`, and come here for everything else."""

    __slots__ = ("_feed", "_lock", "_name", "_outcomes", "_read", "_shared", "core", "key")

    def __init__(self, shared: Shared, key: Hashable = None) -> None:
        self._shared = shared
        self._name = shared.name
        self._lock = shared.lock
        self._read = shared.read
        self._feed = shared.feed
        self._outcomes = shared.outcomes
        self.key = key
        self.core = BreakerCore(shared.config, shared.read())

    # -- calls ----------------------------------------------------------------------------------------------------

    def admit(self) -> Permit:
        """Give a permit.

        Raises:
            CircuitOpenError: The circuit is open, forced open, or all its probes are out.
        """
        answer = self.knock()
        if type(answer) is not CircuitOpenError:
            return answer  # type: ignore[return-value] # a permit: mypy does not narrow by `is not`
        try:
            raise answer
        finally:
            del answer  # or this frame would hold the error that holds it, until a collection

    def knock(self) -> Permit | CircuitOpenError:
        """Give a permit, or at once the error of a circuit that is shut, for the shell to raise; else like `admit`.

        Written out, and without the error's constructor: it is the price of every call while a dependency is down, and
        a frame less in the traceback is a fifth of it (`bench: rejection`).
        """
        now = self._read()
        shut = self.core.shut
        if shut is None or (shut[0] is not None and now >= shut[0]):
            return self._admit_or_reject()
        self.core.rejected += 1
        error = _new_error(CircuitOpenError)
        error.name = self._name
        error.key = self.key
        until, error.state, error._reason = shut  # noqa: SLF001 -- in place of its constructor
        error.retry_after = None if until is None else (until - now) / 1e9
        feed = self._feed
        if feed.audience.members or everyone.members:
            self._post_rejection(error, now)
        if feed.pending:
            feed.deliver()
        return error

    def _admit_or_reject(self) -> Permit:
        core, shared = self.core, self._shared
        while True:
            now = self._read()
            with self._lock:
                permit = core.admit(now)
                if core.moves:
                    self._post_moves()
                opening, core.opening = core.opening, 0
                generation = core.generation
                error = None if permit is not None or opening else self._rejection(now)
                if error is not None and shared.shadow:
                    core.rejected -= 1  # nobody is turned away
            if shared.returned:
                shared.see_off()
            if not opening:
                break
            # The opening was over long ago, perhaps: ask again when its length is known.
            self._decide_recovery(opening, generation)
        try:
            self._feed.deliver()
        except BaseException:  # a listener ends the program: the call is not made
            if permit is not None:
                self.give_back(permit)
            raise
        if permit is not None:
            return permit
        if shared.shadow:
            return GHOST
        try:
            raise error  # type: ignore[misc] # no permit and no opening: there is an error
        finally:
            del error  # see `admit`

    def succeed(self, permit: Permit, result: Any, started: float | None = None) -> None:
        """Settle a call that returned *result*.

        Args:
            permit: What `admit` gave, or the standing permit.
            result: What the call returned, for `failure_when`.
            started: Seconds on the clock when it began, where slow calls are detected.
        """
        failure = None
        if self._outcomes.failure_when is not None:
            try:
                if self._outcomes.failure_when(result):
                    failure = f"result {type(result).__name__}"
            except BaseException:
                self.give_back(permit)
                raise
        self._settle(permit, failure, started)

    def done(self, permit: Permit, started: float | None = None) -> None:
        """Settle a call that ended well and whose result nobody sees."""
        self._settle(permit, None, started)

    def fail(self, permit: Permit, error: BaseException, started: float | None = None) -> None:
        """Settle a call that raised *error*: as a failure, a success, or not at all."""
        try:
            failed = self._outcomes.of(error)
        except BaseException:
            self.give_back(permit)
            raise
        if failed is None:
            self.give_back(permit)
            return
        if failed and self.core.count_failure(permit, type(error).__name__):
            return
        self._settle(permit, type(error).__name__ if failed else None, started)

    def give_back(self, permit: Permit) -> None:
        """End a permit that proved nothing.

        Safe in a finalizer, which may run while this very thread has the lock of this breaker or of another policy: it
        waits for no lock and tells nobody.
        """
        if permit is not self.core.tally and permit is not GHOST:
            self._shared.returned.append((self.core, permit, self._read()))
            self._shared.see_off()

    def _settle(self, permit: Permit, failure: str | None, started: float | None) -> None:
        if permit is GHOST:
            return
        now = self._read()
        limit = self._shared.config.slow_call_duration
        slow = limit is not None and started is not None and now - to_nanoseconds(started) > limit
        core = self.core
        with self._lock:
            core.settle(permit, now, failure=failure, slow=slow)
            moved = bool(core.moves)
            if moved:
                self._post_moves()
        if self._shared.returned:
            self._shared.see_off()
        if moved:
            self._finish()

    # -- orders and looks -------------------------------------------------------------------------------------------

    def order(self, command: Callable[[BreakerCore, int], None]) -> None:
        """Carry out an operator's command on the core."""
        with self._lock:
            command(self.core, self._read())
            self._post_moves()
        self._shared.see_off()
        self._finish()

    def look(self, view: Callable[[BreakerCore, int], Any]) -> Any:
        """Read the core consistently."""
        with self._lock:
            seen = view(self.core, self._read())
        self._shared.see_off()
        return seen

    # -- inside -----------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Ask for the length of a new opening where a function gives it, then deliver; no lock is held."""
        with self._lock:
            opening, self.core.opening = self.core.opening, 0
            generation = self.core.generation
        if opening:
            self._decide_recovery(opening, generation)
        self._feed.deliver()

    def _decide_recovery(self, opening: int, generation: int) -> None:
        recovery = self._shared.recovery
        if recovery is None:
            return
        try:
            length = max(1, to_nanoseconds(duration("the recovery time", recovery(opening))))
        except Exception:  # noqa: BLE001 -- the trip stands whatever a user's function does
            log_failure("the recovery-time function", self._name, "the last good length is kept")
            return
        with self._lock:
            self.core.open_for(length, generation)

    def _post_moves(self) -> None:
        for move in self.core.moves:
            self._feed.post(partial(self._shared.told, move, self.key), must=True)
        self.core.moves.clear()

    def _rejection(self, now: int) -> CircuitOpenError:
        core = self.core
        wait = core.wait(now)
        error = CircuitOpenError(
            name=self._name,
            retry_after=None if wait is None else wait / 1e9,
            reason=core.reason if core.round is None else core.round.tale(),
            state=core.state,
            key=self.key,
        )
        if self._feed.listened:
            self._post_rejection(error, now)
        return error

    def _post_rejection(self, error: CircuitOpenError, now: int) -> None:
        kind = WouldReject if self._shared.shadow else CallRejected
        wait, reason = error.retry_after, error.reason

        def build() -> tuple[Event, None]:
            return kind(**self._shared.stamp(now, self.key), reason=reason, retry_after=wait), None

        self._feed.post(build)
