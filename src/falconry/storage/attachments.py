"""Files that people attach to their messages: of each its name and its text, or the picture that it is.

A file is uploaded before the message is sent. Until then it belongs to no conversation, and is thrown away after a day;
`attach` gives it to the conversation, with which it goes one day. As everywhere, what is another's does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.messages import PICTURE_TYPES, Attachment, Image, StoredMessage
from falconry.protocols.images import MOST_IMAGES, read_image
from falconry.storage.database import Database
from falconry.storage.tables import attachments, conversations, users
from falconry.storage.values import new_id, storable

UNSENT_FOR = timedelta(days=1)
MOST_UNSENT = 100  # of one person; a further one takes the oldest one's place
MOST_UNSENT_BYTES = 256 * 2**20  # of one person's pictures among them; the oldest files make room, too
MOST_CHARACTERS = 2_000_000  # in all files of one message
MOST_PICTURES = MOST_IMAGES  # of one message
MOST_PICTURE_BYTES = 32 * 2**20  # of one message's pictures together
MOST_SHOWN_BYTES = 64 * 2**20
"""Of all pictures that one prompt may show a model: the newest, and the others are named."""

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

    async def add(
        self, name: str, media_type: str, size: int, text: str = "", *, picture: bytes | None = None
    ) -> Attachment:
        """Keep a file that is not sent yet: its text, or the bytes of a picture.

        Raises NotAuthenticated where its owner has been removed meanwhile.
        """
        text = storable(text)
        added = Attachment(new_id(), storable(name), storable(media_type), size, len(text))
        row = {
            "id": added.id,
            "owner_id": self._owner_id or None,
            "name": added.name,
            "media_type": added.media_type,
            "size": size,
            "text": text,
            "picture": picture,
            "created_at": datetime.now(UTC),
        }

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            self._make_room(c, size if picture else 0)
            c.execute(insert(attachments).values(row))

        await self._db.write(run)
        return added

    def _make_room(self, c: Connection, size: int) -> None:
        """Delete the oldest unsent files that are too many with one more, or too much with a picture of some bytes."""
        columns = (attachments.c.id, attachments.c.media_type, attachments.c.size)
        newest_first = attachments.c.created_at.desc()
        too_many: list[str] = []
        for place, row in enumerate(c.execute(select(*columns).where(self._mine, _UNSENT).order_by(newest_first)), 1):
            size += row.size if row.media_type in PICTURE_TYPES else 0
            if place >= MOST_UNSENT or size > MOST_UNSENT_BYTES:
                too_many.append(row.id)
        if too_many:
            c.execute(delete(attachments).where(attachments.c.id.in_(too_many)))

    async def get(self, attachment_id: str) -> Attachment:
        """One file with what is in it. Raises NotFound; what lies in the trash with its conversation does not exist."""
        return (await self.find([attachment_id]))[0]

    async def find(self, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """These files with what is in them, in this order. Raises NotFound, and InvalidRequest as `attach`."""

        def run(c: Connection) -> tuple[Attachment, ...]:
            return _filled(c, _in_order(c, ids, self._mine & _VISIBLE), MOST_PICTURE_BYTES)

        return await self._db.read(run)

    async def about(self, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """These files without what is in them; what does not exist is left out."""
        query = select(*_WITHOUT_TEXT).where(attachments.c.id.in_(list(ids)), self._mine & _VISIBLE)
        return tuple([_to_attachment(row) for row in await self._db.read(lambda c: c.execute(query).all())])

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
        InvalidRequest: the texts, or the pictures, together are more than one message may hold.
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


def with_contents(c: Connection, messages: Sequence[StoredMessage], *, most: int | None = None) -> list[StoredMessage]:
    """Messages as a model is to read them: with what is in their files, which their rows do not hold.

    Args:
        most: bytes of all pictures together, of which the newest are read; `MOST_SHOWN_BYTES` by default.
    """
    files = [file for message in messages for file in message.attachments]
    known = {file.id: file for file in _filled(c, files, MOST_SHOWN_BYTES if most is None else most)}
    return [
        replace(message, attachments=tuple(known[file.id] for file in message.attachments))
        if message.attachments
        else message
        for message in messages
    ]


def _filled(c: Connection, files: Sequence[Attachment], most: int) -> tuple[Attachment, ...]:
    """The same files with their texts and pictures; for those that a store of the person has given out."""
    documents = _contents(c, attachments.c.text, [file.id for file in files if not file.is_picture])
    pictures = _contents(c, attachments.c.picture, _newest_pictures(files, most))
    return tuple(
        replace(file, image=image_of(pictures.get(file.id)))
        if file.is_picture
        else replace(file, text=documents.get(file.id, ""))
        for file in files
    )


def _contents(c: Connection, column: ColumnElement[Any], ids: Collection[str]) -> dict[str, Any]:
    """One column of these files by their ids."""
    if not ids:
        return {}
    query = select(attachments.c.id, column).where(attachments.c.id.in_(list(ids)))
    return {row[0]: row[1] for row in c.execute(query)}


def _newest_pictures(files: Sequence[Attachment], most: int) -> list[str]:
    """The ids of the last pictures that do not have too many bytes together."""
    found: dict[str, None] = {}
    size = 0
    for file in reversed(files):
        if file.is_picture and file.id not in found:
            size += file.size
            if size > most:
                break
            found[file.id] = None
    return list(found)


def image_of(data: bytes | None) -> Image | None:
    """What was let in once may be more than today's limits let in: it is named then, and the conversation goes on."""
    if data is None:
        return None
    with suppress(InvalidRequest):
        return read_image(bytes(data), "picture")
    return None


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
    _refuse_too_many_pictures([file.size for file in found.values() if file.is_picture])
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


def _refuse_too_many_pictures(sizes: Sequence[int]) -> None:
    if len(sizes) > MOST_PICTURES:
        raise InvalidRequest(
            f"One message takes at most {MOST_PICTURES} pictures. Leave some of them out.",
            code="too_many_pictures",
            limit=MOST_PICTURES,
        )
    if sum(sizes) > MOST_PICTURE_BYTES:
        raise InvalidRequest(
            f"The pictures of one message may have {MOST_PICTURE_BYTES // 2**20} MiB together. Leave some of them out.",
            code="pictures_too_large",
            limit_mib=MOST_PICTURE_BYTES // 2**20,
        )


def _not_found() -> NotFound:
    return NotFound("This file does not exist any more. Attach it again.", code="attachment_not_found")


def _to_attachment(row: Any) -> Attachment:
    return Attachment(row.id, row.name, row.media_type, row.size, row.characters)
