"""Falconry's own file: conversations as JSON, whole, written piece by piece. docs/export.md describes every field.

What a version of Falconry writes, it and all later ones read. A field that is missing has the value that it had before
there was such a field; one that nobody knows is passed over.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from falconry import __version__
from falconry.errors import InvalidRequest
from falconry.messages import (
    PICTURE_TYPES,
    Attachment,
    ContextUse,
    Conversation,
    Grammar,
    Image,
    SamplingParams,
    StoredMessage,
    Usage,
)
from falconry.protocols.images import MOST_BYTES, read_base64
from falconry.storage.transfer import Tree, TreeMessage
from falconry.transfer.fields import Fields
from falconry.transfer.refusals import ImportRefused, wrong_value
from falconry.transfer.tree import in_order

FORMAT = "falconry-export"
VERSION = 1


# -- out


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def document_head(folders: Iterable[str] = (), library: Mapping[str, Any] | None = None) -> str:
    """All of a file that stands before its conversations. `library`: personas and prompts."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "falconry": __version__,
        "exported_at": _moment(datetime.now(UTC)),
        "folders": list(folders),
        **(library or {}),
    }
    return _json(head)[:-1] + ',"conversations":['


DOCUMENT_END = "]}\n"


def tree_pieces(tree: Tree) -> Iterator[str]:
    """A conversation as JSON, a piece for each message."""
    conversation = tree.conversation
    head = {
        "id": conversation.id,
        "origin": tree.origin,
        "title": conversation.title,
        "titled_by": conversation.titled_by,
        "pinned": conversation.pinned,
        "folder": tree.folder,
        "created_at": _moment(conversation.created_at),
        "updated_at": _moment(conversation.updated_at),
        "version": conversation.version,
        "head_id": conversation.head_id,
    }
    yield _json(head)[:-1] + ',"files":['
    for place, file in enumerate(tree.files):
        yield ("," if place else "") + _json(_file(file))
    yield '],"messages":['
    for place, each in enumerate(tree.messages):
        yield ("," if place else "") + _json(_message(each))
    yield "]}"


def _file(file: Attachment) -> dict[str, object]:
    facts = {"id": file.id, "name": file.name, "media_type": file.media_type, "size": file.size}
    if file.image is not None:
        return {**facts, "data": base64.b64encode(file.image.data).decode()}
    return {**facts, "text": file.text}


def _message(each: TreeMessage) -> dict[str, Any]:
    message = each.message
    status = "interrupted" if message.status == "running" else message.status
    values = {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.content,
        "thinking": message.thinking,
        "status": status,
        "created_at": _moment(message.created_at),
        "files": [file.id for file in message.attachments],
        "model": message.model,
        "persona": message.persona,
        "params": asdict(message.params) if message.params else None,
        "finish_reason": message.finish_reason,
        "usage": asdict(message.usage) if message.usage else None,
        "context": asdict(message.context) if message.context else None,
        "error": dict(message.error) if message.error else None,
        "seconds": message.seconds,
        "first_seconds": message.first_seconds,
        "thinking_seconds": message.thinking_seconds,
        "rating": message.rating,
        "correction": message.correction,
        "rated_at": _moment(each.rated_at),
        "left_at": _moment(each.left_at),
    }
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment is not None else None


async def document(
    trees: AsyncIterator[Tree], folders: Iterable[str] = (), library: Mapping[str, Any] | None = None
) -> AsyncIterator[bytes]:
    """A whole file, in pieces."""
    yield document_head(folders, library).encode()
    first = True
    async for tree in trees:
        yield b"\n" if first else b",\n"
        first = False
        for piece in tree_pieces(tree):
            yield piece.encode()
    yield DOCUMENT_END.encode()


# -- in


def check_version(fields: Fields) -> None:
    """Raises ImportRefused for a file of a later Falconry."""
    version = fields.integer("version", 1, 1_000_000)
    if version > VERSION:
        raise ImportRefused(
            f"This export has version {version} of the format, and this Falconry reads {VERSION}. Update Falconry.",
            code="import_newer",
            version=version,
            known=VERSION,
        )


def read_tree(fields: Fields) -> Tree:
    """A conversation of such a file. Raises ImportRefused."""
    conversation_id = fields.text("id", 1, 200)
    files = {each.id: each for each in map(_read_file, fields.objects("files"))}
    created_at = fields.moment("created_at")
    messages = [_read_message(each, conversation_id, files) for each in fields.objects("messages")]
    head_id = fields.optional_text("head_id", 200)
    ordered = in_order(messages, fields.where)
    if head_id is not None and all(each.message.id != head_id for each in ordered):
        raise wrong_value(fields.where, "head_id")
    conversation = Conversation(
        conversation_id,
        fields.text("title", 0, 2000, default=""),
        created_at,
        fields.moment("updated_at", default=created_at),
        fields.integer("version", 0, 2**30, default=0),
        head_id,
        fields.choice("titled_by", ("message", "model", "person"), default="person"),
        fields.boolean("pinned"),
    )
    return Tree(
        conversation,
        tuple(ordered),
        tuple(files.values()),
        fields.optional_text("origin", 300),
        fields.optional_text("folder", 200),
    )


def _read_file(fields: Fields) -> Attachment:
    file_id, name = fields.text("id", 1, 200), fields.text("name", 0, 1000)
    if fields.values.get("data") is not None:
        image = _read_picture(fields)
        return Attachment(file_id, name, image.media_type, len(image.data), 0, image=image)
    text = fields.text("text", 0, default="")
    media_type = fields.text("media_type", 0, 200, default="text/plain")
    size = fields.integer("size", 0, 2**31 - 1, default=0)
    # What is no picture must not be taken for one.
    return Attachment(file_id, name, "text/plain" if media_type in PICTURE_TYPES else media_type, size, len(text), text)


def _read_picture(fields: Fields) -> Image:
    """By its content, whatever the file says of it."""
    try:
        image = read_base64(fields.text("data", 1, 2 * MOST_BYTES), fields.where)
    except InvalidRequest as error:
        raise wrong_value(fields.where, "data") from error
    if image.media_type not in PICTURE_TYPES:
        raise wrong_value(fields.where, "data")
    return image


def _read_message(fields: Fields, conversation_id: str, files: Mapping[str, Attachment]) -> TreeMessage:
    attached = fields.texts("files", 200)
    if any(file_id not in files for file_id in attached):
        raise wrong_value(fields.where, "files")
    params, usage, context = (fields.nested(name) for name in ("params", "usage", "context"))
    rating = fields.optional_integer("rating", -1, 1)
    if rating == 0:
        raise wrong_value(fields.where, "rating")
    message = StoredMessage(
        id=fields.text("id", 1, 200),
        conversation_id=conversation_id,
        parent_id=fields.optional_text("parent_id", 200),
        role=fields.choice("role", ("user", "assistant", "system", "tool")),
        content=fields.text("content", 0, default=""),
        created_at=fields.moment("created_at"),
        status=fields.choice("status", ("complete", "stopped", "interrupted", "failed"), default="complete"),
        thinking=fields.text("thinking", 0, default=""),
        model=fields.optional_text("model", 300),
        params=_read_params(params) if params else None,
        finish_reason=fields.optional_choice("finish_reason", ("stop", "length")),
        usage=_read_usage(usage) if usage else None,
        context=_read_context(context) if context else None,
        error=fields.error("error"),
        seconds=fields.optional_number("seconds", 0, 1e9),
        first_seconds=fields.optional_number("first_seconds", 0, 1e9),
        thinking_seconds=fields.optional_number("thinking_seconds", 0, 1e9),
        attachments=tuple(files[file_id] for file_id in attached),
        persona=fields.optional_text("persona", 200),
        rating=1 if rating == 1 else -1 if rating == -1 else None,
        correction=fields.optional_text("correction", None),
    )
    return TreeMessage(message, fields.optional_moment("rated_at"), fields.optional_moment("left_at"))


def _read_params(fields: Fields) -> SamplingParams:
    numbers = ("top_p", "min_p", "typical_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
    grammar = fields.nested("grammar")
    try:
        return SamplingParams(
            max_tokens=fields.optional_integer("max_tokens", 1, 1_000_000),
            temperature=fields.number("temperature", 0, 2, default=0.7),
            top_k=fields.optional_integer("top_k", 0, 1_000_000),
            seed=fields.optional_integer("seed", 0, 2**32 - 2),
            stop=tuple(fields.texts("stop", 256)),
            logit_bias=tuple(fields.pairs("logit_bias")),
            grammar=Grammar(
                grammar.choice("kind", ("json_object", "json_schema", "regex")), grammar.text("text", 0, default="")
            )
            if grammar
            else None,
            **{name: fields.optional_number(name, -1e6, 1e6) for name in numbers},
        )
    except ValueError as error:
        raise wrong_value(fields.where, "params") from error


def _read_usage(fields: Fields) -> Usage:
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "drafted_tokens", "accepted_tokens")
    return Usage(*(fields.integer(name, 0, 2**53, default=0) for name in names))


def _read_context(fields: Fields) -> ContextUse:
    return ContextUse(
        prompt_tokens=fields.integer("prompt_tokens", 0, 2**53, default=0),
        error=fields.number("error", 0, 1e6, default=0.0),
        context_length=fields.optional_integer("context_length", 0, 2**53),
        start_id=fields.optional_text("start_id", 200),
        left_out=fields.integer("left_out", 0, 2**53, default=0),
        system=fields.text("system", 0, default=""),
    )
