"""Compile a shell again with the signature of the function it guards.

A wrapper with `*args, **kwargs` costs six bare calls, one with the wrapped function's own signature two. The factory's
source is parsed once; for each new signature shape the shell's parameters and its forwarding calls are replaced, line
numbers are kept (so tracebacks, debuggers and coverage tools see the shell's real lines), and the result is compiled
and kept for the next function of that shape. Where no source is at hand the plain shell serves.
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

__all__ = ["specialise"]

Shape = tuple[tuple[str, int], ...]
"""The names and kinds of a function's parameters; defaults do not matter to it."""

_ONLY, _EITHER, _REST, _KEYWORD, _REST_KEYWORDS = range(5)
_SHAPES_KEPT = 512


def specialise(factory: Callable[..., Any], call: Callable[..., Any], *rest: Any) -> Any:
    """Make the factory's shell around *call*, with the exact signature where that is known.

    Args:
        factory: One of the shell factories.
        call: The function to guard.
        rest: The factory's other arguments.
    """
    likeness = call if isinstance(call, FunctionType) else None
    shape = _shape_of(likeness.__code__) if likeness is not None else _shape_by_inspection(call)
    make = _compiled(factory, shape) if shape is not None else factory
    shell = make(call, *rest)
    if likeness is not None:
        shell.__defaults__ = likeness.__defaults__
        shell.__kwdefaults__ = likeness.__kwdefaults__ and dict(likeness.__kwdefaults__)
    elif shape is not None:
        _copy_defaults(shell, call)
    return shell


def _shape_of(code: CodeType) -> Shape:
    """Read the shape off a code object: far faster than `inspect.signature`, and not led astray by `__wrapped__`."""
    names = code.co_varnames
    positional, keyword = code.co_argcount, code.co_kwonlyargcount
    kinds = [_ONLY] * code.co_posonlyargcount + [_EITHER] * (positional - code.co_posonlyargcount)
    shape = list(zip(names, kinds, strict=False))
    at = positional + keyword
    if code.co_flags & inspect.CO_VARARGS:
        shape.append((names[at], _REST))
        at += 1
    shape.extend((name, _KEYWORD) for name in names[positional : positional + keyword])
    if code.co_flags & inspect.CO_VARKEYWORDS:
        shape.append((names[at], _REST_KEYWORDS))
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
    positional = [one.default for one in parameters if int(one.kind) <= _EITHER]
    given = positional[next((at for at, default in enumerate(positional) if default is not empty), len(positional)) :]
    shell.__defaults__ = tuple(given) or None
    keyword = {one.name: one.default for one in parameters if int(one.kind) == _KEYWORD and one.default is not empty}
    shell.__kwdefaults__ = keyword or None


@functools.lru_cache(_SHAPES_KEPT)
def _compiled(factory: Callable[..., Any], shape: Shape) -> Callable[..., Any]:
    """The factory, compiled for one shape; the factory itself where its source cannot be read."""
    parsed = _source(factory)
    if parsed is None:
        return factory
    tree, file = copy.deepcopy(parsed[0]), parsed[1]
    _Rewrite(shape, tree).visit(tree)
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


class _Rewrite(ast.NodeTransformer):
    """Put a signature into a factory's shell, and rename whatever of the shell's own it would hide."""

    def __init__(self, shape: Shape, factory: ast.FunctionDef) -> None:
        self._shape = shape
        taken = {name for name, _ in shape}
        used = {node.id for node in ast.walk(factory) if isinstance(node, ast.Name)}
        used |= {node.arg for node in ast.walk(factory) if isinstance(node, ast.arg)}
        used |= {node.name for node in ast.walk(factory) if isinstance(node, ast.ExceptHandler) and node.name}
        used.discard("shell")  # the shell's own name, which it does not use itself
        self._renamed = {name: _free(name, used | taken) for name in used & taken}
        own = {node.arg for node in factory.args.args}
        own |= {node.id for node in ast.walk(factory) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {node.name for node in ast.walk(factory) if isinstance(node, ast.ExceptHandler) and node.name}
        # Builtins and globals that a parameter would hide are bound under their new name by the factory.
        self._outside = {name: new for name, new in self._renamed.items() if name not in own | {"args", "kwargs"}}
        self._factory = factory

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node is self._factory:  # after its docstring, on a line that is executed in any case
            node.body[1:1] = [
                ast.copy_location(ast.Assign([ast.Name(new, ast.Store())], ast.Name(name, ast.Load())), node.body[-1])
                for name, new in self._outside.items()
            ]
        elif node.name == "shell":
            node.args = self._parameters()
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.args = self._parameters()
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        last = node.args[-1] if node.args else None
        if not (isinstance(last, ast.Starred) and isinstance(last.value, ast.Name) and last.value.id == "args"):
            self.generic_visit(node)
            return node
        node.func = self.visit(node.func)
        node.args, node.keywords = self._forwarded([self.visit(arg) for arg in node.args[:-1]])
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._renamed.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._renamed.get(node.arg, node.arg)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self._renamed.get(name, name) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self._renamed.get(node.name, node.name)
        self.generic_visit(node)
        return node

    def _parameters(self) -> ast.arguments:
        of = {kind: [ast.arg(name) for name, its in self._shape if its == kind] for kind in range(5)}
        rest, keywords = of[_REST], of[_REST_KEYWORDS]
        return ast.arguments(
            posonlyargs=of[_ONLY],
            args=of[_EITHER],
            vararg=rest[0] if rest else None,
            kwonlyargs=of[_KEYWORD],
            kw_defaults=[None] * len(of[_KEYWORD]),
            kwarg=keywords[0] if keywords else None,
            defaults=[],
        )

    def _forwarded(self, first: list[ast.expr]) -> tuple[list[ast.expr], list[ast.keyword]]:
        positional, keywords = first, []
        for name, kind in self._shape:
            value = ast.Name(name, ast.Load())
            if kind in (_ONLY, _EITHER):
                positional.append(value)
            elif kind == _REST:
                positional.append(ast.Starred(value, ast.Load()))
            else:
                keywords.append(ast.keyword(name if kind == _KEYWORD else None, value))
        return positional, keywords


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
