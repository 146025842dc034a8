from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from falconry.errors import ConversationNotFound, NotAuthenticated, ReplyNotFound, StaleConversation
from falconry.messages import ContextUse, Grammar, SamplingParams, Usage
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.users import Users
from falconry.storage.values import new_id
from tests.storage.talk import reply_to, talk

pytestmark = pytest.mark.asyncio


async def test_a_turn_comes_back_as_it_went_in(store: Conversations) -> None:
    conversation = await store.create("Birds")
    question, reply = await store.append_turn(conversation.id, None, "What flies?", reply_to(conversation.id))
    context = ContextUse(12, 0.0, 2048, None, 0, "Be brief.")
    await store.save_context(reply.id, "eyas", context)
    error = {"code": "engine_interrupted", "message": "broke off", "details": {"n": 1}}
    final = replace(
        reply,
        model="eyas",
        content="A falcon.",
        thinking="hm",
        status="interrupted",
        finish_reason="stop",
        usage=Usage(12, 3, 4),
        context=context,
        error=error,
        seconds=1.5,
    )
    await store.finish_reply(final)
    assert await store.path(conversation.id) == [question, final]
    assert (await store.get(conversation.id)).title == "Birds"


async def test_all_settings_of_a_reply_come_back_as_they_were(store: Conversations) -> None:
    conversation = await store.create()
    grammar = Grammar("json_schema", '{"type": "object"}')
    params = SamplingParams(logit_bias=((7, -100.0), (8, 0.5)), stop=("x", "y"), grammar=grammar, seed=3)
    draft = replace(reply_to(conversation.id), params=params)
    _, reply = await store.append_turn(conversation.id, None, "hello", draft)
    assert (await store.message(reply.id)).params == params


async def test_the_first_message_gives_the_title(store: Conversations) -> None:
    conversation = await store.create()
    await store.append_turn(conversation.id, None, "  Which animals\nlive  here? ", reply_to(conversation.id))
    assert (await store.get(conversation.id)).title == "Which animals live here?"


async def test_a_stale_writer_is_refused_and_nothing_is_lost(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    before = await store.path(conversation_id)
    with pytest.raises(StaleConversation):
        await store.append_turn(conversation_id, before[1].id, "late", reply_to(conversation_id))
    assert await store.path(conversation_id) == before


async def test_of_many_writers_at_once_exactly_one_wins(store: Conversations) -> None:
    conversation = await store.create()
    tries = [store.append_turn(conversation.id, None, f"q{n}", reply_to(conversation.id)) for n in range(8)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, tuple) for result in results) == 1
    assert sum(isinstance(result, StaleConversation) for result in results) == 7
    assert len(await store.path(conversation.id)) == 2


async def test_another_reply_is_a_sibling_and_the_first_is_kept(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, first = await store.path(conversation_id)
    second = await store.append_reply(first.id, question.id, reply_to(conversation_id))
    assert [m.id for m in await store.path(conversation_id)] == [question.id, second.id]
    assert (await store.message(first.id)).content == "answer 0"


async def test_a_path_comes_in_pages_from_its_end(store: Conversations) -> None:
    conversation_id = await talk(store, 5)
    last = await store.path(conversation_id, limit=4)
    assert [m.content for m in last] == ["question 3", "answer 3", "question 4", "answer 4"]
    earlier = await store.path(conversation_id, before=last[0].id, limit=2)
    assert [m.content for m in earlier] == ["question 2", "answer 2"]
    assert await store.path(conversation_id, before=earlier[0].id, limit=100) == (await store.path(conversation_id))[:4]


async def test_every_change_raises_the_version(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    version = (await store.get(conversation_id)).version
    (_, reply) = await store.path(conversation_id)
    await store.reopen_reply(reply)
    assert (await store.get(conversation_id)).version > version


async def test_a_reply_is_reopened_once(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    (_, reply) = await store.path(conversation_id)
    assert (await store.reopen_reply(reply)).status == "running"
    with pytest.raises(StaleConversation):
        await store.reopen_reply(reply)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\x00b", "a\ufffdb"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("🦅 猎鹰 مرحبا \u202e rtl", "🦅 猎鹰 مرحبا \u202e rtl"),
        ("tab\tand\r\nlines", "tab\tand\r\nlines"),
        ("x" * 1_000_000, "x" * 1_000_000),
    ],
)
async def test_text_is_the_same_on_both_databases(store: Conversations, text: str, stored: str) -> None:
    conversation = await store.create()
    question, reply = await store.append_turn(conversation.id, None, text, reply_to(conversation.id))
    await store.save_text(reply.id, text, text)
    assert [m.content for m in await store.path(conversation.id)] == [stored, stored]
    assert question.content == stored


async def test_replies_of_a_dead_process_are_interrupted_and_those_of_a_live_one_are_not(
    database_url: str, tmp_path: Path
) -> None:
    locks = tmp_path / "running"
    alive = await Database.open(database_url, locks)
    dead = await Database.open(database_url, locks)
    ids = []
    for database in (alive, dead):
        store = Conversations(database)
        conversation = await store.create()
        _, reply = await store.append_turn(conversation.id, None, "hello", reply_to(conversation.id))
        await store.save_text(reply.id, "so far", "")
        ids.append(reply.id)
    await dead.aclose()
    async with await Database.open(database_url, locks) as newcomer:
        store = Conversations(newcomer)
        assert await store.interrupt_orphans() == [ids[1]]
        assert (await store.message(ids[0])).status == "running"
        interrupted = await store.message(ids[1])
        assert (interrupted.status, interrupted.content) == ("interrupted", "so far")
    await alive.aclose()


async def test_what_does_not_exist_is_said_so(store: Conversations) -> None:
    with pytest.raises(ConversationNotFound):
        await store.get(new_id())
    with pytest.raises(ReplyNotFound):
        await store.message(new_id())
    with pytest.raises(ConversationNotFound):
        await store.delete(new_id())


async def test_a_deleted_conversation_takes_its_messages_along(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    (question, _) = await store.path(conversation_id)
    await store.delete(conversation_id)
    with pytest.raises(ReplyNotFound):
        await store.message(question.id)
    assert await store.newest() == []


async def test_writers_and_readers_side_by_side_lose_nothing(store: Conversations) -> None:
    async def write(n: int) -> str:
        return await talk(store, 10)

    async def read() -> None:
        for _ in range(20):
            await store.newest()

    ids = await asyncio.gather(*(write(n) for n in range(8)))
    await asyncio.gather(*(read() for _ in range(4)))
    for conversation_id in ids:
        assert len(await store.path(conversation_id)) == 20


async def user_in(database: Database, name: str) -> str:
    return (await Users(database).add(name, "user", "a hash")).id


async def test_another_persons_conversation_does_not_exist(database: Database, store: Conversations) -> None:
    ada, bob = store.of(await user_in(database, "ada")), store.of(await user_in(database, "bob"))
    conversation_id = await talk(ada, 2)
    (question, reply, *_) = await ada.path(conversation_id)
    head = (await ada.get(conversation_id)).head_id or ""
    foreign = reply_to(conversation_id)
    for stranger in (bob, store, store.of("nobody")):
        assert await stranger.newest() == []
        assert await stranger.transcript(head) == []
        for attempt in (
            stranger.get(conversation_id),
            stranger.path(conversation_id),
            stranger.path(conversation_id, before=reply.id),
            stranger.delete(conversation_id),
            stranger.append_turn(conversation_id, head, "mine now", foreign),
            stranger.append_turn(conversation_id, None, "mine now", foreign),
            stranger.append_reply(head, question.id, foreign),
            stranger.reopen_reply(reply),
        ):
            with pytest.raises(ConversationNotFound):
                await attempt
        for message in (question, reply):
            with pytest.raises(ReplyNotFound):
                await stranger.message(message.id)
    assert len(await ada.path(conversation_id)) == 4


async def test_a_page_of_messages_does_not_begin_in_another_persons_conversation(
    database: Database, store: Conversations
) -> None:
    ada, bob = store.of(await user_in(database, "ada")), store.of(await user_in(database, "bob"))
    hers, his = await talk(ada, 3), await talk(bob, 3)
    foreign = (await ada.path(hers))[-1]
    assert await bob.path(his, before=foreign.id) == []


async def test_nothing_is_begun_for_somebody_who_was_removed(database: Database, store: Conversations) -> None:
    await user_in(database, "ada")
    bob = await user_in(database, "bob")
    await Users(database).remove(bob)
    with pytest.raises(NotAuthenticated):
        await store.of(bob).create()
