"""Bring the schema up to date when Falconry starts, and keep a copy of the file it was before.

Alembic is imported only when there is something to do: `HEAD` is compared with the table `alembic_version` first.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from falconry.errors import StorageError

HEAD = "0005"
REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
)  # oldest first; a test compares them with the files in migrations/versions
POSTGRES_LOCK = 0x46414C43  # "FALC": one process migrates, the others wait


def migrate(engine: Engine) -> None:
    """Migrate to HEAD inside one transaction: afterwards the schema is the new one or, after any failure, the old.

    Raises:
        StorageError: newer than this Falconry, or not a database of Falconry's at all. Nothing was changed.
    """
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
        revision = _revision(connection)
        if revision == HEAD:
            return
        if revision is not None and revision not in REVISIONS:
            raise StorageError(
                "The database was written by a newer Falconry. "
                "Update Falconry, or set FALCONRY_DATA_DIR to another folder.",
                code="storage_newer",
            )
        if revision is not None and engine.dialect.name == "sqlite":
            _back_up(Path(engine.url.database or ""), revision)
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    """The stored schema revision; None for an empty database."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StorageError(
            "This database belongs to another program. "
            "Set FALCONRY_DATA_DIR or FALCONRY_DATABASE_URL to another place.",
            code="storage_foreign",
        )
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(revision) if revision is not None else None


def _back_up(path: Path, revision: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.{revision}-{stamp}.bak")
    # A connection of its own: the writer's one already holds the lock, and readers may copy beside it.
    source, copy = sqlite3.connect(path), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    target.chmod(0o600)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # 0.3 s of imports that most starts can do without
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
