"""Looks at a database without changing it: whether it is whole, which schema it has, and how many users."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from falconry.errors import StorageError
from falconry.storage.database import storage_error
from falconry.storage.migrate import HEAD, REVISIONS

State: TypeAlias = Literal["whole", "new", "older", "newer", "foreign", "damaged", "unreachable"]


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """`new`: there is none yet. `older`: it will be brought up to date at the next start, with a backup."""

    state: State
    kind: Literal["SQLite", "PostgreSQL"]
    revision: str | None = None
    size: int = 0  # bytes, SQLite only
    reason: str = ""  # for `damaged` and `unreachable`, without the URL


def check_database(url: str) -> DatabaseCheck:
    """Check what a SQLAlchemy URL points at. Never raises for what it finds."""
    if url.startswith("sqlite"):
        return _check_sqlite(Path(url.partition("///")[2]))
    return _check_postgres(url)


@dataclass(frozen=True, slots=True)
class UserCount:
    """How many users there are, and how many of them are admins."""

    all: int = 0
    admins: int = 0


def count_users(url: str) -> UserCount:
    """Count the users of a database; there are none where there is no database, or an older one, yet.

    Raises StorageError where it cannot be read.
    """
    is_sqlite = url.startswith("sqlite")
    if is_sqlite:
        path = Path(url.partition("///")[2])
        if not path.exists():
            return UserCount()
        url = f"sqlite:///file:{quote(str(path.absolute()))}?mode=ro&uri=true"
    try:
        engine = create_engine(_with_driver(url), connect_args={} if is_sqlite else {"connect_timeout": 5})
        try:
            with engine.connect() as connection:
                if "users" not in inspect(connection).get_table_names():
                    return UserCount()
                roles = connection.execute(text("SELECT role FROM users")).scalars().all()
        finally:
            engine.dispose()
    except DBAPIError as error:
        raise storage_error(error) from error
    except (ModuleNotFoundError, SQLAlchemyError) as error:
        raise StorageError(
            f"The database cannot be read: {type(error).__name__}. Check FALCONRY_DATABASE_URL."
        ) from error
    return UserCount(len(roles), sum(role == "admin" for role in roles))


def _with_driver(url: str) -> str:
    if url.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + url.split("://", 1)[1]
    return url


def _check_sqlite(path: Path) -> DatabaseCheck:
    if not path.exists() or path.stat().st_size == 0:
        return DatabaseCheck("new", "SQLite")
    size = path.stat().st_size
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
            if faults != ["ok"]:
                return DatabaseCheck("damaged", "SQLite", size=size, reason=str(faults[0])[:200])
            row = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return DatabaseCheck("damaged", "SQLite", size=size, reason=str(error)[:200])
    revision = row[0] if row else None
    return DatabaseCheck(_schema_state(tables, revision), "SQLite", revision, size)


def _check_postgres(url: str) -> DatabaseCheck:
    try:
        engine = create_engine(_with_driver(url), connect_args={"connect_timeout": 5})
        try:
            with engine.connect() as connection:
                tables = set(inspect(connection).get_table_names())
                revision = None
                if "alembic_version" in tables:
                    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        finally:
            engine.dispose()
    except ModuleNotFoundError:
        return DatabaseCheck("unreachable", "PostgreSQL", reason="pip install 'falconry[postgres]'")
    except SQLAlchemyError as error:
        # The driver's sentence names host and user, the first line of it never the password.
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0][:200]
        return DatabaseCheck("unreachable", "PostgreSQL", reason=reason)
    return DatabaseCheck(_schema_state(tables, revision), "PostgreSQL", revision)


def _schema_state(tables: set[str], revision: str | None) -> State:
    if not tables:
        return "new"
    if revision is None:
        return "foreign"
    if revision == HEAD:
        return "whole"
    return "older" if revision in REVISIONS else "newer"
