"""Names of files as strangers give them, made fit to be stored, shown, and given back as names of downloads."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal
from urllib.parse import quote

_MOST = 120  # characters
_MOST_BYTES = 240  # of file systems' 255, with room for an ending
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
# Controls, formats (which turn the direction of writing, or are invisible), surrogates, and line separators.
_UNFIT = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def safe_name(name: str) -> str:
    """The last part of a path, without what cannot be seen, at most 120 characters long and never empty.

    >>> safe_name("C:\\\\temp\\\\../re\u202efdp.exe ")
    'refdp.exe'
    """
    name = unicodedata.normalize("NFC", name)
    name = "".join(" " if character in "\t\n\r" else character for character in name)
    name = "".join(character for character in name if unicodedata.category(character) not in _UNFIT)
    name = re.sub(r"[/\\]+$", "", name)
    name = re.split(r"[/\\]", name)[-1]
    name = re.sub(r'[<>:"|?*]', "_", name)
    name = " ".join(name.split()).strip(". ")
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name) or "file"


def _shortened(name: str) -> str:
    """Cut in the middle: how it begins and what kind it is are what a person knows a file by."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 12:
        stem, dot, ending = name, "", ""
    while len(stem) + len(dot + ending) > _MOST or len((stem + dot + ending).encode()) > _MOST_BYTES:
        stem = stem[:-1]
    return (stem.rstrip(" .") + dot + ending).strip(". ")


def content_disposition(name: str, *, kind: Literal["attachment", "inline"] = "attachment") -> str:
    """The header of a download: a plain name for old clients (RFC 6266), the right one for all others (RFC 8187).

    Args:
        kind: "inline" for what a page shows; saved, it has the name, too.
    """
    plain = re.sub(r"[^ !#$&+\-.0-9A-Z^_`a-z{}~()\[\]]", "_", unicodedata.normalize("NFKD", name))
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
