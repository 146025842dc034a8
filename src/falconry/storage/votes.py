"""The votes of comparisons on disk, and what they go by: whose a comparison is, its models, whether it is hidden."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select

from falconry.errors import NotFound, StaleConversation
from falconry.storage.database import Database
from falconry.storage.tables import comparisons, conversations, votes
from falconry.storage.values import new_id


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several models side by side.

    Attributes:
        title: the first question's beginning.
        models: by place.
        columns: ids of the conversations, by place.
        blind: nobody was to know which model is where; `revealed_at` is when that was told.
    """

    id: str
    title: str
    models: tuple[str, ...]
    columns: tuple[str, ...]
    blind: bool
    created_at: datetime
    updated_at: datetime
    revealed_at: datetime | None = None

    @property
    def hidden(self) -> bool:
        """Whether the names must not be told."""
        return self.blind and self.revealed_at is None


@dataclass(frozen=True, slots=True)
class Vote:
    """A judgement of one question's answers, by the models' names. Without a best one all were bad.

    Attributes:
        turn: which question, from 0.
        blind: given while the names were hidden.
    """

    turn: int
    best: tuple[str, ...]
    others: tuple[str, ...]
    blind: bool
    created_at: datetime


class Votes:
    """The votes of one person: of the one at this machine, or of the user with an id."""

    def __init__(self, database: Database, owner_id: str = "") -> None:
        self._db = database
        self._owner_id = owner_id
        column = comparisons.c.owner_id
        self._mine: ColumnElement[bool] = column == owner_id if owner_id else column.is_(None)

    def of(self, owner_id: str) -> Self:
        """The store of another person's; "" is the one at this machine."""
        return type(self)(self._db, owner_id)

    async def votes(self, comparison_id: str) -> dict[int, Vote]:
        """The vote of each question that has one."""
        query = select(votes).where(votes.c.comparison_id == comparison_id)

        def run(c: Connection) -> dict[int, Vote]:
            self._comparison(c, comparison_id)
            return {row.turn: _to_vote(row) for row in c.execute(query).all()}

        return await self._db.read(run)

    async def put_vote(self, comparison_id: str, turn: int, best: Collection[str]) -> Vote:
        """Store a vote, in place of an earlier one.

        Raises StaleConversation where that was given blind and the names are known by now.
        """

        def run(c: Connection) -> Vote:
            known = self._comparison(c, comparison_id, lock=True)
            this = (votes.c.comparison_id == comparison_id) & (votes.c.turn == turn)
            earlier = c.execute(select(votes.c.blind).where(this)).scalar()
            if earlier and not known.hidden:
                raise StaleConversation(
                    "This vote was given before the names were known, so it cannot be changed any more.",
                    code="vote_final",
                )
            chosen = tuple(model for model in known.models if model in best)
            rest = tuple(model for model in known.models if model not in best)
            vote = Vote(turn, chosen, rest, known.hidden, datetime.now(UTC))
            c.execute(delete(votes).where(this))
            c.execute(
                insert(votes).values(
                    id=new_id(),
                    comparison_id=comparison_id,
                    turn=turn,
                    best=list(chosen),
                    others=list(rest),
                    blind=vote.blind,
                    created_at=vote.created_at,
                )
            )
            return vote

        return await self._db.write(run)

    async def all_votes(self, *, blind_only: bool = False) -> list[Vote]:
        """The votes of comparisons whose names are known: the others would tell by the figures what is hidden."""
        query = self._votes().where(comparisons.c.blind.is_(False) | comparisons.c.revealed_at.is_not(None))
        if blind_only:
            query = query.where(votes.c.blind)
        rows = await self._db.read(lambda c: c.execute(query.order_by(votes.c.created_at, votes.c.id)).all())
        return [_to_vote(row) for row in rows]

    async def hidden_votes(self) -> int:
        """How many votes wait until their names are told."""
        waiting = self._votes().where(comparisons.c.blind, comparisons.c.revealed_at.is_(None)).subquery()
        return await self._db.read(lambda c: c.execute(select(func.count()).select_from(waiting)).scalar_one())

    async def waiting(self) -> list[str]:
        """The ids of comparisons with votes whose names are still hidden."""
        judged = select(votes.c.comparison_id)
        hidden = comparisons.c.blind & comparisons.c.revealed_at.is_(None)
        query = select(comparisons.c.id).where(self._mine, hidden, comparisons.c.id.in_(judged))
        return list(await self._db.read(lambda c: c.execute(query).scalars().all()))

    def _votes(self) -> Any:
        return select(votes).join(comparisons, votes.c.comparison_id == comparisons.c.id).where(self._mine)

    def _comparison(self, c: Connection, comparison_id: str, *, lock: bool = False) -> Comparison:
        query = select(comparisons).where(comparisons.c.id == comparison_id, self._mine)
        row = c.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound("This comparison does not exist.", code="comparison_not_found")
        return to_comparison(row, columns_of(c, comparison_id))


def columns_of(c: Connection, comparison_id: str) -> tuple[str, ...]:
    theirs = conversations.c.comparison_id == comparison_id
    return tuple(c.execute(select(conversations.c.id).where(theirs).order_by(conversations.c.place)).scalars())


def to_comparison(row: Row[Any], columns: tuple[str, ...]) -> Comparison:
    moments = (row.created_at, row.updated_at, row.revealed_at)
    return Comparison(row.id, row.title, tuple(row.models), columns, row.blind, *moments)


def _to_vote(row: Row[Any]) -> Vote:
    return Vote(row.turn, tuple(row.best), tuple(row.others), row.blind, row.created_at)
