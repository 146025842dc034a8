"""A reply while it is written: what the job that writes it stores.

The job goes by the reply's id alone, which it was given by the store of the person who asked; only `reopen_reply`,
with which one begins, looks at whose it is.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, bindparam, select, update

from falconry.errors import ReplyNotFound, StaleConversation
from falconry.messages import ContextUse, StoredMessage
from falconry.storage import tree
from falconry.storage.rows import message_values
from falconry.storage.scope import Scoped
from falconry.storage.tables import messages
from falconry.storage.values import storable

# Built once: building it costs more than running it.
_SAVE_TEXT = (
    update(messages)
    .where(messages.c.id == bindparam("reply_id"))
    .values(content=bindparam("text"), thinking=bindparam("thoughts"))
)
_AT_THE_END = (
    "content",
    "thinking",
    "status",
    "finish_reason",
    "usage",
    "error",
    "seconds",
    "first_seconds",
    "thinking_seconds",
)


class Replies(Scoped):
    """The replies of one person, as the job that writes one stores it."""

    async def reopen_reply(self, reply: StoredMessage) -> StoredMessage:
        """Mark an ended reply at the head as running again, to continue it."""

        def run(c: Connection) -> StoredMessage:
            self._at_head(c, reply.conversation_id, reply.id)
            values = {"status": "running", "error": None, "finish_reason": None, "owner": self._db.owner.name}
            mine = (messages.c.id == reply.id) & (messages.c.status != "running")
            if c.execute(update(messages).where(mine).values(values)).rowcount == 0:
                raise StaleConversation("This reply is being written already.", code="reply_running")
            tree.touch(c, reply.conversation_id)
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
            values = message_values(reply)
            ended = {name: values[name] for name in _AT_THE_END}
            c.execute(update(messages).where(messages.c.id == reply.id).values(ended))
            tree.touch(c, reply.conversation_id)

        await self._db.write(run)

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
                tree.touch(c, row.conversation_id)
            return [row.id for row in orphans]

        return await self._db.write(run)
