"""`falconry bench`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from falconry.cli import main

QUICK = ("--users", "1,2", "--prompt-tokens", "64", "--tokens", "16", "--rounds", "1")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FALCONRY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FALCONRY_FIND_MODELS", "false")
    monkeypatch.setenv("FALCONRY_CANNED", "true")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["bench", *arguments])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_a_table_a_limit_and_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "speed.svg"
    status, out, err = run(capsys, "eyas", "canned", *QUICK, "--plot", str(picture))
    assert status == 0, err
    first, second = out.strip().split("\n\n")
    assert first.startswith("Eyas · llama_cpp · file 2")
    assert "tokens/s at most" in first
    assert [line.split()[0] for line in first.splitlines()[3:5]] == ["1", "2"]
    assert "at most" not in second  # the bot without a model reads no weights
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eyas", *QUICK, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["plan"]["tokens"] == 16
    (model,) = found["models"]
    assert model["memory"] > model["size"]
    assert model["limit"] > 0
    assert [measured["requests"] for measured in model["measurements"]] == [1, 2]


def test_one_that_fails_does_not_end_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "eyas", "canned", "--users", "1", "--prompt-tokens", "3000", "--tokens", "16")
    assert status == 1
    assert "do not fit into the context of eyas, which has 2048" in err
    assert out.startswith("Canned replies")


def test_in_chinese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONRY_LANGUAGE", "zh")
    status, out, _ = run(capsys, "canned", *QUICK)
    assert status == 0
    assert "用户数" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such-model",), "no model named"),
        (("--model", "no-such-model"), "no model named"),
        (("--users", "0"), "--users"),
        (("--users", "many"), "--users"),
        (("--plot", "/no/such/folder/x.svg"), "no such folder"),
    ],
)
def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    status, _, err = run(capsys, *arguments)
    assert status in (1, 2)
    assert said in err
