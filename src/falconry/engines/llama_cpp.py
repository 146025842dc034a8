"""Local models: llama.cpp's own server as a child process, on a Unix socket.

The process is the wall between us and native code: whatever a model file or a request does to it, the web server
lives, and killing it frees all its memory. What the server answers is translated here, errors too.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from falconry.engines import llama_cpp_worker
from falconry.engines.base import Engine
from falconry.engines.local_http import Address, Response, request
from falconry.engines.stop import StopFilter
from falconry.engines.supervisor import Launch, State, Supervisor
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
)
from falconry.messages import Delta, FinishReason, Message, Prompt, SamplingParams, TokenCount, Usage
from falconry.protocols.failures import read_failure, read_overflow
from falconry.protocols.openai import message_list, read_chunk

_REST = 0.04
"""Seconds between two reads of a stream. Waking up costs 0.2 ms, more than all the rest of reading a token; 25 steps
a second look smooth."""
_DEFAULT_CONTEXT = 8192
"""Tokens a slot gets of a model that could take more: its KV cache lies in memory from the start."""
_PIECE = 32 * 1024
"""Characters of a very long prompt that are counted at once."""
_SURELY_FITS = 1.0
"""Characters per token below which no prompt needs counting before it is sent."""
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
        self._slots = asyncio.Semaphore(options.slots)
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
        path, body = _completion(prompt, params)
        stop = StopFilter(params.stop)
        async with (
            self._slots,
            self._request("POST", path, body) as response,
            aclosing(_deltas(response.blocks(_REST))) as deltas,
        ):
            async for delta in deltas:
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
        """Count a very long prompt in pieces and stop as soon as it is too long.

        Cutting words in two adds a token at each cut, which is taken off again, so the number is "at least".

        Raises:
            ContextWindowExceeded: it can never fit.
        """
        texts = [prompt] if isinstance(prompt, str) else [message.content for message in prompt]
        limit = await self.context_length()
        if sum(map(len, texts)) < max(limit * _SURELY_FITS, _PIECE):
            return
        tokens = 0
        for text in texts:
            for start in range(0, len(text), _PIECE):
                tokens += await self._tokenize(text[start : start + _PIECE], add_special=False) - 1
                if tokens >= limit:
                    raise ContextWindowExceeded(
                        tokens,
                        limit,
                        f"This needs at least {tokens} tokens and the model can read at most {limit}. "
                        "Shorten it, or choose a model with a larger context window.",
                    )

    @asynccontextmanager
    async def _request(self, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
        """Ask the child, and translate everything that can go wrong."""
        await self._read_metadata()
        async with self._supervisor.use() as address:
            try:
                async with request(address, method, path, body) as response:
                    if response.status >= 400:
                        raise _failure(response.status, await response.read())
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
        launcher = [sys.executable, "-P", llama_cpp_worker.__file__]
        if options.llama_server is not None:
            launcher += ["--exec", str(options.llama_server.expanduser().absolute())]
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
            "--batch-size": 512,
            "--ubatch-size": 512,
            # One for each slot, the rest for health and counting.
            "--threads-http": options.slots + 8,
            "--log-verbosity": 2,
        }
        if options.threads is not None:
            flags["--threads"] = options.threads
        return [*launcher, *(str(part) for flag in flags.items() for part in flag), "--no-ui", "--offline"]

    def _explain(self, code: int, log: Sequence[str]) -> EngineError:
        reason = next((match[1] for line in log if (match := _REASON.search(line))), None)
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
        return _cannot_load(self._model, reason or last)


_REASON = re.compile(r"error loading model: (.+)$")
_NO_MEMORY = re.compile(r"bad_alloc|unable to allocate|failed to allocate|out of memory|Cannot allocate memory")


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


def _completion(prompt: Prompt, params: SamplingParams) -> tuple[str, dict[str, Any]]:
    """Path and body of the request."""
    fields: dict[str, object | None] = {
        "n_predict": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "repeat_penalty": params.repetition_penalty,
        "stop": list(params.stop) or None,
        "seed": params.seed,
    }
    body: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    body["stream"] = True
    if isinstance(prompt, str):
        return "/completion", body | {"prompt": prompt, "response_fields": _LAST_FIELDS}
    return "/v1/chat/completions", body | {
        "messages": message_list(prompt),
        "stream_options": {"include_usage": True},
    }


_LAST_FIELDS = ["content", "stop_type", "tokens_evaluated", "tokens_predicted", "timings/cache_n"]
"""Of the last event of /completion, which would otherwise repeat the prompt and all params."""


async def _deltas(blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[Delta, None]:
    """One delta for each block of events; the last carries the finish reason. None when the stream just ends."""
    rest = b""
    finish: FinishReason | None = None
    async for block in blocks:
        *events, rest = (rest + block).split(b"\n\n")
        text, thinking, usage = "", "", None
        for event in events:
            if not event.startswith(b"data: {"):
                continue  # a ping, or [DONE]
            step = _step(json.loads(event[6:]))
            text += step.text
            thinking += step.thinking
            finish = step.finish_reason or finish
            usage = step.usage or usage
        done = finish is not None and usage is not None
        yield Delta(text, thinking, finish if done else None, usage)


def _step(event: Mapping[str, Any]) -> Delta:
    """One event, of a chat or of a completion."""
    if "error" in event:
        raise _failure(500, json.dumps(event).encode())
    if "content" not in event:
        chunk = read_chunk(event)
        reason = None if chunk.finish_reason is None else _finish(chunk.finish_reason)
        return Delta(chunk.text, chunk.thinking, reason, chunk.usage)
    if "stop_type" not in event:
        return Delta(event["content"])
    usage = Usage(event["tokens_evaluated"], event["tokens_predicted"], event.get("timings/cache_n", 0))
    return Delta(event["content"], finish_reason=_finish(event["stop_type"]), usage=usage)


def _finish(word: str) -> FinishReason:
    return "length" if word in ("length", "limit") else "stop"


def _failure(status: int, body: bytes) -> FalconryError:
    """The server's error in our words."""
    try:
        failure = read_failure(json.loads(body))
    except ValueError:
        failure = None
    if failure is None:
        return EngineError(f"llama-server answered with status {status}.")
    overflow = read_overflow(failure)
    if overflow and overflow.prompt_tokens and overflow.limit:
        return ContextWindowExceeded(overflow.prompt_tokens, overflow.limit)
    if status == 503:
        return EngineUnavailable("The model is being loaded. Try again in a moment.")
    if status == 400:
        return InvalidRequest(f"The model cannot read this: {failure.message[:300]}")
    return EngineError(f"llama.cpp reports: {failure.message[:300]}")


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
