"""The other side of a guarded call: a dependency that counts its calls and behaves as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from benchmarks.peers.breaker_adapters import Guard

__all__ = ["Dependency", "settled"]

How = Literal["answers", "takes a while", "fails", "hangs"]


class Dependency:
    """Counts the calls that reach it, and fails with a ``ConnectionError``.

    ``wait`` and ``block`` are the same dependency, asynchronous and not; both are plain functions, because some
    breakers dress nothing else.
    """

    def __init__(self) -> None:
        self.made = 0

        def block(how: How) -> None:
            self.made += 1
            if how == "fails":
                raise ConnectionError

        async def wait(how: How) -> None:
            block(how)
            if how != "answers":
                await asyncio.sleep(60 if how == "hangs" else 0.05)

        self.block: Callable[[How], None] = block
        self.wait: Callable[[How], Awaitable[None]] = wait

    def behind(self, guard: Guard) -> Callable[[How], bool]:
        """A call of this dependency through *guard*, in whichever colour it speaks; tells whether it was made."""
        dressed = guard.dress(self.wait if guard.asynchronous_only else self.block)

        def call(how: How) -> bool:
            before = self.made
            try:
                result = dressed(how)
                if guard.asynchronous_only:
                    asyncio.run(settled(result))
            except (ConnectionError, guard.rejected):
                pass
            return self.made > before

        return call


async def settled(call: Awaitable[Any]) -> BaseException | None:
    """The error of an awaited call, or None."""
    try:
        await call
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is returned
        return error
    return None
