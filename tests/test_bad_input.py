"""Bad arguments are refused at the door: the right type of error, naming the parameter and the value."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from resilience import CircuitBreaker, TokenBucket, circuit_breaker, constant, events, exponential, linear, rate_limited
from resilience.testing import FakeClock

NAN, INF = float("nan"), float("inf")


async def coroutine(*args: Any) -> None: ...


async def async_generator(*args: Any) -> AsyncIterator[None]:
    yield


class AsyncCallable:
    async def __call__(self, *args: Any) -> None: ...


Bad = tuple[list[Any], list[Any]]
"""Values that are a `ValueError`, and values that are a `TypeError`."""

NUMBER: Bad = ([NAN, INF, -INF, 0, -1], [True, "10", [1], 1j])
LENGTH: Bad = ([NAN, INF, 0, -1, timedelta(0)], [True, "30", [1], 1j])
LENGTH_OR_0: Bad = ([NAN, INF, -INF, -0.1, timedelta(seconds=-1)], [True, "30", [1], coroutine])
SHARE: Bad = ([NAN, INF, 0, -0.5, 1.01], [True, "0.5", [], 1j])
COUNT: Bad = ([0, -1], [NAN, INF, 1.5, True, "5", [5]])
FLAG: Bad = ([], [1, 0, None, "yes", []])
FUNCTION: Bad = ([], [5, "key", True, [], coroutine, async_generator, AsyncCallable(), partial(coroutine)])
EXCEPTIONS: Bad = ([], [5, "ValueError", int, [ValueError, 5], ValueError("x"), coroutine, None, AsyncCallable()])
NAME: Bad = ([""], [5, True, b"name", ["name"], print])
CLOCK: Bad = ([], [5, "system", time.time, time, FakeClock, object()])
LISTENERS: Bad = ([], [5, None, "abc", print, [5], [coroutine], [print, AsyncCallable()]])
TEXTS = ["", "10", "10/", "/s", "0/s", "-1/s", "10/fortnight", "nan/s", "1e3/s", "10/0s", "10 per second"]
RATE: Bad = (NUMBER[0] + TEXTS, [True, [1], 1j, b"10/s"])
COST: Bad = ([NAN, INF, -INF, -1, -0.5], [True, "1", None, [], 1j])
COST_RULE: Bad = (COST[0], [*COST[1], coroutine, AsyncCallable()])
JITTER: Bad = ([NAN, INF, -0.1, 1.1], [True, "half", None, []])
FACTOR: Bad = ([NAN, INF, 0.9, 0, -1], [True, "2", None, []])
RECOVERY: Bad = (LENGTH[0], [*LENGTH[1], None, coroutine, AsyncCallable()])

BREAKER: dict[str, tuple[Bad, dict[str, Any]]] = {
    "failure_threshold": (COUNT, {}),
    "failure_rate": (SHARE, {}),
    "window_calls": (COUNT, {"failure_rate": 0.5}),
    "window_seconds": (LENGTH, {"failure_rate": 0.5}),
    "minimum_calls": (([*COUNT[0], 101], COUNT[1]), {"failure_rate": 0.5}),
    "slow_call_duration": (LENGTH, {"slow_call_rate": 0.5}),
    "slow_call_rate": (SHARE, {"slow_call_duration": 1}),
    "recovery_timeout": (RECOVERY, {}),
    "probes": (([0, -1], [*COUNT[1], None]), {}),
    "probe_timeout": (LENGTH, {}),
    "on": (EXCEPTIONS, {}),
    "ignore": (EXCEPTIONS, {}),
    "failure_when": (FUNCTION, {}),
    "key": (FUNCTION, {}),
    "max_keys": (([0, -1], [*COUNT[1], None]), {}),
    "name": (NAME, {}),
    "clock": (CLOCK, {}),
    "shadow": (FLAG, {}),
    "listeners": (LISTENERS, {}),
}
LIMITER: dict[str, tuple[Bad, dict[str, Any]]] = {
    "rate": (RATE, {}),
    "capacity": (NUMBER, {"rate": 5}),
    "per": (LENGTH, {"rate": 5}),
    "name": (NAME, {"rate": 5}),
    "max_keys": (COUNT, {"rate": 5}),
    "clock": (CLOCK, {"rate": 5}),
    "shadow": (FLAG, {"rate": 5}),
    "listeners": (LISTENERS, {"rate": 5}),
}
ON_THE_DECORATOR: dict[str, tuple[Bad, dict[str, Any]]] = {
    "max_wait": (LENGTH_OR_0, {"rate": 5}),
    "key": (FUNCTION, {"rate": 5}),
    "cost": (([*COST_RULE[0], 6], COST_RULE[1]), {"rate": 5}),
}
BUCKET = TokenBucket(5, 10, clock=FakeClock())
CALLS: dict[str, tuple[Callable[[Any], Any], str, Bad]] = {
    "allow(cost)": (BUCKET.allow, "cost", ([*COST[0], 11], COST[1])),
    "acquire(cost)": (BUCKET.acquire, "cost", ([*COST[0], 11], COST[1])),
    "acquire(max_wait)": (lambda bad: BUCKET.acquire(max_wait=bad), "max_wait", LENGTH_OR_0),
    "charge(n)": (BUCKET.charge, "n", COST),
    "refund(n)": (BUCKET.refund, "n", COST),
    "pause(seconds)": (BUCKET.pause, "seconds", LENGTH_OR_0),
    "set_rate(rate)": (BUCKET.set_rate, "rate", (RATE[0], [*RATE[1], None])),
    "set_rate(capacity)": (lambda bad: BUCKET.set_rate(5, bad), "capacity", NUMBER),
    "set_rate(per)": (lambda bad: BUCKET.set_rate(5, per=bad), "per", LENGTH),
    "set_rate(per), beside a text": (lambda bad: BUCKET.set_rate("5/s", per=bad), "per", ([2, NAN, 0, 60.0], [])),
    "by(key)": (lambda bad: BUCKET.by(key=bad), "key", FUNCTION),
    "by(cost)": (
        lambda bad: BUCKET.by(cost=bad),
        "cost",
        (COST_RULE[0], [one for one in COST_RULE[1] if one is not None]),
    ),
    "bucket.subscribe(listener)": (BUCKET.subscribe, "listener", (FUNCTION[0], [*FUNCTION[1], None])),
    "breaker.subscribe(listener)": (CircuitBreaker().subscribe, "listener", (FUNCTION[0], [*FUNCTION[1], None])),
    "force_open(seconds)": (CircuitBreaker().force_open, "seconds", LENGTH_OR_0),
    "shared breaker, key": (lambda bad: circuit_breaker(CircuitBreaker(), key=bad), "key", FUNCTION),
    "exponential(first)": (exponential, "first", (LENGTH[0], [*LENGTH[1], None])),
    "exponential(factor)": (lambda bad: exponential(1, factor=bad), "factor", FACTOR),
    "exponential(maximum)": (lambda bad: exponential(1, maximum=bad), "maximum", LENGTH),
    "exponential(jitter)": (lambda bad: exponential(1, jitter=bad), "jitter", JITTER),
    "exponential()(times)": (exponential(1), "times", (COUNT[0], [*COUNT[1], None])),
    "linear(first)": (linear, "first", (LENGTH[0], [*LENGTH[1], None])),
    "linear(step)": (lambda bad: linear(1, step=bad), "step", LENGTH_OR_0),
    "linear(maximum)": (lambda bad: linear(1, maximum=bad), "maximum", LENGTH),
    "linear(jitter)": (lambda bad: linear(1, jitter=bad), "jitter", JITTER),
    "constant(seconds)": (constant, "seconds", (LENGTH[0], [*LENGTH[1], None])),
    "constant(jitter)": (lambda bad: constant(1, jitter=bad), "jitter", JITTER),
    "FakeClock(start)": (FakeClock, "start", ([NAN, INF, -INF, -1, -0.5], [True, "1", None, [], timedelta(1)])),
    "FakeClock(autojump)": (lambda bad: FakeClock(autojump=bad), "autojump", FLAG),
    "advance(seconds)": (FakeClock().advance, "seconds", (LENGTH_OR_0[0], [*LENGTH_OR_0[1], None])),
    "events.subscribe(listener)": (events.subscribe, "listener", (FUNCTION[0], [*FUNCTION[1], None])),
    "events.subscribe(types)": (
        lambda bad: events.subscribe(print, bad),
        "types",
        ([], ["StateChanged", 5, None, int, ValueError, (events.Event,)]),
    ),
}


MAKERS: list[tuple[Callable[..., Any], dict[str, tuple[Bad, dict[str, Any]]]]] = [
    (CircuitBreaker, BREAKER),
    (circuit_breaker, BREAKER),
    (TokenBucket, LIMITER),
    (rate_limited, LIMITER | ON_THE_DECORATOR),
]


def rows(title: str, call: Callable[[Any], Any], parameter: str, bad: Bad) -> Iterator[Any]:
    """One case for each bad value, with a readable name."""
    for error, values in zip((ValueError, TypeError), bad, strict=True):
        for at, value in enumerate(values):
            shown = repr(value) if isinstance(value, int | float | str | None) else f"{type(value).__name__} {at}"
            yield pytest.param(call, parameter, value, error, id=f"{title}: {shown}")


def given_to(make: Callable[..., Any], name: str, others: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda bad: make(**others, **{name: bad})


def cases() -> Iterator[Any]:
    """Every parameter with each of its bad values."""
    for make, parameters in MAKERS:
        for name, (bad, others) in parameters.items():
            yield from rows(f"{make.__name__}({name})", given_to(make, name, others), name, bad)
    for title, (call, name, bad) in CALLS.items():
        yield from rows(title, call, name, bad)


def ways_to_show(value: Any) -> list[str]:
    """A value is shown as it is; a `timedelta` may be shown in seconds, a collection by the member that is wrong."""
    shown = [repr(value)]
    if isinstance(value, timedelta):
        shown.append(f"got {value.total_seconds()!r}")
    if isinstance(value, list):
        shown += [f"got {member!r}" for member in value]
    return shown


@pytest.mark.parametrize(("call", "parameter", "value", "error"), list(cases()))
def test_a_bad_value_is_refused_by_name(call, parameter, value, error):
    """The error is a `ValueError` or a `TypeError` as the value deserves, and says which parameter and which value."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call(value)

    assert error is caught.type
    assert re.search(rf"\b{parameter}\b", str(caught.value))
    assert any(shown in str(caught.value) for shown in ways_to_show(value))


@pytest.mark.parametrize(
    ("call", "keyword"),
    [
        (CircuitBreaker, "failure_treshold"),
        (circuit_breaker, "recovery_timout"),
        (partial(TokenBucket, 5), "capasity"),
        (partial(rate_limited, 5), "max_wate"),
        (rate_limited, "rates"),
        (BUCKET.allow, "costs"),
        (BUCKET.acquire, "max_weight"),
        (BUCKET.by, "keys"),
        (partial(BUCKET.set_rate, 5), "pre"),
        (partial(exponential, 1), "maximun"),
        (partial(linear, 1), "steps"),
        (partial(constant, 1), "jiter"),
        (FakeClock, "autojmp"),
        (partial(events.subscribe, print), "type"),
    ],
)
def test_a_misspelt_keyword_is_refused(call, keyword):
    """It is a `TypeError` that names it; nothing is silently ignored."""
    with pytest.raises(TypeError, match=keyword):
        call(**{keyword: 1})


@pytest.mark.parametrize("per", [True, None, "1", []])
@pytest.mark.parametrize("make", [TokenBucket, rate_limited, BUCKET.set_rate])
def test_a_text_has_its_own_span(make, per):
    """Beside a rate such as "10/s" no `per` of any kind is let pass."""
    with pytest.raises((ValueError, TypeError), match="per must be"):
        make("10/s", per=per)


@pytest.mark.parametrize("misspelt", ["failure_treshold", "recovery_timout", "probe_timeouts", "lisners"])
def test_a_misspelt_option_gets_a_hint(misspelt):
    """The breaker's options are many, so the error says which one was meant."""
    with pytest.raises(TypeError, match="did you mean"):
        circuit_breaker(**{misspelt: 1})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"failure_threshold": 3, "failure_rate": 0.5}, ("failure_threshold", "failure_rate")),
        ({"failure_rate": 0.5, "window_calls": 9, "window_seconds": 9}, ("window_calls", "window_seconds")),
        ({"slow_call_duration": 1}, ("slow_call_duration", "slow_call_rate")),
        ({"slow_call_rate": 0.5}, ("slow_call_duration", "slow_call_rate")),
        ({"window_calls": 9}, ("window_calls", "failure_rate")),
        ({"window_seconds": 9, "failure_threshold": 3}, ("window_seconds", "failure_rate")),
        ({"minimum_calls": 9}, ("minimum_calls", "failure_rate")),
        ({"failure_rate": 0.5, "window_calls": 5, "minimum_calls": 6}, ("minimum_calls", "window_calls")),
    ],
)
@pytest.mark.parametrize("make", [CircuitBreaker, circuit_breaker])
def test_options_that_contradict_each_other_are_refused(make, options, named):
    """It is a `ValueError` that names both."""
    with pytest.raises(ValueError) as caught:
        make(**options)

    assert all(name in str(caught.value) for name in named)
