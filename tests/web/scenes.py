"""Conversations for the page tests that have every kind of message in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from falconry.messages import ContextUse, SamplingParams, StoredMessage, Usage
from falconry.storage.attachments import Attachments
from falconry.storage.conversations import Conversations
from tests.web.conftest import Site
from tests.web.test_live import ARTICLE

TOO_LONG = {"code": "context_length_exceeded", "message": "Too long.", "details": {"prompt_tokens": 900, "limit": 300}}


async def every_kind(site: Site) -> str:
    """A conversation with files, versions, thoughts, a rating, and replies that ended in every way; gives its id."""
    store = Conversations(site.services.database)
    conversation = await store.create("Falconry")
    file = await Attachments(site.services.database).add("notes.txt", "text/plain", 12, "Some notes.\n")
    now = datetime.now(UTC)
    blank = StoredMessage(uuid4().hex, conversation.id, None, "assistant", "", now, "running", params=SamplingParams())
    whole = replace(blank, status="complete", finish_reason="stop", usage=Usage(40, 300), seconds=6.0, model="canned")

    async def turn(question: str, **reply: object) -> StoredMessage:
        head = (await store.get(conversation.id)).head_id
        files = [file.id] if head is None else None
        draft = replace(blank, id=uuid4().hex)
        _, answer = await store.append_turn(conversation.id, head, question, draft, attachments=files)
        kept = {"id": answer.id, "parent_id": answer.parent_id, "depth": answer.depth}
        ended = replace(whole, **{"content": ARTICLE, **reply, **kept})  # type: ignore[arg-type]
        await store.finish_reply(ended)
        return ended

    first = await turn("What is in my notes?", thinking="Let me *look* at them first.")
    await store.rate(first.id, 1, "It is all about falcons.")
    again = await store.append_reply(first.id, first.parent_id or "", replace(blank, id=uuid4().hex))
    await store.finish_reply(replace(whole, id=again.id, parent_id=again.parent_id, depth=again.depth, content=ARTICLE))
    await turn("Stop there, please.", content="It was", status="stopped", finish_reason=None)
    broken = await turn("And then?", content="It broke", status="interrupted", finish_reason=None)
    await store.rate(broken.id, -1, None)
    await turn("A long one, please.", content="Once upon a time", finish_reason="length")
    await turn("Something far too long.", content="", status="failed", finish_reason=None, error=TOO_LONG, usage=None)
    left_out = ContextUse(200, 0.0, 300, None, 4, "")
    await turn("What is left of it?", content=f"{ARTICLE}\n\nThe very end.", context=left_out)
    return conversation.id
