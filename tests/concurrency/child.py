"""A test's dangerous part in a process of its own, which an alarm ends when it hangs."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable

__all__ = ["fates", "in_child"]

_SECONDS = 10


def in_child(work: Callable[[], object], *, seconds: int = _SECONDS) -> int:
    """Fork, do *work* there, and give the exit status: 0 for success, 1 for an error, -14 for a deadlock.

    What Python would only mention, such as an error in a finalizer or a hook around a fork, is an error here.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            # Says where it hangs, then ends the process, even one that waits for a lock.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            faulthandler.register(signal.SIGALRM, chain=True)
            signal.alarm(seconds)
            mentioned: list[object] = []

            def mention(what: sys.UnraisableHookArgs) -> None:
                mentioned.append(what.err_msg)
                sys.__unraisablehook__(what)

            sys.unraisablehook = mention
            work()
            status = 1 if mentioned else 0
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fates(times: int, work: Callable[[], object]) -> set[int]:
    """Fork *times* times, one after the other; give the exit statuses that came up, ending at the first bad one."""
    found: set[int] = set()
    for _ in range(times):
        found.add(in_child(work))
        if found != {0}:
            break
    return found
