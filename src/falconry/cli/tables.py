"""How the verbs show lists and figures: in columns, in few digits."""

from __future__ import annotations

import unicodedata

from falconry.cli.terminal import printable


def short_number(number: int | None) -> str:
    """Parameters as people call a model: 7.6B, 124M; "" where nobody knows."""
    if not number:
        return ""
    for unit, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= unit:
            return f"{number / unit:.3g}{letter}"
    return str(number)


def short_size(size: int | None) -> str:
    """Bytes in words of three digits: 4.7 GiB; "" where there are none."""
    if not size:
        return ""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as columns. Chinese characters take two columns of a terminal."""
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(_columns(row[n]) for row in cells) for n in range(len(cells[0]))]
    lines = [
        "  ".join(cell + " " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
