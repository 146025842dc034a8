"""From every released schema to the present one: nothing is lost, whatever happens in between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, text

from falconry.storage import migrate
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.tables import metadata
from falconry.storage.users import Users

OLD = {
    "conversations": ("id", "title", "created_at", "updated_at", "version", "head_id"),
    "messages": ("id", "conversation_id", "parent_id", "depth", "role", "content", "thinking", "status", "params"),
}

# Tries to migrate again and again, and is killed one statement later each time, until it comes through.
KILLER = """
import json, os, signal, sys
from itertools import count
from pathlib import Path
import alembic.command
from sqlalchemy import event
from falconry.storage.database import Database
from falconry.storage.migrate import migrate

for n in count(1):
    child = os.fork()
    if child == 0:
        engine = Database(sys.argv[1], Path(sys.argv[2]))._writer
        seen = 0
        @event.listens_for(engine, "after_cursor_execute")
        def kill(*_):
            global seen
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)
        migrate(engine)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(status), flush=True)
    sys.stdin.readline()
    if status == 0:
        break
"""
OPENER = """
import asyncio, sys
from pathlib import Path
from falconry.storage.database import Database

async def main():
    await (await Database.open(sys.argv[1], Path(sys.argv[2]))).aclose()

asyncio.run(main())
"""


def rows(c: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: [tuple(map(str, row)) for row in c.execute(text(f"SELECT {', '.join(names)} FROM {table} ORDER BY id"))]  # noqa: S608
        for table, names in OLD.items()
    }


def make_first_schema(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """A database as Falconry 0.1 left it, with two conversations; gives what is in it."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for n in (1, 2):
            connection.execute(
                text(
                    "INSERT INTO conversations (id, title, created_at, updated_at, version, head_id) VALUES "
                    "(:id, '猎鹰 🦅', '2026-11-01 10:00:00', 'THEN', 2, :head)".replace(
                        "THEN", f"2026-11-01 10:00:0{n}"
                    )
                ),
                {"id": f"c{n}", "head": f"m{n}2"},
            )
            for depth, role in enumerate(("user", "assistant")):
                connection.execute(
                    text(
                        "INSERT INTO messages (id, conversation_id, parent_id, depth, role, content, thinking, status, "
                        "params, created_at) VALUES (:id, :c, :parent, :depth, :role, 'said', '', 'complete', "
                        ":params, '2026-11-01 10:00:00')"
                    ),
                    {
                        "id": f"m{n}{depth + 1}",
                        "c": f"c{n}",
                        "parent": f"m{n}1" if depth else None,
                        "depth": depth,
                        "role": role,
                        "params": json.dumps({"max_tokens": 5, "stop": ["x"]}) if depth else None,
                    },
                )
        content = rows(connection)
    engine.dispose()
    return content


async def test_the_first_schema_is_brought_up_to_date_and_keeps_its_content(database_url: str, tmp_path: Path) -> None:
    before = make_first_schema(database_url)
    async with await Database.open(database_url, tmp_path / "running") as database:
        assert await database.read(rows) == before
        store = Conversations(database)
        assert [conversation.id for conversation in await store.newest()] == ["c2", "c1"]
        (_, reply) = await store.path("c1")
        assert reply.params is not None
        assert reply.params.stop == ("x",)
        user = await Users(database).add("ada", "user", "a hash")
        assert len(await store.of(user.id).newest()) == 2


def test_the_old_file_is_kept_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'falconry.db'}"
    before = make_first_schema(url)
    subprocess.run([sys.executable, "-c", OPENER, url, str(tmp_path / "running")], check=True)
    (backup,) = tmp_path.glob("falconry.db.0001-*.bak")
    assert backup.stat().st_mode & 0o777 == 0o600
    engine = create_engine(f"sqlite:///{backup}")
    with engine.connect() as connection:
        assert rows(connection) == before
        assert set(inspect(connection).get_table_names()) == {*OLD, "alembic_version"}
    engine.dispose()


@pytest.mark.timeout(300)  # a process for each statement; 12 s on a quiet machine
def test_killed_after_any_statement_it_is_the_old_schema_or_the_new_one(database_url: str, tmp_path: Path) -> None:
    before = make_first_schema(database_url)
    engine = create_engine(database_url)
    killed = 0
    killer = [sys.executable, "-c", KILLER, database_url, str(tmp_path / "running")]
    with subprocess.Popen(killer, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for line in process.stdout:
            with engine.connect() as connection:
                tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
                index = {table for table in tables if table.startswith("search_index")}
                revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                state = (revision, tables - index, bool(index))
                assert state in (("0001", set(OLD), False), (migrate.HEAD, set(metadata.tables), True))
                assert rows(connection) == before
            killed += json.loads(line) == -9
            print(file=process.stdin, flush=True)
    engine.dispose()
    assert process.returncode == 0
    assert killed > 10
    assert revision == migrate.HEAD


def test_of_several_processes_one_migrates(database_url: str, tmp_path: Path) -> None:
    before = make_first_schema(database_url)
    command = [sys.executable, "-c", OPENER, database_url, str(tmp_path / "running")]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[1] for process in started] == [""] * 3
    assert [process.returncode for process in started] == [0] * 3
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert rows(connection) == before
    engine.dispose()
    if database_url.startswith("sqlite"):
        assert len(list(tmp_path.glob("*.bak"))) == 1
