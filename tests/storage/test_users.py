"""Users, and what becomes of their conversations."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Table, func, select

from falconry.errors import InvalidRequest, NotFound
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.library import persona_shelf
from falconry.storage.tables import attachments, comparisons, conversations, folders, messages, personas
from falconry.storage.users import Users
from tests.storage.talk import say


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database)


async def test_a_user_comes_back_as_added(users: Users) -> None:
    await users.add("ada", "admin", "hash 1")
    bob = await users.add("Bob", "user", "hash 2")
    assert await users.find("bOB ") == bob
    assert await users.get(bob.id) == bob
    assert [user.name for user in await users.all()] == ["ada", "Bob"]
    assert "hash 2" not in repr(bob)


@pytest.mark.parametrize(
    ("taken", "same"), [("Ada", "ADA"), ("猎鹰", "猎鹰"), ("Straße", "STRASSE"), ("ａｄａ", "ada")]
)
async def test_one_name_is_one_user(users: Users, taken: str, same: str) -> None:
    await users.add(taken, "user", "a hash")
    with pytest.raises(InvalidRequest) as error:
        await users.add(same, "user", "a hash")
    assert error.value.code == "name_taken"


@pytest.mark.parametrize("name", ["a\0da", "\0", "ada\udcff"])
async def test_nobody_has_a_name_that_no_database_can_hold(users: Users, name: str) -> None:
    await users.add("ada", "admin", "hash 1")
    assert await users.find(name) is None


async def test_the_first_user_is_an_admin_and_has_what_was_there_before(users: Users, store: Conversations) -> None:
    before = await store.create("before")
    ada = await users.add("ada", "user", "a hash")
    bob = await users.add("bob", "user", "a hash")
    assert (ada.role, bob.role) == ("admin", "user")
    assert [conversation.id for conversation in await store.of(ada.id).newest()] == [before.id]
    assert await store.newest() == await store.of(bob.id).newest() == []


async def test_of_many_first_users_at_once_one_is_the_first(users: Users) -> None:
    added = await asyncio.gather(*(users.add(f"user{n}", "user", "a hash") for n in range(8)))
    assert sorted(user.role for user in added) == ["admin"] + ["user"] * 7


async def test_of_many_who_want_one_name_one_gets_it(users: Users) -> None:
    tries = await asyncio.gather(*(users.add("ada", "user", "a hash") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, InvalidRequest) for result in tries) == 7
    assert len(await users.all()) == 1


async def test_a_removed_user_takes_conversations_along(users: Users, store: Conversations) -> None:
    ada, bob = await users.add("ada", "user", "a hash"), await users.add("bob", "user", "a hash")
    hers, his = await store.of(ada.id).create(), await store.of(bob.id).create()
    assert await users.conversations_of(bob.id) == 1
    await users.remove(bob.id)
    assert [conversation.id for conversation in await store.of(ada.id).newest()] == [hers.id]
    assert his.id not in {conversation.id for conversation in await store.of(bob.id).newest()}
    with pytest.raises(NotFound):
        await users.get(bob.id)


async def test_or_leaves_them_to_another(users: Users, store: Conversations) -> None:
    ada, bob = await users.add("ada", "user", "a hash"), await users.add("bob", "user", "a hash")
    his = await store.of(bob.id).create()
    with pytest.raises(NotFound):
        await users.remove(bob.id, heir_id="nobody")
    with pytest.raises(NotFound):
        await users.remove(bob.id, heir_id=bob.id)
    await users.remove(bob.id, heir_id=ada.id)
    assert [conversation.id for conversation in await store.of(ada.id).newest()] == [his.id]


async def furnished(database: Database, owner_id: str) -> list[str]:
    """Something of everything that a person has: gives the ids."""
    store = Conversations(database, owner_id)
    folder = await store.folders.create("Birds")
    file = await store.attachments.add("notes.txt", "text/plain", 5, "Falcons dive.")
    conversation = await store.create("talk")
    await store.change(conversation.id, folder_id=folder.id)
    await say(store, conversation.id, "What is in it?", attachments=[file.id])
    comparison = await ComparisonStore(database, owner_id).create(["one", "two"], blind=False)
    (persona,) = await persona_shelf(database, str).of(owner_id).add([("Biologist", {"system": "You know birds."})])
    return [folder.id, file.id, conversation.id, comparison.id, persona.id]


async def owned(database: Database, owner_id: str) -> list[str]:
    """What of that a person has."""
    store = Conversations(database, owner_id)
    listed = await store.newest()
    files = [file.id for found in listed for message in await store.path(found.id) for file in message.attachments]
    hers = comparisons.c.owner_id == owner_id if owner_id else comparisons.c.owner_id.is_(None)
    compared = await database.read(lambda c: c.execute(select(comparisons.c.id).where(hers)).scalars().all())
    personas = await persona_shelf(database, str).of(owner_id).all()
    assert [folder.count for folder in await store.folders.all()] == [1] * len(listed)
    for one in files:
        assert (await store.attachments.get(one)).text == "Falcons dive."
    found = ([folder.id for folder in await store.folders.all()], files, [one.id for one in listed])
    return [
        *(one for ids in found for one in ids),
        *compared,
        *(one.id for one in personas),
    ]


async def test_the_first_user_and_the_last_one_are_the_person_at_the_machine(database: Database, users: Users) -> None:
    everything = await furnished(database, "")
    ada = await users.add("ada", "user", "a hash")
    assert await owned(database, ada.id) == everything
    assert await owned(database, "") == []
    await users.remove(ada.id)
    assert await owned(database, "") == everything


async def test_an_heir_gets_the_talk_with_all_that_belongs_to_it(database: Database, users: Users) -> None:
    ada, bob = await users.add("ada", "user", "a hash"), await users.add("bob", "user", "a hash")
    his = await furnished(database, bob.id)
    await users.remove(bob.id, heir_id=ada.id)
    assert await owned(database, ada.id) == his[:-1]


async def test_a_removed_user_leaves_nothing_behind(database: Database, users: Users) -> None:
    await users.add("ada", "user", "a hash")
    bob = await users.add("bob", "user", "a hash")
    await furnished(database, bob.id)
    await users.remove(bob.id)
    for table in (conversations, messages, folders, attachments, comparisons, personas):
        assert await rows_in(database, table) == 0


async def rows_in(database: Database, table: Table) -> int:
    count = select(func.count()).select_from(table)
    return await database.read(lambda c: c.execute(count).scalar_one())


async def test_the_last_user_leaves_them_to_the_person_at_the_machine(users: Users, store: Conversations) -> None:
    ada = await users.add("ada", "user", "a hash")
    hers = await store.of(ada.id).create()
    await users.remove(ada.id)
    assert [conversation.id for conversation in await store.newest()] == [hers.id]
    assert not await users.any()


async def test_one_admin_is_left(users: Users) -> None:
    ada, bob = await users.add("ada", "user", "a hash"), await users.add("bob", "user", "a hash")
    for attempt in (users.remove(ada.id), users.set_role(ada.id, "user")):
        with pytest.raises(InvalidRequest) as error:
            await attempt
        assert error.value.code == "last_admin"
    await users.set_role(bob.id, "admin")
    await users.set_role(ada.id, "user")
    await users.remove(ada.id)
    assert [(user.name, user.role) for user in await users.all()] == [("bob", "admin")]


async def test_of_two_admins_who_remove_each_other_one_is_left(users: Users) -> None:
    ada, bob = await users.add("ada", "admin", "a hash"), await users.add("bob", "admin", "a hash")
    await users.add("carl", "user", "a hash")
    await asyncio.gather(users.remove(ada.id), users.remove(bob.id), return_exceptions=True)
    assert sorted(user.role for user in await users.all()) == ["admin", "user"]


async def test_a_renewed_hash_does_not_undo_a_new_password(users: Users) -> None:
    ada = await users.add("ada", "user", "old parameters")
    await users.set_password(ada.id, "another password")
    assert not await users.renew_hash(ada, "new parameters")
    assert (await users.get(ada.id)).password_hash == "another password"
