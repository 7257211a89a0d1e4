"""Functions of a call's arguments, `key` and `cost`: asked with what they take, not with more."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["fitted"]

_P = inspect.Parameter


def fitted(rule: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """Make *rule* callable with all arguments of *call*.

    A rule whose parameters are named like some of the call's gets those: `key=lambda host: host` serves
    `def fetch(host, timeout=5)`. Any other gets all arguments, as they stand.

    Raises:
        TypeError: It can take neither.
    """
    try:
        wanted, given = inspect.signature(rule), inspect.signature(call, follow_wrapped=False)
    except (TypeError, ValueError):
        return rule
    parameters = list(given.parameters.values())
    if any(one.kind in (_P.VAR_POSITIONAL, _P.VAR_KEYWORD) for one in parameters):
        return rule  # what is given is known at the call only
    positional = [one.name for one in parameters if one.kind is not _P.KEYWORD_ONLY]
    keywords = [one.name for one in parameters if one.kind is _P.KEYWORD_ONLY]
    takes_all = _takes(wanted, positional, keywords)
    names = [one.name for one in wanted.parameters.values() if one.default is _P.empty or one.name in given.parameters]
    by_name = all(name in given.parameters for name in names) and _takes(wanted, names, [])
    if takes_all and (not by_name or names == positional + keywords):
        return rule
    if not by_name:
        takes, has = ", ".join(wanted.parameters), ", ".join(given.parameters)
        message = f"{rule!r} takes ({takes}), which are not arguments of {call!r}, which has ({has})"
        raise TypeError(message)
    picks = [positional.index(name) if name in positional else name for name in names]

    def ask(*args: Any, **kwargs: Any) -> Any:
        try:
            values = [args[pick] if isinstance(pick, int) else kwargs[pick] for pick in picks]
        except (IndexError, KeyError):  # asked by a plain shell, with what the caller wrote
            bound = given.bind(*args, **kwargs)
            bound.apply_defaults()
            values = [bound.arguments[name] for name in names]
        return rule(*values)

    return ask


def _takes(wanted: inspect.Signature, positional: list[str], keywords: list[str]) -> bool:
    try:
        wanted.bind(*positional, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True
