"""Models in several files, by their names: `<stem>-00001-of-00003.gguf`, as `llama-gguf-split` writes them."""

from __future__ import annotations

import re
from pathlib import Path

MOST_PARTS = 1000
_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def stem_of(path: Path) -> str:
    """The name of a model's file without its ending, and without which part of it the file is."""
    named = _NAME.fullmatch(path.name)
    return named["stem"] if named else path.stem


def part_number(path: Path) -> int:
    """Which part of a model a file is by its name: 1 for the first, and for one that is whole."""
    named = _NAME.fullmatch(path.name)
    return int(named["number"]) if named else 1


def part_paths(path: Path) -> tuple[Path, ...]:
    """The files of a model by the name of one of them; `path` alone where it is named as no part of several."""
    named = _NAME.fullmatch(path.name)
    if named is None or not 1 <= int(named["count"]) <= MOST_PARTS:
        return (path,)
    return tuple(part_path(path, number, int(named["count"])) for number in range(1, int(named["count"]) + 1))


def part_path(beside: Path, number: int, count: int) -> Path:
    """A part of the model of which another file is a part."""
    return beside.with_name(f"{stem_of(beside)}-{number:05}-of-{count:05}.gguf")
