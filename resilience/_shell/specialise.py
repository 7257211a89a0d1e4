"""Compile a shell again with the signature of the function it guards.

A wrapper with `*args, **kwargs` costs six bare calls, one with the wrapped function's own signature two. The factory's
source is parsed once; for each new signature shape the shell's parameters and its forwarding calls are replaced, line
numbers are kept (so tracebacks, debuggers and coverage tools see the shell's real lines), and the result is compiled
and kept for the next function of that shape. A coroutine function gets the same shell, with an `await` before its calls
and without the question whether a result can be awaited. Where no source is at hand a plain shell serves.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import textwrap
import tokenize
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from resilience._shell.rewrite import EITHER, KEYWORD, ONLY, REST, REST_KEYWORDS, Rewrite, Shape

__all__ = ["specialise"]

_SHAPES_KEPT = 512
_ANYTHING: Shape = (("args", REST), ("kwargs", REST_KEYWORDS))
"""The shape of what tells nothing of its own."""


def specialise(
    factory: Callable[..., Any],
    call: Callable[..., Any],
    *rest: Any,
    awaits: frozenset[str] = frozenset(),
    plain: Callable[[], Any] | None = None,
) -> Any:
    """Make the factory's shell around *call*, with the exact signature where that is known.

    Args:
        factory: One of the shell factories.
        call: The function to guard.
        rest: The factory's other arguments.
        awaits: Which of the shell's calls are awaited, for a coroutine function; none for another.
        plain: Makes the shell that serves where there is no source; the factory itself when None.
    """
    likeness = call if isinstance(call, FunctionType) else None
    shape = _shape_of(likeness.__code__) if likeness is not None else _shape_by_inspection(call)
    if shape is None and awaits:
        shape = _ANYTHING
    make = None if shape is None else _compiled(factory, shape, awaits)
    if make is None:
        return factory(call, *rest) if plain is None else plain()
    shell = make(call, *rest)
    if likeness is not None:
        shell.__defaults__ = likeness.__defaults__
        shell.__kwdefaults__ = likeness.__kwdefaults__ and dict(likeness.__kwdefaults__)
    else:
        _copy_defaults(shell, call)
    return shell


def _shape_of(code: CodeType) -> Shape:
    """Read the shape off a code object: far faster than `inspect.signature`, and not led astray by `__wrapped__`."""
    names = code.co_varnames
    positional, keyword = code.co_argcount, code.co_kwonlyargcount
    kinds = [ONLY] * code.co_posonlyargcount + [EITHER] * (positional - code.co_posonlyargcount)
    shape = list(zip(names, kinds, strict=False))
    at = positional + keyword
    if code.co_flags & inspect.CO_VARARGS:
        shape.append((names[at], REST))
        at += 1
    shape.extend((name, KEYWORD) for name in names[positional : positional + keyword])
    if code.co_flags & inspect.CO_VARKEYWORDS:
        shape.append((names[at], REST_KEYWORDS))
    return tuple(shape)


def _signature(call: Any) -> inspect.Signature | None:
    for follow in (False, True):  # what it takes itself, else what it says it wraps, as a cached function does
        try:
            return inspect.signature(call, follow_wrapped=follow)
        except (TypeError, ValueError):
            continue
    return None  # many builtins have none; the plain shell serves


def _shape_by_inspection(call: Any) -> Shape | None:
    signature = _signature(call)
    if signature is None:
        return None
    return tuple((name, int(parameter.kind)) for name, parameter in signature.parameters.items())


def _copy_defaults(shell: Any, call: Any) -> None:
    signature = _signature(call)
    parameters = list(signature.parameters.values()) if signature is not None else []
    empty = inspect.Parameter.empty
    positional = [one.default for one in parameters if int(one.kind) <= EITHER]
    given = positional[next((at for at, default in enumerate(positional) if default is not empty), len(positional)) :]
    shell.__defaults__ = tuple(given) or None
    keyword = {one.name: one.default for one in parameters if int(one.kind) == KEYWORD and one.default is not empty}
    shell.__kwdefaults__ = keyword or None


@functools.lru_cache(_SHAPES_KEPT)
def _compiled(factory: Callable[..., Any], shape: Shape, awaits: frozenset[str]) -> Callable[..., Any] | None:
    """The factory, compiled for one shape; None where its source cannot be read."""
    parsed = _source(factory)
    if parsed is None:
        return None
    tree, file = copy.deepcopy(parsed[0]), parsed[1]
    Rewrite(shape, tree, awaits).visit(tree)
    namespace: dict[str, Any] = {}
    module = ast.fix_missing_locations(ast.Module([tree], []))
    # The source is this package's own; only the names of parameters, which Python has parsed before, are put in.
    exec(compile(module, file, "exec", dont_inherit=True), factory.__globals__, namespace)  # noqa: S102
    return namespace[factory.__name__]  # type: ignore[no-any-return] # what the source defines under that name


@functools.cache
def _source(factory: Callable[..., Any]) -> tuple[ast.FunctionDef, str] | None:
    """The factory's tree and file; None where there is no source, or not the one that was compiled."""
    try:
        lines, first = inspect.getsourcelines(factory)
        file = inspect.getsourcefile(factory) or "<resilience>"
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
        if not isinstance(tree, ast.FunctionDef) or not _same_code(_code_of(tree), factory.__code__):
            return None
    except (OSError, TypeError, SyntaxError, ValueError, tokenize.TokenError):
        return None
    for node in ast.walk(tree):  # annotations name types that need not exist at run time
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    ast.increment_lineno(tree, first - 1)
    return tree, file


def _code_of(tree: ast.FunctionDef) -> CodeType:
    flags = __future__.annotations.compiler_flag  # as this package's modules are compiled
    module = compile(ast.Module([tree], []), "<source>", "exec", flags=flags, dont_inherit=True)
    return next(const for const in module.co_consts if isinstance(const, CodeType) and const.co_name == tree.name)


def _same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two pieces of code do the same, on whatever lines they stand."""
    mine, its = ([const for const in code.co_consts if isinstance(const, CodeType)] for code in (one, other))
    same = one.co_code == other.co_code and one.co_names == other.co_names and len(mine) == len(its)
    return same and all(map(_same_code, mine, its))
