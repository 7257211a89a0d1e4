"""Pick the cheapest shell that serves a policy's rules, and compile it for the function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
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

_MARGIN = 1e-6
"""Seconds by which a call must be faster than the limit for a shell to call it fast without the exact sum."""


def circuit_shell(
    call: Callable[..., Any], colour: Colour, circuit: Circuit, config: BreakerConfig, seconds: Callable[[], float]
) -> Any:
    """A shell around one circuit."""
    is_async = colour is Colour.ASYNC
    factory: Any
    rest: tuple[Any, ...] = ()
    if config.slow_call_duration is not None:
        factory = breaker.clocked_async if is_async else breaker.clocked
        rest = (seconds, config.slow_call_duration / 1e9 - _MARGIN)
    elif config.failure_rate is None:
        factory = breaker.quiet_async if is_async else breaker.quiet
    elif config.window_span is not None:
        factory = breaker.timed_async if is_async else breaker.timed
        rest = (seconds,)
    else:
        factory = breaker.counted_async if is_async else breaker.counted
    return specialise(factory, call, circuit, circuit.core, *rest)


def finding_shell(
    call: Callable[..., Any], colour: Colour, find: Callable[..., Circuit], seconds: Callable[[], float]
) -> Any:
    """A shell that finds its circuit at each call."""
    factories = {
        Colour.SYNC: breaker_any.keyed,
        Colour.ASYNC: breaker_any.keyed_async,
        Colour.GENERATOR: breaker_any.generator,
        Colour.ASYNC_GENERATOR: breaker_any.async_generator,
    }
    return specialise(factories[colour], call, find, seconds)


def lane_shell(
    call: Callable[..., Any],
    colour: Colour,
    entrance: Entrance,
    key: Callable[..., Hashable] | None,
    limit: int | None,
) -> Any:
    """A shell around one token of one bucket."""
    is_async = colour is Colour.ASYNC
    enter: Any = door_async(entrance, limit) if is_async else door(entrance, limit)
    gate = entrance.limiters[0]
    factory: Any
    if key is None:
        factory = limiter.lane_async if is_async else limiter.lane
        return specialise(factory, call, gate.bucket, gate.read, enter)
    factory = limiter.keyed_async if is_async else limiter.keyed
    return specialise(factory, call, key, gate.bucket, gate.read, enter)


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
