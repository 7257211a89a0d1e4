"""Rows of calls that are admitted: closed breakers, limiters with tokens, stacks of both."""

import dataclasses
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from benchmarks import rival_breakers as breakers
from benchmarks import rival_limiters as limiters
from benchmarks.bar import Bar
from benchmarks.effort import Effort
from benchmarks.loop import Loop
from benchmarks.ours import breaker, keyed_limiter, limiter, ours, retry, stack
from benchmarks.ratio import Maker, Ratio
from benchmarks.reference import empty
from benchmarks.row import Outcome, Row
from benchmarks.subjects import SHAPES, afn, fn

__all__ = ["rows"]

_KEYS = tuple(f"user-{number}" for number in range(1000))


def _row(name: str, title: str, makers: dict[str, Maker], bar: Bar | None = None, **ratio: Any) -> Row:
    ratio.setdefault("subject", fn)
    return Row(
        name=name, title=title, unit="R", bar=bar, locked=True, repeated=True, measure=Ratio(makers=makers, **ratio)
    )


def rows() -> Iterator[Row]:
    """Everything that is admitted."""
    yield from _breakers()
    yield from _limiters()
    yield _row("stack", "breaker + limiter + breaker, sync", ours(stack) | _stacks(), Bar(limit=3.0))
    yield from _shapes()
    title = "closed breaker, two functions of one shape in turn"
    yield Row(name="two-functions", title=title, unit="R", repeated=True, measure=_two_functions)
    yield Row(
        name="retry",
        title="retry, first attempt succeeds, sync",
        unit="R",
        repeated=True,
        measure=Ratio(subject=fn, makers=ours(retry) | _retries()),
    )


def _breakers() -> Iterator[Row]:
    bar = Bar(limit=0.75, on_311=0.90)
    makers = ours(breaker()) | breakers.closed(breakers.SYNC)
    yield _row("closed-sync", "closed breaker, sync function", makers, bar)
    yield _row("closed-method", "closed breaker, sync method", makers, bar, colour="method")
    makers = ours(breaker()) | breakers.closed(breakers.ASYNC)
    bar = Bar(limit=0.90)
    yield _row("closed-async", "closed breaker, async function", makers, bar, subject=afn, colour="async")
    makers = ours(breaker(failure_rate=0.5)) | breakers.count_window()
    yield _row("count-window", "failure-rate window of 100 calls, closed, sync", makers, Bar(limit=0.9))
    makers = ours(breaker(failure_rate=0.5, window_seconds=10)) | breakers.time_window()
    yield _row("time-window", "failure-rate window of 10 seconds, closed, sync", makers, Bar(limit=1.5))
    makers = ours(breaker(slow_call_duration=1.0, slow_call_rate=0.5)) | breakers.slow_calls()
    yield _row("slow-calls", "breaker with slow-call detection, closed, sync", makers, Bar(limit=2.5))


def _limiters() -> Iterator[Row]:
    admitting = ours(limiter(admitting=True))
    bar = Bar(limit=1.5, gil_off=3.0)
    yield _row("limiter-sync", "limiter, admitted, sync", admitting | limiters.admits(), bar)
    makers = admitting | limiters.admits_async()
    yield _row("limiter-async", "limiter, admitted, async", makers, subject=afn, colour="async")
    makers = ours(keyed_limiter) | limiters.admits_keys()
    title = "limiter with a key, admitted, sync, 1000 keys"
    yield _row("limiter-keyed", title, makers, Bar(limit=4.0), loop=Loop(keys=_KEYS))


def _shapes() -> Iterator[Row]:
    """The closed breaker around functions of other shapes."""
    two = {name: breakers.SYNC[name] for name in ("circuitbreaker", "pybreaker")}
    makers = ours(breaker()) | breakers.closed(two)
    for shape, (subject, call) in SHAPES.items():
        name = "shape-" + shape.replace("*", "star-").replace(",", "").replace(" ", "-")
        title = f"closed breaker, sync: {shape}"
        measure = Ratio(subject=subject, makers=makers, loop=Loop(call=call))
        yield Row(name=name, title=title, unit="R", repeated=True, measure=measure)


def _stacks() -> dict[str, Maker]:
    """The same stack from the two fastest others, and from the two most complete."""
    closed, admits = breakers.closed(breakers.SYNC), limiters.admits()

    def of(outer: str, middle: str) -> Maker:
        return lambda fn: closed[outer](admits[middle](closed[outer](fn)))

    return {
        "circuitbreaker + limits": of("circuitbreaker", "limits (fixed window)"),
        "interlock-cb + throttled-py": of("interlock-cb", "throttled-py (GCRA)"),
    }


def _retries() -> dict[str, Maker]:
    def tenacity(fn: Callable[..., Any]) -> Any:
        library = import_module("tenacity")
        return library.retry(stop=library.stop_after_attempt(3))(fn)

    def stamina(fn: Callable[..., Any]) -> Any:
        return import_module("stamina").retry(on=Exception, attempts=3)(fn)

    return {"tenacity": tenacity, "stamina": stamina}


def _two_functions(effort: Effort) -> Outcome:
    """Two functions through decorators of the same make, called one after the other.

    A library that compiles one wrapper for a shape shares its code object, and so its inline
    caches, among all functions of that shape; this row shows what that costs.
    """

    def other(x: Any) -> Any:
        return x

    def pair(maker: Maker) -> Maker:
        return lambda fn: (maker(fn), maker(other))

    makers = ours(breaker()) | breakers.closed(breakers.SYNC)
    ratio = Ratio(
        subject=fn,
        makers={name: pair(maker) for name, maker in makers.items()},
        reference=pair(empty),
        loop=Loop(call="f[0](x); f[1](x)"),
    )
    return dataclasses.replace(ratio(effort), notes=["Each call is a pair of calls, for R and for all."])
