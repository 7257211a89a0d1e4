"""Shells compiled with the signature of what they guard: any signature, any parameter name, in every shell."""

from __future__ import annotations

import builtins
import inspect
import keyword
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, ModuleType
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, RateLimitExceeded, TokenBucket, circuit_breaker, rate_limited
from resilience._shell import breaker, breaker_any, limiter
from resilience.testing import FakeClock
from tests.shapes import async_steps, awaited, plainly, steps

BODIES = {
    "def": ("def f({}): return {}", plainly),
    "async def": ("async def f({}): return {}", awaited),
    "generator": ("def f({}):\n yield\n return {}", steps),
    "async generator": ("async def f({}):\n yield {}", async_steps),
}
"""The source of a function that gives back its arguments, and what drives it."""


def some_key(*args: Any, **kwargs: Any) -> str:
    return "key"


def _breaker(**options: Any) -> Callable[[FakeClock], Callable[[Any], Any]]:
    return lambda clock: circuit_breaker(clock=clock, **options)


def _limiter(**options: Any) -> Callable[[FakeClock], Callable[[Any], Any]]:
    return lambda clock: rate_limited(rate=1e-6, capacity=1e6, clock=clock, **options)


def _locked() -> Callable[[FakeClock], Callable[[Any], Any]]:
    def make(clock: FakeClock) -> Callable[[Any], Any]:
        bucket = TokenBucket(1e-6, 1e6, clock=clock)
        bucket.limiter.bucket.lock_free = False  # as in a build without the GIL
        return rate_limited(bucket)

    return make


SLOW: dict[str, Any] = {"slow_call_duration": 60, "slow_call_rate": 1}
SHELLS: dict[tuple[Callable[..., Any], str], tuple[Callable[[FakeClock], Callable[[Any], Any]], str]] = {
    (breaker.quiet, "def"): (_breaker(failure_threshold=99), "def"),
    (breaker.quiet, "async def"): (_breaker(failure_threshold=99), "async def"),
    (breaker.counted, "def"): (_breaker(failure_rate=1), "def"),
    (breaker.counted, "async def"): (_breaker(failure_rate=1), "async def"),
    (breaker.timed, "def"): (_breaker(failure_rate=1, window_seconds=60), "def"),
    (breaker.timed, "async def"): (_breaker(failure_rate=1, window_seconds=60), "async def"),
    (breaker.clocked, "def"): (_breaker(**SLOW), "def"),
    (breaker.clocked, "async def"): (_breaker(**SLOW), "async def"),
    (breaker_any.keyed, "def"): (_breaker(key=some_key), "def"),
    (breaker_any.keyed_async, "async def"): (_breaker(key=some_key), "async def"),
    (breaker_any.generator, "generator"): (_breaker(), "generator"),
    (breaker_any.async_generator, "async generator"): (_breaker(), "async generator"),
    (limiter.lane, "def"): (_limiter(), "def"),
    (limiter.lane, "async def"): (_limiter(), "async def"),
    (limiter.locked_lane, "def"): (_locked(), "def"),
    (limiter.locked_lane, "async def"): (_locked(), "async def"),
    (limiter.keyed, "def"): (_limiter(key=some_key), "def"),
    (limiter.keyed, "async def"): (_limiter(key=some_key), "async def"),
    (limiter.general, "def"): (_limiter(cost=2), "def"),
    (limiter.general_async, "async def"): (_limiter(cost=2), "async def"),
    (limiter.general_generator, "generator"): (_limiter(), "generator"),
    (limiter.general_async_generator, "async generator"): (_limiter(), "async generator"),
}
"""How a decorator is made that uses this shell, and for which body."""


SIGNATURES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "": [((), {}), ((1,), {}), ((), {"a": 1})],
    "a, b": [((1, 2), {}), ((1,), {"b": 2}), ((), {"b": 2, "a": 1}), ((1,), {}), ((1, 2, 3), {}), ((1,), {"a": 1})],
    "a, b=2, /": [((1,), {}), ((1, 3), {}), ((1,), {"b": 3}), ((), {"a": 1}), ((1, 2, 3), {})],
    "a, /, b, *, c": [((1, 2), {"c": 3}), ((1,), {"b": 2, "c": 3}), ((1, 2, 3), {}), ((1, 2), {}), ((), {"c": 3})],
    "a=1, *, b=2, c": [((), {"c": 3}), ((0,), {"c": 3, "b": 4}), ((), {}), ((), {"c": 3, "d": 4})],
    "*rest": [((), {}), ((1, 2), {}), ((), {"rest": 1})],
    "**more": [((), {}), ((), {"a": 1, "more": 2}), ((1,), {})],
    "a, /, **more": [((1,), {"a": 2}), ((), {"a": 2})],
    "a, *rest, b=2, **more": [((1, 3, 5), {"c": 1}), ((1,), {"b": 3, "a2": 4}), ((), {}), ((1,), {"a": 1})],
    "a, b=2, /, c=3, *rest, d, e=5, **more": [((1, 2, 3, 4), {"d": 0, "b": 9}), ((1,), {"d": 0, "f": 1}), ((1,), {})],
}
"""Parameters, and calls that fit them or do not."""


def factories(module: ModuleType) -> set[Callable[..., Any]]:
    return {getattr(module, name) for name in module.__all__}


def names_in(code: CodeType) -> Iterator[str]:
    """Every name that a code object and those within it know."""
    yield from (code.co_name, *code.co_varnames, *code.co_names, *code.co_freevars, *code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def parameter_names(factory: Callable[..., Any]) -> list[str]:
    """What a user might call a parameter that means something to the shell, or stands near it."""
    used = {*names_in(factory.__code__), "self", "cls", "args", "kwargs", "args_", "specialise", "_", "__private"}
    return sorted(name for name in used if name.isidentifier() and not keyword.iskeyword(name))


@pytest.fixture(params=SHELLS, ids=lambda shell: f"{shell[0].__name__} {shell[1]}")
def shell(request: pytest.FixtureRequest) -> tuple[Callable[..., Any], str]:
    """Run the test once for each shell and each colour that it serves."""
    factory: tuple[Callable[..., Any], str] = request.param
    return factory


class Pair:
    """A function that gives back its arguments, bare and guarded; or raises `stop` while that is set."""

    def __init__(self, factory: tuple[Callable[..., Any], str], parameters: str, given: str, clock: FakeClock) -> None:
        decorator, body = SHELLS[factory]
        source, self.drive = BODIES[body]
        self.stop: list[Exception] = []
        space: dict[str, Any] = {"_raise_if_": self._raise_if}
        exec(source.format(parameters, f"_raise_if_() or ({given})"), space)
        self.bare = space["f"]
        self.guarded = decorator(clock)(self.bare)
        (self.policy,) = self.guarded.__resilience_policies__

    def _raise_if(self) -> None:
        if self.stop:
            raise self.stop[0]

    def told(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a call gives, or the text of the `TypeError` that it raises."""
        try:
            return self.drive(lambda: function(*args, **kwargs))
        except TypeError as error:
            return str(error)

    def agree(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether the guarded one gives the same, raises the same, and is rejected."""
        same = self.told(self.bare, args, kwargs) == self.told(self.guarded, args, kwargs)
        self.stop = [LookupError("mine")]
        with pytest.raises(LookupError):
            self.drive(lambda: self.guarded(*args, **kwargs))
        self.policy.force_open() if isinstance(self.policy, CircuitBreaker) else self.policy.pause(9, *self._keys())
        with pytest.raises((CircuitOpenError, RateLimitExceeded)):
            self.drive(lambda: self.guarded(*args, **kwargs))
        return same

    def _keys(self) -> tuple[str, ...]:
        return ("key",) if isinstance(self.policy, TokenBucket) and self.policy.snapshot().keys else ()


def can_be_guarded(pair: Callable[[], Pair], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a function is guarded as it should be; any error is a no."""
    try:
        return pair().agree(args, kwargs)
    except Exception:
        return False


def test_every_shell_is_tested_here():
    """The table holds each factory there is."""
    assert factories(breaker) | factories(breaker_any) | factories(limiter) == {factory for factory, _ in SHELLS}


def test_the_table_reaches_the_shell_it_names(shell, clock):
    """The compiled code stands where the factory's source stands."""
    lines, first = inspect.getsourcelines(shell[0])
    code = Pair(shell, "x", "x", clock).guarded.__code__

    assert inspect.getsourcefile(shell[0]) == code.co_filename
    assert code.co_firstlineno in range(first, first + len(lines))


@pytest.mark.parametrize("form", ["{}, /", "{}", "*, {}", "*{}", "**{}"])
def test_a_parameter_may_have_any_name(shell, clock, form):
    """A parameter named like something in the shell hides nothing there: not on success, failure or rejection."""
    keyed = form in ("*, {}", "**{}")

    def works(name: str) -> bool:
        def pair() -> Pair:
            return Pair(shell, form.format(name), name, clock)

        return can_be_guarded(pair, () if keyed else (4,), {name: 4} if keyed else {})

    assert [] == [name for name in parameter_names(shell[0]) if not works(name)]


@pytest.mark.parametrize("form", ["{}, /", "{}", "*, {}"])
def test_a_signature_may_have_all_those_names(shell, clock, form):
    """They may stand together, with every builtin there is."""
    names = sorted({*parameter_names(shell[0]), *dir(builtins)} - {*keyword.kwlist, "__debug__"})
    listed = ", ".join(names)
    values = dict(zip(names, range(len(names)), strict=True))
    args, kwargs = ((), values) if form == "*, {}" else (tuple(values.values()), {})

    assert can_be_guarded(lambda: Pair(shell, form.format(listed), f"({listed})", clock), args, kwargs)


@pytest.mark.parametrize("parameters", SIGNATURES)
def test_a_signature_is_exact(shell, clock, parameters):
    """Each call gives what the original gives, or the very `TypeError`, and then no policy has seen it."""
    pair = Pair(shell, parameters, "sorted(locals().items())", clock)
    before = str(pair.policy.snapshot())
    for args, kwargs in SIGNATURES[parameters]:
        bare = pair.told(pair.bare, args, kwargs)

        assert bare == pair.told(pair.guarded, args, kwargs)
        if isinstance(bare, str):
            assert before == str(pair.policy.snapshot())
        before = str(pair.policy.snapshot())


def test_defaults_are_the_original_s_own(shell, clock):
    """A default is the same object, so one that can change is shared with the original."""
    pair = Pair(shell, "a=[], *, b=[]", "(a, b)", clock)

    assert pair.guarded.__defaults__[0] is pair.bare.__defaults__[0]
    assert pair.guarded.__kwdefaults__["b"] is pair.bare.__kwdefaults__["b"]


@pytest.mark.parametrize("decorate", [circuit_breaker, partial(rate_limited, 9)])
def test_a_key_function_gets_the_arguments_of_the_call(clock, decorate):
    """It is called with what the caller gave; a parameter left to its default is not pressed upon it."""

    @decorate(key=lambda host: host, clock=clock)
    def fetch(host: str, timeout: float = 5.0) -> str:
        return host

    assert "a" == fetch("a")


def test_a_cost_function_gets_the_arguments_of_the_call(clock):
    """The same for a cost."""

    @rate_limited(9, cost=lambda host: len(host), clock=clock)  # noqa: PLW0108 -- its parameter's name is the point
    def fetch(host: str, timeout: float = 5.0) -> str:
        return host

    assert "a" == fetch("a")
