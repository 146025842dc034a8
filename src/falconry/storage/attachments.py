"""Files that people attach to their messages: of each its name and its text.

A file is uploaded before the message is sent. Until then it belongs to no conversation, and is thrown away after a day;
`attach` gives it to the conversation, with which it goes one day. As everywhere, what is another's does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.messages import Attachment, StoredMessage
from falconry.storage.database import Database
from falconry.storage.tables import attachments, conversations, users
from falconry.storage.values import new_id, storable

UNSENT_FOR = timedelta(days=1)
MOST_UNSENT = 100  # of one person; a further one takes the oldest one's place
MOST_CHARACTERS = 2_000_000  # in all files of one message

_WITHOUT_TEXT = (
    attachments.c.id,
    attachments.c.name,
    attachments.c.media_type,
    attachments.c.size,
    func.length(attachments.c.text).label("characters"),
)


class Attachments:
    """The files of one person: of the one at this machine, or of the user with an id."""

    def __init__(self, database: Database, owner_id: str = "") -> None:
        self._db = database
        self._owner_id = owner_id
        self._mine = _of(owner_id)

    def of(self, owner_id: str) -> Attachments:
        """The files of another person; "" is the one at this machine."""
        return Attachments(self._db, owner_id)

    async def add(self, name: str, media_type: str, size: int, text: str) -> Attachment:
        """Keep a file that is not sent yet. Raises NotAuthenticated where its owner has been removed meanwhile."""
        text = storable(text)
        added = Attachment(new_id(), storable(name), storable(media_type), size, len(text))
        row = {
            "id": added.id,
            "owner_id": self._owner_id or None,
            "name": added.name,
            "media_type": added.media_type,
            "size": size,
            "text": text,
            "created_at": datetime.now(UTC),
        }

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            oldest = (
                select(attachments.c.id)
                .where(self._mine, _UNSENT)
                .order_by(attachments.c.created_at.desc())
                .offset(MOST_UNSENT - 1)
            )
            too_many = [row.id for row in c.execute(oldest)]
            if too_many:
                c.execute(delete(attachments).where(attachments.c.id.in_(too_many)))
            c.execute(insert(attachments).values(row))

        await self._db.write(run)
        return added

    async def get(self, attachment_id: str) -> Attachment:
        """One file with its text. Raises NotFound; what lies in the trash with its conversation does not exist."""
        return (await self.find([attachment_id]))[0]

    async def find(self, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """These files with their texts, in this order. Raises NotFound, and InvalidRequest as `attach`."""

        def run(c: Connection) -> tuple[Attachment, ...]:
            found = _in_order(c, ids, self._mine & _VISIBLE)
            known = texts(c, ids)
            return tuple(replace(file, text=known[file.id]) for file in found)

        return await self._db.read(run)

    async def unsent(self) -> list[Attachment]:
        """Those that no message has taken along yet, the oldest first, without their texts."""
        query = select(*_WITHOUT_TEXT).where(self._mine, _UNSENT).order_by(attachments.c.created_at)
        return [_to_attachment(row) for row in await self._db.read(lambda c: c.execute(query).all())]

    async def remove(self, attachment_id: str) -> None:
        """Throw away a file that is not sent yet. Raises NotFound, InvalidRequest where it has been sent."""

        def run(c: Connection) -> None:
            this = self._mine & (attachments.c.id == attachment_id)
            if c.execute(delete(attachments).where(this, _UNSENT)).rowcount:
                return
            if c.execute(select(attachments.c.id).where(this, _VISIBLE)).first() is None:
                raise _not_found()
            raise InvalidRequest("This file belongs to a message that has been sent.", code="attachment_sent")

        await self._db.write(run)

    async def purge(self, now: datetime | None = None) -> int:
        """Throw away what was not sent within a day, of everybody; gives how many files that were."""
        before = (now or datetime.now(UTC)) - UNSENT_FOR
        old = delete(attachments).where(_UNSENT, attachments.c.created_at < before)
        return await self._db.write(lambda c: c.execute(old).rowcount)


def attach(c: Connection, owner_id: str, conversation_id: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
    """Give files to the conversation one of whose messages carries them, in the transaction that stores the message.

    A file may be one that is not sent yet, or one that another message of the same conversation has.

    Raises:
        NotFound: one of them does not exist, is another's, or belongs to another conversation.
        InvalidRequest: the texts together are more than one message may hold.
    """
    theirs = _UNSENT | (attachments.c.conversation_id == conversation_id)
    if ids:  # of two messages that take the same file along at once, one gets it
        wanted = select(attachments.c.id).where(attachments.c.id.in_(ids), _of(owner_id) & theirs)
        c.execute(wanted.order_by(attachments.c.id).with_for_update()).all()
    found = _in_order(c, ids, _of(owner_id) & theirs)
    if ids:
        mine = attachments.c.id.in_(ids)
        c.execute(update(attachments).where(mine, _UNSENT).values(conversation_id=conversation_id))
    return found


def texts(c: Connection, ids: Collection[str]) -> dict[str, str]:
    """The texts of files by their ids; for those that a store of the person has given out."""
    if not ids:
        return {}
    query = select(attachments.c.id, attachments.c.text).where(attachments.c.id.in_(list(ids)))
    return {row.id: row.text for row in c.execute(query)}


def with_texts(c: Connection, messages: Sequence[StoredMessage]) -> list[StoredMessage]:
    """Messages as a model is to read them: with the texts of their files, which their rows do not hold."""
    known = texts(c, {file.id for message in messages for file in message.attachments})
    return [
        replace(
            message,
            attachments=tuple(replace(file, text=known.get(file.id, "")) for file in message.attachments),
        )
        if message.attachments
        else message
        for message in messages
    ]


_UNSENT: ColumnElement[bool] = attachments.c.conversation_id.is_(None)
_VISIBLE: ColumnElement[bool] = _UNSENT | attachments.c.conversation_id.in_(
    select(conversations.c.id).where(conversations.c.deleted_at.is_(None))
)


def _of(owner_id: str) -> ColumnElement[bool]:
    column = attachments.c.owner_id
    return column == owner_id if owner_id else column.is_(None)


def _in_order(c: Connection, ids: Sequence[str], where: ColumnElement[bool]) -> tuple[Attachment, ...]:
    """These files without their texts; each one once. Raises as `attach`."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return ()
    rows = c.execute(select(*_WITHOUT_TEXT).where(attachments.c.id.in_(wanted), where)).all()
    found = {row.id: _to_attachment(row) for row in rows}
    if len(found) < len(wanted):
        raise _not_found()
    together = sum(file.characters for file in found.values())
    if together > MOST_CHARACTERS:
        raise InvalidRequest(
            f"The files of this message have {together:,} characters, and one message takes at most "
            f"{MOST_CHARACTERS:,}. Leave some of them out.",
            code="attachments_too_long",
            characters=together,
            limit=MOST_CHARACTERS,
        )
    return tuple(found[one] for one in wanted)


def _not_found() -> NotFound:
    return NotFound("This file does not exist any more. Attach it again.", code="attachment_not_found")


def _to_attachment(row: Any) -> Attachment:
    return Attachment(row.id, row.name, row.media_type, row.size, row.characters)
