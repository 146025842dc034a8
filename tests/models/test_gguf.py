"""Sound GGUF files are understood, those in several parts as well."""

from __future__ import annotations

import struct
from pathlib import Path
from time import process_time

import pytest

from falconry.models import eyas
from falconry.models.ggml_types import TENSOR_TYPES
from falconry.models.gguf import Array, read_header, read_part
from tests.models.bounded import refused
from tests.models.gguf_bytes import (
    ARCHITECTURE,
    DATA,
    GOOD,
    INT32,
    PAIRS,
    STRING,
    UINT32,
    File,
    array,
    number,
    string,
    tensor,
    text,
    u32,
)


def test_the_built_in_model() -> None:
    header = read_header(eyas.path())
    assert (header.kind, header.architecture, header.name, header.quantization) == ("model", "falcon", "Eyas", "Q8_0")
    assert (header.parameters, header.context_length, header.vocabulary_size) == (2_194_880, 2048, 4096)
    assert (header.block_count, header.embedding_length, header.key_length) == (5, 160, 32)
    assert header.head_counts == header.head_counts_kv == (5,) * 5
    assert header.license == "apache-2.0"
    assert header.chat_template is not None
    assert "{%" in header.chat_template
    assert header.data_offset + header.tensors[-1].offset + header.tensors[-1].size <= header.file_size
    assert header.file_size == eyas.path().stat().st_size


def test_one_made_byte_by_byte(tmp_path: Path) -> None:
    (tmp_path / "good.gguf").write_bytes(GOOD)
    header = read_header(tmp_path / "good.gguf")
    assert (header.kind, header.name, header.quantization, header.parameters) == ("model", "Tiny", "F32", 544)
    assert (header.head_counts, header.head_counts_kv) == ((4,), (2,))
    assert header.tensors[1].offset == 2048


def test_version_2_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "two.gguf").write_bytes(File(version=2).bytes())
    assert read_header(tmp_path / "two.gguf").version == 2


def test_another_alignment(tmp_path: Path) -> None:
    file = File(pairs=(*PAIRS, number("general.alignment", 256)), alignment=256)
    (tmp_path / "aligned.gguf").write_bytes(file.bytes())
    assert read_header(tmp_path / "aligned.gguf").data_offset % 256 == 0


@pytest.mark.parametrize(("kind", "type_"), TENSOR_TYPES.items(), ids=lambda value: getattr(value, "name", ""))
def test_every_type_of_tensors_has_its_size(tmp_path: Path, kind: int, type_: object) -> None:
    known = TENSOR_TYPES[kind]
    file = File(tensors=(tensor("x", (known.elements * 2, 3), kind),), data=bytes(known.size * 6))
    (tmp_path / "x.gguf").write_bytes(file.bytes())
    assert read_header(tmp_path / "x.gguf").tensors[0].size == known.size * 6


@pytest.mark.parametrize(
    ("pairs", "tensors", "kind"),
    [
        ([ARCHITECTURE, string("general.type", "adapter")], [tensor("x", (32,))], "adapter"),
        ([ARCHITECTURE, string("adapter.type", "lora")], [tensor("x", (32,))], "adapter"),
        ([string("general.architecture", "clip")], [tensor("x", (32,))], "projector"),
        ([ARCHITECTURE, string("general.type", "mmproj")], [tensor("x", (32,))], "projector"),
        ([string("general.type", "imatrix")], [tensor("x", (32,))], "other"),
        ([string("general.architecture", "bert")], [tensor("x", (32,))], "other"),
        ([ARCHITECTURE, number("llama.pooling_type", 3)], [tensor("x", (32,))], "other"),
        ([ARCHITECTURE, number("llama.pooling_type", 0)], [tensor("x", (32,))], "model"),
        ([ARCHITECTURE], [], "other"),
        ([ARCHITECTURE], [tensor("x", (32,))], "model"),
    ],
)
def test_what_a_file_is_for(tmp_path: Path, pairs: list[bytes], tensors: list[bytes], kind: str) -> None:
    (tmp_path / "x.gguf").write_bytes(File(pairs=pairs, tensors=tensors, data=bytes(128)).bytes())
    assert read_header(tmp_path / "x.gguf").kind == kind


def test_a_number_for_each_layer(tmp_path: Path) -> None:
    kept = [one for one in PAIRS if b"head_count_kv" not in one and b"block_count" not in one]
    heads = array("llama.attention.head_count_kv", INT32, [struct.pack("<i", n) for n in (2, 0, 4)])
    (tmp_path / "x.gguf").write_bytes(File(pairs=(*kept, number("llama.block_count", 4), heads)).bytes())
    header = read_header(tmp_path / "x.gguf")
    assert header.head_counts == (4, 4, 4, 4)
    assert header.head_counts_kv == (2, 0, 4, 0)


def test_a_vocabulary_of_a_quarter_million_is_stepped_over(tmp_path: Path) -> None:
    words = [text(f"word {n}") for n in range(260_000)]
    pairs = (
        ARCHITECTURE,
        array("tokenizer.ggml.tokens", STRING, words),
        array("tokenizer.ggml.merges", STRING, words * 2),
    )
    (tmp_path / "x.gguf").write_bytes(File(pairs=pairs).bytes())
    begun = process_time()
    header = read_header(tmp_path / "x.gguf")
    assert process_time() - begun < 1.0  # 0.15 s where this was written
    assert header.vocabulary_size == 260_000
    assert isinstance(header.metadata["tokenizer.ggml.merges"], Array)


class TestParts:
    """A model in several files."""

    def write(self, folder: Path, number_: int, count: int, *, of: int = 3, name: str | None = None) -> Path:
        split = (*_split(number_, count), array("split.order", UINT32, [u32(number_)]))
        pairs = (*PAIRS, *split) if number_ == 0 else split
        file = File(pairs=pairs, tensors=(tensor(name or f"blk.{number_}.weight", (32,)),), data=bytes(128))
        path = folder / f"big-{number_ + 1:05}-of-{of:05}.gguf"
        path.write_bytes(file.bytes())
        return path

    def test_all_are_read(self, tmp_path: Path) -> None:
        paths = [self.write(tmp_path, n, 3) for n in range(3)]
        header = read_header(paths[0])
        assert (header.parts, header.parameters, header.kind) == (3, 96, "model")
        assert header.file_size == sum(path.stat().st_size for path in paths)

    def test_one_is_missing(self, tmp_path: Path) -> None:
        first, second, _ = (self.write(tmp_path, n, 3) for n in range(3))
        second.unlink()
        error = refused(first)
        assert (error.code, error.details["missing"]) == ("model_file_part_missing", "big-00002-of-00003.gguf")

    def test_a_later_one_leads_to_the_first(self, tmp_path: Path) -> None:
        paths = [self.write(tmp_path, n, 3) for n in range(3)]
        error = refused(paths[1])
        assert (error.code, error.details["first"]) == ("model_file_not_first", "big-00001-of-00003.gguf")
        assert read_part(paths[1]).parameters == 32

    def test_one_of_another_model(self, tmp_path: Path) -> None:
        first, *_ = (self.write(tmp_path, n, 3) for n in range(3))
        self.write(tmp_path, 1, 2, of=3)
        assert refused(first).code == "model_file_parts_differ"

    def test_one_twice(self, tmp_path: Path) -> None:
        first, *_ = (self.write(tmp_path, n, 3, name="same") for n in range(3))
        assert refused(first).code == "model_file_duplicate"

    def test_one_is_cut_off(self, tmp_path: Path) -> None:
        first, _, third = (self.write(tmp_path, n, 3) for n in range(3))
        third.write_bytes(third.read_bytes()[:-1])
        error = refused(first)
        assert (error.code, error.details["file"]) == ("model_file_truncated", third.name)


def _split(number_: int, count: int) -> tuple[bytes, ...]:
    return number("split.no", number_), number("split.count", count), number("split.tensors.count", count)


def test_data_stays_out_of_the_way() -> None:
    """What the helpers of these tests make is what they say it is."""
    assert len(GOOD) - len(DATA) == File().alignment * -(-len(File().head) // File().alignment)
