"""What benchmarks.gateway puts side by side: the servers, and the CPU time that each of them took.

    python -m benchmarks.gateway_servers PORT

runs the paced upstream alone: an OpenAI-compatible server that sends tokens at a steady rate and costs next to nothing.
The name of the model says how many and how fast: `300@20` is 300 tokens, 20 a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import psutil

from benchmarks.gateway_client import TOKEN
from tests.compat.bare import free_port
from tests.compat.clients import CLIENTS, install

ENGINE = "llama_cpp_worker"
"""In the command line of the engine's child, whose time is not the gateway's."""


class Tree:
    """A process and its children, the engine's left out."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        found = [self._root, *self._root.children(recursive=True)]
        return [process for process in found if not any(ENGINE in word for word in process.cmdline())]

    def seconds(self) -> float:
        """User and system time so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(time.user + time.system for time in times)

    def pin(self, cores: set[int]) -> None:
        """Let all its threads run on these cores only."""
        for process in self.processes():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)


@contextmanager
def litellm_proxy(folder: Path, upstream: str, models: list[str]) -> Iterator[tuple[str, int]]:
    """litellm's proxy in front of an OpenAI-compatible server; gives its address and process id."""
    (client,) = (client for client in CLIENTS if client.name == "litellm")
    install(client)
    port = free_port()
    known = [
        {
            "model_name": model,
            "litellm_params": {"model": f"openai/{model}", "api_base": f"{upstream}/v1", "api_key": "x"},
        }
        for model in models
    ]
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": known}))  # JSON is YAML as well
    environment = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet for prices
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # no key, as Falconry on loopback has none
    }
    program = str(client.folder / "bin" / "litellm")
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "litellm.log").open("w") as log:
        process = subprocess.Popen([program, *options], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/health/liveliness", 120, process)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def paced_upstream() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.gateway_servers", str(port)])
    try:
        _wait(f"http://127.0.0.1:{port}/v1/models", 20, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _wait(url: str, seconds: float, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        assert process.poll() is None, f"the server for {url} ended by itself"
        try:
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {seconds} s")


# -- the paced upstream


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            body = await reader.readexactly(length)
            if b"/chat/completions" in head[:60]:
                await _stream(writer, json.loads(body)["model"])
            else:
                _send_json(writer, found=b"/models" in head[:60])
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _send_json(writer: asyncio.StreamWriter, *, found: bool) -> None:
    models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "paced"}]}
    body = json.dumps(models if found else {"error": {"message": "not here", "type": "not_found"}}).encode()
    status = b"200 OK" if found else b"404 Not Found"
    writer.write(
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    )


async def _stream(writer: asyncio.StreamWriter, model: str) -> None:
    """The frames of a reply, each due at its own time from the beginning: a slow reader does not shift the rest."""
    tokens, rate = (int(part) for part in model.split("@"))
    loop = asyncio.get_running_loop()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(_frame({"role": "assistant", "content": ""}))
    begun = loop.time()
    for n in range(tokens):
        await asyncio.sleep(max(0.0, begun + n / rate - loop.time()))
        writer.write(_frame({"content": f"{TOKEN.decode()}{n}"}))
        if writer.transport.get_write_buffer_size() > 65536:
            await writer.drain()
    writer.write(_frame({}, "stop"))
    usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": tokens + 5}
    writer.write(_chunk({**_BASE, "choices": [], "usage": usage}))
    done = b"data: [DONE]\n\n"
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done))


_BASE: dict[str, object] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def _frame(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _chunk({**_BASE, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _chunk(value: dict[str, object]) -> bytes:
    data = b"data: " + json.dumps(value).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
