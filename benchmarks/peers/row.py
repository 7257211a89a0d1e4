"""A row of the table: one fault, one check, and the libraries it is run on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from benchmarks.peers.virtual_time import VirtualTime

__all__ = ["Adapter", "Lab", "Observed", "Row"]

Wanted = TypeVar("Wanted")
Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class Observed:
    """What a check saw: a figure for the reader, and whether it is the fault."""

    figure: str
    faulty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter(Generic[Wanted, Built]):
    """Builds one library's breaker or limiter from wishes that are in nobody's vocabulary."""

    distribution: str
    """The name it is installed by, which is also how its version is found."""
    module: str
    """The module whose names ``build`` uses."""
    build: Callable[[Any, Wanted, dict[str, Any]], Built]
    """Takes the module, the wish and ``{"clock": …}`` under a virtual clock, else ``{}``."""


class Lab(Generic[Wanted, Built]):
    """One library under test, alone in its process, with a clock moved by hand where the row wants one."""

    def __init__(self, adapter: Adapter[Wanted, Built], *, virtual: bool) -> None:
        self.time = VirtualTime()
        self._adapter = adapter
        self._module = self.time.load(adapter.module) if virtual else importlib.import_module(adapter.module)
        self._clock = {"clock": self.time} if virtual else {}

    def build(self, wanted: Wanted) -> Built:
        """Build what the check wants, as this library offers it."""
        return self._adapter.build(self._module, wanted, self._clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Generic[Wanted, Built]):
    """One fault and the peers that were found to have it."""

    number: str
    """Its number in the list of faults; a letter follows where one of them is checked in two ways."""
    fault: str
    check: Callable[[Lab[Wanted, Built]], Observed]
    peers: tuple[str, ...]
    virtual: bool = True
    """Whether time is moved by hand; the others really wait."""
