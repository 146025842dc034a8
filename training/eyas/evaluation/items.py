"""The items: one JSON object a line, one file a field."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from training.eyas.evaluation import rules

FOLDER = pathlib.Path(__file__).parent
OUTSIDE = ("outside", "near-outside")


@dataclasses.dataclass(frozen=True)
class Item:
    """User messages asked one after another, and what the last answer is scored by."""

    id: str
    lang: str
    field: str
    turns: tuple[str, ...]
    expect: dict[str, Any]
    source: str
    system: str | None = None

    @property
    def outside(self) -> bool:
        """Whether the honest answer is the right one."""
        return self.field in OUTSIDE

    @property
    def follow_up(self) -> bool:
        """Whether the last message needs the ones before it."""
        return len(self.turns) > 1


class BadItem(ValueError):
    """A line that is no item."""


def item(line: str) -> Item:
    """The item of one line. Raises BadItem."""
    try:
        made = Item(**json.loads(line))
    except (TypeError, ValueError) as error:
        raise BadItem(f"{error}: {line[:80]}") from error
    unknown = set(made.expect) - rules.EXPECT
    if unknown or not made.turns or not made.expect or made.lang not in {"en", "zh"}:
        raise BadItem(f"{made.id}: {sorted(unknown) or 'no turns, no rules or no language'}")
    return dataclasses.replace(made, turns=tuple(made.turns))


def load(fields: Iterable[str] = (), folder: pathlib.Path = FOLDER) -> list[Item]:
    """All items, or those of some fields, in the order of files and lines."""
    wanted = set(fields)
    paths = [path for path in sorted(folder.glob("*.jsonl")) if not wanted or path.stem in wanted]
    return [item(line) for path in paths for line in path.read_text("utf-8").splitlines() if line.strip()]
