"""Rows of the time it takes to decorate a function."""

import statistics
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks import rival_breakers as breakers
from benchmarks import rival_limiters as limiters
from benchmarks.bar import Bar
from benchmarks.effort import Effort
from benchmarks.ours import breaker, limiter, ours
from benchmarks.ratio import Maker, why
from benchmarks.row import Outcome, Row

__all__ = ["rows"]

_SHAPES = (
    "a{0}",
    "a{0}, b{0}",
    "a{0}, b{0}=1",
    "a{0}, *, b{0}=1",
    "a{0}, *b{0}",
    "a{0}, /, b{0}, **c{0}",
    "a{0}, b{0}=1, *c{0}, d{0}=2, **e{0}",
    "a{0}: int, b{0}: str = '', *, c{0}: float | None = None",
)


def rows() -> Iterator[Row]:
    """Decoration by breaker and limiter, of shapes that are new and that are known."""
    policies = {
        "breaker": ours(breaker()) | breakers.closed(breakers.SYNC),
        "limiter": ours(limiter(admitting=True)) | limiters.admits(),
    }
    for policy, makers in policies.items():
        yield Row(
            name=f"decorate-{policy}",
            title=f"decoration by a {policy}, median over different signatures",
            unit="ms",
            bar=Bar(limit=2.0),
            measure=_measure(makers, _different),
        )
        yield Row(
            name=f"decorate-{policy}-again",
            title=f"decoration by a {policy}, median, a signature shape seen before",
            unit="ms",
            bar=Bar(limit=0.15),
            measure=_measure(makers, _alike),
        )


def _different(count: int) -> list[Callable[..., Any]]:
    """Functions of which no two have the same parameters."""
    return [_function(n, _SHAPES[n % len(_SHAPES)].format(n)) for n in range(count)]


def _alike(count: int) -> list[Callable[..., Any]]:
    """Functions of different names with one and the same shape."""
    return [_function(n, "order, amount=1, *, currency='EUR'") for n in range(count)]


def _function(number: int, parameters: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    source = f"def f{number}({parameters}):\n    return None\n"
    exec(compile(source, "<functions to decorate>", "exec"), namespace)  # noqa: S102
    function = namespace[f"f{number}"]
    function.__module__ = __name__
    return function  # type: ignore[no-any-return]  # It comes out of exec.


def _measure(
    makers: dict[str, Maker], functions: Callable[[int], list[Callable[..., Any]]]
) -> Callable[[Effort], Outcome]:
    def measure(effort: Effort) -> Outcome:
        outcome = Outcome(notes=[f"{effort.decorations} functions."])
        for name, maker in makers.items():
            first, *rest = functions(effort.decorations + 1)
            try:
                kept = [maker(first)]  # The first brings imports and caches of its own.
                spent: list[float] = []
                for function in rest:
                    start = perf_counter()
                    guarded = maker(function)
                    spent.append(perf_counter() - start)
                    kept.append(guarded)
            except Exception as error:  # noqa: BLE001 - A peer that fails loses its column only.
                outcome.errors[name] = why(error)
                continue
            outcome.values[name] = statistics.median(spent) * 1e3
        return outcome

    return measure
