"""A chat over any engine a test brings along, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from falconry.chat.chat import Chat
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.messages import StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database

OpenChat = Callable[[Engine], AbstractAsyncContextManager[Chat]]


def pool_of(engine: Engine) -> EnginePool:
    spec = ModelSpec("test", "Test", engine.kind, lambda: engine)
    return EnginePool({"test": spec}, "test", loaded_models=1)


@pytest.fixture
def open_chat(tmp_path: Path) -> OpenChat:
    @asynccontextmanager
    async def opened(engine: Engine) -> AsyncGenerator[Chat, None]:
        async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as database:
            pool = pool_of(engine)
            chat = Chat(Conversations(database), pool, unwatched_limit=60.0)
            try:
                yield chat
            finally:
                await chat.aclose()
                await pool.aclose()

    return opened


async def ended(chat: Chat, reply: StoredMessage) -> StoredMessage:
    """Wait until a reply has ended and give it as stored."""
    with chat.watch(reply.conversation_id) as watcher:
        while (running := chat.find(reply.id)) is not None and running.status == "running":
            await watcher.wait(10)
    return await chat.message(reply.id)


async def until_text(chat: Chat, reply: StoredMessage, characters: int) -> str:
    """Wait until so many characters of a running reply are shown."""
    with chat.watch(reply.conversation_id) as watcher:
        while (running := chat.find(reply.id)) is not None and len(running.text) < characters:
            await watcher.wait(10)
    return running.text if running else ""
