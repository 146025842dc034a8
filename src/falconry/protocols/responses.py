"""OpenAI's responses protocol, the answering side: events with their order, and whole responses.

Each part of a reply is an item, with a beginning, deltas and an end of its own; the official client keeps count of
them and of the events. https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

from falconry.errors import FalconryError
from falconry.messages import Usage
from falconry.protocols.openai_answers import ShownTokens, chat_logprobs
from falconry.protocols.reply_parts import Part, ReplyParts, Step
from falconry.protocols.sse import dump_json, encode

# Kind of a part: prefix of its item's id, its delta event.
_ITEMS = {
    "text": ("msg", "response.output_text.delta"),
    "thinking": ("rs", "response.reasoning_text.delta"),
    "tool_call": ("fc", "response.function_call_arguments.delta"),
}


class ResponseWriter:
    """Writes one response: event by event, or whole.

    Args:
        key: what the ids are made of.
        model: the name of the model that answers.
        created: seconds since 1970.
        echo: what the request asked for, as the response repeats it.
        logprobs: alternatives to show with each token; None for no logprobs.
    """

    def __init__(
        self, key: str, model: str, created: int, echo: Mapping[str, object], *, logprobs: int | None = None
    ) -> None:
        self._key = key
        self._created = created
        self._echo = {"model": model, **echo}
        self._logprobs = logprobs
        self._number = 0
        self._shown = ShownTokens()
        self._grow = ""
        self.reply = ReplyParts()

    def start(self) -> bytes:
        """The first events."""
        response = self._response("in_progress", [])
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def events(self, steps: Iterator[Step]) -> bytes:
        """The events for what happened to the reply's parts."""
        return b"".join(map(self._step, steps))

    def end(self) -> bytes:
        """The last events."""
        last = self.events(self._at_least_a_text())
        response = self._finished()
        return last + self._event(f"response.{response['status']}", response=response)

    def failed(self, error: FalconryError) -> bytes:
        """The last event of a stream that breaks."""
        begin = b"" if self._number else self.start()
        response = self._response("failed", self._items()) | {"error": _error(error), "usage": None}
        return begin + self._event("response.failed", response=response)

    def whole(self) -> dict[str, object]:
        """The body of an answer that is not streamed."""
        for _ in self._at_least_a_text():
            pass
        return self._finished()

    def _at_least_a_text(self) -> Iterator[Step]:
        if not self.reply.parts:
            yield from self.reply.add_empty_text()

    def _finished(self) -> dict[str, object]:
        cut = self.reply.finish_reason == "length"
        response = self._response("incomplete" if cut else "completed", self._items())
        response["usage"] = _usage(self.reply.usage or Usage())
        if cut:
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        else:
            response["completed_at"] = int(time.time())
        return response

    def _response(self, status: str, output: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": f"resp_{self._key}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": None,
            "background": False,
            "error": None,
            "incomplete_details": None,
            **self._echo,
            "output": output,
            "previous_response_id": None,
            "store": False,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "max_tool_calls": None,
            "prompt_cache_key": None,
            "safety_identifier": None,
            "service_tier": "default",
            "truncation": "disabled",
            "usage": None,
        }

    def _step(self, step: Step) -> bytes:
        part = step.part
        if step.kind == "grow":
            return self._delta(step)
        place = {"item_id": self._item_id(part), "output_index": part.place}
        return self._open(part, place) if step.kind == "open" else self._close(part, place)

    def _open(self, part: Part, place: Mapping[str, object]) -> bytes:
        """An item begins, with its one piece of content where it is no call."""
        name = _ITEMS[part.kind][1]
        inside = {} if part.kind == "tool_call" else {"content_index": 0}
        opening = dump_json({"type": name, **place, **inside})[:-1]
        self._grow = f'event: {name}\ndata: {opening},"delta":'
        item = self._item(part, "in_progress") | ({"content": []} if inside else {})
        events = self._event("response.output_item.added", output_index=part.place, item=item)
        if inside:
            events += self._event("response.content_part.added", **place, **inside, part=self._content(part))
        return events

    def _delta(self, step: Step) -> bytes:
        """The hot path: all but the text and the number is written once for each item."""
        is_text = step.part.kind == "text"
        shown = self._shown.take(step.text, step.tokens) if is_text and self._logprobs is not None else ()
        if not (step.text or shown):
            return b""
        logprobs = ',"logprobs":[]' if is_text else ""
        if shown:
            logprobs = f',"logprobs":{dump_json(chat_logprobs(shown, self._logprobs or 0)["content"])}'
        number, self._number = self._number, self._number + 1
        return f'{self._grow}{json.dumps(step.text)}{logprobs},"sequence_number":{number}}}\n\n'.encode()

    def _close(self, part: Part, place: Mapping[str, object]) -> bytes:
        name = _ITEMS[part.kind][1].replace(".delta", ".done")
        if part.kind == "tool_call":
            events = self._event(name, **place, name=part.name, arguments=_arguments(part))
        else:
            inside = {**place, "content_index": 0}
            content = self._content(part)
            logprobs = {"logprobs": content["logprobs"]} if part.kind == "text" else {}
            events = self._event(name, **inside, text=part.text, **logprobs)
            events += self._event("response.content_part.done", **inside, part=content)
        status = "incomplete" if self.reply.finish_reason == "length" else "completed"
        item = self._item(part, status)
        return events + self._event("response.output_item.done", output_index=part.place, item=item)

    def _event(self, kind: str, **fields: object) -> bytes:
        number, self._number = self._number, self._number + 1
        return encode(dump_json({"type": kind, "sequence_number": number, **fields}), event=kind)

    def _items(self) -> list[dict[str, object]]:
        """All items; of a reply that was cut, or broke, the last one is not whole."""
        broken = self.reply.parts[-1:] if self.reply.finish_reason != "stop" else []
        return [self._item(part, "incomplete" if part in broken else "completed") for part in self.reply.parts]

    def _item(self, part: Part, status: str) -> dict[str, object]:
        item: dict[str, object] = {"id": self._item_id(part), "status": status}
        if part.kind == "tool_call":
            arguments = "" if status == "in_progress" else _arguments(part)
            return item | {
                "type": "function_call",
                "call_id": part.call_id,
                "name": part.name,
                "arguments": arguments,
            }
        if part.kind == "thinking":
            return item | {"type": "reasoning", "summary": [], "content": [self._content(part)]}
        return item | {"type": "message", "role": "assistant", "content": [self._content(part)]}

    def _content(self, part: Part) -> dict[str, object]:
        if part.kind == "thinking":
            return {"type": "reasoning_text", "text": part.text}
        shown = ShownTokens().take(part.text, part.tokens) if self._logprobs is not None else ()
        logprobs = chat_logprobs(shown, self._logprobs or 0)["content"]
        return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": logprobs}

    def _item_id(self, part: Part) -> str:
        return f"{_ITEMS[part.kind][0]}_{self._key}_{part.place}"


def _arguments(part: Part) -> str:
    """JSON text also where the model wrote nothing: clients parse it."""
    return part.text or "{}"


def _error(error: FalconryError) -> dict[str, object]:
    """The error of a failed response; there are few codes for it."""
    code = "rate_limit_exceeded" if error.status == 429 else "invalid_prompt" if error.status < 500 else "server_error"
    return {"code": code, "message": error.message}


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
