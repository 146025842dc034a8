"""Full-text search over all messages and titles of one person, newest first, the same on both databases.

The database's own index (FTS5, or GIN) knows which texts have which words; where they stand, and whether they stand
beside each other, is read from the texts that are shown. Every message has a number in the index that grows with the
time when it was written, so the newest hits are found without looking at the others.

A message that is new or changed waits (`search_seq` is NULL, by triggers, in the transaction that changed it) until it
is read into the index: soon, in the background, and at the latest before the next search.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, null, or_, select, text, update

from falconry.errors import FalconryError
from falconry.storage.database import Database
from falconry.storage.scope import Scoped
from falconry.storage.search_text import Piece, Query, index_words, snippet
from falconry.storage.tables import conversations, messages

logger = logging.getLogger(__name__)

BATCH = 50  # texts that are read into the index in one transaction
BATCH_CHARACTERS = 400_000
ROUNDS = 4  # batches that a search waits for; more is left to the background, and the answer says so
MOST_EXAMINED = 400  # texts of which one search looks at their content; the next page goes on from there
CHARACTERS_AS_ONE = 10_000  # so many more count as another text
OWNER_MARK = "¤"  # before whose a text is; no word begins with it
PER_MILLISECOND = 256  # numbers in the index
_LOCK = 0x46414C53  # "FALS": of several processes one writes into PostgreSQL's index


@dataclass(frozen=True, slots=True)
class Hit:
    """A message in which everything was found, or a title (`message_id` and `role` are None)."""

    conversation_id: str
    title: str
    message_id: str | None
    role: str | None
    created_at: datetime
    snippet: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits.

    Attributes:
        next: `before` of the next page; None where there is none. A page may be short and still have a next one.
        waiting: messages that have not been read into the index yet, of whomever.
    """

    hits: tuple[Hit, ...]
    next: int | None
    waiting: int = 0


class Search(Scoped):
    """See the module."""

    async def find(self, looked_for: str, *, limit: int = 20, before: int | None = None) -> Found:
        """The newest texts that have all words. The last word may be a beginning, "quoted" ones stand side by side."""
        query = Query.parse(looked_for)
        if not query.phrases:
            return Found((), None)
        for _ in range(ROUNDS):
            if await self.catch_up() == 0:
                break
        return await self._db.read(lambda c: self._find(c, query, limit, before))

    async def catch_up(self) -> int:
        """Read a batch of waiting texts, of whomever, into the index; gives how many there were."""
        waiting = await self._db.read(_waiting)
        if waiting:
            entries = await asyncio.to_thread(lambda: [(text, index_words(text.content)) for text in waiting])
            await self._db.write(lambda c: _store(c, entries))
        return len(waiting)

    def _find(self, c: Connection, query: Query, limit: int, before: int | None) -> Found:
        owner = (_owner_entry(self._owner_id), False)
        asked = [owner, *query.entries()]
        found: list[tuple[int, Hit]] = []
        last, examined, size = before or 2**62, 0, limit + 1 if query.exact else 4 * limit
        more = True
        while more and len(found) <= limit and examined < MOST_EXAMINED:
            candidates = _candidates(c, asked, last, size)
            more = len(candidates) == size
            for start in range(0, len(candidates), BATCH):
                part = candidates[start : start + BATCH]
                hits, characters = self._hits(c, part, query, limit + 1 - len(found))
                found += hits
                examined += len(part) + characters // CHARACTERS_AS_ONE
                last = part[-1]
                if len(found) > limit or examined >= MOST_EXAMINED:
                    more = more or start + BATCH < len(candidates)
                    break
            size = max(1, min(4 * size, MOST_EXAMINED - examined))
        page = tuple(hit for _, hit in found[:limit])
        following = found[limit - 1][0] if len(found) > limit else last if more else None
        return Found(page, following, _count_waiting(c))

    def _hits(
        self, c: Connection, numbers: Sequence[int], query: Query, most: int
    ) -> tuple[list[tuple[int, Hit]], int]:
        """Those of the texts with these numbers that are this person's and have what is looked for.

        Also how many characters were read for it.
        """
        said = select(
            messages.c.search_seq,
            messages.c.conversation_id,
            messages.c.id.label("message_id"),
            messages.c.role,
            messages.c.created_at,
            messages.c.content,
        ).where(messages.c.search_seq.in_(numbers))
        # A title that is the first words of a message is found there.
        own = or_(conversations.c.titled_by != "message", conversations.c.head_id.is_(None))
        titles = select(
            conversations.c.search_seq,
            conversations.c.id.label("conversation_id"),
            null().label("message_id"),
            null().label("role"),
            conversations.c.created_at,
            conversations.c.title.label("content"),
        ).where(conversations.c.search_seq.in_(numbers), own)
        rows = [*c.execute(said).all(), *c.execute(titles).all()]
        # Not joined: a planner would begin with all of a person's conversations, which took 50 ms of 100,000 messages.
        listed = select(conversations.c.id, conversations.c.title).where(
            conversations.c.id.in_({row.conversation_id for row in rows}),
            self._mine,
            conversations.c.comparison_id.is_(None),
        )
        known = {row.id: row.title for row in c.execute(listed).all()}
        hits: list[tuple[int, Hit]] = []
        characters = 0
        for row in sorted(rows, key=lambda row: -row.search_seq):
            if len(hits) == most:
                break
            if row.conversation_id not in known:
                continue
            characters += len(row.content)
            if (pieces := snippet(row.content, query)) is not None:
                title = known[row.conversation_id]
                hit = Hit(row.conversation_id, title, row.message_id, row.role, row.created_at, pieces)
                hits.append((row.search_seq, hit))
        return hits, characters


# -- the index, in each database's words


def _candidates(c: Connection, asked: Sequence[tuple[str, bool]], before: int, count: int) -> list[int]:
    """The newest numbers below `before` of the texts that have all words; each with whether it is a beginning."""
    if c.dialect.name == "sqlite":
        match = " ".join(f'"{word}"*' if is_open else f'"{word}"' for word, is_open in asked)
        statement = (
            "SELECT rowid FROM search_index WHERE search_index MATCH :match AND rowid < :before "
            "ORDER BY rowid DESC LIMIT :count"
        )
    else:
        match = " & ".join(f"'{word}':*" if is_open else f"'{word}'" for word, is_open in asked)
        # By the index of words alone: the planner cannot know how rare a word is, nor that the rows lie elsewhere.
        c.execute(text("SET LOCAL enable_seqscan = off"))
        statement = (
            "SELECT seq FROM (SELECT seq FROM search_index WHERE words @@ CAST(:match AS tsquery) OFFSET 0) AS found "
            "WHERE seq < :before ORDER BY seq DESC LIMIT :count"
        )
    values = {"match": match, "before": before, "count": count}
    return list(c.execute(text(statement), values).scalars())


def _put(c: Connection, number: int, words: Sequence[str]) -> None:
    if c.dialect.name == "sqlite":
        statement = "INSERT INTO search_index (rowid, words) VALUES (:number, :words)"
        c.execute(text(statement), {"number": number, "words": " ".join(words)})
    else:
        statement = "INSERT INTO search_index (seq, words) VALUES (:number, array_to_tsvector(CAST(:words AS text[])))"
        c.execute(text(statement), {"number": number, "words": list(words)})


def _free_number(c: Connection, moment: datetime) -> int:
    """The first free number for a text of this time."""
    first = max(1, round(moment.timestamp() * 1000) * PER_MILLISECOND)
    column = "rowid" if c.dialect.name == "sqlite" else "seq"
    taken = text(f"SELECT max({column}) FROM search_index WHERE {column} >= :first AND {column} < :end")  # noqa: S608
    while True:
        values = {"first": first, "end": first + PER_MILLISECOND}
        highest = c.execute(taken, values).scalar()
        number = first if highest is None else int(highest) + 1
        if number < first + PER_MILLISECOND:
            return number
        first += PER_MILLISECOND


def _owner_entry(owner_id: str | None) -> str:
    return OWNER_MARK + (owner_id or "")


# -- what waits


@dataclass(frozen=True, slots=True)
class _Text:
    """A message that waits, or a conversation's title."""

    id: str
    is_title: bool
    content: str
    created_at: datetime


_MESSAGE_WAITS = and_(messages.c.search_seq.is_(None), messages.c.status != "running")
_TITLE_WAITS = conversations.c.search_seq.is_(None)


def _waiting(c: Connection) -> list[_Text]:
    """The newest texts that wait, some of them. What nobody searches for counts as empty."""
    theirs = messages.c.conversation_id == conversations.c.id
    sizes = c.execute(
        select(messages.c.id, func.length(messages.c.content))
        .where(_MESSAGE_WAITS)
        .order_by(messages.c.created_at.desc())
        .limit(BATCH)
    ).all()
    chosen: list[str] = []
    size = 0
    for message_id, length in sizes:
        if not chosen or size + length <= BATCH_CHARACTERS:
            chosen.append(message_id)
            size += length
    query = (
        select(messages.c.id, messages.c.role, messages.c.content, messages.c.created_at, conversations.c.comparison_id)
        .join(conversations, theirs)
        .where(messages.c.id.in_(chosen))
    )
    titles = (
        select(conversations.c.id, conversations.c.title, conversations.c.created_at).where(_TITLE_WAITS).limit(BATCH)
    )
    return [
        *(
            _Text(row.id, False, row.content if _is_wanted(row) else "", row.created_at)
            for row in c.execute(query).all()
        ),
        *(_Text(row.id, True, row.title, row.created_at) for row in c.execute(titles).all()),
    ]


def _is_wanted(row: Any) -> bool:
    return row.comparison_id is None and row.role in ("user", "assistant")


def _count_waiting(c: Connection) -> int:
    return int(c.execute(select(func.count()).select_from(messages).where(_MESSAGE_WAITS)).scalar_one())


def _store(c: Connection, entries: Sequence[tuple[_Text, list[str]]]) -> None:
    """Write words into the index, of texts that are still as they were when they were read."""
    if c.dialect.name == "postgresql":
        c.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for table, waits, column in (
        (messages, _MESSAGE_WAITS, messages.c.content),
        (conversations, _TITLE_WAITS, conversations.c.title),
    ):
        mine = [(entry, words) for entry, words in entries if entry.is_title == (table is conversations)]
        query = select(table.c.id, column.label("content"), conversations.c.owner_id).where(
            table.c.id.in_([entry.id for entry, _ in mine]), waits
        )
        if table is messages:
            query = query.join(conversations, messages.c.conversation_id == conversations.c.id)
        # Locked, so that nobody changes one or gives it to somebody else meanwhile. What somebody is about to change
        # goes on waiting.
        locked = query.with_for_update(of=[table, conversations], key_share=True, skip_locked=True)
        rows = {row.id: row for row in c.execute(locked)}
        numbers = []
        for entry, words in mine:
            row = rows.get(entry.id)
            if row is None or (words and row.content != entry.content):
                continue
            number = _free_number(c, entry.created_at) if words else 0
            if words:
                _put(c, number, [_owner_entry(row.owner_id), *words])
            numbers.append({"row_id": entry.id, "number": number})
        if numbers:
            marked = update(table).where(table.c.id == bindparam("row_id")).values(search_seq=bindparam("number"))
            c.execute(marked, numbers)


@asynccontextmanager
async def kept_current(database: Database, unread: asyncio.Event) -> AsyncGenerator[None, None]:
    """Read what waits into the index, in the background, now and whenever `unread` is set."""
    search = Search(database)
    unread.set()

    async def read() -> None:
        while True:
            await unread.wait()
            unread.clear()
            try:
                while await search.catch_up():
                    pass
            except FalconryError as error:  # a full disk, say; the next message tries again
                logger.warning("The search could not read new messages: %s", error.message)

    task = asyncio.create_task(read(), name="search index")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
