"""Conversations of Open WebUI's exports: one chat, or all of them.

A row has `title`, times and `chat`, which has `history`: `messages` by their ids, each with `parentId`, and the
`currentId` of the branch on show. Old ones have only `messages`, a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Literal

from falconry.messages import Attachment, Conversation, StoredMessage, Usage
from falconry.storage.transfer import Tree, TreeMessage
from falconry.storage.values import new_id, storable
from falconry.transfer.fields import LONGEST_TEXT, Fields, unix_moment
from falconry.transfer.refusals import Notes, wrong_value
from falconry.transfer.tree import in_order, leaf_of

TITLE = 200  # characters
# Thoughts and calls of tools stand in the text, as HTML whose lines are quoted; or as the model wrote them.
_DETAILS = re.compile(r'<details\b[^>]{0,20000}?\btype="(reasoning|tool_calls|code_interpreter)"[^>]{0,20000}>')
_DETAILS_END = "</details>"
_SUMMARY = re.compile(r"\s*<summary>[^<]{0,500}</summary>")
_THINK = re.compile(r"\s*<think>")
_THINK_END = "</think>"


def is_conversation(value: object) -> bool:
    return isinstance(value, Mapping) and _is_chat(value.get("chat", value))


def _is_chat(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    history = value.get("history")
    return (isinstance(history, Mapping) and isinstance(history.get("messages"), Mapping)) or (
        isinstance(value.get("messages"), list) and "format" not in value and "mapping" not in value
    )


def read_tree(fields: Fields, notes: Notes) -> Tree:
    """One conversation. Raises ImportRefused."""
    row = fields.values
    chat = fields.nested("chat") or fields
    now = datetime.now(UTC)
    created_at = unix_moment(row.get("created_at") or chat.values.get("timestamp"), now)
    read = _Reader(chat, created_at, notes)
    history = chat.nested("history")
    if history is not None and isinstance(history.values.get("messages"), Mapping):
        for message_id, value in history.values["messages"].items():
            read.message(history.inner(value, f"messages {message_id[:40]}"), message_id)
        current = history.values.get("currentId")
    else:
        current = None
        for place, each in enumerate(chat.objects("messages")):
            current = read.message(each, str(place), parent=current)
    ordered = in_order(read.connected(), fields.where)
    ordered = _rising(ordered)
    title = row.get("title") or chat.values.get("title")
    own_id = row.get("id") or chat.values.get("id")
    conversation = Conversation(
        new_id(),
        storable(" ".join(title.split())[:TITLE]) if isinstance(title, str) else "",
        created_at,
        max(unix_moment(row.get("updated_at"), created_at), created_at),
        0,
        leaf_of(ordered, current if isinstance(current, str) else None),
        "person" if title else "message",
        row.get("pinned") is True,
    )
    origin = f"open-webui:{storable(own_id)[:200]}" if isinstance(own_id, str) and own_id else None
    return Tree(conversation, tuple(ordered), tuple(read.files), origin)


def _rising(ordered: list[TreeMessage]) -> list[TreeMessage]:
    """Times that rise, so that versions keep their order; some exports have whole seconds or none."""
    latest: dict[str, datetime] = {}
    found: list[TreeMessage] = []
    for place, each in enumerate(ordered):
        message = each.message
        above = latest.get(message.parent_id or "")
        earliest = above + timedelta(microseconds=1) if above else message.created_at
        moment = max(message.created_at, earliest) + timedelta(microseconds=place % 1000)
        latest[message.id] = moment
        found.append(TreeMessage(replace(message, created_at=moment)))
    return found


class _Reader:
    """Collects the messages of one chat and their files."""

    def __init__(self, chat: Fields, created_at: datetime, notes: Notes) -> None:
        self._chat = chat
        self._created_at = created_at
        self._notes = notes
        self.files: list[Attachment] = []
        self._found: dict[str, TreeMessage] = {}
        self._above: dict[str, str | None] = {}  # of messages that are left out

    def message(self, fields: Fields, message_id: str, parent: str | None = None) -> str:
        """Read one message; gives its id."""
        values = fields.values
        role = values.get("role")
        above = values.get("parentId", parent)
        above = above if isinstance(above, str) else None
        if role not in ("user", "assistant"):
            self._above[message_id] = above
            if role != "system":
                self._notes.unknown()
            return message_id
        content, thinking = _texts(values.get("content"), self._notes)
        if len(content) > LONGEST_TEXT or len(thinking) > LONGEST_TEXT:
            raise wrong_value(fields.where, "content")
        is_reply = role == "assistant"
        attached, names = self._attached(values.get("files"))
        whole = values.get("done", True) is not False
        error = _error(values.get("error")) if is_reply else None
        status: Literal["complete", "interrupted", "failed"] = "complete" if whole else "interrupted"
        self._found[message_id] = TreeMessage(
            StoredMessage(
                id=message_id,
                conversation_id="",
                parent_id=above,
                role="assistant" if is_reply else "user",
                content="\n\n".join([*names, content] if content else names),
                created_at=unix_moment(values.get("timestamp"), self._created_at),
                status="failed" if error and not content else status,
                thinking=thinking,
                model=_text(values.get("model"), 300) if is_reply else None,
                finish_reason="stop" if is_reply and whole and not error else None,
                usage=_usage(values.get("usage") or values.get("info")) if is_reply else None,
                error=error,
                attachments=tuple(attached),
                rating=_rating(values.get("annotation")) if is_reply else None,
            )
        )
        return message_id

    def connected(self) -> list[TreeMessage]:
        """The messages, each under the nearest one that was taken. A parent that is not in the file is none."""
        return [
            TreeMessage(replace(each.message, parent_id=self._nearest(each.message.parent_id)))
            for each in self._found.values()
        ]

    def _nearest(self, message_id: str | None) -> str | None:
        seen: set[str] = set()
        while message_id is not None and message_id not in self._found and message_id not in seen:
            seen.add(message_id)
            message_id = self._above.get(message_id)
        return message_id if message_id in self._found else None

    def _attached(self, value: object) -> tuple[list[Attachment], list[str]]:
        """Files with their texts, and the names of those that came without."""
        files: list[Attachment] = []
        names: list[str] = []
        for each in value if isinstance(value, list) else ():
            if not isinstance(each, Mapping):
                continue
            inner = each.get("file")
            inner = inner if isinstance(inner, Mapping) else {}
            data = inner.get("data")
            text = data.get("content") if isinstance(data, Mapping) else None
            name = _text(each.get("name") or inner.get("filename"), 500) or "file"
            if each.get("type") == "image":
                self._notes.media()
                names.append("🖼️")
            elif isinstance(text, str) and text and len(text) <= LONGEST_TEXT:
                meta = inner.get("meta")
                meta = meta if isinstance(meta, Mapping) else {}
                size = meta.get("size")
                stored = storable(text)
                files.append(
                    Attachment(
                        new_id(),
                        name,
                        _text(meta.get("content_type"), 200) or "text/plain",
                        size if type(size) is int and 0 <= size < 2**31 else len(stored.encode()),
                        len(stored),
                        stored,
                    )
                )
            else:
                self._notes.file_without_text()
                names.append(f"📎 {name}")
        self.files += files
        return files, names


def _text(value: object, longest: int) -> str | None:
    return storable(value[:longest]) if isinstance(value, str) and value else None


def _texts(content: object, notes: Notes) -> tuple[str, str]:
    """Text and thoughts."""
    if isinstance(content, list):
        content = "\n\n".join(_parts(content, notes))
    if not isinstance(content, str):
        return "", ""
    thoughts: list[str] = []
    kept: list[str] = []
    place = 0
    if (begun := _THINK.match(content)) and (end := content.find(_THINK_END, begun.end())) >= 0:
        thoughts.append(content[begun.end() : end].strip())
        place = end + len(_THINK_END)
    while (begun := _DETAILS.search(content, place)) and (end := content.find(_DETAILS_END, begun.end())) >= 0:
        kept.append(content[place : begun.start()])
        if begun[1] == "reasoning":
            thoughts.append(_unquoted(content[begun.end() : end]))
        place = end + len(_DETAILS_END)
    kept.append(content[place:])
    text = "".join(kept)
    return storable(text.strip() if place else text), storable("\n\n".join(thoughts))


def _unquoted(html: str) -> str:
    lines = unescape(_SUMMARY.sub("", html, count=1)).strip().splitlines()
    return "\n".join(line.removeprefix("> ").removeprefix(">") for line in lines)


def _parts(content: list[Any], notes: Notes) -> Iterator[str]:
    for part in content:
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            yield part["text"]
        elif isinstance(part, Mapping) and part.get("type") == "image_url":
            notes.media()
            yield "🖼️"
        else:
            notes.unknown()


def _error(value: object) -> dict[str, object] | None:
    if isinstance(value, Mapping):
        value = value.get("content") or value.get("message") or "?"
    if not isinstance(value, str) or not value:
        return None
    return {"code": "engine_error", "message": storable(value[:2000]), "details": {}}


def _usage(value: object) -> Usage | None:
    """Of an OpenAI-compatible server, or of Ollama."""
    if not isinstance(value, Mapping):
        return None

    def number(*names: str) -> int:
        return next((value[name] for name in names if type(value.get(name)) is int and 0 <= value[name] < 2**53), 0)

    usage = Usage(number("prompt_tokens", "prompt_eval_count"), number("completion_tokens", "eval_count"))
    return usage if usage != Usage() else None


def _rating(annotation: object) -> Literal[1, -1] | None:
    rating = annotation.get("rating") if isinstance(annotation, Mapping) else None
    return 1 if rating == 1 else -1 if rating == -1 else None
