"""The awaitable that a guarded plain function hands on: settled when awaited, neutral when dropped."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from resilience._core.permit import Permit
    from resilience._gate.circuit import Circuit

__all__ = ["Awaited"]


class Awaited(Coroutine[Any, Any, Any]):
    """A coroutine around an awaitable; all other attributes are the awaitable's own."""

    __slots__ = ("_awaitable", "_gate", "_permit", "_run", "_started")

    def __init__(self, awaitable: Awaitable[Any], gate: Circuit, permit: Permit, started: float | None = None) -> None:
        self._awaitable = awaitable
        self._gate = gate
        self._permit = permit
        self._started = started
        self._run = _settled_at_the_end(awaitable, gate, permit, started)

    def __await__(self) -> Generator[Any, Any, Any]:
        # The first await is the one that counts; a future may be awaited again, and says the same again.
        fresh = inspect.getcoroutinestate(self._run) == inspect.CORO_CREATED
        return (yield from (self._run if fresh else self._awaitable).__await__())

    async def __aenter__(self) -> Any:
        """Enter what is an async context manager as well: that counts as the await."""
        enter = getattr(type(self._awaitable), "__aenter__", None)
        if enter is None:
            message = f"{type(self._awaitable).__name__!r} does not support the asynchronous context manager protocol"
            raise TypeError(message)
        self._run.close()
        return await _settled_at_the_end(enter(self._awaitable), self._gate, self._permit, self._started)

    async def __aexit__(self, *error: object) -> Any:
        return await type(self._awaitable).__aexit__(self._awaitable, *error)  # type: ignore[attr-defined] # it was entered

    def send(self, value: Any, /) -> Any:
        """Go on to the next suspension, as a coroutine does."""
        return self._run.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error at the suspension, as a coroutine does."""
        self._drop_unstarted()
        return self._run.throw(*error)

    def close(self) -> None:
        """End it where it stands, as a coroutine does."""
        self._drop_unstarted()
        self._run.close()

    def _drop_unstarted(self) -> None:
        # A coroutine that never began runs no handler of its own, so its permit is given back here, and the awaitable
        # that it would have ended is.
        if inspect.getcoroutinestate(self._run) == inspect.CORO_CREATED:
            self._gate.give_back(self._permit)
            close = getattr(self._awaitable, "close", None)
            if close is not None:
                close()

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None and inspect.getcoroutinestate(run) == inspect.CORO_CREATED:
            self._gate.give_back(self._permit)
            run.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._awaitable, name)

    def __repr__(self) -> str:
        return f"<guarded {self._awaitable!r}>"


async def _settled_at_the_end(awaitable: Awaitable[Any], gate: Circuit, permit: Permit, started: float | None) -> Any:
    try:
        result = await awaitable
    except BaseException as error:
        gate.fail(permit, error, started)
        raise
    gate.succeed(permit, result, started)
    return result
