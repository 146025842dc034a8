"""Where settings come from, and that each one is documented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from falconry.settings import Endpoint, Settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FALCONRY_"):
            monkeypatch.delenv(name)


def test_every_setting_has_its_sentence() -> None:
    for model in (Settings, Endpoint):
        for name, field in model.model_fields.items():
            assert field.description, name
            assert field.description.endswith(("…", ".")), name


def test_the_pages_of_settings_and_command_line_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_arguments_before_environment_before_dotenv_before_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("falconry.toml").write_text("slots = 3\nthreads = 3\nport = 3\ncontext_length = 333\n")
    Path(".env").write_text("FALCONRY_SLOTS=4\nFALCONRY_THREADS=4\nFALCONRY_PORT=4\n")
    monkeypatch.setenv("FALCONRY_SLOTS", "5")
    monkeypatch.setenv("FALCONRY_THREADS", "5")
    settings = Settings(slots=6)
    assert (settings.slots, settings.threads, settings.port, settings.context_length) == (6, 5, 4, 333)


def test_the_lessons_variables() -> None:
    Path(".env").write_text("HF_API_KEY='user:key'\nHF_API_FALCOM_BASE=https://h/falcon-40b-instruct/\nPORT=8080\n")
    settings = Settings()
    assert settings.port == 8080
    assert settings.all_endpoints() == [
        Endpoint(
            name="falcon-40b-instruct",
            url="https://h/falcon-40b-instruct",
            kind="tgi",
            api_key=SecretStr("user:key"),
            auth="basic",
        )
    ]


def test_endpoints_from_toml_and_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("falconry.toml").write_text("[[endpoints]]\nname = 'a'\nurl = 'http://h/v1'\n")
    assert Settings().endpoints == [Endpoint(name="a", url="http://h/v1")]
    monkeypatch.setenv("FALCONRY_ENDPOINTS", '[{"name": "b", "url": "http://h"}]')
    assert [endpoint.name for endpoint in Settings().endpoints] == ["b"]


def test_lists_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONRY_MODELS", f"/a.gguf{os.pathsep}/models")
    monkeypatch.setenv("FALCONRY_ALLOWED_HOSTS", "one, two:8000")
    settings = Settings()
    assert settings.models == [Path("/a.gguf"), Path("/models")]
    assert settings.allowed_hosts == ["one", "two:8000"]
    monkeypatch.setenv("FALCONRY_MODELS", '["/b.gguf"]')
    assert Settings().models == [Path("/b.gguf")]


def test_a_blank_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("FALCONRY_MODEL", "")
    settings = Settings()
    assert (settings.port, settings.model) == (7860, None)


@pytest.mark.parametrize("name", ["data_dir", "llama_server", "draft_model", "models_dir", "hf_home", "ollama_models"])
def test_home_is_expanded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert getattr(Settings.model_validate({name: Path("~/falcon")}), name) == Path("/home/somebody/falcon")


def test_whether_the_port_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "port" not in Settings().model_fields_set
    monkeypatch.setenv("PORT", "7860")
    assert "port" in Settings().model_fields_set


def test_keys_are_not_shown() -> None:
    settings = Settings(hf_api_key=SecretStr("hunter2"), database_url=SecretStr("postgresql://u:hunter2@h/d"))
    assert "hunter2" not in repr(settings)
    assert settings.url == "postgresql://u:hunter2@h/d"


@pytest.mark.parametrize("url", ["ftp://h", "h:8000", "http://", "http://user:key@h/v1"])
def test_what_is_no_endpoint(url: str) -> None:
    with pytest.raises(ValidationError):
        Endpoint(name="x", url=url)


def test_the_lock_files_name_no_machine() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text, path.name
        assert "--index-url" not in text, path.name
        assert str(ROOT) not in text, path.name


def test_everything_but_torch_is_locked_by_hash() -> None:
    for name in ("run", "dev", "build"):
        lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        pinned = [number for number, line in enumerate(lines) if line and line[0] not in " #"]
        assert pinned
        for number in pinned:
            assert "==" in lines[number]
            assert lines[number + 1].startswith("    --hash=sha256:")
