"""The tree of a conversation's messages, in SQL: branches, versions, and which branch is on show.

An edited question and another answer are siblings of the first one. The branch on show is the way from the
conversation's head, which is a leaf, up to the root. A leaf that is left for another branch remembers when (`left_at`);
below a message that is shown again the leaf counts that was left or written last.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, delete, exists, func, literal, or_, select, update

from falconry.errors import ReplyNotFound
from falconry.messages import StoredMessage
from falconry.storage.attachments import with_contents
from falconry.storage.rows import to_attachments, to_message
from falconry.storage.tables import attachments, conversations, messages

said = messages.c


def depth_below(c: Connection, parent_id: str | None) -> int:
    """The depth of a child of this message."""
    if parent_id is None:
        return 0
    return int(c.execute(select(said.depth).where(said.id == parent_id)).scalar_one()) + 1


def place(c: Connection, conversation_id: str, message_id: str) -> tuple[str | None, int]:
    """Parent and depth of a message of this conversation. Raises ReplyNotFound."""
    mine = (said.id == message_id) & (said.conversation_id == conversation_id)
    row = c.execute(select(said.parent_id, said.depth).where(mine)).first()
    if row is None:
        raise ReplyNotFound("This reply does not exist.")
    return row.parent_id, row.depth


# -- upwards


def ancestors(
    c: Connection,
    message_id: str | None,
    limit: int | None = None,
    *,
    depths: tuple[int, int] | None = None,
) -> list[StoredMessage]:
    """A message and those above it, oldest first.

    Args:
        limit: only the newest so many.
        depths: only those from one depth to another, both included.
    """
    if message_id is None:
        return []
    walk = _upwards(message_id, limit=limit)
    query = select(messages).join(walk, walk.c.id == said.id).order_by(said.depth)
    if depths is not None:
        query = query.where(said.depth.between(*depths))
    return [to_message(row) for row in c.execute(query)]


def transcript(c: Connection, last_id: str, until: str | None) -> list[StoredMessage]:
    """Only the columns that a prompt is made of: a thousand whole messages cost 65 ms to build, these 10."""
    walk = _upwards(last_id, until=until)
    columns = (
        said.id,
        said.conversation_id,
        said.parent_id,
        said.role,
        said.content,
        said.created_at,
        said.depth,
        said.attachments,
    )
    rows = c.execute(select(*columns).join(walk, walk.c.id == said.id).order_by(said.depth)).all()
    path = [StoredMessage(*row[:6], depth=row[6], attachments=to_attachments(row[7])) for row in rows]
    return with_contents(c, path) if any(row[7] for row in rows) else path


def is_above(c: Connection, message_id: str, last_id: str | None) -> bool:
    """Whether a message is on the branch that ends with `last_id`."""
    if last_id is None:
        return False
    walk = _upwards(last_id, until=message_id)
    return c.execute(select(walk.c.id).where(walk.c.id == message_id)).first() is not None


def _upwards(last_id: str, *, limit: int | None = None, until: str | None = None) -> CTE:
    """The ids from a message up to its root, or to message `until`, or `limit` of them."""
    walk = select(said.id, said.parent_id, literal(1).label("count")).where(said.id == last_id).cte(recursive=True)
    step = select(said.id, said.parent_id, walk.c.count + 1).where(said.id == walk.c.parent_id)
    if limit is not None:
        step = step.where(walk.c.count < limit)
    if until is not None:
        step = step.where(walk.c.id != until)
    return walk.union_all(step)


# -- beside and below


def versions(c: Connection, conversation_id: str, parent_ids: Collection[str | None]) -> dict[str | None, list[str]]:
    """The children of each of these messages, the oldest first; of None the conversation's first messages."""
    above = said.parent_id.in_([parent_id for parent_id in parent_ids if parent_id is not None])
    # By depth: an index finds the conversation's messages, but "no parent" would find every conversation's first ones.
    first = (said.conversation_id == conversation_id) & (said.depth == 0)
    children = or_(above, first) if None in parent_ids else above
    found: dict[str | None, list[str]] = {}
    query = select(said.id, said.parent_id).where(children).order_by(said.created_at, said.id)
    for row in c.execute(query):
        found.setdefault(row.parent_id, []).append(row.id)
    return found


def leaf_below(c: Connection, message_id: str) -> str:
    """The end of the branch through a message that was left or written last."""
    below = _downwards(message_id)
    child = messages.alias()
    is_leaf = ~exists().where(child.c.parent_id == said.id)
    newest = func.coalesce(said.left_at, said.created_at).desc()
    query = select(said.id).join(below, below.c.id == said.id).where(is_leaf).order_by(newest, said.depth.desc())
    return str(c.execute(query.limit(1)).scalar_one())


def delete_below(c: Connection, conversation_id: str, message_id: str) -> None:
    """Delete a message and all below it, with the files that no other message of the conversation carries."""
    below = _downwards(message_id)
    files = select(said.attachments).where(said.conversation_id == conversation_id, said.attachments.is_not(None))
    with_files = _file_ids(c, files)
    c.execute(delete(messages).where(said.id.in_(select(below.c.id))))
    if gone := with_files - _file_ids(c, files):
        c.execute(delete(attachments).where(attachments.c.id.in_(gone)))


def _file_ids(c: Connection, lists: Select[Any]) -> set[str]:
    return {file["id"] for row in c.execute(lists) for file in row.attachments}


def _downwards(message_id: str) -> CTE:
    """The ids of a message and of all below it."""
    walk = select(said.id).where(said.id == message_id).cte(recursive=True)
    return walk.union_all(select(said.id).where(said.parent_id == walk.c.id))


# -- the branch on show


def move_head(c: Connection, conversation_id: str, head_id: str | None) -> None:
    c.execute(update(conversations).where(conversations.c.id == conversation_id).values(head_id=head_id))


def leave(c: Connection, leaf_id: str | None) -> None:
    """Remember that this branch was on show until now."""
    if leaf_id is not None:
        c.execute(update(messages).where(said.id == leaf_id).values(left_at=datetime.now(UTC)))


def touch(c: Connection, conversation_id: str, *, talked: bool = True) -> None:
    """Tell whoever watches that a conversation changed; where somebody talked in it, it moves up in the list."""
    values: dict[str, datetime | ColumnElement[int]] = {"version": conversations.c.version + 1}
    if talked:
        values["updated_at"] = datetime.now(UTC)
    c.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))
