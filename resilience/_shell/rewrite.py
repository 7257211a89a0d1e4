"""Change the tree of a shell factory: another signature, other names where they clash, an `await` before calls."""

from __future__ import annotations

import ast

__all__ = ["EITHER", "KEYWORD", "ONLY", "REST", "REST_KEYWORDS", "Rewrite", "Shape"]

Shape = tuple[tuple[str, int], ...]
"""The names and kinds of a function's parameters; defaults do not matter to it."""

ONLY, EITHER, REST, KEYWORD, REST_KEYWORDS = range(5)
"""The kinds, numbered as `inspect` numbers them."""

PLAIN = "plain"
"""The variable of a shell in which it remembers a type that cannot be awaited."""


class Rewrite(ast.NodeTransformer):
    """Put a signature into a factory's shell, and rename whatever of the shell's own it would hide.

    Args:
        shape: The parameters to put in.
        factory: The tree to change.
        awaits: The names whose calls are awaited; any makes the shell a coroutine function.
    """

    def __init__(self, shape: Shape, factory: ast.FunctionDef, awaits: frozenset[str]) -> None:
        self._awaits = awaits
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
            if self._awaits:
                fields = {field: getattr(node, field) for field in node._fields}
                return ast.copy_location(ast.AsyncFunctionDef(**fields), node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.args = self._parameters()
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        # Whether a result can be awaited is no question where it has been.
        asks = any(isinstance(name, ast.Name) and name.id == PLAIN for name in ast.walk(node.test))
        return None if self._awaits and asks else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        awaited = isinstance(node.func, ast.Name) and node.func.id in self._awaits
        last = node.args[-1] if node.args else None
        if isinstance(last, ast.Starred) and isinstance(last.value, ast.Name) and last.value.id == "args":
            node.func = self.visit(node.func)
            node.args, node.keywords = self._forwarded([self.visit(arg) for arg in node.args[:-1]])
        else:
            self.generic_visit(node)
        return ast.copy_location(ast.Await(node), node) if awaited else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._renamed.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._renamed.get(node.arg, node.arg)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST | None:
        if self._awaits and node.names == [PLAIN]:
            return None
        node.names = [self._renamed.get(name, name) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self._renamed.get(node.name, node.name)
        self.generic_visit(node)
        return node

    def _parameters(self) -> ast.arguments:
        of = {kind: [ast.arg(name) for name, its in self._shape if its == kind] for kind in range(5)}
        rest, keywords = of[REST], of[REST_KEYWORDS]
        return ast.arguments(
            posonlyargs=of[ONLY],
            args=of[EITHER],
            vararg=rest[0] if rest else None,
            kwonlyargs=of[KEYWORD],
            kw_defaults=[None] * len(of[KEYWORD]),
            kwarg=keywords[0] if keywords else None,
            defaults=[],
        )

    def _forwarded(self, first: list[ast.expr]) -> tuple[list[ast.expr], list[ast.keyword]]:
        positional, keywords = first, []
        for name, kind in self._shape:
            value = ast.Name(name, ast.Load())
            if kind in (ONLY, EITHER):
                positional.append(value)
            elif kind == REST:
                positional.append(ast.Starred(value, ast.Load()))
            else:
                keywords.append(ast.keyword(name if kind == KEYWORD else None, value))
        return positional, keywords


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
