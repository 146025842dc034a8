"""What benchmarks.page puts side by side: Falconry's page and gr.ChatInterface, each in a process of its own.

    python -m benchmarks.page_servers falconry DATA_DIR
    python -m benchmarks.page_servers gradio MESSAGES

Both print their address and serve until they are stopped. The tokens of both come from Falconry's bot without a model,
in the server's own process; the name of the model, or what ChatInterface is asked, says how many and how fast:
`300@20` is 300 tokens, 20 a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from falconry.app import create_app
from falconry.engines.canned import CannedEngine, tokenize
from falconry.engines.pool import ModelSpec
from falconry.messages import Message, SamplingParams, StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from tests.conftest import Server
from tests.web.conftest import page_services, serve_app

ANSWER = """Peregrines live on **every continent** but Antarctica, and most of them nest on cliffs, number {n} included.

1. They look for a ledge that no fox can reach.
2. They scrape a hollow into the gravel: no twig, no *feather*.
3. They come back to it every year.

| bird | speed in km/h | prey |
| --- | ---: | --- |
| peregrine | 320 | pigeons |
| kestrel | 63 | voles |

```python
def dive(height: float, g: float = 9.81) -> float:
    return (2 * g * height) ** 0.5  # in metres a second
```

So a dive of a kilometre would end at $v = \\sqrt{2 g h}$, if there were no air.

"""
TEXT = "".join(ANSWER.replace("{n}", str(n)) for n in range(60))
TOKENS = tokenize(TEXT)
CONTEXT = 1_000_000  # everything fits: what is measured is the page and not the context window
RUNS = ("100@50", "750@50", "300@100", "1000@200")


def reply_text(tokens: int) -> str:
    """The reply of so many tokens."""
    return "".join(TOKENS[:tokens])


def parse(name: str) -> tuple[int, float]:
    tokens, rate = name.split("@")
    return int(tokens), float(rate)


def engine(name: str) -> CannedEngine:
    tokens, rate = parse(name)
    return CannedEngine(text=reply_text(tokens), rate=rate, context_length=CONTEXT)


def history(messages: int) -> list[tuple[str, str]]:
    """Questions with their answers."""
    return [(f"Question {n}, in a few words?", ANSWER.replace("{n}", str(n))) for n in range(messages // 2)]


async def fill(data_dir: Path, messages: int) -> str:
    """Write a conversation of so many messages into Falconry's database; gives its id."""
    async with await Database.open(f"sqlite:///{data_dir / 'falconry.db'}", data_dir / "running") as database:
        store = Conversations(database)
        conversation = await store.create(f"{messages} messages")
        head: str | None = None
        for question, answer in history(messages):
            draft = StoredMessage(
                uuid4().hex,
                conversation.id,
                None,
                "assistant",
                "",
                datetime.now(UTC),
                "running",
                params=SamplingParams(),
            )
            _, reply = await store.append_turn(conversation.id, head, question, draft)
            await store.finish_reply(_ended(reply, answer))
            head = reply.id
        return conversation.id


def _ended(reply: StoredMessage, answer: str) -> StoredMessage:
    return replace(reply, content=answer, status="complete", finish_reason="stop", model=RUNS[0])


# -- the two servers


async def serve_falconry(data_dir: Path) -> None:
    models = {name: ModelSpec(name, name, "canned", partial(engine, name)) for name in RUNS}
    async with page_services(data_dir, models) as services, serve_app(create_app(services), services) as url:
        print(url, flush=True)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()


async def serve_gradio(messages: int) -> None:
    """gr.ChatInterface as its docs build it, with every limit on simultaneous replies lifted."""
    import gradio as gr

    async def respond(message: str, history: list[dict[str, str]]) -> AsyncIterator[str]:
        text = ""
        async for delta in engine(message).generate([Message("user", message)], SamplingParams(max_tokens=None)):
            text += delta.text
            yield text

    shown = [
        {"role": role, "content": text}
        for turn in history(messages)
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    interface = gr.ChatInterface(
        respond,
        chatbot=gr.Chatbot(value=shown, latex_delimiters=[{"left": "$", "right": "$", "display": False}]),
        concurrency_limit=None,
        analytics_enabled=False,
    )
    interface.max_threads = 200  # else 40 replies at a time
    interface.queue(default_concurrency_limit=None)
    server = Server(uvicorn.Config(gr.mount_gradio_app(FastAPI(), interface, "/"), port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await server.ready.wait()
    print(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", flush=True)
    await serving  # uvicorn ends by SIGTERM


class Served:
    """One of the two, running.

    Attributes:
        kind: "falconry" or "gradio".
        url: its address, without a slash at the end.
    """

    def __init__(self, kind: str, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.kind = kind
        self.url = url

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(kind: str, argument: object) -> Iterator[Served]:
    """Start one of the servers and wait for its address; end it afterwards."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("FALCONRY_", "HF_API_"))},
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_ANALYTICS_MAX_EVENTS": "100",
    }
    command = [sys.executable, "-m", "benchmarks.page_servers", kind, str(argument)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        if not url:
            raise RuntimeError(f"the server {kind} ended by itself")
        yield Served(kind, process, url)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        process.stdout.close()


if __name__ == "__main__":
    if sys.argv[1] == "falconry":
        asyncio.run(serve_falconry(Path(sys.argv[2])))
    else:
        asyncio.run(serve_gradio(int(sys.argv[2])))
