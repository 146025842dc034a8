from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from falconry.chat.trash import emptied_daily
from falconry.errors import ConversationNotFound, StorageError
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database


async def gone(store: Conversations, conversation_id: str) -> None:
    """Wait until a conversation is not even in the trash."""
    async with asyncio.timeout(10):
        while (await store.listed(5, deleted=True)).conversations:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with pytest.raises(ConversationNotFound):
        await store.restore(conversation_id)


async def test_the_trash_is_emptied_at_the_start_and_again_and_again(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as database:
        store = Conversations(database)
        first, second = await store.create(), await store.create()
        await store.trash(first.id)
        async with emptied_daily(store, 1e-9, every=0.02):
            await gone(store, first.id)
            await store.trash(second.id)
            await gone(store, second.id)


async def test_what_was_thrown_away_lately_stays(tmp_path: Path) -> None:
    class Noting(Conversations):
        asked: datetime | None = None

        async def purge(self, before: datetime) -> int:
            Noting.asked = before
            raise StorageError("The disk is full.")

    async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as database:
        async with emptied_daily(Noting(database), 30.0):
            async with asyncio.timeout(10):
                while Noting.asked is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        assert abs(datetime.now(UTC) - Noting.asked - timedelta(days=30)) < timedelta(seconds=20)
