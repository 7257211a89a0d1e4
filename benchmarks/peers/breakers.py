"""Checks of what a circuit decides: who gets through, when it opens, when it lets a probe go."""

from __future__ import annotations

import asyncio
import threading
import time

from benchmarks.peers.breaker_adapters import Circuit, Guard
from benchmarks.peers.dependency import Dependency, settled
from benchmarks.peers.row import Lab, Observed, Row

__all__ = ["BREAKER_ROWS"]

Bench = Lab[Circuit, Guard]


def _stampede(bench: Bench) -> Observed:
    """Of fifty callers that arrive in half-open, one goes through."""
    dependency = Dependency()

    async def main() -> None:
        call = bench.build(Circuit()).dress(dependency.wait)
        await settled(call("fails"))
        bench.time.advance(1.5)
        await asyncio.gather(*(settled(call("takes a while")) for _ in range(50)))

    asyncio.run(main())
    through = dependency.made - 1
    return Observed(f"{through} of 50 callers went through; allowed 1", through != 1)


def _lock_held(bench: Bench) -> Observed:
    """Five calls at once take as long as one."""
    call = bench.build(Circuit()).dress(lambda: time.sleep(0.2))
    threads = [threading.Thread(target=call) for _ in range(5)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    return Observed(f"5 calls of 0.2 s at once took {took:.1f} s; due 0.2 s", took > 0.5)


def _cancelled_probe(bench: Bench) -> Observed:
    """A cancelled probe leaves the circuit half-open, so that one failure reopens it."""
    dependency = Dependency()

    async def main() -> None:
        call = bench.build(Circuit(failures=3)).dress(dependency.wait)
        for _ in range(3):
            await settled(call("fails"))
        bench.time.advance(1.5)
        await settled(asyncio.wait_for(call("hangs"), timeout=0.02))
        for _ in range(3):
            await settled(call("fails"))

    asyncio.run(main())
    after = dependency.made - 4
    told = {3: "closed the circuit", 1: "left it half-open"}.get(after, "reopened it")
    return Observed(f"the cancelled probe {told}: {after} of 3 failing calls made; allowed 1", after != 1)


def _block(bench: Bench) -> Observed:
    """A ``with`` block is refused while the circuit is open, and a recovery time of 0 is not another time."""
    guard = bench.build(Circuit(recovery=30.0))
    assert guard.block is not None
    ran = 0
    for _ in range(4):
        try:
            with guard.block():
                ran += 1
                raise ConnectionError  # noqa: TRY301 - the block itself fails
        except (ConnectionError, guard.rejected):
            pass
    blocks = f"{ran - 1} of 3 blocks ran while open"
    try:
        zero = bench.build(Circuit(recovery=0))
    except ValueError:
        return Observed(f"{blocks}; a recovery time of 0 is refused", ran > 1)
    call = Dependency().behind(zero)
    call("fails")
    bench.time.advance(29.0)
    taken = call("answers")
    told = "is taken as 0" if taken else "still rejects after 29 s"
    return Observed(f"{blocks}; a recovery time of 0 {told}", ran > 1 or not taken)


def _late_failure(bench: Bench) -> Observed:
    """A failure of a call from before the trip does not extend the open time."""
    made = 0

    async def dependency(gate: asyncio.Event) -> None:
        nonlocal made
        made += 1
        await gate.wait()
        raise ConnectionError

    async def main() -> None:
        call = bench.build(Circuit(failures=2, recovery=10.0)).dress(dependency)
        late, at_once = asyncio.Event(), asyncio.Event()
        at_once.set()
        straggler = asyncio.ensure_future(settled(call(late)))
        await asyncio.sleep(0)
        await settled(call(at_once))
        await settled(call(at_once))
        bench.time.advance(9.0)
        late.set()
        await straggler
        bench.time.advance(2.0)
        await settled(call(at_once))

    asyncio.run(main())
    return Observed(f"11 s after a trip for 10 s the probe was {_made(made=made == 4)}", made != 4)


def _wall_clock(bench: Bench) -> Observed:
    """A wall clock set back by an hour does not keep the circuit open for an hour."""
    call = Dependency().behind(bench.build(Circuit(recovery=10.0)))
    call("fails")
    bench.time.step_wall(-3600.0)
    bench.time.advance(11.0)
    probed = call("answers")
    return Observed(f"clock set back 1 h; 11 s after a trip for 10 s the probe was {_made(made=probed)}", not probed)


def _disconnects(bench: Bench) -> Observed:
    """Three cancelled calls do not open a circuit that opens at three failures."""
    dependency = Dependency()

    async def main() -> None:
        call = bench.build(Circuit(failures=3, recovery=30.0)).dress(dependency.wait)
        for _ in range(4):
            await settled(asyncio.wait_for(call("hangs"), timeout=0.02))

    asyncio.run(main())
    next_made = dependency.made == 4
    return Observed(f"after 3 cancelled calls the next was {_made(made=next_made)}", not next_made)


def _old_window(bench: Bench) -> Observed:
    """A window of ten seconds has forgotten the failures of an hour ago."""
    call = Dependency().behind(bench.build(Circuit(rate=0.5, calls=10, window_seconds=10, recovery=30.0)))
    for _ in range(9):
        call("fails")
    bench.time.advance(3605.0)
    call("fails")
    closed = call("answers")
    state = "closed" if closed else "open"
    return Observed(f"opens at 10 calls in 10 s; after 9 failures, an hour and 1 failure it is {state}", not closed)


def _dead_dependency(bench: Bench) -> Observed:
    """Ten probes judged at 50 % end at the fifth failure, when the verdict is certain."""
    call = Dependency().behind(bench.build(Circuit(rate=0.5, calls=10, probes=10)))
    for _ in range(10):
        call("fails")
    bench.time.advance(1.5)
    probes = 0
    while probes < 20 and call("fails"):
        probes += 1
    return Observed(f"{probes} failing probes before it reopened; 5 of 10 are certain", probes != 5)


def _hung_probe(bench: Bench) -> Observed:
    """A probe that never ends does not lock everybody out for ever."""
    dependency = Dependency()

    async def main() -> BaseException | None:
        call = bench.build(Circuit()).dress(dependency.wait)
        await settled(call("fails"))
        bench.time.advance(1.5)
        probe = asyncio.ensure_future(settled(call("hangs")))
        await asyncio.sleep(0)
        bench.time.advance(3600.0)
        refusal = await settled(call("answers"))
        probe.cancel()
        return refusal

    refusal = asyncio.run(main())
    told = "a call is made" if refusal is None else f"rejected, retry_after {getattr(refusal, 'retry_after', None)}"
    return Observed(f"an hour after the probe hung: {told}", refusal is not None or dependency.made != 3)


def _made(*, made: bool) -> str:
    return "made" if made else "rejected"


BREAKER_ROWS: tuple[Row[Circuit, Guard], ...] = (
    Row(
        number="1",
        fault="50 callers arrive in half-open, 50 go through",
        check=_stampede,
        peers=("circuitbreaker", "aiobreaker", "purgatory", "hyx", "pyresilience"),
    ),
    Row(number="2", fault="the lock is held during the call", check=_lock_held, peers=("pybreaker",), virtual=False),
    Row(
        number="6",
        fault="a probe that is cancelled closes the circuit",
        check=_cancelled_probe,
        peers=("circuitbreaker", "hyx (async with)"),
    ),
    Row(
        number="7",
        fault="`with breaker:` never rejects; a zero timeout silently becomes 30",
        check=_block,
        peers=("circuitbreaker", "backon"),
    ),
    Row(
        number="9",
        fault="late failures from before the trip extend the open time",
        check=_late_failure,
        peers=("circuitbreaker", "pyresilience", "backon"),
    ),
    Row(
        number="10",
        fault="wall clock: stays open after a clock step",
        check=_wall_clock,
        peers=("pybreaker", "aiobreaker", "purgatory", "hyx", "fluxgate"),
    ),
    Row(
        number="11",
        fault="three client disconnects open the circuit",
        check=_disconnects,
        peers=("purgatory", "backon"),
    ),
    Row(
        number="13",
        fault="a 10 s window still counts failures of an hour ago",
        check=_old_window,
        peers=("fluxgate",),
    ),
    Row(
        number="14",
        fault="ten probes in a row sent to a dead dependency before reopening",
        check=_dead_dependency,
        peers=("interlock-cb",),
    ),
    Row(number="15", fault="one hung probe rejects everybody for ever", check=_hung_probe, peers=("interlock-cb",)),
)
