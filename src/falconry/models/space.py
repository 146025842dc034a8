"""Room on the disk: models are large, and a full disk takes conversations with it."""

from __future__ import annotations

import shutil
from pathlib import Path

from falconry.errors import NotEnoughSpace

RESERVE = 256 * 2**20
"""Bytes of a disk that downloads leave free: conversations are stored there, too."""


def free_space(folder: Path) -> int:
    """Bytes that can be written where a folder is, or will be."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(folder: Path, missing: int, others: int) -> None:
    """Raises NotEnoughSpace where there is no room for what is missing, beside what others need. All in bytes."""
    free = free_space(folder)
    if missing and missing + others > free:
        raise NotEnoughSpace(missing + others, free, str(folder))
