"""The `rate_limited` decorator."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from resilience._gate.arrival import Want
from resilience._gate.bucket_options import BucketKeywords, BucketOptions
from resilience._gate.cost import check_capacity, check_cost, check_cost_rule, check_wait
from resilience._gate.domain import unite
from resilience._gate.entrance import Entrance
from resilience._shell.pick import general_shell, lane_shell
from resilience._shell.rule import fitted
from resilience._skin import Colour, check_shape, dress, title_of
from resilience._validate import callable_or_none, known_options
from resilience.rate_limit import BucketView, TokenBucket

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["rate_limited"]

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")


def rate_limited(
    *limits: float | str | TokenBucket | BucketView,
    rate: float | str | None = None,
    capacity: float | None = None,
    max_wait: float | timedelta | None = 0.0,
    key: Callable[..., Hashable] | None = None,
    cost: float | Callable[..., float] = 1,
    **options: Unpack[BucketKeywords],
) -> Callable[[F], F]:
    """Guard a callable with a token bucket, or with several that are taken all or nothing.

    `@rate_limited(rate=50, capacity=100)` or `@rate_limited("100/minute")` makes one bucket for each function, named
    after it; `@rate_limited(api, tpm.by(cost=...))` uses shared ones.

    Args:
        limits: A rate, or shared `TokenBucket`s and views of them.
        rate: Tokens every `per` seconds, or a text; see `TokenBucket`, as for `capacity` and `options`.
        capacity: Tokens a full bucket holds.
        max_wait: Seconds a call may wait in line, >= 0: 0 never waits, None waits as long as needed.
        key: Function of the call's arguments (`self` included) that gives a hashable key: one bucket per key.
        cost: Tokens a call takes, >= 0, or a function of its arguments that gives them.
        options: `per`, `name`, `max_keys`, `clock`, `shadow` and `listeners` of the bucket.

    Raises:
        ValueError: A value is out of range; a constant cost is more than a capacity; one bucket stands twice, or two
            have different clocks.
        TypeError: A value is of the wrong type; no rate is given; options stand beside a shared bucket.
    """
    known_options("rate_limited", BucketOptions, options)
    wait = check_wait(max_wait)
    key = callable_or_none("key", key)
    price = check_cost_rule(cost)
    shared = [limit for limit in limits if isinstance(limit, TokenBucket | BucketView)]
    if shared:
        _check_company(shared, limits, rate=rate, capacity=capacity, **options)
        views = [_view(limit, key, price) for limit in shared]
        entrance = _entrance(views)
        return lambda function: _guard(function, entrance, views, wait)
    pace = _only_rate(limits, rate)
    checked = BucketOptions(rate=pace, capacity=capacity, **options)
    if not callable(price):
        check_capacity(price, checked.quota, "the bucket")

    def decorate(function: Any) -> Any:
        check_shape(function)
        bucket = TokenBucket.__new__(TokenBucket)
        bucket._set_up(checked, title_of(function))  # noqa: SLF001 -- its other constructor
        view = BucketView(bucket, key, price)
        return _guard(function, _entrance([view]), [view], wait)

    return decorate


def _only_rate(limits: tuple[Any, ...], rate: Any) -> Any:
    """The one rate that was given.

    Raises:
        TypeError: There is none, or more than one.
    """
    given = [*limits, *([] if rate is None else [rate])]
    if not given or callable(given[0]):
        message = 'rate_limited needs a rate: write @rate_limited(rate=50) or @rate_limited("100/minute")'
        raise TypeError(message)
    if len(given) > 1:
        message = f"rate_limited takes one rate, or shared buckets, got {given!r}; the burst is capacity="
        raise TypeError(message)
    return given[0]


def _check_company(shared: list[Any], limits: tuple[Any, ...], **own: Any) -> None:
    """Refuse what belongs to a bucket itself beside a shared one."""
    if len(shared) != len(limits):
        message = f"shared buckets and a rate cannot stand together, got {limits!r}"
        raise TypeError(message)
    unwelcome = sorted(name for name, value in own.items() if value is not None)
    if unwelcome:
        message = f"only key=, cost= and max_wait= may stand beside a shared bucket, got {', '.join(unwelcome)}"
        raise TypeError(message)


def _view(limit: TokenBucket | BucketView, key: Callable[..., Hashable] | None, cost: Any) -> BucketView:
    """A view with the decorator's key and cost where it has none of its own."""
    if isinstance(limit, TokenBucket):
        view = BucketView(limit, key, cost)
    else:
        view = BucketView(limit.bucket, limit.key or key, cost if limit.cost is None else limit.cost)
    if not callable(view.cost):
        view.bucket.limiter.check_capacity(view.cost)
    return view


def _entrance(views: list[BucketView]) -> Entrance:
    limiters = tuple(view.bucket.limiter for view in views)
    if len(set(limiters)) != len(limiters):
        message = f"each bucket may stand once, got {[view.bucket.name for view in views]}"
        raise ValueError(message)
    if any(limiter.clock is not limiters[0].clock for limiter in limiters):
        message = f"buckets taken together must have one clock, got {[view.bucket.name for view in views]}"
        raise ValueError(message)
    unite(limiters)
    return Entrance(limiters)


def _guard(function: Any, entrance: Entrance, views: list[BucketView], wait: int | None) -> Any:
    check_shape(function)
    policies = tuple(view.bucket for view in views)
    only = views[0] if len(views) == 1 and views[0].cost == 1 and not entrance.limiters[0].shadow else None

    def shell(call: Callable[..., Any], colour: Colour) -> Any:
        if only is None or colour in (Colour.GENERATOR, Colour.ASYNC_GENERATOR):
            return general_shell(call, colour, entrance, _wants(views, call), wait)
        return lane_shell(call, colour, entrance, only.key and fitted(only.key, call), wait)

    return dress(function, shell, policies)


def _wants(views: list[BucketView], call: Callable[..., Any]) -> Callable[..., tuple[Want, ...]]:
    """Ask keys and costs of a call's arguments; no lock is held."""
    rules = [
        (view.key and fitted(view.key, call), fitted(view.cost, call) if callable(view.cost) else view.cost)
        for view in views
    ]

    def ask(*args: Any, **kwargs: Any) -> tuple[Want, ...]:
        return tuple(
            (
                None if key is None else key(*args, **kwargs),
                check_cost(cost(*args, **kwargs)) if callable(cost) else cost,
            )
            for key, cost in rules
        )

    return ask
