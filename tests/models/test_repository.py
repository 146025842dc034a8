"""Which files of a repository are fetched."""

from __future__ import annotations

import pytest

from falconry.errors import DownloadFailed, FalconryError, NotFound
from falconry.models.repository import Choice, RepoFile, Repository, choose, quantization_of
from falconry.models.safe_names import collide, is_safe
from falconry.models.wanted import HubReference

GB = 10**9


def repository(*files: str, size: int = 1000, **sizes: int) -> Repository:
    return Repository("org/name", "main", tuple(RepoFile(file, sizes.get(file, size)) for file in files))


def chosen(
    where: Repository, quantization: str | None = None, *, file: str | None = None, memory: int | None = None
) -> Choice:
    return choose(where, HubReference("org/name", quantization, file), memory=memory)


def paths(choice: Choice) -> list[str]:
    return [file.path for file in choice.files]


@pytest.mark.parametrize(
    ("path", "quantization"),
    [
        ("Qwen3-4B-Q4_K_M.gguf", "Q4_K_M"),
        ("UD-Q4_K_XL/Qwen-UD-Q4_K_XL-00001-of-00002.gguf", "Q4_K_XL"),
        ("gemma-3-4b-it-q4_0.gguf", "Q4_0"),
        ("m.fp16.gguf", "F16"),
        ("BF16/x-00001-of-00003.gguf", "BF16"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("tinyllama-1.1b-chat-v1.0.Q5_K_S.gguf", "Q5_K_S"),
        ("model.gguf", None),
        ("Q3-dreams.gguf", None),
    ],
)
def test_the_quantisation_stands_in_the_name(path: str, quantization: str | None) -> None:
    assert quantization_of(path) == quantization


def test_four_bits_where_nothing_else_is_said() -> None:
    where = repository("m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q2_K.gguf", "README.md")
    assert paths(chosen(where)) == ["m-Q4_K_M.gguf"]
    assert chosen(where).quantization == "Q4_K_M"


def test_a_smaller_one_where_memory_is_short() -> None:
    sizes = {"m-Q4_K_M.gguf": 8 * GB, "m-Q3_K_M.gguf": 6 * GB, "m-Q2_K.gguf": 5 * GB}
    where = repository(*sizes, **sizes)
    assert paths(chosen(where, memory=9 * GB)) == ["m-Q4_K_M.gguf"]
    assert paths(chosen(where, memory=7 * GB)) == ["m-Q3_K_M.gguf"]
    assert paths(chosen(where, memory=1 * GB)) == ["m-Q2_K.gguf"]  # the smallest there is; loading it tells the rest


@pytest.mark.parametrize("written", ["Q8_0", "q8_0"])
def test_the_quantisation_that_is_asked_for(written: str) -> None:
    assert paths(chosen(repository("m-Q8_0.gguf", "m-Q4_K_M.gguf"), written)) == ["m-Q8_0.gguf"]


def test_two_kinds_of_one_quantisation_are_told_apart() -> None:
    where = repository("m-Q4_K_XL.gguf", "m-UD-Q4_K_XL.gguf")
    assert paths(chosen(where, "UD-Q4_K_XL")) == ["m-UD-Q4_K_XL.gguf"]
    assert paths(chosen(where, "Q4_K_XL")) == ["m-Q4_K_XL.gguf"]


def test_a_quantisation_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(NotFound, match=r"no Q6_K\. There is: Q4_K_M, Q8_0\."):
        chosen(repository("m-Q8_0.gguf", "m-Q4_K_M.gguf"), "Q6_K")


def test_all_parts_come_and_those_of_others_do_not() -> None:
    where = repository(*(f"{q}/m-{q}-0000{n}-of-00003.gguf" for q in ("Q4_K_M", "Q8_0") for n in (3, 1, 2)))
    expected = [f"Q8_0/m-Q8_0-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert paths(chosen(where, "Q8_0")) == expected
    assert paths(chosen(where, file=expected[1])) == expected


def test_a_model_with_a_part_missing_is_refused() -> None:
    where = repository("m-Q4_K_M-00001-of-00002.gguf", "m-Q8_0.gguf")
    with pytest.raises(NotFound, match="not all parts"):
        chosen(where, "Q4_K_M")
    assert paths(chosen(where)) == ["m-Q8_0.gguf"]


def test_a_vision_model_brings_its_projector() -> None:
    where = repository("m-Q4_K_M.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf")
    assert paths(chosen(where)) == ["m-Q4_K_M.gguf", "mmproj-F16.gguf"]
    assert paths(chosen(where, file="mmproj-F32.gguf")) == ["mmproj-F32.gguf"]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(NotFound, match=r"no file x\.gguf"):
        chosen(repository("m-Q4_K_M.gguf"), file="x.gguf")


def test_a_folder_of_safetensors_comes_without_what_could_run() -> None:
    where = repository(
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "chat_template.jinja",
        "consolidated.safetensors",
        "pytorch_model.bin",
        "modeling_x.py",
        "original/params.json",
        "README.md",
    )
    choice = chosen(where)
    assert choice.format == "safetensors"
    assert set(paths(choice)) == {
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "chat_template.jinja",
    }


def test_gguf_goes_before_safetensors() -> None:
    assert paths(chosen(repository("config.json", "model.safetensors", "m-F16.gguf"))) == ["m-F16.gguf"]


@pytest.mark.parametrize(
    "files",
    [
        ("pytorch_model.bin", "config.json", "modeling.py"),
        ("adapter_model.safetensors", "adapter_config.json", "config.json"),
        ("model.safetensors",),
        ("README.md",),
        (),
    ],
)
def test_a_repository_without_anything_usable_says_what_is_there(files: tuple[str, ...]) -> None:
    with pytest.raises(NotFound, match="no model that Falconry can run") as raised:
        chosen(repository(*files))
    assert raised.value.code == "no_usable_files"
    if files:
        assert "." in str(raised.value.details["found"])


BAD_NAMES = [
    "../m-Q4_K_M.gguf",
    "/etc/m.gguf",
    "a/../../m.gguf",
    "a\\..\\m.gguf",
    "C:m.gguf",
    "con.gguf",
    ".hidden.gguf",
    "a/./m.gguf",
    "a//m.gguf",
    "m\u202efugg.gguf",
    "m\x00.gguf",
    "m\n.gguf",
    "e\u0301.gguf",
    "a" * 300 + ".gguf",
    "d/" * 20 + "m.gguf",
    "m?.gguf",
    "~m.gguf",
    " m.gguf",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    assert not is_safe(name)
    with pytest.raises(FalconryError):
        chosen(repository(name))


def test_names_of_all_languages_are_fine() -> None:
    assert is_safe("组织/模型-Q4_K_M.gguf")
    assert is_safe("é/m-v1.0 (final).gguf")


def test_two_names_that_are_one_on_some_systems() -> None:
    assert collide(["a/Config.json", "a/config.json"])
    assert not collide(["a/config.json", "b/config.json"])
    with pytest.raises(DownloadFailed):
        chosen(repository("config.json", "CONFIG.json", "model.safetensors"))
