"""Pick the cheapest shell that serves a policy's rules, and compile it for the function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from resilience._gate.door import door, door_async
from resilience._shell import breaker, breaker_any, limiter
from resilience._shell.specialise import specialise
from resilience._skin import Colour

if TYPE_CHECKING:
    from resilience._core.config import BreakerConfig
    from resilience._gate.arrival import Want
    from resilience._gate.circuit import Circuit
from resilience._gate.entrance import Entrance

__all__ = ["circuit_shell", "finding_shell", "general_shell", "lane_shell"]

_CALL = frozenset({"call"})
_CALL_AND_ENTER = frozenset({"call", "enter"})
_MARGIN = 1e-6
"""Seconds by which a call must be faster than the limit for a shell to call it fast without the exact sum."""


def circuit_shell(
    call: Callable[..., Any], colour: Colour, circuit: Circuit, config: BreakerConfig, seconds: Callable[[], float]
) -> Any:
    """A shell around one circuit."""
    factory: Any
    rest: tuple[Any, ...] = ()
    if config.slow_call_duration is not None:
        factory, rest = breaker.clocked, (seconds, config.slow_call_duration / 1e9 - _MARGIN)
    elif config.failure_rate is None:
        factory = breaker.quiet
    elif config.window_span is not None:
        factory, rest = breaker.timed, (seconds,)
    else:
        factory = breaker.counted
    if colour is not Colour.ASYNC:
        return specialise(factory, call, circuit, circuit.core, *rest)
    plain = partial(breaker_any.keyed_async, call, lambda *_args, **_kwargs: circuit, seconds)
    return specialise(factory, call, circuit, circuit.core, *rest, awaits=_CALL, plain=plain)


def finding_shell(
    call: Callable[..., Any],
    colour: Colour,
    find: Callable[..., Circuit],
    config: BreakerConfig,
    seconds: Callable[[], float],
) -> Any:
    """A shell that finds its circuit at each call."""
    factories = {
        Colour.SYNC: breaker_any.keyed,
        Colour.ASYNC: breaker_any.keyed_async,
        Colour.GENERATOR: breaker_any.generator,
        Colour.ASYNC_GENERATOR: breaker_any.async_generator,
    }
    return specialise(factories[colour], call, find, seconds if config.slow_call_duration is not None else float)


def lane_shell(
    call: Callable[..., Any],
    colour: Colour,
    entrance: Entrance,
    key: Callable[..., Hashable] | None,
    limit: int | None,
) -> Any:
    """A shell around one token of one bucket."""
    gate = entrance.limiters[0]
    factory: Any = limiter.keyed if key is not None else limiter.lane if gate.bucket.lock_free else limiter.locked_lane
    first = () if key is None else (key,)
    last = (gate,) if factory is limiter.locked_lane else ()
    if colour is not Colour.ASYNC:
        return specialise(factory, call, *first, gate.bucket, gate.read, door(entrance, limit), *last)

    def enter(*args: Any, **kwargs: Any) -> Awaitable[None]:
        return entrance.admit_async(((None if key is None else key(*args, **kwargs), 1),), limit)

    plain = partial(limiter.general_async, call, enter)
    way_in = door_async(entrance, limit)
    return specialise(factory, call, *first, gate.bucket, gate.read, way_in, *last, awaits=_CALL_AND_ENTER, plain=plain)


def general_shell(
    call: Callable[..., Any],
    colour: Colour,
    entrance: Entrance,
    wants: Callable[..., tuple[Want, ...]],
    limit: int | None,
) -> Any:
    """A shell around whatever keys and costs of whatever buckets."""
    factories = {
        Colour.SYNC: limiter.general,
        Colour.ASYNC: limiter.general_async,
        Colour.GENERATOR: limiter.general_generator,
        Colour.ASYNC_GENERATOR: limiter.general_async_generator,
    }

    def enter(*args: Any, **kwargs: Any) -> None:
        entrance.admit(wants(*args, **kwargs), limit)

    def enter_async(*args: Any, **kwargs: Any) -> Awaitable[None]:
        return entrance.admit_async(wants(*args, **kwargs), limit)

    waits = colour in (Colour.ASYNC, Colour.ASYNC_GENERATOR)
    return specialise(factories[colour], call, enter_async if waits else enter)
