"""Our own API: conversations. What a person can do in the page, a program can do here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from falconry.access.person import Person
from falconry.api.schemas import (
    ContextQuestion,
    ConversationChange,
    Id,
    NewConversation,
    NewTurn,
    Shown,
    conversation_json,
    message_json,
)
from falconry.api.strict import StrictRoute
from falconry.chat.chat import Chat
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.messages import Conversation
from falconry.services import Services
from falconry.storage.conversations import Cursor

Json = dict[str, Any]


def conversations_router(services: Services) -> APIRouter:
    """Routes under /api for conversations."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.get("/conversations")
    @user("conversations")
    async def conversations(
        asker: Asker,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        before: Annotated[str | None, Query(pattern=r"^[01]-\d{1,17}-[0-9a-f]{32}$")] = None,
        folder_id: Id | None = None,
        deleted: bool = False,
    ) -> Json:
        """The pinned conversations first, then the others, each the newest first.

        `running` is the id of a reply in flight. `next` is the `before` of the next page, null on the last one. With
        `deleted` those that lie in the trash.
        """
        chat = mine(asker)
        page = await chat.listed(limit, before=_cursor(before), folder_id=folder_id, deleted=deleted)
        return {
            "conversations": [_listed(chat, found) for found in page.conversations],
            "next": str(page.next) if page.next else None,
        }

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
        versions = await chat.versions(messages)
        return {**_listed(chat, found), "messages": [message_json(m, versions[m.id]) for m in messages]}

    @router.patch("/conversations/{conversation_id}")
    @user("conversations")
    async def change(asker: Asker, conversation_id: Id, body: ConversationChange) -> Json:
        """Rename a conversation, pin it, or put it into a folder. It keeps its place among the others."""
        chat = mine(asker)
        return _listed(chat, await chat.change_conversation(conversation_id, **body.changes()))

    @router.delete("/conversations/{conversation_id}", status_code=204)
    @user("conversations")
    async def delete(asker: Asker, conversation_id: Id, forever: bool = False) -> None:
        """Throw a conversation into the trash, from which it can be restored for some days; a running reply is stopped.

        With `forever` it is removed at once, from wherever it is.
        """
        await mine(asker).delete_conversation(conversation_id, forever=forever)

    @router.post("/conversations/{conversation_id}/restore")
    @user("conversations")
    async def restore(asker: Asker, conversation_id: Id) -> Json:
        """Have a conversation back from the trash."""
        chat = mine(asker)
        return _listed(chat, await chat.restore_conversation(conversation_id))

    @router.post("/conversations/{conversation_id}/head")
    @user("conversations")
    async def show(asker: Asker, conversation_id: Id, body: Shown) -> Json:
        """Show the branch through a message, down to where it was left or written last; gives its newest message."""
        head = await mine(asker).show_branch(conversation_id, body.message_id, head_id=body.head_id)
        return {"head_id": head}

    @router.post("/conversations/{conversation_id}/replies", status_code=201)
    @user("conversations", counted=True)
    async def ask(asker: Asker, conversation_id: Id, body: NewTurn) -> Json:
        """Store a message, or a new version of one, and have it answered.

        The reply is the server's: it goes on whoever leaves.
        """
        chat = mine(asker)
        message, reply = await chat.ask(
            conversation_id,
            body.content,
            parent_id=body.parent_id,
            model=body.model,
            params=body.params.to_sampling(),
            system=body.system,
            persona=body.persona,
            attachments=body.attachments,
            edit_of=body.edit_of,
        )
        versions = await chat.versions([message, reply])
        return {
            "message": message_json(message, versions[message.id]),
            "reply": message_json(reply, versions[reply.id]),
        }

    @router.post("/conversations/{conversation_id}/context")
    @user("conversations")
    async def context(asker: Asker, conversation_id: Id, body: ContextQuestion) -> Json:
        """How many tokens the next turn would send with this draft, of how many, and what would be left out."""
        return await use(asker, conversation_id, body)

    @router.post("/context")
    @user("conversations")
    async def first_context(asker: Asker, body: ContextQuestion) -> Json:
        """The same of the first turn of a conversation that is not there yet."""
        return await use(asker, None, body)

    async def use(asker: Person, conversation_id: str | None, body: ContextQuestion) -> Json:
        found = await mine(asker).context(
            conversation_id,
            draft=body.draft,
            model=body.model,
            params=body.params.to_sampling(),
            system=body.system,
            attachments=body.attachments,
        )
        return {**asdict(found), "exact": found.error == 0.0}

    return router


def _listed(chat: Chat, conversation: Conversation) -> Json:
    running = chat.running(conversation.id)
    return conversation_json(conversation, running=running.id if running else None)


def _cursor(text: str | None) -> Cursor | None:
    return Cursor.parse(text) if text is not None else None
