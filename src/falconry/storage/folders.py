"""The folders in which a person keeps conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.storage.database import Database
from falconry.storage.tables import conversations, folders, users
from falconry.storage.values import new_id, storable

MOST_FOLDERS = 500  # of one person


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, and how many conversations are in it; those in the trash do not count."""

    id: str
    name: str
    count: int = 0


class Folders:
    """The folders of one person: of the one at this machine, or of the user with an id."""

    def __init__(self, database: Database, owner_id: str = "") -> None:
        self._db = database
        self._owner_id = owner_id
        self._mine = _of(owner_id)

    def of(self, owner_id: str) -> Folders:
        """The folders of another person; "" is the one at this machine."""
        return Folders(self._db, owner_id)

    async def all(self) -> list[Folder]:
        """In the order of their names."""
        found = await self._db.read(lambda c: _counted(c, self._mine))
        return sorted(found, key=lambda folder: (folder.name.casefold(), folder.id))

    async def create(self, name: str) -> Folder:
        """Raises NotAuthenticated where the owner has been removed meanwhile, InvalidRequest beyond the limit."""
        folder = Folder(new_id(), storable(name))

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            if c.execute(select(func.count()).select_from(folders).where(self._mine)).scalar_one() >= MOST_FOLDERS:
                raise InvalidRequest(
                    f"There are {MOST_FOLDERS} folders already. Delete one first.",
                    code="too_many_folders",
                    limit=MOST_FOLDERS,
                )
            values = {"owner_id": self._owner_id or None, "created_at": datetime.now(UTC)}
            c.execute(insert(folders).values({"id": folder.id, "name": folder.name, **values}))

        await self._db.write(run)
        return folder

    async def rename(self, folder_id: str, name: str) -> Folder:
        """Raises NotFound."""

        def run(c: Connection) -> Folder:
            require_folder(c, self._owner_id, folder_id, changed=True)
            c.execute(update(folders).where(folders.c.id == folder_id).values(name=storable(name)))
            return _counted(c, folders.c.id == folder_id)[0]

        return await self._db.write(run)

    async def delete(self, folder_id: str) -> None:
        """Delete a folder; its conversations stay, without one. Raises NotFound."""

        def run(c: Connection) -> None:
            require_folder(c, self._owner_id, folder_id, changed=True)
            c.execute(delete(folders).where(folders.c.id == folder_id))

        await self._db.write(run)


def require_folder(c: Connection, owner_id: str, folder_id: str, *, changed: bool = False) -> None:
    """Raises NotFound where a person has no such folder.

    It stays until the transaction ends; with `changed` nobody else changes it either. Whoever locks conversations too
    locks the folder first.
    """
    query = select(folders.c.id).where(folders.c.id == folder_id, _of(owner_id))
    lock = query.with_for_update() if changed else query.with_for_update(read=True, key_share=True)
    if c.execute(lock).first() is None:
        raise NotFound("This folder does not exist.", code="folder_not_found")


def _of(owner_id: str) -> ColumnElement[bool]:
    column = folders.c.owner_id
    return column == owner_id if owner_id else column.is_(None)


def _counted(c: Connection, where: ColumnElement[bool]) -> list[Folder]:
    inside = (conversations.c.folder_id == folders.c.id) & conversations.c.deleted_at.is_(None)
    count = func.count(conversations.c.id)
    query = (
        select(folders.c.id, folders.c.name, count)
        .outerjoin(conversations, inside & conversations.c.comparison_id.is_(None))
        .where(where)
        .group_by(folders.c.id, folders.c.name)
    )
    return [Folder(*row) for row in c.execute(query)]
