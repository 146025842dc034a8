"""What llama-server is asked and what it answers: request bodies, events, errors.

Both doors are used: /v1/chat/completions for messages, since it applies the template and separates the thinking, and
/completion for raw text. https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
)
from falconry.messages import Delta, FinishReason, Prompt, SamplingParams, Usage
from falconry.protocols.failures import read_failure, read_overflow
from falconry.protocols.openai import message_list, read_chunk

_LAST_FIELDS = ["content", "stop_type", "tokens_evaluated", "tokens_predicted", "timings/cache_n"]
"""Of the last event of /completion, which would otherwise repeat the prompt and all params."""


def completion(prompt: Prompt, params: SamplingParams) -> tuple[str, dict[str, Any]]:
    """Path and body of the request."""
    fields: dict[str, object | None] = {
        "n_predict": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "repeat_penalty": params.repetition_penalty,
        "seed": params.seed,
    }
    body: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    body["stream"] = True
    # An event after each batch of the prompt. The server notices that we hung up only when it has something to send:
    # it looks for it after a second of silence, but every token of another slot begins that second anew.
    body["return_progress"] = True
    if isinstance(prompt, str):
        return "/completion", body | {"prompt": prompt, "response_fields": _LAST_FIELDS}
    return "/v1/chat/completions", body | {
        "messages": message_list(prompt),
        "stream_options": {"include_usage": True},
    }


async def deltas(blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[Delta, None]:
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
        raise failure_of(500, json.dumps(event).encode())
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
    if status == 400:
        return InvalidRequest(f"The model cannot read this: {failure.message[:300]}")
    return EngineError(f"llama.cpp reports: {failure.message[:300]}")
