"""A wrong setting is one sentence: which, what is wrong with it, where it came from; never a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from falconry.cli.configure import load_settings
from falconry.cli.terminal import Terminal
from falconry.errors import InvalidRequest
from falconry.i18n import error_text


def complaint(model: str | None = None, port: str | None = None) -> str:
    terminal = Terminal(language="en")
    with pytest.raises(InvalidRequest) as error:
        load_settings(terminal, model=model, port=port)
    return terminal.error(error.value.as_dict())


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FALCONRY_LANGUAGE", "FALCONRY_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def test_from_a_flag() -> None:
    expected = "The setting port cannot be “abc”: a whole number is needed. It comes from the command line (--port)."
    assert complaint(port="abc") == expected


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "99999")
    assert complaint().endswith("it must be at most 65535. It comes from the environment (PORT).")


def test_from_dotenv() -> None:
    Path(".env").write_text("falconry_slots = many\n")
    assert complaint().endswith("a whole number is needed. It comes from .env (falconry_slots).")


def test_from_toml() -> None:
    Path("falconry.toml").write_text("[[endpoints]]\nname = 'a'\nurl = 'http://h'\nkind = 'x'\n")
    assert complaint() == (
        "The setting endpoints.0.kind is wrong: it must be 'auto', 'openai', 'tgi', 'vllm', 'sglang', 'llama_cpp', "
        "'ollama', 'lm_studio', 'huggingface' or 'falconry'. It comes from falconry.toml (endpoints)."
    )


def test_a_file_that_is_no_toml() -> None:
    Path("falconry.toml").write_text("port =\n")
    assert "falconry.toml cannot be read: Invalid value (at line 1" in complaint()


def test_what_is_not_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONRY_ENDPOINTS", "{")
    assert "is written as JSON. It comes from the environment (FALCONRY_ENDPOINTS)" in complaint()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_API_FALCOM_BASE", "http://user:hunter2@host/"),
        ("HF_API_FALCOM_BASE", "ftp://hunter2"),
        ("FALCONRY_ENDPOINTS", '[{"name": "a", "url": "http://u:hunter2@h"}]'),
        ("FALCONRY_ENDPOINTS", '[{"name": "a", "url": "http://h", "api_key": ["hunter2"]}]'),
        ("FALCONRY_ENDPOINTS", '[{"name": "a", "url": "http://h", "key": "hunter2"}]'),
        ("FALCONRY_ENDPOINTS", '[{"name": "a", "api_key": "hunter2"'),
    ],
)
def test_no_key_is_repeated(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    text = complaint()
    assert name in text
    assert "hunter2" not in text


def test_in_chinese() -> None:
    Path("falconry.toml").write_text("language = 'zh'\nthreads = 0\n")
    terminal = Terminal(language="zh")
    with pytest.raises(InvalidRequest) as error:
        load_settings(terminal)
    assert (
        terminal.error(error.value.as_dict()) == "设置 threads 不能是“0”：不能小于 1。它来自 falconry.toml（threads）。"
    )


def test_misspelt_settings_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FALCONRY_HOSTT", "x")
    Path("falconry.toml").write_text("prot = 1\n")
    load_settings(Terminal(language="en"))
    noted = capsys.readouterr().err
    assert "no setting FALCONRY_HOSTT (environment)" in noted
    assert "no setting prot (falconry.toml)" in noted


def test_the_settings_choose_the_language() -> None:
    Path("falconry.toml").write_text("language = 'zh'\n")
    terminal = Terminal(language="en")
    load_settings(terminal)
    assert terminal.language == "zh"


class TestModelFiles:
    def test_a_file_is_added_and_chosen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FALCONRY_MODELS", "/elsewhere")
        Path("tiny.gguf").touch()
        settings = load_settings(Terminal(), model="tiny.gguf")
        assert (settings.model, settings.models) == ("tiny", [Path("tiny.gguf"), Path("/elsewhere")])

    def test_a_folder_is_added_and_its_first_model_chosen(self, tmp_path: Path) -> None:
        (tmp_path / "b.gguf").touch()
        (tmp_path / "a.gguf").touch()
        settings = load_settings(Terminal(), model=str(tmp_path))
        assert (settings.model, settings.models) == ("a", [tmp_path])

    def test_a_folder_that_is_a_model_is_called_as_on_the_hub(self) -> None:
        folder = Path("org/tiny").absolute()
        folder.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (folder / name).touch()
        for given in ("org/tiny", "org/tiny/", str(folder)):
            settings = load_settings(Terminal(), model=given)
            assert (settings.model, settings.models) == ("org/tiny", [folder])

    def test_a_name_stays_a_name(self) -> None:
        for name in ("eyas", "org/tiny", "org/tiny/Q4_K_M"):
            assert load_settings(Terminal(), model=name).model == name

    def test_an_endpoints_name_may_look_like_a_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FALCONRY_ENDPOINTS", '[{"name": "org/name", "url": "http://h"}]')
        assert load_settings(Terminal(), model="org/name").models == []

    def test_there_must_be_such_a_file(self, tmp_path: Path) -> None:
        assert complaint(model="nix.gguf") == "There is no file nix.gguf."
        assert complaint(model="./nix") == "There is no file ./nix."
        assert complaint(model="org/nix.gguf") == "There is no file org/nix.gguf."
        assert complaint(model=str(tmp_path)) == f"There is no GGUF file in the folder {tmp_path}."


def test_errors_of_other_parts_are_translated() -> None:
    error = {"code": "model_not_found", "message": "", "details": {"model": "x"}}
    assert Terminal(language="zh").error(error) == error_text(error, "zh")
