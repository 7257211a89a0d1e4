"""``python -m benchmarks``: measure, beside the peers, on every Python that is here."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.effort import FULL, QUICK
from benchmarks.machine import machine
from benchmarks.report import markdown
from benchmarks.suite import every_row, work
from benchmarks.venvs import find, prepared
from benchmarks.verdict import judged

_FOLDER = Path(__file__).resolve().parent


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what guarded calls cost, beside the peers, and write RESULTS.md and results.json.",
    )
    parser.add_argument("--quick", action="store_true", help="short and rough; prints, and writes no file")
    parser.add_argument("--only", metavar="NAME", default="", help="the rows whose name contains NAME; prints only")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--pythons",
        metavar="VERSIONS",
        nargs="?",
        const="",
        default="",
        help="only these (3.11,3.13); without it, every supported one that is found",
    )
    which.add_argument("--here", action="store_true", help="this interpreter, with the peers that it happens to have")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    parser.add_argument("--worker", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--locked", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Do what the command line asks; a missed bar is marked, and is no failure of the run."""
    arguments = _arguments()
    effort = QUICK if arguments.quick else FULL
    if arguments.worker is not None:
        work(arguments.only, effort, arguments.worker, locked=arguments.locked, again=arguments.again)
        return
    if arguments.list:
        sys.stdout.writelines(f"{row.name:24} {row.title}\n" for row in every_row())
        return
    results: dict[str, Any] = {
        "machine": machine(),
        "effort": "quick" if arguments.quick else "full",
        "runs": list(_runs(arguments)),
    }
    if not results["runs"]:
        sys.exit("nothing was measured")
    data = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    text = markdown(results)
    if not (arguments.quick or arguments.only):
        (_FOLDER / "results.json").write_text(data, encoding="utf-8")
        (_FOLDER / "RESULTS.md").write_text(text, encoding="utf-8")
    sys.stdout.write(data if arguments.json else text)


def _runs(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each Python measured, one after the other: two at once would disturb each other."""
    if arguments.here:
        interpreters = [Path(sys.executable)]
    else:
        # All environments first: pip has no business between two measurements.
        interpreters = [prepared(python) for python in find(arguments.pythons)]
    effort = QUICK if arguments.quick else FULL
    passed = [f"--only={arguments.only}", *(["--quick"] if arguments.quick else [])]
    for locked in ([], ["--locked"]):
        for interpreter in interpreters:
            first = _worker(interpreter, *passed, *locked)
            if first is None or not first["rows"]:
                continue
            others = [_worker(interpreter, *passed, *locked, "--again") for _ in range(effort.processes - 1)]
            results = [first, *(other for other in others if other is not None)]
            yield first | {"rows": [judged(_same(results, row["name"])) for row in first["rows"]]}


def _same(results: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for result in results for row in result["rows"] if row["name"] == name]


def _worker(interpreter: Path, *options: str) -> dict[str, Any] | None:
    """What one process measured."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "results.json"
        command: list[str | Path] = [interpreter, "-m", "benchmarks", f"--worker={target}", *options]
        done = subprocess.run(command, cwd=_FOLDER.parent, check=False)  # noqa: S603 - Ourselves.
        if done.returncode != 0:
            sys.stderr.write(f"a process ended with status {done.returncode} and is left out\n")
            return None
        return dict(json.loads(target.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
