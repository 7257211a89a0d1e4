"""What type checkers make of errors, events, backoff, clocks and `policies`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, assert_type

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    Clock,
    RateLimitExceeded,
    Rejected,
    State,
    SystemClock,
    constant,
    events,
    exponential,
    linear,
    policies,
)
from resilience.testing import FakeClock


def what_errors_say() -> None:
    try:
        CircuitBreaker().call(int)
    except CircuitOpenError as error:
        assert_type(error.state, State)
        assert_type(error.key, Hashable)
        assert_type(error.retry_after, float | None)
    except RateLimitExceeded as error:
        assert_type(error.cost, float)
    except Rejected as error:
        assert_type(error.name, str)
        assert_type(error.reason, str)


def what_events_say(event: events.StateChanged, other: events.CallRejected) -> None:
    assert_type(event.old, State)
    assert_type(event.generation, int)
    assert_type(other.retry_after, float | None)
    assert_type(events.as_dict(event), dict[str, Any])
    assert_type(events.subscribe(print, events.StateChanged), Callable[[], None])


def listen(event: events.StateChanged) -> None:
    assert event.name


def what_makes_a_length() -> None:
    assert_type(exponential(0.1, factor=3, jitter="full"), Callable[[int], float])
    assert_type(linear(1, step=2)(3), float)
    CircuitBreaker(recovery_timeout=constant(5), listeners=[listen])


class MyClock:
    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float, /) -> None: ...

    async def sleep_async(self, seconds: float, /) -> None: ...


def what_is_a_clock() -> None:
    clocks: list[Clock] = [SystemClock(), FakeClock(), MyClock()]
    CircuitBreaker(clock=clocks[0])
    CircuitBreaker(clock=object())  # type: ignore[arg-type]
    assert_type(policies(), tuple[Any, ...])
    assert_type(policies(listen), tuple[Any, ...])
