"""Links by which anybody may read a conversation as it was. Of a link's token only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, insert, select

from falconry.errors import InvalidRequest, NotFound
from falconry.messages import Conversation, StoredMessage
from falconry.storage import tree
from falconry.storage.attachments import with_contents
from falconry.storage.rows import to_conversation
from falconry.storage.scope import Scoped
from falconry.storage.tables import conversations, shares
from falconry.storage.values import new_id

MOST_SHARES = 20  # of one conversation
MOST_SHARED_BYTES = 16 * 2**20  # of the pictures of one page; older ones are named


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a conversation. Who has the token may read; here it is known by its id only."""

    id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SharedConversation:
    """What a link shows: the branch that was on show when it was made, and of the files beside it the pictures."""

    conversation: Conversation
    messages: tuple[StoredMessage, ...]
    shared_at: datetime


class Shares(Scoped):
    """The links to one person's conversations."""

    async def create(self, conversation_id: str) -> tuple[Share, str]:
        """Make a link; gives it and its token, which nobody can be told again.

        Raises ConversationNotFound, and InvalidRequest where there is nothing to read, or there are too many links.
        """
        token = secrets.token_urlsafe(32)
        share = Share(new_id(), datetime.now(UTC))

        def run(c: Connection) -> None:
            head_id = self._conversation(c, conversation_id, lock=True).head_id
            if head_id is None:
                raise InvalidRequest("There is nothing in this conversation to be read yet.", code="share_empty")
            count = select(func.count()).select_from(shares).where(shares.c.conversation_id == conversation_id)
            if c.execute(count).scalar_one() >= MOST_SHARES:
                raise InvalidRequest(
                    f"There are {MOST_SHARES} links to this conversation already. Revoke some first.",
                    code="too_many_shares",
                    limit=MOST_SHARES,
                )
            values = {"id": share.id, "conversation_id": conversation_id, "head_id": head_id}
            c.execute(insert(shares).values(token_hash=_hash(token), created_at=share.created_at, **values))

        await self._db.write(run, durable=True)
        return share, token

    async def of_conversation(self, conversation_id: str) -> list[Share]:
        """The links to a conversation, the newest first. Raises ConversationNotFound."""

        def run(c: Connection) -> list[Share]:
            self._conversation(c, conversation_id)
            query = select(shares.c.id, shares.c.created_at).where(shares.c.conversation_id == conversation_id)
            return [Share(*row) for row in c.execute(query.order_by(shares.c.created_at.desc(), shares.c.id))]

        return await self._db.read(run)

    async def revoke(self, conversation_id: str, share_id: str | None = None) -> None:
        """End one link, or all, at once. Raises ConversationNotFound, NotFound."""

        def run(c: Connection) -> None:
            self._conversation(c, conversation_id)
            this = shares.c.conversation_id == conversation_id
            if share_id is not None:
                this &= shares.c.id == share_id
            if c.execute(delete(shares).where(this)).rowcount == 0 and share_id is not None:
                raise NotFound("This link does not exist, or not any more.", code="share_not_found")

        await self._db.write(run, durable=True)

    async def read(self, token: str) -> SharedConversation:
        """What a link shows to anybody. Raises NotFound, also where its conversation lies in the trash."""

        def run(c: Connection) -> SharedConversation:
            query = (
                select(conversations, shares.c.head_id.label("shared_head"), shares.c.created_at.label("shared_at"))
                .join(shares, shares.c.conversation_id == conversations.c.id)
                .where(shares.c.token_hash == _hash(token), conversations.c.deleted_at.is_(None))
                .where(conversations.c.owner_id.is_not(None))
            )
            row = c.execute(query).first()
            said = tree.ancestors(c, row.shared_head) if row is not None else []
            messages = tuple(with_contents(c, [_with_pictures_only(each) for each in said], most=MOST_SHARED_BYTES))
            if row is None or not messages:
                raise NotFound("This link does not lead to anything, or not any more.", code="share_not_found")
            return SharedConversation(to_conversation(row), messages, row.shared_at)

        return await self._db.read(run)


def _with_pictures_only(message: StoredMessage) -> StoredMessage:
    return replace(message, attachments=tuple(file for file in message.attachments if file.is_picture))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
