"""Which names of files from elsewhere may be written to a disk, on any system.

A repository's maker chooses the names in it. One that is refused here could leave the folder (`../`, `C:\\`), hide
(`.bashrc`), be another file than it seems on some systems (`CON`, a trailing dot, two forms of one letter), or not fit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_LONGEST_PART = 200  # bytes; file systems take 255, and partial files need a few more
_LONGEST_PATH = 600
_DEEPEST = 6
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?")


def is_safe(path: str) -> bool:
    """Whether a path with / between its parts, relative to some folder, stays in it and means the same everywhere."""
    parts = path.split("/")
    return (
        len(path.encode("utf-8", "replace")) <= _LONGEST_PATH and len(parts) <= _DEEPEST and all(map(_is_safe, parts))
    )


def collide(paths: Iterable[str]) -> bool:
    """Whether two of the paths are one file on a system that does not tell upper from lower case."""
    seen = [unicodedata.normalize("NFC", path).casefold() for path in paths]
    return len(set(seen)) < len(seen)


def _is_safe(part: str) -> bool:
    return (
        0 < len(part.encode("utf-8", "replace")) <= _LONGEST_PART
        and part.isprintable()  # neither control characters nor those that turn the direction of the text
        and not part.startswith((".", " ", "~"))
        and not part.endswith((".", " "))
        and not _FORBIDDEN.search(part)
        and not _DEVICES.fullmatch(part)
        and unicodedata.normalize("NFC", part) == part
    )
