"""The circuit breaker as an object to share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

from resilience import _registry, _validate
from resilience._entered import enter, leave
from resilience._gate.breaker_options import BreakerKeywords, BreakerOptions
from resilience._gate.breaker_snapshot import BreakerSnapshot, sum_up, view, worst
from resilience._gate.circuit import Circuit
from resilience._gate.circuits import Circuits, Command
from resilience._gate.shared import Shared
from resilience._shell import breaker_any as any_shells
from resilience._shell.pick import circuit_shell, finding_shell
from resilience._shell.rule import fitted
from resilience._skin import Colour
from resilience._state import State
from resilience._validate import known_options
from resilience.clock import to_nanoseconds

if TYPE_CHECKING:
    from resilience._core.breaker import BreakerCore
    from resilience.events import Listener, StateChanged

__all__ = ["CircuitBreaker"]

_FOR_A_TIME = "a finite number of seconds >= 0, a timedelta, or None"


P = ParamSpec("P")
R = TypeVar("R")


class CircuitBreaker:
    """Stops calling what keeps failing, and tries again later, carefully.

    One object guards any number of functions, threads and event loops at once: as a decorator, as a block
    (`with breaker:`, `async with breaker:`), or call by call (`call`, `call_async`).

    Args:
        name: What errors, events and metrics call it; unique among the living policies (`name#2` where it is taken).
        failure_threshold: Consecutive failures that open the circuit, a whole number >= 1; 5 when neither it nor
            `failure_rate` is given.
        failure_rate: Open when `failures / calls` in the window reaches this share, 0 < r <= 1.
        window_calls: The window is the last so many verdicts; 100 when no window is given.
        window_seconds: The window is the verdicts of the last so many seconds, kept in at most 100 slices.
        minimum_calls: Verdicts needed in the window before a rate is judged; `min(20, window_calls)`.
        slow_call_duration: Calls that take strictly longer, in seconds, are slow; with `slow_call_rate`.
        slow_call_rate: Open when the share of slow calls in the window reaches this, 0 < r <= 1.
        recovery_timeout: Seconds an opening lasts (finite, > 0), or a function of the number of openings in a row
            (from 1) that gives them, such as `exponential(30, maximum=600)`; where its answer is not usable it is
            logged and the last good length kept, 30 s at first.
        probes: Verdicts that decide a half-open circuit; running and settled probes are never more.
        probe_timeout: Seconds after which a probe that has not come back counts as a slow failure; the recovery time
            in force, but at least 30 s, when None.
        on: Exception types, or a predicate, that count as failures. Other exceptions are successes: the dependency
            answered. What is no `Exception` (a cancellation, Ctrl-C) and what is a `Rejected` counts only if named.
        ignore: Exception types, or a predicate, that are neutral; wins over `on`.
        failure_when: Predicate on the result; True counts it as a failure.
        key: Function of the call's arguments (`self` included) that gives a hashable key: one circuit per key.
        max_keys: Keys kept at most; circuits that owe nothing are dropped first.
        clock: Where time comes from; the system's monotonic clock when None.
        shadow: Let the state move but reject nothing; what would be rejected is told as `WouldReject`.
        listeners: Plain functions that get each event.

    Raises:
        ValueError: A value is out of range, or two contradict each other.
        TypeError: A value is of the wrong type.
    """

    def __init__(self, title: str | None = None, /, **options: Unpack[BreakerKeywords]) -> None:
        if title is not None:
            if "name" in options:
                message = f"circuit breaker got two names, {title!r} and {options['name']!r}"
                raise TypeError(message)
            options["name"] = title
        self._set_up(BreakerOptions(**known_options("circuit breaker", BreakerOptions, options)))

    def _set_up(self, options: BreakerOptions, title: str = "") -> None:
        self._key: Callable[..., Hashable] | None = options.key
        self._own_key: Hashable = None
        self._name = _registry.enrol(
            self, "circuit_breaker", options.name or title or _registry.fresh_name("circuit-breaker")
        )
        self._shared = Shared(self._name, options)
        self._circuits = Circuits(self._shared, options.max_keys)
        if self._key is None:
            self._circuits.get(None)
        _registry.finish(self)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call *function* under this breaker; `key` is applied to the arguments.

        Raises:
            CircuitOpenError: The circuit is open; the function was not called.
        """
        shell = any_shells.keyed(function, self._find(self._key and fitted(self._key, function)), self._shared.seconds)
        return shell(*args, **kwargs)  # type: ignore[no-any-return] # the shell returns what it calls

    async def call_async(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)` under this breaker; `key` is applied to the arguments.

        Raises:
            CircuitOpenError: The circuit is open; the function was not called.
        """
        shell = any_shells.keyed_async(
            function, self._find(self._key and fitted(self._key, function)), self._shared.seconds
        )
        return await shell(*args, **kwargs)  # type: ignore[no-any-return] # the shell returns what it calls

    def __enter__(self) -> Self:
        return self._begin(sys._getframe(1))  # noqa: SLF001 -- see `_entered`

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(error, sys._getframe(1))  # noqa: SLF001 -- see `_entered`

    async def __aenter__(self) -> Self:
        return self._begin(sys._getframe(1))  # noqa: SLF001 -- see `_entered`

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(error, sys._getframe(1))  # noqa: SLF001 -- see `_entered`

    def _begin(self, frame: FrameType) -> Self:
        circuit = self._only_circuit()
        permit = circuit.core.standing or circuit.admit()
        enter(self, (circuit, permit, self._shared.seconds()), frame)
        return self

    def _end(self, error: BaseException | None, frame: FrameType) -> None:
        circuit, permit, started = leave(self, frame, self._name)
        if error is None:
            circuit.done(permit, started)
        else:
            circuit.fail(permit, error, started)

    @property
    def name(self) -> str:
        """What errors, events and metrics call it."""
        return self._name

    @property
    def state(self) -> State:
        """The present state, the worst of all keys'. A pure read: OPEN until a call is admitted."""
        return worst(circuit.core.state for circuit in self._reach())

    def snapshot(self) -> BreakerSnapshot:
        """The breaker at this instant, all its keys together."""
        return sum_up(self._name, [circuit.look(view) for circuit in self._reach()])

    def history(self) -> tuple[StateChanged, ...]:
        """The last 100 transitions, oldest first."""
        histories = [(circuit, circuit.look(lambda core, _: tuple(core.history))) for circuit in self._reach()]
        events = [self._shared.event(move, circuit.key) for circuit, moves in histories for move in moves]
        return tuple(sorted(events, key=lambda event: event.at))[-100:][-100:]

    def force_open(self, seconds: float | timedelta | None = None) -> None:
        """Reject all calls: until `reset()`, or for *seconds* and then half-open (what a `Retry-After` asks for)."""
        length = (
            None
            if seconds is None
            else to_nanoseconds(_validate.duration("seconds", seconds, allowed=_FOR_A_TIME, least=0))
        )
        until = None if length is None else self._shared.read() + length

        def command(core: BreakerCore, now: int) -> None:
            if until is None or now < until:
                core.force_open(now, None if until is None else until - now)

        self._order(command, stands=True)

    def disable(self) -> None:
        """Admit all calls and keep counting, until `reset()`."""
        self._order(lambda core, now: core.disable(now), stands=True)

    def reset(self) -> None:
        """Be automatic again: closed, with nothing counted."""
        self._order(lambda core, now: core.reset(now), stands=False)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear this breaker's events, in the order in which its state moved; the answer ends it."""
        return self._shared.feed.subscribe(listener)

    def for_key(self, key: Hashable) -> CircuitBreaker:
        """The circuit of one key, as a breaker of its own; a None key is a circuit like any other."""
        return _OneKey(self, key)

    def _reach(self) -> tuple[Circuit, ...]:
        return self._circuits.all()

    def _order(self, command: Command, *, stands: bool) -> None:
        self._circuits.order_all(command, stands=stands)

    def _only_circuit(self) -> Circuit:
        if self._key is not None:
            message = f"circuit breaker {self._name!r} has keys: a block sees no arguments; use for_key(key) in `with`"
            raise TypeError(message)
        return self._circuits.get(self._own_key)

    def _find(self, key: Callable[..., Hashable] | None) -> Callable[..., Circuit]:
        get, own = self._circuits.get, self._own_key
        if key is None:
            return lambda *_args, **_kwargs: get(own)
        return lambda *args, **kwargs: get(key(*args, **kwargs))

    def _shell(self, call: Callable[..., Any], colour: Colour, key: Callable[..., Hashable] | None) -> Any:
        """The cheapest shell that serves this breaker's rules."""
        if key is None and type(self) is not _OneKey and colour in (Colour.SYNC, Colour.ASYNC):
            return circuit_shell(call, colour, self._only_circuit(), self._shared.config, self._shared.seconds)
        find = self._find(key and fitted(key, call))
        return finding_shell(call, colour, find, self._shared.config, self._shared.seconds)

    def _renew(self) -> None:
        self._circuits.renew()

    def _stand_aside(self, step: int) -> None:
        self._circuits.stand_aside(step)

    def _locks(self) -> tuple[threading.Lock, ...]:
        return (self._shared.lock,)

    def _in_child(self) -> None:
        self._shared.feed.after_fork()

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self._name!r} {self.state.value}>"


class _OneKey(CircuitBreaker):
    """One key's circuit of a breaker: the same object to look at and to call through, reaching that circuit alone."""

    def __init__(self, whole: CircuitBreaker, key: Hashable) -> None:
        self.__dict__.update(whole.__dict__, _key=None, _own_key=key, _whole=whole)

    def _reach(self) -> tuple[Circuit, ...]:
        return self._circuits.reach(self._own_key)

    def _order(self, command: Command, *, stands: bool) -> None:  # noqa: ARG002 -- one circuit: none comes later
        self._circuits.get(self._own_key).order(command)
