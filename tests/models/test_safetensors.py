"""The check of safetensors files and of the folders around them: sound ones are understood, and no code is let in."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falconry.errors import BadModelFile
from falconry.models.folder import read_folder
from falconry.models.local import find_models
from falconry.models.safetensors import read_safetensors
from falconry.settings import Settings
from tests.models.malformed import Evil
from tests.models.places import Hub, gguf, write

TENSORS = {
    "embed": {"dtype": "F32", "shape": [4, 8], "data_offsets": [0, 128]},
    "norm": {"dtype": "BF16", "shape": [8], "data_offsets": [128, 144]},
}
SIZE = 144
CONFIG: dict[str, Any] = {"architectures": ["FalconForCausalLM"], "max_position_embeddings": 2048}


def safetensors(header: object = TENSORS, *, data: bytes = bytes(SIZE), length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def one(**fields: object) -> dict[str, object]:
    """A header with one tensor, of which some fields are others."""
    return {"x": {"dtype": "F32", "shape": [36], "data_offsets": [0, SIZE]} | fields}


def refused(path: Path) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(BadModelFile) as caught:
            read_safetensors(path)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
    assert caught.value.message.isprintable()
    return caught.value.code


def test_a_sound_file(tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", safetensors(TENSORS | {"__metadata__": {"format": "pt"}}))
    found = read_safetensors(path)
    assert [(tensor.name, tensor.shape, tensor.type, tensor.size) for tensor in found.tensors] == [
        ("embed", (4, 8), "F32", 128),
        ("norm", (8,), "BF16", 16),
    ]
    assert found.data_offset + SIZE == found.file_size == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "model_file_empty"),
        (b"\0" * 8, "model_file_unknown"),
        (b"{}", "model_file_unknown"),
        (pickle.dumps(Evil(), 2), "model_file_pickle"),
        (gguf(), "model_file_unknown"),
        (b"<!DOCTYPE html>" + b" " * 99, "model_file_web_page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "model_file_lfs_pointer"),
        (safetensors(length=2**63), "model_file_header_size"),
        (safetensors(length=2**64 - 1), "model_file_header_size"),
        (safetensors(length=100_000_000), "model_file_header_size"),
        (safetensors(length=10_000), "model_file_truncated"),
        (safetensors(length=5), "model_file_json"),
        (safetensors(b"{" * 100_000), "model_file_json"),
        (safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "model_file_json"),
        (safetensors(b'{"a":[[[[[1]]]]]}'), "model_file_json"),
        (safetensors(b'{"a": ' + b"9" * 5000 + b"}"), "model_file_json"),
        (safetensors(b'{"\xff": 1}'), "model_file_json"),
        (safetensors({"x": None}), "model_file_tensor_type"),
        (safetensors({"x": []}), "model_file_tensor_type"),
        (safetensors(one(dtype="F31")), "model_file_tensor_type"),
        (safetensors(one(dtype=3)), "model_file_tensor_type"),
        (safetensors(one(dtype=None)), "model_file_tensor_type"),
        (safetensors(one(shape=None)), "model_file_dimensions"),
        (safetensors(one(shape=36)), "model_file_dimensions"),
        (safetensors(one(shape=["36"])), "model_file_dimensions"),
        (safetensors(one(shape=[36.0])), "model_file_dimensions"),
        (safetensors(one(shape=[True])), "model_file_dimensions"),
        (safetensors(one(shape=[-36])), "model_file_dimensions"),
        (safetensors(one(shape=[2**63])), "model_file_dimensions"),
        (safetensors(one(shape=[2**32, 2**32])), "model_file_dimensions"),
        (safetensors(one(shape=[1] * 17)), "model_file_dimensions"),
        (safetensors(one(data_offsets=None)), "model_file_value"),
        (safetensors(one(data_offsets=[0])), "model_file_value"),
        (safetensors(one(data_offsets=[SIZE, 0])), "model_file_value"),
        (safetensors(one(data_offsets=[-SIZE, 0])), "model_file_value"),
        (safetensors(one(data_offsets=["0", "144"])), "model_file_value"),
        (safetensors(one(data_offsets=[0, 100])), "model_file_data_size"),
        (safetensors(one(shape=[35])), "model_file_data_size"),
        (safetensors(one(data_offsets=[4, SIZE + 4])), "model_file_offset"),
        (safetensors({"x": TENSORS["embed"], "y": TENSORS["embed"]}), "model_file_offset"),
        (safetensors(data=bytes(SIZE - 1)), "model_file_truncated"),
        (safetensors(data=bytes(SIZE + 1)), "model_file_excess"),
        (safetensors({}, data=bytes(8)), "model_file_excess"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[8:40]),
)
def test_a_malformed_file(tmp_path: Path, content: bytes, code: str) -> None:
    assert refused(write(tmp_path / "model.safetensors", content)) == code


def test_a_terabyte_of_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", struct.pack("<Q", 2**24) + b"{")
    os.truncate(path, 2**40)
    assert refused(path) == "model_file_json"


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.safetensors")
    assert refused(tmp_path / "x.safetensors") == "model_file_not_regular"


ONCE = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@ONCE
@given(st.one_of(st.binary(max_size=400), JSON))
def test_any_header(tmp_path: Path, header: object) -> None:
    path = write(tmp_path / "x.safetensors", safetensors(header))
    try:
        read_safetensors(path)
    except BadModelFile:
        return


def test_flipped_bits(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(1000):
        content = bytearray(safetensors())
        content[chance.randrange(len(content) - SIZE)] ^= 1 << chance.randrange(8)
        path = write(tmp_path / "x.safetensors", bytes(content))
        try:
            assert read_safetensors(path).data_offset <= len(content)
        except BadModelFile:
            continue


class TestFolder:
    """A folder with config.json and weights."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "mine" / "org" / "tiny"
        write(folder / "model.safetensors", safetensors())
        self.config(folder, CONFIG)
        return folder

    def config(self, folder: Path, values: object, name: str = "config.json") -> None:
        write(folder / name, json.dumps(values).encode())

    def refused(self, folder: Path) -> BadModelFile:
        with pytest.raises(BadModelFile) as caught:
            read_folder(folder)
        return caught.value

    def test_a_sound_one(self, folder: Path) -> None:
        found = read_folder(folder)
        assert (found.architecture, found.parameters, found.dtype) == ("FalconForCausalLM", 40, "F32")
        assert (found.context_length, found.chat_template, found.vision) == (2048, False, False)
        assert (found.files, found.size) == ((folder / "model.safetensors",), len(safetensors()))

    def test_its_own_template_and_infinity(self, folder: Path) -> None:
        """Models with state spaces have an infinite limit in their configuration."""
        self.config(folder, {"chat_template": "{{ messages }}"}, "tokenizer_config.json")
        self.config(folder, CONFIG | {"time_step_limit": [0.0, float("inf")]})
        assert read_folder(folder).chat_template

    def test_several_files(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
        for name in names:
            write(folder / name, safetensors())
        self.config(folder, {"weight_map": {"a": names[0], "b": names[1]}}, "model.safetensors.index.json")
        found = read_folder(folder)
        assert (len(found.files), found.parameters) == (2, 80)
        (folder / names[1]).unlink()
        error = self.refused(folder)
        assert (error.code, error.details["missing"]) == ("model_file_part_missing", names[1])

    @pytest.mark.parametrize("place", ["../../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", ""])
    def test_an_index_that_leads_out_of_the_folder(self, folder: Path, place: str) -> None:
        write(folder.parent.parent / "secret.safetensors", safetensors())
        self.config(folder, {"weight_map": {"a": place}}, "model.safetensors.index.json")
        assert self.refused(folder).code == "model_file_value"

    @pytest.mark.parametrize(
        ("name", "values", "code"),
        [
            ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}}, "model_file_custom_code"),
            ("config.json", {"text_config": {"auto_map": {"AutoModel": "m.E"}}}, "model_file_custom_code"),
            ("config.json", {"deep": [{"deeper": [{"auto_map": {"a": "b"}}]}]}, "model_file_custom_code"),
            ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["t.T", None]}}, "model_file_custom_code"),
            ("generation_config.json", {"custom_generate": "org/evil"}, "model_file_custom_code"),
            ("processor_config.json", {"auto_map": {"AutoProcessor": "p.P"}}, "model_file_custom_code"),
            ("config.json", {"attn_implementation": "org/evil-kernel"}, "model_folder_kernels"),
            ("config.json", {"_attn_implementation": {"": "org/evil:forward"}}, "model_folder_kernels"),
            ("config.json", {"use_kernels": True}, "model_folder_kernels"),
            ("config.json", {"kernel_config": {"RMSNorm": "org/evil:RMSNorm"}}, "model_folder_kernels"),
        ],
    )
    def test_code_is_refused_wherever_it_is_asked_for(
        self, folder: Path, name: str, values: dict[str, object], code: str
    ) -> None:
        self.config(folder, (CONFIG if name == "config.json" else {}) | values, name)
        assert self.refused(folder).code == code

    def test_ordinary_attention_is_no_code(self, folder: Path) -> None:
        self.config(folder, CONFIG | {"_attn_implementation": "sdpa", "auto_map": {}, "use_kernels": False})
        assert read_folder(folder).parameters == 40

    def test_pickled_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        write(folder / "pytorch_model.bin", pickle.dumps(Evil(), 2))
        error = self.refused(folder)
        assert (error.code, error.details["file"]) == ("model_file_pickle", "pytorch_model.bin")
        assert not Path("canary").exists()

    def test_a_pickle_that_calls_itself_safetensors(self, folder: Path) -> None:
        write(folder / "model.safetensors", pickle.dumps(Evil(), 4))
        assert self.refused(folder).code == "model_file_pickle"

    def test_one_without_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "other.safetensors")
        assert self.refused(folder).code == "model_folder_without_weights"

    def test_an_adapter(self, folder: Path) -> None:
        (folder / "config.json").rename(folder / "adapter_config.json")
        assert self.refused(folder).code == "model_folder_adapter"

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"[" * 100_000, b"{" + b" " * (5 * 2**20) + b"}", b"\xff\xfe"]
    )
    def test_a_configuration_that_is_none(self, folder: Path, content: bytes) -> None:
        write(folder / "config.json", content)
        assert self.refused(folder).code in ("model_file_json", "model_file_empty")

    def test_it_is_found_and_named_as_its_makers_do(self, folder: Path, tmp_path: Path) -> None:
        (model,) = find_models(Settings(models=[tmp_path / "mine"], find_models=False, data_dir=tmp_path / "data"))
        assert (model.name, model.path, model.format) == ("org/tiny", folder, "safetensors")
        assert (model.architecture, model.quantization, model.parameters) == ("FalconForCausalLM", "F32", 40)

    def test_in_the_cache_it_is_told_by_the_name_of_its_repository(self, tmp_path: Path) -> None:
        hub = Hub(tmp_path / "hub")
        config = json.dumps(CONFIG).encode()
        hub.add("org/tiny", {"model.safetensors": safetensors(), "config.json": config})
        evil = json.dumps(CONFIG | {"auto_map": {"AutoConfig": "c.C"}}).encode()
        hub.add("org/evil", {"model.safetensors": safetensors(), "config.json": evil})
        speech = json.dumps({"architectures": ["WhisperModel"]}).encode()
        hub.add("org/speech", {"model.safetensors": safetensors(), "config.json": speech})
        found = find_models(Settings(HF_HUB_CACHE=tmp_path / "hub", data_dir=tmp_path / "data"))
        assert [model.name for model in found if model.source == "huggingface"] == ["org/evil", "org/tiny"]
        assert found[0].problem is not None
        assert found[0].problem.message.startswith("org/evil needs program code that comes with the model (auto_map)")
        assert found[1].problem is None
