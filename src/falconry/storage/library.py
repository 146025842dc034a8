"""Personas and prompts of a person's own on disk. What they mean is told in falconry.library.

A store belongs to one person: what is another's does not exist for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, insert, select, text, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.storage.database import Database
from falconry.storage.tables import personas, prompts, users
from falconry.storage.values import new_id, storable

MOST_ENTRIES = 200
"""Of each kind for one person; no list is longer."""
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class StoredEntry(Generic[Content]):
    """One row. `content` is a text, or JSON."""

    id: str
    name: str
    content: Content
    created_at: datetime
    updated_at: datetime


class Shelf(Generic[Content]):
    """One person's entries of one kind, personas or prompts.

    Args:
        key: what two names have in common that may not both be there.
    """

    def __init__(self, database: Database, table: Table, key: Callable[[str], str], owner_id: str = "") -> None:
        self._db = database
        self._table = table
        self._key = key
        self._owner_id = owner_id
        column = table.c.owner_id
        self._mine: ColumnElement[bool] = column == owner_id if owner_id else column.is_(None)

    def of(self, owner_id: str) -> Shelf[Content]:
        """The shelf of another person's; "" is the one at this machine."""
        return Shelf(self._db, self._table, self._key, owner_id)

    async def all(self) -> list[StoredEntry[Content]]:
        """By name."""
        query = select(self._table).where(self._mine).order_by(self._table.c.created_at, self._table.c.id)
        rows = await self._db.read(lambda c: c.execute(query).all())
        return sorted((_to_entry(row) for row in rows), key=lambda entry: entry.name.casefold())

    async def get(self, entry_id: str) -> StoredEntry[Content]:
        """Raises NotFound."""
        return await self._db.read(lambda c: _to_entry(self._row(c, entry_id)))

    async def add(self, entries: Sequence[tuple[str, Content]]) -> list[StoredEntry[Content]]:
        """Add entries, all or none.

        Raises:
            InvalidRequest: a name is taken (`name_in_use`), or there are too many (`library_full`).
            NotAuthenticated: the owner has been removed meanwhile.
        """
        now = datetime.now(UTC)
        new = [StoredEntry(new_id(), storable(name), _storable(content), now, now) for name, content in entries]

        def run(c: Connection) -> None:
            self._alone(c)
            self._owner_is_there(c)
            taken = self._keys(c)
            for entry in new:
                self._refuse_taken(taken, entry.name)
                taken[self._key(entry.name)] = entry.id
            if len(taken) > MOST_ENTRIES:
                raise InvalidRequest(
                    f"There is room for {MOST_ENTRIES} of them. Delete some first.",
                    code="library_full",
                    limit=MOST_ENTRIES,
                )
            for entry in new:
                c.execute(insert(self._table).values(**_values(entry), owner_id=self._owner_id or None))

        if new:
            await self._db.write(run, durable=True)
        return new

    async def change(self, entry_id: str, name: str, content: Content) -> StoredEntry[Content]:
        """Raises NotFound, and InvalidRequest where another one has the name."""

        def run(c: Connection) -> StoredEntry[Content]:
            self._alone(c)
            before = _to_entry(self._row(c, entry_id))
            taken = {key: other for key, other in self._keys(c).items() if other != entry_id}
            self._refuse_taken(taken, storable(name))
            now = datetime.now(UTC)
            after = StoredEntry(entry_id, storable(name), _storable(content), before.created_at, now)
            c.execute(update(self._table).where(self._table.c.id == entry_id).values(**_values(after)))
            return after

        return await self._db.write(run, durable=True)

    async def remove(self, entry_id: str) -> None:
        """Raises NotFound."""

        def run(c: Connection) -> None:
            self._row(c, entry_id)
            c.execute(delete(self._table).where(self._table.c.id == entry_id))

        await self._db.write(run, durable=True)

    def _row(self, c: Connection, entry_id: str) -> Row[Any]:
        row = c.execute(select(self._table).where(self._table.c.id == entry_id, self._mine)).first()
        if row is None:
            raise NotFound("This does not exist, or not any more.", code="entry_not_found")
        return row

    def _keys(self, c: Connection) -> dict[str, str]:
        """What names are taken, and by which id."""
        rows = c.execute(select(self._table.c.name, self._table.c.id).where(self._mine)).all()
        return {self._key(row.name): row.id for row in rows}

    def _refuse_taken(self, taken: Mapping[str, str], name: str) -> None:
        if self._key(name) in taken:
            raise InvalidRequest(
                f"You have one named “{name}” already. Choose another name.", code="name_in_use", name=name
            )

    def _alone(self, c: Connection) -> None:
        """Let nobody else write here until the transaction ends. SQLite has one writer anyway."""
        if c.dialect.name == "postgresql":
            c.execute(text(f"LOCK TABLE {self._table.name} IN SHARE ROW EXCLUSIVE MODE"))

    def _owner_is_there(self, c: Connection) -> None:
        # Locked, so that nobody removes it before this is written.
        owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
        if self._owner_id and c.execute(owner).first() is None:
            raise NotAuthenticated("This account does not exist any more.", code="account_gone")


def persona_shelf(database: Database, key: Callable[[str], str]) -> Shelf[dict[str, Any]]:
    """The shelf of the personas of the person at this machine."""
    return Shelf(database, personas, key)


def prompt_shelf(database: Database, key: Callable[[str], str]) -> Shelf[str]:
    """The shelf of the prompts of the person at this machine."""
    return Shelf(database, prompts, key)


def _storable(value: Any) -> Any:
    """The same with all texts as both databases can hold them."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _values(entry: StoredEntry[Any]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "content": entry.content,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }


def _to_entry(row: Row[Any]) -> StoredEntry[Any]:
    return StoredEntry(row.id, row.name, row.content, row.created_at, row.updated_at)
