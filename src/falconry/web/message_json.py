"""A stored message as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence

from falconry.i18n import Language, error_text
from falconry.messages import StoredMessage
from falconry.web.markdown import render_blocks


def message_json(message: StoredMessage, language: Language, versions: Sequence[str]) -> dict[str, object]:
    """One message for the page: a reply's text as safe HTML blocks, a person's text as it is.

    Args:
        versions: the ids of all its versions, its own among them.
    """
    shown: dict[str, object] = {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "status": message.status,
        "text": message.content,
        "created_at": message.created_at.isoformat(),
        "versions": list(versions),
    }
    if message.role != "assistant":
        return shown | {"attachments": [file.about() for file in message.attachments]}
    tokens = message.usage.completion_tokens if message.usage else None
    return shown | {
        "html": render_blocks(message.content),
        "thinking_html": render_blocks(message.thinking),
        "model": message.model,
        "tokens": tokens,
        "seconds": message.seconds,
        "first_seconds": message.first_seconds,
        "thinking_seconds": message.thinking_seconds,
        "tokens_per_second": message.tokens_per_second,
        "finish_reason": message.finish_reason,
        "error_code": message.error["code"] if message.error else None,
        "error_text": error_text(message.error, language) if message.error else None,
        "left_out": message.context.left_out if message.context else 0,
        "start_id": message.context.start_id if message.context else None,
        "persona": message.persona,
        "rating": message.rating,
        "correction": message.correction,
    }
