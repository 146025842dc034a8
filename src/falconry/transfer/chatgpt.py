"""Conversations of ChatGPT's export (`conversations.json`).

Each has a `mapping` of nodes: a node has a message or none, and a parent. What the page of ChatGPT hides is left out:
system messages, custom instructions, the asking of tools. One turn there may take several nodes (thoughts, code, its
output, the answer); here it is one reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from falconry.messages import Attachment, Conversation, FinishReason, StoredMessage
from falconry.storage.transfer import Tree, TreeMessage
from falconry.storage.values import new_id, storable
from falconry.transfer.fields import LONGEST_TEXT, Fields, unix_moment
from falconry.transfer.refusals import ImportRefused, Notes, wrong_value
from falconry.transfer.tree import in_order, leaf_of

MOST_NODES = 100_000
TITLE = 200  # characters
# Marks of citations, in characters of private use: \ue200cite\ue202turn0search1\ue201
_CITATION = re.compile("\ue200[^\ue200\ue201]{0,500}\ue201")
_HIDDEN_TYPES = ("user_editable_context", "model_editable_context", "reasoning_recap", "tether_browsing_display")


def is_conversation(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("mapping"), Mapping)


@dataclass(slots=True)
class _Part:
    """What one node adds to a message."""

    role: Literal["user", "assistant"]
    content: str = ""
    thinking: str = ""
    model: str | None = None
    finish_reason: FinishReason | None = None
    is_whole: bool = True
    created_at: object = None
    files: list[Attachment] = field(default_factory=list)


def read_tree(fields: Fields, notes: Notes) -> Tree:
    """One conversation. Raises ImportRefused."""
    now = datetime.now(UTC)
    created_at = unix_moment(fields.values.get("create_time"), now)
    nodes: dict[str, Fields] = {}
    mapping = fields.values["mapping"]
    if len(mapping) > MOST_NODES:
        raise wrong_value(fields.where, "mapping")
    for node_id, node in mapping.items():
        nodes[node_id] = fields.inner(node, f"mapping {node_id[:40]}")
    parents = _parents(nodes)
    order = _from_the_roots(parents, fields.where)
    children: dict[str | None, int] = {}
    for node_id in order:
        children[parents[node_id]] = children.get(parents[node_id], 0) + 1

    messages: dict[str, TreeMessage] = {}
    files: list[Attachment] = []
    standing: dict[str | None, str | None] = {None: None}  # which message a node became, or belongs to
    inside: dict[str, str] = {}  # the last node of a message
    for node_id in order:
        above = standing[parents[node_id]]
        part = _part(nodes[node_id], notes)
        if part is None:
            standing[node_id] = above
            continue
        before = messages.get(above) if above else None
        joins = (
            before is not None and part.role == "assistant" == before.message.role and children[parents[node_id]] == 1
        )
        if before is not None and above is not None and joins:
            messages[above] = _joined(before, part)
            if len(messages[above].message.content) + len(messages[above].message.thinking) > LONGEST_TEXT:
                raise wrong_value(nodes[node_id].where, "content")
            standing[node_id] = above
        else:
            earliest = before.message.created_at + timedelta(microseconds=1 + len(inside)) if before else created_at
            moment = (
                max(unix_moment(part.created_at, earliest), earliest)
                if before
                else unix_moment(part.created_at, earliest)
            )
            messages[node_id] = _message(node_id, above, part, moment)
            standing[node_id] = node_id
            files += part.files
        inside[node_id] = node_id
    ordered = in_order(list(messages.values()), fields.where)
    current = fields.values.get("current_node")
    head = standing.get(current) if isinstance(current, str) else None
    updated_at = unix_moment(fields.values.get("update_time"), created_at)
    title = fields.values.get("title")
    own_id = fields.values.get("conversation_id") or fields.values.get("id")
    conversation = Conversation(
        new_id(),
        storable(" ".join(title.split())[:TITLE]) if isinstance(title, str) else "",
        created_at,
        max(updated_at, created_at),
        0,
        leaf_of(ordered, head),
        "person" if title else "message",
        fields.values.get("is_starred") is True,
    )
    origin = f"chatgpt:{storable(own_id)[:200]}" if isinstance(own_id, str) and own_id else None
    return Tree(conversation, tuple(ordered), tuple(files), origin)


def _parents(nodes: Mapping[str, Fields]) -> dict[str, str | None]:
    """The parent of each node: by its own word, else by that of the node that has it as a child."""
    by_children: dict[str, str] = {}
    for node_id, node in nodes.items():
        below = node.values.get("children")
        for child in below if isinstance(below, list) else ():
            if isinstance(child, str):
                by_children.setdefault(child, node_id)
    found: dict[str, str | None] = {}
    for node_id, node in nodes.items():
        parent = node.values.get("parent") or by_children.get(node_id)
        found[node_id] = parent if isinstance(parent, str) and parent in nodes else None
    return found


def _from_the_roots(parents: Mapping[str, str | None], where: str) -> list[str]:
    """The nodes, parents first. Raises ImportRefused where they go round in a circle."""
    children: dict[str | None, list[str]] = {}
    for node_id, parent in parents.items():
        children.setdefault(parent, []).append(node_id)
    order: list[str] = []
    level = children.get(None, [])
    while level:
        order += level
        level = [child for node_id in level for child in children.get(node_id, ())]
    if len(order) < len(parents):
        raise ImportRefused(f"{where}: messages answer each other in a circle.", code="import_circle", where=where)
    return order


def _message(node_id: str, above: str | None, part: _Part, moment: datetime) -> TreeMessage:
    is_reply = part.role == "assistant"
    return TreeMessage(
        StoredMessage(
            id=node_id,
            conversation_id="",
            parent_id=above,
            role=part.role,
            content=part.content,
            created_at=moment,
            status="complete" if part.is_whole else "interrupted",
            thinking=part.thinking,
            model=part.model,
            finish_reason=(part.finish_reason or "stop") if is_reply and part.is_whole else None,
            attachments=tuple(part.files),
        )
    )


def _joined(before: TreeMessage, part: _Part) -> TreeMessage:
    """A reply, and what the next node of the same turn adds to it."""
    message = before.message
    return replace(
        before,
        message=replace(
            message,
            content=_paragraphs(message.content, part.content),
            thinking=_paragraphs(message.thinking, part.thinking),
            model=part.model or message.model,
            finish_reason=(part.finish_reason or "stop") if part.is_whole else None,
            status="complete" if part.is_whole else "interrupted",
        ),
    )


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def _part(node: Fields, notes: Notes) -> _Part | None:
    """What a node says; None where it has nothing that ChatGPT shows."""
    message = node.nested("message")
    if message is None:
        return None
    author, metadata, content = (message.values.get(name) for name in ("author", "metadata", "content"))
    role = author.get("role") if isinstance(author, Mapping) else None
    metadata = metadata if isinstance(metadata, Mapping) else {}
    hidden = metadata.get("is_visually_hidden_from_conversation") or metadata.get("is_user_system_message")
    if hidden or role not in ("user", "assistant", "tool") or not isinstance(content, Mapping):
        return None
    if content.get("content_type") in _HIDDEN_TYPES:
        return None
    part = _Part("user" if role == "user" else "assistant", created_at=message.values.get("create_time"))
    part.content, part.thinking = _text(content, str(role), message.values.get("recipient"), notes)
    if len(part.content) > LONGEST_TEXT or len(part.thinking) > LONGEST_TEXT:
        raise wrong_value(node.where, "content")
    model = metadata.get("model_slug")
    part.model = storable(model[:300]) if role == "assistant" and isinstance(model, str) else None
    finish = metadata.get("finish_details")
    if isinstance(finish, Mapping) and finish.get("type") == "max_tokens":
        part.finish_reason = "length"
    part.is_whole = message.values.get("status") != "in_progress" and not (
        isinstance(finish, Mapping) and finish.get("type") == "interrupted"
    )
    attached = metadata.get("attachments")
    for file in attached if isinstance(attached, list) else ():
        if isinstance(file, Mapping) and isinstance(name := file.get("name"), str):
            notes.file_without_text()
            part.content = _paragraphs(f"📎 {storable(name[:500])}", part.content)
    return part if part.content.strip() or part.thinking.strip() else None


def _text(content: Mapping[str, Any], role: str, recipient: object, notes: Notes) -> tuple[str, str]:
    """Text and thoughts of a message's content."""
    kind = content.get("content_type")
    text = content.get("text")
    if kind in ("text", "multimodal_text"):
        parts = content.get("parts")
        told = [_one_part(each, notes) for each in parts if each] if isinstance(parts, list) else []
        # What an assistant says to a tool, and a tool to the assistant, is no part of the talk.
        if role == "tool" or (role == "assistant" and recipient not in (None, "all")):
            return "", ""
        return storable(_CITATION.sub("", _paragraphs(*told))), ""
    if kind == "thoughts":
        thoughts = content.get("thoughts")
        told = [
            _paragraphs(*(each[name] for name in ("summary", "content") if isinstance(each.get(name), str)))
            for each in (thoughts if isinstance(thoughts, list) else ())
            if isinstance(each, Mapping)
        ]
        return "", storable(_paragraphs(*told))
    if kind in ("code", "execution_output", "system_error", "tether_quote") and isinstance(text, str):
        language = content.get("language") if kind == "code" else "text"
        known = language if isinstance(language, str) and re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
        if kind == "tether_quote":
            return "", ""
        if not text.strip() or (kind == "code" and known in ("", "unknown", "json") and recipient != "python"):
            return "", ""  # a search, say
        return _fenced(storable(text), "python" if recipient == "python" else known), ""
    notes.unknown()
    return "", ""


def _one_part(part: object, notes: Notes) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        if part.get("content_type") == "audio_transcription" and isinstance(part.get("text"), str):
            return str(part["text"])
        if str(part.get("content_type", "")).endswith("asset_pointer"):
            notes.media()
            return "🖼️" if "image" in str(part["content_type"]) else ""
    notes.unknown()
    return ""


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
