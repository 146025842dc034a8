"""Conversations and their messages: append, read back, and never overwrite.

Every function that changes a conversation says which head its caller has seen, and is refused with
`StaleConversation` where the conversation went on elsewhere.

A store belongs to one person: what is another's does not exist for it. Only the job that writes a reply
(`save_text`, `save_context`, `finish_reply`) goes by the reply's id alone, which it was given by this store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Row, bindparam, delete, insert, literal, select, update

from falconry.errors import ConversationNotFound, NotAuthenticated, ReplyNotFound, StaleConversation
from falconry.messages import Attachment, ContextUse, Conversation, Grammar, SamplingParams, StoredMessage, Usage
from falconry.storage.database import Database
from falconry.storage.tables import conversations, messages, users
from falconry.storage.values import new_id, storable

# Built once: building it costs more than running it.
_SAVE_TEXT = (
    update(messages)
    .where(messages.c.id == bindparam("reply_id"))
    .values(content=bindparam("text"), thinking=bindparam("thoughts"))
)


class Conversations:
    """The store of one person's conversations: of the one at this machine, or of the user with an id."""

    def __init__(self, database: Database, owner_id: str = "") -> None:
        self._db = database
        self._owner_id = owner_id
        column = conversations.c.owner_id
        self._mine: ColumnElement[bool] = column == owner_id if owner_id else column.is_(None)

    def of(self, owner_id: str) -> Conversations:
        """The store of another person's; "" is the one at this machine."""
        return Conversations(self._db, owner_id)

    async def create(self, title: str = "") -> Conversation:
        """Raises NotAuthenticated where the owner has been removed meanwhile."""
        now = datetime.now(UTC)
        conversation = Conversation(new_id(), storable(title), now, now)
        values = {**asdict(conversation), "owner_id": self._owner_id or None}

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            c.execute(insert(conversations).values(values))

        await self._db.write(run)
        return conversation

    async def get(self, conversation_id: str) -> Conversation:
        return await self._db.read(lambda c: self._conversation(c, conversation_id))

    async def newest(self, limit: int = 200) -> list[Conversation]:
        query = select(conversations).where(self._mine).order_by(conversations.c.updated_at.desc()).limit(limit)
        rows = await self._db.read(lambda c: c.execute(query).all())
        return [_to_conversation(row) for row in rows]

    async def delete(self, conversation_id: str) -> None:
        def run(c: Connection) -> None:
            self._conversation(c, conversation_id)
            c.execute(delete(conversations).where(conversations.c.id == conversation_id))

        await self._db.write(run)

    async def append_turn(
        self, conversation_id: str, parent_id: str | None, content: str, reply: StoredMessage
    ) -> tuple[StoredMessage, StoredMessage]:
        """Append a user's message and the running reply to it, durably, in one commit.

        Raises StaleConversation where `parent_id` is not the head any more.
        """
        now = datetime.now(UTC)
        draft = StoredMessage(new_id(), conversation_id, parent_id, "user", storable(content), now)

        def run(c: Connection) -> tuple[StoredMessage, StoredMessage]:
            conversation = self._at_head(c, conversation_id, parent_id)
            question = replace(draft, depth=_depth(c, parent_id))
            c.execute(insert(messages).values(_values(question)))
            answer = self._insert_reply(c, reply, question.id)
            title = conversation.title or _title(question.content)
            c.execute(update(conversations).where(conversations.c.id == conversation_id).values(title=title))
            return question, answer

        return await self._db.write(run, durable=True)

    async def append_reply(self, head_id: str, parent_id: str, reply: StoredMessage) -> StoredMessage:
        """Append another running reply to a user's message; the earlier ones stay, as siblings."""

        def run(c: Connection) -> StoredMessage:
            self._at_head(c, reply.conversation_id, head_id)
            return self._insert_reply(c, reply, parent_id)

        return await self._db.write(run, durable=True)

    def _insert_reply(self, c: Connection, reply: StoredMessage, parent_id: str) -> StoredMessage:
        place = {"parent_id": parent_id, "depth": _depth(c, parent_id), "owner": self._db.owner.name}
        values = {**_values(reply), **place}
        c.execute(insert(messages).values(values))
        _move_head(c, reply.conversation_id, reply.id)
        return self._message(c, reply.id)

    async def reopen_reply(self, reply: StoredMessage) -> StoredMessage:
        """Mark an ended reply at the head as running again, to continue it."""

        def run(c: Connection) -> StoredMessage:
            self._at_head(c, reply.conversation_id, reply.id)
            values = {"status": "running", "error": None, "finish_reason": None, "owner": self._db.owner.name}
            mine = (messages.c.id == reply.id) & (messages.c.status != "running")
            if c.execute(update(messages).where(mine).values(values)).rowcount == 0:
                raise StaleConversation("This reply is being written already.", code="reply_running")
            _touch(c, reply.conversation_id)
            return self._message(c, reply.id)

        return await self._db.write(run, durable=True)

    async def save_text(self, reply_id: str, content: str, thinking: str) -> None:
        """Store a running reply's text so far. The hot path: every 100 ms of every reply.

        Raises ReplyNotFound where it is gone: its conversation, or whose it was, has been removed meanwhile.
        """
        values = {"reply_id": reply_id, "text": storable(content), "thoughts": storable(thinking)}
        changed = self._db.write_now(_SAVE_TEXT, values)
        if changed is None:
            changed = await self._db.write(lambda c: c.execute(_SAVE_TEXT, values).rowcount)
        if changed == 0:
            raise ReplyNotFound("This reply does not exist.")

    async def save_context(self, reply_id: str, model: str, context: ContextUse) -> None:
        values = {"model": model, "context": asdict(context)}
        await self._db.write(lambda c: c.execute(update(messages).where(messages.c.id == reply_id).values(values)))

    async def finish_reply(self, reply: StoredMessage) -> None:
        """Store how a reply ended: text, status, finish reason, usage, error, seconds."""

        def run(c: Connection) -> None:
            values = _values(reply)
            keep = ("content", "thinking", "status", "finish_reason", "usage", "error", "seconds")
            c.execute(update(messages).where(messages.c.id == reply.id).values({name: values[name] for name in keep}))
            _touch(c, reply.conversation_id)

        await self._db.write(run)

    async def message(self, message_id: str) -> StoredMessage:
        return await self._db.read(lambda c: self._message(c, message_id))

    async def path(
        self, conversation_id: str, *, before: str | None = None, limit: int | None = None
    ) -> list[StoredMessage]:
        """The messages of the branch on show, oldest first.

        Args:
            before: only those older than this message.
            limit: only the newest so many of them.
        """

        def run(c: Connection) -> list[StoredMessage]:
            head = self._conversation(c, conversation_id).head_id
            start = head
            if before is not None:
                mine = (messages.c.id == before) & (messages.c.conversation_id == conversation_id)
                start = c.execute(select(messages.c.parent_id).where(mine)).scalar()
            return _ancestors(c, start, limit)

        return await self._db.read(run)

    async def transcript(self, last_id: str, *, until: str | None = None) -> list[StoredMessage]:
        """What was said on the branch that ends with a message, oldest first, without numbers and settings.

        Args:
            until: the oldest message that is wanted; None for all of them.
        """

        def run(c: Connection) -> list[StoredMessage]:
            theirs = messages.c.conversation_id == conversations.c.id
            last = select(messages.c.id).join(conversations, theirs).where(messages.c.id == last_id, self._mine)
            return _transcript(c, last_id, until) if c.execute(last).first() is not None else []

        return await self._db.read(run)

    async def interrupt_orphans(self) -> list[str]:
        """Mark running replies whose process is gone as interrupted; their text stays. Gives their ids.

        Everybody's, whoever this store belongs to: a start cleans up the whole house.
        """

        def run(c: Connection) -> list[str]:
            running = c.execute(
                select(messages.c.id, messages.c.conversation_id, messages.c.owner).where(
                    messages.c.status == "running"
                )
            ).all()
            orphans = [row for row in running if self._db.owner.is_dead(row.owner)]
            for row in orphans:
                c.execute(update(messages).where(messages.c.id == row.id).values(status="interrupted"))
                _touch(c, row.conversation_id)
            return [row.id for row in orphans]

        return await self._db.write(run)

    def _conversation(self, c: Connection, conversation_id: str, *, lock: bool = False) -> Conversation:
        query = select(conversations).where(conversations.c.id == conversation_id, self._mine)
        row = c.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise ConversationNotFound("This conversation does not exist.")
        return _to_conversation(row)

    def _message(self, c: Connection, message_id: str) -> StoredMessage:
        theirs = messages.c.conversation_id == conversations.c.id
        query = select(messages).join(conversations, theirs).where(messages.c.id == message_id, self._mine)
        row = c.execute(query).first()
        if row is None:
            raise ReplyNotFound("This reply does not exist.")
        return _to_message(row)

    def _at_head(self, c: Connection, conversation_id: str, head_id: str | None) -> Conversation:
        # Locked, so that of two writers the second one sees what the first did. SQLite has one writer anyway.
        conversation = self._conversation(c, conversation_id, lock=True)
        if conversation.head_id != head_id:
            raise StaleConversation("This conversation went on elsewhere. Reload it; nothing was lost.")
        return conversation


def _depth(c: Connection, parent_id: str | None) -> int:
    """The depth of a child of this message."""
    if parent_id is None:
        return 0
    return int(c.execute(select(messages.c.depth).where(messages.c.id == parent_id)).scalar_one()) + 1


def _move_head(c: Connection, conversation_id: str, head_id: str) -> None:
    c.execute(update(conversations).where(conversations.c.id == conversation_id).values(head_id=head_id))
    _touch(c, conversation_id)


def _touch(c: Connection, conversation_id: str) -> None:
    c.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(updated_at=datetime.now(UTC), version=conversations.c.version + 1)
    )


def _ancestors(c: Connection, message_id: str | None, limit: int | None) -> list[StoredMessage]:
    if message_id is None:
        return []
    walk = _walk(message_id, limit=limit)
    query = select(messages).join(walk, walk.c.id == messages.c.id).order_by(messages.c.depth)
    return [_to_message(row) for row in c.execute(query)]


def _transcript(c: Connection, last_id: str, until: str | None) -> list[StoredMessage]:
    """Only the columns that a prompt is made of: a thousand whole messages cost 65 ms to build, these 10."""
    said = messages.c
    walk = _walk(last_id, until=until)
    columns = (said.id, said.conversation_id, said.parent_id, said.role, said.content, said.created_at, said.depth)
    query = select(*columns).join(walk, walk.c.id == said.id).order_by(said.depth)
    return [
        StoredMessage(row[0], row[1], row[2], row[3], row[4], row[5], depth=row[6]) for row in c.execute(query).all()
    ]


def _walk(last_id: str, *, limit: int | None = None, until: str | None = None) -> CTE:
    """The ids from a message up to its root, or to message `until`, or `limit` of them."""
    said = messages.c
    walk = select(said.id, said.parent_id, literal(1).label("count")).where(said.id == last_id).cte(recursive=True)
    step = select(said.id, said.parent_id, walk.c.count + 1).where(said.id == walk.c.parent_id)
    if limit is not None:
        step = step.where(walk.c.count < limit)
    if until is not None:
        step = step.where(walk.c.id != until)
    return walk.union_all(step)


def _title(content: str) -> str:
    """The first line of the first message, at most 60 characters."""
    line = " ".join(content.split())
    return line if len(line) <= 60 else line[:59].rstrip() + "…"


def _values(message: StoredMessage) -> dict[str, object]:
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
        "created_at": message.created_at,
        "attachments": [_attachment_values(file) for file in message.attachments] or None,
        "persona": message.persona,
        "rating": message.rating,
        "correction": message.correction,
    }


def _attachment_values(file: Attachment) -> dict[str, object]:
    """What a message keeps of a file; the text has its own table."""
    return {name: value for name, value in asdict(file).items() if name != "text"}


def _to_message(row: Row[Any]) -> StoredMessage:
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
        depth=row.depth,
        attachments=tuple(Attachment(**file) for file in row.attachments or ()),
        persona=row.persona,
        rating=row.rating,
        correction=row.correction,
    )


def _to_params(stored: Mapping[str, Any]) -> SamplingParams:
    """JSON has lists and objects where the params have tuples and a grammar. Old rows lack what came later."""
    grammar = stored.get("grammar")
    rebuilt = {
        "stop": tuple(stored["stop"]),
        "logit_bias": tuple((token, bias) for token, bias in stored.get("logit_bias", ())),
        "grammar": Grammar(**grammar) if grammar else None,
    }
    return SamplingParams(**{**stored, **rebuilt})


def _to_conversation(row: Row[Any]) -> Conversation:
    return Conversation(**{field.name: getattr(row, field.name) for field in fields(Conversation)})
