"""Sessions and API keys on disk. Of a token or key only its SHA-256 comes here, never itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, Select, Table, delete, func, insert, or_, select, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.storage.database import Database
from falconry.storage.tables import api_keys, sessions, users
from falconry.storage.users import Role, User
from falconry.storage.values import new_id

Kind: TypeAlias = Literal["session", "key"]
MOST_SESSIONS = 100  # of one user; a further one ends the oldest
MOST_KEYS = 100  # of one user


@dataclass(frozen=True, slots=True)
class Credential:
    """A session or key that is good now, and whose it is. `scopes` is None for a session: all that the role allows."""

    id: str
    kind: Kind
    user_id: str
    user_name: str
    role: Role
    scopes: frozenset[str] | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A login of a user."""

    id: str
    user_id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a user, without what opens the door. `prefix` are its first characters."""

    id: str
    user_id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Credentials:
    """The store of sessions and keys. Every question takes the present moment, so that nothing outlives its end."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # -- sessions

    async def add_session(self, user: User, token_hash: str, now: datetime, expires_at: datetime) -> Session:
        """Raises NotAuthenticated where the user has been removed, or got another password, since `user` was read."""
        session = Session(new_id(), user.id, now, now, expires_at)

        def run(c: Connection) -> None:
            same = (users.c.id == user.id) & (users.c.password_hash == user.password_hash)
            if c.execute(select(users.c.id).where(same).with_for_update(read=True)).first() is None:
                raise NotAuthenticated("Log in again: the password has been changed.", code="password_changed")
            newest = (
                select(sessions.c.id)
                .where(sessions.c.user_id == user.id)
                .order_by(sessions.c.created_at.desc())
                .offset(MOST_SESSIONS - 1)
            )
            c.execute(delete(sessions).where(or_(sessions.c.expires_at <= now, sessions.c.id.in_(newest))))
            c.execute(
                insert(sessions).values(
                    id=session.id,
                    user_id=user.id,
                    token_hash=token_hash,
                    created_at=now,
                    last_used_at=now,
                    expires_at=expires_at,
                )
            )

        await self._db.write(run)
        return session

    async def sessions_of(self, user_id: str, now: datetime) -> list[Session]:
        """The newest first."""
        mine = (sessions.c.user_id == user_id) & (sessions.c.expires_at > now)
        query = select(sessions).where(mine).order_by(sessions.c.created_at.desc())
        rows = await self._db.read(lambda c: c.execute(query).all())
        return [Session(row.id, row.user_id, row.created_at, row.last_used_at, row.expires_at) for row in rows]

    async def end_sessions(self, user_id: str, session_id: str | None = None) -> int:
        """End one session of a user, or all of them; gives how many there were."""
        theirs = sessions.c.user_id == user_id
        if session_id is not None:
            theirs &= sessions.c.id == session_id
        return await self._db.write(lambda c: c.execute(delete(sessions).where(theirs)).rowcount)

    # -- keys

    async def add_key(self, key: ApiKey, key_hash: str) -> None:
        """Raises NotFound for an unknown user, InvalidRequest where the user has too many keys."""

        def run(c: Connection) -> None:
            user = select(users.c.id).where(users.c.id == key.user_id).with_for_update()
            if c.execute(user).first() is None:
                raise NotFound("This user does not exist.", code="user_not_found")
            count = select(func.count()).select_from(api_keys).where(api_keys.c.user_id == key.user_id)
            if c.execute(count).scalar_one() >= MOST_KEYS:
                raise InvalidRequest(
                    f"There are {MOST_KEYS} keys already. Revoke one first.", code="too_many_keys", most=MOST_KEYS
                )
            c.execute(
                insert(api_keys).values(
                    id=key.id,
                    user_id=key.user_id,
                    name=key.name,
                    key_hash=key_hash,
                    prefix=key.prefix,
                    scopes=" ".join(sorted(key.scopes)),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )

        await self._db.write(run, durable=True)

    async def keys_of(self, user_id: str) -> list[ApiKey]:
        """The newest first; those past their end as well, until they are revoked."""
        query = select(api_keys).where(api_keys.c.user_id == user_id).order_by(api_keys.c.created_at.desc())
        return [_to_key(row) for row in await self._db.read(lambda c: c.execute(query).all())]

    async def revoke_key(self, user_id: str, key_id: str) -> None:
        """Raises NotFound where this user has no such key."""
        theirs = (api_keys.c.user_id == user_id) & (api_keys.c.id == key_id)
        if await self._db.write(lambda c: c.execute(delete(api_keys).where(theirs)).rowcount, durable=True) == 0:
            raise NotFound("This key does not exist.", code="key_not_found")

    # -- at the door

    async def find(self, kind: Kind, secret_hash: str, now: datetime) -> Credential | None:
        """The session or key with this hash, as long as it is good."""
        column = sessions.c.token_hash if kind == "session" else api_keys.c.key_hash
        query = _good(kind, now).where(column == secret_hash)
        row = await self._db.read(lambda c: c.execute(query).first())
        return _to_credential(kind, row) if row is not None else None

    async def good(self, ids: Collection[str], now: datetime) -> list[Credential]:
        """Which of these sessions and keys are still good, as they are now."""

        def run(c: Connection) -> list[Credential]:
            found = []
            kinds: tuple[tuple[Kind, Table], ...] = (("session", sessions), ("key", api_keys))
            for kind, table in kinds:
                rows = c.execute(_good(kind, now).where(table.c.id.in_(ids)))
                found += [_to_credential(kind, row) for row in rows]
            return found

        return await self._db.read(run)

    async def touch(self, credential: Credential, now: datetime) -> None:
        """Store that a session or key was used."""
        table = sessions if credential.kind == "session" else api_keys
        statement = update(table).where(table.c.id == credential.id).values(last_used_at=now)
        await self._db.write(lambda c: c.execute(statement))


def _good(kind: Kind, now: datetime) -> Select[Any]:
    table = sessions if kind == "session" else api_keys
    columns = [table.c.id, table.c.user_id, table.c.last_used_at, users.c.name.label("user_name"), users.c.role]
    if kind == "key":
        columns.append(api_keys.c.scopes)
    query = select(*columns).join(users, users.c.id == table.c.user_id)
    return query.where(or_(table.c.expires_at.is_(None), table.c.expires_at > now))


def _to_credential(kind: Kind, row: Row[Any]) -> Credential:
    scopes = frozenset(row.scopes.split()) if kind == "key" else None
    return Credential(row.id, kind, row.user_id, row.user_name, row.role, scopes, row.last_used_at)


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.user_id,
        row.name,
        row.prefix,
        frozenset(row.scopes.split()),
        row.created_at,
        row.expires_at,
        row.last_used_at,
    )
