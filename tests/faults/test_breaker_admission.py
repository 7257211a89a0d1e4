"""Faults of other circuit breakers: whom they let through, and whom they hold up."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, State, circuit_breaker, policies
from resilience.testing import FakeClock
from tests.conftest import Flavour
from tests.faults.threads import LONG, all_at_once
from tests.scenarios.in_flight import Down

PEOPLE = 50


def half_open(clock: FakeClock, probes: int) -> CircuitBreaker:
    """A breaker whose next call is a probe."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, probes=probes, clock=clock)
    breaker.force_open(10)
    clock.advance(10)
    return breaker


@pytest.mark.parametrize("probes", [1, 3])
def test_fifty_threads_in_half_open_all_go_through(probes: int, clock: FakeClock) -> None:
    """Of fifty threads in half-open exactly `probes` go through (circuitbreaker, pyresilience: all fifty)."""
    news: queue.SimpleQueue[str] = queue.SimpleQueue()
    everybody_asked = threading.Event()

    @circuit_breaker(half_open(clock, probes))
    def call() -> None:
        news.put("through")
        everybody_asked.wait(LONG)

    def person() -> None:
        try:
            call()
        except CircuitOpenError:
            news.put("rejected")

    crowd = threading.Thread(target=all_at_once, args=(PEOPLE, person), daemon=True)
    crowd.start()
    heard = Counter(news.get(timeout=LONG) for _ in range(PEOPLE))
    everybody_asked.set()
    crowd.join(LONG)

    assert {"through": probes, "rejected": PEOPLE - probes} == heard


@pytest.mark.parametrize("probes", [1, 3])
def test_fifty_tasks_in_half_open_all_go_through(probes: int, clock: FakeClock) -> None:
    """Of fifty tasks in half-open exactly `probes` go through (aiobreaker, purgatory, hyx: all fifty)."""

    async def main() -> Counter[str]:
        heard: Counter[str] = Counter()
        everybody_asked = asyncio.Event()

        @circuit_breaker(half_open(clock, probes))
        async def call() -> None:
            heard["through"] += 1
            await everybody_asked.wait()

        async def person() -> None:
            try:
                await call()
            except CircuitOpenError:
                heard["rejected"] += 1

        async with asyncio.timeout(LONG), asyncio.TaskGroup() as crowd:
            for _ in range(PEOPLE):
                crowd.create_task(person())
            while heard.total() < PEOPLE:
                await asyncio.sleep(0)
            everybody_asked.set()
        return heard

    assert {"through": probes, "rejected": PEOPLE - probes} == asyncio.run(main())


@pytest.mark.parametrize("state", [State.CLOSED, State.HALF_OPEN])
def test_a_lock_is_held_during_the_call(state: State, clock: FakeClock) -> None:
    """Five threads are inside the call at the same time: no lock is held while it runs (pybreaker)."""
    breaker = half_open(clock, probes=5) if state is State.HALF_OPEN else CircuitBreaker(clock=clock)
    meeting = threading.Barrier(5)

    @circuit_breaker(breaker)
    def call() -> None:
        meeting.wait(LONG)

    all_at_once(5, call)

    assert State.CLOSED is breaker.state


@pytest.mark.parametrize("state", [State.CLOSED, State.HALF_OPEN])
def test_a_lock_is_held_during_the_await(state: State, clock: FakeClock) -> None:
    """Five tasks are inside the call at the same time: no lock is held across an await (pybreaker)."""
    breaker = half_open(clock, probes=5) if state is State.HALF_OPEN else CircuitBreaker(clock=clock)

    async def main() -> None:
        meeting = asyncio.Barrier(5)

        @circuit_breaker(breaker)
        async def call() -> None:
            await meeting.wait()

        async with asyncio.timeout(LONG):
            await asyncio.gather(*(call() for _ in range(5)))

    asyncio.run(main())

    assert State.CLOSED is breaker.state


def test_async_def_is_silently_left_unguarded(clock: FakeClock) -> None:
    """A coroutine function is guarded when it is awaited, and stays one (pybreaker: a silent no-op)."""
    awaited: list[int] = []

    @circuit_breaker(failure_threshold=3, clock=clock)
    async def call() -> None:
        awaited.append(1)
        raise Down

    for expected in [Down, Down, Down, CircuitOpenError, CircuitOpenError]:
        with pytest.raises(expected):
            asyncio.run(call())

    assert inspect.iscoroutinefunction(call)
    assert 3 == len(awaited)


def test_with_never_rejects(clock: FakeClock) -> None:
    """`with breaker:` rejects while the circuit is open; the block is not entered (circuitbreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    with pytest.raises(Down), breaker:
        raise Down

    with pytest.raises(CircuitOpenError), breaker:
        pytest.fail("the block was entered")


def test_async_with_never_rejects(clock: FakeClock) -> None:
    """`async with breaker:` rejects while the circuit is open; the block is not entered (circuitbreaker)."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)

    async def main() -> None:
        with pytest.raises(Down):
            async with breaker:
                raise Down
        with pytest.raises(CircuitOpenError):
            async with breaker:
                pytest.fail("the block was entered")

    asyncio.run(main())


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, timedelta(0)])
def test_a_zero_timeout_silently_becomes_thirty_seconds(zero: Any) -> None:
    """A recovery timeout of zero is a ValueError that names it (circuitbreaker, backon: silently 30)."""
    with pytest.raises(ValueError, match="recovery_timeout"):
        CircuitBreaker(recovery_timeout=zero)


def test_one_call_sites_options_overwrite_the_shared_objects(flavour: Flavour, clock: FakeClock) -> None:
    """Options belong to the shared object: a call site can bring none, and all sites count together (purgatory)."""
    breaker = CircuitBreaker(failure_threshold=3, clock=clock)

    def fail() -> None:
        raise Down

    with pytest.raises(TypeError, match="failure_threshold"):
        circuit_breaker(breaker, failure_threshold=1)  # type: ignore[call-overload] # this is the case
    one, other = flavour.guarded(circuit_breaker(breaker), fail), flavour.guarded(circuit_breaker(breaker), fail)
    for call in (one, other):
        with pytest.raises(Down):
            call()
    assert State.CLOSED is breaker.state
    with pytest.raises(Down):
        one()
    with pytest.raises(CircuitOpenError):
        other()


def test_the_first_failure_opens_by_default(breaker_lives: Callable[..., None]) -> None:
    """By default five failures in a row open the circuit, not the first (opossum, failsafe-go)."""
    breaker_lives("fail is:closed fail*3 is:closed ok row:0 fail*4 is:closed fail is:open")


def test_the_first_failure_opens_a_rate_by_default(breaker_lives: Callable[..., None]) -> None:
    """By default a rate is judged from the twentieth call on, not from the first (opossum)."""
    breaker_lives("fail is:closed fail*18 is:closed window:19/19 fail is:open", failure_rate=0.5)


FORMS_OF_DECORATION: list[Callable[[Any], Any]] = [
    circuit_breaker,
    circuit_breaker(),
    circuit_breaker(failure_threshold=3),
    circuit_breaker(CircuitBreaker()),
    circuit_breaker(key=str),
]


@pytest.mark.parametrize("decorate", FORMS_OF_DECORATION)
def test_the_decorator_calls_the_function_at_import(decorate: Callable[[Any], Any]) -> None:
    """Decorating calls nothing; the first call is the caller's own (backon)."""
    calls: list[str] = []

    @decorate
    def plain(name: str = "plain") -> None:
        calls.append(name)

    @decorate
    async def coroutine(name: str = "coroutine") -> None:
        calls.append(name)

    assert [] == calls
    assert 1 == len(policies(plain)) == len(policies(coroutine))
    plain("plain")
    asyncio.run(coroutine("coroutine"))
    assert ["plain", "coroutine"] == calls
