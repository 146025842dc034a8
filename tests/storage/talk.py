"""Conversations for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from falconry.messages import SamplingParams, StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.values import new_id


def reply_to(conversation_id: str, content: str = "") -> StoredMessage:
    now = datetime.now(UTC)
    return StoredMessage(
        new_id(), conversation_id, None, "assistant", content, now, "running", params=SamplingParams(stop=("x",))
    )


async def talk(store: Conversations, turns: int) -> str:
    """A conversation of so many answered turns."""
    conversation = await store.create()
    for n in range(turns):
        await say(store, conversation.id, f"question {n}", f"answer {n}")
    return conversation.id


async def say(
    store: Conversations,
    conversation_id: str,
    question: str,
    answer: str = "",
    *,
    edit_of: str | None = None,
    attachments: Sequence[str] | None = None,
) -> tuple[StoredMessage, StoredMessage]:
    """One answered turn more, at the head; or an edit of a question."""
    head = (await store.get(conversation_id)).head_id
    draft = reply_to(conversation_id)
    asked, reply = await store.append_turn(
        conversation_id, head, question, draft, edit_of=edit_of, attachments=attachments
    )
    final = replace(reply, content=answer or f"answer to {question}", status="complete")
    await store.finish_reply(final)
    return asked, final


async def again(store: Conversations, reply: StoredMessage, content: str) -> StoredMessage:
    """Another answer to the same question."""
    answer = await store.append_reply(reply.id, reply.parent_id or "", reply_to(reply.conversation_id))
    final = replace(answer, content=content, status="complete")
    await store.finish_reply(final)
    return final


async def said(store: Conversations, conversation_id: str) -> list[str]:
    """What is on show."""
    return [message.content for message in await store.path(conversation_id)]
