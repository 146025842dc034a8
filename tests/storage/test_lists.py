"""The list of a person's conversations: order, pages, pins, folders, and the trash."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from falconry.errors import ConversationNotFound, InvalidRequest, NotAuthenticated, NotFound, ReplyNotFound
from falconry.messages import Conversation
from falconry.storage import folders as folders_module
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations, Cursor
from falconry.storage.database import Database
from falconry.storage.tables import conversations
from falconry.storage.users import Users
from falconry.storage.values import new_id
from tests.storage.talk import reply_to, say, talk


async def ids(store: Conversations, limit: int = 3, **options: object) -> list[list[str]]:
    """The whole list, page by page."""
    pages, before = [], None
    while True:
        page = await store.listed(limit, before=before, **options)  # type: ignore[arg-type]
        pages.append([conversation.id for conversation in page.conversations])
        before = Cursor.parse(str(page.next)) if page.next else None
        if before is None:
            return pages


async def test_the_list_comes_in_pages_the_newest_first(store: Conversations) -> None:
    made = [(await store.create(str(n))).id for n in range(7)]
    newest = made[::-1]
    assert await ids(store) == [newest[:3], newest[3:6], newest[6:]]
    assert await ids(store, limit=7) == [newest]
    assert await ids(store, limit=100) == [newest]


async def test_pinned_ones_come_first_over_all_pages(store: Conversations) -> None:
    made = [(await store.create(str(n))).id for n in range(6)]
    for n in (0, 2, 3, 4):
        await store.change(made[n], pinned=True)
    order = [made[n] for n in (4, 3, 2, 0, 5, 1)]
    assert await ids(store) == [order[:3], order[3:]]
    assert await ids(store, limit=4) == [order[:4], order[4:]]
    assert await ids(store, limit=1) == [[one] for one in order]


async def test_pages_neither_lose_nor_repeat_what_was_changed_at_the_same_moment(
    database: Database, store: Conversations
) -> None:
    made = {(await store.create(str(n))).id for n in range(9)}
    now = datetime.now(UTC)
    await database.write(lambda c: c.execute(update(conversations).values(updated_at=now)))
    found = [one for page in await ids(store, limit=2) for one in page]
    assert len(found) == 9
    assert set(found) == made


async def test_renaming_pinning_and_filing_do_not_move_a_conversation(store: Conversations) -> None:
    conversation = await store.create()
    folder = await store.folders.create("Birds")
    changed = await store.change(conversation.id, title="Falcons \x00", pinned=True, folder_id=folder.id)
    assert (changed.title, changed.titled_by, changed.pinned, changed.folder_id) == (
        "Falcons \ufffd",
        "person",
        True,
        folder.id,
    )
    assert (changed.updated_at, changed.version) == (conversation.updated_at, conversation.version + 1)
    assert await store.get(conversation.id) == changed
    assert (await store.change(conversation.id, folder_id=None)).folder_id is None
    assert (await store.change(conversation.id)).pinned


async def test_a_folder_shows_its_own_and_counts_them(store: Conversations) -> None:
    birds, fish = await store.folders.create("birds"), await store.folders.create("Arctic fish")
    made = [(await store.create(str(n))).id for n in range(3)]
    for one in made[:2]:
        await store.change(one, folder_id=birds.id)
    await store.change(made[0], pinned=True)
    assert await ids(store, folder_id=birds.id) == [[made[0], made[1]]]
    assert [(folder.name, folder.count) for folder in await store.folders.all()] == [("Arctic fish", 0), ("birds", 2)]
    await store.trash(made[1])
    renamed = await store.folders.rename(birds.id, "Falcons")
    assert (renamed.name, renamed.count) == ("Falcons", 1)
    await store.folders.delete(birds.id)
    assert (await store.get(made[0])).folder_id is None
    assert (await store.restore(made[1])).folder_id is None
    assert [folder.id for folder in await store.folders.all()] == [fish.id]


async def test_a_folder_that_is_filled_and_deleted_at_once_holds_up_nobody(store: Conversations) -> None:
    made = [(await store.create(str(n))).id for n in range(8)]
    folder = await store.folders.create("Birds")
    filling = [store.change(one, folder_id=folder.id) for one in made]
    deleting = [store.folders.delete(folder.id) for _ in range(4)]
    results = await asyncio.gather(*filling[:4], *deleting, *filling[4:], return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert all(isinstance(result, Conversation | NotFound) for result in results if result is not None)
    assert {(await store.get(one)).folder_id for one in made} == {None}


async def test_there_are_so_many_folders_and_no_more(store: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders_module, "MOST_FOLDERS", 2)
    for name in ("a", "b"):
        await store.folders.create(name)
    with pytest.raises(InvalidRequest) as error:
        await store.folders.create("c")
    assert error.value.code == "too_many_folders"


async def test_what_lies_in_the_trash_does_not_exist(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, reply = await store.path(conversation_id)
    await store.trash(conversation_id)
    assert await store.newest() == []
    assert await ids(store) == [[]]
    assert await store.transcript(reply.id) == []
    for attempt in (
        store.get(conversation_id),
        store.path(conversation_id),
        store.trash(conversation_id),
        store.change(conversation_id, pinned=True),
        store.show(conversation_id, question.id, reply.id),
        store.append_turn(conversation_id, reply.id, "x", reply_to(conversation_id)),
        store.append_reply(reply.id, question.id, reply_to(conversation_id)),
        store.reopen_reply(reply),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    for other in (store.message(reply.id), store.rate(reply.id, 1, None), store.delete_branch(question.id)):
        with pytest.raises(ReplyNotFound):
            await other


async def test_a_conversation_comes_back_from_the_trash_as_it_was(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    before, path = await store.get(conversation_id), await store.path(conversation_id)
    await store.trash(conversation_id)
    assert [c.id for c in (await store.listed(5, deleted=True)).conversations] == [conversation_id]
    restored = await store.restore(conversation_id)
    assert (restored.deleted_at, restored.updated_at, restored.head_id) == (None, before.updated_at, before.head_id)
    assert await store.path(conversation_id) == path
    assert (await store.listed(5, deleted=True)).conversations == []
    assert (await store.restore(conversation_id)).deleted_at is None
    with pytest.raises(ConversationNotFound):
        await store.restore(new_id())


async def test_the_trash_comes_in_pages_the_last_thrown_first(store: Conversations) -> None:
    made = [(await store.create(str(n))).id for n in range(5)]
    await store.change(made[0], pinned=True)
    for n in (3, 0, 4, 1):
        await store.trash(made[n])
    order = [made[n] for n in (1, 4, 0, 3)]
    assert await ids(store, limit=2, deleted=True) == [order[:2], order[2:]]


async def test_only_what_has_been_in_the_trash_long_enough_is_removed(database: Database, store: Conversations) -> None:
    ada = store.of((await Users(database).add("ada", "user", "a hash")).id)
    old, recent, kept = await talk(ada, 1), await talk(ada, 1), await talk(ada, 1)
    for one in (old, recent):
        await ada.trash(one)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    this = update(conversations).where(conversations.c.id == old)
    await database.write(lambda c: c.execute(this.values(deleted_at=long_ago)))
    assert await store.purge(datetime.now(UTC) - timedelta(days=30)) == 1
    with pytest.raises(ConversationNotFound):
        await ada.restore(old)
    assert (await ada.restore(recent)).id == recent
    assert len(await ada.path(kept)) == 2


async def test_for_good_is_for_good_from_the_trash_too(store: Conversations) -> None:
    first, second = await talk(store, 1), await talk(store, 1)
    await store.trash(first)
    for one in (first, second):
        await store.delete(one)
        with pytest.raises(ConversationNotFound):
            await store.restore(one)


async def test_the_columns_of_a_comparison_are_never_listed(database: Database, store: Conversations) -> None:
    comparison = await ComparisonStore(database).create(["one", "two"], blind=True)
    column, plain = comparison.columns[0], await talk(store, 1)
    await say(store, column, "hello")
    folder = await store.folders.create("Birds")
    for one in (column, plain):
        await store.change(one, folder_id=folder.id)
    assert [c.id for c in await store.newest()] == [plain]
    assert await ids(store) == await ids(store, folder_id=folder.id) == [[plain]]
    assert [one.count for one in await store.folders.all()] == [1]
    assert len(await store.path(column)) == 2


async def test_a_models_title_gives_way_to_a_persons(store: Conversations) -> None:
    first, named, gone = await talk(store, 1), await talk(store, 1), await talk(store, 1)
    updated = (await store.get(first)).updated_at
    assert await store.entitle(first, "Falcons")
    found = await store.get(first)
    assert (found.title, found.titled_by, found.updated_at) == ("Falcons", "model", updated)
    assert not await store.entitle(first, "Once more")
    await store.change(named, title="Mine")
    assert not await store.entitle(named, "Falcons")
    await store.trash(gone)
    assert not await store.entitle(gone, "Falcons")
    assert not await store.entitle((await store.create("Given")).id, "Falcons")


async def test_another_persons_folders_and_trash_do_not_exist(database: Database, store: Conversations) -> None:
    users = Users(database)
    ada = store.of((await users.add("ada", "user", "a hash")).id)
    bob = store.of((await users.add("bob", "user", "a hash")).id)
    folder = await ada.folders.create("Hers")
    conversation_id, his = await talk(ada, 1), await talk(bob, 1)
    for stranger in (bob, store):
        assert await stranger.folders.all() == []
        for attempt in (
            stranger.folders.rename(folder.id, "x"),
            stranger.folders.delete(folder.id),
            bob.change(his, folder_id=folder.id),
        ):
            with pytest.raises(NotFound):
                await attempt
    await ada.trash(conversation_id)
    for stranger in (bob, store):
        assert (await stranger.listed(5, deleted=True)).conversations == []
        for other in (stranger.restore(conversation_id), stranger.delete(conversation_id)):
            with pytest.raises(ConversationNotFound):
                await other
    assert [one.name for one in await ada.folders.all()] == ["Hers"]
    await users.remove(bob._owner_id)
    with pytest.raises(NotAuthenticated):
        await bob.folders.create("late")


async def test_a_list_of_thousands_is_read_by_the_page(database: Database, store: Conversations) -> None:
    """Both questions are answered in the order of an index, so a page costs what it shows."""
    if not database.is_sqlite:
        pytest.skip("asks SQLite for its plan")
    await say(store, (await store.create()).id, "hello")
    mine = store._mine & conversations.c.pinned.is_(False)
    query = select(conversations).where(mine).order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
    compiled = str(query.limit(50).compile(compile_kwargs={"literal_binds": True}))
    plan = await database.read(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all())
    assert any("ix_conversations_owner_id_updated_at" in row[3] for row in plan)
