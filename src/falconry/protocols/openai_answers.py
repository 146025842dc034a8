"""OpenAI's protocol, the answering side: chunks, whole replies, logprobs, lists of models, errors.

What real clients depend on: `role` once, the same id throughout, one finish reason for each choice, usage in a chunk
of its own at the very end. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from falconry.errors import ContextWindowExceeded, FalconryError
from falconry.messages import FinishReason, Token, ToolCall, ToolCallDelta, Usage
from falconry.protocols.logprobs import finite
from falconry.protocols.sse import dump_json

FinishWord: TypeAlias = Literal["stop", "length", "tool_calls"]

FINGERPRINT = "falconry"
"""What stands in `system_fingerprint`; the client `text-generation` insists on a text there."""


@dataclass(frozen=True, slots=True)
class Head:
    """What all chunks of one reply have in common. `created` is in seconds since 1970."""

    id: str
    model: str
    created: int

    def envelope(self, kind: str) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }


class ChatChunks:
    """Writes the chunks of one choice of a chat, as events.

    All of a chunk but its text is the same each time and built once: of the time that a token takes here, writing the
    whole chunk anew would be two thirds.

    Args:
        null_usage: `"usage": null` in every chunk, as OpenAI has it where the usage was asked for.
    """

    def __init__(self, head: Head, index: int = 0, *, null_usage: bool = False) -> None:
        opening = dump_json(head.envelope("chat.completion.chunk"))[:-1]
        self._before = f'data: {opening},"choices":[{{"index":{index},"delta":'
        self._after = '],"usage":null}\n\n' if null_usage else "]}\n\n"
        self._before_text = self._before + '{"content":'
        self._after_text = '},"logprobs":null,"finish_reason":null}' + self._after

    def role(self) -> bytes:
        """The first chunk."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def text(self, text: str) -> bytes:
        return (self._before_text + json.dumps(text) + self._after_text).encode()

    def thinking(self, text: str) -> bytes:
        return self._chunk({"reasoning_content": text})

    def tokens(self, text: str, tokens: Sequence[Token], top: int) -> bytes:
        """Text with its tokens' logprobs."""
        return self._chunk({"content": text}, chat_logprobs(tokens, top))

    def calls(self, deltas: Iterable[ToolCallDelta]) -> bytes:
        return self._chunk({"tool_calls": [_call_piece(delta) for delta in deltas]})

    def finish(self, word: FinishWord) -> bytes:
        """The last chunk, which brings nothing else."""
        return self._chunk({}, finish=word)

    def _chunk(self, delta: Mapping[str, object], logprobs: object = None, finish: FinishWord | None = None) -> bytes:
        rest = f',"logprobs":{dump_json(logprobs)},"finish_reason":{json.dumps(finish)}}}'
        return (self._before + dump_json(delta) + rest + self._after).encode()


class TextChunks:
    """Writes the chunks of one choice of a completion, as events. Args as for `ChatChunks`."""

    def __init__(self, head: Head, index: int = 0, *, null_usage: bool = False) -> None:
        opening = dump_json(head.envelope("text_completion"))[:-1]
        self._before = f'data: {opening},"choices":[{{"index":{index},"text":'
        self._after = '],"usage":null}\n\n' if null_usage else "]}\n\n"
        self._after_text = ',"logprobs":null,"finish_reason":null}' + self._after

    def text(self, text: str) -> bytes:
        return (self._before + json.dumps(text) + self._after_text).encode()

    def tokens(self, text: str, logprobs: Mapping[str, object]) -> bytes:
        """Text with its tokens, as `text_logprobs` writes them."""
        return self._chunk(text, logprobs)

    def finish(self, word: FinishWord) -> bytes:
        return self._chunk("", finish=word)

    def _chunk(self, text: str, logprobs: object = None, finish: FinishWord | None = None) -> bytes:
        rest = f',"logprobs":{dump_json(logprobs)},"finish_reason":{json.dumps(finish)}}}'
        return (self._before + json.dumps(text) + rest + self._after).encode()


def _call_piece(delta: ToolCallDelta) -> dict[str, object]:
    """Id, type and name once, then pieces of arguments: clients join whatever comes."""
    if delta.name:
        function = {"name": delta.name, "arguments": delta.arguments}
        return {"index": delta.index, "id": delta.id, "type": "function", "function": function}
    return {"index": delta.index, "function": {"arguments": delta.arguments}}


def usage_chunk(head: Head, usage: Usage, *, chat: bool = True) -> dict[str, object]:
    """The very last chunk, for those who asked for it by `stream_options.include_usage`."""
    kind = "chat.completion.chunk" if chat else "text_completion"
    return head.envelope(kind) | {"choices": [], "usage": usage_body(usage)}


def usage_body(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {
            "accepted_prediction_tokens": usage.accepted_tokens,
            "rejected_prediction_tokens": usage.drafted_tokens - usage.accepted_tokens,
        },
    }


def finish_word(reason: FinishReason, *, called: bool) -> FinishWord:
    """OpenAI's word. `called`: the model has called tools of its own accord."""
    return "tool_calls" if called and reason == "stop" else reason


def chat_choice(
    index: int,
    text: str,
    finish: FinishWord,
    *,
    thinking: str = "",
    calls: Sequence[ToolCall] = (),
    logprobs: object = None,
) -> dict[str, object]:
    """One choice of a whole chat reply. Beside calls, no text is null."""
    message: dict[str, object] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def text_choice(index: int, text: str, finish: FinishWord, logprobs: object = None) -> dict[str, object]:
    """One choice of a whole completion."""
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def reply_body(head: Head, choices: Sequence[Mapping[str, object]], usage: Usage, *, chat: bool) -> dict[str, object]:
    """A whole reply."""
    kind = "chat.completion" if chat else "text_completion"
    return head.envelope(kind) | {"choices": list(choices), "usage": usage_body(usage)}


class ShownTokens:
    """Chooses the tokens that spell a reply: no special ones, and none that reaches into the stop sequence behind it.

    Text may run ahead of its tokens: what may be a stop sequence is held back, also from within a token.
    """

    def __init__(self) -> None:
        self._text = self._tokens = 0  # bytes so far

    def take(self, text: str, tokens: Sequence[Token]) -> tuple[Token, ...]:
        """Those of the next tokens that count, given the next piece of text."""
        self._text += len(text.encode("utf-8", "replace"))
        shown: list[Token] = []
        for token in tokens:
            if token.special:
                continue
            if self._tokens + len(token.raw) > self._text:
                break
            self._tokens += len(token.raw)
            shown.append(token)
        return tuple(shown)


def chat_logprobs(tokens: Sequence[Token], top: int) -> dict[str, object]:
    """`logprobs` of a chat's choice, with `top` alternatives for each token."""
    content = [_entry(token) | {"top_logprobs": [_entry(other) for other in token.top[:top]]} for token in tokens]
    return {"content": content, "refusal": None}


def _entry(token: Token) -> dict[str, object]:
    return {"token": token.text, "logprob": finite(token.logprob), "bytes": list(token.raw)}


def text_logprobs(text: str, tokens: Sequence[Token], top: int, offset: int = 0) -> dict[str, object]:
    """`logprobs` of a completion's choice, or of a chunk of it: columns. The first token of a prompt has none.

    Args:
        text: what the tokens spell.
        offset: characters of the choice before it.
    """
    offsets: list[int] = []
    place = 0
    for token in tokens:
        offsets.append(offset + place)
        place += _characters(token, text, place)
    return {
        "tokens": [_name(token) for token in tokens],
        "token_logprobs": [None if token.logprob is None else finite(token.logprob) for token in tokens],
        "top_logprobs": [_row(token, top) for token in tokens],
        "text_offset": offsets,
    }


def _characters(token: Token, text: str, place: int) -> int:
    """How many characters begin in a token. A special one may stand in a prompt's text, or be put before it."""
    if token.special:
        return len(token.text) if text.startswith(token.text, place) else 0
    return sum((byte & 0xC0) != 0x80 for byte in token.raw)


def _row(token: Token, top: int) -> dict[str, float] | None:
    """The alternatives, and the token itself also where it is not among them."""
    if token.logprob is None:
        return None
    row = {_name(other): finite(other.logprob) for other in token.top[:top]}
    return row | {_name(token): finite(token.logprob)}


def _name(token: Token) -> str:
    """OpenAI's name for a token: its text, or its bytes where these are no text by themselves."""
    if token.raw and "\ufffd" in token.text:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.raw)
    return token.text


def model_entry(name: str, created: int, owner: str = "falconry") -> dict[str, object]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def model_list(names: Sequence[str], created: int, owner: str = "falconry") -> dict[str, object]:
    return {"object": "list", "data": [model_entry(name, created, owner) for name in names]}


def error_body(error: FalconryError) -> dict[str, object]:
    """OpenAI's error object, for a body or a frame. The official clients show no text without the object.

    `error_type` beside it is for TGI's own client, which chooses its exception by that.
    """
    kind = _ERROR_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    param = error.details.get("field")
    code = "invalid_api_key" if error.status == 401 else error.code
    message = error.message
    if isinstance(error, ContextWindowExceeded):  # litellm, aider and others know it by OpenAI's words alone
        message = f"This model's maximum context length is {error.limit} tokens. {message}"
    body = {"message": message, "type": kind, "param": param if isinstance(param, str) else None, "code": code}
    return {"error": body, "error_type": "validation" if error.status < 500 else "generation"}


_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def embeddings_body(model: str, vectors: Sequence[Sequence[float]], tokens: int, *, base64: bool) -> dict[str, object]:
    """The answer of /embeddings. The npm client asks for base64 by itself and reads nothing else then."""
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if base64 else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _base64(vector: Sequence[float]) -> str:
    """32-bit floats, the lowest byte first."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
