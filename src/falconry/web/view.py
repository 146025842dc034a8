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
from falconry.services import Services
from falconry.storage.messages import Page
from falconry.web.follow import LiveReplies, follow, follow_list, state_json
from falconry.web.jsontext import PageJSON
from falconry.web.message_json import message_json

Lang = Annotated[str, Query(max_length=35)]
MessageId = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")]  # PostgreSQL takes no NUL to look for


def view_router(services: Services) -> APIRouter:
    """`/view/conversations/{id}` and its events, and those of the list."""
    router = APIRouter(prefix="/view", include_in_schema=False)
    live_replies = LiveReplies()

    @router.get("/conversations/{conversation_id}")
    @user("conversations")
    async def conversation_view(
        asker: Asker,
        conversation_id: str,
        before: MessageId = None,
        after: MessageId = None,
        around: MessageId = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
        lang: Lang = "en",
    ) -> Response:
        """The newest messages of a conversation, or those before, after or around a message.

        Before and after a message that is not on the branch on show come those of its own branch; `on_show` tells.
        """
        language = match_language(lang)
        chat = services.chat.of(asker.id)
        conversation = await chat.conversation(conversation_id)
        if around is not None or after is not None:
            page = await chat.page(conversation_id, around=around, after=after, limit=limit)
        else:
            messages = await chat.messages(conversation_id, before=before, limit=limit)
            page = Page(messages, bool(messages) and messages[0].parent_id is not None, has_later=before is not None)
        versions = await chat.versions(page.messages)
        running = chat.running(conversation_id)

        def shown() -> list[dict[str, object]]:
            visible = (message for message in page.messages if message.role != "system")
            return [message_json(message, language, versions[message.id]) for message in visible]

        # A thread, because 60 long messages that nobody has read since the start take a second to render.
        answer = state_json(conversation, running) | {
            "id": conversation.id,
            "has_earlier": page.has_earlier,
            "has_later": page.has_later,
            "on_show": page.on_show,
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

    @router.get("/events")
    @user("conversations")
    async def list_events(asker: Asker) -> Response:
        """Server-sent events `list`, whenever the list of conversations changed."""
        return EventStream(follow_list(services.chat.of(asker.id), services.stopping))

    return router
