"""Tables whose cells hold code with pipes: a row like ``| `a|b` | or |`` has two cells, as its writer meant.

GitHub's rule splits such a row inside the code. Models write it all the time, so the pipes in code are escaped before a
table is read, where the row would otherwise have more cells than its header.
"""

from __future__ import annotations

import re

from markdown_it.rules_core import StateCore

_RULER = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_FENCE = re.compile(r"[ \t>]*(?:[-*+]|\d+[.)])?[ \t]*(```+|~~~+)")
_CODE = re.compile(r"(`+)(?!`)[^`]+\1(?!`)")
_PIPE = re.compile(r"(?<!\\)\|")


def _cells(row: str) -> int:
    return len(_PIPE.findall(row.strip().removeprefix("|").removesuffix("|"))) + 1


def _escaped(row: str) -> str:
    return _CODE.sub(lambda match: _PIPE.sub(r"\\|", match[0]), row)


def pipes_in_code(state: StateCore) -> None:
    """A core rule of markdown-it, to run before blocks are read. Lines stay lines."""
    if "|" not in state.src or "`" not in state.src:
        return
    lines = state.src.split("\n")
    fence = ""
    columns = 0  # of the table that the line stands in; 0 outside of one
    for number, line in enumerate(lines):
        if match := _FENCE.match(line):
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence):
                fence = ""
            columns = 0
        elif fence:
            continue
        elif "|" not in line:
            columns = 0
        elif "-" in line and number and _RULER.fullmatch(line):
            columns = _cells(line)
            lines[number - 1] = _fitted(lines[number - 1], columns)
        elif columns:
            lines[number] = _fitted(line, columns)
    state.src = "\n".join(lines)


def _fitted(row: str, columns: int) -> str:
    return _escaped(row) if "`" in row and _cells(row) > columns else row
