"""The checksums that a hub gives for its files, reckoned while the bytes arrive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

_CHUNK = 4 * 2**20


class Hasher(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Checksum:
    """`sha256` for large files (Git LFS), `git` for small ones: SHA-1 over `blob <size>`, a zero byte, the content.

    Source: gitformat-pack(5) and the hub's API, `siblings[].lfs.sha256` and `siblings[].blobId`.
    """

    algorithm: Literal["sha256", "git"]
    value: str

    def hasher(self, size: int) -> Hasher:
        """One for a file of this many bytes."""
        if self.algorithm == "sha256":
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def matches(self, path: Path) -> bool:
        """Whether a file has this content. Blocking, about a second per GB; False for one that cannot be read."""
        try:
            hasher = self.hasher(path.stat().st_size)
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    hasher.update(chunk)
        except OSError:
            return False
        return hasher.hexdigest() == self.value
