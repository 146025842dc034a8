"""The check of GGUF files: sound ones are understood, of all others one sentence is said, quickly, in little memory.

Nothing but BadModelFile may come out, whatever is in the file. pytest fails on any other.
"""

from __future__ import annotations

import os
import random
import socket
import stat
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter, process_time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from falconry.i18n import LANGUAGES, error_text
from falconry.models import eyas
from falconry.models.ggml_types import TENSOR_TYPES
from falconry.models.gguf import Array, BadModelFile, Header, read_header, read_part
from tests.engines.tiny_gguf import write_reciter
from tests.models.gguf_bytes import (
    ARCHITECTURE,
    DATA,
    FLOAT32,
    FLOAT64,
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
from tests.models.malformed import Malformed, corpus

SECONDS, CPU_SECONDS = 30.0, 2.0  # for one file; most take a thousandth, and tracemalloc makes it three times slower
MEMORY = 200 * 2**20
CORPUS = corpus()


@contextmanager
def within_bounds() -> Iterator[None]:
    """Neither slow nor large."""
    tracemalloc.start()
    begun, cpu = perf_counter(), process_time()
    try:
        yield
        assert perf_counter() - begun < SECONDS
        assert process_time() - cpu < CPU_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def refused(path: Path) -> BadModelFile:
    with within_bounds(), pytest.raises(BadModelFile) as caught:
        read_header(path)
    return caught.value


def accepted_or_refused(path: Path) -> Header | None:
    with within_bounds():
        try:
            return read_header(path)
        except BadModelFile:
            return None


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
        ([ARCHITECTURE, string("general.type", "imatrix")], [tensor("x", (32,))], "other"),
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


def test_the_corpus_is_large_and_nothing_stands_in_it_twice() -> None:
    assert len({malformed.name for malformed in CORPUS}) == len(CORPUS) >= 160


@pytest.mark.parametrize("malformed", CORPUS, ids=lambda malformed: malformed.name)
def test_a_malformed_file_is_told_with_its_reason(tmp_path: Path, malformed: Malformed) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(malformed.content)
    error = refused(path)
    assert error.code == malformed.code
    for language in LANGUAGES:
        sentence = error_text(error.as_dict(), language)
        assert sentence.startswith("model.gguf")
        assert len(sentence) < 600
        assert sentence.isprintable()
        assert "{" not in sentence
    assert not (tmp_path / "canary").exists()
    assert not Path("canary").exists()


def test_a_thousand_flipped_bits(tmp_path: Path) -> None:
    """Each is refused or harmless: its numbers can be asked for, and are small."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    original = write_reciter(tmp_path / "tiny.gguf", [b" the", b" river", b" runs"]).read_bytes()
    head = read_header(tmp_path / "tiny.gguf").data_offset
    refusals = 0
    for _ in range(1000):
        content = bytearray(original)
        for _ in range(chance.choice((1, 1, 1, 8))):
            content[chance.randrange(head)] ^= 1 << chance.randrange(8)
        (tmp_path / "tiny.gguf").write_bytes(content)
        header = accepted_or_refused(tmp_path / "tiny.gguf")
        if header is None:
            refusals += 1
        else:
            assert len(header.head_counts) == len(header.head_counts_kv) == header.block_count <= 1024
            assert header.weights_size <= header.file_size
            assert header.parameters <= 8 * header.file_size
            assert header.vocabulary_size <= head
    assert 100 < refusals < 1000


TMP_PATH_ONCE = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@TMP_PATH_ONCE
@given(st.binary(max_size=4096))
@example(b"GGUF")
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gguf").write_bytes(content)
    accepted_or_refused(tmp_path / "x.gguf")


@TMP_PATH_ONCE
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=16)), min_size=1, max_size=4))
def test_any_bytes_within_a_sound_file(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(GOOD)
    for at, piece in changes:
        content[at : at + len(piece)] = piece
    (tmp_path / "x.gguf").write_bytes(content)
    accepted_or_refused(tmp_path / "x.gguf")


@TMP_PATH_ONCE
@given(
    version=st.sampled_from([2, 3]),
    keys=st.lists(st.tuples(st.text(max_size=20), st.integers(0, 14), st.binary(max_size=40)), max_size=6),
    tensors=st.lists(
        st.tuples(
            st.text(max_size=20),
            st.lists(st.integers(0, 2**64 - 1), max_size=5),
            st.integers(0, 45),
            st.integers(0, 2**64 - 1),
        ),
        max_size=4,
    ),
)
def test_any_parts_in_the_right_order(
    tmp_path: Path,
    version: int,
    keys: list[tuple[str, int, bytes]],
    tensors: list[tuple[str, list[int], int, int]],
) -> None:
    pairs = [ARCHITECTURE, *(text(key.encode("utf-8", "replace")) + u32(kind) + value for key, kind, value in keys)]
    made = [tensor(name.encode("utf-8", "replace"), shape, kind, offset) for name, shape, kind, offset in tensors]
    (tmp_path / "x.gguf").write_bytes(File(version=version, pairs=pairs, tensors=made).bytes())
    accepted_or_refused(tmp_path / "x.gguf")


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.gguf")
    assert refused(tmp_path / "x.gguf").code == "model_file_not_regular"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/null"])
def test_a_device(tmp_path: Path, device: str) -> None:
    (tmp_path / "x.gguf").symlink_to(device)
    assert refused(tmp_path / "x.gguf").code in ("model_file_not_regular", "model_file_unreadable")


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").mkdir()
    assert refused(tmp_path / "x.gguf").code == "model_file_not_regular"


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "x.gguf"))
        assert refused(tmp_path / "x.gguf").code == "model_file_unreadable"


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nothing")
    (tmp_path / "circle.gguf").symlink_to(tmp_path / "circle.gguf")
    assert refused(tmp_path / "gone.gguf").code == "model_file_link"
    assert refused(tmp_path / "circle.gguf").code == "model_file_unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(GOOD)
    (tmp_path / "x.gguf").chmod(0)
    assert refused(tmp_path / "x.gguf").code == "model_file_unreadable"


@pytest.mark.parametrize("name", ["not there.gguf", "a/b.gguf", "x" * 300 + ".gguf", "zero\0byte.gguf"])
def test_a_path_without_a_file(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name).code == "model_file_unreadable"


def test_a_link_to_a_file_is_as_good_as_it(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(GOOD)
    (tmp_path / "x.gguf").symlink_to("blob")
    assert read_header(tmp_path / "x.gguf").name == "Tiny"


@pytest.mark.parametrize(
    "start", [b"", GOOD[:700], b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 2**16 - 1)]
)
def test_a_terabyte_of_nothing(tmp_path: Path, start: bytes) -> None:
    """A file with a hole takes no place on the disk, and must take none in memory."""
    with (tmp_path / "x.gguf").open("wb") as file:
        file.write(start)
        file.truncate(2**40)
    assert stat.S_ISREG((tmp_path / "x.gguf").stat().st_mode)
    refused(tmp_path / "x.gguf")


@pytest.mark.parametrize("length", [2**26, 2**30, 2**37])
def test_a_list_as_long_as_a_terabyte_is_not_read(tmp_path: Path, length: int) -> None:
    with (tmp_path / "x.gguf").open("wb") as file:
        file.write(File(pairs=(ARCHITECTURE, array("x", FLOAT32, [], length=length))).head)
        file.truncate(2**40)
    assert refused(tmp_path / "x.gguf").code == "model_file_header_size"


def test_many_large_texts_end_at_the_limit_of_a_header(tmp_path: Path) -> None:
    with (tmp_path / "x.gguf").open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, 0, 100))
        for number_ in range(20):
            file.write(string(f"text {number_}", "x" * (4 * 2**20)))
        file.truncate(2**32)
    assert refused(tmp_path / "x.gguf").code == "model_file_header_size"


@pytest.mark.parametrize("kind", [STRING, FLOAT64])
def test_ten_thousand_lists_are_not_all_kept(tmp_path: Path, kind: int) -> None:
    """Each is short; all of them are eight million values."""
    lists = [array(f"list {n}", kind, [bytes(8)] * 1024) for n in range(7500)]
    (tmp_path / "x.gguf").write_bytes(File(pairs=(ARCHITECTURE, *lists), tensors=(), data=b"").bytes())
    begun = process_time()
    with suppress(BadModelFile):
        read_header(tmp_path / "x.gguf")
    assert process_time() - begun < 1.5  # 0.3 s where this was written; 4 s where all were kept


def test_what_a_file_says_is_told_without_control_characters(tmp_path: Path) -> None:
    evil = tensor("\x1b]0;mine\x07\n‮x", (32,), 99)
    (tmp_path / "a\x1b[2J\n.gguf").write_bytes(File(tensors=(evil,)).bytes())
    error = refused(tmp_path / "a\x1b[2J\n.gguf")
    assert error.message.isprintable()
    assert all(str(value).isprintable() for value in error.details.values())


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
