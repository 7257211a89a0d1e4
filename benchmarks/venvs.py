"""The interpreters on this machine, and a virtual environment for each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Python", "find", "prepared"]

WANTED = ((3, 11), (3, 12), (3, 13))
"""The versions that the package supports."""

PEERS = (
    "wrapt==2.5.2",
    "pybreaker==1.4.1",
    "circuitbreaker==2.1.3",
    "aiobreaker==1.2.0",
    "purgatory==3.0.1",
    "interlock-cb==2.8.2",
    "limits==5.8.0",
    "throttled-py==3.5.0",
    "pyrate-limiter==4.5.1",
    "aiolimiter==1.3.0",
    "tenacity==9.2.1",
    "stamina==26.1.0",
)
"""The peers, pinned: a ratio is a statement about a version. The first is our own dependency."""

_CACHE = Path(__file__).resolve().parent.parent / ".venv-bench"
_ASK = "import sys; print(*sys.version_info[:3], int(getattr(sys, '_is_gil_enabled', lambda: True)()), sys.base_prefix)"


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that works.

    Args:
        version: Major, minor and micro.
        gil: Whether it runs under the global lock.
        path: Where it is.
    """

    version: tuple[int, int, int]
    gil: bool
    path: Path

    @property
    def label(self) -> str:
        """Version, with a ``t`` where the global lock is off."""
        return ".".join(map(str, self.version)) + ("" if self.gil else "t")


def find(wanted: str = "") -> list[Python]:
    """One working interpreter for each supported version, newest micro first, newest version first.

    Args:
        wanted: Comma-separated versions (``3.11,3.13``) to choose from; all when empty.
    """
    chosen = {tuple(map(int, part.split(".")[:2])) for part in wanted.split(",") if part}
    found: dict[tuple[int, int, bool], Python] = {}
    for path in _candidates():
        python = _asked(path)
        if python is None or python.version[:2] not in (chosen or WANTED):
            continue
        key = (*python.version[:2], python.gil)
        if key not in found or python.version > found[key].version:
            found[key] = python
    return sorted(found.values(), key=lambda python: (python.version, python.gil), reverse=True)


def _candidates() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted((root / "versions").glob("3.*/bin/python3"))
    yield Path(sys.executable)
    for major, minor in WANTED:
        for suffix in ("", "t"):
            path = shutil.which(f"python{major}.{minor}{suffix}")
            if path is not None:
                yield Path(path)


def _asked(path: Path) -> Python | None:
    """What the interpreter says about itself; None when it does not start (a pyenv shim)."""
    try:
        done = subprocess.run(  # noqa: S603 - An interpreter of this machine.
            [path, "-c", _ASK], capture_output=True, check=True, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, micro, gil, _ = done.stdout.split(maxsplit=4)
    return Python((int(major), int(minor), int(micro)), gil == "1", path)


def prepared(python: Python) -> Path:
    """The interpreter of a virtual environment that has the peers, made when there is none yet.

    A peer that cannot be installed is left out: its column is empty then.
    """
    home = _CACHE / python.label
    inside = home / "bin" / "python"
    stamp = home / "peers.txt"
    wanted = "\n".join(PEERS)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return inside
    sys.stderr.write(f"{python.label}: making its environment\n")
    _run(python.path, "-m", "venv", "--clear", str(home))
    pip = ("-m", "pip", "-qq", "--disable-pip-version-check", "install")
    if not _run(inside, *pip, *PEERS, check=False):
        missing = [peer for peer in PEERS if not _run(inside, *pip, peer, check=False)]
        if missing:
            sys.stderr.write(f"{python.label}: without {', '.join(missing)}\n")
            return inside  # Not stamped: the next run tries again.
    stamp.write_text(wanted, encoding="utf-8")
    return inside


def _run(*command: str | Path, check: bool = True) -> bool:
    done = subprocess.run(command, check=check, stdout=subprocess.DEVNULL)  # noqa: S603 - Ours.
    return done.returncode == 0
