"""Every storage test runs on SQLite and on a real PostgreSQL of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from falconry.storage.conversations import Conversations
from falconry.storage.database import Database


def postgres_bin() -> Path | None:
    """The newest installed PostgreSQL server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str, None, None]:
    """A PostgreSQL server in a folder of its own, for one test run."""
    programs = postgres_bin()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="falconry-postgres-"))
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, cwd="/")

    run(str(programs / "initdb"), "-D", str(folder / "db"), "-U", "falconry", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", str(folder / "db"), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql+psycopg://falconry@127.0.0.1:{port}"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(folder / "db"), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'falconry.db'}"
    import psycopg

    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{uuid.uuid4().hex}"
    plain = server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
    return f"{server}/{name}"


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncGenerator[Database, None]:
    async with await Database.open(database_url, tmp_path / "running") as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> Conversations:
    return Conversations(database)
