"""A Falconry in a process of its own, to be killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import httpx


class Falconry:
    """`falconry serve` on a data folder; settings by environment variables."""

    def __init__(self, data_dir: Path, *, timeout: float = 30.0, **settings: object) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FALCONRY_")}
        defaults = {"data_dir": data_dir, "canned": True, "model": "canned", "pages": False, "language": "en"}
        for name, value in {**defaults, **settings}.items():
            environment[f"FALCONRY_{name.upper()}"] = str(value)
        started = monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "falconry", "serve", "--no-browser", "--port", "0"],
            env=environment,
            cwd=data_dir.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self.url = self._address(timeout)
        self.seconds_to_ready = monotonic() - started

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.put(line)

    def _address(self, timeout: float) -> str:
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            for word in line.split():
                if word.startswith("http://"):
                    timer.cancel()
                    return word.rstrip("/")
        self.kill()
        raise AssertionError(f"no address: {self.errors()}")

    def errors(self) -> str:
        """What it has written to stderr."""
        lines = []
        while not self._errors.empty():
            lines.append(self._errors.get())
        return "".join(lines)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)
        self._close()

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; gives the exit status."""
        self.process.send_signal(sig)
        status = self.process.wait(30)
        self._close()
        return status

    def _close(self) -> None:
        self._reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Falconry:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
