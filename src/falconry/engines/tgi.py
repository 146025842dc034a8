"""Servers that speak text-generation-inference's own protocol, from the lesson's falcon-40b-instruct to TGI 3.

Raw prompts go to /generate_stream, and messages to /v1/chat/completions where the server offers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import ClassVar

from falconry.engines import endpoint_errors as errors
from falconry.engines.base import ALL_EXTRAS, ALL_SAMPLING
from falconry.engines.endpoint_errors import Place, Refused
from falconry.engines.event_stream import EventStream
from falconry.engines.http import RETRIES
from falconry.engines.remote import OpenAIReader, Reader, RemoteEngine, relay
from falconry.errors import ContextWindowExceeded, EngineError, EngineUnavailable, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
    Usage,
)
from falconry.protocols import openai, tgi
from falconry.settings import Endpoint

# What a gateway or an older version says to a route that it does not have.
_NO_ROUTE = (403, 404, 405, 501)
# What a server says to messages when its model has no chat template.
_NO_TEMPLATE = (*_NO_ROUTE, 400, 422, 424, 500)
_RAW_SUPPORTS = ALL_SAMPLING - {"min_p", "presence_penalty", "logit_bias"}
_CHAT_SUPPORTS = _RAW_SUPPORTS - {"top_k", "typical_p", "repetition_penalty"}
_SCORE_TIMEOUT = 120.0
"""Seconds for what a server reads in one go, without a sign of life."""


class FrameReader(Reader):
    """Token frames. The last one repeats the whole text: what the tokens did not bring is taken from there."""

    def __init__(self, place: Place, extras: Extras, max_new_tokens: int) -> None:
        super().__init__(place, extras)
        self._max_new_tokens = max_new_tokens
        self._texts: list[str] = []
        self._tokens = 0

    def read(self, body: Mapping[str, object]) -> tuple[str, str]:
        frame = tgi.read_frame(body)
        self._tokens += "token" in body
        text = frame.text
        self._texts.append(text)
        if frame.generated_text is not None:
            rest = _rest("".join(self._texts), frame.generated_text)
            text += rest
            self.done = True
            self._finish(frame)
        if self.tokens is not None:
            self._keep(text, tgi.read_tokens(body))
        return text, ""

    def _finish(self, frame: tgi.Frame) -> None:
        tokens = frame.generated_tokens or self._tokens
        if frame.finish_reason is not None:
            self.finish_reason = openai.read_finish(frame.finish_reason)
        else:  # a server that sends no details
            self.finish_reason = "length" if tokens >= self._max_new_tokens else "stop"
        if frame.input_length:
            self.usage = Usage(frame.input_length, tokens)


class TGIEngine(RemoteEngine):
    """Generates by token frames. Counts are exact where the server has /tokenize and /chat_tokenize."""

    kind: ClassVar[str] = "tgi"
    extras = ALL_EXTRAS

    def __init__(self, endpoint: Endpoint, timeout: float, *, retries: int = RETRIES) -> None:
        super().__init__(endpoint, timeout, retries=retries)
        self._url = endpoint.url
        self._asking = asyncio.Lock()
        self._info: tgi.Info | None = None
        self._template: bool | None = None
        self._no_route: set[str] = set()
        self.supports = _RAW_SUPPORTS

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        if isinstance(prompt, TokenPrompt):
            raise NotSupported("prompts of token ids")
        if isinstance(prompt, str) and extras.tools:
            raise NotSupported("tools")
        if extras.prompt_logprobs:
            yield Delta(prompt_tokens=await self._scored(prompt))
        max_tokens = params.max_tokens or await self._room(prompt)
        try:
            while True:
                reader = self._reader(prompt, extras, max_tokens)
                try:
                    async with (
                        self._open(prompt, params, extras, max_tokens) as events,
                        aclosing(relay(events, reader, params, self._http.place)) as deltas,
                    ):
                        async for delta in deltas:
                            yield delta
                    if reader.usage is not None:
                        self._estimator.learn(prompt, reader.usage.prompt_tokens)
                    return
                except (Refused, ContextWindowExceeded) as error:
                    if self._without_stream_route(prompt, error):
                        continue
                    room = _room_left(error)
                    if room is None or room >= max_tokens:
                        raise
                    max_tokens = room
        except (Refused, ContextWindowExceeded) as error:
            raise await self._translated(error, prompt) from None

    async def context_length(self) -> int | None:
        return self._endpoint.context_length or (await self._about()).max_total

    async def has_chat_template(self) -> bool:
        """Asked once, of /chat_tokenize; of older versions, by a chat of one token."""
        if self._endpoint.prompt_format == "plain":
            return False
        async with self._asking:
            if self._template is None:
                self._template = await self._try_template()
                self.supports = _CHAT_SUPPORTS if self._template else _RAW_SUPPORTS
            return self._template

    async def render(self, messages: Sequence[Message]) -> str | None:
        answer = await self._ask("/chat_tokenize", _chat_body(messages))
        text = answer.get("templated_text") if isinstance(answer, dict) else None
        return text if isinstance(text, str) else None

    async def has_native_tools(self) -> bool:
        """Where it chats, the server itself sees to tools."""
        return await self.has_chat_template()

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        body: dict[str, object] = {"inputs": text} if special else {"inputs": text, "add_special_tokens": False}
        tokens = tgi.read_tokenized(await self._ask("/tokenize", body))
        if tokens is None:
            raise NotSupported("tokenize")
        return tokens

    async def _scored(self, prompt: str | Sequence[Message]) -> tuple[Token, ...]:
        """The prompt's tokens with their logprobs. Messages are scored as their template renders them."""
        text = prompt if isinstance(prompt, str) else await self.render(prompt)
        if text is None:
            raise NotSupported("logprobs of the prompt")
        try:
            body = tgi.score_body(text)
            tokens = tgi.read_prefill(await self._http.post(f"{self._url}/generate", body, timeout=_SCORE_TIMEOUT))
        except Refused as refused:
            if refused.status in _NO_ROUTE:
                raise NotSupported("logprobs of the prompt") from None
            raise await self._translated(refused, prompt) from None
        if not tokens:
            raise NotSupported("logprobs of the prompt")
        return tokens

    async def _exact_count(self, prompt: str | Sequence[Message]) -> int | None:
        if isinstance(prompt, str):
            return tgi.read_token_count(await self._ask("/tokenize", {"inputs": prompt}))
        return tgi.read_token_count(await self._ask("/chat_tokenize", _chat_body(prompt)))

    def _reader(self, prompt: str | Sequence[Message], extras: Extras, max_tokens: int) -> Reader:
        if isinstance(prompt, str):
            return FrameReader(self._http.place, extras, max_tokens)
        return OpenAIReader(self._http.place, extras)

    def _open(
        self, prompt: str | Sequence[Message], params: SamplingParams, extras: Extras, max_tokens: int
    ) -> AbstractAsyncContextManager[EventStream]:
        if not isinstance(prompt, str):
            body = _chat_body(prompt) | _chat_params(params, max_tokens) | openai.tool_fields(extras)
            if extras.top_logprobs is not None:
                body |= {"logprobs": True, "top_logprobs": extras.top_logprobs}
            return self._http.stream(f"{self._url}/v1/chat/completions", body)
        body = tgi.generate_body(prompt, params, max_tokens, extras.top_logprobs or 0)
        if "/generate_stream" in self._no_route:
            return self._http.stream(self._url, body | {"stream": True})
        return self._http.stream(f"{self._url}/generate_stream", body)

    def _without_stream_route(self, prompt: Prompt, error: Exception) -> bool:
        """Gateways may let through nothing but the base URL, to which the official client posts."""
        if not (isinstance(prompt, str) and isinstance(error, Refused) and error.status in _NO_ROUTE):
            return False
        first = "/generate_stream" not in self._no_route
        self._no_route.add("/generate_stream")
        return first

    async def _about(self) -> tgi.Info:
        async with self._asking:
            if self._info is None:
                try:
                    self._info = tgi.read_info(await self._http.get(f"{self._url}/info"))
                except Refused as refused:
                    if refused.status in (401, 429, 503):
                        raise errors.refused(self._http.place, refused) from None
                    self._info = tgi.Info()
                except EngineUnavailable:
                    raise
                except EngineError:  # a page that is not JSON
                    self._info = tgi.Info()
            return self._info

    async def _ask(self, route: str, body: Mapping[str, object]) -> object:
        """POST to a route that counts; None where the server does not have it, or refuses what it should count."""
        if route in self._no_route:
            return None
        try:
            return await self._http.post(f"{self._url}{route}", body)
        except Refused as refused:
            if refused.status in _NO_ROUTE:
                self._no_route.add(route)
            elif refused.status in (401, 429, 503):
                raise errors.refused(self._http.place, refused) from None
            return None

    async def _try_template(self) -> bool:
        hello = [Message("user", "Hi")]
        if await self._ask("/chat_tokenize", _chat_body(hello)) is not None:
            return True
        if "/chat_tokenize" not in self._no_route:
            return False
        try:
            await self._http.post(
                f"{self._url}/v1/chat/completions", _chat_body(hello) | {"max_tokens": 1, "stream": False}
            )
        except Refused as refused:
            if refused.status in _NO_TEMPLATE:
                return False
            raise errors.refused(self._http.place, refused) from None
        return True


def _rest(streamed: str, whole: str) -> str:
    """What the whole text has after the tokens; "" where the two differ otherwise."""
    if whole.startswith(streamed):
        return whole[len(streamed) :]
    # The whole text may have lost the first token's space.
    bare = streamed.lstrip()
    return whole[len(bare) :] if bare and whole.startswith(bare) else ""


def _room_left(error: Refused | ContextWindowExceeded) -> int | None:
    """New tokens that would fit, when only the prompt and max_new_tokens together are too many.

    Validation comes as HTTP 422, or as a frame in a stream that has begun well.
    """
    overflow = error if isinstance(error, ContextWindowExceeded) else None
    if isinstance(error, Refused) and error.status in (400, 422):
        overflow = errors.too_long(error.failure)
    if overflow is None or not overflow.prompt_tokens or overflow.limit <= overflow.prompt_tokens:
        return None
    return overflow.limit - overflow.prompt_tokens


def _chat_body(messages: Sequence[Message]) -> dict[str, object]:
    return {"model": "tgi", "messages": openai.message_list(messages)}


def _chat_params(params: SamplingParams, max_tokens: int) -> dict[str, object]:
    """The fields that its chat route knows; here temperature 0 is allowed, and left out it would sample."""
    fields = openai.sampling_fields(params)
    known = ("temperature", "stop", "seed", "frequency_penalty")
    kept: dict[str, object] = {name: fields[name] for name in known if name in fields}
    if params.grammar is not None:
        kept["response_format"] = tgi.grammar_body(params.grammar)
    if params.top_p is not None and 0 < params.top_p < 1:
        kept["top_p"] = params.top_p
    elif params.top_p == 0:
        kept["temperature"] = 0.0
    return kept | {"max_tokens": max_tokens, "stream": True, "stream_options": {"include_usage": True}}
