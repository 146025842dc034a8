"""What one person's store sees: the conversations that are theirs and do not lie in the trash."""

from __future__ import annotations

from typing import Self

from sqlalchemy import ColumnElement, Connection, select

from falconry.errors import ConversationNotFound, ReplyNotFound, StaleConversation
from falconry.messages import Conversation, StoredMessage
from falconry.storage.database import Database
from falconry.storage.rows import to_conversation, to_message
from falconry.storage.tables import conversations, messages


class Scoped:
    """A store of the person at this machine, or of the user with an id: what is another's does not exist for it."""

    def __init__(self, database: Database, owner_id: str = "") -> None:
        self._db = database
        self._owner_id = owner_id
        column = conversations.c.owner_id
        self._owned: ColumnElement[bool] = column == owner_id if owner_id else column.is_(None)
        self._mine = self._owned & conversations.c.deleted_at.is_(None)

    def of(self, owner_id: str) -> Self:
        """The store of another person's; "" is the one at this machine."""
        return type(self)(self._db, owner_id)

    def _conversation(
        self, c: Connection, conversation_id: str, *, lock: bool = False, trash: bool = False
    ) -> Conversation:
        """Args: trash: also one that lies in the trash."""
        mine = self._owned if trash else self._mine
        query = select(conversations).where(conversations.c.id == conversation_id, mine)
        row = c.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise ConversationNotFound("This conversation does not exist.")
        return to_conversation(row)

    def _message(self, c: Connection, message_id: str) -> StoredMessage:
        theirs = messages.c.conversation_id == conversations.c.id
        query = select(messages).join(conversations, theirs).where(messages.c.id == message_id, self._mine)
        row = c.execute(query).first()
        if row is None:
            raise ReplyNotFound("This reply does not exist.")
        return to_message(row)

    def _at_head(self, c: Connection, conversation_id: str, head_id: str | None) -> Conversation:
        # Locked, so that of two writers the second one sees what the first did. SQLite has one writer anyway.
        conversation = self._conversation(c, conversation_id, lock=True)
        if conversation.head_id != head_id:
            raise StaleConversation("This conversation went on elsewhere. Reload it; nothing was lost.")
        return conversation

    def _refuse_while_running(self, c: Connection, head_id: str | None) -> None:
        """Raises StaleConversation while the reply at the head is written, which only the conversation's lock can tell.

        Of two who ask at the same moment both have seen that nothing runs.
        """
        query = select(messages.c.owner).where(messages.c.id == head_id, messages.c.status == "running")
        row = c.execute(query).first() if head_id is not None else None
        if row is not None and not self._db.owner.is_dead(row.owner):
            raise StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")
