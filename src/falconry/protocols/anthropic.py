"""Anthropic's messages protocol, as far as its clients need it of a local model.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from falconry.errors import EngineError, FalconryError
from falconry.messages import Usage
from falconry.protocols.reply_parts import Part, ReplyParts, Step
from falconry.protocols.sse import dump_json, encode_json

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}

PING = encode_json({"type": "ping"}, event="ping")
"""What keeps a silent stream alive."""


def error_status(error: FalconryError) -> int:
    """HTTP status: a server that has too much to do is 529 here."""
    return 529 if error.status == 503 else error.status


def error_body(error: FalconryError) -> dict[str, object]:
    """The envelope, for a body or the data of an `error` event."""
    return {"type": "error", "error": {"type": _TYPES.get(error.status, "api_error"), "message": error.message}}


class MessageWriter:
    """Writes one reply: event by event, or whole.

    Args:
        message_id: "msg_…".
        model: the name of the model that answers.
        stop: the stop sequences that the program asked for; it hears of no others.
        thinking: whether it is shown what the model thought.
    """

    def __init__(self, message_id: str, model: str, stop: Collection[str], *, thinking: bool = True) -> None:
        self._id = message_id
        self._model = model
        self._stop = frozenset(stop)
        self._thinking = thinking
        self._skipped = 0
        self._grow = b""
        self.reply = ReplyParts()

    def start(self, prompt_tokens: int) -> bytes:
        """The first event."""
        message = self._message([], None, None, Usage(prompt_tokens, 0))
        return encode_json({"type": "message_start", "message": message}, event="message_start")

    def events(self, steps: Iterator[Step]) -> bytes:
        """The events for what happened to the reply's parts."""
        return b"".join(map(self._event, steps))

    def end(self) -> bytes:
        """The last events."""
        reason, stop = self._stop_reason()
        body = {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": stop},
            "usage": _usage(self.reply.usage or Usage()),
        }
        return (
            self.events(self._at_least_a_text())
            + encode_json(body, event="message_delta")
            + encode_json({"type": "message_stop"}, event="message_stop")
        )

    def whole(self) -> dict[str, object]:
        """The body of an answer that is not streamed. Raises EngineError for a tool call that is no JSON object."""
        for _ in self._at_least_a_text():
            pass
        blocks = [self._block(part) for part in self.reply.parts if self._shown(part)]
        return self._message(blocks, *self._stop_reason(), self.reply.usage or Usage())

    def _event(self, step: Step) -> bytes:
        part = step.part
        if not self._shown(part):
            self._skipped += step.kind == "open"
            return b""
        index = part.place - self._skipped
        if step.kind == "grow":  # the hot path: all but the text is written once for each block
            return self._grow + dump_json(step.text).encode() + b"}}\n\n"
        if step.kind == "close":
            return encode_json({"type": "content_block_stop", "index": index}, event="content_block_stop")
        kind, field = _DELTAS[part.kind]
        self._grow = (
            f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{index},'
            f'"delta":{{"type":"{kind}","{field}":'
        ).encode()
        block = {"type": "content_block_start", "index": index, "content_block": _empty_block(part)}
        return encode_json(block, event="content_block_start")

    def _at_least_a_text(self) -> Iterator[Step]:
        if not any(map(self._shown, self.reply.parts)):
            yield from self.reply.add_empty_text()

    def _shown(self, part: Part) -> bool:
        return self._thinking or part.kind != "thinking"

    def _block(self, part: Part) -> dict[str, object]:
        block = _empty_block(part)
        if part.kind != "tool_call":
            return block | {part.kind: part.text}
        try:
            return block | {"input": part.arguments()}
        except EngineError:
            if self.reply.finish_reason == "length":  # cut in the middle, as the stop reason says
                return block
            raise

    def _stop_reason(self) -> tuple[str, str | None]:
        if self.reply.finish_reason == "length":
            return "max_tokens", None
        if self.reply.called:
            return "tool_use", None
        if self.reply.stop_sequence in self._stop:
            return "stop_sequence", self.reply.stop_sequence
        return "end_turn", None

    def _message(
        self, blocks: list[dict[str, object]], reason: str | None, stop: str | None, usage: Usage
    ) -> dict[str, object]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": blocks,
            "stop_reason": reason,
            "stop_sequence": stop,
            "stop_details": None,
            "container": None,
            "usage": _usage(usage),
        }


_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_call": ("input_json_delta", "partial_json"),
}


def _empty_block(part: Part) -> dict[str, object]:
    if part.kind == "tool_call":
        return {"type": "tool_use", "id": part.call_id, "name": part.name, "input": {}, "caller": {"type": "direct"}}
    if part.kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": "", "citations": None}


def _usage(usage: Usage) -> dict[str, object]:
    """All of the prompt counts as input, what the engine still had of it too: nothing here costs by the cache, and
    so the number is the one that count_tokens gives."""
    return {
        "input_tokens": usage.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": None,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": None,
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": None,
    }
