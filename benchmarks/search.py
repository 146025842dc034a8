"""How long a search over 100,000 messages takes, on SQLite and on PostgreSQL, and how large the index is.

Messages are made of words with the frequencies of a language (Zipf's law), half of them Chinese; two people have them,
one 99 % of all. Each query is asked several times, its pages too; what counts is the worst of the medians.

    python -m benchmarks.search [--messages 100000] [--postgres postgresql+psycopg://…]

Without --postgres a server of this machine's own is started where its programs are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from uuid import UUID

from sqlalchemy import Connection, insert, text

from benchmarks.postgres import postgres_server
from falconry.storage.database import Database
from falconry.storage.search import Search
from falconry.storage.tables import conversations, messages, users

ROUNDS = 7
LARGE, SMALL = "a" * 32, "b" * 32  # two people
SYLLABLES = (
    "con",
    "in",
    "ter",
    "re",
    "pro",
    "fal",
    "ca",
    "ti",
    "on",
    "ly",
    "ness",
    "sta",
    "de",
    "mo",
    "ver",
    "al",
    "s",
    "pre",
)


class Language:
    """Words, each as frequent as its place in the list says."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        english = ["the", "of", "and", "to", "in", "is", "that", "with"]
        while len(english) < 40_000:
            english.append("".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))))
        han = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
        rng.shuffle(han)
        chinese = ["的", "是", "了", "我们", "天气", "一个"]
        weights = list(accumulate(1 / (place + 10) for place in range(len(han))))
        while len(chinese) < 40_000:
            chinese.append("".join(rng.choices(han, cum_weights=weights, k=rng.choice((1, 2, 2, 2, 3)))))
        self._words = (english, chinese)
        self._weights = list(accumulate(1 / (place + 3) for place in range(40_000)))

    def message(self) -> str:
        which = self._rng.randrange(2)
        count = min(3000, int(self._rng.lognormvariate(4.3, 0.9)) + 1)
        words = self._rng.choices(self._words[which], cum_weights=self._weights, k=count)
        return (" ", "")[which].join(words)


def fill(c: Connection, count: int) -> int:
    """Make two people's messages; gives the characters of all."""
    rng = random.Random(1)
    language = Language(rng)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for user_id in (LARGE, SMALL):
        person = {"id": user_id, "name": user_id, "name_key": user_id, "role": "user", "password_hash": ""}
        c.execute(insert(users).values(created_at=begin, **person))
    characters = 0
    for start in range(0, count, 50):
        conversation_id = UUID(int=rng.getrandbits(128)).hex
        owner = SMALL if rng.random() < 0.01 else LARGE
        moment = begin + timedelta(minutes=start * 3)
        c.execute(
            insert(conversations).values(
                id=conversation_id, title=f"chat {start}", created_at=moment, updated_at=moment, owner_id=owner
            )
        )
        rows = []
        for place in range(50):
            content = language.message()
            if start + place == 17:
                content += " quetzalcoatl 凤凰涅槃"
            characters += len(content)
            rows.append(
                {
                    "id": UUID(int=rng.getrandbits(128)).hex,
                    "conversation_id": conversation_id,
                    "depth": place,
                    "role": ("user", "assistant")[place % 2],
                    "content": content,
                    "thinking": "",
                    "status": "complete",
                    "created_at": moment + timedelta(minutes=3 * place),
                }
            )
        c.execute(insert(messages), rows)
    return characters


QUERIES = (
    ("a word of most messages", "the"),
    ("a character of most messages", "的"),
    ("a common Chinese word", "天气"),
    ("a rare word", "quetzalcoatl "),
    ("a rare Chinese word", "凤凰涅槃"),
    ("two common words", "the and"),
    ("two letters of a beginning", "co"),
    ("three letters of a beginning", "con"),
    ("four letters of a beginning", "cont"),
    ("a common and a rare word", "the quetzalcoatl"),
    ("a phrase", '"of the"'),
    ("a phrase that is nowhere", '"the quetzalcoatl of"'),
    ("common words in an order that is nowhere", '"the of and to in is that"'),
    ("nothing", "zzzzqqqq"),
    ("both languages", "the 天气"),
)


async def ask(search: Search, query: str) -> tuple[float, int]:
    """The median of some first pages and of the pages after them, in ms; and how many hits the first one has."""
    times = []
    found = await search.find(query)
    for _ in range(ROUNDS):
        begun = perf_counter()
        found = await search.find(query)
        times.append(perf_counter() - begun)
    return statistics.median(times) * 1000, len(found.hits)


def size(c: Connection) -> int:
    """Bytes of the index."""
    if c.dialect.name == "postgresql":
        return int(c.execute(text("SELECT pg_total_relation_size('search_index')")).scalar_one())
    query = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'search_index%' OR name LIKE '%search_%'"
    return int(c.execute(text(query)).scalar_one())


async def measure(url: str, count: int, folder: Path) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with await Database.open(url, folder / "running") as database:
        characters = await database.write(lambda c: fill(c, count))
        search = Search(database)
        begun = perf_counter()
        while await search.catch_up():
            pass
        figures["read into the index, messages a second"] = count / (perf_counter() - begun)
        figures["characters of a message"] = characters / count
        figures["index, bytes a message"] = await database.read(size) / count
        for name, query in QUERIES:
            figures[f"{name}, ms"], _ = await ask(search.of(LARGE), query)
            figures[f"{name}, somebody with few messages, ms"], _ = await ask(search.of(SMALL), query)
    return figures


def urls(folder: Path, postgres: str | None) -> Iterator[tuple[str, str]]:
    yield "SQLite", f"sqlite:///{folder / 'search.db'}"
    if postgres is not None:
        yield "PostgreSQL", postgres


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--postgres", help="URL of an empty database")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="falconry-search-"))
    try:
        with postgres_server(arguments.postgres) as postgres:
            results = {}
            for name, url in urls(folder, postgres):
                results[name] = await measure(url, arguments.messages, folder)
    finally:
        shutil.rmtree(folder)
    print(f"| {arguments.messages:,} messages | " + " | ".join(results) + " |")
    print("| --- |" + " ---: |" * len(results))
    for row in next(iter(results.values())):
        print(f"| {row} | " + " | ".join(f"{figures[row]:,.1f}" for figures in results.values()) + " |")


if __name__ == "__main__":
    asyncio.run(main())
