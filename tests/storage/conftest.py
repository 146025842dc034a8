"""Every storage test runs on SQLite and on a real PostgreSQL of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from benchmarks.postgres import postgres_server
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str, None, None]:
    """A PostgreSQL server in a folder of its own, for one test run."""
    with postgres_server() as url:
        if url is None:
            pytest.skip("PostgreSQL's server is not installed")
        yield url.removesuffix("/postgres")


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
