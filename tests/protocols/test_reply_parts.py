"""Where one part of a reply ends and the next begins."""

from __future__ import annotations

import pytest

from falconry.errors import EngineError
from falconry.messages import Delta, ToolCallDelta, Usage
from falconry.protocols.reply_parts import Part, ReplyParts


def steps(reply: ReplyParts, *deltas: Delta) -> list[tuple[str, str, int, str]]:
    return [(step.kind, step.part.kind, step.part.place, step.text) for delta in deltas for step in reply.take(delta)]


def test_parts_open_grow_and_close_one_after_the_other() -> None:
    reply = ReplyParts()
    assert steps(
        reply,
        Delta(thinking="hm"),
        Delta("a", thinking="!"),
        Delta("b"),
        Delta(tool_calls=(ToolCallDelta(0, "c0", "f"), ToolCallDelta(0, arguments="{"))),
        Delta(tool_calls=(ToolCallDelta(0, arguments="}"), ToolCallDelta(1, "c1", "g", "{}"))),
        Delta("end", finish_reason="stop", usage=Usage(1, 2)),
    ) == [
        ("open", "thinking", 0, ""),
        ("grow", "thinking", 0, "hm"),
        ("grow", "thinking", 0, "!"),
        ("close", "thinking", 0, ""),
        ("open", "text", 1, ""),
        ("grow", "text", 1, "a"),
        ("grow", "text", 1, "b"),
        ("close", "text", 1, ""),
        ("open", "tool_call", 2, ""),
        ("grow", "tool_call", 2, "{"),
        ("grow", "tool_call", 2, "}"),
        ("close", "tool_call", 2, ""),
        ("open", "tool_call", 3, ""),
        ("grow", "tool_call", 3, "{}"),
        ("close", "tool_call", 3, ""),
        ("open", "text", 4, ""),
        ("grow", "text", 4, "end"),
        ("close", "text", 4, ""),
    ]
    assert [(part.kind, part.text) for part in reply.parts] == [
        ("thinking", "hm!"),
        ("text", "ab"),
        ("tool_call", "{}"),
        ("tool_call", "{}"),
        ("text", "end"),
    ]
    assert reply.called
    assert reply.usage == Usage(1, 2)


def test_a_reply_without_anything_has_no_part_until_it_is_given_one() -> None:
    reply = ReplyParts()
    assert steps(reply, Delta(), Delta(finish_reason="stop")) == []
    assert [step.kind for step in reply.add_empty_text()] == ["open", "close"]
    assert [part.text for part in reply.parts] == [""]


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    reply = ReplyParts()
    steps(reply, Delta(tool_calls=(ToolCallDelta(0, "", "f"), ToolCallDelta(1, "", "f"))))
    first, second = (part.call_id for part in reply.parts)
    assert first
    assert second
    assert first != second


def test_pieces_of_calls_that_are_mixed_up_are_an_error_and_not_wrong_arguments() -> None:
    reply = ReplyParts()
    with pytest.raises(EngineError, match="mixed up"):
        steps(reply, Delta(tool_calls=(ToolCallDelta(0, "a", "f"), ToolCallDelta(1, "b", "f"), ToolCallDelta(0))))


@pytest.mark.parametrize(
    ("text", "value"), [("", {}), ("  ", {}), ('{"a": 1.5}', {"a": 1.5}), ('{"a": "\ud800"}', {"a": "?"})]
)
def test_arguments_are_an_object(text: str, value: object) -> None:
    assert Part("tool_call", 0, name="f", pieces=[text]).arguments() == value


@pytest.mark.parametrize("text", ["[]", "1", '{"a":', '{"a": NaN}', '{"a": 1e999}', "[" * 10_000, '"x"', "null"])
def test_other_arguments_are_an_error_that_names_the_function(text: str) -> None:
    with pytest.raises(EngineError, match="“f”") as caught:
        Part("tool_call", 0, name="f", pieces=[text]).arguments()
    assert caught.value.code == "bad_tool_call"
