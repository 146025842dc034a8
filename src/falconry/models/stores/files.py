"""Models in ordinary folders, the user's own and those of programs that keep files under their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from falconry.models.folder import is_model_folder
from falconry.models.split import part_number, stem_of
from falconry.models.stores.found import Found, Source

DEPTH = 6  # folders in folders; LM Studio and the hub's own layout have three
_MOST = 20_000  # entries that are looked at, in case somebody names the root of a disk


@dataclass(slots=True)
class _Walk:
    source: Source
    left: int = _MOST
    seen: set[tuple[int, int]] = field(default_factory=set)


def find_in_folder(root: Path, source: Source, *, depth: int = DEPTH) -> Iterator[Found]:
    """Models in a folder and those below it, in the order of their names. What cannot be read is left out.

    Hidden folders are left out too: programs keep what is not complete there. Links are followed, each folder once.
    """
    yield from _walk(root, _Walk(source), depth)


def found_file(path: Path, source: Source, *, named: bool = False) -> Found:
    """A GGUF file by its name. `named`: as `Found.named`."""
    stem = stem_of(path)
    return Found(path, source, stem, f"{path.parent.name}/{stem}", named=named)


def folder_model(folder: Path) -> str | None:
    """The name of the model whose files, in safetensors, lie in this folder itself: as on the hub. None for others."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:
        return None
    return _folder_name(folder) if _is_of_one_model(names) else None


def _is_of_one_model(names: set[str]) -> bool:
    return is_model_folder(names) and not any(name.endswith(".gguf") for name in names)


def _folder_name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _walk(folder: Path, walk: _Walk, depth: int) -> Iterator[Found]:
    files, folders = _entries(folder, walk)
    names = {path.name for path in files}
    if _is_of_one_model(names):
        yield Found(folder, walk.source, _folder_name(folder), str(folder))
        return
    for path in files:
        if path.name.lower().endswith(".gguf") and (part_number(path) == 1 or _is_first_there(path, names)):
            yield found_file(path, walk.source)
    if depth > 0:
        for inner in folders:
            yield from _walk(inner, walk, depth - 1)


def _entries(folder: Path, walk: _Walk) -> tuple[list[Path], list[Path]]:
    """Whatever is no folder, and the folders."""
    files: list[Path] = []
    folders: list[Path] = []
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in walk.seen:
            return [], []
        walk.seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                walk.left -= 1
                if walk.left < 0:
                    break
                if not entry.name.startswith("."):
                    (folders if _is_folder(entry) else files).append(Path(entry.path))
    except (OSError, ValueError):  # not there, not ours to read; ValueError: a zero byte in the path
        pass
    return sorted(files), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_first_there(path: Path, names: set[str]) -> bool:
    """Whether a later part of a model is the first one that is there: what is missing is told of it."""
    stem = stem_of(path)
    earlier = (f"{stem}-{number:05}-of-{path.stem[-5:]}.gguf" for number in range(1, part_number(path)))
    return not any(name in names for name in earlier)
