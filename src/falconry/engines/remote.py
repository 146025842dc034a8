"""What the engines behind a URL have in common: from the events of an endpoint to the deltas of an engine."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from falconry.engines import endpoint_errors as errors
from falconry.engines.base import Engine
from falconry.engines.endpoint_errors import Place, Refused
from falconry.engines.estimate import TokenEstimator
from falconry.engines.event_stream import EventStream
from falconry.engines.http import RETRIES, EndpointClient
from falconry.engines.stop import StopFilter
from falconry.engines.token_queue import TokenQueue
from falconry.errors import ContextWindowExceeded, EngineError, FalconryError
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    FinishReason,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenCount,
    TokenPrompt,
    ToolCallDelta,
    Usage,
)
from falconry.protocols import openai
from falconry.protocols.failures import read_failure
from falconry.protocols.sse import Event
from falconry.settings import Endpoint

# Seconds that usage may come after the finish reason.
_GRACE = 2.0
# New tokens to ask for where nobody knows how many fit.
DEFAULT_MAX_TOKENS = 1024


class Reader:
    """Reads the frames of one reply. What breaks is kept in `failure`, so that the text before it is shown first.

    Attributes:
        finish_reason, usage: as soon as they are known.
        done: the stream has said that it ends here.
        failure: what to raise after the text so far.
        tokens: what was reported of the tokens so far; None where nobody asked for them.
        tool_calls: pieces of calls since the last `take`.
        stop_sequence: which one the server says it stopped at.
    """

    def __init__(self, place: Place, extras: Extras = NO_EXTRAS) -> None:
        self.finish_reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.done = False
        self.failure: FalconryError | None = None
        self.tokens = None if extras.top_logprobs is None else TokenQueue()
        self.tool_calls: list[ToolCallDelta] = []
        self.stop_sequence: str | None = None
        self._top = extras.top_logprobs or 0
        self._place = place
        self._shown = False

    def take(self, events: Sequence[Event], *, ended: bool) -> tuple[str, str]:
        """Text and thinking of some events. `ended`: they are the last, and may be cut."""
        texts: list[str] = []
        thoughts: list[str] = []
        for event in events:
            if event.data == "[DONE]":
                self.done = True
            elif event.data and not self.done and self.failure is None:
                text, thinking = self._frame(event.data, ended=ended)
                texts.append(text)
                thoughts.append(thinking)
                self._shown = self._shown or bool(text or thinking or self.tool_calls)
        return "".join(texts), "".join(thoughts)

    def _frame(self, data: str, *, ended: bool) -> tuple[str, str]:
        try:
            body = json.loads(data)
        except ValueError:
            self.failure = (
                errors.broken_off(self._place, "in the middle of a frame", shown=self._shown)
                if ended
                else errors.nonsense(self._place, "broken JSON")
            )
            return "", ""
        if (failure := read_failure(body)) is not None:
            self.failure = errors.frame_error(self._place, failure, shown=self._shown)
            return "", ""
        if isinstance(body, list) and len(body) == 1:  # TGI's POST / where it does not stream
            body = body[0]
        return self.read(body) if isinstance(body, dict) else ("", "")

    def read(self, body: Mapping[str, object]) -> tuple[str, str]:
        """Text and thinking of one frame."""
        raise NotImplementedError

    def _keep(self, text: str, tokens: Sequence[Token], *, thinking: bool = False) -> None:
        """Take what a frame tells of its tokens."""
        if self.tokens is not None:
            kept = [replace(token, top=token.top[: self._top]) for token in tokens]
            self.tokens.add(text, kept, thinking=thinking)


class OpenAIReader(Reader):
    """Chunks of chats and completions. The usage comes after the finish reason, in a chunk without choices."""

    def read(self, body: Mapping[str, object]) -> tuple[str, str]:
        chunk = openai.read_chunk(body)
        self.usage = chunk.usage or self.usage
        self.tool_calls += chunk.tool_calls
        self.stop_sequence = chunk.stop_sequence or self.stop_sequence
        self._keep(chunk.text, chunk.tokens, thinking=bool(chunk.thinking))
        if chunk.finish_reason is not None:
            self.finish_reason = openai.read_finish(chunk.finish_reason)
            if chunk.finish_reason == "content_filter":
                self.failure = errors.filtered(self._place)
            elif self.finish_reason is None:
                shown = self._shown or bool(chunk.text or chunk.thinking)
                self.failure = errors.broken_off(self._place, f"finish reason {chunk.finish_reason}", shown=shown)
        return chunk.text, chunk.thinking


async def relay(
    events: EventStream, reader: Reader, params: SamplingParams, place: Place
) -> AsyncGenerator[Delta, None]:
    """The deltas of one reply: one per read, the last with finish reason and usage.

    Raises:
        EngineInterrupted, EngineUnavailable: the stream ended without a finish reason, after or before some text.
        EngineError: what the endpoint complains about.
    """
    stop = StopFilter(params.stop)
    while not (reader.done or stop.stopped or (reader.finish_reason and reader.usage)):
        try:
            batch = await events.read()
        except EngineError:
            # The reply is whole; that the usage does not come is no reason to lose it.
            if reader.finish_reason is None:
                raise
            break
        if batch is None:
            break
        text, thinking = reader.take(batch, ended=events.ended)
        text = stop.feed(text)
        calls, reader.tool_calls = tuple(reader.tool_calls), []
        if text or thinking or calls:
            events.shown = True
            tokens = () if reader.tokens is None else reader.tokens.take(text)
            yield Delta(text, thinking, tool_calls=calls, tokens=tokens)
        if reader.failure is not None and not stop.stopped:
            raise reader.failure
        if reader.finish_reason is not None:
            events.hurry(_GRACE)
    reason = "stop" if stop.stopped else reader.finish_reason
    if reason is None:
        raise errors.broken_off(place, "no finish reason came", shown=events.shown)
    text = stop.flush()
    last: tuple[Token, ...] = ()
    if reader.tokens is not None:
        last = reader.tokens.take(text)
        if stop.matched is not None:
            last += reader.tokens.take_through(stop.matched)
        else:
            last += reader.tokens.take_all(stopped=reader.stop_sequence is not None)
    matched = stop.matched or reader.stop_sequence
    yield Delta(text, finish_reason=reason, usage=reader.usage, tokens=last, stop_sequence=matched)


class RemoteEngine(Engine):
    """An engine behind a URL: its connection, and the estimate for what the endpoint cannot count.

    Args:
        endpoint: where, and with which key.
        timeout: seconds of silence after which the endpoint counts as dead.
    """

    kind: ClassVar[str]

    def __init__(self, endpoint: Endpoint, timeout: float, *, retries: int = RETRIES) -> None:
        self._endpoint = endpoint
        self._http = EndpointClient(endpoint, timeout, retries=retries)
        self._estimator = TokenEstimator()

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        if isinstance(prompt, TokenPrompt):
            return TokenCount(len(prompt.ids))
        tokens = await self._exact_count(prompt)
        return self._estimator.count(prompt) if tokens is None else TokenCount(tokens)

    async def has_chat_template(self) -> bool:
        return self._endpoint.prompt_format != "plain"

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _exact_count(self, prompt: str | Sequence[Message]) -> int | None:
        """The tokens of a prompt as the endpoint counts them; None where it cannot."""
        raise NotImplementedError

    async def _room(self, prompt: Prompt) -> int:
        """New tokens that fit behind a prompt, at least 1."""
        limit = await self.context_length()
        if limit is None:
            return DEFAULT_MAX_TOKENS
        return max(1, limit - (await self.count_tokens(prompt)).upper)

    async def _translated(self, error: FalconryError | Refused, prompt: Prompt) -> FalconryError:
        """The error to raise. Numbers that the endpoint keeps to itself are counted here."""
        if isinstance(error, Refused):
            error = errors.refused(self._http.place, error)
        if not isinstance(error, ContextWindowExceeded) or (error.prompt_tokens and error.limit):
            return error
        try:
            prompt_tokens = error.prompt_tokens or (await self.count_tokens(prompt)).tokens
            limit = error.limit or await self.context_length() or 0
        except (EngineError, Refused):
            return error
        return ContextWindowExceeded(prompt_tokens, limit, None if limit else error.message)


def continues(prompt: Prompt) -> bool:
    """Whether the last message is the assistant's, to be continued."""
    return not isinstance(prompt, str | TokenPrompt) and len(prompt) > 0 and prompt[-1].role == "assistant"
