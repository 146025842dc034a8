"""Local models: llama.cpp's own server as a child process, on a Unix socket.

The process is the wall between us and native code: whatever a model file or a request does to it, the web server
lives, and killing it frees all its memory. What the server answers is translated here, errors too.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from falconry.engines import llama_cpp_worker
from falconry.engines.base import Engine
from falconry.engines.llama_server import completion, deltas, failure_of
from falconry.engines.local_http import Address, Response, request
from falconry.engines.slots import Slots
from falconry.engines.stop import StopFilter
from falconry.engines.supervisor import Launch, State, Supervisor
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineUnavailable,
    InvalidRequest,
)
from falconry.messages import Delta, Message, Prompt, SamplingParams, TokenCount
from falconry.protocols.openai import message_list

_REST = 0.04
"""Seconds between two reads of a stream. Waking up costs 0.2 ms, more than all the rest of reading a token; 25 steps
a second look smooth."""
_DEFAULT_CONTEXT = 8192
"""Tokens a slot gets of a model that could take more: its KV cache lies in memory from the start."""
_ONE_THREAD = 100 * 2**20
"""Bytes of a model below which a second thread costs more than it brings."""
_SMALL_BATCH, _LARGE_BATCH = 32, 512
_PIECE = 16 * 1024
"""Characters of a very long prompt that are counted at once: some 5000 tokens, in a twentieth of a second."""
_UNBROKEN = 128 * 1024
"""Characters that may stand together without a change between letters, digits, blanks and other signs. Most
tokenizers, Falcon's too, match such a run with a recursive regular expression that takes 350 bytes of stack for each
character; on the usual 8 MiB, 25,000 exclamation marks were a segmentation fault."""
_RUN = re.compile(r"[^\W\d_]+|\d+|\s+|(?:[^\w\s]|_)+")
_HEAD = 64 * 2**20
"""Bytes of a model file in which its metadata is looked for."""


@dataclass(frozen=True, slots=True)
class LlamaCppOptions:
    """How to run a model.

    Attributes:
        context_length: tokens that prompt and reply of one slot may have together; None for the model's own, at
            most 8192. No model gets more than it was trained with.
        threads: None for what the measurements in docs/design.md recommend.
        slots: replies that are written at the same time; further ones wait.
        prompt_cache_mib: memory for the prompts of other conversations, in MiB.
        llama_server: a llama-server binary in place of the built-in one.
        start_timeout: seconds until the model must be loaded.
    """

    context_length: int | None = None
    threads: int | None = None
    slots: int = 2
    prompt_cache_mib: int = 256
    llama_server: Path | None = None
    start_timeout: float = 300.0


class LlamaCppEngine(Engine):
    """One model file in a child process of its own, which starts on first use.

    Args:
        model: a GGUF file.
    """

    kind: ClassVar[str] = "llama_cpp"
    can_continue = True

    def __init__(self, model: Path, options: LlamaCppOptions) -> None:
        self._model = model.absolute()
        self._options = options
        self._metadata: _Metadata | None = None
        self._context_length: int | None = None
        # More requests than slots would only wait in the process and take its HTTP threads away from the rest.
        self._slots = Slots(options.slots)
        self._supervisor = Supervisor(
            Launch(
                name=model.stem,
                command=self._command,
                environment=_environment(),
                explain=self._explain,
                timeout=options.start_timeout,
            )
        )

    @property
    def state(self) -> State:
        """ "stopped", "starting", "ready" or "failed"."""
        return self._supervisor.state

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._supervisor.pid

    async def start(self) -> None:
        """Load the model now; also the way to try again after a crash loop. Raises EngineError."""
        await self._read_metadata()
        await self._supervisor.start()

    async def generate(self, prompt: Prompt, params: SamplingParams) -> AsyncGenerator[Delta, None]:
        await self._refuse_what_cannot_fit(prompt)
        path, body = completion(prompt, params)
        stop = StopFilter(params.stop)
        async with (
            self._slots.take(prompt) as slot,
            self._request("POST", path, {**body, "id_slot": slot}) as response,
            aclosing(deltas(response.blocks(_REST))) as steps,
        ):
            async for delta in steps:
                text = stop.feed(delta.text)
                if delta.finish_reason is not None:
                    yield Delta(text + stop.flush(), delta.thinking, delta.finish_reason, delta.usage)
                    return
                if text or delta.thinking:
                    yield Delta(text, delta.thinking)
        raise EngineInterrupted(f"{self._model.stem} stopped in the middle of its reply. Ask it to continue.")

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        await self._refuse_what_cannot_fit(prompt)
        text = prompt if isinstance(prompt, str) else await self.render(prompt)
        return TokenCount(await self._tokenize(text, add_special=True))

    async def context_length(self) -> int:
        if self._context_length is None:
            async with self._request("GET", "/props") as response:
                props = await response.json()
            self._context_length = int(props["default_generation_settings"]["n_ctx"])
        return self._context_length

    async def has_chat_template(self) -> bool:
        # The server itself does not tell: to a model without a template it gives ChatML.
        return (await self._read_metadata()).chat_template

    async def render(self, messages: Sequence[Message]) -> str:
        async with self._request("POST", "/apply-template", {"messages": message_list(messages)}) as response:
            return str((await response.json())["prompt"])

    async def aclose(self) -> None:
        await self._supervisor.aclose()

    async def _tokenize(self, text: str, *, add_special: bool) -> int:
        body = {"content": text, "add_special": add_special, "parse_special": True}
        async with self._request("POST", "/tokenize", body) as response:
            return len((await response.json())["tokens"])

    async def _refuse_what_cannot_fit(self, prompt: Prompt) -> None:
        """Refuse what is too long before all of it is read: megabytes would take the tokenizer many seconds.

        A long prompt is counted in pieces, up to the first that exceeds the context. Cutting a word in two adds a
        token, which is taken off again, so the number is "at least".

        Raises:
            ContextWindowExceeded: it can never fit.
            InvalidRequest: it has a run of characters that the tokenizer cannot take.
        """
        texts = [prompt] if isinstance(prompt, str) else [message.content for message in prompt]
        if sum(map(len, texts)) < _PIECE:
            return
        limit = await self.context_length()
        tokens = 0
        for text in texts:
            for start in range(0, len(text), _PIECE):
                tokens += max(await self._tokenize(text[start : start + _PIECE], add_special=False) - 1, 0)
                if tokens >= limit:
                    raise ContextWindowExceeded(
                        tokens,
                        limit,
                        f"This needs at least {tokens} tokens and the model can read at most {limit}. "
                        "Shorten it, or choose a model with a larger context window.",
                    )
        if any(len(run[0]) > _UNBROKEN for text in texts for run in _RUN.finditer(text)):
            raise InvalidRequest(
                f"The text has more than {_UNBROKEN} characters without any change between letters, digits, blanks "
                "and other signs. Break it up.",
                code="unbroken_text",
                limit=_UNBROKEN,
            )

    @asynccontextmanager
    async def _request(self, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
        """Ask the child, and translate everything that can go wrong."""
        await self._read_metadata()
        async with self._supervisor.use() as address:
            try:
                async with request(address, method, path, body) as response:
                    if response.status >= 400:
                        raise failure_of(response.status, await response.read())
                    yield response
            except OSError as error:
                raise EngineInterrupted(
                    f"{self._model.stem} ended unexpectedly and is started again. Ask again, or let it continue.",
                    model=self._model.stem,
                ) from error
            except (ValueError, KeyError, TypeError) as error:
                raise EngineError(
                    f"{self._model.stem} gave an answer that cannot be read. If llama_server is set, update it."
                ) from error

    async def _read_metadata(self) -> _Metadata:
        if self._metadata is None:
            try:
                self._metadata = await asyncio.to_thread(_read_metadata, self._model)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is empty"
                raise _cannot_load(self._model, str(reason)) from error
        return self._metadata

    def _command(self, address: Address) -> list[str]:
        assert self._metadata is not None  # noqa: S101 - read before every start
        options = self._options
        own = options.context_length or min(self._metadata.context_length or _DEFAULT_CONTEXT, _DEFAULT_CONTEXT)
        size = self._model.stat().st_size
        threads = options.threads or _threads(size)
        batch = _batch(size) if options.llama_server is None else _LARGE_BATCH
        worker = [sys.executable, "-P", llama_cpp_worker.__file__]
        launcher = [*worker, "--exec"] if hasattr(os, "fork") else []
        server = worker if options.llama_server is None else [str(options.llama_server.expanduser().absolute())]
        flags: dict[str, object] = {
            "--model": self._model,
            "--alias": "m",
            "--host": address.host,
            "--port": address.port,
            "--ctx-size": own * options.slots,
            "--parallel": options.slots,
            "--cache-ram": options.prompt_cache_mib,
            "--cache-reuse": 32,
            "--ctx-checkpoints": 8,
            "--batch-size": batch,
            "--ubatch-size": batch,
            "--threads": threads,
            "--threads-batch": threads,
            # One for each slot, the rest for health and counting.
            "--threads-http": options.slots + 8,
            "--log-verbosity": 2,
        }
        return [*launcher, *server, *(str(part) for flag in flags.items() for part in flag), "--no-ui", "--offline"]

    def _explain(self, code: int, log: Sequence[str]) -> EngineError:
        reason = next((match[1] for line in log if (match := _REASON.search(line))), "")
        memory = code == -signal.SIGKILL or any(_NO_MEMORY.search(line) for line in log)
        if memory:
            return EngineUnavailable(
                f"There is not enough memory for {self._model.stem}. Choose a smaller model, or set a smaller "
                "context_length.",
                code="engine_out_of_memory",
                model=self._model.stem,
            )
        if code < 0:
            reason = f"llama.cpp crashed on it (signal {-code})"
        last = next((line for line in reversed(log) if line.strip()), f"exit code {code}")
        return _cannot_load(self._model, (reason or last).replace(str(self._model), self._model.name))


# The first line that says why; what follows only says what else failed for it.
_REASON = re.compile(r"(?:gguf_init\w*|error loading model): (.+)$")
_NO_MEMORY = re.compile(r"bad_alloc|unable to allocate|failed to allocate|out of memory|Cannot allocate memory")


def _threads(size: int) -> int:
    """Threads for a model of so many bytes; more only take cores from each other (docs/design.md has the numbers)."""
    return 1 if size < _ONE_THREAD else max(1, min(_cores(), 8))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _batch(size: int) -> int:
    """Tokens of a prompt that are read at once, and so the time until a prompt that nobody wants any more is
    dropped, and until the other slots get their next token: about a second on two cores."""
    return min(_LARGE_BATCH, max(_SMALL_BATCH, _LARGE_BATCH * _ONE_THREAD // size))


def _cannot_load(model: Path, reason: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"{model.name} cannot be loaded: {reason[:300]}. Check the file, or choose another model.",
        code="model_load_failed",
        model=model.name,
        reason=reason[:300],
    )


def _environment() -> dict[str, str]:
    """Ours, without what would change the server behind our back, and without our keys."""
    hidden = ("LLAMA_", "AIP_", "FALCONRY_", "HF_", "DATABASE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    # Threads that wait for each other spin for some microseconds and then sleep. Spinning on, as OpenMP does by
    # default, brings 1 token per second instead of 10 as soon as another process wants a core.
    return {"GOMP_SPINCOUNT": "1000"} | kept


def _threads(size: int) -> int:
    """Threads for a model of so many bytes; more only take cores from each other (docs/design.md has the numbers)."""
    return 1 if size < _ONE_THREAD else max(1, min(_cores(), 8))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _batch(size: int) -> int:
    """Tokens of a prompt that are read at once, and so the time until a prompt that nobody wants any more is
    dropped, and until the other slots get their next token: about a second on two cores."""
    return min(_LARGE_BATCH, max(_SMALL_BATCH, _LARGE_BATCH * _ONE_THREAD // size))


def _cannot_load(model: Path, reason: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"{model.name} cannot be loaded: {reason[:300]}. Check the file, or choose another model.",
        code="model_load_failed",
        model=model.name,
        reason=reason[:300],
    )


def _environment() -> dict[str, str]:
    """Ours, without what would change the server behind our back, and without our keys."""
    hidden = ("LLAMA_", "AIP_", "FALCONRY_", "HF_", "DATABASE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What must be known of a model before it is started."""

    context_length: int | None
    chat_template: bool


def _read_metadata(model: Path) -> _Metadata:
    """Find two values in the head of a GGUF file. Raises OSError, ValueError (empty file).

    A key is its length and its name, then comes the type: found like this, without walking over a vocabulary of a
    hundred thousand words. Whether the file is sound is not judged here.
    """
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        context = re.compile(rb"[a-z0-9]\.context_length\x04\x00\x00\x00(.{4})", re.DOTALL).search(data, 0, _HEAD)
        template = data.find(_key("tokenizer.chat_template"), 0, _HEAD)
        return _Metadata(int.from_bytes(context[1], "little") if context else None, template >= 0)


def _key(name: str) -> bytes:
    return len(name).to_bytes(8, "little") + name.encode()
