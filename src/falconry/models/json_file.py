"""JSON that came with a model: read within limits, whatever stands in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from falconry.errors import InvalidRequest
from falconry.models.bad_file import bad_file
from falconry.models.regular_file import Beginning, open_regular
from falconry.protocols.json_limits import check_json

_LIMIT = 4 * 2**20  # bytes; an index of 50,000 tensors has so many
_DEPTH = 32


def read_json(path: Path, *, limit: int = _LIMIT) -> dict[str, object]:
    """The object in a file of at most `limit` bytes. Raises BadModelFile."""
    with open_regular(path) as (descriptor, size):
        if size > limit:
            raise bad_file("model_file_json", path, problem=f"more than {limit // 2**20} MiB")
        beginning = Beginning(path, descriptor, size, limit)
        beginning.reach(size)
        return parse_object(bytes(beginning.data), path)


def read_json_where_there_is(folder: Path, name: str) -> dict[str, object]:
    """The object in a file of a folder; an empty one where there is no such file. Raises BadModelFile."""
    path = folder / name
    return read_json(path) if os.path.lexists(path) else {}


def parse_object(raw: bytes, path: Path, *, depth: int = _DEPTH, nodes: int = 1_000_000) -> dict[str, object]:
    """The object that a text of `path` is. Infinity is allowed: models with state spaces have it in their config.json.

    Raises BadModelFile.
    """
    try:
        value = json.loads(raw)
        check_json(value, depth=depth, nodes=nodes)
    except (ValueError, RecursionError, InvalidRequest) as error:
        raise bad_file("model_file_json", path, problem=_problem(error)) from None
    if not isinstance(value, dict):
        raise bad_file("model_file_json", path, problem="no object")
    return value


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deeply, or too long" if not isinstance(error, ValueError) else "a number is too long"
