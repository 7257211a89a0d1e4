"""Checks of how much a limiter admits, and what a decision costs."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable

from benchmarks.peers.limiter_adapters import Limiter, Quota
from benchmarks.peers.row import Lab, Observed, Row

__all__ = ["LIMITER_ROWS"]

Bench = Lab[Quota, Limiter]


def _allow(bench: Bench, quota: Quota) -> Callable[..., bool]:
    allow = bench.build(quota).allow
    assert allow is not None
    return allow


def _rate(bench: Bench) -> Observed:
    """An eager caller gets the rate that was asked for, over ten minutes."""
    told, faulty = [], False
    for amount in (100, 45):
        allow = _allow(bench, Quota(amount=amount, per=60))
        while allow():
            pass
        admitted = 0
        for _ in range(6000):
            bench.time.advance(0.1)
            admitted += allow()
        told.append(f"{amount}/minute delivered {admitted / 10:.0f} a minute")
        faulty = faulty or not amount * 10 - 1 <= admitted <= amount * 10
    return Observed("; ".join(told), faulty)


def _whole_seconds(bench: Bench) -> Observed:
    """A token due in a tenth of a second is waited for a tenth of a second."""
    limiter = bench.build(Quota(amount=10))
    assert limiter.allow is not None
    assert limiter.wait is not None
    while limiter.allow():
        pass
    started = time.perf_counter()
    limiter.wait()
    took = time.perf_counter() - started
    return Observed(f"at 10/s the next token took {took:.2f} s; due after 0.10 s", took > 0.3)


def _keys_share(bench: Bench) -> Observed:
    """One user's calls do not use up another's."""
    allow = _allow(bench, Quota(amount=2, per=60))
    for _ in range(2):
        allow(key="alice")
    other = allow(key="bob")
    return Observed(f"after alice's 2 of 2 bob's first was {'admitted' if other else 'refused'}", not other)


def _threads(bench: Bench) -> Observed:
    """Eight threads together get the hundred there are of each new key, and not one more."""
    allow = _allow(bench, Quota(amount=100, per=86_400))
    crowd = 8
    rounds: list[list[int]] = []
    until = time.perf_counter() + 4.0
    over = False

    def next_round() -> None:
        nonlocal over
        over = bool(rounds and sum(rounds[-1]) > 100) or time.perf_counter() > until
        rounds.append([0] * crowd)

    barrier = threading.Barrier(crowd, next_round, timeout=5.0)

    def work(mine: int) -> None:
        while barrier.wait() >= 0 and not over:
            key, counts = f"round {len(rounds)}", rounds[-1]
            for _ in range(100):
                # limits now and then raises here: two threads start one timer. The call was not admitted.
                with contextlib.suppress(RuntimeError):
                    counts[mine] += allow(key=key)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    worst = max(map(sum, rounds))
    told = f"8 threads, a new key a round: up to {worst} admitted in {len(rounds) - 1} rounds; allowed 100"
    return Observed(told, worst > 100)


def _forgetful(bench: Bench) -> Observed:
    """A key that has had its share is remembered, however many keys there are."""
    allow = _allow(bench, Quota(amount=1, per=3600))
    admitted = sum(allow(key=f"user {user}") for _ in range(3) for user in range(2000))
    return Observed(f"2000 keys of 1 an hour, 3 rounds at once: {admitted} admitted; allowed 2000", admitted > 2000)


def _growth(bench: Bench) -> Observed:
    """A key with a million admitted calls costs what a key with ten costs."""
    allow = _allow(bench, Quota(amount=2_000_000, per=3600))

    def cost(key: str, used: int) -> tuple[float, int]:
        before = tracemalloc.get_traced_memory()[0]
        allow(key=key, cost=used)
        held = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        fastest = float("inf")
        for _ in range(50):
            started = time.perf_counter()
            allow(key=key)
            fastest = min(fastest, time.perf_counter() - started)
        tracemalloc.start()
        return fastest * 1e6, held

    tracemalloc.start()
    allow(key="first")
    few, _ = cost("few", 10)
    many, held = cost("many", 1_000_000)
    tracemalloc.stop()
    told = f"{few:.1f} µs a call after 10 calls, {many:.1f} µs and {held / 1e6:.1f} MB after 10⁶"
    return Observed(told, many > 10 * few + 5 or held > 100_000)


def _edge(bench: Bench) -> Observed:
    """Across the edge of a minute no more than a burst is admitted at once."""
    allow = _allow(bench, Quota(amount=10, per=60))
    allow()
    bench.time.advance(59.9)
    admitted = sum(allow() for _ in range(20))
    bench.time.advance(0.2)
    admitted += sum(allow() for _ in range(20))
    return Observed(f"at 10/minute {admitted} were admitted within 0.2 s; allowed 10", admitted > 10)


LIMITER_ROWS: tuple[Row[Quota, Limiter], ...] = (
    Row(number="30", fault="100/minute delivers 60; 45/minute delivers 30", check=_rate, peers=("throttled-py",)),
    Row(
        number="31",
        fault="waits rounded up to whole seconds",
        check=_whole_seconds,
        peers=("throttled-py",),
        virtual=False,
    ),
    Row(
        number="34",
        fault="the `name` given is not part of the key: all users share one bucket",
        check=_keys_share,
        peers=("pyrate-limiter",),
    ),
    Row(
        number="36",
        fault="over-admits under threads",
        check=_threads,
        peers=("limits (fixed window)", "token-bucket"),
        virtual=False,
    ),
    Row(number="37", fault="the default key table silently forgets", check=_forgetful, peers=("throttled-py",)),
    Row(
        number="45",
        fault="O(n) memory and time per key",
        check=_growth,
        peers=("limits (moving window)", "pyrate-limiter"),
        virtual=False,
    ),
    Row(
        number="46",
        fault="twice the burst at a window's edge",
        check=_edge,
        peers=("limits (fixed window)", "throttled-py (fixed window)", "ratelimit"),
    ),
)
