"""Search over messages and titles: the same hits on both databases, whoever writes and deletes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import Connection, insert, inspect, text, update

from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.search import Search, kept_current
from falconry.storage.tables import comparisons, conversations, messages
from falconry.storage.users import Users
from falconry.storage.values import new_id
from tests.storage.test_migrations import make_first_schema

THEN = datetime(2026, 11, 1, 10, tzinfo=UTC)


class Archive:
    """Writes messages as others do, straight into the tables."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.search = Search(database)

    async def conversation(self, title: str = "", owner: str | None = None, **values: Any) -> str:
        made = {"id": new_id(), "title": title, "created_at": THEN, "updated_at": THEN, "owner_id": owner, **values}
        await self.database.write(lambda c: c.execute(insert(conversations).values(made)))
        return str(made["id"])

    async def say(self, conversation_id: str, content: str, **values: Any) -> str:
        made = {
            "id": new_id(),
            "conversation_id": conversation_id,
            "depth": 0,
            "role": "user",
            "content": content,
            "thinking": "",
            "status": "complete",
            "created_at": THEN,
            **values,
        }
        await self.database.write(lambda c: c.execute(insert(messages).values(made)))
        return str(made["id"])

    async def change(self, message_id: str, **values: Any) -> None:
        statement = update(messages).where(messages.c.id == message_id).values(values)
        await self.database.write(lambda c: c.execute(statement))

    async def found(self, query: str, owner: str = "") -> list[str]:
        """The ids of the messages that are found, or "title" for a title, the newest first."""
        return [hit.message_id or "title" for hit in (await self.search.of(owner).find(query)).hits]

    async def rows(self) -> int:
        """How many texts the index holds."""
        count = text("SELECT count(*) FROM search_index")
        return int(await self.database.read(lambda c: c.execute(count).scalar_one()))


@pytest.fixture
def archive(database: Database) -> Archive:
    return Archive(database)


async def test_english_and_chinese_words_are_found(archive: Archive) -> None:
    conversation = await archive.conversation()
    english = await archive.say(conversation, "The falcon sees far.")
    chinese = await archive.say(conversation, "今天天气预报说有雨。", created_at=THEN + timedelta(hours=1))
    for query, expected in {
        "falcon": [english],
        "FALC": [english],
        "far falcon": [english],
        '"sees far"': [english],
        '"far sees"': [],
        "天气": [chinese],
        "雨": [chinese],
        "天气预报": [chinese],
        "气天": [],
        "falcon 天气": [],
        "": [],
    }.items():
        assert await archive.found(query) == expected, query


async def test_the_newest_come_first_whenever_they_were_written_down(archive: Archive) -> None:
    conversation = await archive.conversation()
    new = await archive.say(conversation, "falcon", created_at=THEN)
    await archive.search.catch_up()
    old = await archive.say(conversation, "falcon", created_at=THEN - timedelta(days=700))  # imported, say
    same = [await archive.say(conversation, "falcon", created_at=THEN) for _ in range(3)]
    found = await archive.found("falcon")
    assert found[-1] == old
    assert set(found[:-1]) == {new, *same}


async def test_pages_follow_each_other_without_gap_or_repetition(archive: Archive) -> None:
    conversation = await archive.conversation()
    said = [
        await archive.say(conversation, f"falcon far {n}", created_at=THEN + timedelta(seconds=n)) for n in range(25)
    ]
    for query in ("falcon", '"falcon far"'):
        seen: list[str] = []
        before = None
        while True:
            page = await archive.search.find(query, limit=7, before=before)
            seen += [hit.message_id or "" for hit in page.hits]
            if (before := page.next) is None:
                break
        assert seen == said[::-1]


async def test_a_page_that_looked_long_in_vain_can_be_gone_on_from(archive: Archive) -> None:
    conversation = await archive.conversation()
    wanted = await archive.say(conversation, "falcon far", created_at=THEN - timedelta(days=1))
    many = [
        {
            "id": new_id(),
            "conversation_id": conversation,
            "depth": 0,
            "role": "user",
            "content": "far falcon",
            "thinking": "",
            "status": "complete",
            "created_at": THEN + timedelta(seconds=n),
        }
        for n in range(2500)
    ]
    await archive.database.write(lambda c: c.execute(insert(messages), many))
    while await archive.search.catch_up():
        pass
    page = await archive.search.find('"falcon far"')
    rounds = 1
    while not page.hits and page.next is not None:
        page = await archive.search.find('"falcon far"', before=page.next)
        rounds += 1
    assert [hit.message_id for hit in page.hits] == [wanted]
    assert page.next is None
    assert 2 <= rounds <= 10


async def test_a_reply_is_found_when_it_has_ended_and_again_when_it_went_on(archive: Archive) -> None:
    conversation = await archive.conversation()
    reply = await archive.say(conversation, "a fal", role="assistant", status="running")
    assert await archive.found("fal") == []
    await archive.change(reply, content="a falcon", status="stopped")
    assert await archive.found("falcon") == [reply]
    await archive.change(reply, status="running")
    await archive.change(reply, content="a falcon and an eagle")
    await archive.change(reply, status="interrupted")
    assert await archive.found("eagle falcon") == [reply]
    assert await archive.rows() == 1


async def test_titles_are_found_unless_they_are_a_messages_own_words(archive: Archive) -> None:
    named = await archive.conversation("Falcons of Asia", titled_by="person")
    await archive.conversation("Falcons first", head_id="0" * 32)
    hits = (await archive.search.find("falcons")).hits
    assert [(hit.conversation_id, hit.message_id, hit.title) for hit in hits] == [(named, None, "Falcons of Asia")]
    rename = update(conversations).where(conversations.c.id == named).values(title="猎鹰")
    await archive.database.write(lambda c: c.execute(rename))
    assert await archive.found("asia") == []
    assert await archive.found("猎鹰") == ["title"]


async def test_what_is_deleted_leaves_the_index(archive: Archive) -> None:
    kept, gone = await archive.conversation("kept"), await archive.conversation("gone")
    message = await archive.say(kept, "falcon one")
    await archive.say(gone, "falcon two")
    assert len(await archive.found("falcon")) == 2
    assert await archive.rows() == 4
    await archive.database.write(lambda c: c.execute(text("DELETE FROM conversations WHERE title = 'gone'")))
    assert await archive.found("falcon") == [message]
    await archive.database.write(lambda c: c.execute(text("DELETE FROM messages")))
    assert await archive.found("falcon") == []
    assert await archive.rows() == 1


async def test_the_trash_is_not_searched(archive: Archive, store: Conversations) -> None:
    conversation = await archive.conversation("falcons", titled_by="person")
    message = await archive.say(conversation, "falcon")
    assert len(await archive.found("falc")) == 2
    await store.trash(conversation)
    assert await archive.found("falcon ") == []
    await store.restore(conversation)
    assert await archive.found("falcon ") == [message]


async def test_columns_of_comparisons_system_messages_and_corrections_are_not_found(archive: Archive) -> None:
    comparison = {"id": new_id(), "title": "", "blind": False, "created_at": THEN, "updated_at": THEN, "models": []}
    known = {name: value for name, value in comparison.items() if name in comparisons.c}
    await archive.database.write(lambda c: c.execute(insert(comparisons).values(known)))
    column = await archive.conversation("falcon", comparison_id=known["id"], place=0, titled_by="person")
    await archive.say(column, "falcon")
    conversation = await archive.conversation()
    await archive.say(conversation, "falcon", role="system")
    await archive.say(conversation, "eagle", role="assistant", correction="falcon")
    assert await archive.found("falcon") == []


async def test_nobody_finds_what_is_anothers(archive: Archive) -> None:
    users = Users(archive.database)
    ada, bob = (await users.add("ada", "admin", "x")).id, (await users.add("bob", "user", "x")).id
    of_ada = await archive.say(await archive.conversation("ada", owner=ada, titled_by="person"), "falcon")
    of_bob = await archive.say(await archive.conversation("bob", owner=bob), "falcon")
    assert await archive.found("falcon", ada) == [of_ada]
    assert await archive.found("falcon", bob) == [of_bob]
    assert await archive.found("falcon") == []
    assert await archive.found("ada", bob) == []
    await users.remove(bob, heir_id=ada)
    assert set(await archive.found("falcon", ada)) == {of_ada, of_bob}
    assert await archive.rows() == 4


async def test_odd_texts_are_found_by_what_can_be_read_of_them(archive: Archive) -> None:
    conversation = await archive.conversation()
    for content in ("", "...", "\ufffd falcon", "x" * 1_000_000, "天" * 100_000, "\u202efalcon\u200b", "'\"\\:*&|!"):
        await archive.say(conversation, content)
    assert len(await archive.found("falcon")) == 2
    assert len(await archive.found("x" * 1_000_000)) == 1
    assert len(await archive.found("天天天天")) == 1
    assert len(await archive.found("x" * 999_999 + " ")) == 0


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "*",
        "NEAR(a b)",
        "falcon* OR x",
        "words:falcon",
        "'",
        "\\",
        "a & b | !c <-> d:*",
        "%",
        "\x00",
        "¤",
        "🦅",
        "-x",
    ],
)
async def test_no_query_is_a_mistake(archive: Archive, query: str) -> None:
    conversation = await archive.conversation()
    message = await archive.say(conversation, f"before {query} after".replace("\x00", ""))
    assert await archive.found(f"before {query} after") == [message]
    await archive.found(query)


async def test_new_messages_are_read_in_the_background(archive: Archive) -> None:
    unread = asyncio.Event()
    async with kept_current(archive.database, unread):
        conversation = await archive.conversation()
        await archive.say(conversation, "falcon")
        async with asyncio.timeout(30):
            while await archive.rows() == 0:
                unread.set()


async def test_what_was_there_before_the_index_is_found(database_url: str, tmp_path: Path) -> None:
    make_first_schema(database_url)
    async with await Database.open(database_url, tmp_path / "running") as database:
        found = await Search(database).find("said")
        assert sorted(hit.message_id or "" for hit in found.hits) == ["m11", "m12", "m21", "m22"]
        assert found.waiting == 0


async def test_what_changes_while_it_is_read_is_read_again(archive: Archive) -> None:
    conversation = await archive.conversation()
    message = await archive.say(conversation, "falcon")
    await asyncio.gather(
        *(archive.search.catch_up() for _ in range(4)), archive.change(message, content="eagle", status="stopped")
    )
    assert await archive.found("eagle") == [message] or await archive.found("falcon") == [message]
    assert await archive.rows() == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.search import kept_current
from falconry.messages import StoredMessage
from falconry.storage.values import new_id
from datetime import UTC, datetime

async def main():
    async with await Database.open(sys.argv[1], Path(sys.argv[2])) as database:
        unread = asyncio.Event()
        async with kept_current(database, unread):
            store = Conversations(database)
            for n in range(10_000):
                conversation = await store.create(f"number {n}")
                reply = StoredMessage(new_id(), conversation.id, None, "assistant", f"falcon {n}", datetime.now(UTC))
                await store.append_turn(conversation.id, None, "question", reply)
                print(n, flush=True)
                unread.set()

asyncio.run(main())
"""


def write_and_be_killed(url: str, running: Path, after: int) -> None:
    """Write conversations in another process, and kill it after so many."""
    command = [sys.executable, "-c", WRITER, url, str(running)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == after:
                os.kill(process.pid, signal.SIGKILL)
                break


def count_replies(c: Connection) -> int:
    return int(c.execute(text("SELECT count(*) FROM messages WHERE role = 'assistant'")).scalar_one())


async def test_killed_at_any_moment_every_message_is_found(database_url: str, tmp_path: Path) -> None:
    for after in (1, 20, 60):
        await asyncio.to_thread(write_and_be_killed, database_url, tmp_path / "running", after)
        async with await Database.open(database_url, tmp_path / "running") as database:
            search = Search(database)
            while await search.catch_up():
                pass
            count = await database.read(count_replies)
            assert count > after
            found = await search.find("falcon", limit=count + 1)
            assert len(found.hits) == count
            assert found.waiting == 0


def make_many(c: Connection, count: int) -> None:
    conversation = {"id": new_id(), "title": "", "created_at": THEN, "updated_at": THEN}
    c.execute(insert(conversations).values(conversation))
    rows = [
        {
            "id": new_id(),
            "conversation_id": conversation["id"],
            "depth": n,
            "role": "user",
            "content": f"the falcon sees far 今天天气很好 number{n}",
            "thinking": "",
            "status": "complete",
            "created_at": THEN + timedelta(seconds=n),
        }
        for n in range(count)
    ]
    c.execute(insert(messages), rows)


@pytest.fixture
async def large(archive: Archive) -> Archive:
    await archive.database.write(lambda c: make_many(c, 5000))
    while await archive.search.catch_up():
        pass
    return archive


async def test_thousands_of_messages_answer_at_once_however_common_the_word(large: Archive) -> None:
    """100,000 are measured by benchmarks/search.py."""
    for query in ("the", "天气", "今天天气很好", "number4711", "fa", '"sees far"', "nowhere"):
        times = []
        for _ in range(3):
            begun = perf_counter()
            await large.search.find(query)
            times.append(perf_counter() - begun)
        assert min(times) < 0.1, query


async def test_the_index_is_what_the_migration_made(database: Database) -> None:
    def look(c: Connection) -> set[str]:
        if c.dialect.name == "sqlite":
            return set(c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
        assert {index["name"] for index in inspect(c).get_indexes("search_index")} == {"ix_search_index_words"}
        return set(c.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")).scalars())

    assert {name for name in await database.read(look) if name.startswith("search_")} == {
        "search_message_gone",
        "search_title_gone",
        "search_message_ended",
        "search_title_changed",
        "search_owner_changed",
    }
