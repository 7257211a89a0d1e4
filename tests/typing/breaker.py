"""What type checkers make of `circuit_breaker`: the decorated callable has the type that it had before."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from datetime import timedelta
from typing import assert_type

from resilience import BreakerSnapshot, CircuitBreaker, State, circuit_breaker, exponential
from resilience.events import StateChanged

payments = CircuitBreaker("payments", failure_rate=0.5, window_seconds=timedelta(seconds=30), on=(OSError, LookupError))


@circuit_breaker
def bare(order: str, *, amount: int = 1) -> int:
    return len(order) * amount


@circuit_breaker(failure_threshold=3, recovery_timeout=exponential(30, maximum=600, jitter="full"), on=ConnectionError)
def with_options(order: str) -> int:
    return len(order)


@circuit_breaker()
def without_options(order: str) -> int:
    return len(order)


@circuit_breaker(payments)
def shared(order: str) -> int:
    return len(order)


@circuit_breaker(payments, key=len)
def shared_with_key(order: str) -> int:
    return len(order)


@circuit_breaker
async def coroutine(order: str) -> int:
    return len(order)


@circuit_breaker(payments)
async def shared_coroutine(order: str) -> int:
    return len(order)


@circuit_breaker
def generator(order: str) -> Generator[int, str, bool]:
    sent = yield len(order)
    return bool(sent)


@circuit_breaker(failure_threshold=2)
async def async_generator(order: str) -> AsyncGenerator[int, str]:
    yield len(order)


@circuit_breaker
async def async_iterator(order: str) -> AsyncIterator[int]:
    yield len(order)


class Client:
    def __call__(self, order: str) -> int:
        return len(order)

    @circuit_breaker
    def method(self, order: str) -> int:
        return len(order)

    @circuit_breaker(payments)
    async def coroutine(self, order: str) -> int:
        return len(order)

    @classmethod
    @circuit_breaker
    def below_classmethod(cls, order: str) -> int:
        return len(order)

    @circuit_breaker(probes=2)
    @classmethod
    def above_classmethod(cls, order: str) -> int:
        return len(order)

    @staticmethod
    @circuit_breaker
    def below_staticmethod(order: str) -> int:
        return len(order)

    @circuit_breaker
    @staticmethod
    def above_staticmethod(order: str) -> int:
        return len(order)

    @property
    @circuit_breaker
    def balance(self) -> float:
        return 1.0


def sync_calls(client: Client) -> None:
    assert_type(bare("x", amount=2), int)
    assert_type(with_options("x"), int)
    assert_type(without_options("x"), int)
    assert_type(shared(order="x"), int)
    assert_type(circuit_breaker(functools.partial(bare, "x")), functools.partial[int])
    assert_type(circuit_breaker(payments)(client), Client)
    assert_type(shared_with_key("x"), int)
    assert_type(generator("x"), Generator[int, str, bool])
    assert_type(client.method("x"), int)
    assert_type(Client.method(client, "x"), int)
    assert_type(Client.below_classmethod("x"), int)
    assert_type(client.above_classmethod("x"), int)
    assert_type(Client.below_staticmethod("x"), int)
    assert_type(client.above_staticmethod("x"), int)
    assert_type(client.balance, float)


async def async_calls(client: Client) -> None:
    assert_type(await coroutine("x"), int)
    assert_type(await shared_coroutine("x"), int)
    assert_type(await client.coroutine("x"), int)
    assert_type(async_generator("x"), AsyncGenerator[int, str])
    async for item in async_iterator("x"):
        assert_type(item, int)


def the_object(breaker: CircuitBreaker) -> None:
    assert_type(breaker.call(bare, "x", amount=2), int)
    assert_type(breaker.state, State)
    assert_type(breaker.snapshot(), BreakerSnapshot)
    assert_type(breaker.history(), tuple[StateChanged, ...])
    assert_type(breaker.for_key(("host", 1)), CircuitBreaker)
    assert_type(breaker.subscribe(print), Callable[[], None])
    assert_type(breaker.name, str)
    with breaker as entered:
        assert_type(entered, CircuitBreaker)


async def the_object_in_a_task(breaker: CircuitBreaker) -> None:
    assert_type(await breaker.call_async(coroutine, "x"), int)
    async with breaker as entered:
        assert_type(entered, CircuitBreaker)


def what_checkers_refuse(client: Client, breaker: CircuitBreaker) -> None:
    bare(1)  # type: ignore[arg-type]
    bare("x", 2)  # type: ignore[call-arg]
    with_options()  # type: ignore[call-arg]
    client.method(1)  # type: ignore[arg-type]
    Client.above_classmethod(1)  # type: ignore[arg-type]
    breaker.call(bare, 1)  # type: ignore[arg-type]
    circuit_breaker(failure_treshold=3)  # type: ignore[call-overload]
    circuit_breaker(failure_threshold="3")  # type: ignore[call-overload]
    circuit_breaker(breaker, probes=3)  # type: ignore[call-overload]
    CircuitBreaker(recovery_timeout="30")  # type: ignore[arg-type]
