"""What llama-server is asked and what it answers: request bodies, events, errors.

Both doors are used: /v1/chat/completions for messages, since it applies the template and separates the thinking, and
/completion for raw text. https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from falconry.engines.token_queue import TokenQueue
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
)
from falconry.messages import (
    Delta,
    Extras,
    FinishReason,
    Grammar,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
    ToolCallDelta,
    Usage,
)
from falconry.protocols.failures import read_failure, read_overflow
from falconry.protocols.grammar import portable_schema, regex_to_gbnf
from falconry.protocols.logprobs import read_tokens
from falconry.protocols.openai import message_list, read_chunk, tool_fields

UNTOLD = Token(-1, "\ufffd", logprob=0.0)
"""Stands for a token that the server did not tell of."""
_LAST_FIELDS = [
    "content",
    "stop_type",
    "tokens_evaluated",
    "tokens_predicted",
    "timings/cache_n",
    "timings/draft_n",
    "timings/draft_n_accepted",
]
"""Of the last event of /completion, which would otherwise repeat the prompt and all params."""


def completion(prompt: Prompt, params: SamplingParams, extras: Extras) -> tuple[str, dict[str, Any]]:
    """Path and body of the request. Raises InvalidRequest for a grammar that cannot be."""
    fields: dict[str, object | None] = {
        "n_predict": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "typical_p": params.typical_p,
        "repeat_penalty": params.repetition_penalty,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logit_bias": [list(pair) for pair in params.logit_bias] or None,
        "seed": params.seed,
    }
    body: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    body["stream"] = True
    # An event after each batch of the prompt. The server notices that we hung up only when it has something to send:
    # it looks for it after a second of silence, but every token of another slot begins that second anew.
    body["return_progress"] = True
    if params.grammar is not None:
        body |= grammar_fields(params.grammar)
    if isinstance(prompt, str | TokenPrompt):
        if extras.top_logprobs is not None:
            body["n_probs"] = max(1, extras.top_logprobs)
        raw = prompt if isinstance(prompt, str) else list(prompt.ids)
        return "/completion", body | {"prompt": raw, "response_fields": _LAST_FIELDS}
    if extras.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": max(1, extras.top_logprobs), "timings_per_token": True}
    return "/v1/chat/completions", body | {
        "messages": message_list(readable(prompt)),
        "stream_options": {"include_usage": True},
        **_tools(extras),
    }


_COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
"""Between two values any amount of blanks is JSON, and small models then write nothing but line ends until they are cut
off. The wheel's grammars come from llguidance, which knows this keyword; others ignore it."""


def readable(messages: Sequence[Message]) -> list[Message]:
    """The messages with arguments of calls that are JSON: the server fails at others, which models do write."""
    return [
        replace(
            message, tool_calls=tuple(replace(call, arguments=_json(call.arguments)) for call in message.tool_calls)
        )
        if message.tool_calls
        else message
        for message in messages
    ]


def _json(arguments: str) -> str:
    if not arguments.strip():
        return "{}"
    try:
        # NaN and the infinities, which Python reads, are no JSON.
        return json.dumps(json.loads(arguments), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps(arguments, ensure_ascii=False)


def grammar_fields(grammar: Grammar) -> dict[str, object]:
    """The shape of the reply in the server's words; a regular expression becomes a grammar of its kind."""
    if grammar.kind == "regex":
        return {"grammar": regex_to_gbnf(grammar.text)}
    # One that it cannot make a grammar of is silently dropped by the server.
    schema = json.loads(portable_schema(grammar.text)) if grammar.kind == "json_schema" else {"type": "object"}
    return {"json_schema": schema | _COMPACT if isinstance(schema, dict) else schema}


def _tools(extras: Extras) -> dict[str, object]:
    """The server knows "auto" and "required", but no name: then that function is the only one, and must be called."""
    if extras.tool_choice in ("auto", "required"):
        return tool_fields(extras)
    named = tuple(tool for tool in extras.tools if tool.name == extras.tool_choice)
    return tool_fields(replace(extras, tools=named, tool_choice="required"))


class EventReader:
    """Reads the events of one reply.

    Attributes:
        tokens: what was reported of the tokens so far; None where nobody asked for them.
        prompt_tokens, cached_tokens: of the prompt, told before the first token; 0 where an older server does not.
    """

    def __init__(self, extras: Extras) -> None:
        self.tokens = None if extras.top_logprobs is None else TokenQueue()
        self.prompt_tokens = self.cached_tokens = 0
        self._top = extras.top_logprobs or 0
        self._written = 0
        self._rest = b""
        self._finish: FinishReason | None = None

    def feed(self, block: bytes) -> Delta:
        """What some bytes bring; the last delta carries the finish reason."""
        *events, self._rest = (self._rest + block).split(b"\n\n")
        text, thinking, usage = "", "", None
        calls: tuple[ToolCallDelta, ...] = ()
        for event in events:
            if not event.startswith(b"data: {"):
                continue  # a ping, or [DONE]
            step = self._step(json.loads(event[6:]))
            text += step.text
            thinking += step.thinking
            calls += step.tool_calls
            self._finish = step.finish_reason or self._finish
            usage = step.usage or usage
        done = self._finish is not None and usage is not None
        return Delta(text, thinking, self._finish if done else None, usage, calls)

    def _step(self, event: Mapping[str, Any]) -> Delta:
        """One event, of a chat or of a completion."""
        if "error" in event:
            raise failure_of(500, json.dumps(event).encode())
        if "prompt_progress" in event:
            progress = event["prompt_progress"]
            self.prompt_tokens, self.cached_tokens = int(progress["total"]), int(progress["cache"])
            return Delta()
        if "content" not in event:
            chunk = read_chunk(event)
            written = event["timings"]["predicted_n"] if chunk.tokens and "timings" in event else 0
            self._keep(chunk.text, chunk.tokens, written, thinking=bool(chunk.thinking))
            reason = None if chunk.finish_reason is None else _finish(chunk.finish_reason)
            return Delta(chunk.text, chunk.thinking, reason, chunk.usage, chunk.tool_calls)
        if "stop_type" not in event:
            if self.tokens is not None:
                tokens = read_tokens({"content": event.get("completion_probabilities", [])})
                self._keep(event["content"], tokens, event["tokens_predicted"])
            return Delta(event["content"])
        timings = (event.get(f"timings/{name}", 0) for name in ("cache_n", "draft_n", "draft_n_accepted"))
        usage = Usage(event["tokens_evaluated"], event["tokens_predicted"], *timings)
        self._keep(event["content"])
        return Delta(event["content"], finish_reason=_finish(event["stop_type"]), usage=usage)

    def _keep(self, text: str, tokens: tuple[Token, ...] = (), written: int = 0, *, thinking: bool = False) -> None:
        """Take what an event tells of its tokens. `written`: tokens of the reply so far."""
        if self.tokens is None:
            return
        # At least one alternative has to be asked for.
        kept = tuple(replace(token, top=token.top[: self._top]) for token in tokens)
        # Of the tokens that make up one character only the last is told of, with the bytes of all.
        untold = max(0, written - self._written - len(tokens))
        self._written = max(written, self._written)
        self.tokens.add(text, (*((UNTOLD,) * untold), *kept), thinking=thinking)


def _finish(word: str) -> FinishReason:
    return "length" if word in ("length", "limit") else "stop"


_BATCH_TOO_SMALL = re.compile(r"input \((\d+) tokens\) is too large to process.*batch size: (\d+)")


def failure_of(status: int, body: bytes) -> FalconryError:
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
    if too_large := _BATCH_TOO_SMALL.search(failure.message):
        return ContextWindowExceeded(int(too_large[1]), int(too_large[2]))
    if status == 400 and "grammar" in failure.message:
        return InvalidRequest(
            "The shape that the reply should have is more than the model's server can follow. Make it simpler. "
            f"It says: {failure.message[:300]}",
            code="invalid_grammar",
            reason=failure.message[:300],
        )
    if status == 400:
        return InvalidRequest(f"The model cannot read this: {failure.message[:300]}")
    return EngineError(f"llama.cpp reports: {failure.message[:300]}")
