"""The conversations of one person: begun, listed, renamed, put into folders, thrown into the trash, and had back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from falconry.errors import InvalidRequest, NotAuthenticated
from falconry.messages import Conversation
from falconry.storage.attachments import Attachments
from falconry.storage.folders import Folders, require_folder
from falconry.storage.messages import Messages
from falconry.storage.replies import Replies
from falconry.storage.rows import to_conversation
from falconry.storage.tables import conversations, users
from falconry.storage.values import new_id, storable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Changes(TypedDict, total=False):
    """What a person can change of a conversation."""

    title: str
    pinned: bool
    folder_id: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the list ended: whether among the pinned ones, the moment it is ordered by, and the id."""

    pinned: bool
    moment: datetime
    id: str

    def __str__(self) -> str:
        return f"{self.pinned:d}-{(self.moment - _EPOCH) // _MICROSECOND}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """What `str` made of one. Raises ValueError, OverflowError."""
        pinned, moment, last_id = text.split("-")
        return cls(pinned == "1", _EPOCH + int(moment) * _MICROSECOND, last_id)


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Some conversations of a list, and where the next page begins; None after the last one."""

    conversations: list[Conversation]
    next: Cursor | None


class Conversations(Messages, Replies):
    """The store of one person's conversations: of the one at this machine, or of the user with an id."""

    @property
    def folders(self) -> Folders:
        """The same person's folders."""
        return Folders(self._db, self._owner_id)

    @property
    def attachments(self) -> Attachments:
        """The same person's files."""
        return Attachments(self._db, self._owner_id)

    async def create(self, title: str = "") -> Conversation:
        """Raises NotAuthenticated where the owner has been removed meanwhile."""
        now = datetime.now(UTC)
        title = storable(title)
        conversation = Conversation(new_id(), title, now, now, titled_by="person" if title else "message")
        values = {**asdict(conversation), "owner_id": self._owner_id or None}

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            c.execute(insert(conversations).values(values))

        await self._db.write(run)
        return conversation

    async def get(self, conversation_id: str) -> Conversation:
        """Raises ConversationNotFound, also for one that lies in the trash."""
        return await self._db.read(lambda c: self._conversation(c, conversation_id))

    async def newest(self, limit: int = 200) -> list[Conversation]:
        """Those in which somebody talked last, first; comparisons' are not among them."""
        query = select(conversations).where(self._mine, _LISTED).order_by(conversations.c.updated_at.desc())
        rows = await self._db.read(lambda c: c.execute(query.limit(limit)).all())
        return [to_conversation(row) for row in rows]

    async def listed(
        self, limit: int, *, before: Cursor | None = None, folder_id: str | None = None, deleted: bool = False
    ) -> ConversationPage:
        """A page of the list: the pinned ones first, then the others, each the newest first.

        Args:
            before: where the page before ended.
            folder_id: only those in this folder.
            deleted: those in the trash instead, the one that was thrown in last first.
        """
        where: list[ColumnElement[bool]] = [_LISTED]
        if folder_id is not None:
            where.append(conversations.c.folder_id == folder_id)

        def run(c: Connection) -> list[Conversation]:
            if deleted:
                in_trash = [self._owned, conversations.c.deleted_at.is_not(None), *where]
                return _newest(c, in_trash, conversations.c.deleted_at, before, limit + 1)
            # Two questions, because an index answers each of them in order.
            found: list[Conversation] = []
            for pinned in (True, False):
                if before is not None and pinned and not before.pinned:
                    continue
                after = before if before is not None and before.pinned == pinned else None
                these = [self._mine, conversations.c.pinned.is_(pinned), *where]
                found += _newest(c, these, conversations.c.updated_at, after, limit + 1 - len(found))
            return found

        found = await self._db.read(run)
        if len(found) <= limit:
            return ConversationPage(found, None)
        last = found[limit - 1]
        moment = last.deleted_at if deleted and last.deleted_at is not None else last.updated_at
        return ConversationPage(found[:limit], Cursor(last.pinned and not deleted, moment, last.id))

    async def change(self, conversation_id: str, **changes: Unpack[Changes]) -> Conversation:
        """Rename, pin, or put into a folder; it does not move up in the list for that.

        Raises ConversationNotFound, and NotFound for a folder that does not exist.
        """
        values: dict[str, object] = {**changes}
        if "title" in changes:
            values |= {"title": storable(changes["title"]), "titled_by": "person"}

        def run(c: Connection) -> Conversation:
            if (folder_id := changes.get("folder_id")) is not None:
                require_folder(c, self._owner_id, folder_id)
            self._conversation(c, conversation_id, lock=True)
            values["version"] = conversations.c.version + 1
            c.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))
            return self._conversation(c, conversation_id)

        return await self._db.write(run)

    async def entitle(self, conversation_id: str, title: str) -> bool:
        """Give a conversation the title that a model made; False where it has got another one meanwhile, or is gone."""
        untouched = (conversations.c.id == conversation_id) & (conversations.c.titled_by == "message") & self._mine
        values = {"title": storable(title), "titled_by": "model", "version": conversations.c.version + 1}
        return await self._db.write(
            lambda c: c.execute(update(conversations).where(untouched).values(values)).rowcount == 1
        )

    # -- the trash

    async def trash(self, conversation_id: str) -> None:
        """Throw a conversation into the trash, where it does not exist for anything but `restore` and `delete`."""
        await self._set_deleted(conversation_id, datetime.now(UTC), trash=False)

    async def restore(self, conversation_id: str) -> Conversation:
        """Have a conversation back from the trash; one that is not there stays as it is."""
        return await self._set_deleted(conversation_id, None, trash=True)

    async def _set_deleted(self, conversation_id: str, moment: datetime | None, *, trash: bool) -> Conversation:
        def run(c: Connection) -> Conversation:
            _refuse_column(self._conversation(c, conversation_id, lock=True, trash=trash))
            values = {"deleted_at": moment, "version": conversations.c.version + 1}
            c.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))
            return self._conversation(c, conversation_id, trash=True)

        return await self._db.write(run, durable=True)

    async def delete(self, conversation_id: str) -> None:
        """Remove a conversation for good, with its messages and files, in the trash or not."""

        def run(c: Connection) -> None:
            _refuse_column(self._conversation(c, conversation_id, trash=True))
            c.execute(delete(conversations).where(conversations.c.id == conversation_id))

        await self._db.write(run)

    async def purge(self, before: datetime) -> int:
        """Remove for good what went to the trash before a moment, of everybody; gives how many that were."""
        old = conversations.c.deleted_at < before
        ids: Sequence[str] = await self._db.read(
            lambda c: c.execute(select(conversations.c.id).where(old)).scalars().all()
        )
        for conversation_id in ids:  # one by one, so that nobody's message waits for a long list
            this = delete(conversations).where(conversations.c.id == conversation_id, old)
            await self._db.write(lambda c, this=this: c.execute(this))  # type: ignore[misc]
        return len(ids)


def _refuse_column(conversation: Conversation) -> None:
    """A comparison that has lost one of its sides could not be read any more."""
    if conversation.comparison_id is not None:
        raise InvalidRequest(
            "This is one side of a comparison. Delete the whole comparison instead.", code="part_of_comparison"
        )


_LISTED: ColumnElement[bool] = conversations.c.comparison_id.is_(None)


def _newest(
    c: Connection,
    where: Sequence[ColumnElement[bool]],
    moment: ColumnElement[datetime],
    before: Cursor | None,
    limit: int,
) -> list[Conversation]:
    query = select(conversations).where(*where).order_by(moment.desc(), conversations.c.id.desc()).limit(limit)
    if before is not None:
        same = and_(moment == before.moment, conversations.c.id < before.id)
        query = query.where(or_(moment < before.moment, same))
    return [to_conversation(row) for row in c.execute(query)]
