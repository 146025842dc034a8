"""From OpenAI's fields to our own values: messages, sampling params, tools, the shape of the reply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from falconry.api.openai_schemas import ChatBody, ChatMessage, NamedTool, Sampling, ToolEntry
from falconry.api.tools import ToolUse
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Grammar, Image, Message, Role, SamplingParams, Tool, ToolCall
from falconry.protocols.images import MOST_IMAGES, read_data_uri

_SEEDS = 2**32 - 1
_MOST_TOKENS = 1_000_000
_ROLES: Mapping[str, Role] = {"developer": "system", "function": "tool"}
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def wrong(field: str, problem: str) -> InvalidRequest:
    """The error for a field whose value cannot be used."""
    return InvalidRequest(f"{field}: {problem}", code="invalid_field", field=field, problem=problem)


def sampling(body: Sampling, max_tokens: int | None) -> SamplingParams:
    """The sampling params of a request; what is left out has our own default.

    Args:
        max_tokens: new tokens at most, None for as many as fit. Engines cut what is more than the room.
    """
    default = SamplingParams()
    penalty = body.repetition_penalty if body.repetition_penalty is not None else body.repeat_penalty
    return SamplingParams(
        max_tokens=None if max_tokens is None else min(max_tokens, _MOST_TOKENS),
        temperature=default.temperature if body.temperature is None else body.temperature,
        top_p=body.top_p,
        top_k=None if body.top_k is None else max(body.top_k, 0),  # -1 and 0 both mean: all of them
        min_p=body.min_p,
        typical_p=body.typical_p,
        repetition_penalty=penalty,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        logit_bias=_logit_bias(body.logit_bias or {}),
        stop=tuple(body.stop or ()),
        # -1 is a random one, for the open servers.
        seed=None if body.seed in (None, -1) else body.seed % _SEEDS,
        grammar=grammar_of(body.response_format),
    )


def _logit_bias(biases: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    for token in biases:
        if not (token.isascii() and token.isdigit() and len(token) < 10):
            raise wrong("logit_bias", "its keys are the numbers of tokens")
    return tuple((int(token), bias) for token, bias in biases.items())


def chat_tokens(body: ChatBody) -> int | None:
    """New tokens at most; the newer name wins."""
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    if most == 0:
        raise wrong("max_tokens", "it must be 1 or more")
    return most


def grammar_of(form: Mapping[str, Any] | None) -> Grammar | None:
    """The shape of the reply: OpenAI's forms, llama.cpp's, TGI's, and what huggingface_hub makes of OpenAI's."""
    kind = None if form is None else form.get("type")
    if form is None or kind == "text" or (kind is None and not form):
        return None
    if kind == "regex":
        if not isinstance(pattern := form.get("value"), str):
            raise wrong("response_format.value", "it must be a regular expression")
        return Grammar("regex", pattern)
    if kind not in ("json_object", "json_schema", "json"):
        raise wrong("response_format.type", "it must be text, json_object or json_schema")
    schema = _schema(form)
    if schema is None and kind != "json_object":
        raise wrong("response_format.json_schema", "it must have a schema")
    return Grammar("json_object") if schema is None else Grammar("json_schema", json.dumps(schema))


def _schema(form: Mapping[str, Any]) -> object:
    """The schema, wherever a client has put it; None where there is none."""
    value = form.get("json_schema")
    if isinstance(value, Mapping) and "schema" in value:
        value = value["schema"]
    elif value is None and (value := form.get("value", form.get("schema"))) is not None:
        if isinstance(value, Mapping) and isinstance(value.get("schema"), Mapping):
            value = value["schema"]
    elif isinstance(value, Mapping) and "name" in value:  # OpenAI's object, without its schema
        value = None
    if value is not None and not isinstance(value, Mapping):
        raise wrong("response_format", "the schema must be an object")
    return value


def messages_of(messages: Sequence[ChatMessage]) -> list[Message]:
    """The conversation in our words."""
    return [_message(message, f"messages.{place}") for place, message in enumerate(messages)]


def _message(message: ChatMessage, place: str) -> Message:
    text, images = _content(message.content, f"{place}.content")
    role = _ROLES.get(message.role) or message.role
    if role not in ("system", "user", "assistant", "tool"):  # the schema allows no others
        raise wrong(f"{place}.role", "it is not known")
    if images and role != "user":
        raise wrong(f"{place}.content", "only messages of the user may have pictures")
    calls = message.tool_calls if role == "assistant" else None
    return Message(
        role,
        text or message.refusal or "",
        tuple(
            ToolCall(call.id or f"call_{number}", call.function.name, _arguments(call.function.arguments))
            for number, call in enumerate(calls or ())
        ),
        # A template may insist on an id.
        (message.tool_call_id or "call_0") if role == "tool" else None,
        images,
    )


def _arguments(arguments: str | Mapping[str, Any] | None) -> str:
    return arguments if isinstance(arguments, str) and arguments else json.dumps(arguments or {}, ensure_ascii=False)


def _content(content: str | Sequence[str | Mapping[str, Any]] | None, field: str) -> tuple[str, tuple[Image, ...]]:
    """The text of a content, and the pictures in it."""
    if content is None or isinstance(content, str):
        return content or "", ()
    pictures = [part for part in content if isinstance(part, Mapping) and part.get("type") == "image_url"]
    if len(pictures) > MOST_IMAGES:
        raise wrong(field, f"at most {MOST_IMAGES} pictures are read")
    images = tuple(read_data_uri(_address(part, field), field) for part in pictures)
    return text_of([part for part in content if part not in pictures], field), images


def _address(part: Mapping[str, Any], field: str) -> str:
    """`image_url` is an object with its `url`; some clients leave out the object."""
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    if not isinstance(url, str):
        raise wrong(field, "a part of type image_url needs its url")
    return url


def text_of(content: str | Sequence[str | Mapping[str, Any]] | None, field: str) -> str:
    """The text of a content, given as a string or in parts. Raises NotSupported for all else."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type")
        name = _TEXT_PARTS.get(kind) if isinstance(kind, str) else None
        if name is None:
            raise NotSupported(f"{str(kind)[:50]} in {field}")
        if not isinstance(text := part.get(name), str):
            raise wrong(field, f"a part of type {kind} needs its text")
        texts.append(text)
    return "".join(texts)


def tools_of(body: ChatBody) -> ToolUse:
    """The functions that may be called, and whether one must be."""
    choice = body.tool_choice
    tools = tuple(_tool(entry, f"tools.{place}") for place, entry in enumerate(body.tools or ()))
    if isinstance(choice, NamedTool):
        choice = choice.function.name
    elif choice not in (None, "auto", "none", "required", *[tool.name for tool in tools]):  # TGI takes the bare name
        raise wrong("tool_choice", "it must be auto, none, required, or name a function")
    if choice == "none":
        return ToolUse()
    if not tools and choice not in (None, "auto"):
        raise wrong("tool_choice", "there are no tools to choose from")
    return ToolUse(tools, choice or "auto", parallel=body.parallel_tool_calls is not False)


def _tool(entry: ToolEntry, place: str) -> Tool:
    if entry.type != "function":
        raise NotSupported(f"tools of type {entry.type[:50]}")
    if entry.function is None:
        raise wrong(f"{place}.function", "it is missing")
    function = entry.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    return Tool(function.name, function.description or "", json.dumps(parameters, ensure_ascii=False))


def refuse_what_would_be_a_lie(body: ChatBody) -> None:
    """Raise NotSupported for what changes the reply's nature and cannot be given."""
    if body.functions or body.function_call not in (None, "none", "auto"):
        raise NotSupported("functions", "functions and function_call are no longer supported. Use tools instead.")
    if body.audio is not None or (body.modalities and body.modalities != ["text"]):
        raise NotSupported("sound")
    if body.web_search_options is not None:
        raise NotSupported("web_search_options")
