"""Our own API: conversations and replies. What a person can do in the page, a program can do here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from falconry.access.person import Person
from falconry.api.schemas import (
    ContextQuestion,
    Id,
    NewConversation,
    NewTurn,
    TurnOptions,
    conversation_json,
    message_json,
)
from falconry.api.strict import StrictRoute
from falconry.chat.chat import Chat
from falconry.event_stream import SILENCE, EventStream
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.i18n import Language, error_text
from falconry.messages import Conversation, StoredMessage
from falconry.protocols.sse import comment, encode_json
from falconry.services import Services

Json = dict[str, Any]


def conversations_router(services: Services) -> APIRouter:
    """Routes under /api for conversations, replies and models."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.get("/models")
    @user("conversations")
    async def models() -> Json:
        """The models that can be chosen, in the order of the settings, and the sampling params that reach each."""
        return {"models": [{**asdict(model), "supports": sorted(model.supports)} for model in services.pool.models()]}

    @router.get("/conversations")
    @user("conversations")
    async def conversations(asker: Asker, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Json:
        """The newest conversations first. `running` is the id of a reply in flight."""
        chat = mine(asker)
        return {"conversations": [_listed(chat, c) for c in await chat.conversations(limit)]}

    @router.post("/conversations", status_code=201)
    @user("conversations")
    async def create(asker: Asker, body: NewConversation | None = None) -> Json:
        """Begin a conversation. Without a title it takes the beginning of its first message."""
        return conversation_json(await mine(asker).create_conversation(body.title if body else ""))

    @router.get("/conversations/{conversation_id}")
    @user("conversations")
    async def conversation(
        asker: Asker, conversation_id: Id, before: Id | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> Json:
        """A conversation with the newest `limit` messages of the branch on show, or of those older than `before`."""
        chat = mine(asker)
        found = await chat.conversation(conversation_id)
        messages = await chat.messages(conversation_id, before=before, limit=limit)
        return {**_listed(chat, found), "messages": [message_json(message) for message in messages]}

    @router.delete("/conversations/{conversation_id}", status_code=204)
    @user("conversations")
    async def delete(asker: Asker, conversation_id: Id) -> None:
        """Delete a conversation with all its messages; a running reply is stopped."""
        await mine(asker).delete_conversation(conversation_id)

    @router.post("/conversations/{conversation_id}/replies", status_code=201)
    @user("conversations", counted=True)
    async def ask(asker: Asker, conversation_id: Id, body: NewTurn) -> Json:
        """Store a message and have it answered. The reply is the server's: it goes on whoever leaves."""
        message, reply = await mine(asker).ask(
            conversation_id,
            body.content,
            parent_id=body.parent_id,
            model=body.model,
            params=body.params.to_sampling(),
            system=body.system,
        )
        return {"message": message_json(message), "reply": message_json(reply)}

    @router.post("/conversations/{conversation_id}/context")
    @user("conversations")
    async def context(asker: Asker, conversation_id: Id, body: ContextQuestion) -> Json:
        """How many tokens the next turn would send with this draft, of how many, and what would be left out."""
        use = await mine(asker).context(
            conversation_id,
            draft=body.draft,
            model=body.model,
            params=body.params.to_sampling(),
            system=body.system,
        )
        return {**asdict(use), "exact": use.error == 0.0}

    return router


def replies_router(services: Services) -> APIRouter:
    """Routes under /api/replies: watch, stop, regenerate, continue, and what the model saw."""
    router = APIRouter(prefix="/api/replies", route_class=StrictRoute, tags=["replies"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.get("/{reply_id}")
    @user("conversations")
    async def reply(asker: Asker, reply_id: Id) -> Json:
        """One reply, or any message; a running reply with its text so far."""
        return message_json(await mine(asker).message(reply_id))

    @router.get("/{reply_id}/events")
    @user("conversations")
    async def events(
        request: Request, asker: Asker, reply_id: Id, last_event_id: Annotated[str | None, Header(max_length=20)] = None
    ) -> Response:
        """The reply as it is written: `delta` events, then `done` with the message.

        An event's id is the number of characters of text (and of thinking) sent so far; a client that comes back
        with `Last-Event-ID` gets the rest, without gap or repetition.
        """
        chat = mine(asker)
        message = await chat.message(reply_id)
        sent = _offsets(last_event_id)
        return EventStream(_reply_events(chat, services.stopping, message, sent, language_of(request)))

    @router.post("/{reply_id}/stop")
    @user("conversations")
    async def stop(asker: Asker, reply_id: Id) -> Json:
        """Stop a reply; its text so far is kept. One that has ended stays as it is."""
        return message_json(await mine(asker).stop(reply_id))

    @router.post("/{reply_id}/regenerate", status_code=201)
    @user("conversations", counted=True)
    async def regenerate(asker: Asker, reply_id: Id, body: TurnOptions | None = None) -> Json:
        """Answer the same question again; the earlier reply is kept as another version."""
        options = body or TurnOptions()
        answer = await mine(asker).regenerate(
            reply_id, model=options.model, params=options.params.to_sampling(), system=options.system
        )
        return {"reply": message_json(answer)}

    @router.post("/{reply_id}/continue")
    @user("conversations", counted=True)
    async def resume(asker: Asker, reply_id: Id) -> Json:
        """Go on with a reply that broke off or was stopped, from where it is."""
        return {"reply": message_json(await mine(asker).resume(reply_id))}

    @router.get("/{reply_id}/prompt")
    @user("conversations")
    async def prompt(asker: Asker, reply_id: Id) -> Json:
        """What the model saw: the exact prompt, its messages and tokens, and how much was left out."""
        seen = await mine(asker).prompt(reply_id)
        return {
            **asdict(seen.context),
            "exact": seen.context.error == 0.0,
            "prompt": seen.prompt,
            "messages": [{"role": message.role, "content": message.content} for message in seen.messages],
        }

    return router


def _listed(chat: Chat, conversation: Conversation) -> Json:
    running = chat.running(conversation.id)
    return conversation_json(conversation, running=running.id if running else None)


def _offsets(last_event_id: str | None) -> tuple[int, int]:
    text, _, thinking = (last_event_id or "").partition("-")
    return (int(text) if text.isdecimal() else 0, int(thinking) if thinking.isdecimal() else 0)


async def _reply_events(
    chat: Chat, stopping: asyncio.Event, message: StoredMessage, sent: tuple[int, int], language: Language
) -> AsyncGenerator[bytes, None]:
    text_sent, thinking_sent = sent
    yield comment("falconry")
    with chat.watch(message.conversation_id) as watcher:
        reply = chat.find(message.id)
        while not stopping.is_set():
            if reply is None or reply.status != "running":
                message = reply.message if reply else await chat.message(message.id)
                text, thinking = message.content, message.thinking
            else:
                text, thinking = reply.text, reply.thinking
            if len(text) > text_sent or len(thinking) > thinking_sent:
                delta = {"text": text[text_sent:], "thinking": thinking[thinking_sent:]}
                text_sent, thinking_sent = len(text), len(thinking)
                yield encode_json(delta, event="delta", event_id=f"{text_sent}-{thinking_sent}")
                continue
            if reply is None or reply.status != "running":
                final = message_json(message)
                if message.error:
                    final["error"] = {**message.error, "text": error_text(message.error, language)}
                yield encode_json(final, event="done")
                return
            if not await watcher.wait(SILENCE):
                yield comment()
