"""Models without a GGUF: a Hugging Face folder, run by `transformers serve` as a child process.

Nothing is converted. It costs seconds at the start, half a gigabyte of memory, and speed: docs/transformers.md has the
figures. The stream says how a reply ended, and no `[DONE]`; what the serving code would hang or fail on is refused in
the child before it gets there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from falconry.engines.base import ALL_SAMPLING, Engine, TokenizerInfo
from falconry.engines.child import EngineChild
from falconry.engines.endpoint_errors import Place
from falconry.engines.remote import OpenAIReader
from falconry.engines.stop import StopFilter
from falconry.engines.transformers_launch import TransformersOptions, folder_of, launch, out_of_memory
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
    NotSupported,
)
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenCount,
    TokenPrompt,
    Usage,
)
from falconry.protocols.failures import read_failure, read_overflow
from falconry.protocols.logprobs import to_bytes
from falconry.protocols.openai import message_list, tool_fields
from falconry.protocols.sse import EventParser

if TYPE_CHECKING:
    from falconry.engines.supervisor import Launch, State
    from falconry.settings import Settings

_SHORTEST_REST, _REST = 0.002, 0.08
"""Seconds between two reads of a stream that shows text, doubled from one to the next."""
_ADVICE = "Install falconry[transformers] again."
_LEAST_MASS = 1e-6
"""For a typical_p of 0, which transformers refuses: the likeliest token alone."""


@dataclass(frozen=True, slots=True)
class _About:
    """What the child tells of its model, asked once."""

    context_length: int
    vocabulary: int
    info: TokenizerInfo
    continues: bool
    tools: bool


class TransformersEngine(Engine):
    """One folder in a child process of its own, which starts on first use. It writes one reply at a time.

    Args:
        folder: config.json, *.safetensors, tokenizer.json.
        start: how the child is started, in place of what `options` make of it.
    """

    kind: ClassVar[str] = "transformers"
    supports = ALL_SAMPLING - {"grammar"}
    extras = frozenset({"tools"})
    parallel = 1

    def __init__(self, folder: Path, options: TransformersOptions, start: Launch | None = None) -> None:
        self._folder = folder.absolute()
        self._child = EngineChild(start or launch(self._folder, options), _failure_of, _ADVICE)
        self._known: _About | None = None

    @property
    def state(self) -> State:
        """ "stopped", "starting", "ready" or "failed"."""
        return self._child.state

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.pid

    async def start(self) -> None:
        """Load the model now; also the way to try again after a crash loop. Raises EngineError."""
        await self._child.start()
        await self._about()

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self._refuse_extras(extras)
        about = await self._about()
        if params.grammar is not None:
            raise NotSupported("response_format")
        if extras.tools and (isinstance(prompt, str | TokenPrompt) or not about.tools):
            raise NotSupported("tools")
        if isinstance(prompt, TokenPrompt):
            _check(prompt.ids, about.vocabulary)
        _check([token for token, _ in params.logit_bias], about.vocabulary)
        raw = isinstance(prompt, str | TokenPrompt)
        body = {**_prompt_fields(prompt), **tool_fields(extras), **_sampling_fields(params)}
        async with aclosing(self._reply("/v1/completions" if raw else "/v1/chat/completions", body, params)) as deltas:
            written = ""
            async for delta in deltas:
                written += delta.thinking + delta.text
                if delta.finish_reason is not None and delta.usage is None:
                    # We stopped it, so it does not say what it took.
                    delta = replace(delta, usage=await self._used(body, written + (delta.stop_sequence or "")))
                yield delta

    async def _reply(self, path: str, body: object, params: SamplingParams) -> AsyncGenerator[Delta, None]:
        # Hanging up stops the work, so the stop sequences need not be known there: transformers prepares them against
        # all of the vocabulary, for seconds.
        stop = StopFilter(params.stop)
        reader = OpenAIReader(Place(self._child.name))
        parser = EventParser()
        cached = 0
        async with self._child.request("POST", path, body) as response, aclosing(response.blocks()) as blocks:
            async for block in blocks:
                events = parser.feed(block)
                cached = next((int(event.data) for event in events if event.event == "cached"), cached)
                text, thinking = reader.take([one for one in events if one.event == "message"], ended=False)
                text = stop.feed(text)
                calls, reader.tool_calls = tuple(reader.tool_calls), []
                if text or thinking or calls:
                    yield Delta(text, thinking, tool_calls=calls)
                    response.pause = min(_REST, response.pause * 2 or _SHORTEST_REST)
                if stop.stopped or reader.failure:
                    break
        if stop.stopped:
            yield Delta("", finish_reason="stop", stop_sequence=stop.matched)
            return
        if reader.failure is not None:
            raise _broken(self._child.name, reader.failure)
        if reader.finish_reason is None:
            raise EngineInterrupted(
                f"{self._child.name} stopped in the middle of its reply. Ask it to continue.", model=self._child.name
            )
        usage = replace(reader.usage, cached_tokens=cached) if reader.usage else None
        yield Delta(stop.flush(), finish_reason=reader.finish_reason, usage=usage)

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        if isinstance(prompt, TokenPrompt):
            return TokenCount(len(prompt.ids))
        answer = await self._child.ask("/tokenize", _prompt_fields(prompt))
        return TokenCount(int(answer["count"]))

    async def context_length(self) -> int:
        return (await self._about()).context_length

    async def has_chat_template(self) -> bool:
        return (await asyncio.to_thread(folder_of, self._folder)).chat_template

    async def has_native_tools(self) -> bool:
        return (await self._about()).tools

    async def render(self, messages: Sequence[Message]) -> str:
        return str((await self._child.ask("/apply-template", {"messages": message_list(messages)}))["prompt"])

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        answer = await self._child.ask("/tokenize", {"content": text, "special": special, "pieces": True})
        return [_token(entry["id"], to_bytes(entry["bytes"]), bool(entry["special"])) for entry in answer["tokens"]]

    async def detokenize(self, ids: Sequence[int]) -> str:
        _check(ids, (await self._about()).vocabulary)
        return str((await self._child.ask("/detokenize", {"tokens": list(ids)}))["content"])

    async def tokenizer_info(self) -> TokenizerInfo:
        return (await self._about()).info

    async def aclose(self) -> None:
        await self._child.aclose()

    async def _about(self) -> _About:
        if self._known is None:
            props = await self._child.ask("/props")
            info = TokenizerInfo(props["bos"], props["eos"], props["chat_template"])
            self._known = _About(
                int(props["context_length"]),
                int(props["vocabulary"]),
                info,
                bool(props["continues"]),
                bool(props["tools"]),
            )
            self.can_continue = self._known.continues
        return self._known

    async def _used(self, body: dict[str, object], written: str) -> Usage:
        """What a reply took that was stopped in the middle."""
        read = await self._child.ask("/tokenize", body)
        wrote = await self._child.ask("/tokenize", {"content": written, "special": False})
        return Usage(int(read["count"]), int(wrote["count"]))


def transformers_engine(folder: Path, settings: Settings) -> Engine:
    """The engine of a folder, as the settings say. Starts nothing."""
    return TransformersEngine(
        folder, TransformersOptions(context_length=settings.context_length, threads=settings.threads)
    )


def _prompt_fields(prompt: Prompt) -> dict[str, object]:
    if isinstance(prompt, str):
        return {"prompt": prompt}
    if isinstance(prompt, TokenPrompt):
        return {"prompt": list(prompt.ids)}
    return {"messages": message_list(prompt)}


def _sampling_fields(params: SamplingParams) -> dict[str, object]:
    """The params in the words of GenerationConfig; and apart from them, those it has no words for.

    https://huggingface.co/docs/transformers/main_classes/text_generation
    """
    greedy = params.temperature == 0
    sampling = {
        "do_sample": not greedy,
        "temperature": None if greedy else params.temperature,
        "top_p": None if greedy else params.top_p,
        "top_k": None if greedy else params.top_k,
        "min_p": None if greedy else params.min_p,
        "typical_p": None if greedy or params.typical_p is None else max(params.typical_p, _LEAST_MASS),
        "repetition_penalty": params.repetition_penalty,
    }
    more = {
        "seed": params.seed,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logit_bias": [list(pair) for pair in params.logit_bias] or None,
    }
    return {
        "max_tokens": params.max_tokens,
        "sampling": {name: value for name, value in sampling.items() if value is not None},
        "more": {name: value for name, value in more.items() if value is not None},
    }


def _check(ids: Sequence[int], vocabulary: int) -> None:
    for number in ids:
        if not 0 <= number < vocabulary:
            raise InvalidRequest(
                f"{number} is no token of this model. Its tokens are 0 to {vocabulary - 1}.",
                code="invalid_token",
                token=number,
                last=vocabulary - 1,
            )


def _token(number: int, raw: bytes, special: bool) -> Token:
    return Token(number, raw.decode("utf-8", "replace"), b"" if special else raw, special=special)


def _failure_of(status: int, body: bytes) -> FalconryError:
    """The child's error in our words."""
    try:
        failure = read_failure(json.loads(body))
    except ValueError:
        failure = None
    if failure is None:
        return EngineError(f"The model's server answered with status {status}.")
    overflow = read_overflow(failure)
    if overflow and overflow.prompt_tokens and overflow.limit:
        return ContextWindowExceeded(overflow.prompt_tokens, overflow.limit)
    if failure.code == "empty_prompt":
        return InvalidRequest("The model cannot begin with nothing. Write something.", code="empty_prompt")
    if status == 503:
        return EngineUnavailable("The model is being loaded. Try again in a moment.")
    if status == 400:
        return InvalidRequest(f"The model cannot read this: {failure.message[:300]}")
    return EngineError(f"The model's server reports: {failure.message[:300]}")


def _broken(name: str, failure: FalconryError) -> FalconryError:
    """An error that came inside the stream, which the reader took for one of an endpoint."""
    why = str(failure.details.get("reason", ""))
    if why == "out of memory":
        return out_of_memory(name)
    return EngineError(f"{name} could not go on: {why}", code="transformers_failed", model=name, reason=why)
