"""What ChatGPT and Open WebUI export, read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from falconry.messages import StoredMessage
from falconry.transfer.markdown import branch
from falconry.transfer.reading import ImportedFile, read_file
from tests.transfer.samples import (
    chatgpt,
    encoded,
    node,
    packed,
    said,
    simple_chatgpt,
    simple_webui,
    webui,
    webui_message,
)

MOST = 10 * 2**20


def read(value: object) -> ImportedFile:
    return read_file(encoded(value), MOST)


def only(value: object) -> list[StoredMessage]:
    """The branch on show of the only conversation in a file."""
    (tree,) = read(value).trees
    return branch(tree)


def lines(messages: list[StoredMessage]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


# -- ChatGPT


def test_a_conversation_of_chatgpt() -> None:
    file = read([simple_chatgpt()])
    (tree,) = file.trees
    assert file.kind == "chatgpt"
    assert (tree.conversation.title, tree.conversation.titled_by) == ("Falcons", "person")
    assert tree.conversation.created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert tree.origin == "chatgpt:6c9a2f9e-0000-4000-8000-000000000001"
    question, reply = branch(tree)
    assert lines([question, reply]) == [("user", "What is a falcon?"), ("assistant", "A bird.")]
    assert (reply.model, reply.status, reply.finish_reason) == ("gpt-4o", "complete", "stop")
    assert question.created_at.timestamp() == 1_700_000_000.5
    assert (question.depth, reply.depth) == (0, 1)


def test_branches_stay_and_the_one_on_show_is_on_show() -> None:
    value = chatgpt(
        node("root", None, None),
        node("q1", "root", said("user", "first")),
        node("a1", "q1", said("assistant", "one")),
        node("a2", "q1", said("assistant", "two")),
        node("q2", "root", said("user", "edited")),
        node("a3", "q2", said("assistant", "three")),
        current="a2",
    )
    (tree,) = read(value).trees
    assert lines(branch(tree)) == [("user", "first"), ("assistant", "two")]
    parents = {each.message.id: each.message.parent_id for each in tree.messages}
    assert parents == {"q1": None, "q2": None, "a1": "q1", "a2": "q1", "a3": "q2"}


def test_what_chatgpt_hides_is_left_out_and_the_rest_holds_together() -> None:
    value = chatgpt(
        node("root", None, None),
        node("system", "root", said("system", "")),
        node("about", "system", said("user", content={"content_type": "user_editable_context", "user_profile": "me"})),
        node("q", "about", said("user", "hello")),
        node("hidden", "q", said("system", "x", metadata={"is_visually_hidden_from_conversation": True})),
        node("a", "hidden", said("assistant", "hi")),
    )
    assert lines(only(value)) == [("user", "hello"), ("assistant", "hi")]


def test_one_turn_of_several_nodes_is_one_reply() -> None:
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Counting", "content": "One, two."}]}
    code = {"content_type": "code", "language": "python", "text": "print(1 + 1)"}
    output = {"content_type": "execution_output", "text": "2"}
    value = chatgpt(
        node("q", None, said("user", "1 + 1?")),
        node("t", "q", said("assistant", content=thoughts)),
        node("c", "t", said("assistant", content=code, recipient="python")),
        node("o", "c", said("tool", content=output)),
        node("a", "o", said("assistant", "It is 2. \ue200cite\ue202turn0search1\ue201", metadata={"model_slug": "o3"})),
    )
    _, reply = only(value)
    assert reply.thinking == "Counting\n\nOne, two."
    assert reply.content.strip() == "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n\nIt is 2."
    assert reply.model == "o3"


def test_pictures_are_left_out_and_told() -> None:
    parts = [{"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}, "What is this?"]
    value = chatgpt(
        node("q", None, said("user", content={"content_type": "multimodal_text", "parts": parts})),
        node("a", "q", said("assistant", content={"content_type": "hologram"})),
        node("b", "a", said("assistant", "A falcon.", metadata={"attachments": [{"name": "report.pdf"}]})),
    )
    file = read([value])
    assert lines(branch(file.trees[0]))[0] == ("user", "🖼️\n\nWhat is this?")
    assert [note.code for note in file.notes] == [
        "import_media_left_out",
        "import_file_without_text",
        "import_unknown_content",
    ]
    assert file.notes[0].details == {"count": 1}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"author": None, "content": None},
        {"author": {"role": "user"}, "content": {"content_type": "text"}},
        {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [None, "", 7]}},
        {"author": {"role": ["user"]}, "content": {"content_type": "text", "parts": ["x"]}},
        {"author": {"role": "user"}, "content": {"parts": ["x"]}, "metadata": None, "create_time": "yesterday"},
        {
            "author": {"role": "user"},
            "content": {"content_type": "text", "parts": ["x"]},
            "metadata": {"attachments": 7},
        },
    ],
)
def test_messages_that_lack_this_and_that_break_nothing(message: dict[str, Any]) -> None:
    value = chatgpt(node("odd", None, message), node("q", "odd", said("user", "hello", create_time=None)))
    assert lines(only(value))[-1] == ("user", "hello")


def test_a_reply_that_was_cut_is_known_as_such() -> None:
    long = said("assistant", "A very", metadata={"finish_details": {"type": "max_tokens"}})
    stopped = said("assistant", "A ver", metadata={"finish_details": {"type": "interrupted"}})
    assert only(chatgpt(node("q", None, said("user", "?")), node("a", "q", long)))[1].finish_reason == "length"
    reply = only(chatgpt(node("q", None, said("user", "?")), node("a", "q", stopped)))[1]
    assert (reply.status, reply.finish_reason) == ("interrupted", None)


def test_the_zip_file_of_chatgpt() -> None:
    file = read_file(
        packed(
            {
                "chat.html": "<html>",
                "user.json": encoded({"id": "me"}),
                "conversations.json": encoded([simple_chatgpt(1), simple_chatgpt(2)]),
                "shared_conversations.json": encoded([{"id": "x"}]),
                "dalle-generations/file.webp": b"\0" * 100,
            }
        ),
        MOST,
    )
    assert (file.kind, len(file.trees)) == ("chatgpt", 2)


def test_a_large_export_comes_in_several_files() -> None:
    files = {f"conversations-{n:03}.json": encoded([simple_chatgpt(n)]) for n in range(3)}
    assert len(read_file(packed(files), MOST).trees) == 3


def test_a_conversation_in_which_nothing_was_said_is_left_out() -> None:
    empty = chatgpt(node("root", None, None), node("system", "root", said("system", "")))
    assert len(read([empty, simple_chatgpt()]).trees) == 1
    assert read([empty]).trees == ()


# -- Open WebUI


@pytest.mark.parametrize("shape", ["all", "one", "bare"])
def test_a_conversation_of_open_webui(shape: str) -> None:
    row = simple_webui()
    value = {"all": [row], "one": row, "bare": row["chat"]}[shape]
    file = read(value)
    (tree,) = file.trees
    assert file.kind == "open-webui"
    assert tree.conversation.title == "Eagles"
    question, reply = branch(tree)
    assert lines([question, reply]) == [("user", "What is an eagle?"), ("assistant", "Another bird.")]
    assert (reply.model, reply.status, reply.finish_reason) == ("llama3.2:3b", "complete", "stop")
    assert reply.created_at > question.created_at
    assert abs(question.created_at.timestamp() - 1_730_000_000) < 1
    if shape != "bare":
        assert tree.origin == "open-webui:b6a30cde-0000-4000-8000-000000000001"


def test_the_tree_files_ratings_and_usage_of_open_webui() -> None:
    text_file = {
        "type": "file",
        "name": "notes.txt",
        "file": {
            "filename": "notes.txt",
            "data": {"content": "abc"},
            "meta": {"content_type": "text/plain", "size": 3},
        },
    }
    value = webui(
        webui_message(
            "q",
            None,
            "user",
            "?",
            files=[text_file, {"type": "file", "name": "x.pdf"}, {"type": "image", "url": "data:"}],
        ),
        webui_message(
            "a",
            "q",
            "assistant",
            "one",
            model="m1",
            annotation={"rating": -1},
            info={"eval_count": 7, "prompt_eval_count": 3},
        ),
        webui_message("b", "q", "assistant", "two", model="m2", usage={"completion_tokens": 5, "prompt_tokens": 2}),
        webui_message("c", "b", "user", "and?"),
        webui_message("d", "c", "assistant", "", error={"content": "out of memory"}),
        current="d",
    )
    file = read([value])
    (tree,) = file.trees
    assert [message.id for message in branch(tree)] == ["q", "b", "c", "d"]
    by_id = {each.message.id: each.message for each in tree.messages}
    (attached,) = by_id["q"].attachments
    assert (attached.name, attached.text, attached.size) == ("notes.txt", "abc", 3)
    assert tree.files == (attached,)
    assert by_id["q"].content == "📎 x.pdf\n\n🖼️\n\n?"
    assert by_id["a"].rating == -1
    assert by_id["a"].usage is not None
    assert (by_id["a"].usage.completion_tokens, by_id["a"].usage.prompt_tokens) == (7, 3)
    assert by_id["d"].status == "failed"
    assert by_id["d"].error == {"code": "engine_error", "message": "out of memory", "details": {}}
    assert {note.code for note in file.notes} == {"import_file_without_text", "import_media_left_out"}


@pytest.mark.parametrize(
    ("content", "text", "thinking"),
    [
        (
            (
                '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n'
                "&gt; First &lt;this&gt;.\n> Then that.\n</details>\nSo it is."
            ),
            "So it is.",
            "First <this>.\nThen that.",
        ),
        ("<think>Hm.</think>\n\nYes.", "Yes.", "Hm."),
        (
            '<details type="tool_calls" done="true" name="search">\n<summary>x</summary>\n</details>\nFound.',
            "Found.",
            "",
        ),
        ("<details><summary>Mine</summary>kept</details>", "<details><summary>Mine</summary>kept</details>", ""),
        ("plain < text", "plain < text", ""),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:"}}], "a\n\n🖼️", ""),
        (None, "", ""),
        ('<details type="reasoning">' * 5, '<details type="reasoning">' * 5, ""),
    ],
)
def test_thoughts_stand_apart(content: Any, text: str, thinking: str) -> None:
    value = webui(webui_message("q", None, "user", "?"), webui_message("a", "q", "assistant", content))
    reply = only([value])[1]
    assert (reply.content, reply.thinking) == (text, thinking)


def test_old_chats_without_a_tree() -> None:
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "system", "content": "x"},
        {"role": "assistant", "content": "hi"},
    ]
    assert lines(only([{"title": "Old", "messages": messages}])) == [("user", "hello"), ("assistant", "hi")]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_in_any_unit(unit: int) -> None:
    (tree,) = read([simple_webui() | {"created_at": 1_730_000_000 * unit}]).trees
    assert tree.conversation.created_at == datetime.fromtimestamp(1_730_000_000, UTC)
