"""OpenAI's chat and completions protocol, with the extensions of the open servers: the asking side.

Request bodies out, chunks in. `falconry.protocols.openai_answers` answers.
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from falconry.messages import Extras, FinishReason, Grammar, Message, SamplingParams, Token, ToolCallDelta, Usage
from falconry.protocols.images import as_data_uri
from falconry.protocols.logprobs import read_tokens

# OpenAI takes at most four stop sequences, and servers that copy it refuse more. The rest is up to the caller.
MAX_STOP = 4
LONGEST_CONTEXT = 100_000_000
"""Tokens; ten times the longest that there is."""
# What ends a reply by length, in the words of OpenAI, Mistral and others.
_BY_LENGTH = frozenset({"length", "max_tokens", "model_length"})
# What ends it before it is whole: OpenRouter and Mistral, vLLM and SGLang, DeepSeek, OpenAI.
_BROKEN = frozenset({"error", "abort", "cancelled", "insufficient_system_resource", "content_filter"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one chunk, or a whole reply, brings.

    Attributes:
        finish_reason: the server's own word for it.
        stop_sequence: which one ended the reply, where the server tells (vLLM, SGLang).
    """

    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    tokens: tuple[Token, ...] = ()
    stop_sequence: str | None = None


def sampling_fields(params: SamplingParams) -> dict[str, object]:
    """The params that are set, under the names that vLLM, SGLang and OpenAI give them."""
    fields: dict[str, object | None] = {
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "typical_p": params.typical_p,
        "repetition_penalty": params.repetition_penalty,
        "presence_penalty": params.presence_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logit_bias": {str(token): bias for token, bias in params.logit_bias} or None,
        "stop": list(params.stop[:MAX_STOP]) or None,
        "seed": params.seed,
    }
    return {name: value for name, value in fields.items() if value is not None}


def message_list(messages: Sequence[Message]) -> list[dict[str, object]]:
    return [_message(message) for message in messages]


def _message(message: Message) -> dict[str, object]:
    body: dict[str, object] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    return body


def _content(message: Message) -> str | list[dict[str, object]]:
    """The text, or parts where there are pictures."""
    if not message.images:
        return message.content
    parts: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": as_data_uri(image)}} for image in message.images
    ]
    return [*parts, {"type": "text", "text": message.content}]


def tool_fields(extras: Extras) -> dict[str, object]:
    """The functions that may be called, and whether one must be; nothing where there are none."""
    if not extras.tools:
        return {}
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(tool.parameters),
            },
        }
        for tool in extras.tools
    ]
    choice: object = extras.tool_choice
    if choice not in ("auto", "required", "none"):
        choice = {"type": "function", "function": {"name": choice}}
    return {"tools": tools, "tool_choice": choice}


def response_format(grammar: Grammar) -> dict[str, object]:
    """The shape of the reply, JSON with or without a schema; a regular expression has no standard name."""
    if grammar.kind == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": json.loads(grammar.text)}}


def read_chunk(body: Mapping[str, object]) -> Chunk:
    """Read a chunk of a stream or a whole reply, of a chat or a completion. Unknown parts are ignored."""
    usage = _read_usage(body)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Mapping):
        return Chunk(usage=usage)
    finish = choice.get("finish_reason")
    reason = finish if isinstance(finish, str) and finish else None
    tokens = read_tokens(logprobs) if (logprobs := choice.get("logprobs")) else ()
    stop = choice.get("stop_reason", choice.get("matched_stop"))
    stop = stop if isinstance(stop, str) and stop else None
    delta = choice.get("delta") or choice.get("message")
    if not isinstance(delta, Mapping):
        return Chunk(_string(choice.get("text")), "", reason, usage, tokens=tokens, stop_sequence=stop)
    text, thinking = _read_content(delta.get("content"))
    thinking += _string(delta.get("reasoning_content")) or _string(delta.get("reasoning"))
    calls = _read_tool_calls(given) if (given := delta.get("tool_calls")) else ()
    return Chunk(text, thinking, reason, usage, calls, tokens, stop)


def _read_tool_calls(calls: object) -> tuple[ToolCallDelta, ...]:
    """The pieces of calls. Whole replies do not number them, and some servers send arguments as an object."""
    # TGI sends one call, not a list of them, in the streams of older versions.
    entries = calls if isinstance(calls, list) else [calls]
    found = []
    for place, call in enumerate(entries):
        if not isinstance(call, Mapping) or not isinstance(function := call.get("function"), Mapping):
            continue
        index, arguments = call.get("index"), function.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = json.dumps(arguments, ensure_ascii=False)
        found.append(
            ToolCallDelta(
                index=index if isinstance(index, int) else place,
                id=_string(call.get("id")),
                name=_string(function.get("name")),
                arguments=_string(arguments),
            )
        )
    return tuple(found)


def read_embeddings(body: object) -> tuple[list[list[float]], int] | None:
    """The vectors in the answer of /embeddings, in the order of the texts, and its tokens; None for anything else."""
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(data, list):
        return None
    try:
        ordered = sorted(data, key=lambda entry: int(entry["index"]))
        vectors = [[float(value) for value in entry["embedding"]] for entry in ordered]
    except (KeyError, TypeError, ValueError):
        return None
    usage = body.get("usage")
    return vectors, _count(usage.get("prompt_tokens")) if isinstance(usage, Mapping) else 0


def read_finish(reason: str) -> FinishReason | None:
    """The finish reason in our words; None for one that means that the reply is not whole, such as `error`."""
    if reason in _BROKEN:
        return None
    return "length" if reason in _BY_LENGTH else "stop"


def read_models(body: object) -> list[Mapping[str, object]]:
    """The entries of /models; those without an id are left out."""
    data = body.get("data") if isinstance(body, Mapping) else body
    entries = data if isinstance(data, list) else []
    return [entry for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)]


def read_context_length(entry: Mapping[str, object]) -> int | None:
    """The context window in an entry of /models: vLLM and SGLang, OpenRouter, LM Studio, llama.cpp, Groq."""
    meta = entry.get("meta")
    places = (
        entry.get("max_model_len"),
        entry.get("context_length"),
        entry.get("loaded_context_length"),
        entry.get("max_context_length"),
        entry.get("context_window"),
        meta.get("n_ctx") if isinstance(meta, Mapping) else None,
        meta.get("n_ctx_train") if isinstance(meta, Mapping) else None,
    )
    return next(filter(None, map(read_length, places)), None)


def read_length(value: object) -> int | None:
    """The length of a context in tokens, as a server tells it; None for what can be none."""
    return value if type(value) is int and 0 < value <= LONGEST_CONTEXT else None


def _read_content(content: object) -> tuple[str, str]:
    """Text and thinking of a content, which is a string or (Mistral) a list of parts."""
    if not isinstance(content, list):
        return _string(content), ""
    text = thinking = ""
    for part in content:
        if isinstance(part, Mapping):
            text += _string(part.get("text"))
            thinking += _read_content(part.get("thinking"))[0]
    return text, thinking


def _read_usage(body: Mapping[str, object]) -> Usage | None:
    usage = body.get("usage")
    if not isinstance(usage, Mapping) or not isinstance(usage.get("prompt_tokens"), int):
        return None
    details, timings = usage.get("prompt_tokens_details"), body.get("timings")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    if cached is None and isinstance(timings, Mapping):  # llama.cpp
        cached = timings.get("cache_n")
    drafted, accepted = 0, 0
    if isinstance(timings, Mapping):
        drafted, accepted = _count(timings.get("draft_n")), _count(timings.get("draft_n_accepted"))
    written = _count(usage.get("completion_tokens"))
    return Usage(usage["prompt_tokens"], written, _count(cached), drafted, accepted)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
