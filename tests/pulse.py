"""Somebody else who asks /health all the time, in a process of their own: a busy test would measure itself.

python -m tests.pulse HOST PORT
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit


class Pulse:
    """Use it around what may keep a server busy; afterwards `slowest` is the longest that /health took, in seconds."""

    def __init__(self, url: str) -> None:
        self.slowest = 0.0
        parts = urlsplit(url)
        command: list[str] = [sys.executable, "-m", "tests.pulse", str(parts.hostname), str(parts.port)]
        self._process = subprocess.Popen(
            command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # the first answer is there

    def __enter__(self) -> Pulse:
        return self

    def __exit__(self, *_: object) -> None:
        self.slowest = float(self._process.communicate(timeout=30)[0])


def main(host: str, port: int) -> None:
    """Ask every 10 ms until standard input ends; print a line after the first answer, and the longest at the end."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    slowest = 0.0
    connection = http.client.HTTPConnection(host, port, timeout=30)
    first = True
    while first or not stop.wait(0.01):
        begun = monotonic()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        slowest = max(slowest, monotonic() - begun)
        if first:
            print("begun", flush=True)
            first = False
    print(slowest, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
