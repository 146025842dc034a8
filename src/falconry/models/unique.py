"""Finds what is the same content in two places, without reading it all.

The same are: one inode; one size and one sha256, where both stores tell it; one size and one `fingerprint`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from falconry.models.look import State, fingerprint, state_of
from falconry.models.regular_file import is_folder
from falconry.models.stores.found import Found

_Inodes: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Seen:
    """What a store tells of a model, the state of its files, and the other places of the same content."""

    found: Found
    state: State
    is_folder: bool
    copies: list[Path] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its weights."""
        return sum(file.size for file in self.state if file.path.suffix != ".json")

    @property
    def inodes(self) -> _Inodes:
        return tuple((file.device, file.inode) for file in self.state)


def seen(found: Found) -> Seen:
    """A look at the state of a model's files."""
    return Seen(found, state_of(found.path), is_folder(found.path))


def unique(there: Iterable[Found]) -> list[Seen]:
    """Each content once, where it comes first. A projector that only the copy has is the first one's, too."""
    register = _Register()
    models: list[Seen] = []
    for new in map(seen, there):
        same = register.find(new)
        if same is None:
            register.add(new)
            models.append(new)
        elif new.found.path != same.found.path:
            same.copies.append(new.found.path)
            if same.found.projector is None and new.found.projector is not None:
                same.found = replace(same.found, projector=new.found.projector)
    return models


class _Register:
    """What was seen already, by all that tells one content from another."""

    def __init__(self) -> None:
        self._inodes: dict[_Inodes, Seen] = {}
        self._digests: dict[tuple[int, str], Seen] = {}
        self._prints: dict[tuple[int, int, str], Seen] = {}
        self._unread: dict[int, list[Seen]] = {}  # by size: those whose fingerprints nobody has needed yet

    def find(self, new: Seen) -> Seen | None:
        """Whatever has the same content."""
        if not new.state:
            return None
        if (same := self._inodes.get(new.inodes)) is not None:
            return same
        if new.found.digest and (same := self._digests.get((new.size, new.found.digest))) is not None:
            return same
        return self._by_fingerprint(new)

    def add(self, new: Seen) -> None:
        if not new.state:
            return
        self._inodes[new.inodes] = new
        if new.found.digest:
            self._digests[new.size, new.found.digest] = new
        if not new.is_folder:
            self._unread.setdefault(new.size, []).append(new)

    def _by_fingerprint(self, new: Seen) -> Seen | None:
        if new.is_folder or new.size not in self._unread:  # alone with its size: nothing needs to be read
            return None
        for one in self._unread[new.size]:
            if (mark := _mark(one)) is not None:
                self._prints.setdefault(mark, one)
        self._unread[new.size] = []
        mark = _mark(new)
        same = self._prints.get(mark) if mark is not None else None
        told_apart = same is not None and same.found.digest and new.found.digest  # by digests, which are not the same
        return None if told_apart else same


def _mark(model: Seen) -> tuple[int, int, str] | None:
    text = fingerprint(model.found.path, model.state)
    return (len(model.state), model.size, text) if text is not None else None
