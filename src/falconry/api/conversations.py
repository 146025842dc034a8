"""Our own API: conversations and replies. What a person can do in the page, a program can do here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from falconry.api.errors import language_of
from falconry.api.schemas import (
    ContextQuestion,
    Id,
    NewConversation,
    NewTurn,
    TurnOptions,
    conversation_json,
    message_json,
)
from falconry.event_stream import SILENCE, EventStream
from falconry.i18n import Language, error_text
from falconry.messages import StoredMessage
from falconry.protocols.sse import comment, encode_json
from falconry.services import Services

Json = dict[str, Any]


def conversations_router(services: Services) -> APIRouter:
    """Routes under /api for conversations, replies and models."""
    router = APIRouter(prefix="/api")
    chat = services.chat

    @router.get("/models")
    async def models() -> Json:
        return {"models": [{**asdict(model), "supports": sorted(model.supports)} for model in services.pool.models()]}

    @router.get("/conversations")
    async def conversations(limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Json:
        return {"conversations": [_listed(services, c) for c in await chat.conversations(limit)]}

    @router.post("/conversations", status_code=201)
    async def create(body: NewConversation | None = None) -> Json:
        return conversation_json(await chat.create_conversation(body.title if body else ""))

    @router.get("/conversations/{conversation_id}")
    async def conversation(
        conversation_id: Id, before: Id | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> Json:
        found = await chat.conversation(conversation_id)
        messages = await chat.messages(conversation_id, before=before, limit=limit)
        return {**_listed(services, found), "messages": [message_json(message) for message in messages]}

    @router.delete("/conversations/{conversation_id}", status_code=204)
    async def delete(conversation_id: Id) -> None:
        await chat.delete_conversation(conversation_id)

    @router.post("/conversations/{conversation_id}/replies", status_code=201)
    async def ask(conversation_id: Id, body: NewTurn) -> Json:
        message, reply = await chat.ask(
            conversation_id,
            body.content,
            parent_id=body.parent_id,
            model=body.model,
            params=body.params.to_sampling(),
            system=body.system,
        )
        return {"message": message_json(message), "reply": message_json(reply)}

    @router.post("/conversations/{conversation_id}/context")
    async def context(conversation_id: Id, body: ContextQuestion) -> Json:
        use = await chat.context(
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
    router = APIRouter(prefix="/api/replies")
    chat = services.chat

    @router.get("/{reply_id}")
    async def reply(reply_id: Id) -> Json:
        return message_json(await chat.message(reply_id))

    @router.get("/{reply_id}/events")
    async def events(
        request: Request, reply_id: Id, last_event_id: Annotated[str | None, Header(max_length=20)] = None
    ) -> Response:
        """The reply as it is written: `delta` events, then `done` with the message.

        An event's id is the number of characters of text (and of thinking) sent so far; a client that comes back
        with `Last-Event-ID` gets the rest, without gap or repetition.
        """
        message = await chat.message(reply_id)
        return EventStream(_reply_events(services, message, _offsets(last_event_id), language_of(request)))

    @router.post("/{reply_id}/stop")
    async def stop(reply_id: Id) -> Json:
        return message_json(await chat.stop(reply_id))

    @router.post("/{reply_id}/regenerate", status_code=201)
    async def regenerate(reply_id: Id, body: TurnOptions | None = None) -> Json:
        options = body or TurnOptions()
        answer = await chat.regenerate(
            reply_id, model=options.model, params=options.params.to_sampling(), system=options.system
        )
        return {"reply": message_json(answer)}

    @router.post("/{reply_id}/continue")
    async def resume(reply_id: Id) -> Json:
        return {"reply": message_json(await chat.resume(reply_id))}

    @router.get("/{reply_id}/prompt")
    async def prompt(reply_id: Id) -> Json:
        """What the model saw: the exact prompt, its messages and tokens, and how much was left out."""
        seen = await chat.prompt(reply_id)
        return {
            **asdict(seen.context),
            "exact": seen.context.error == 0.0,
            "prompt": seen.prompt,
            "messages": [asdict(message) for message in seen.messages],
        }

    return router


def _listed(services: Services, conversation: Any) -> Json:
    running = services.chat.running(conversation.id)
    return conversation_json(conversation, running=running.id if running else None)


def _offsets(last_event_id: str | None) -> tuple[int, int]:
    text, _, thinking = (last_event_id or "").partition("-")
    return (int(text) if text.isdecimal() else 0, int(thinking) if thinking.isdecimal() else 0)


async def _reply_events(
    services: Services, message: StoredMessage, sent: tuple[int, int], language: Language
) -> AsyncGenerator[bytes, None]:
    text_sent, thinking_sent = sent
    yield comment("falconry")
    with services.chat.watch(message.conversation_id) as watcher:
        reply = services.chat.find(message.id)
        while not services.stopping.is_set():
            if reply is None or reply.status != "running":
                message = reply.message if reply else await services.chat.message(message.id)
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
