"""Nobody reaches what another person says, by whatever id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from falconry.chat.chat import Chat
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool
from falconry.errors import ConversationNotFound, EngineError, ReplyNotFound
from falconry.messages import Delta, StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.users import Users
from tests.chat.conftest import ended, pool_of, until_text


@pytest.fixture
async def chats(tmp_path: Path) -> AsyncGenerator[list[Chat], None]:
    """The chats of ada, of bob, and of the person at the machine. Replies take for ever."""
    async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as database:
        users, pool = Users(database), pool_of(CannedEngine(rate=20.0))
        local = Chat(Conversations(database), pool)
        chats = [local.of((await users.add(name, "user", "a hash")).id) for name in ("ada", "bob")]
        yield [*chats, local]
        await local.aclose()
        await pool.aclose()


@asynccontextmanager
async def reply_in_flight(chat: Chat) -> AsyncGenerator[StoredMessage, None]:
    conversation = await chat.create_conversation()
    _, reply = await chat.ask(conversation.id, "hello", parent_id=None)
    yield reply
    await chat.stop(reply.id)


async def test_another_persons_running_reply_cannot_be_found_stopped_or_answered(chats: list[Chat]) -> None:
    ada, *others = chats
    async with reply_in_flight(ada) as reply:
        for stranger in others:
            assert stranger.running(reply.conversation_id) is None
            assert stranger.find(reply.id) is None
            for attempt in (
                stranger.message(reply.id),
                stranger.stop(reply.id),
                stranger.regenerate(reply.id),
                stranger.resume(reply.id),
                stranger.prompt(reply.id),
            ):
                with pytest.raises(ReplyNotFound):
                    await attempt
            for other in (
                stranger.conversation(reply.conversation_id),
                stranger.messages(reply.conversation_id),
                stranger.context(reply.conversation_id),
                stranger.delete_conversation(reply.conversation_id),
                stranger.ask(reply.conversation_id, "and I?", parent_id=reply.id),
            ):
                with pytest.raises(ConversationNotFound):
                    await other
        running = ada.running(reply.conversation_id)
        assert running is not None
        assert running.status == "running"
        assert ada.find(reply.id) is running


async def test_a_list_shows_what_is_ones_own(chats: list[Chat]) -> None:
    created = [await chat.create_conversation() for chat in chats]
    for chat, own in zip(chats, created, strict=True):
        assert await chat.conversations() == [own]


async def test_watchers_wake_for_what_is_their_own(chats: list[Chat]) -> None:
    ada, bob, local = chats
    with bob.watch(None) as his_list, local.watch(None) as local_list, ada.watch(None) as her_list:
        async with reply_in_flight(ada) as reply:
            with bob.watch(reply.conversation_id) as foreign, ada.watch(reply.conversation_id) as own:
                assert await own.wait(10)
                await ada.stop(reply.id)
                assert await own.wait(10)
                assert not await foreign.wait(0)
        assert await her_list.wait(10)
        assert not await his_list.wait(0)
        assert not await local_list.wait(0)


async def test_a_stranger_who_watches_does_not_keep_a_reply_alive(chats: list[Chat]) -> None:
    ada, bob, _ = chats
    async with reply_in_flight(ada) as reply:
        running = ada.find(reply.id)
        assert running is not None
        with bob.watch(reply.conversation_id):
            await asyncio.sleep(0)
            assert ada._replies.unwatched_seconds(running) > 0
        with ada.watch(reply.conversation_id):
            assert ada._replies.unwatched_seconds(running) == 0
        assert 0 < ada._replies.unwatched_seconds(running) < 60


async def test_all_chats_end_together(chats: list[Chat]) -> None:
    ada, _, local = chats
    conversation = await ada.create_conversation()
    _, reply = await ada.ask(conversation.id, "hello", parent_id=None)
    await local.aclose()
    assert (await ended(ada, reply)).status == "interrupted"
    with pytest.raises(EngineError) as error:
        await ada.ask(conversation.id, "again", parent_id=reply.id)
    assert error.value.code == "shutting_down"


async def test_the_engines_hear_who_asks(chats: list[Chat], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    generate = EnginePool.generate

    def noting(*arguments: Any, owner: str = "", **others: Any) -> AsyncGenerator[Delta, None]:
        seen.append(owner)
        return generate(*arguments, owner=owner, **others)

    monkeypatch.setattr(EnginePool, "generate", noting)
    for chat in chats:
        async with reply_in_flight(chat) as reply:
            await until_text(chat, reply, 1)
    assert seen == [chat._owner_id for chat in chats]
    assert len(set(seen)) == 3


async def test_the_reply_of_somebody_who_was_removed_ends_and_gives_its_model_back(chats: list[Chat]) -> None:
    ada, bob, _ = chats
    conversation = await ada.create_conversation()
    _, reply = await ada.ask(conversation.id, "hello", parent_id=None)
    await until_text(ada, reply, 1)
    running = ada.find(reply.id)
    assert running is not None
    assert running.task is not None
    async with reply_in_flight(bob) as other:
        # As another process does it, `falconry users remove` for instance: nobody tells this one.
        users = Users(ada._store._db)
        await users.set_role((await users.find("bob") or pytest.fail("no bob")).id, "admin")
        await users.remove(ada._owner_id)
        async with asyncio.timeout(5):
            await running.task
        assert ada.find(reply.id) is None
        assert running.status == "interrupted"
        still = bob.find(other.id)
        assert still is not None
        assert still.status == "running"
