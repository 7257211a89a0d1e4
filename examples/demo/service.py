"""The program of the second process: an HTTP service with a limit, moods and a log of its own.

It knows nothing of breakers and buckets. It publishes its limit (`GET /limit`), does some work (`GET /work`),
changes its mood when told (`PUT /mode/slow`), and writes down each call as it arrives, one JSON object a line, in
one `write` to a file opened for appending: the log outlives SIGKILL and goes on after a restart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from examples.demo.ticket import Ticket

__all__ = ["MODES", "Log", "Service"]

MODES = ("well", "slow", "erroring")
"""The moods; being hung or dead is not up to the service."""


class Log:
    """An append-only file of JSON lines, each written at once."""

    __slots__ = ("_file",)

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o644)
        size = os.fstat(self._file).st_size
        # A line torn by SIGKILL must not run into the next one.
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def write(self, event: str, **fields: object) -> None:
        """Append one line: the *event*, and its *fields*."""
        line = json.dumps({"event": event, **fields}) + "\n"
        # One system call a line: lines of several threads never mix, and what is written stays written.
        os.write(self._file, line.encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Service(ThreadingHTTPServer):
    """The service, bound to a port of the loopback interface and listening.

    Args:
        port: The port, or 0 for any.
        log: Where to write down each call.
        limit: What it is willing to take: `rate`, calls a second, and `capacity`, calls at once.
        slow_answer: Seconds to answer when slow.
        seed: Decides the latencies.

    Raises:
        OSError: The port is taken.
    """

    daemon_threads = True
    # The parent keeps the port reserved while this process is dead, see process.py.
    allow_reuse_port = True
    # A hung service still has its calls queued by the system: room for them all.
    request_queue_size = 128

    def __init__(self, port: int, *, log: Log, limit: dict[str, float], slow_answer: float, seed: int) -> None:
        self.log = log
        self.mode = "well"
        self.limit = limit
        self.slow_answer = slow_answer
        self.random = random.Random(seed)
        super().__init__(("127.0.0.1", port), Handler)
        log.write("listening", at=time.monotonic(), pid=os.getpid(), port=self.server_port, **self.limit)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that gave up waiting; report anything else as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # the base names wider types


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: Service
    timeout = 10.0

    def do_GET(self) -> None:
        """Publish the limit, or work."""
        if self.path == "/limit":
            self._answer(200, json.dumps(self.server.limit).encode())
        elif self.path == "/work":
            self._work()
        else:
            self._answer(404)

    def do_PUT(self) -> None:
        """Change the mood, and write down when."""
        mode = self.path.removeprefix("/mode/")
        if mode not in MODES:
            self._answer(404)
            return
        self.server.mode = mode
        self.server.log.write("mode", at=time.monotonic(), mode=mode)
        self._answer(204)

    def _work(self) -> None:
        arrived_at = time.monotonic()
        try:
            ticket = Ticket.from_headers(dict(self.headers.items()))
        except (KeyError, ValueError) as error:
            self._answer(400, f"no ticket: {error}".encode())
            return
        mode = self.server.mode
        # Before the work: a call counts from its arrival, whether or not it is ever answered.
        self.server.log.write("call", arrived_at=arrived_at, mode=mode, **asdict(ticket))
        time.sleep(self.server.slow_answer if mode == "slow" else self.server.random.uniform(0.004, 0.016))
        self._answer(503 if mode == "erroring" else 204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base names it
        """Write nothing to stderr: the log is the log."""


def end_with_parent() -> None:
    """End this process when its standard input ends, which it does when its parent is gone."""
    # Unbuffered and not through sys.stdin, whose lock would be held at the interpreter's end.
    while os.read(0, 1):
        pass
    os._exit(0)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="service")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--capacity", type=float, required=True)
    parser.add_argument("--slow-answer", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    limit = {"rate": options.rate, "capacity": options.capacity}
    service = Service(
        options.port, log=Log(options.log), limit=limit, slow_answer=options.slow_answer, seed=options.seed
    )
    service.serve_forever()


if __name__ == "__main__":
    main()
