"""Comparisons and votes on disk, on both databases."""

from __future__ import annotations

import pytest

from falconry.errors import NotAuthenticated, NotFound, StaleConversation
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.users import Users

ERROR = {"code": "model_not_found", "message": "gone", "details": {}}


@pytest.fixture
def comparisons(database: Database) -> ComparisonStore:
    return ComparisonStore(database)


async def test_its_columns_are_conversations_that_no_list_shows(
    comparisons: ComparisonStore, store: Conversations
) -> None:
    made = await comparisons.create(["b", "a", "c"], blind=True)
    assert await comparisons.get(made.id) == made
    assert made.hidden
    assert await store.newest() == []
    for place, column in enumerate(made.columns):
        conversation = await store.get(column)
        assert (conversation.comparison_id, conversation.place) == (made.id, place)


async def test_what_is_anothers_does_not_exist(database: Database, comparisons: ComparisonStore) -> None:
    ada = await Users(database).add("ada", "user", "hash")
    bob = await Users(database).add("bob", "user", "hash")
    hers, his = comparisons.of(ada.id), comparisons.of(bob.id)
    made = await hers.create(["a", "b"], blind=False)
    await hers.append_failed(made.columns[0], "hello", "a", ERROR)
    await hers.put_vote(made.id, 0, ["a"])
    for work in (
        his.get(made.id),
        his.delete(made.id),
        his.votes(made.id),
        his.put_vote(made.id, 0, ["b"]),
        his.reveal(made.id),
        his.touch(made.id, "mine"),
        his.copy(made.id, 0),
    ):
        with pytest.raises(NotFound):
            await work
    assert await his.newest(10) == []
    assert await his.all_votes() == []
    assert len(await hers.all_votes()) == 1
    with pytest.raises(NotAuthenticated):
        await comparisons.of("0" * 32).create(["a", "b"], blind=False)


async def test_the_first_user_gets_those_that_were_there(database: Database, comparisons: ComparisonStore) -> None:
    made = await comparisons.create(["a", "b"], blind=False)
    ada = await Users(database).add("ada", "user", "hash")
    assert (await comparisons.of(ada.id).get(made.id)).id == made.id


async def test_one_vote_for_each_question(comparisons: ComparisonStore) -> None:
    made = await comparisons.create(["a", "b", "c"], blind=False)
    await comparisons.put_vote(made.id, 0, ["c", "a"])
    await comparisons.put_vote(made.id, 1, [])
    vote = await comparisons.put_vote(made.id, 0, ["b"])
    assert await comparisons.votes(made.id) == {0: vote, 1: (await comparisons.votes(made.id))[1]}
    assert (vote.best, vote.others, vote.blind) == (("b",), ("a", "c"), False)
    assert len(await comparisons.all_votes()) == 2


async def test_hidden_votes_wait_for_the_names(comparisons: ComparisonStore) -> None:
    made = await comparisons.create(["a", "b"], blind=True)
    await comparisons.put_vote(made.id, 0, ["a"])
    assert await comparisons.all_votes() == []
    assert (await comparisons.hidden_votes(), await comparisons.waiting()) == (1, [made.id])
    await comparisons.reveal(made.id)
    first = (await comparisons.get(made.id)).revealed_at
    await comparisons.reveal(made.id)
    assert (await comparisons.get(made.id)).revealed_at == first is not None
    assert (await comparisons.hidden_votes(), await comparisons.waiting()) == (0, [])
    assert len(await comparisons.all_votes(blind_only=True)) == 1
    with pytest.raises(StaleConversation) as refused:
        await comparisons.put_vote(made.id, 0, ["b"])
    assert refused.value.code == "vote_final"
    assert not (await comparisons.put_vote(made.id, 1, ["b"])).blind
    assert len(await comparisons.all_votes(blind_only=True)) == 1


async def test_a_failed_question_stands_at_the_end(comparisons: ComparisonStore, store: Conversations) -> None:
    made = await comparisons.create(["a", "b"], blind=False)
    for question in ("one \x00\ud800", "two"):
        await comparisons.append_failed(made.columns[0], question, "a", ERROR)
    path = await store.path(made.columns[0])
    assert [(message.role, message.depth) for message in path] == [
        ("user", 0),
        ("assistant", 1),
        ("user", 2),
        ("assistant", 3),
    ]
    assert path[0].content == "one \ufffd\ufffd"
    assert (path[3].status, path[3].model, path[3].error) == ("failed", "a", ERROR)


async def test_a_question_that_failed_while_the_comparison_was_deleted(comparisons: ComparisonStore) -> None:
    made = await comparisons.create(["a", "b"], blind=False)
    await comparisons.delete(made.id)
    with pytest.raises(NotFound):
        await comparisons.append_failed(made.columns[0], "hello", "a", ERROR)


async def test_a_copy_has_everything_and_ids_of_its_own(comparisons: ComparisonStore, store: Conversations) -> None:
    made = await comparisons.create(["a", "b"], blind=False)
    await comparisons.append_failed(made.columns[1], "one", "b", ERROR)
    await comparisons.touch(made.id, "one")
    copied = await comparisons.copy(made.id, 1)
    (listed,) = await store.newest()
    assert (listed.id, listed.title, listed.comparison_id) == (copied, "one", None)
    original, copies = await store.path(made.columns[1]), await store.path(copied)
    assert [message.content for message in copies] == [message.content for message in original]
    assert not {message.id for message in copies} & {message.id for message in original}
    assert copies[1].parent_id == copies[0].id
    await comparisons.delete(made.id)
    assert len(await store.path(copied)) == 2


async def test_an_empty_one_is_not_listed(comparisons: ComparisonStore) -> None:
    await comparisons.create(["a", "b"], blind=False)
    made = await comparisons.create(["a", "b"], blind=False)
    await comparisons.append_failed(made.columns[1], "one", "b", ERROR)
    assert [entry.comparison for entry in await comparisons.newest(10)] == [made]


async def test_deleting_takes_columns_and_votes_along(comparisons: ComparisonStore, store: Conversations) -> None:
    made = await comparisons.create(["a", "b"], blind=False)
    await comparisons.put_vote(made.id, 0, ["a"])
    await comparisons.delete(made.id)
    assert await comparisons.all_votes() == []
    with pytest.raises(NotFound):
        await store.get(made.columns[0])
