"""The floors of the package: imports go down or stay level, cores know nothing of the world, and importing is light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

import resilience

ROOT = Path(resilience.__file__).parent
FLOORS: tuple[tuple[str, ...], ...] = (
    ("_state", "_validate", "_gil", "_log", "_feed", "_registry", "_entered", "clock", "errors", "events"),
    ("_core", "backoff"),
    ("_gate",),
    ("_shell", "_skin", "_proxy"),
    ("breaker", "rate_limit", "_circuit_breaker", "_rate_limited"),
    ("__init__",),
)
"""Modules and folders from the ground up; what is not here is a side building, which may look at every floor."""
SIDE = ("testing", "_pytest")
HEAVY = ("asyncio", "trio", "wrapt", "redis", "http.server", "typing_extensions", "hypothesis", "pytest")
WORLDLY = ("time", "threading", "logging", "asyncio", "random", "contextvars", "os", "socket", "datetime")


@cache
def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name within it."""
    files = sorted(ROOT.rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def home(module: str) -> str:
    """The folder, or the module at the top, to which a module belongs."""
    return module.split(".", maxsplit=1)[0]


def floor(module: str) -> int | None:
    """Where a module stands; None for the side buildings."""
    return next((number for number, names in enumerate(FLOORS) if home(module) in names), None)


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that can run, also inside functions; not what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if for_type_checkers(child):
            continue
        yield child
        yield from statements(child)


@cache
def imports(module: str) -> frozenset[str]:
    """The dotted names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in statements(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import; tell these tests how to read it"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def neighbours(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    found: set[str] = set()
    for name in imports(module):
        first, *rest = name.split(".")
        if first != "resilience":
            continue
        # `from resilience._core.bucket import Bucket` names the module but for its last part, or with it.
        paths = [".".join(rest[:length]) for length in range(len(rest), 0, -1)]
        known = next((path for path in paths if path in modules()), None)
        found.add(known or next((f"{path}.__init__" for path in paths if f"{path}.__init__" in modules()), "__init__"))
    return found


def test_every_module_has_a_floor():
    """A new module is put on a floor, or beside them, before anything imports it."""
    known = {*SIDE, *(name for names in FLOORS for name in names)}

    assert {home(module) for module in modules()} <= known


@pytest.mark.parametrize("module", modules())
def test_imports_go_down_or_stay_level(module):
    """No module imports from a floor above its own, and none on a floor from a side building."""
    mine = floor(module)
    if mine is not None:
        above = {other for other in neighbours(module) if (theirs := floor(other)) is None or theirs > mine}

        assert set() == above


def test_the_reader_of_imports_sees_them():
    """The tests above rest on it: a plain import, one inside a function, and none for type checkers alone."""
    assert {"_core.bucket", "_core.line", "_feed"} <= neighbours("_gate.limiter")
    assert "_proxy" in neighbours("_skin")
    assert "asyncio" in imports("clock")
    assert "resilience.events.Listener" not in imports("_feed")


@pytest.mark.parametrize(
    ("module", "world"), [*product([name for name in modules() if home(name) == "_core"], WORLDLY)], ids=str
)
def test_a_core_knows_nothing_of_the_world(module, world):
    """No clock, thread, log or loop in the state machines, not even for type checkers."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert world not in {name.split(".")[0] for name in names}


def test_a_core_awaits_nothing():
    """Nothing in a core is asynchronous, and nothing is a context manager over a lock."""
    banned = (ast.AsyncFunctionDef, ast.Await, ast.With, ast.AsyncWith)
    for module in (name for name in modules() if home(name) == "_core"):
        tree = ast.parse(modules()[module].read_text(encoding="utf-8"))

        assert [] == [node.lineno for node in ast.walk(tree) if isinstance(node, banned)], module


def test_only_shells_and_blocks_call_the_user_s_function():
    """`call(...)` with the caller's arguments stands in the shells alone."""
    found = {
        home(module)
        for module, file in modules().items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "call"
    }

    assert {"_shell"} == found


def fresh(script: str) -> str:
    """Run a script in a new Python without the site's own imports in the way."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "" == done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light():
    """What costs time to import is imported at its first use."""
    assert "[]" == fresh(f"""
import sys
before = set(sys.modules)
import resilience
print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))
""")


def test_guarding_plain_functions_stays_light():
    """Neither wrapt nor asyncio is needed to guard and call a plain function, a generator and a method."""
    assert "[]" == fresh(f"""
import sys
before = set(sys.modules)
from resilience import circuit_breaker, rate_limited
@circuit_breaker
@rate_limited(5)
def f(x): return x
@circuit_breaker
def g(): yield 1
class C:
    m = circuit_breaker(f)
f(1), list(g()), C.m(1)
print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))
""")


@pytest.mark.parametrize("module", [name for name in modules() if not name.endswith("__init__") and name not in SIDE])
def test_each_module_says_what_it_offers(module):
    """Every module has a docstring and `__all__`, and what that names is there."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    offered = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    ]

    assert ast.get_docstring(tree)
    assert 1 == len(offered)
    assert set(offered[0]) <= vars(importlib.import_module(f"resilience.{module}")).keys()
