"""The circuits of one breaker by key: made when first asked for, bounded in number."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from itertools import islice

from resilience._core.breaker import BreakerCore
from resilience._gate.circuit import Circuit
from resilience._gate.shared import Shared, key_text
from resilience._state import State
from resilience.events import KeyDropped

__all__ = ["Circuits", "Command"]

_SAMPLE = 1000

Command = Callable[[BreakerCore, int], None]


class Circuits:
    """A table of circuits.

    At *max_keys* the oldest circuit without debts (closed, no failure in its window) makes room; where a look at a
    thousand finds none, the one nearest to closing goes and `KeyDropped` says so.
    """

    __slots__ = ("_aside", "_by_key", "_max_keys", "_shared", "_standing_order")

    def __init__(self, shared: Shared, max_keys: int) -> None:
        self._shared = shared
        self._max_keys = max_keys
        self._by_key: dict[Hashable, Circuit] = {}
        self._standing_order: Command | None = None
        self._aside = 0

    def get(self, key: Hashable) -> Circuit:
        """Give the circuit of *key*, made now if need be.

        Raises:
            TypeError: The key cannot be hashed.
        """
        found = self._by_key.get(key)
        return found if found is not None else self._make(key)

    def reach(self, key: Hashable) -> tuple[Circuit, ...]:
        """The circuit of *key*, if there is one or an order stands that it would be made with."""
        if key not in self._by_key and self._standing_order is None:
            return ()
        return (self.get(key),)

    def _make(self, key: Hashable) -> Circuit:
        made = Circuit(self._shared, key)
        now = self._shared.read()
        with self._shared.lock:
            found = self._by_key.setdefault(key, made)
            if found is made:
                if self._standing_order is not None:
                    self._standing_order(made.core, now)
                    made.core.moves.clear()
                made.core.stand_aside(self._aside)
                if len(self._by_key) > self._max_keys:
                    self._make_room(made, now)
        self._shared.feed.deliver()
        return found

    def _make_room(self, made: Circuit, now: int) -> None:
        others = [circuit for circuit in islice(self._by_key.values(), _SAMPLE) if circuit is not made]
        for circuit in others:
            if _owes_nothing(circuit.core, now):
                del self._by_key[circuit.key]
                return
        # Looked at and kept: to the end of the line, so that the next look sees others.
        for circuit in others:
            self._by_key[circuit.key] = self._by_key.pop(circuit.key)
        gone = min(others, key=lambda circuit: _debt(circuit.core, now))
        del self._by_key[gone.key]
        self._shared.feed.post(partial(self._dropped, gone.key, now))

    def _dropped(self, key: Hashable, now: int) -> tuple[KeyDropped, None]:
        return KeyDropped(name=self._shared.name, policy="circuit_breaker", at=now / 1e9, key=key_text(key)), None

    def all(self) -> tuple[Circuit, ...]:
        """Every circuit there is."""
        with self._shared.lock:
            circuits = tuple(self._by_key.values())
        self._shared.see_off()
        return circuits

    def order_all(self, command: Command, *, stands: bool) -> None:
        """Carry out a command on every circuit, and, where it *stands*, on those made later."""
        with self._shared.lock:
            self._standing_order = command if stands else None
        for circuit in self.all():
            circuit.order(command)

    def renew(self) -> None:
        """Make every circuit as good as new; shells keep the one they hold."""
        with self._shared.lock:
            self._standing_order = None
            for circuit in self._by_key.values():
                circuit.core.__init__(self._shared.config, self._shared.read())  # type: ignore[misc] # in place: shells hold it
                circuit.core.stand_aside(self._aside)

    def stand_aside(self, step: int) -> None:
        """Let every call pass uncounted, or, with -1, no longer; may be nested."""
        with self._shared.lock:
            self._aside += step
            for circuit in self._by_key.values():
                circuit.core.stand_aside(step)


def _debt(core: BreakerCore, now: int) -> tuple[bool, bool, int]:
    """How much would be lost with a circuit: an operator's order most, then time until it closes."""
    ordered = core.state in (State.FORCED_OPEN, State.DISABLED)
    return ordered, core.state is not State.CLOSED, core.wait(now) or 0


def _owes_nothing(core: BreakerCore, now: int) -> bool:
    if core.state is not State.CLOSED or core.failures_in_a_row:
        return False
    counts = core.counts(now)
    return not (counts.failures or counts.slow)
