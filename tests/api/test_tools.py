"""Tools for models that know none: what the model is told, and what is read from what it writes."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.api.tool_reader import JsonEnd, ToolReader
from falconry.api.tools import ToolUse, call_grammar, in_words, speaks_of_tools
from falconry.errors import InvalidRequest
from falconry.messages import Message, Tool, ToolCall, ToolCallDelta
from falconry.protocols.grammar import check_schema

ADD = Tool(
    "add",
    "Adds.",
    '{"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}',
)
NOW = Tool("now")
TREE = Tool("grow", "", '{"type": "object", "properties": {"branch": {"$ref": "#"}}}')
CALL = '{"name": "add", "arguments": {"a": 1, "s": "}\\"{"}}'
Found = tuple[str, list[tuple[str, str]]]


def read(reader: ToolReader, pieces: list[str]) -> Found:
    """The text, and the calls with their whole arguments, of a reply that came in pieces."""
    text = ""
    deltas: list[ToolCallDelta] = []
    for piece in pieces:
        more, calls = reader.feed(piece)
        text, deltas = text + more, [*deltas, *calls]
    more, calls = reader.finish()
    deltas += calls
    found: list[tuple[str, str]] = []
    for delta in deltas:
        if delta.name:
            assert delta.index == len(found)
            assert delta.id.startswith("call_")
            found.append((delta.name, ""))
        name, arguments = found[delta.index]
        found[delta.index] = (name, arguments + delta.arguments)
    return text + more, found


def auto(text: str, *, parallel: bool = True) -> Found:
    return read(ToolReader(["add", "now"], parallel=parallel), [text])


def test_the_tools_are_told_in_the_system_message() -> None:
    question = Message("user", "1 + 1?")
    told = in_words([Message("system", "Be brief."), question], ToolUse((ADD, NOW)))
    assert [message.role for message in told] == ["system", "user"]
    assert told[0].content.startswith("Be brief.\n\n")
    assert '"name": "add"' in told[0].content
    assert "<tool_call>" in told[0].content
    assert in_words([question], ToolUse((ADD,)))[0].role == "system"
    assert in_words([question], ToolUse()) == [question]


def test_only_the_named_tool_is_told() -> None:
    told = in_words([Message("user", "?")], ToolUse((ADD, NOW), "now"))[0].content
    assert '"now"' in told
    assert '"add"' not in told


def test_calls_and_results_become_text_and_roles_alternate() -> None:
    calls = (ToolCall("1", "add", '{"a": 1}'), ToolCall("2", "now", "{}"))
    conversation = [
        Message("user", "?"),
        Message("assistant", "Well:", calls),
        Message("tool", "2", tool_call_id="1"),
        Message("tool", "noon", tool_call_id="2"),
        Message("user", "And?"),
    ]
    assert speaks_of_tools(conversation)
    told = in_words(conversation, ToolUse())
    assert [message.role for message in told] == ["user", "assistant", "user"]
    assert auto(told[1].content) == ("Well:\n", [("add", '{"a": 1}'), ("now", "{}")])
    assert '{"name": "add", "content": "2"}' in told[2].content
    assert told[2].content.endswith("And?")
    assert not any(message.tool_calls or message.tool_call_id for message in told)


@pytest.mark.parametrize("tool", [ADD, NOW, TREE], ids=lambda tool: tool.name)
def test_the_shape_of_a_forced_call_is_one_that_engines_take(tool: Tool) -> None:
    for tools in ((tool,), (tool, Tool("other"))):
        grammar = call_grammar(ToolUse(tools, "required"))
        check_schema(grammar.text)
        assert f'"{tool.name}"' in grammar.text


def test_references_follow_a_schema_to_its_new_place() -> None:
    schema = json.loads(call_grammar(ToolUse((ADD,), "add")).text)
    assert schema["$defs"]["arguments0"]["properties"]["a"] == {"$ref": "#/$defs/arguments0/$defs/n"}
    assert "#/$defs/arguments0" in call_grammar(ToolUse((TREE,), "grow")).text


@pytest.mark.parametrize("use", [((ADD, ADD), "auto"), ((ADD,), "subtract"), ((), "required-ish")])
def test_impossible_choices_are_refused(use: tuple[tuple[Tool, ...], str]) -> None:
    with pytest.raises(InvalidRequest):
        ToolUse(*use)


ARGUMENTS = '{"a": 1, "s": "}\\"{"}'
REPLIES = [
    ("Plain <b>text</b> {x}", ("Plain <b>text</b> {x}", [])),
    (f"<tool_call>\n{CALL}\n</tool_call>", ("", [("add", ARGUMENTS)])),
    (f"Let me see. <tool_call>{CALL}</tool_call>", ("Let me see. ", [("add", ARGUMENTS)])),
    (f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>", ("", [("add", ARGUMENTS)] * 2)),
    (f"<tool_call>{CALL}</tool_call> The result is 2.", ("", [("add", ARGUMENTS)])),
    (f"  {CALL}", ("", [("add", ARGUMENTS)])),
    ('{"arguments": {"a": 1}, "name": "add"}', ("", [("add", '{"a": 1}')])),
    ('{"name": "add", "arguments": "{\\"a\\": 1}"}', ("", [("add", '{"a": 1}')])),
    ('{"name": "now"}', ("", [("now", "{}")])),
    ('{"name": "subtract", "arguments": {}}', ('{"name": "subtract", "arguments": {}}', [])),
    ('{"answer": 42}', ('{"answer": 42}', [])),
    ('{"name": "Ada", "age": 7}', ('{"name": "Ada", "age": 7}', [])),
    ("<tool_call>nonsense</tool_call>", ("<tool_call>nonsense</tool_call>", [])),
    ("a < b <tool", ("a < b <tool", [])),
    ("  ", ("  ", [])),
    ("{", ("{", [])),
    ("", ("", [])),
    ('<tool_call>{"name": "add", "arguments": {"a": 1', ("", [("add", '{"a": 1')])),
]


@pytest.mark.parametrize(("reply", "found"), REPLIES)
def test_calls_are_found_however_the_reply_is_cut(reply: str, found: Found) -> None:
    assert auto(reply) == found
    assert read(ToolReader(["add", "now"]), list(reply)) == found


@given(st.sampled_from(REPLIES), st.lists(st.integers(0, 90), max_size=5))
def test_calls_are_found_in_any_pieces(case: tuple[str, Found], cuts: list[int]) -> None:
    reply, found = case
    places = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    pieces = [reply[start:end] for start, end in pairwise(places)]
    assert read(ToolReader(["add", "now"]), pieces) == found


@given(st.text(alphabet='<tol_ca>{}":nameadd, \n', max_size=40))
def test_text_without_a_call_comes_through_unchanged(reply: str) -> None:
    text, calls = read(ToolReader(["add"]), list(reply))
    assert calls or text == reply


def test_text_is_not_held_back_longer_than_needed() -> None:
    reader = ToolReader(["add"])
    assert reader.feed("Hello")[0] == "Hello"
    assert reader.feed(' {"x": <')[0] == ' {"x": '
    json_reader = ToolReader(["add"])
    assert json_reader.feed('{"answer":')[0] == '{"answer":'


def test_arguments_come_as_they_are_written() -> None:
    reader = ToolReader(["add"], forced=True)
    _, first = reader.feed('{"name": "add", "arguments": {"a"')
    assert [(call.name, call.arguments) for call in first] == [("add", ""), ("", '{"a"')]
    assert [call.arguments for call in reader.feed(": 1}")[1]] == [": 1}"]
    assert reader.complete
    assert reader.feed("}") == ("", ())


def test_one_call_is_enough_where_several_are_not_wanted() -> None:
    twice = f"<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call>"
    assert auto(twice, parallel=False) == ("", [("add", ARGUMENTS)])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_the_end_of_an_object_is_found(value: object) -> None:
    text = json.dumps({"v": value})
    assert JsonEnd().feed(text + " }rest") == len(text)
    scanner = JsonEnd()
    ends = [scanner.feed(character) for character in text]
    assert ends == [None] * (len(text) - 1) + [1]
