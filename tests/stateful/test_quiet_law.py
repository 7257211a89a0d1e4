"""A shell skips only what would change nothing, and a permit from an older period changes nothing."""

from __future__ import annotations

import pickle
from asyncio import CancelledError
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience import CircuitOpenError
from resilience.testing import FakeClock
from tests.stateful.worlds import ENDS, Blocks, Core, Tasks, Wobbly, World, finish

SECOND = 10**9
RATES = st.sampled_from([0.25, 0.5, 1.0])
TIMES = st.sampled_from([1, 500, 999, 1000, 1001, 2500, 10**6, 10**7 - 1, 10**7, 10**7 + 1, 10**8]) | st.sampled_from(
    [SECOND - 1000, SECOND - 1, SECOND, SECOND + 1, 5 * SECOND, 9 * SECOND, 10 * SECOND, 30 * SECOND]
)
ORDERS = st.tuples(st.sampled_from(["force_open", "disable", "reset"]), st.sampled_from([None, 1.0, 30.0]))


@st.composite
def modes(draw: Any) -> dict[str, Any]:
    """Consecutive, rate by calls, rate by seconds, with or without slow calls: a shell for each."""
    options: dict[str, Any] = {"recovery_timeout": draw(st.sampled_from([1.0, 5.0])), "probes": draw(st.integers(1, 3))}
    if draw(st.booleans()):
        options["probe_timeout"] = draw(st.sampled_from([0.5, 10.0, 1000.0]))
    if draw(st.booleans()):
        options["failure_rate"] = draw(RATES)
    else:
        options["failure_threshold"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        options["slow_call_duration"] = draw(st.sampled_from([1e-6, 0.01, 1.0]))
        options["slow_call_rate"] = draw(RATES)
    if "failure_rate" in options or "slow_call_rate" in options:
        options["minimum_calls"] = draw(st.integers(1, 6))
        if draw(st.booleans()):
            options["window_calls"] = draw(st.integers(options["minimum_calls"], 12))
        else:
            options["window_seconds"] = draw(st.sampled_from([0.0001, 0.01, 1.0, 10.0]))
    return options


class QuietMachine(RuleBasedStateMachine):
    """Calls of tasks, blocks and the bare core begin and end together, in any order; all three worlds stay alike."""

    @initialize(options=modes())
    def begin_worlds(self, options: dict[str, Any]) -> None:
        self.clock = FakeClock(100.0)
        self.core = Core(self.clock, options)
        self.worlds: list[World] = [self.core, Tasks(self.clock, options), Blocks(self.clock, options)]
        self.calls: list[tuple[int, list[Any]]] = []

    def teardown(self) -> None:
        while getattr(self, "calls", ()):
            self.end(0, "fine")
            self.look()

    @rule(number=st.integers(1, 5))
    def begin(self, number: int) -> None:
        """Calls set out, or all worlds reject them in the same words."""
        for _ in range(number):
            held = [world.begin() for world in self.worlds]
            errors = [(one.retry_after, one.state) for one in held if isinstance(one, CircuitOpenError)]
            assert errors == errors[:1] * len(self.worlds) or not errors
            if not errors:
                self.calls.append((self.core.core.generation, held))

    @precondition(lambda self: self.calls)
    @rule(place=st.integers(0, 9), end=st.sampled_from(ENDS))
    def end(self, place: int, end: str) -> None:
        """Any call ends; one that began in an older period changes nothing, in any world."""
        generation, held = self.calls.pop(place % len(self.calls))
        if generation == self.core.core.generation or self.a_probe_is_overdue():
            for world, its in zip(self.worlds, held, strict=True):
                world.end(its, end)
            return
        for world, its in zip(self.worlds, held, strict=True):
            before = world.look()
            world.end(its, end)
            assert replace(before, stale=before.stale + (end != "cancelled")) == world.look()

    @precondition(lambda self: self.calls)
    @rule(place=st.integers(0, 9), failure=st.none() | st.just("OSError"), slow=st.booleans())
    def settle_a_stale_permit(self, place: int, failure: str | None, slow: bool) -> None:
        """Not one bit of the core changes when a permit from an older period is settled, but for the stale count."""
        generation, held = self.calls[place % len(self.calls)]
        core = self.core.core
        if generation != core.generation:
            before = pickle.dumps(core)
            core.settle(held[0][0], core.last, failure=failure, slow=slow)
            core.stale -= 1
            core.give_back(held[0][0], core.last)
            assert before == pickle.dumps(core)

    @rule(number=st.integers(1, 12), end=st.sampled_from(ENDS), length=st.just(0) | TIMES)
    def burst(self, number: int, end: str, length: int) -> None:
        """Short calls one after another, some time apart."""
        for _ in range(number):
            self.begin(1)
            if self.calls:
                self.end(-1, end)
            self.pass_time(length)

    @rule(length=TIMES)
    def pass_time(self, length: int) -> None:
        self.clock.advance(length / 1e9)

    @rule(order=ORDERS, really=st.integers(0, 3))
    def order(self, order: tuple[str, float | None], really: int) -> None:
        """An operator's command, now and then."""
        for world in self.worlds if really == 0 else []:
            world.order(*order)

    @rule()
    def look(self) -> None:
        """Now and then only: a look lets old slices go."""
        looks = [world.look() for world in self.worlds]
        assert looks == looks[:1] * len(looks)

    @invariant()
    def states_are_alike(self) -> None:
        assert 1 == len({self.core.core.state, *(world.breaker.state for world in self.worlds[1:])})

    def a_probe_is_overdue(self) -> bool:
        current = self.core.core.round
        deadline = None if current is None else current.earliest_deadline()
        return deadline is not None and deadline <= self.core.now()


TestQuietLaw = QuietMachine.TestCase
TestQuietLaw.settings = settings(max_examples=max(300, settings.default.max_examples))

Program = list[Any]
STEPS = st.one_of(TIMES, st.sampled_from(ENDS), st.sampled_from(ENDS), st.just("look"))
PROGRAMS = st.recursive(
    st.lists(STEPS | ORDERS, max_size=8), lambda inner: st.lists(st.one_of(STEPS, inner), max_size=8), max_leaves=12
)


def played(world: World, clock: FakeClock, program: Program, seen: list[Any]) -> list[Any]:
    """What is seen of a program: an int passes time, a text is a call's end, a list is a call around its steps."""
    for step in program:
        if isinstance(step, int):
            clock.advance(step / 1e9)
        elif isinstance(step, tuple):
            world.order(*step)
        elif step == "look":
            seen.append(world.look())
        else:
            inner = step if isinstance(step, list) else []
            end = next((one for one in reversed(inner) if one in ENDS), "fine") if inner else step or "fine"

            def body(inner: Program = inner, end: str = end) -> int:
                played(world, clock, inner, seen)
                return finish(end)

            try:
                seen.append(world.call(body))
            except CircuitOpenError as error:
                seen.append((error.retry_after, error.state))
            except (ConnectionError, KeyError, CancelledError) as error:
                seen.append(type(error))
    return seen


def seen_of(kind: type[World], options: dict[str, Any], program: Program) -> list[Any]:
    clock = FakeClock(100.0)
    world = kind(clock, options)
    return [*played(world, clock, program, []), world.look()]


@settings(max_examples=max(600, settings.default.max_examples))
@given(options=modes(), program=PROGRAMS)
def test_a_plain_function_is_guarded_as_if_every_call_were_settled(options: dict[str, Any], program: Program) -> None:
    """Whatever runs inside what, the sync shells leave the circuit as the bare core would."""
    assert seen_of(Core, options, program) == seen_of(Tasks, options, program)


@pytest.mark.parametrize("kind", [Tasks, Blocks])
def test_a_clock_that_steps_back_makes_no_call_slow(kind: type[World]) -> None:
    """A call is slow by what the clock says passed while it ran, wherever the clock stood before."""
    clock = Wobbly(100.0)
    world = kind(clock, {"slow_call_duration": 1, "slow_call_rate": 1.0, "minimum_calls": 2})
    clock.lag = 5 * SECOND
    world.end(world.begin(), "failed")

    assert (1, 1, 0) == (world.look().calls, world.look().failures, world.look().slow)
