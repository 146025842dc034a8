"""Personas and prompts of several people on both databases."""

from __future__ import annotations

import asyncio

import pytest

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.library.values import handle_of
from falconry.storage.database import Database
from falconry.storage.library import MOST_ENTRIES, persona_shelf, prompt_shelf
from falconry.storage.users import Users


async def test_what_was_added_comes_back_by_name(database: Database) -> None:
    shelf = prompt_shelf(database, handle_of)
    await shelf.add([("zebra", "z"), ("Äpfel", "ä"), ("Lion", "l\x00\ud800")])
    assert [(entry.name, entry.content) for entry in await shelf.all()] == [
        ("Lion", "l\ufffd\ufffd"),
        ("zebra", "z"),
        ("Äpfel", "ä"),
    ]


async def test_json_keeps_its_shape_and_loses_what_no_database_holds(database: Database) -> None:
    shelf = persona_shelf(database, handle_of)
    (entry,) = await shelf.add([("Kestrel", {"params": {"stop": ["a\x00"], "top_p": 0.5}, "system": "鹰\udc00"})])
    expected = {"params": {"stop": ["a\ufffd"], "top_p": 0.5}, "system": "鹰\ufffd"}
    assert (await shelf.get(entry.id)).content == expected == entry.content


@pytest.mark.parametrize("name", ["kestrel", "KESTREL", "Kestrel!", "Ｋestrel"])
async def test_names_that_are_typed_alike_are_one_name(database: Database, name: str) -> None:
    shelf = prompt_shelf(database, handle_of)
    await shelf.add([("Kestrel", "a")])
    (other,) = await shelf.add([("Merlin", "b")])
    with pytest.raises(InvalidRequest) as refused:
        await shelf.add([(name, "c")])
    assert refused.value.code == "name_in_use"
    with pytest.raises(InvalidRequest):
        await shelf.change(other.id, name, "c")
    assert (await shelf.change(other.id, "MERLIN", "c")).name == "MERLIN"


async def test_of_several_all_or_none_are_added(database: Database) -> None:
    shelf = prompt_shelf(database, handle_of)
    with pytest.raises(InvalidRequest):
        await shelf.add([("one", "1"), ("two", "2"), ("ONE", "3")])
    assert await shelf.all() == []
    await shelf.add([(f"n{number}", "x") for number in range(MOST_ENTRIES)])
    with pytest.raises(InvalidRequest) as refused:
        await shelf.add([("one more", "x")])
    assert refused.value.code == "library_full"
    assert len(await shelf.all()) == MOST_ENTRIES


async def test_two_at_the_same_time_do_not_both_get_a_name(database: Database) -> None:
    shelf = prompt_shelf(database, handle_of)
    results = await asyncio.gather(*(shelf.add([("Kestrel", "x")]) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 1
    assert len(await shelf.all()) == 1


async def test_anothers_do_not_exist(database: Database) -> None:
    users = Users(database)
    ada = await users.add("ada", "user", "x")
    bob = await users.add("bob", "user", "x")
    shelf = persona_shelf(database, handle_of)
    (entry,) = await shelf.of(ada.id).add([("Kestrel", {"system": "s"})])
    for other in (shelf.of(bob.id), shelf):
        assert await other.all() == []
        with pytest.raises(NotFound):
            await other.get(entry.id)
        with pytest.raises(NotFound):
            await other.change(entry.id, "Mine", {})
        with pytest.raises(NotFound):
            await other.remove(entry.id)
    await shelf.of(bob.id).add([("kestrel", {})])
    await shelf.of(ada.id).remove(entry.id)
    assert await shelf.of(ada.id).all() == []


async def test_nothing_is_added_for_somebody_who_is_gone(database: Database) -> None:
    users = Users(database)
    await users.add("ada", "admin", "x")
    bob = await users.add("bob", "user", "x")
    shelf = prompt_shelf(database, handle_of).of(bob.id)
    await users.remove(bob.id)
    with pytest.raises(NotAuthenticated):
        await shelf.add([("Kestrel", "x")])
