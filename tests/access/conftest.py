"""People over a database of the test's own, with hashes that cost less than real ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from falconry.access.passwords import Passwords
from falconry.access.people import People
from falconry.storage.database import Database

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD = "correct horse"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database, None]:
    async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as opened:
        yield opened


@pytest.fixture
async def people(database: Database) -> AsyncGenerator[People, None]:
    opened = People(database, passwords=Passwords(QUICK))
    yield opened
    await opened.aclose()


@pytest.fixture
async def elsewhere(database: Database) -> AsyncGenerator[People, None]:
    """The same people seen by another process: it has a memory of its own."""
    opened = People(database, passwords=Passwords(QUICK))
    yield opened
    await opened.aclose()
