"""Messages and conversations as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Row

from falconry.messages import Attachment, ContextUse, Conversation, Grammar, SamplingParams, StoredMessage, Usage
from falconry.storage.values import storable


def message_values(message: StoredMessage) -> dict[str, object]:
    """The columns of a message; which process writes it, and when it was rated, is not among them."""
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "parent_id": message.parent_id,
        "depth": message.depth,
        "role": message.role,
        "content": storable(message.content),
        "thinking": storable(message.thinking),
        "status": message.status,
        "model": message.model,
        "params": asdict(message.params) if message.params else None,
        "finish_reason": message.finish_reason,
        "usage": asdict(message.usage) if message.usage else None,
        "context": asdict(message.context) if message.context else None,
        "error": dict(message.error) if message.error else None,
        "seconds": message.seconds,
        "first_seconds": message.first_seconds,
        "thinking_seconds": message.thinking_seconds,
        "created_at": message.created_at,
        "attachments": [file.about() for file in message.attachments] or None,
        "persona": storable(message.persona) if message.persona else None,
        "rating": message.rating,
        "correction": message.correction,
    }


def to_message(row: Row[Any]) -> StoredMessage:
    return StoredMessage(
        id=row.id,
        conversation_id=row.conversation_id,
        parent_id=row.parent_id,
        role=row.role,
        content=row.content,
        created_at=row.created_at,
        status=row.status,
        thinking=row.thinking,
        model=row.model,
        params=_to_params(row.params) if row.params else None,
        finish_reason=row.finish_reason,
        usage=Usage(**row.usage) if row.usage else None,
        context=ContextUse(**row.context) if row.context else None,
        error=row.error,
        seconds=row.seconds,
        first_seconds=row.first_seconds,
        thinking_seconds=row.thinking_seconds,
        depth=row.depth,
        attachments=to_attachments(row.attachments),
        persona=row.persona,
        rating=row.rating,
        correction=row.correction,
    )


def to_attachments(stored: list[dict[str, Any]] | None) -> tuple[Attachment, ...]:
    return tuple(Attachment(**file) for file in stored or ())


def _to_params(stored: Mapping[str, Any]) -> SamplingParams:
    """JSON has lists and objects where the params have tuples and a grammar. Old rows lack what came later."""
    grammar = stored.get("grammar")
    rebuilt = {
        "stop": tuple(stored["stop"]),
        "logit_bias": tuple((token, bias) for token, bias in stored.get("logit_bias", ())),
        "grammar": Grammar(**grammar) if grammar else None,
    }
    return SamplingParams(**{**stored, **rebuilt})


def to_conversation(row: Row[Any]) -> Conversation:
    return Conversation(**{field.name: getattr(row, field.name) for field in fields(Conversation)})
