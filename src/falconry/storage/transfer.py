"""Whole conversations out of the database and into it: trees with all versions, files and folders.

What comes in comes in one transaction, with new ids, to one owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from falconry.errors import NotAuthenticated
from falconry.messages import Attachment, Conversation, StoredMessage
from falconry.storage.attachments import image_of
from falconry.storage.rows import message_values, to_conversation, to_message
from falconry.storage.scope import Scoped
from falconry.storage.tables import attachments, conversations, folders, messages, users
from falconry.storage.values import new_id, storable

ROWS = 500  # that are written by one statement


@dataclass(frozen=True, slots=True)
class TreeMessage:
    """A message with what only its row knows of it."""

    message: StoredMessage
    rated_at: datetime | None = None
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """A conversation with all its messages.

    Attributes:
        messages: parents before their children.
        files: those of all its messages, with what is in them.
        origin: by what name it is known where it came from; None where it was begun here.
        folder: the name of its folder.
    """

    conversation: Conversation
    messages: tuple[TreeMessage, ...] = ()
    files: tuple[Attachment, ...] = ()
    origin: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """How many conversations were taken, how many were there already, and the ids of the new ones."""

    added: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Names:
    """New ids for old ones."""

    known: dict[str, str] = field(default_factory=dict)

    def of(self, old: str) -> str:
        return self.known.setdefault(old, new_id())


class TransferStore(Scoped):
    """The trees of one person's conversations. Those of comparisons are no conversations of their own."""

    async def ids(self) -> list[str]:
        """Of all conversations, the oldest first."""
        query = select(conversations.c.id).where(self._mine, conversations.c.comparison_id.is_(None))
        ordered = query.order_by(conversations.c.created_at, conversations.c.id)
        return list(await self._db.read(lambda c: c.execute(ordered).scalars().all()))

    async def folders(self) -> list[str]:
        """The names of all folders."""
        mine = folders.c.owner_id == self._owner_id if self._owner_id else folders.c.owner_id.is_(None)
        query = select(folders.c.name).where(mine).order_by(folders.c.name, folders.c.id)
        return list(dict.fromkeys(await self._db.read(lambda c: c.execute(query).scalars().all())))

    async def tree(self, conversation_id: str) -> Tree:
        """Raises ConversationNotFound."""
        return await self._db.read(lambda c: self._tree(c, conversation_id))

    def _tree(self, c: Connection, conversation_id: str) -> Tree:
        self._conversation(c, conversation_id)
        row = c.execute(select(conversations).where(conversations.c.id == conversation_id)).one()
        said = (
            select(messages)
            .where(messages.c.conversation_id == conversation_id)
            .order_by(messages.c.depth, messages.c.created_at, messages.c.id)
        )
        files = (
            select(*(attachments.c[name] for name in ("id", "name", "media_type", "size", "text", "picture")))
            .where(attachments.c.conversation_id == conversation_id)
            .order_by(attachments.c.created_at, attachments.c.id)
        )
        folder = select(folders.c.name).where(folders.c.id == row.folder_id)
        return Tree(
            to_conversation(row),
            tuple(TreeMessage(to_message(each), each.rated_at, each.left_at) for each in c.execute(said)),
            tuple(
                Attachment(
                    each.id, each.name, each.media_type, each.size, len(each.text), each.text, image_of(each.picture)
                )
                for each in c.execute(files)
            ),
            row.source,
            c.execute(folder).scalar() if row.folder_id else None,
        )

    async def add(self, trees: Sequence[Tree], folder_names: Sequence[str] = ()) -> Imported:
        """Store trees under new ids, all or none. What is here already, by its id or origin, is left out.

        Raises NotAuthenticated where the owner has been removed meanwhile.
        """

        def run(c: Connection) -> Imported:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            known = self._known(c)
            new: list[Tree] = []
            for tree in trees:
                names = _origins(tree)
                if names.isdisjoint(known):
                    new.append(tree)
                    known |= names
            folder_ids = self._folder_ids(c, [*folder_names, *(tree.folder for tree in new if tree.folder)])
            added = [self._insert(c, tree, folder_ids) for tree in new]
            return Imported(tuple(added), len(trees) - len(new))

        return await self._db.write(run, durable=True)

    def _known(self, c: Connection) -> set[str]:
        """The ids and origins of what is here; not of the trash, from which an import is to bring things back."""
        rows = c.execute(select(conversations.c.id, conversations.c.source).where(self._mine)).all()
        return {f"falconry:{row.id}" for row in rows} | {row.source for row in rows if row.source}

    def _folder_ids(self, c: Connection, names: Sequence[str]) -> Mapping[str, str]:
        """Folders by name; those that are missing are made."""
        mine = folders.c.owner_id == self._owner_id if self._owner_id else folders.c.owner_id.is_(None)
        found = {row.name: row.id for row in c.execute(select(folders.c.id, folders.c.name).where(mine))}
        for name in dict.fromkeys(map(storable, names)):
            if name not in found:
                found[name] = new_id()
                row = {"id": found[name], "name": name, "owner_id": self._owner_id or None}
                c.execute(insert(folders).values(created_at=datetime.now(UTC), **row))
        return found

    def _insert(self, c: Connection, tree: Tree, folder_ids: Mapping[str, str]) -> str:
        names = _Names()
        old = tree.conversation
        conversation_id = new_id()
        values = {
            **asdict(old),
            "id": conversation_id,
            "title": storable(old.title),
            "head_id": names.of(old.head_id) if old.head_id else None,
            "folder_id": folder_ids[storable(tree.folder)] if tree.folder else None,
            "deleted_at": None,
            "comparison_id": None,
            "place": None,
            "owner_id": self._owner_id or None,
            "source": tree.origin or f"falconry:{old.id}",
        }
        c.execute(insert(conversations).values(values))
        files = [
            {
                "id": names.of(file.id),
                "owner_id": self._owner_id or None,
                "conversation_id": conversation_id,
                "name": storable(file.name),
                "media_type": storable(file.media_type),
                "size": file.size,
                "text": storable(file.text),
                "picture": file.image.data if file.image else None,
                "created_at": old.created_at + timedelta(microseconds=place),  # which keeps their order
            }
            for place, file in enumerate(tree.files)
        ]
        rows = [_row(each, conversation_id, names) for each in tree.messages]
        for table, made in ((attachments, files), (messages, rows)):
            for start in range(0, len(made), ROWS):
                c.execute(insert(table), made[start : start + ROWS])
        return conversation_id


def _origins(tree: Tree) -> set[str]:
    return {f"falconry:{tree.conversation.id}"} | ({tree.origin} if tree.origin else set())


def _row(each: TreeMessage, conversation_id: str, names: _Names) -> dict[str, Any]:
    message = each.message
    context = message.context
    if context is not None and context.start_id is not None:
        context = replace(context, start_id=names.of(context.start_id))
    renamed = replace(
        message,
        id=names.of(message.id),
        conversation_id=conversation_id,
        parent_id=names.of(message.parent_id) if message.parent_id else None,
        context=context,
        attachments=tuple(replace(file, id=names.of(file.id)) for file in message.attachments),
        correction=None if message.correction is None else storable(message.correction),
    )
    return {**message_values(renamed), "rated_at": each.rated_at, "left_at": each.left_at}
