from __future__ import annotations

import asyncio
import importlib
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from falconry.errors import StorageError
from falconry.storage import migrate
from falconry.storage.database import Database
from falconry.storage.tables import metadata


def columns(c: Connection) -> dict[str, set[tuple[str, bool]]]:
    found = inspect(c)
    return {
        table: {(column["name"], bool(column["nullable"])) for column in found.get_columns(table)}
        for table in found.get_table_names()
        # The index of words is each database's own kind of table, and tests/storage/test_search.py looks into it.
        if table != "alembic_version" and not table.startswith("search_index")
    }


async def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    expected = {
        table.name: {(column.name, bool(column.nullable)) for column in table.columns}
        for table in metadata.tables.values()
    }
    assert await database.read(columns) == expected


async def test_indexes_are_made_too(database: Database) -> None:
    def names(c: Connection) -> set[str | None]:
        return {index["name"] for table in metadata.tables for index in inspect(c).get_indexes(table)}

    expected = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert await database.read(names) == expected


def test_every_migration_file_is_known() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    files = sorted(path.stem for path in versions.glob("[0-9]*.py"))
    assert tuple(name.partition("_")[0] for name in files) == migrate.REVISIONS
    assert migrate.REVISIONS[-1] == migrate.HEAD
    newest = importlib.import_module(f"falconry.storage.migrations.versions.{files[-1]}")
    assert newest.revision == migrate.HEAD


async def test_two_openings_at_once_migrate_once(database_url: str, tmp_path: Path) -> None:
    opened = await asyncio.gather(*(Database.open(database_url, tmp_path / "running") for _ in range(4)))
    for database in opened:
        assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM alembic_version")).scalar()) == 1
        await database.aclose()


async def test_a_newer_schema_is_refused_and_left_alone(database_url: str, tmp_path: Path) -> None:
    async with await Database.open(database_url, tmp_path / "running") as database:
        await database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StorageError) as error:
        await Database.open(database_url, tmp_path / "running")
    assert error.value.code == "storage_newer"


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(StorageError) as error:
        await Database.open(f"sqlite:///{path}", tmp_path / "running")
    assert error.value.code == "storage_foreign"


@pytest.mark.parametrize("content", [b"not a database at all, but long" * 100, b"SQLite format 3\x00junk" * 400])
async def test_a_damaged_file_is_refused_and_its_bytes_are_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "falconry.db"
    path.write_bytes(content)
    with pytest.raises(StorageError) as error:
        await Database.open(f"sqlite:///{path}", tmp_path / "running")
    assert error.value.code == "storage_damaged"
    assert path.read_bytes() == content


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "falconry.db"
    async with await Database.open(f"sqlite:///{path}", tmp_path / "running"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        (lock,) = (tmp_path / "running").iterdir()
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


async def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(StorageError) as error:
        await Database.open("postgresql://nobody@127.0.0.1:1/none", tmp_path / "running")
    assert error.value.code == "storage_driver"


async def test_a_server_that_is_away_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as error:
        await Database.open("postgresql://nobody:secret@127.0.0.1:1/none", tmp_path / "running")
    assert "secret" not in error.value.message
    assert error.value.status == 503


async def test_user_messages_are_committed_with_full_synchronisation(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "running") as database:
        full = await database.write(lambda c: c.execute(text("PRAGMA synchronous")).scalar(), durable=True)
        normal = await database.write(lambda c: c.execute(text("PRAGMA synchronous")).scalar())
    assert (full, normal) == (2, 1)
