"""What comes of reading a file: its text, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_EXPANDED = 100 * 2**20
"""Bytes that a file's parts may have together when they are unpacked."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file.

    Attributes:
        warning: a code of `extractor.WARNINGS`, where not all of it could be read, with the values of its sentence.
    """

    media_type: str
    text: str
    warning: str | None = None
    details: Mapping[str, int] = field(default_factory=dict)


class Unreadable(Exception):
    """The file gives no text. `code` is one of `extractor.REFUSALS`."""

    def __init__(self, code: str, **details: int) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class Budget:
    """Counts what is unpacked. Raises Unreadable when it is too much."""

    def __init__(self, most: int = MOST_EXPANDED) -> None:
        self._most = most
        self._left = most

    @property
    def left(self) -> int:
        return self._left

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unreadable("file_expands", limit_mib=self._most // 2**20)
