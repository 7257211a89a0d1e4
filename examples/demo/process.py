"""The service's process, as its parent holds it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from examples.demo.settings import Settings

__all__ = ["ServiceError", "ServiceProcess"]

ROOT = Path(__file__).resolve().parents[2]


class ServiceError(Exception):
    """The service itself misbehaved in a way that the demo did not ask for."""


class ServiceProcess:
    """The service in a process of its own, running between `with` and its end.

    It has its own process group, so that Ctrl-C reaches the demo alone. It goes with its parent, however that ends:
    its standard input is a pipe that nobody writes to, and a stopped process in a group that loses its last tie to
    the session is hung up by the system.

    Args:
        settings: The numbers of the run.
        folder: Where the log and the errors go.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._errors = folder / "service.err"
        self.log = folder / "service.jsonl"
        self._child: subprocess.Popen[bytes] | None = None
        # Bound, never listening: refused when nobody serves, and kept from every other program meanwhile. It also
        # keeps a client of ours from being given this very port, whose call to it would then reach itself.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one, and give the port back."""
        self.kill()
        self._reserved.close()

    def start(self, patience: float = 15.0) -> None:
        """Start the process and return once it listens, on the same port each time.

        Raises:
            ServiceError: It ended at once, or did not listen within *patience* seconds.
        """
        settings = self._settings
        options = {
            "--port": self.port,
            "--log": self.log,
            "--rate": settings.rate,
            "--capacity": settings.capacity,
            "--slow-answer": settings.slow_answer,
            "--seed": settings.seed,
        }
        command = [sys.executable, "-m", "examples.demo.service"]
        with self._errors.open("ab") as errors:
            self._child = subprocess.Popen(  # noqa: S603  # our own program, with numbers and paths of our own
                command + [str(part) for option in options.items() for part in option],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                process_group=0,
            )
        patient_until = time.monotonic() + patience
        while not self._listens():
            self.check()
            if time.monotonic() > patient_until:
                raise ServiceError(f"the service did not listen within {patience:g} s")
            time.sleep(0.01)

    def check(self) -> None:
        """Do nothing while the process runs as it should, hung or not.

        Raises:
            ServiceError: It ended by itself; says what it last wrote to stderr.
        """
        if self._child is not None and (code := self._child.poll()) is not None:
            said = self._errors.read_text(errors="replace").strip().splitlines()[-3:]
            raise ServiceError("\n".join([f"the service ended by itself with code {code}", *said]))

    def limit(self) -> tuple[float, float]:
        """The rate (calls a second) and the capacity (calls at once) that the service publishes."""
        published = json.loads(self._request("GET", "/limit"))
        return published["rate"], published["capacity"]

    def mode(self, mode: str) -> None:
        """Put the service into *mode*; in force on return."""
        self._request("PUT", f"/mode/{mode}")

    def stop(self) -> None:
        """Hang the process: SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process go on: SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process, hung or not, and everything in its group: SIGKILL. Dead already is fine."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin is not None:
            child.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._child is None:
            raise ServiceError(f"no process to send {number.name} to")
        self._child.send_signal(number)

    def _listens(self) -> bool:
        child = self._child
        if child is None or not self.log.is_file():
            return False
        # Lines are parsed whole: the pid alone could be the beginning of another number.
        for line in reversed(self.log.read_text().splitlines()):
            if '"listening"' in line:
                with contextlib.suppress(ValueError):
                    return bool(json.loads(line)["pid"] == child.pid)
        return False

    def _request(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(f"{method} {path} failed: {error!r}") from error
        finally:
            connection.close()
        if response.status >= 300:
            raise ServiceError(f"{method} {path} was answered with {response.status}")
        return body
