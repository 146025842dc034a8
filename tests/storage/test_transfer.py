"""Everything out of one database and into another, and nothing is different."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from falconry.errors import ConversationNotFound, NotAuthenticated, StorageError
from falconry.messages import (
    Attachment,
    ContextUse,
    Conversation,
    Grammar,
    SamplingParams,
    StoredMessage,
    Usage,
)
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.search import Search
from falconry.storage.transfer import Imported, TransferStore, Tree, TreeMessage
from falconry.storage.users import Users
from falconry.storage.values import new_id
from falconry.transfer.json_format import document
from falconry.transfer.reading import read_file
from falconry.transfer.tree import in_order

THEN = datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)


def rich_tree() -> Tree:
    """A conversation that has whatever one can have."""
    ids = [new_id() for _ in range(6)]
    file = Attachment(new_id(), "Bericht 报告.txt", "text/plain", 12, 8, "NUL \ufffd 天气")
    params = SamplingParams(
        max_tokens=7,
        temperature=0.0,
        top_p=0.5,
        stop=("\n", "停"),
        seed=3,
        logit_bias=((5, -2.5),),
        grammar=Grammar("json_schema", '{"type": "object"}'),
    )
    context = ContextUse(12, 0.05, 2048, ids[0], 2, "Be brief. 简短")
    conversation_id = new_id()
    blank = StoredMessage("", conversation_id, None, "user", "", THEN)
    error = {"code": "engine_error", "message": "It broke.", "details": {"status": 500, "name": "x"}}
    times: dict[str, Any] = {each.name: 1.25 for each in fields(StoredMessage) if each.name.endswith("seconds")}
    question = replace(blank, id=ids[0], content="Tell me 🦅\r\n\ttabs <b>\u202e", attachments=(file,))
    first = replace(
        blank,
        id=ids[1],
        parent_id=ids[0],
        role="assistant",
        content="A long answer. " * 50_000,
        thinking="Hm.",
        status="stopped",
        model="m",
        params=params,
        usage=Usage(12, 34, 5),
        context=context,
        **times,
        persona="Biologist 生物学家",
        rating=-1,
        correction="Better.",
    )
    second = replace(first, id=ids[2], status="complete", finish_reason="stop", rating=1, correction=None, params=None)
    failed = replace(
        second, id=ids[3], content="", thinking="", status="failed", finish_reason=None, error=error, rating=None
    )
    edited = replace(blank, id=ids[4], content="Edited")
    follow = replace(blank, id=ids[5], parent_id=ids[2], content="And?")
    said = [question, edited, first, second, failed, follow]
    messages = [
        TreeMessage(
            replace(message, created_at=THEN + timedelta(seconds=place)),
            THEN if message.rating else None,
            THEN + timedelta(days=1) if place == 2 else None,
        )
        for place, message in enumerate(said)
    ]
    conversation = Conversation(
        conversation_id, "Falken “猎鹰”", THEN, THEN + timedelta(hours=1), 9, ids[5], "model", pinned=True
    )
    return Tree(conversation, tuple(in_order(messages, "test")), (file,), None, "Birds 鸟")


def test_the_conversation_of_these_tests_has_whatever_one_can_have() -> None:
    """So what a message gets later cannot be forgotten by the export."""
    said = [each.message for each in rich_tree().messages]
    for each in fields(StoredMessage):
        if each.default is not MISSING:
            assert any(getattr(message, each.name) != each.default for message in said), each.name


async def each(trees: Sequence[Tree]) -> AsyncIterator[Tree]:
    for tree in trees:
        yield tree


async def written(trees: Sequence[Tree], folders: Sequence[str] = ()) -> bytes:
    return b"".join([piece async for piece in document(each(trees), folders)])


async def everything(store: TransferStore) -> bytes:
    return await written([await store.tree(one) for one in await store.ids()], await store.folders())


def comparable(raw: bytes) -> Any:
    """A file without its ids, which are new in every database: each is the number of its first mention."""
    numbers: dict[str, str] = {}

    def renamed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {
                name: renamed(inner, name) for name, inner in value.items() if name not in ("origin", "exported_at")
            }
        if isinstance(value, list):
            return [renamed(inner, key) for inner in value]
        if isinstance(value, str) and (key in ("id", "parent_id", "head_id", "start_id", "files")):
            return numbers.setdefault(value, f"id {len(numbers)}")
        return value

    return renamed(json.loads(raw))


@pytest.fixture
def transfer(database: Database) -> TransferStore:
    return TransferStore(database)


async def test_a_file_is_read_to_the_letter_and_so_again(transfer: TransferStore) -> None:
    tree = rich_tree()
    first = await written([tree], ["Birds 鸟"])
    assert read_file(first, 10**8).trees == (tree,)
    added = await transfer.add(read_file(first, 10**8).trees, read_file(first, 10**8).folders)
    assert (len(added.added), added.skipped) == (1, 0)
    second = await everything(transfer)
    assert comparable(second) == comparable(first)


async def test_from_one_database_to_another_and_back(database: Database, tmp_path: Path) -> None:
    here = TransferStore(database)
    later = rich_tree()
    begun = replace(later.conversation, created_at=THEN + timedelta(seconds=1))
    await here.add([rich_tree(), replace(later, conversation=begun, folder=None)], ["Empty"])
    async with await Database.open(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "running") as other:
        there = TransferStore(other)
        file = read_file(await everything(here), 10**8)
        await there.add(file.trees, file.folders)
        assert comparable(await everything(there)) == comparable(await everything(here))
        assert await there.folders() == ["Birds 鸟", "Empty"]
        back = read_file(await everything(there), 10**8)
        assert await here.add(back.trees) == Imported(skipped=2)


async def test_the_same_conversation_is_taken_once(transfer: TransferStore, store: Conversations) -> None:
    tree = rich_tree()
    (new_one,) = (await transfer.add([tree, tree])).added
    assert (await transfer.add([tree])).skipped == 1
    own = await transfer.tree(new_one)
    assert (await transfer.add([own])).skipped == 1
    await store.trash(new_one)  # from the trash it is to be brought back
    assert len((await transfer.add([tree])).added) == 1
    assert await transfer.ids() != [new_one]


async def test_everything_becomes_the_importers(database: Database, transfer: TransferStore) -> None:
    users = Users(database)
    ada, bob = (await users.add("ada", "admin", "x")).id, (await users.add("bob", "user", "x")).id
    tree = rich_tree()
    (of_ada,) = (await transfer.of(ada).add([tree])).added
    (of_bob,) = (await transfer.of(bob).add([tree])).added
    with pytest.raises(ConversationNotFound):
        await transfer.of(bob).tree(of_ada)
    assert await transfer.of(bob).ids() == [of_bob]
    assert await transfer.of(bob).folders() == ["Birds 鸟"]
    assert await transfer.ids() == []
    with pytest.raises(NotAuthenticated):
        await transfer.of("f" * 32).add([tree])


async def test_it_can_be_talked_on_and_found(database: Database, transfer: TransferStore, store: Conversations) -> None:
    (new_one,) = (await transfer.add([rich_tree()])).added
    path = await store.path(new_one)
    assert [message.content[:6] for message in path] == ["Tell m", "A long", "And?"]
    assert [message.depth for message in path] == [0, 1, 2]
    assert path[1].context is not None
    assert path[1].context.start_id == path[0].id
    reply = StoredMessage(new_id(), new_one, None, "assistant", "", THEN, status="running")
    await store.append_turn(new_one, path[-1].id, "go on", reply)
    search = Search(database)
    assert {hit.role for hit in (await search.find("tell")).hits} == {"user"}
    file_text = (await store.attachments.get(path[0].attachments[0].id)).text
    assert file_text == "NUL \ufffd 天气"


async def test_what_no_database_can_hold_is_replaced_the_same_way(transfer: TransferStore) -> None:
    file = json.loads(await written([rich_tree()]))
    (conversation,) = file["conversations"]
    conversation["title"] = "\x00title"
    conversation["messages"][0]["content"] = "NUL \x00 lone \ud800 end"
    conversation["files"][0]["text"] = "\udfff"
    for each in conversation["messages"]:
        if "error" in each:
            each["error"]["message"] = "\x00"
        if "context" in each:
            each["context"]["system"] = "\ud900"
    (new_one,) = (await transfer.add(read_file(json.dumps(file).encode(), 10**8).trees)).added
    tree = await transfer.tree(new_one)
    assert tree.conversation.title == "\ufffdtitle"
    assert tree.messages[0].message.content == "NUL \ufffd lone \ufffd end"
    assert tree.files[0].text == "\ufffd"
    assert {each.message.error["message"] for each in tree.messages if each.message.error} == {"\ufffd"}
    assert {each.message.context.system for each in tree.messages if each.message.context} == {"\ufffd"}


async def test_a_file_that_breaks_off_in_the_middle_leaves_nothing(database: Database, transfer: TransferStore) -> None:
    good, bad = rich_tree(), rich_tree()
    (first, *others) = bad.messages
    twice = replace(bad, messages=(first, first, *others))
    with pytest.raises(StorageError):
        await transfer.add([good, twice], ["New"])
    assert await transfer.ids() == []
    assert await transfer.folders() == []
    count = text("SELECT count(*) FROM attachments")
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0


async def test_it_can_be_exported_while_somebody_writes(transfer: TransferStore, store: Conversations) -> None:
    conversation = await store.create("busy")

    async def write() -> None:
        head = None
        for n in range(20):
            reply = StoredMessage(new_id(), conversation.id, None, "assistant", f"answer {n}", THEN, status="running")
            _, answer = await store.append_turn(conversation.id, head, f"question {n}", reply)
            await store.finish_reply(replace(answer, status="complete", finish_reason="stop"))
            head = answer.id

    async def export() -> None:
        for _ in range(20):
            (tree,) = read_file(await everything(transfer), 10**8).trees
            assert all(each.message.status in ("complete", "interrupted") for each in tree.messages)

    await asyncio.gather(write(), export())
