"""Files beside messages, on both databases: whose they are, and how long they are kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.messages import Attachment, StoredMessage
from falconry.storage.attachments import MOST_CHARACTERS, MOST_UNSENT, Attachments, attach, with_contents
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.tables import attachments, conversations
from falconry.storage.users import Users


@pytest.fixture
def files(database: Database) -> Attachments:
    return Attachments(database)


async def send(database: Database, conversation_id: str, *ids: str, owner: str = "") -> tuple[Attachment, ...]:
    """As a message does that carries them."""
    return await database.write(lambda c: attach(c, owner, conversation_id, ids))


async def test_a_file_comes_back_as_added(files: Attachments) -> None:
    added = await files.add("笔记.txt", "text/plain", 99, "猎鹰 🦅\n")
    assert (added.name, added.size, added.characters, added.text) == ("笔记.txt", 99, 5, "")
    found = await files.get(added.id)
    assert found.text == "猎鹰 🦅\n"
    assert await files.unsent() == [added]


async def test_what_no_database_can_hold_is_replaced(files: Attachments) -> None:
    added = await files.add("a\0b", "text/plain", 3, "x\0\ud800y")
    assert (await files.get(added.id)).text == "x\ufffd\ufffdy"
    assert added.name == "a\ufffdb"


async def test_files_go_with_a_message_in_its_order(
    files: Attachments, store: Conversations, database: Database
) -> None:
    one, two = [await files.add(name, "text/plain", 1, name) for name in ("one", "two")]
    conversation = await store.create()
    assert await send(database, conversation.id, two.id, one.id, two.id) == (two, one)
    assert await files.unsent() == []
    again = await send(database, conversation.id, one.id)  # an edited message keeps its file
    assert again == (one,)


async def test_of_two_messages_that_take_a_file_along_at_once_one_gets_it(
    files: Attachments, database: Database, store: Conversations
) -> None:
    for _ in range(10):
        added = [(await files.add(name, "text/plain", 1, name)).id for name in ("a", "b")]
        talks = [(await store.create()).id for _ in range(3)]
        tries = [send(database, talk, *(added if talk == talks[0] else added[::-1])) for talk in talks]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(result, tuple) for result in results) == 1
        assert sum(isinstance(result, NotFound) for result in results) == 2


async def test_a_message_is_read_with_the_texts_of_its_files(files: Attachments, database: Database) -> None:
    file = await files.add("a.txt", "text/plain", 3, "abc")
    asked = StoredMessage("1", "2", None, "user", "What is it?", datetime.now(UTC), attachments=(file,))
    plain = StoredMessage("3", "2", None, "user", "Hello", datetime.now(UTC))
    read = await database.read(lambda c: with_contents(c, [asked, plain]))
    assert read[0].as_message().content == '<file name="a.txt">\nabc\n</file>\n\nWhat is it?'
    assert read[1] == plain


async def test_a_file_of_one_conversation_does_not_exist_for_another(
    files: Attachments, store: Conversations, database: Database
) -> None:
    file = await files.add("a.txt", "text/plain", 3, "abc")
    first, second = await store.create(), await store.create()
    await send(database, first.id, file.id)
    with pytest.raises(NotFound) as error:
        await send(database, second.id, file.id)
    assert error.value.code == "attachment_not_found"


async def test_what_is_anothers_does_not_exist(database: Database, files: Attachments, store: Conversations) -> None:
    ada = (await Users(database).add("ada", "user", "hash")).id
    file = await files.of(ada).add("a.txt", "text/plain", 3, "abc")
    conversation = await store.create()
    assert await files.unsent() == []
    for attempt in (files.get(file.id), files.remove(file.id), send(database, conversation.id, file.id)):
        with pytest.raises(NotFound):
            await attempt
    assert (await files.of(ada).get(file.id)).text == "abc"


async def test_files_are_where_their_conversation_is(
    database: Database, files: Attachments, store: Conversations
) -> None:
    file = await files.add("a.txt", "text/plain", 3, "abc")
    conversation = await store.create()
    await send(database, conversation.id, file.id)
    for deleted_at in (datetime.now(UTC), None):  # to the trash, and back
        moved = update(conversations).values(deleted_at=deleted_at)
        await database.write(lambda c, moved=moved: c.execute(moved))  # type: ignore[misc]
        if deleted_at:
            with pytest.raises(NotFound):
                await files.get(file.id)
    assert (await files.get(file.id)).text == "abc"
    await database.write(lambda c: c.execute(delete(conversations)))
    assert await database.read(lambda c: c.execute(select(attachments.c.id)).all()) == []


async def test_files_go_with_their_owner(database: Database, files: Attachments) -> None:
    users = Users(database)
    ada = (await users.add("ada", "user", "hash")).id
    unsent = await files.of(ada).add("a.txt", "text/plain", 3, "abc")
    await users.remove(ada)
    with pytest.raises(NotFound):
        await files.of(ada).get(unsent.id)
    with pytest.raises(NotAuthenticated):
        await files.of(ada).add("b.txt", "text/plain", 3, "abc")


async def test_only_what_is_not_sent_can_be_removed(
    files: Attachments, store: Conversations, database: Database
) -> None:
    one, two = [await files.add(name, "text/plain", 1, name) for name in ("one", "two")]
    await files.remove(one.id)
    with pytest.raises(NotFound):
        await files.remove(one.id)
    await send(database, (await store.create()).id, two.id)
    with pytest.raises(InvalidRequest) as error:
        await files.remove(two.id)
    assert error.value.code == "attachment_sent"
    assert (await files.get(two.id)).text == "two"


async def test_what_is_not_sent_within_a_day_is_thrown_away(
    files: Attachments, store: Conversations, database: Database
) -> None:
    sent, forgotten = [await files.add(name, "text/plain", 1, name) for name in ("sent", "forgotten")]
    await send(database, (await store.create()).id, sent.id)
    assert await files.purge() == 0
    assert await files.purge(datetime.now(UTC) + timedelta(hours=25)) == 1
    assert (await files.get(sent.id)).text == "sent"
    with pytest.raises(NotFound):
        await files.get(forgotten.id)


async def test_the_oldest_unsent_files_make_room(files: Attachments) -> None:
    first = await files.add("first", "text/plain", 1, "1")
    for _ in range(MOST_UNSENT):
        await files.add("more", "text/plain", 1, "2")
    assert len(await files.unsent()) == MOST_UNSENT
    with pytest.raises(NotFound):
        await files.get(first.id)


async def test_the_files_of_one_message_have_a_limit_together(
    files: Attachments, store: Conversations, database: Database
) -> None:
    half = "x" * (MOST_CHARACTERS // 2 + 1)
    two = [(await files.add(name, "text/plain", 1, half)).id for name in ("one", "two")]
    conversation = await store.create()
    with pytest.raises(InvalidRequest) as error:
        await send(database, conversation.id, *two)
    assert error.value.code == "attachments_too_long"
    assert error.value.details == {"characters": MOST_CHARACTERS + 2, "limit": MOST_CHARACTERS}
    assert len(await files.unsent()) == 2
