"""Where calls come in to one or more limiters: taken all at once, or in line for all of them, or refused."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction
from functools import partial
from typing import Any

from resilience._core.line import Part, Standing, Waiter, join, replan, serve, unsettle, when
from resilience._gate.arrival import Want, lined, parts_of
from resilience._gate.limiter import Limiter, ring
from resilience.clock import Alarm, async_alarm, park, park_async, to_seconds
from resilience.errors import RateLimitExceeded

__all__ = ["Entrance"]

_PATIENCE = 0.05
"""Seconds, far more than anybody has a lock."""


class Entrance:
    """The way into some limiters, which share one lock and one clock.

    Args:
        limiters: In one fixed order; what a call wants of each comes in the same order.
    """

    __slots__ = ("_clock", "_read", "limiters")

    def __init__(self, limiters: tuple[Limiter, ...]) -> None:
        self.limiters = limiters
        self._clock = limiters[0].clock
        self._read = limiters[0].read

    def admit(self, wants: tuple[Want, ...], limit: int | None) -> None:
        """Take all that is wanted, or wait in line for it, at most *limit* nanoseconds (None: as long as needed).

        Raises:
            RateLimitExceeded: It is not there, and would not be within *limit*.
            ValueError: It is more than a capacity.
        """
        if self._at_once(wants, limit):
            return
        waiter = self._arrive(wants, limit, Alarm)
        if waiter is None:
            return
        try:
            while (seconds := self._look(waiter)) is not None:
                park(self._clock, waiter.alarm, seconds)
        except BaseException:
            self._leave(waiter)
            raise

    async def admit_async(self, wants: tuple[Want, ...], limit: int | None) -> None:
        """The same for a task: it is suspended while it waits, and may be cancelled."""
        if self._at_once(wants, limit):
            return
        waiter = self._arrive(wants, limit, async_alarm)
        if waiter is None:
            return
        try:
            while (seconds := self._look(waiter)) is not None:
                await park_async(self._clock, waiter.alarm, seconds)
        except BaseException:
            self._leave(waiter)
            raise

    def _at_once(self, wants: tuple[Want, ...], limit: int | None) -> bool:
        """Decide for calls that meet no line; False leaves it to the long way."""
        answer: bool | RateLimitExceeded | None = None
        first = self.limiters[0]
        while answer is None:
            domain = first.domain
            with domain.lock:
                if domain is first.domain:
                    answer = self._attempt(wants, limit, self._read())
            if domain.departed:
                domain.see_off()
        try:
            self._deliver()
        except BaseException:  # a listener ends the program: the call is not made
            if answer is True:
                for limiter, (key, cost) in zip(self.limiters, wants, strict=True):
                    limiter.move(key, cost, forward=False)
            raise
        if isinstance(answer, bool):
            return answer
        try:
            raise answer
        finally:
            del answer  # or this frame would hold the error that holds it, until a collection

    def _attempt(self, wants: tuple[Want, ...], limit: int | None, now: int) -> bool | RateLimitExceeded:
        takes: list[tuple[Limiter, Hashable, int]] = []
        spared: list[tuple[Limiter, Hashable, Fraction | int, int]] = []
        longest, slowest = 0, -1
        for at, limiter in enumerate(self.limiters):
            (key, cost), bucket = wants[at], limiter.bucket
            if not cost or bucket.aside:
                continue
            ticks = bucket.whole_ticks(cost)
            if key in bucket.lines or not 0 < ticks <= bucket.quota.cap:
                return False
            wait = bucket.shortage(key, ticks, now)
            if wait and limiter.shadow:
                spared.append((limiter, key, cost, wait))
                continue
            if wait > longest:
                longest, slowest = wait, at
            takes.append((limiter, key, ticks))
        if longest and (limit is None or longest <= limit):
            return False  # to the long way, which tells of those in shadow mode by itself
        for limiter, key, cost, wait in spared:
            limiter.would_reject(key, cost, wait, now)
        if longest:
            return self._refused(slowest, *wants[slowest], longest, now)
        for limiter, key, ticks in takes:
            limiter.bucket.take_ticks(key, ticks, now)
        self._tidy(now)
        return True

    def _refused(self, at: int, key: Hashable, cost: Fraction | int, wait: int, now: int) -> RateLimitExceeded:
        if key is None and cost == 1 and len(self.limiters) == 1:
            self.limiters[at].bucket.refuse(now + wait)
        return self.limiters[at].rejection(key, cost, wait, now)

    def _arrive(self, wants: tuple[Want, ...], limit: int | None, new_alarm: Callable[[], Any]) -> Waiter | None:
        """Take everything at once (None), or join the lines."""
        outcome: Waiter | RateLimitExceeded | None
        outcome, rung = self.limiters[0].locked(lambda now: self._decide(wants, limit, new_alarm, now))
        try:
            self._after(rung)
        except BaseException:
            if isinstance(outcome, Waiter):
                self._leave(outcome)
            raise
        if isinstance(outcome, RateLimitExceeded):
            try:
                raise outcome
            finally:
                del outcome  # as above
        return outcome

    def _decide(
        self, wants: tuple[Want, ...], limit: int | None, new_alarm: Callable[[], Any], now: int
    ) -> tuple[Waiter | RateLimitExceeded | None, list[Waiter]]:
        parts, rung = parts_of(self.limiters, wants, now)
        at = when(parts, now)
        try:
            if at <= now and not lined(parts):
                for part in parts:
                    part.bucket.take(part, now)
                return None, rung
            if limit is not None and (at - now > limit or not limit):
                return self._refusal(parts, at, now), rung
            waiter = Waiter(parts, now, limit, new_alarm())
            join(waiter, at, now)
            return waiter, rung
        finally:
            self._tidy(now)

    def _refusal(self, parts: tuple[Part, ...], at: int, now: int) -> RateLimitExceeded:
        """Name the bucket that takes longest."""
        slowest = max(parts, key=lambda part: when((part,), now))
        return self._limiter_of(slowest).rejection(slowest.key, slowest.cost, at - now, now)

    def _limiter_of(self, part: Part) -> Limiter:
        return next(limiter for limiter in self.limiters if limiter.bucket is part.bucket)

    def _look(self, waiter: Waiter) -> float | None:
        """Serve whoever is due; None when that was the waiter, else the seconds to wait.

        Raises:
            RateLimitExceeded: A change made the wait longer than its limit.
            ValueError: A change made the cost more than a capacity.
        """

        def work(now: int) -> tuple[float | None, list[Waiter], Exception | None]:
            rung = serve(waiter.lines() if waiter.standing is Standing.WAITING else [], now)
            seconds = None
            error: Exception | None = None
            if waiter.standing is Standing.WAITING:
                if waiter.plan_at <= now:
                    replan(waiter.lines(), now, enforce=False)
                waiter.armed_at = waiter.plan_at
                seconds = to_seconds(max(0, waiter.plan_at - now))
            elif waiter.standing is not Standing.SERVED:
                error = self._why_refused(waiter, now)
            self._tidy(now)
            return seconds, [one for one in rung if one is not waiter], error

        seconds, rung, error = self.limiters[0].locked(work)
        self._after(rung)
        if error is not None:
            try:
                raise error
            finally:
                del error  # as above
        return seconds  # type: ignore[no-any-return] # what work answers

    def _why_refused(self, waiter: Waiter, now: int) -> Exception:
        if waiter.standing is Standing.TOO_MUCH:
            for part in waiter.parts:
                try:
                    self._limiter_of(part).check_capacity(part.cost)
                except ValueError as error:
                    return error
        return self._refusal(waiter.parts, waiter.plan_at, now)

    def _leave(self, waiter: Waiter) -> None:
        """Step out of every line, give back what was already taken, and let those behind move up."""
        domain = self.limiters[0].domain
        if not domain.lock.acquire(timeout=_PATIENCE):
            # It must be this very thread that has it: a dropped coroutine is closed wherever a collection comes.
            domain.departed.append(partial(self._leave, waiter))
            if not domain.lock.locked():
                domain.see_off()
            return
        domain.lock.release()

        def work(now: int) -> list[Waiter]:
            standing, waiter.standing = waiter.standing, Standing.GONE
            if standing not in (Standing.WAITING, Standing.SERVED):
                return []
            lines = [line for part in waiter.parts if (line := part.bucket.lines.get(part.key)) is not None]
            if standing is Standing.SERVED:
                for part in waiter.parts:
                    part.bucket.give(part, now)
            unsettle(lines)
            rung = serve(lines, now)
            self._tidy(now)
            return rung

        ring(self.limiters[0].locked(work))  # and tell nobody: see `Circuit.give_back`

    def _tidy(self, now: int) -> None:
        for limiter in self.limiters:
            limiter.bucket.open_lane(now)
            if limiter.bucket.dropped:
                limiter.post_dropped(now)

    def _after(self, rung: list[Waiter]) -> None:
        ring(rung)
        self._deliver()

    def _deliver(self) -> None:
        for limiter in self.limiters:
            if limiter.feed.pending:
                limiter.feed.deliver()
