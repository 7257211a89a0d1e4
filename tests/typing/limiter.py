"""What type checkers make of `rate_limited`: the decorated callable has the type that it had before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from datetime import timedelta
from typing import assert_type

from resilience import BucketSnapshot, TokenBucket, circuit_breaker, rate_limited

api = TokenBucket(rate=10, capacity=20, per=timedelta(minutes=1))
tpm = TokenBucket("90000/minute")


@rate_limited(rate=50, capacity=100)
def by_rate(order: str, *, amount: int = 1) -> int:
    return len(order) * amount


@rate_limited("100/minute", max_wait=2.0)
def by_text(order: str) -> int:
    return len(order)


@rate_limited(10, key=str.lower, cost=len)
def keyed(order: str) -> int:
    return len(order)


@rate_limited(api, tpm.by(cost=len))
def shared(order: str) -> int:
    return len(order)


@rate_limited(api, max_wait=None)
async def coroutine(order: str) -> int:
    return len(order)


@rate_limited(5)
def generator(order: str) -> Generator[int, str, bool]:
    sent = yield len(order)
    return bool(sent)


@rate_limited(5)
async def async_generator(order: str) -> AsyncGenerator[int, str]:
    yield len(order)


@circuit_breaker
@rate_limited(5)
@circuit_breaker(failure_threshold=2)
async def stacked(order: str) -> int:
    return len(order)


class Client:
    @rate_limited(5)
    def method(self, order: str) -> int:
        return len(order)

    @rate_limited(api)
    async def coroutine(self, order: str) -> int:
        return len(order)

    @classmethod
    @rate_limited(5)
    def below_classmethod(cls, order: str) -> int:
        return len(order)

    @rate_limited(api)
    @classmethod
    def above_classmethod(cls, order: str) -> int:
        return len(order)

    @rate_limited(5)
    @staticmethod
    def above_staticmethod(order: str) -> int:
        return len(order)


def sync_calls(client: Client) -> None:
    assert_type(by_rate("x", amount=2), int)
    assert_type(by_text("x"), int)
    assert_type(keyed(order="x"), int)
    assert_type(shared("x"), int)
    assert_type(generator("x"), Generator[int, str, bool])
    assert_type(client.method("x"), int)
    assert_type(Client.below_classmethod("x"), int)
    assert_type(client.above_classmethod("x"), int)
    assert_type(Client.above_staticmethod("x"), int)


async def async_calls(client: Client) -> None:
    assert_type(await coroutine("x"), int)
    assert_type(await stacked("x"), int)
    assert_type(await client.coroutine("x"), int)
    assert_type(async_generator("x"), AsyncGenerator[int, str])


def the_object(bucket: TokenBucket) -> None:
    assert_type(bucket.allow(2, key="tenant"), bool)
    assert_type(bucket.tokens(), float)
    assert_type(bucket.snapshot(), BucketSnapshot)
    assert_type(bucket.name, str)
    assert_type(bucket.subscribe(print), Callable[[], None])
    bucket.acquire(1.5, max_wait=timedelta(seconds=1))
    bucket.set_rate("5/s", capacity=9)
    with bucket as entered:
        assert_type(entered, TokenBucket)


async def the_object_in_a_task(bucket: TokenBucket) -> None:
    await bucket.acquire_async(2, key=("tenant", 1), max_wait=None)
    async with bucket as entered:
        assert_type(entered, TokenBucket)


def what_checkers_refuse(client: Client, bucket: TokenBucket) -> None:
    by_rate(1)  # type: ignore[arg-type]
    by_text()  # type: ignore[call-arg]
    client.method(1)  # type: ignore[arg-type]
    Client.above_classmethod(1)  # type: ignore[arg-type]
    rate_limited(5, max_wate=1)  # type: ignore[call-arg]
    rate_limited(5, max_wait="1")  # type: ignore[arg-type]
    bucket.allow("1")  # type: ignore[arg-type]
    bucket.acquire(max_wait="1")  # type: ignore[arg-type]
