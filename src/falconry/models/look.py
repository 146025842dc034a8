"""Looks into a model's files, once for as long as they stay as they are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from falconry.errors import BadModelFile, FalconryError
from falconry.models.bad_file import bad_file
from falconry.models.folder import ModelFolder, read_folder, telling_files
from falconry.models.gguf import read_header
from falconry.models.header import Header
from falconry.models.local_model import LocalKind
from falconry.models.regular_file import is_folder, open_regular
from falconry.models.split import part_paths

_REMEMBERED = 2048  # models; their headers take about 50 kB each
_HEAD = 2**20
_SAMPLES, _SAMPLE = 16, 4096


class FileState(NamedTuple):
    """While these stay, so does a file's content. `size` is in bytes, `changed` a time in ns."""

    path: Path
    size: int
    changed: int
    inode: int
    device: int


State: TypeAlias = tuple[FileState, ...]
"""That of all files of a model."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen."""

    kind: LocalKind
    header: Header | None = None
    folder: ModelFolder | None = None
    problem: FalconryError | None = None


def state_of(path: Path) -> State:
    """The state of a model's files; those that are not there are left out."""
    try:
        files = telling_files(path) if is_folder(path) else part_paths(path)
    except (BadModelFile, OSError, ValueError):
        files = ()
    return tuple(state for file in files if (state := _state(file)) is not None)


def look_at(path: Path, state: State) -> Look:
    """What a model is, or why it is none. A folder is looked at as one with safetensors."""
    return _look(path, state)


@lru_cache(_REMEMBERED)
def _look(path: Path, state: State) -> Look:
    try:
        if is_folder(path):
            return Look("model", folder=read_folder(path))
        header = read_header(path)
    except BadModelFile as error:
        return Look("adapter" if error.code == "model_folder_adapter" else "model", problem=error)
    if header.kind == "other":
        problem = bad_file(
            "model_file_not_chat", path, architecture=header.architecture or header.text("general.type") or "?"
        )
        return Look("model", header, problem=problem)
    return Look(header.kind, header)


@lru_cache(_REMEMBERED)
def fingerprint(path: Path, state: State) -> str | None:
    """What tells a file's content from another's of the same size: a digest of its first MiB, of sixteen samples and
    of its end. Two models of one size differ in nearly all of their weights, so it need not be read whole; a single
    changed weight would go unnoticed. None where it cannot be read."""
    try:
        with open_regular(path) as (descriptor, size):
            digest = hashlib.sha256(os.read(descriptor, _HEAD))
            step = max(1, (size - _SAMPLE) // _SAMPLES)
            for number in range(1, _SAMPLES + 1):
                os.lseek(descriptor, max(0, min(number * step, size - _SAMPLE)), os.SEEK_SET)
                digest.update(os.read(descriptor, _SAMPLE))
            return digest.hexdigest()
    except (BadModelFile, OSError):
        return None


def _state(path: Path) -> FileState | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return FileState(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)
