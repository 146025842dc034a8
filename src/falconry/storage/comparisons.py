"""Comparisons on disk: the same questions to several models, whose answers are one conversation for each model.

A store belongs to one person, as that of conversations does. The conversations themselves are written by the chat; here
they are made, copied, and go with their comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, func, insert, select, update

from falconry.errors import NotAuthenticated, NotFound
from falconry.storage.attachments import attach
from falconry.storage.tables import attachments, comparisons, conversations, messages, users, votes
from falconry.storage.values import new_id, storable
from falconry.storage.votes import Comparison, Votes, columns_of, to_comparison


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list of comparisons."""

    comparison: Comparison
    votes: int


class ComparisonStore(Votes):
    """The store of one person's comparisons: of the one at this machine, or of the user with an id."""

    async def create(self, models: Sequence[str], *, blind: bool) -> Comparison:
        """Make a comparison with an empty conversation for each model.

        Raises NotAuthenticated where the owner has been removed meanwhile.
        """
        now = datetime.now(UTC)
        columns = tuple(new_id() for _ in models)
        made = Comparison(new_id(), "", tuple(models), columns, blind, now, now)
        common = {"owner_id": self._owner_id or None, "title": "", "created_at": now, "updated_at": now}

        def run(c: Connection) -> None:
            owner = select(users.c.id).where(users.c.id == self._owner_id).with_for_update(read=True, key_share=True)
            if self._owner_id and c.execute(owner).first() is None:
                raise NotAuthenticated("This account does not exist any more.", code="account_gone")
            c.execute(insert(comparisons).values(common | {"id": made.id, "models": list(models), "blind": blind}))
            for place, column in enumerate(columns):
                own = {"id": column, "comparison_id": made.id, "place": place}
                c.execute(insert(conversations).values(common | own))

        await self._db.write(run)
        return made

    async def get(self, comparison_id: str) -> Comparison:
        """Raises NotFound."""
        return await self._db.read(lambda c: self._comparison(c, comparison_id))

    async def newest(self, limit: int, *, before: str | None = None) -> list[Listed]:
        """Those in which something was asked, the newest first; with `before`, those older than that one."""
        count = select(func.count()).where(votes.c.comparison_id == comparisons.c.id).scalar_subquery()
        asked = exists().where(conversations.c.comparison_id == comparisons.c.id, conversations.c.head_id.is_not(None))
        query = (
            select(comparisons, count.label("votes"))
            .where(self._mine, asked)
            .order_by(comparisons.c.updated_at.desc(), comparisons.c.id)
            .limit(limit)
        )

        def run(c: Connection) -> list[Listed]:
            found = query
            if before is not None:
                found = query.where(comparisons.c.updated_at < self._comparison(c, before).updated_at)
            return [Listed(to_comparison(row, columns_of(c, row.id)), row.votes) for row in c.execute(found).all()]

        return await self._db.read(run)

    async def touch(self, comparison_id: str, title: str) -> None:
        """Note that something was asked. The first question gives the title."""

        def run(c: Connection) -> None:
            known = self._comparison(c, comparison_id)
            values = {"updated_at": datetime.now(UTC), "title": known.title or storable(title)}
            c.execute(update(comparisons).where(comparisons.c.id == comparison_id).values(values))

        await self._db.write(run)

    async def reveal(self, comparison_id: str) -> None:
        """Note that the names are told from now on."""

        def run(c: Connection) -> None:
            self._comparison(c, comparison_id)
            unknown = (comparisons.c.id == comparison_id) & comparisons.c.revealed_at.is_(None)
            c.execute(update(comparisons).where(unknown).values(revealed_at=datetime.now(UTC)))

        await self._db.write(run)

    async def delete(self, comparison_id: str) -> None:
        """With its conversations and votes."""

        def run(c: Connection) -> None:
            self._comparison(c, comparison_id)
            c.execute(delete(comparisons).where(comparisons.c.id == comparison_id))

        await self._db.write(run)

    # -- the conversations

    async def copy_files(self, ids: Sequence[str], *, sent: bool = False) -> list[str]:
        """Copies of files beside a question, for another column: a file belongs to one conversation. Gives their ids.

        Args:
            sent: files of a message; by default those that are not sent yet.

        Raises NotFound where one of them does not exist.
        """
        of = attachments.c.conversation_id.is_not(None) if sent else attachments.c.conversation_id.is_(None)
        return await self._db.write(lambda c: list(_copy_files(c, ids, self._owner_id, of=of).values()))

    async def append_failed(
        self, column: str, content: str, model: str, error: Mapping[str, object], files: Sequence[str] = ()
    ) -> None:
        """Store a question that a model could not even be asked, with a reply that says why. Raises NotFound."""
        now = datetime.now(UTC)

        def run(c: Connection) -> None:
            own = conversations.c.id == column
            row = c.execute(select(conversations.c.head_id).where(own).with_for_update()).first()
            if row is None:  # deleted in this very moment
                raise NotFound("This comparison does not exist.", code="comparison_not_found")
            head = row.head_id
            deep = select(messages.c.depth).where(messages.c.id == head)
            depth = c.execute(deep).scalar_one() + 1 if head else 0
            common = {"conversation_id": column, "thinking": "", "created_at": now}
            asked = {"id": new_id(), "parent_id": head, "depth": depth, "role": "user", "status": "complete"}
            reply = {"id": new_id(), "parent_id": asked["id"], "depth": depth + 1, "role": "assistant"}
            failed = {"content": "", "status": "failed", "model": model, "error": dict(error)}
            beside = [file.about() for file in attach(c, self._owner_id, column, files)] or None
            c.execute(insert(messages).values(common | asked | {"content": storable(content), "attachments": beside}))
            c.execute(insert(messages).values(common | reply | failed))
            moved = {"head_id": reply["id"], "updated_at": now, "version": conversations.c.version + 1}
            c.execute(update(conversations).where(own).values(moved))

        await self._db.write(run, durable=True)

    async def copy(self, comparison_id: str, place: int) -> str:
        """Make an ordinary conversation of one column's messages; gives its id."""
        now = datetime.now(UTC)

        def run(c: Connection) -> str:
            known = self._comparison(c, comparison_id)
            said = messages.c.conversation_id == known.columns[place]
            rows = c.execute(select(messages).where(said).order_by(messages.c.depth)).all()
            head = c.execute(select(conversations.c.head_id).where(conversations.c.id == known.columns[place])).scalar()
            ids = {row.id: new_id() for row in rows}
            made = new_id()
            values = {"id": made, "owner_id": self._owner_id or None, "title": known.title, "head_id": ids.get(head)}
            c.execute(insert(conversations).values(values | {"created_at": now, "updated_at": now, "version": 1}))
            beside = [file["id"] for row in rows for file in row.attachments or ()]
            files = _copy_files(c, beside, self._owner_id, conversation_id=made)
            if rows:
                c.execute(insert(messages), [_copied(row, ids, files, made) for row in rows])
            return made

        return await self._db.write(run)


def _copy_files(
    c: Connection,
    ids: Sequence[str],
    owner_id: str,
    *,
    conversation_id: str | None = None,
    of: ColumnElement[bool] | None = None,
) -> dict[str, str]:
    """Copy files of this person, by default as unsent ones; gives the new id of each.

    Args:
        of: which ones may be copied.
    """
    new = {one: new_id() for one in ids}
    theirs = attachments.c.owner_id == owner_id if owner_id else attachments.c.owner_id.is_(None)
    query = select(attachments).where(attachments.c.id.in_(new), theirs, *([] if of is None else [of]))
    rows = c.execute(query).all() if new else []
    if len(rows) < len(new):
        raise NotFound("This file does not exist any more. Attach it again.", code="attachment_not_found")
    for row in rows:
        own = {"id": new[row.id], "conversation_id": conversation_id, "created_at": datetime.now(UTC)}
        c.execute(insert(attachments).values(dict(row._mapping) | own))
    return new


def _copied(row: Row[Any], ids: Mapping[str, str], files: Mapping[str, str], conversation_id: str) -> dict[str, Any]:
    """A message with the ids of the copy, also where the prompt began; the search has yet to read it."""
    values = dict(row._mapping) | {"search_seq": None}
    own: dict[str, Any] = {
        "id": ids[row.id],
        "parent_id": ids.get(row.parent_id),
        "conversation_id": conversation_id,
        "owner": None,
    }
    if row.context:
        own["context"] = {**row.context, "start_id": ids.get(row.context.get("start_id"))}
    if row.attachments:
        own["attachments"] = [file | {"id": files[file["id"]]} for file in row.attachments]
    return values | own
