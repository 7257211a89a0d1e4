"""Tracebacks, debuggers and tracers see a shell's real lines; and where no source is at hand it works all the same."""

from __future__ import annotations

import io
import linecache
import pdb  # noqa: T100 -- the debugger is what is tested
import py_compile
import re
import shutil
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import resilience
from tests.guards import GUARDS
from tests.shapes import async_steps, awaited, plainly, steps

PACKAGE = Path(resilience.__file__).parent
SHELLS = str(PACKAGE / "_shell")


def failing(x: int) -> int:
    raise LookupError(x)


async def failing_coroutine(x: int) -> int:
    raise LookupError(x)


def failing_generator(x: int) -> Iterator[int]:
    raise LookupError(x)
    yield


async def failing_async_generator(x: int) -> Any:
    raise LookupError(x)
    yield


BODIES: dict[str, tuple[Any, Callable[..., Any]]] = {
    "function": (failing, plainly),
    "coroutine function": (failing_coroutine, awaited),
    "generator": (failing_generator, steps),
    "async generator": (failing_async_generator, async_steps),
}
FORWARDING = ("call(*args, **kwargs)", "yield from", "await step")


@pytest.fixture
def tracing() -> Iterator[None]:
    """Whoever traces the tests has its tracer back afterwards."""
    before = sys.gettrace()
    yield
    sys.settrace(before)


def codes_in(file: str) -> Iterator[CodeType]:
    """All the code of a file as it was written, not as it was compiled again."""
    todo = [compile(Path(file).read_text(encoding="utf-8"), file, "exec")]
    while todo:
        code = todo.pop()
        yield code
        todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def lines_of(code: CodeType) -> set[int]:
    return {line for _, _, line in code.co_lines() if line}


def every_line(file: str) -> set[int]:
    """Every line of a file that Python may execute."""
    return set().union(*(lines_of(code) for code in codes_in(file)))


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("body", BODIES)
def test_a_traceback_shows_the_line_that_calls(clock, guard, body):
    """The shell's frame names the package's own file, and the line there is the one that calls the function."""
    function, drive = BODIES[body]
    guarded = GUARDS[guard](clock).decorate(function)

    with pytest.raises(LookupError) as caught:
        drive(lambda: guarded(1))

    (ours,) = [
        frame
        for frame in traceback.extract_tb(caught.tb)
        if frame.filename.startswith(SHELLS) and frame.name == "shell"
    ]
    assert any(text in (ours.line or "") for text in FORWARDING)
    assert ours.line == linecache.getline(ours.filename, ours.lineno or 0).strip()


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("body", BODIES)
def test_the_lines_of_a_shell_are_those_of_its_source(clock, guard, body):
    """Line numbers are those that Python gives to the shell as it stands in the file, so coverage is not confused."""
    code = GUARDS[guard](clock).decorate(BODIES[body][0]).__code__
    (written,) = [other for other in codes_in(code.co_filename) if other.co_firstlineno == code.co_firstlineno]

    source = lambda line: linecache.getline(code.co_filename, line)  # noqa: E731
    left_out = [source(line) for line in lines_of(written) if line not in lines_of(code)]
    assert set(lines_of(code)) <= set(lines_of(written))
    assert [] == [line for line in left_out if not re.search(r"plain|Awaited|__await__", line)]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_tracer_sees_only_lines_of_the_source(clock, tracing, guard):
    """Decorating and calling under a tracer gives events of real lines: code, within the factory that was compiled."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if event == "line" and code.co_filename.startswith(SHELLS) and "specialise" not in code.co_filename:
            seen.add((code.co_filename, frame.f_lineno))
        return trace

    make = GUARDS[guard](clock).decorate
    sys.settrace(trace)
    guarded = make(lambda result, permit=1, type=2, now=3: result)  # noqa: A006 -- shells use that name
    guarded(1)
    sys.settrace(None)

    assert seen
    assert [] == [f"{file}:{line}" for file, line in sorted(seen) if line not in every_line(file)]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_debugger_steps_through_a_guarded_call(clock, tracing, guard):
    """Pdb steps from the call through the shell, whose source it shows, into the function."""

    def innermost(x: int) -> int:
        return x + 1  # here

    guarded = GUARDS[guard](clock).decorate(innermost)
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("step\n" * 3000), stdout=out, nosigint=True, readrc=False)
    debugger.use_rawinput = False

    assert 2 == debugger.runcall(guarded, 1)
    told = out.getvalue()
    assert "call(*args, **kwargs)" in told
    assert "return x + 1  # here" in told


def run_elsewhere(root: Path, script: str) -> str:
    """Run a script in a new Python that finds the package under *root*."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=root, capture_output=True, text=True, check=False
    )
    assert "" == done.stderr
    return done.stdout


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package, to be spoilt."""
    shutil.copytree(PACKAGE, tmp_path / "resilience", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def sourceless(copied: Path) -> Path:
    """A copy of the package that is compiled and has no source."""
    for source in sorted((copied / "resilience").rglob("*.py")):
        py_compile.compile(str(source), str(source.with_suffix(".pyc")), doraise=True)
        source.unlink()
    return copied


USE = """
    import asyncio, inspect
    import resilience
    from resilience import circuit_breaker, rate_limited

    @circuit_breaker
    @rate_limited(9)
    def f(a, /, b=2, *rest, c, d=4, **more): return a, b, rest, c, d, more

    @circuit_breaker(failure_rate=0.5)
    async def g(a, b=2): return a + b

    @rate_limited(9)
    def h(a, b=2): yield a + b

    class C:
        @circuit_breaker
        def m(self, x=1): return x

    print(f(1, c=3), f(1, 5, 6, c=7, e=8), asyncio.run(g(1)), list(h(1)), C().m(), inspect.signature(f))
"""
USED = "(1, 2, (), 3, 4, {}) (1, 5, (6,), 7, 4, {'e': 8}) 3 [3] 1 (a, /, b=2, *rest, c, d=4, **more)\n"


def test_a_package_without_source_guards_all_the_same(sourceless):
    """Where only compiled files are at hand, calls, defaults and signatures are right."""
    assert [] == list(sourceless.rglob("*.py"))
    assert USED == run_elsewhere(sourceless, USE)


def test_a_source_that_changed_since_the_import_is_not_believed(copied):
    """An upgrade in place under a running program does not mislead what is decorated afterwards."""
    shells = copied / "resilience" / "_shell"
    spoil = f"""
    import pathlib, resilience
    for file in pathlib.Path({str(shells)!r}).glob("*.py"):
        file.write_text("# new\\n" * 3 + file.read_text())
    """
    assert USED == run_elsewhere(copied, spoil + USE)
