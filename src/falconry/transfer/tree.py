"""Messages of a file put in order: parents before their children, each with its depth, and no circles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from falconry.storage.transfer import TreeMessage
from falconry.transfer.refusals import ImportRefused

MOST_MESSAGES = 100_000  # of one conversation


def in_order(messages: Sequence[TreeMessage], where: str) -> list[TreeMessage]:
    """The messages with their depths, parents first, siblings in the order that they had.

    Raises ImportRefused: two have one id, one answers a message that is not there, or they go round in a circle.
    """
    if len(messages) > MOST_MESSAGES:
        raise ImportRefused(
            f"{where}: there are more than {MOST_MESSAGES} messages.",
            code="import_too_many",
            where=where,
            limit=MOST_MESSAGES,
        )
    ids = {each.message.id for each in messages}
    if len(ids) < len(messages):
        raise ImportRefused(f"{where}: two messages have the same id.", code="import_same_id", where=where)
    children: dict[str | None, list[TreeMessage]] = {}
    for each in messages:
        if each.message.parent_id is not None and each.message.parent_id not in ids:
            raise ImportRefused(
                f"{where}: a message answers one that is not there.", code="import_parent_missing", where=where
            )
        children.setdefault(each.message.parent_id, []).append(each)
    ordered: list[TreeMessage] = []
    level = children.get(None, [])
    depth = 0
    while level:
        ordered += [replace(each, message=replace(each.message, depth=depth)) for each in level]
        level = [child for each in level for child in children.get(each.message.id, ())]
        depth += 1
    if len(ordered) < len(messages):
        raise ImportRefused(f"{where}: messages answer each other in a circle.", code="import_circle", where=where)
    return ordered


def leaf_of(messages: Sequence[TreeMessage], message_id: str | None) -> str | None:
    """The end of the branch through a message, by its newest answers; of the newest branch where there is none such."""
    newest: dict[str | None, TreeMessage] = {}
    for each in messages:
        before = newest.get(each.message.parent_id)
        if before is None or each.message.created_at >= before.message.created_at:
            newest[each.message.parent_id] = each
    place = message_id if any(each.message.id == message_id for each in messages) else None
    while (following := newest.get(place)) is not None:
        place = following.message.id
    return place
