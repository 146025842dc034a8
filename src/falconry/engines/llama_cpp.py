"""Local models: llama.cpp's own server as a child process, on a Unix socket.

The process is the wall between us and native code: whatever a model file or a request does to it, the web server
lives, and killing it frees all its memory. What the server answers is translated here, errors too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import ClassVar

from falconry.engines.base import Engine
from falconry.engines.llama_launch import SPARE_THREADS, LlamaCppOptions, launch, read_head
from falconry.engines.llama_server import completion, deltas, failure_of
from falconry.engines.local_http import Response, request
from falconry.engines.slots import Slots
from falconry.engines.stop import StopFilter
from falconry.engines.supervisor import State, Supervisor
from falconry.errors import ContextWindowExceeded, EngineError, EngineInterrupted, InvalidRequest
from falconry.messages import Delta, Message, Prompt, SamplingParams, TokenCount, Usage
from falconry.protocols.openai import message_list

__all__ = ["LlamaCppEngine", "LlamaCppOptions"]

_REST = 0.08
"""Seconds between two reads of a stream. Waking up costs 0.2 ms, more than all the rest of reading a token; 25 steps
a second look smooth."""
_USUAL_PER_TOKEN, _MOST_PER_TOKEN = 4, 32
"""Characters. A prompt with more than the first for each token of the context is counted before it is sent; none with
more than the second fits."""
_PIECE = 16 * 1024
"""Characters of a very long prompt that are counted at once: some 5000 tokens, in a twentieth of a second."""
_UNBROKEN = 128 * 1024
"""Characters that may stand together without a change between letters, digits, blanks and other signs. Most
tokenizers, Falcon's too, match such a run with a recursive regular expression that takes 350 bytes of stack for each
character; on the usual 8 MiB, 25,000 exclamation marks were a segmentation fault."""
_RUN = re.compile(r"[^\W\d_]+|\d+|\s+|(?:[^\w\s]|_)+")


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
        self._context_length: int | None = None
        # The server has a thread for each request, waiting ones too. Taken by these, /health would seem to hang.
        self._slots = Slots(options.slots)
        self._counting = asyncio.Semaphore(SPARE_THREADS // 2)
        self._supervisor = Supervisor(launch(self._model, options))

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
        await self._supervisor.start()

    async def generate(self, prompt: Prompt, params: SamplingParams) -> AsyncGenerator[Delta, None]:
        await self._refuse_what_cannot_fit(prompt)
        path, body = completion(prompt, params)
        # The server is not told the stop sequences: what it holds back as the possible beginning of one is lost when
        # the reply ends by its length (llama.cpp, October 2026; a test has the case).
        stop = StopFilter(params.stop)
        said = ""
        async with (
            self._slots.take(prompt) as slot,
            self._request("POST", path, {**body, "id_slot": slot}) as response,
            aclosing(deltas(response.blocks(_REST))) as steps,
        ):
            async for delta in steps:
                said += delta.text
                text = stop.feed(delta.text)
                if stop.stopped:
                    break
                if delta.finish_reason is not None:
                    yield Delta(text + stop.flush(), delta.thinking, delta.finish_reason, delta.usage)
                    return
                if text or delta.thinking:
                    yield Delta(text, delta.thinking)
        if not stop.stopped:
            raise EngineInterrupted(f"{self._model.stem} stopped in the middle of its reply. Ask it to continue.")
        read = (await self.count_tokens(prompt)).tokens
        written = await self._tokenize(said, add_special=False)
        yield Delta(text, delta.thinking, "stop", Usage(prompt_tokens=read, completion_tokens=written))

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        """Count exactly; of a prompt many times longer than the context, only until that is sure ("at least")."""
        texts = _texts(prompt)
        limit = await self.context_length()
        if sum(map(len, texts)) > limit * _MOST_PER_TOKEN or _unbroken(texts):
            return TokenCount(await self._count_at_least(texts, limit))
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
        return (await asyncio.to_thread(read_head, self._model)).chat_template

    async def render(self, messages: Sequence[Message]) -> str:
        body = {"messages": message_list(messages)}
        async with self._counting, self._request("POST", "/apply-template", body) as response:
            return str((await response.json())["prompt"])

    async def aclose(self) -> None:
        await self._supervisor.aclose()

    async def _tokenize(self, text: str, *, add_special: bool) -> int:
        body = {"content": text, "add_special": add_special, "parse_special": True}
        async with self._counting, self._request("POST", "/tokenize", body) as response:
            return len((await response.json())["tokens"])

    async def _count_at_least(self, texts: Sequence[str], enough: int) -> int:
        """Count in pieces, and stop when it is enough: all of two megabytes would take many seconds.

        A word that is cut in two may have a token more, so one is taken off for each piece.
        """
        tokens = 0
        for text in texts:
            for start in range(0, len(text), _PIECE):
                tokens += max(await self._tokenize(text[start : start + _PIECE], add_special=False) - 1, 0)
                if tokens >= enough:
                    return tokens
        return tokens

    async def _refuse_what_cannot_fit(self, prompt: Prompt) -> None:
        """Raise ContextWindowExceeded or InvalidRequest for what would keep the server busy, or crash it."""
        texts = _texts(prompt)
        limit = await self.context_length()
        if sum(map(len, texts)) > limit * _USUAL_PER_TOKEN:
            tokens = await self._count_at_least(texts, limit)
            if tokens >= limit:
                raise ContextWindowExceeded(
                    tokens,
                    limit,
                    f"This needs at least {tokens} tokens and the model can read at most {limit}. "
                    "Shorten it, or choose a model with a larger context window.",
                )
        if _unbroken(texts):
            raise InvalidRequest(
                f"The text has more than {_UNBROKEN} characters without any change between letters, digits, blanks "
                "and other signs. Break it up.",
                code="unbroken_text",
                limit=_UNBROKEN,
            )

    @asynccontextmanager
    async def _request(self, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
        """Ask the child, and translate everything that can go wrong."""
        try:
            async with (
                self._supervisor.use() as address,
                request(address, method, path, body) as response,
            ):
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


def _texts(prompt: Prompt) -> list[str]:
    return [prompt] if isinstance(prompt, str) else [message.content for message in prompt]


def _unbroken(texts: Sequence[str]) -> bool:
    """Whether there is a run of characters that the tokenizer cannot take."""
    long = (text for text in texts if len(text) > _UNBROKEN)
    return any(len(run[0]) > _UNBROKEN for text in long for run in _RUN.finditer(text))
