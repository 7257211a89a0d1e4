"""Run the demo; exit 0 when every promise was kept, 1 when one was broken, 2 when there was no judging."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from examples.demo.chaos import Chaos, Outage
from examples.demo.clients import Clients
from examples.demo.guards import SABOTAGES, Guards
from examples.demo.ledger import Ledger, LogError, Transitions, read_log
from examples.demo.process import ServiceError, ServiceProcess
from examples.demo.settings import FULL_LENGTH, SHORTEST, Settings
from examples.demo.tally import Tally
from examples.demo.timeline import Timeline
from examples.demo.verdict import judge, table
from resilience import State

__all__ = ["main"]

TICK = 0.05
"""Seconds between two looks at the clock."""


def parse(arguments: list[str] | None) -> tuple[Settings, str | None, Path | None]:
    """The settings, the sabotage and the place for the log that *arguments* ask for; exits when they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    length = f"of the run, from {SHORTEST:g} (default: %(default)g)"
    parser.add_argument("--seconds", type=float, default=FULL_LENGTH, help=length)
    parser.add_argument("--seed", type=int, default=1, help="decides pauses, latencies, lengths (default: %(default)s)")
    parser.add_argument("--sabotage", choices=SABOTAGES, help="make a policy leak; the table must notice")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the service's own log here")
    options = parser.parse_args(arguments)
    try:
        settings = Settings(seconds=options.seconds, seed=options.seed)
    except ValueError as error:
        parser.error(str(error))
    if options.log is not None and (options.log.is_dir() or not options.log.parent.is_dir()):
        # Said now, not when the run is over.
        parser.error(f"--log needs a file in a folder that exists, not {str(options.log)!r}")
    return settings, options.sabotage, options.log


def run(settings: Settings, process: ServiceProcess, sabotage: str | None) -> tuple[Transitions, list[Outage], Tally]:
    """Let the clients call the tormented service to the end of the run, showing it live."""
    rate, capacity = process.limit()
    guards = Guards(settings, rate=rate, capacity=capacity, sabotage=sabotage)
    tally = Tally()
    now = time.monotonic()
    transitions = Transitions(guards.breaker, now)
    chaos = Chaos(settings, process, now)
    timeline = Timeline(sys.stdout, tally, now)
    try:
        with Clients(settings, process.port, guards, tally) as clients:
            while not chaos.done(now, closed=guards.breaker.state is State.CLOSED):
                mark = chaos.step(now, closed=guards.breaker.state is State.CLOSED)
                tally.fault = chaos.present
                for period in transitions.fresh():
                    timeline.mark(period.began_at, f"circuit {name(period.state)}: {period.reason}")
                if mark is not None:
                    timeline.mark(time.monotonic(), mark)
                timeline.tick(time.monotonic(), chaos.present or "well", name(guards.breaker.state))
                clients.check()
                process.check()
                time.sleep(TICK)
                now = time.monotonic()
    finally:
        timeline.end()
    return transitions, chaos.outages, tally


def name(state: State) -> str:
    """*state* as people write it."""
    return state.name.lower().replace("_", "-")


def demo(settings: Settings, sabotage: str | None, log: Path | None) -> int:
    """Run, judge, print; the exit code."""
    print(f"{settings.threads} threads and {settings.tasks} tasks share one breaker and one bucket; ", end="")
    print(f"the service takes {settings.rate:g} calls a second, {settings.capacity:g} at once.")
    if sabotage is not None:
        print(f"Sabotage: the {sabotage} leaks, so the table at the end must say so.")
    print()
    with tempfile.TemporaryDirectory(prefix="resilience-demo-") as folder:
        with ServiceProcess(settings, Path(folder)) as process:
            transitions, outages, tally = run(settings, process, sabotage)
        if log is not None:
            shutil.copyfile(process.log, log)
        ledger = Ledger(arrivals=read_log(process.log), periods=transitions.all(), outages=outages)
    verdicts = judge(ledger, settings)
    print(f"\nWhat the service's own log says:\n\n{table(verdicts)}\n")
    kinds = ", ".join(f"{kind} {calls}" for kind, calls in tally.saved.items())
    print(f"Calls saved by the breaker while the service was ill: {tally.saved.total()} ({kinds}).")
    latest = max((arrival.arrived_at - arrival.ticket.admitted_at for arrival in ledger.arrivals), default=0.0)
    print(f"The backlog of the hung service came in up to {latest:.1f} s late and was judged by its admission.")
    broken = [verdict.promise for verdict in verdicts if not verdict.kept]
    print(f"BROKEN: {'; '.join(broken)}." if broken else "Every promise was kept.")
    return 1 if broken else 0


def terminated(number: int, _frame: object) -> NoReturn:
    """End as if by `sys.exit`, so that the service is ended, too."""
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo as *arguments* ask, by default those of the command line; the exit code."""
    settings, sabotage, log = parse(arguments)
    signal.signal(signal.SIGTERM, terminated)
    try:
        code = demo(settings, sabotage, log)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was judged", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads any more. Python flushes stdout once again at exit: let that go nowhere.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ServiceError, LogError, OSError) as error:
        print(f"the demo could not go on: {error}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
