"""Every shape of callable under both decorators: guarded and like the original, or refused with advice."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from functools import lru_cache, partial
from types import MethodType
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    RateLimitExceeded,
    State,
    TokenBucket,
    circuit_breaker,
    policies,
    rate_limited,
)
from resilience.testing import FakeClock
from tests import shapes
from tests.guards import GUARDS, ONE_OF_EACH, Guard
from tests.shapes import RAN, REFUSED, SHAPES, Shape

MISSING = object()
ATTRIBUTES = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__")
PREDICATES = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
FORMS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "@circuit_breaker": lambda: circuit_breaker,
    "@circuit_breaker(probes=1)": lambda: circuit_breaker(probes=1),
    "@circuit_breaker(shared)": lambda: circuit_breaker(CircuitBreaker()),
    "@rate_limited(rate)": lambda: rate_limited(5),
    "@rate_limited(shared)": lambda: rate_limited(TokenBucket(5)),
}


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, clock: FakeClock) -> Guard:
    """Run the test once for each kind of shell."""
    return GUARDS[request.param](clock)


@pytest.fixture(params=ONE_OF_EACH)
def decorate(request: pytest.FixtureRequest, clock: FakeClock) -> Callable[[Any], Any]:
    """Run the test once for each decorator."""
    return GUARDS[request.param](clock).decorate


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Run the test once for each shape."""
    return SHAPES[request.param]


@pytest.fixture(params=[name for name, shape in SHAPES.items() if shape.signed])
def signed(request: pytest.FixtureRequest) -> Shape:
    """Run the test once for each shape whose signature is known."""
    return SHAPES[request.param]


def inside(target: Any) -> Any:
    """The function in a bound method or a descriptor, else the target itself."""
    return target.__func__ if isinstance(target, MethodType | classmethod | staticmethod) else target


def signature_of(target: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(target)
    except ValueError:
        return None


def test_a_guarded_callable_gives_what_the_original_gives(shape, guard):
    """The result is the original's own, whatever the shape."""
    assert shape.use(shape.original, 4) == shape.use(guard.decorate(shape.original), 4)


def test_the_exception_of_a_guarded_callable_is_its_own(shape, guard):
    """The caller gets the exception that the original raises."""
    with pytest.raises(ValueError) as bare:
        shape.use(shape.original, -1)

    with pytest.raises(ValueError) as caught:
        shape.use(guard.decorate(shape.original), -1)

    assert (type(bare.value), str(bare.value)) == (type(caught.value), str(caught.value))


def test_the_policy_sees_each_call_exactly_once(shape, guard):
    """A call, good or bad, is one verdict for the breaker and one token for the limiter."""
    guarded = guard.decorate(shape.original)
    shape.use(guarded, 9)
    assert 1 == guard.seen()

    with pytest.raises(ValueError):
        shape.use(guarded, -1)

    assert 2 == guard.seen()


def test_an_open_circuit_rejects_every_shape(shape, clock):
    """A failure is counted, the circuit opens, and the next call never reaches the body."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    guarded = circuit_breaker(breaker)(shape.original)
    with pytest.raises(ValueError):
        shape.use(guarded, -1)
    RAN.clear()

    with pytest.raises(CircuitOpenError):
        shape.use(guarded, 16)

    assert (State.OPEN, []) == (breaker.state, RAN)


def test_an_exhausted_limiter_rejects_every_shape(shape, clock):
    """A call takes its token, and the next one never reaches the body."""
    guarded = rate_limited(rate=1, clock=clock)(shape.original)
    shape.use(guarded, 25)
    RAN.clear()

    with pytest.raises(RateLimitExceeded):
        shape.use(guarded, 16)

    assert [] == RAN


def test_a_guarded_callable_recovers(shape, clock):
    """After the recovery time the probe closes the circuit again, whatever the shape."""
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=clock)
    guarded = circuit_breaker(breaker)(shape.original)
    with pytest.raises(ValueError):
        shape.use(guarded, -1)
    clock.advance(10)
    shape.use(guarded, 4)

    assert State.CLOSED is breaker.state


def test_guards_stack_on_every_shape(shape, guard, clock):
    """A second policy around the first sees the same calls, good and bad."""
    outer = CircuitBreaker(failure_rate=1.0, minimum_calls=100, clock=clock)
    guarded = circuit_breaker(outer)(guard.decorate(shape.original))
    shape.use(guarded, 4)
    with pytest.raises(ValueError):
        shape.use(guarded, -1)

    assert (2, 1, 2) == (outer.snapshot().calls, outer.snapshot().failures, guard.seen())
    assert (outer, guard.policy) == policies(guarded)


def test_arguments_that_do_not_fit_touch_no_policy(signed, guard):
    """Bad arguments are a `TypeError` at the call, as without a guard, and no policy sees the call."""
    with pytest.raises(TypeError):
        signed.bind(signed.original)(1, 2, 3, 4)

    with pytest.raises(TypeError):
        signed.bind(guard.decorate(signed.original))(1, 2, 3, 4)

    assert 0 == guard.seen()


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_result_looks_like_the_original(shape, decorate, attribute):
    """Name, qualname, doc, module and annotations are the original's, or are missing as they are there."""
    guarded = decorate(shape.original)

    assert getattr(shape.original, attribute, MISSING) == getattr(guarded, attribute, MISSING)
    assert getattr(inside(shape.original), attribute, MISSING) == getattr(inside(guarded), attribute, MISSING)


def test_the_result_has_the_original_s_signature(shape, decorate):
    """`inspect.signature` sees no guard, bound or not."""
    guarded = decorate(shape.original)

    assert signature_of(inside(shape.original)) == signature_of(inside(guarded))
    assert signature_of(shape.bind(shape.original)) == signature_of(shape.bind(guarded))


@pytest.mark.parametrize("predicate", PREDICATES)
def test_the_result_has_the_original_s_colour(shape, decorate, predicate):
    """`inspect` tells the same colour as for the original, bound or not."""
    guarded = decorate(shape.original)

    assert predicate(inside(shape.original)) == predicate(inside(guarded))
    assert predicate(shape.bind(shape.original)) == predicate(shape.bind(guarded))


def test_the_original_is_within_reach(shape, guard):
    """`__wrapped__` is the original, and the policy is found through the result, bound or not."""
    guarded = guard.decorate(shape.original)

    assert inside(shape.original) is inside(guarded).__wrapped__
    assert (guard.policy,) == policies(guarded) == policies(shape.bind(guarded))


def test_the_result_has_the_original_s_type(shape, decorate):
    """`isinstance` sees no guard: a guarded function is a function, a guarded partial a partial."""
    assert isinstance(decorate(shape.original), type(shape.original))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["root", "coroutine_root", "generator_root", "async_generator_root", "cached_root"])
def test_a_module_s_function_is_pickled_by_reference(decorate, monkeypatch, name, protocol):
    """What pickle loads is the very object that the module has under that name."""
    guarded = decorate(getattr(shapes, name))
    monkeypatch.setattr(shapes, name, guarded)

    assert guarded is pickle.loads(pickle.dumps(guarded, protocol))


def test_a_guarded_method_is_pickled_by_reference(decorate, monkeypatch):
    """A method is found again through its class."""
    monkeypatch.setattr(shapes.Rooter, "method", decorate(shapes.Rooter.method))

    assert shapes.Rooter.method is pickle.loads(pickle.dumps(shapes.Rooter.method))


@pytest.mark.parametrize("nameless", [partial(shapes.root), shapes.Rooter()], ids=["partial", "instance"])
def test_what_has_no_name_is_not_pickled(decorate, nameless):
    """A guarded partial or instance says that pickle could not find it again."""
    with pytest.raises(pickle.PicklingError, match="no name to be found by"):
        pickle.dumps(decorate(nameless))


def test_a_cached_function_keeps_its_cache(decorate):
    """The methods of the original are those of the result."""
    guarded = decorate(lru_cache(shapes.root))
    assert [2.0, 2.0] == [guarded(4), guarded(4)]

    assert (1, 1) == guarded.cache_info()[:2]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_guarded_is_refused_with_advice(kind, form):
    """Anything else is a `TypeError` at decoration that names the thing and says what to do."""
    make, advice = REFUSED[kind]
    target = make()

    with pytest.raises(TypeError, match=advice):
        FORMS[form]()(target)

    if inspect.iscoroutine(target):
        target.close()
