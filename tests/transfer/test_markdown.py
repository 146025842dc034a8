"""Conversations as Markdown, for people."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from falconry.messages import Attachment, Conversation, StoredMessage
from falconry.storage.transfer import Tree, TreeMessage
from falconry.transfer.markdown import branch, file_name, to_markdown, zipped

THEN = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)


def tree(*messages: StoredMessage, title: str = "Birds", folder: str | None = None) -> Tree:
    head = messages[-1].id if messages else None
    return Tree(Conversation("c", title, THEN, THEN, 0, head), tuple(map(TreeMessage, messages)), folder=folder)


def message(message_id: str, parent: str | None, role: str, content: str) -> StoredMessage:
    user = StoredMessage(message_id, "c", parent, "user", content, THEN)
    return user if role == "user" else replace(user, role="assistant", model="eyas")


def test_the_branch_on_show_is_written() -> None:
    question = replace(
        message("q", None, "user", "Which?"), attachments=(Attachment("f", "a_b.txt", "text/plain", 1, 1),)
    )
    other, shown = message("a", "q", "assistant", "Not this."), message("b", "q", "assistant", "# This\n\n* one")
    shown = replace(shown, thinking="Hm.", persona="Biologist", status="stopped")
    assert "".join(to_markdown(tree(question, other, shown), "en")) == (
        "# Birds\n\n*2026-11-01 10:00 UTC*\n"
        "\n---\n\n**You** · 2026-11-01 10:00 UTC\n\n📎 a\\_b.txt\n\nWhich?\n"
        "\n---\n\n**Biologist · eyas** · 2026-11-01 10:00 UTC\n\n"
        "<details><summary>Thought</summary>\n\nHm.\n\n</details>\n\n# This\n\n* one\n\n*Stopped.*\n"
    )
    assert [each.id for each in branch(tree(question, other, shown))] == ["q", "b"]


def test_an_empty_conversation_and_the_other_language() -> None:
    assert "".join(to_markdown(tree(title=""), "zh")).startswith("# ")
    failed = replace(message("a", "q", "assistant", ""), status="failed")
    assert "没" in "".join(to_markdown(tree(message("q", None, "user", "?"), failed), "zh"))


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("```python\nx = 1", "x = 1\n```\n"),
        ("````\n```\nx", "x\n````\n"),
        ("~~~\nx", "x\n~~~\n"),
        ("```\nx\n```", "x\n```\n"),
        ("a `b` c", "a `b` c\n"),
    ],
)
def test_code_that_was_never_closed_ends_with_its_message(content: str, end: str) -> None:
    assert "".join(to_markdown(tree(message("a", None, "assistant", content)), "en")).endswith(end)


def test_a_title_cannot_be_more_than_a_title() -> None:
    text = "".join(to_markdown(tree(title="a\n# b <script> [x](y)"), "en"))
    assert text.splitlines()[0] == "# a \\# b \\<script\\> \\[x\\](y)"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Birds", "Birds.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ('a<b>:"c|d?*', "a b c d.md"),
        ("猎鹰 🦅", "猎鹰 🦅.md"),
        ("\u202eevil\u200b", "evil.md"),
        ("...", "conversation.md"),
        ("", "conversation.md"),
        ("x" * 500, "x" * 80 + ".md"),
    ],
)
def test_names_of_files(title: str, name: str) -> None:
    assert file_name(title, "md") == name


def test_a_long_name_fits_into_any_file_system() -> None:
    assert len(file_name("🦅" * 200, "md").encode()) <= 210


async def each(trees: Sequence[Tree]) -> AsyncIterator[Tree]:
    for one in trees:
        yield one


async def test_a_zip_file_in_pieces() -> None:
    question = message("q", None, "user", "Which?")
    trees = [tree(question), tree(question), tree(question, title="BIRDS"), tree(question, folder="My/folder")]
    pieces = [piece async for piece in zipped(each(trees), "en")]
    assert len(pieces) == len(trees) + 1
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "2026-11-01 Birds.md",
            "2026-11-01 Birds 2.md",
            "2026-11-01 BIRDS 3.md",
            "My folder/2026-11-01 Birds.md",
        ]
        assert "Which?" in archive.read("2026-11-01 Birds.md").decode()
