"""The routes of the live view, which the page reads. What a page does goes through the programs' API instead."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from falconry.event_stream import EventStream
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.i18n import match_language
from falconry.messages import StoredMessage
from falconry.services import Services
from falconry.web.follow import LiveReplies, follow, state_json
from falconry.web.jsontext import PageJSON
from falconry.web.message_json import message_json

Lang = Annotated[str, Query(max_length=35)]


def view_router(services: Services) -> APIRouter:
    """`/view/conversations/{id}` and its events."""
    router = APIRouter(prefix="/view", include_in_schema=False)
    live_replies = LiveReplies()

    @router.get("/conversations/{conversation_id}")
    @user("conversations")
    async def conversation_view(
        asker: Asker,
        conversation_id: str,
        before: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,  # PostgreSQL takes no NUL to look for
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
        lang: Lang = "en",
    ) -> Response:
        """The newest messages of a conversation, or those before a message."""
        language = match_language(lang)
        chat = services.chat.of(asker.id)
        conversation = await chat.conversation(conversation_id)
        messages = await chat.messages(conversation_id, before=before, limit=limit)
        running = chat.running(conversation_id)

        def shown() -> list[dict[str, object]]:
            return [message_json(message, language) for message in messages if message.role != "system"]

        # A thread, because 60 long messages that nobody has read since the start take a second to render.
        answer = state_json(conversation, running) | {
            "id": conversation.id,
            "has_earlier": _has_earlier(messages),
            "messages": await asyncio.to_thread(shown),
        }
        return PageJSON(answer)

    @router.get("/conversations/{conversation_id}/events")
    @user("conversations")
    async def conversation_events(asker: Asker, conversation_id: str, lang: Lang = "en") -> Response:
        """Server-sent events: see `falconry.web.follow`."""
        chat = services.chat.of(asker.id)
        await chat.conversation(conversation_id)
        return EventStream(follow(chat, services.stopping, live_replies, conversation_id, match_language(lang)))

    return router


def _has_earlier(messages: list[StoredMessage]) -> bool:
    return bool(messages) and messages[0].parent_id is not None
