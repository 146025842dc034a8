"""Long lists of texts as patterns in which what they begin with stands once.

llama.cpp follows the texts of an enum side by side: for a list of 1000 the first tokens take seconds. Of the pattern
(a(b|cd)|e) it follows as many as there are next characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

LONG = 50
"""Texts in a list that is worth it."""
_MAX_NESTING = 12
"""llama.cpp takes groups some deeper than that."""
_MAX_BRANCHES = 500


def pattern_of(values: Sequence[object]) -> str | None:
    """A pattern for exactly these texts; None where the list is short, or has what no pattern can hold."""
    if len(values) < LONG:
        return None
    words = [value for value in values if isinstance(value, str)]
    if len(words) < len(values) or not all(word and all(map(_plain, word)) for word in words):
        return None
    pattern = _write(sorted(set(words)), 0)
    return None if pattern is None else f"^{pattern}$"


def _plain(char: str) -> bool:
    return char.isalnum() or char in " _-.,:/+@()'"


def _write(words: Sequence[str], depth: int) -> str | None:
    """Sorted words, the empty one perhaps among them, as alternatives by their first characters."""
    if depth > _MAX_NESTING:
        return None
    branches: list[str] = []
    for _, group in groupby((word for word in words if word), key=lambda word: word[0]):
        same = list(group)
        start = _common(same[0], same[-1])
        rest = _write([word[len(start) :] for word in same], depth + 1) if len(same) > 1 else ""
        if rest is None:
            return None
        branches.append("".join(map(_escape, start)) + rest)
    if len(branches) > _MAX_BRANCHES:
        return None
    return f"({'|'.join(branches)}){'?' if words[0] == '' else ''}"


def _common(first: str, last: str) -> str:
    """What two texts begin with, and so all that are sorted between them."""
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:length]


def _escape(char: str) -> str:
    """As a set, where one reader would see bytes instead of a character, or an operator."""
    if char.isascii():
        return char if char.isalnum() or char in " _" else f"[\\x{ord(char):02x}]"
    return f"[{char}]"
