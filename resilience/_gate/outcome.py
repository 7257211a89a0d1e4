"""What an exception or a result means for a breaker: failure, success, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience._log import log_failure
from resilience.errors import CallTimeoutError, Rejected

__all__ = ["Outcomes"]

Names = tuple[type[BaseException], ...] | Callable[[BaseException], Any]


class Outcomes:
    """The rules of one breaker: which exceptions count as failures, which are neutral, which results are failures.

    Args:
        on: Exception types, or a predicate, that count as failures.
        ignore: Exception types, or a predicate, that are neutral; wins over *on*.
        failure_when: Predicate on a result, True for a failure; None asks nothing.
        name: The breaker's name, for the log.
    """

    __slots__ = ("_everything", "_ignore", "_name", "_on", "_rejections", "failure_when")

    def __init__(self, on: Names, ignore: Names, failure_when: Callable[[Any], Any] | None, name: str) -> None:
        self._on = on
        self._ignore = ignore
        self.failure_when = failure_when
        self._name = name
        # A type names a rejection only when it is one itself: `TimeoutError` does not mean `DeadlineExceeded`.
        self._rejections = () if callable(on) else tuple(kind for kind in on if issubclass(kind, Rejected))
        self._everything = on == (Exception,) and ignore == ()

    def of(self, error: BaseException) -> bool | None:
        """True for a failure, False for a success (the dependency answered), None for neither."""
        if isinstance(error, Exception) and not isinstance(error, Rejected):
            return True if self._everything else self._of_exception(error)
        if self._ignore and not callable(self._ignore) and isinstance(error, self._ignore):
            return None
        if isinstance(error, Rejected):
            return True if isinstance(error, self._rejections) else None
        return True if not callable(self._on) and isinstance(error, self._on) else None

    def _of_exception(self, error: Exception) -> bool | None:
        try:
            if self._ignore(error) if callable(self._ignore) else isinstance(error, self._ignore):
                return None
            if isinstance(error, CallTimeoutError):
                return True  # whatever `on` names: a call that was given up is no answer
            return bool(self._on(error)) if callable(self._on) else isinstance(error, self._on)
        except Exception:  # noqa: BLE001 -- the caller must get the call's own error, whatever a predicate does
            log_failure("a predicate in on or ignore", self._name, "the call counts as a failure")
            return True
