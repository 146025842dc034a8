"""llama.cpp's own server on a TCP port, without Falconry: what compatibility and overhead are compared with."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import IO

import httpx

from falconry.engines import llama_cpp_worker

EYAS = Path(llama_cpp_worker.__file__).parent.parent / "models" / "eyas" / "eyas.gguf"


def free_port() -> int:
    """A port that nobody holds at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class BareServer:
    """The wheel's llama-server with the flags that Falconry gives it; ready when built, gone when left."""

    def __init__(self, model: Path = EYAS, *, alias: str = "eyas", slots: int = 2, context: int = 2048) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        flags: dict[str, object] = {
            "--model": model,
            "--alias": alias,
            "--host": "127.0.0.1",
            "--port": self.port,
            "--ctx-size": context * slots,
            "--parallel": slots,
            "--cache-ram": 256,
            "--cache-reuse": 32,
            "--ctx-checkpoints": 8,
            "--batch-size": 64,
            "--ubatch-size": 64,
            "--threads": 1,
            "--threads-batch": 1,
            "--threads-http": slots + 8,
            "--log-verbosity": 2,
        }
        words = [str(part) for flag in flags.items() for part in flag]
        self.process = subprocess.Popen(
            [sys.executable, "-P", llama_cpp_worker.__file__, *words, "--no-ui", "--offline"],
            stdin=subprocess.PIPE,  # the worker leaves when its standard input ends
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self._log: list[str] = []
        self._reader = threading.Thread(target=self._drain, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        self._wait()

    def _drain(self, stream: IO[str]) -> None:
        for line in stream:
            self._log.append(line)

    def _wait(self, timeout: float = 30) -> None:
        deadline = monotonic() + timeout
        with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=8)) as client:
            while monotonic() < deadline:
                try:
                    if client.get(f"{self.url}/health").status_code == 200:
                        return
                except httpx.TransportError:
                    if self.process.poll() is not None:
                        break
        self.close()
        raise AssertionError(f"llama-server did not start: {''.join(self._log)}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        for stream in (self.process.stdin, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> BareServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
