"""`falconry models`: a table that lines up, Chinese names included; and all that there is to say of one model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from falconry.cli.tables import aligned, short_number, short_size
from falconry.models import eyas
from tests.cli.conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model that is whole, and one that was cut off."""
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(eyas.path(), folder / "whole.gguf")
    (folder / "cut.gguf").write_bytes(eyas.path().read_bytes()[:200_000])
    return folder


def test_the_table(falconry: Run) -> None:
    lines = falconry("models", "--model", "canned").stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "PARAMETERS", "SIZE", "CONTEXT", "SOURCE", "STATE"]
    assert [line.split()[0] for line in lines[1:]] == ["eyas", "canned"]
    assert lines[2].endswith("default")


def test_files_of_the_users_own(falconry: Run, folder: Path) -> None:
    done = falconry("models", models=folder)
    whole = next(line for line in done.stdout.splitlines() if line.startswith("whole"))
    assert whole.split()[1:6] == ["Q8_0", "2.19M", "2.4", "MiB", "2048"]
    assert "your folder" in whole
    broken = next(line for line in done.stdout.splitlines() if line.startswith("cut "))
    assert broken.endswith("cannot be used")
    assert "cut.gguf is not complete: it has 200,000 bytes and should have at least 2,483,680." in done.stdout


def test_for_programs(falconry: Run, folder: Path) -> None:
    listed = {model["name"]: model for model in json.loads(falconry("models", "--json", models=folder).stdout)}
    assert listed["whole"]["path"] == str(folder / "whole.gguf")
    assert (listed["whole"]["parameters"], listed["whole"]["context_length"]) == (2_194_880, 2048)
    assert listed["whole"]["problem"] is None
    assert listed["cut"]["problem"]["code"] == "model_file_truncated"


def test_what_other_programs_have_can_be_left_out(falconry: Run, tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "llama.cpp"
    cache.mkdir(parents=True)
    shutil.copy(eyas.path(), cache / "there.gguf")
    assert "there" in falconry("models", XDG_CACHE_HOME="").stdout
    assert "there" not in falconry("models", XDG_CACHE_HOME="", find_models=False).stdout


def test_in_chinese(falconry: Run) -> None:
    head = falconry("models", lang="zh_CN.UTF-8").stdout.splitlines()[0].split()
    assert head == ["名称", "类型", "参数量", "大小", "上下文", "来源", "状态"]


def test_all_about_one(falconry: Run, folder: Path) -> None:
    said = falconry("models", "show", "whole", models=folder).stdout
    for line in (f"Lies at: {folder / 'whole.gguf'}", "Architecture: falcon", "Layers: 5", "Licence: apache-2.0"):
        assert line in said.splitlines()
    broken = falconry("models", "show", "cut", models=folder, lang="zh_CN.UTF-8").stdout
    assert "不完整：只有 200,000 字节" in broken


def test_one_by_its_path(falconry: Run, folder: Path) -> None:
    shown = json.loads(falconry("models", "show", str(folder / "whole.gguf"), "--json").stdout)
    assert shown["metadata"]["falcon.block_count"] == 5
    assert shown["metadata"]["tokenizer.ggml.tokens"]["length"] == 4096


def test_the_built_in_one_and_its_template(falconry: Run) -> None:
    assert "Comes from: built in" in falconry("models", "show", "eyas").stdout
    assert "{%" in falconry("models", "show", "eyas", "--template").stdout


def test_one_that_there_is_not(falconry: Run) -> None:
    done = falconry("models", "show", "nothing")
    assert done.returncode == 1
    assert "There is no model named “nothing”" in done.stderr


def test_short_figures() -> None:
    assert [short_number(n) for n in (None, 950, 124_000_000, 7_615_616_512)] == ["", "950", "124M", "7.62B"]
    assert [short_size(n) for n in (None, 950, 2_483_680, 5 * 2**30)] == ["", "950 B", "2.4 MiB", "5.0 GiB"]


def test_wide_characters_take_two_columns() -> None:
    assert aligned([("名称", "x"), ("a", "y")]) == "名称  x\na     y"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in aligned([("a\x1b[2J", "x")])
