"""Reads and checks the header of a GGUF file before any engine is given it.

llama.cpp is written for files of good will: on others it has crashed, hung and asked for all memory that there is. So
every count, length, offset and type is compared here with what the file can hold, in at most a second and 200 MB.

Source: docs/gguf.md of ggml for the format; where that leaves room (lists of lists, gaps between tensors), what
`ggml/src/gguf.cpp` accepts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from falconry.errors import BadModelFile
from falconry.models.bad_file import bad_file
from falconry.models.file_kind import refuse_other_kinds
from falconry.models.ggml_types import TENSOR_TYPES
from falconry.models.header import Array, Header, Tensor, Value
from falconry.models.plausible import check_plausible
from falconry.models.regular_file import Beginning, open_regular
from falconry.models.split import MOST_PARTS, part_number, part_path, part_paths

__all__ = ["Array", "BadModelFile", "Header", "Tensor", "Value", "read_header", "read_part"]

MAGIC = b"GGUF"
_HEADER_LIMIT = 64 * 2**20  # bytes; the largest known, with 260,000 words and 500,000 merges, has 20 MB
_PAIR_LIMIT = 10_000
_TENSOR_LIMIT = 100_000
_STRINGS_LIMIT = 2**21  # in all arrays of a file; walking over them takes 0.1 µs each
_NAME_LIMIT = 63  # bytes of a tensor's name: GGML_MAX_NAME, less the zero behind it
_KEY_LIMIT = 2**16 - 1
_TEXT_LIMIT = 4 * 2**20  # of one value; the longest known chat templates have 0.1 MB
_ELEMENT_LIMIT = 2**48  # of a tensor; 70 times the largest model that there is
_SHORT = 1024  # elements of an array that is kept; there is none with so many layers
_KEPT_LIMIT = 100_000  # elements of all arrays that are kept; real files have some hundreds

_NUMBERS = {
    0: ("uint8", struct.Struct("<B")),
    1: ("int8", struct.Struct("<b")),
    2: ("uint16", struct.Struct("<H")),
    3: ("int16", struct.Struct("<h")),
    4: ("uint32", struct.Struct("<I")),
    5: ("int32", struct.Struct("<i")),
    6: ("float32", struct.Struct("<f")),
    7: ("bool", struct.Struct("<?")),
    10: ("uint64", struct.Struct("<Q")),
    11: ("int64", struct.Struct("<q")),
    12: ("float64", struct.Struct("<d")),
}
_STRING, _ARRAY = 8, 9
_UINT32 = struct.Struct("<I")
_UINT64 = struct.Struct("<Q")


def read_header(path: Path) -> Header:
    """The header of a model's file; where the model is in several files, of all of them, from the path of the first.

    Raises BadModelFile for whatever is no sound GGUF file that llama.cpp could read.
    """
    if part_number(path) > 1:
        raise _not_first(path)
    first = read_part(path)
    count = first.metadata.get("split.count", 1)
    if not isinstance(count, int) or count <= 1:
        return first
    if count > MOST_PARTS:
        raise bad_file("model_file_many_parts", path, count=count, limit=MOST_PARTS)
    if first.metadata.get("split.no") != 0:
        raise bad_file("model_file_not_first", path, first="…-00001-of-….gguf")
    return _joined(path, first, [_part(path, number, count) for number in range(2, count + 1)])


def _not_first(path: Path) -> BadModelFile:
    """The error for what is a later part by its name."""
    count = len(part_paths(path))
    first = part_path(path, 1, count)
    if os.path.lexists(first):
        return bad_file("model_file_not_first", path, first=first.name)
    return bad_file("model_file_part_missing", path, count=count, missing=first.name)


def _part(first: Path, number: int, count: int) -> Header:
    path = part_path(first, number, count)
    if not os.path.lexists(path):
        raise bad_file("model_file_part_missing", first, count=count, missing=path.name)
    part = read_part(path)
    if (part.metadata.get("split.no"), part.metadata.get("split.count")) != (number - 1, count):
        raise bad_file("model_file_parts_differ", first, other=path.name)
    return part


def _joined(path: Path, first: Header, others: list[Header]) -> Header:
    tensors = [tensor for part in (first, *others) for tensor in part.tensors]
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise bad_file("model_file_duplicate", path, key=tensor.name)
        names.add(tensor.name)
    size = first.file_size + sum(part.file_size for part in others)
    return replace(first, tensors=tuple(tensors), file_size=size, parts=1 + len(others))


def read_part(path: Path) -> Header:
    """The header of one file alone, whatever its name is; as `read_header`, without a look at other parts."""
    with open_regular(path) as (descriptor, size):
        return _Reader(Beginning(path, descriptor, size, _HEADER_LIMIT)).header()


class _Reader:
    """Walks over a header from its first byte to its last."""

    def __init__(self, beginning: Beginning) -> None:
        self._file = beginning
        self._path = beginning.path
        self._at = 0
        self._strings = 0
        self._kept = 0

    def header(self) -> Header:
        version = self._version()
        tensor_count = self._count(_TENSOR_LIMIT, "model_file_many_tensors")
        pair_count = self._count(_PAIR_LIMIT, "model_file_many_values")
        metadata: dict[str, Value] = {}
        for _ in range(pair_count):
            key = self._text(_KEY_LIMIT)
            if key in metadata:
                raise self._bad("model_file_duplicate", key=key)
            metadata[key] = self._value(key, self._number(_UINT32))
        if _should_name_one(metadata) and not _is_text(metadata.get("general.architecture")):
            raise self._bad("model_file_missing_key", key="general.architecture")
        alignment = self._alignment(metadata)
        tensors = self._tensors(tensor_count, alignment)
        data_offset = _padded(self._at, alignment)
        if tensors:
            needed = data_offset + tensors[-1].offset + tensors[-1].size
            if needed > self._file.size:
                raise self._bad("model_file_truncated", size=self._file.size, needed=needed)
        header = Header(version, metadata, tensors, data_offset, self._file.size)
        check_plausible(self._path, header)
        return header

    def _version(self) -> int:
        self._file.reach(min(4, self._file.size))
        if self._file.data[:4] != MAGIC:
            refuse_other_kinds(self._file)
        self._at = 4
        version: int = self._number(_UINT32)
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            if swapped in (1, 2, 3):
                raise self._bad("model_file_big_endian")
            raise self._bad("model_file_version", version=version)
        return version

    def _alignment(self, metadata: dict[str, Value]) -> int:
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise self._bad("model_file_value", key="general.alignment", value=_shown(alignment))
        return alignment

    def _tensors(self, count: int, alignment: int) -> tuple[Tensor, ...]:
        tensors: dict[str, Tensor] = {}
        expected = 0
        for _ in range(count):
            tensor = self._tensor()
            if tensor.name in tensors:
                raise self._bad("model_file_duplicate", key=tensor.name)
            if tensor.offset != expected:  # behind the one before: no gap, no overlap, and aligned
                raise self._bad("model_file_offset", tensor=tensor.name, offset=tensor.offset, expected=expected)
            expected = _padded(tensor.offset + tensor.size, alignment)
            tensors[tensor.name] = tensor
        return tuple(tensors.values())

    def _tensor(self) -> Tensor:
        name = self._text(_NAME_LIMIT)
        dimensions = self._number(_UINT32)
        if dimensions > 4:
            raise self._bad("model_file_dimensions", tensor=name, shape=f"{dimensions}D")
        shape = tuple(self._number(_UINT64) for _ in range(dimensions))
        type_number = self._number(_UINT32)
        offset = self._number(_UINT64)
        type_ = TENSOR_TYPES.get(type_number)
        if type_ is None:
            raise self._bad("model_file_tensor_type", tensor=name, type=type_number)
        elements = prod(shape)
        if not 1 <= elements <= _ELEMENT_LIMIT or (shape[0] if shape else 1) % type_.elements:
            raise self._bad("model_file_dimensions", tensor=name, shape=" × ".join(map(str, shape)))
        return Tensor(name, shape, type_.name, elements // type_.elements * type_.size, offset)

    def _value(self, key: str, type_number: int) -> Value:
        if type_number in _NUMBERS:
            number: bool | int | float = self._number(_NUMBERS[type_number][1])
            return number
        if type_number == _STRING:
            return self._text(_TEXT_LIMIT)
        if type_number == _ARRAY:
            return self._array(key)
        raise self._bad("model_file_value_type", key=key, type=type_number)

    def _array(self, key: str) -> Value:
        type_number = self._number(_UINT32)
        length = self._number(_UINT64)
        offset = self._at
        if type_number in _NUMBERS:
            name, form = _NUMBERS[type_number]
            end = self._at + length * form.size
            self._file.reach(end)
            self._at = end
            if not self._keeps(length):
                return Array(name, length, offset)
            return tuple(value for (value,) in form.iter_unpack(self._file.data[offset:end]))
        if type_number == _STRING:
            if self._keeps(length):
                return tuple(self._text(_TEXT_LIMIT) for _ in range(length))
            self._skip_strings(key, length)
            return Array("string", length, offset)
        code = "model_file_nesting" if type_number == _ARRAY else "model_file_value_type"
        raise self._bad(code, key=key, type=type_number)

    def _keeps(self, length: int) -> bool:
        """Whether an array of so many elements is kept: it is short, and few were before."""
        if length > _SHORT or self._kept + length > _KEPT_LIMIT:
            return False
        self._kept += length
        return True

    def _skip_strings(self, key: str, count: int) -> None:
        """Step over the words of a vocabulary.

        One step is a length and a sum, and nothing is kept: 150,000 words take 20 ms, where reading them takes 100.
        """
        self._strings += count
        if self._strings > _STRINGS_LIMIT:
            raise self._bad("model_file_many_texts", key=key, count=count, limit=_STRINGS_LIMIT)
        at, left = self._at, count
        unpack = _UINT64.unpack_from
        while left:
            data, end = self._file.data, len(self._file.data) - 8
            while left and at <= end:
                (length,) = unpack(data, at)
                if length > _TEXT_LIMIT:
                    raise self._bad("model_file_text_length", length=length, limit=_TEXT_LIMIT)
                at += 8 + length
                left -= 1
            if left:
                self._file.reach(at + 8)
        self._file.reach(at)
        self._at = at

    def _count(self, limit: int, code: str) -> int:
        count: int = self._number(_UINT64)
        if count > limit:
            raise self._bad(code, count=count, limit=limit)
        return count

    def _number(self, form: struct.Struct) -> Any:
        """The next number. Whole, but where `form` says otherwise."""
        end = self._at + form.size
        if end > len(self._file.data):
            self._file.reach(end)
        (value,) = form.unpack_from(self._file.data, self._at)
        self._at = end
        return value

    def _text(self, limit: int) -> str:
        length = self._number(_UINT64)
        if length > limit:
            raise self._bad("model_file_text_length", length=length, limit=limit)
        end = self._at + length
        self._file.reach(end)
        text = self._file.data[self._at : end].decode(errors="replace")
        self._at = end
        return text

    def _bad(self, code: str, **details: str | int | float) -> BadModelFile:
        return bad_file(code, self._path, **details)


def _should_name_one(metadata: Mapping[str, Value]) -> bool:
    """Whether a file must say which architecture it is of: later parts do not, nor what is no model."""
    first = metadata.get("split.no", 0) == 0
    return first and metadata.get("general.type", "model") == "model"


def _is_text(value: Value | None) -> bool:
    return isinstance(value, str) and value != ""


def _padded(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) & ~(alignment - 1)


def _shown(value: object) -> str:
    return f"[{value.length} × {value.type}]" if isinstance(value, Array) else str(value)[:60]
