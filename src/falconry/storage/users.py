"""The people of one Falconry on disk: names, roles, password hashes, and whose what is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, text, update

from falconry.errors import InvalidRequest, NotFound
from falconry.storage.database import Database
from falconry.storage.tables import (
    attachments,
    comparisons,
    conversations,
    folders,
    personas,
    prompts,
    sessions,
    users,
)
from falconry.storage.values import new_id, storable

Role: TypeAlias = Literal["admin", "user"]

_TALK = (conversations, folders, attachments, comparisons)
_LIBRARY = (personas, prompts)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a name and a password. The hash does not show where a user is printed or logged."""

    id: str
    name: str
    role: Role
    created_at: datetime
    password_hash: str = field(repr=False)


class Users:
    """The store of users."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, name: str, role: Role, password_hash: str) -> User:
        """Add a user. The first one becomes an admin, and gets what was here before: it was the same person's.

        Raises InvalidRequest where the name is taken, in whatever case.
        """
        now = datetime.now(UTC)

        def run(c: Connection) -> User:
            _alone(c)
            if _row(c, name) is not None:
                raise InvalidRequest(f"There is a user named “{name}” already.", code="name_taken", name=name)
            first = c.execute(select(func.count()).select_from(users)).scalar_one() == 0
            user = User(new_id(), name, "admin" if first else role, now, password_hash)
            c.execute(
                insert(users).values(
                    id=user.id,
                    name=name,
                    name_key=name_key(name),
                    role=user.role,
                    password_hash=password_hash,
                    created_at=now,
                )
            )
            if first:
                _hand_over(c, None, user.id, (*_TALK, *_LIBRARY))
            return user

        return await self._db.write(run, durable=True)

    async def all(self) -> list[User]:
        """In the order in which they came."""
        query = select(users).order_by(users.c.created_at, users.c.id)
        return [_to_user(row) for row in await self._db.read(lambda c: c.execute(query).all())]

    async def any(self) -> bool:
        return await self._db.read(lambda c: c.execute(select(users.c.id).limit(1)).first() is not None)

    async def find(self, name: str) -> User | None:
        """The user with a name. Nobody has one that no database could hold."""
        if storable(name) != name:
            return None
        row = await self._db.read(lambda c: _row(c, name))
        return _to_user(row) if row is not None else None

    async def get(self, user_id: str) -> User:
        """Raises NotFound."""
        return await self._db.read(lambda c: _user(c, user_id))

    async def conversations_of(self, user_id: str) -> int:
        """How many conversations a user has; those in the trash and a comparison's columns do not count."""
        shown = conversations.c.deleted_at.is_(None) & conversations.c.comparison_id.is_(None)
        query = select(func.count()).select_from(conversations).where(conversations.c.owner_id == user_id, shown)
        return await self._db.read(lambda c: c.execute(query).scalar_one())

    async def remove(self, user_id: str, *, heir_id: str | None = None) -> None:
        """Remove a user with all sessions and keys, and all that is theirs.

        Another user may get the conversations, with their folders, files and comparisons. What the last user has stays,
        for the person at this machine, who then needs no login.

        Raises InvalidRequest for the only admin beside other users, NotFound for an unknown user or heir.
        """

        def run(c: Connection) -> None:
            _alone(c)
            user = _user(c, user_id)
            others = c.execute(select(users.c.role).where(users.c.id != user_id)).scalars().all()
            if others:
                _refuse_last_admin(user, list(others))
            if heir_id == user_id:
                raise NotFound("This user does not exist.", code="user_not_found")
            heir = _user(c, heir_id).id if heir_id is not None else None
            if heir is not None:
                _hand_over(c, user_id, heir, _TALK)
            elif not others:
                _hand_over(c, user_id, None, (*_TALK, *_LIBRARY))
            c.execute(delete(users).where(users.c.id == user_id))

        await self._db.write(run, durable=True)

    async def set_password(self, user_id: str, password_hash: str, *, keep_session: str = "") -> None:
        """Change a password and end the user's sessions, but for one. Raises NotFound."""

        def run(c: Connection) -> None:
            _user(c, user_id)
            c.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))
            theirs = (sessions.c.user_id == user_id) & (sessions.c.id != keep_session)
            c.execute(delete(sessions).where(theirs))

        await self._db.write(run, durable=True)

    async def renew_hash(self, user: User, password_hash: str) -> bool:
        """Store another hash of the same password; False where the password was changed meanwhile."""
        same = (users.c.id == user.id) & (users.c.password_hash == user.password_hash)
        statement = update(users).where(same).values(password_hash=password_hash)
        return await self._db.write(lambda c: c.execute(statement).rowcount == 1)

    async def set_role(self, user_id: str, role: Role) -> None:
        """Raises NotFound, and InvalidRequest where no admin would be left."""

        def run(c: Connection) -> None:
            _alone(c)
            user = _user(c, user_id)
            if role != "admin":
                others = c.execute(select(users.c.role).where(users.c.id != user_id)).scalars().all()
                _refuse_last_admin(user, list(others))
            c.execute(update(users).where(users.c.id == user_id).values(role=role))

        await self._db.write(run, durable=True)


def name_key(name: str) -> str:
    """What two names have in common that a person takes for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.strip()).casefold())


def _hand_over(c: Connection, from_id: str | None, to_id: str | None, tables: tuple[Table, ...]) -> None:
    for table in tables:
        owner = table.c.owner_id
        theirs = owner == from_id if from_id is not None else owner.is_(None)
        c.execute(update(table).where(theirs).values(owner_id=to_id))


def _alone(c: Connection) -> None:
    """Let nobody else change users until the transaction ends. SQLite has one writer anyway."""
    if c.dialect.name == "postgresql":
        c.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def _refuse_last_admin(user: User, other_roles: list[str]) -> None:
    if user.role == "admin" and "admin" not in other_roles:
        raise InvalidRequest(
            f"{user.name} is the only admin. Make another user an admin first.", code="last_admin", name=user.name
        )


def _row(c: Connection, name: str) -> Row[Any] | None:
    return c.execute(select(users).where(users.c.name_key == name_key(name))).first()


def _user(c: Connection, user_id: str) -> User:
    row = c.execute(select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise NotFound("This user does not exist.", code="user_not_found")
    return _to_user(row)


def _to_user(row: Row[Any]) -> User:
    return User(row.id, row.name, row.role, row.created_at, row.password_hash)
