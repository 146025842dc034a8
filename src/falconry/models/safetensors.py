"""Reads and checks the header of a safetensors file: its tensors, and nothing of their data.

Source: README.md of huggingface/safetensors. Eight bytes tell how long the header is, then it comes as JSON, then the
data of the tensors, without gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeGuard

from falconry.models.bad_file import bad_file
from falconry.models.file_kind import refuse_other_kinds
from falconry.models.header import Tensor
from falconry.models.json_file import parse_object
from falconry.models.regular_file import Beginning, open_regular

_HEADER_LIMIT = 16 * 2**20  # bytes; the format allows 100 MB, and a file with 50,000 tensors has 6
_DEPTH = 4
_DIMENSIONS = 16
_ELEMENT_LIMIT = 2**48
_BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


@dataclass(frozen=True, slots=True)
class Safetensors:
    """The header of one file.

    Attributes:
        data_offset: in bytes, where the tensors begin; their own offsets count from there.
    """

    tensors: tuple[Tensor, ...]
    data_offset: int
    file_size: int


def read_safetensors(path: Path) -> Safetensors:
    """The header of one file. Raises BadModelFile for whatever is no sound safetensors file."""
    with open_regular(path) as (descriptor, size):
        file = Beginning(path, descriptor, size, _HEADER_LIMIT + 8)
        file.reach(min(9, size))
        length = int.from_bytes(file.data[:8], "little")
        if size < 9 or not file.data.startswith(b"{", 8):
            refuse_other_kinds(file)
        if length > _HEADER_LIMIT:
            raise bad_file("model_file_header_size", path, limit_mib=_HEADER_LIMIT // 2**20)
        file.reach(8 + length)
        header = parse_object(bytes(file.data[8 : 8 + length]), path, depth=_DEPTH)
        entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
        tensors = sorted((_tensor(path, name, entry) for name, entry in entries), key=lambda t: (t.offset, t.size))
        _check_data(path, tensors, size - 8 - length, size)
        return Safetensors(tuple(tensors), 8 + length, size)


def _tensor(path: Path, name: str, entry: object) -> Tensor:
    dtype, shape, offsets = (
        (entry.get("dtype"), entry.get("shape"), entry.get("data_offsets"))
        if isinstance(entry, dict)
        else (None, None, None)
    )
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise bad_file("model_file_tensor_type", path, tensor=name, type=str(dtype)[:40])
    if not _are_sizes(shape) or len(shape) > _DIMENSIONS or (elements := prod(shape)) > _ELEMENT_LIMIT:
        raise bad_file("model_file_dimensions", path, tensor=name, shape=str(shape)[:100])
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise bad_file("model_file_value", path, key=f"data_offsets of {name}"[:200], value=str(offsets)[:60])
    begin, end = offsets
    expected = -(-elements * _BITS[dtype] // 8)
    if end - begin != expected:
        raise bad_file("model_file_data_size", path, tensor=name, size=end - begin, expected=expected)
    return Tensor(name, tuple(shape), dtype, end - begin, begin)


def _check_data(path: Path, tensors: list[Tensor], available: int, size: int) -> None:
    """The tensors lie one behind the other, without a gap, up to the end of the file."""
    expected = 0
    for tensor in tensors:
        if tensor.offset != expected:
            raise bad_file("model_file_offset", path, tensor=tensor.name, offset=tensor.offset, expected=expected)
        expected += tensor.size
    if expected > available:
        raise bad_file("model_file_truncated", path, size=size, needed=size - available + expected)
    if expected < available:
        raise bad_file("model_file_excess", path, excess=available - expected)


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    """Whether it is a list of whole numbers ≥ 0. (`True` is one of them to Python.)"""
    return isinstance(value, list) and all(type(number) is int and 0 <= number < 2**63 for number in value)
