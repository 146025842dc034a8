"""Anthropic's wire format: the messages that a reply becomes, whole and in events."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.errors import EngineError
from falconry.messages import Delta, ToolCallDelta, Usage
from falconry.protocols.anthropic import MessageWriter
from tests.api.scripted import read_events

THOUGHTS = (Delta(thinking="hm"), Delta("yes"), Delta(finish_reason="stop", usage=Usage(4, 2)))


def whole(writer: MessageWriter, *deltas: Delta) -> dict[str, Any]:
    for delta in deltas:
        for _ in writer.reply.take(delta):
            pass
    return writer.whole()


def events(writer: MessageWriter, *deltas: Delta) -> list[tuple[str, dict[str, Any]]]:
    stream = b"".join(writer.events(writer.reply.take(delta)) for delta in deltas)
    return read_events((writer.start(4) + stream + writer.end()).decode())


def text_block(text: str) -> dict[str, object]:
    return {"type": "text", "text": text, "citations": None}


def test_a_message_has_what_clients_read() -> None:
    message = whole(MessageWriter("msg_1", "kestrel", []), Delta("a\u2028b"), *THOUGHTS[2:])
    assert message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "kestrel",
        "content": [text_block("a\u2028b")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": {
            "input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": None,
            "output_tokens": 2,
            "output_tokens_details": None,
            "server_tool_use": None,
            "service_tier": "standard",
            "inference_geo": None,
        },
    }


def test_events_tell_the_same_as_the_whole_message() -> None:
    told = events(MessageWriter("msg_1", "kestrel", []), *THOUGHTS)
    assert [name for name, _ in told] == [
        "message_start",
        *["content_block_start", "content_block_delta", "content_block_stop"] * 2,
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in told)
    assert told[0][1]["message"]["usage"]["input_tokens"] == 4
    assert told[1][1] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    }
    assert told[2][1]["delta"] == {"type": "thinking_delta", "thinking": "hm"}
    assert told[5][1] == {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "text_delta", "text": "yes"},
    }
    assert told[-2][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert told[-2][1]["usage"]["output_tokens"] == 2


def test_hidden_thoughts_leave_no_gap() -> None:
    told = events(MessageWriter("msg_1", "kestrel", [], thinking=False), *THOUGHTS)
    assert {data["index"] for _, data in told if "index" in data} == {0}
    assert "hm" not in str(told)
    message = whole(MessageWriter("msg_1", "kestrel", [], thinking=False), *THOUGHTS)
    assert message["content"] == [text_block("yes")]


@pytest.mark.parametrize(
    "deltas", [(Delta(finish_reason="stop"),), (Delta(thinking="hm"), Delta(finish_reason="stop"))]
)
def test_a_reply_with_nothing_to_show_is_an_empty_text(deltas: tuple[Delta, ...]) -> None:
    assert whole(MessageWriter("m", "k", [], thinking=False), *deltas)["content"] == [text_block("")]
    names = [name for name, _ in events(MessageWriter("m", "k", [], thinking=False), *deltas)]
    assert names[1:3] == ["content_block_start", "content_block_stop"]


@pytest.mark.parametrize(
    ("last", "reason", "sequence"),
    [
        (Delta(finish_reason="stop"), "end_turn", None),
        (Delta(finish_reason="length"), "max_tokens", None),
        (Delta(finish_reason="stop", stop_sequence="END"), "stop_sequence", "END"),
        (Delta(finish_reason="stop", stop_sequence="\nUser:"), "end_turn", None),  # one of ours, not of the program's
        (Delta(tool_calls=(ToolCallDelta(0, "c", "f"),), finish_reason="stop"), "tool_use", None),
        (Delta(tool_calls=(ToolCallDelta(0, "c", "f"),), finish_reason="length"), "max_tokens", None),
    ],
)
def test_why_it_stopped(last: Delta, reason: str, sequence: str | None) -> None:
    message = whole(MessageWriter("m", "k", ["END"]), Delta("a"), last)
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)


def test_a_call_is_a_block_whose_input_comes_in_pieces() -> None:
    call = Delta(
        tool_calls=(ToolCallDelta(0, "c0", "f"), ToolCallDelta(0, arguments='{"a"'), ToolCallDelta(0, "", "", ":1}"))
    )
    deltas = (Delta("first"), call, Delta(finish_reason="stop"))
    assert whole(MessageWriter("m", "k", []), *deltas)["content"][1] == {
        "type": "tool_use",
        "id": "c0",
        "name": "f",
        "input": {"a": 1},
        "caller": {"type": "direct"},
    }
    told = [data for name, data in events(MessageWriter("m", "k", []), *deltas) if data.get("index") == 1]
    empty = {"type": "tool_use", "id": "c0", "name": "f", "input": {}, "caller": {"type": "direct"}}
    assert told[0]["content_block"] == empty
    assert "".join(data["delta"]["partial_json"] for data in told[1:-1]) == '{"a":1}'


def test_a_call_that_was_cut_says_so_and_a_broken_one_is_an_error() -> None:
    piece = Delta(tool_calls=(ToolCallDelta(0, "c0", "f", '{"a": '),))
    cut = whole(MessageWriter("m", "k", []), piece, Delta(finish_reason="length"))
    assert cut["content"][0]["input"] == {}
    assert cut["stop_reason"] == "max_tokens"
    with pytest.raises(EngineError, match="no JSON object"):
        whole(MessageWriter("m", "k", []), piece, Delta(finish_reason="stop"))
