"""The wire format of OpenAI's responses: items, events and their numbers."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.errors import EngineInterrupted, EngineOverloaded, FalconryError, InvalidRequest
from falconry.messages import Delta, Token, ToolCallDelta, Usage
from falconry.protocols.responses import ResponseWriter
from tests.api.scripted import read_events

END = Delta(finish_reason="stop", usage=Usage(4, 2, 1))
CALL = Delta(
    tool_calls=(ToolCallDelta(0, "c0", "f"), ToolCallDelta(0, arguments='{"a"'), ToolCallDelta(0, "", "", ":1}"))
)


def writer(logprobs: int | None = None) -> ResponseWriter:
    return ResponseWriter("k", "kestrel", 1_700_000_000, {"temperature": 1.0}, logprobs=logprobs)


def whole(*deltas: Delta, logprobs: int | None = None) -> dict[str, Any]:
    one = writer(logprobs)
    for delta in deltas:
        for _ in one.reply.take(delta):
            pass
    return one.whole()


def events(*deltas: Delta, logprobs: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    one = writer(logprobs)
    stream = one.start() + b"".join(one.events(one.reply.take(delta)) for delta in deltas) + one.end()
    return read_events(stream.decode())


def test_a_response_has_what_clients_read() -> None:
    response = whole(Delta("a\u2028b"), END)
    assert response["id"] == "resp_k"
    assert response["object"] == "response"
    assert response["status"] == "completed"
    assert response["store"] is False
    assert response["temperature"] == 1.0
    assert response["output"] == [
        {
            "id": "msg_k_0",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "a\u2028b", "annotations": [], "logprobs": []}],
        }
    ]
    assert response["usage"] == {
        "input_tokens": 4,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 6,
    }


def test_events_are_numbered_and_tell_of_each_item_from_its_beginning_to_its_end() -> None:
    told = events(Delta(thinking="hm"), Delta("yes"), CALL, END)
    assert [name.removeprefix("response.") for name, _ in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert all(name == data["type"] for name, data in told)
    assert [data["sequence_number"] for _, data in told] == list(range(len(told)))
    assert told[10][1] == {
        "type": "response.output_text.delta",
        "sequence_number": 10,
        "item_id": "msg_k_1",
        "output_index": 1,
        "content_index": 0,
        "delta": "yes",
        "logprobs": [],
    }
    assert told[-3][1]["arguments"] == '{"a":1}'
    done = [data["item"] for name, data in told if name == "response.output_item.done"]
    assert told[-1][1]["response"]["output"] == done
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call"]
    assert done == whole(Delta(thinking="hm"), Delta("yes"), CALL, END)["output"]


def test_an_empty_reply_is_an_empty_text() -> None:
    assert whole(END)["output"][0]["content"][0]["text"] == ""
    names = [name for name, _ in events(END)]
    assert names[2:] == [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_reply_that_was_cut_is_incomplete_and_so_is_its_last_item() -> None:
    cut = Delta(finish_reason="length", usage=Usage(4, 2))
    response = whole(Delta("a"), CALL, cut)
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
    assert events(Delta("a"), cut)[-1][0] == "response.incomplete"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    response = whole(Delta(tool_calls=(ToolCallDelta(0, "c0", "f"),)), END)
    assert response["output"][0]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineInterrupted("gone"), "server_error"),
        (EngineOverloaded("busy"), "rate_limit_exceeded"),
        (InvalidRequest("no"), "invalid_prompt"),
    ],
)
def test_a_stream_that_breaks_ends_as_failed(error: FalconryError, code: str) -> None:
    one = writer()
    begun = one.start() + one.events(one.reply.take(Delta("a")))
    told = read_events((begun + one.failed(error)).decode())
    assert told[-1][0] == "response.failed"
    response = told[-1][1]["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": code, "message": error.message}
    assert response["output"][0]["status"] == "incomplete"
    assert [name for name, _ in read_events(writer().failed(error).decode())] == [
        "response.created",
        "response.in_progress",
        "response.failed",
    ]


def test_logprobs_stand_with_the_text() -> None:
    token = Token(1, "a", b"a", -0.5, top=(Token(1, "a", b"a", -0.5), Token(2, "b", b"b", float("-inf"))))
    end = Delta(finish_reason="stop", usage=Usage(1, 1), tokens=(Token(0, "<end>", special=True),))
    entry = {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [
            {"token": "a", "logprob": -0.5, "bytes": [97]},
            {"token": "b", "logprob": -9999.0, "bytes": [98]},
        ],
    }
    told = events(Delta("a", tokens=(token,)), end, logprobs=2)
    assert [data["logprobs"] for name, data in told if name == "response.output_text.delta"] == [[entry]]
    assert told[-1][1]["response"]["output"][0]["content"][0]["logprobs"] == [entry]


def test_tokens_that_come_after_their_text_are_not_lost() -> None:
    late = (Token(1, "a", b"a", -0.5), Token(2, "b", b"b", -0.5), Token(0, "<end>", special=True))
    end = Delta(tokens=late, finish_reason="stop", usage=Usage(1, 2))
    told = events(Delta("ab"), end, logprobs=0)
    deltas = [data for name, data in told if name == "response.output_text.delta"]
    assert [(data["delta"], [entry["token"] for entry in data["logprobs"]]) for data in deltas] == [
        ("ab", []),
        ("", ["a", "b"]),
    ]
    only_end = Delta(tokens=late[2:], finish_reason="stop")
    assert len([name for name, _ in events(Delta("ab"), only_end) if name == "response.output_text.delta"]) == 1
