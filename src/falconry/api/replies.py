"""Our own API: replies as they are written, and what becomes of messages afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from falconry.access.person import Person
from falconry.api.schemas import AnotherReply, Id, Judgement, message_json
from falconry.api.strict import StrictRoute
from falconry.chat.chat import Chat
from falconry.chat.replies import Loading
from falconry.event_stream import SILENCE, EventStream
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.i18n import Language, error_text
from falconry.messages import StoredMessage
from falconry.protocols.sse import comment, encode_json
from falconry.services import Services

Json = dict[str, Any]


def replies_router(services: Services) -> APIRouter:
    """Routes under /api/replies: watch, stop, regenerate, continue, and what the model saw."""
    router = APIRouter(prefix="/api/replies", route_class=StrictRoute, tags=["replies"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.get("/{reply_id}")
    @user("conversations")
    async def reply(asker: Asker, reply_id: Id) -> Json:
        """One reply, or any message; a running reply with its text so far."""
        chat = mine(asker)
        return await with_versions(chat, await chat.message(reply_id))

    @router.get("/{reply_id}/events")
    @user("conversations")
    async def events(
        request: Request, asker: Asker, reply_id: Id, last_event_id: Annotated[str | None, Header(max_length=20)] = None
    ) -> Response:
        """The reply as it is written: `delta` events, then `done` with the message.

        Before the first one may come `loading` events: the `title` of the model, and its `progress`, 0 to 1 or null.

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
    async def regenerate(asker: Asker, reply_id: Id, body: AnotherReply | None = None) -> Json:
        """Answer the same question again, any one of the branch on show.

        The earlier reply is kept as another version, with all that follows it. By the id of a message of the user's,
        that message is answered as it stands.
        """
        options, chat = body or AnotherReply(), mine(asker)
        answer = await chat.regenerate(
            reply_id,
            model=options.model,
            params=options.params.to_sampling(),
            system=options.system,
            persona=options.persona,
            head_id=options.head_id,
        )
        return {"reply": await with_versions(chat, answer)}

    @router.post("/{reply_id}/continue")
    @user("conversations", counted=True)
    async def resume(asker: Asker, reply_id: Id) -> Json:
        """Go on with the newest reply, where it broke off, was stopped or became too long, from where it is."""
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


def messages_router(services: Services) -> APIRouter:
    """Routes under /api/messages: delete a branch, judge a reply."""
    router = APIRouter(prefix="/api/messages", route_class=StrictRoute, tags=["replies"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.delete("/{message_id}")
    @user("conversations")
    async def delete(asker: Asker, message_id: Id) -> Json:
        """Delete a message and all below it. The branch on show is then that of the version before or after it.

        Where there is none, it ends above it.
        """
        return {"head_id": await mine(asker).delete_branch(message_id)}

    @router.put("/{message_id}/rating")
    @user("conversations")
    async def rate(asker: Asker, message_id: Id, body: Judgement) -> Json:
        """Judge a reply, and say what it should have been; fine-tuning learns from it."""
        chat = mine(asker)
        return await with_versions(chat, await chat.rate(message_id, body.rating, body.correction))

    return router


async def with_versions(chat: Chat, message: StoredMessage) -> Json:
    """A message with the ids of all its versions."""
    return message_json(message, (await chat.versions([message]))[message.id])


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
        loading: Loading | None = None
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
            if reply is not None and loading != (loading := reply.loading) and loading is not None:
                yield encode_json(asdict(loading), event="loading")
            if reply is None or reply.status != "running":
                final = message_json(message)
                if message.error:
                    final["error"] = {**message.error, "text": error_text(message.error, language)}
                yield encode_json(final, event="done")
                return
            if not await watcher.wait(SILENCE):
                yield comment()
