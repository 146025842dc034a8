"""`falconry doctor`: what works, what does not, what to do; never a key."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from falconry.cli.checks import Check, Doctor
from falconry.cli.doctor import can_chat
from falconry.cli.terminal import Terminal
from falconry.models.local_model import LocalModel
from falconry.models.machine import free_memory
from falconry.services import open_services
from falconry.settings import Settings
from tests.cli.conftest import Run
from tests.conftest import LiveServer
from tests.engines.tiny_gguf import write_reciter

MakeSettings = Callable[..., Settings]


def doctor(settings: Settings) -> Doctor:
    return Doctor(settings, Terminal(language="en"))


def test_a_model_that_answers_is_all_one_needs(falconry: Run, tmp_path: Path) -> None:
    model = write_reciter(tmp_path / "tiny.gguf", [b" the", b" river", b" runs"])
    done = falconry("doctor", "--json", "--port", "0", "--model", str(model))
    report = json.loads(done.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert (done.returncode, report["ok"]) == (0, True)
    assert "tokens/s" in found["Model tiny"]["text"]
    assert {found[name]["state"] for name in ("Versions", "Data folder", "Database", "Port")} == {"ok"}


def test_an_endpoint_that_cannot_be_reached(falconry: Run) -> None:
    endpoints = '[{"name": "gone", "url": "http://127.0.0.1:9/v1", "api_key": "hunter2"}]'
    done = falconry("doctor", endpoints=endpoints, lang="zh_CN.UTF-8")
    assert "✗ 模型 gone: " in done.stdout
    assert "请在那里启动服务器" in done.stdout
    if done.returncode == 0:  # where the built-in model answers
        assert done.stdout.endswith("falconry --model eyas\n")
    assert "hunter2" not in done.stdout + done.stderr


def test_a_broken_file_is_one_line_and_no_engine_gets_it(falconry: Run, tmp_path: Path) -> None:
    model = write_reciter(tmp_path / "tiny.gguf", [b" the", b" river", b" runs"])
    model.write_bytes(model.read_bytes()[:-4096])
    done = falconry("doctor", "--json", "--port", "0", "--model", str(model))
    found = [check for check in json.loads(done.stdout)["checks"] if "tiny" in check["name"]]
    assert [(check["name"], check["state"]) for check in found] == [("File tiny", "failed")]
    assert "tiny.gguf is not complete" in found[0]["text"]


def test_only_the_default_is_loaded_of_what_lies_here(falconry: Run, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    first, second = (write_reciter(folder / f"{name}.gguf", [b" the"]) for name in ("first", "second"))
    done = falconry("doctor", "--json", "--port", "0", models=f"{first}:{second}")
    report = json.loads(done.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert "tokens/s" in found["Model first"]["text"]
    assert "not loaded for this" in found["Model second"]["text"]
    assert "tokens/s" in found["Model eyas"]["text"]  # it answers where the default cannot


def test_a_model_that_is_not_there_is_said_so_and_the_built_in_one_answers(falconry: Run) -> None:
    done = falconry("doctor", "--json", "--port", "0", "--model", "falcon-900b")
    report = json.loads(done.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert found["Model falcon-900b"]["state"] == "failed"
    assert "There is no model named" in found["Model falcon-900b"]["text"]
    assert report["ok"]


def test_one_model_is_enough_and_what_is_needed_must_work() -> None:
    answers, silent = Check("a", "ok", "", model="a"), Check("b", "failed", "", model="b")
    assert can_chat([answers, silent])
    assert not can_chat([silent])
    assert not can_chat([answers, Check("c", "failed", "", needed=True)])


def test_a_data_folder_that_cannot_be_made(make_settings: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = doctor(make_settings(data_dir=tmp_path / "file" / "data")).data_folder()
    assert (check.state, check.needed) == ("failed", True)
    assert "--data-dir" in check.advice


def test_no_database_yet(make_settings: MakeSettings) -> None:
    assert doctor(make_settings()).database().state == "ok"


async def test_a_healthy_database(make_settings: MakeSettings) -> None:
    async with open_services(make_settings()):
        pass
    assert doctor(make_settings()).database().text.startswith("SQLite, whole, schema 0")


def test_without_users_it_is_for_this_machine_alone(make_settings: MakeSettings) -> None:
    check = doctor(make_settings()).people()
    assert (check.state, check.needed) == ("ok", False)
    assert "no users; only this machine" in check.text
    check = doctor(make_settings(host="0.0.0.0")).people()
    assert (check.state, check.needed) == ("failed", True)
    assert "falconry users add" in check.advice


async def test_users_are_counted_and_who_can_reach_them_is_said(make_settings: MakeSettings) -> None:
    async with open_services(make_settings()) as services:
        await services.people.add_user("ada", "correct horse")
        await services.people.add_user("bob", "correct horse")
    check = doctor(make_settings()).people()
    assert check.text == "2 users, 1 of them admins; everybody logs in, and only from this machine (127.0.0.1)"
    check = doctor(make_settings(host="0.0.0.0")).people()
    assert (check.state, "other machines can reach 0.0.0.0" in check.text) == ("ok", True)
    assert "HTTPS" in check.advice


def test_a_damaged_database_is_named_and_left_alone(make_settings: MakeSettings) -> None:
    settings = make_settings()
    settings.data_dir.mkdir()
    file = settings.data_dir / "falconry.db"
    file.write_bytes(b"no database" * 1000)
    check = doctor(settings).database()
    assert (check.state, check.needed) == ("failed", True)
    assert "damaged" in check.text
    assert doctor(settings).people().state == "warning"
    assert file.read_bytes() == b"no database" * 1000


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["CREATE TABLE other (x)"], "another program"),
        (
            ["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('9999')"],
            "newer Falconry",
        ),
    ],
)
def test_a_database_that_is_not_ours(statements: list[str], words: str, make_settings: MakeSettings) -> None:
    settings = make_settings()
    settings.data_dir.mkdir()
    connection = sqlite3.connect(settings.data_dir / "falconry.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    check = doctor(settings).database()
    assert check.state == "failed"
    assert words in check.text


def test_a_postgres_that_cannot_be_reached(make_settings: MakeSettings) -> None:
    check = doctor(make_settings(database_url="postgresql://me:hunter2@127.0.0.1:9/db")).database()
    assert check.state == "failed"
    assert check.text.startswith("PostgreSQL, cannot be reached")
    assert "hunter2" not in check.text


async def test_a_taken_port(make_settings: MakeSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        check = await doctor(make_settings(port=other.getsockname()[1])).port()
    assert (check.state, check.needed) == ("failed", True)


async def test_a_port_that_falconry_has_itself(make_settings: MakeSettings, server: LiveServer) -> None:
    check = await doctor(make_settings(port=int(server.url.rpartition(":")[2]))).port()
    assert check.state == "ok"
    assert "already" in check.text


async def test_an_open_door_is_named(make_settings: MakeSettings) -> None:
    check = await doctor(make_settings(host="0.0.0.0")).port()
    assert check.state == "failed"
    assert "--host" in check.text


def test_free_memory_is_believable() -> None:
    free = free_memory()
    assert free is None or 2**20 < free < 2**50


def test_models_without_a_gguf_say_what_they_need(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalModel("tiny", Path("tiny"), (), "safetensors", "folder", "model", 1)
    monkeypatch.setattr("falconry.engines.transformers_launch.installed", lambda name: False)
    some, none = (doctor(make_settings()).transformers(found) for found in ([folder], []))
    assert (some.state, none.state) == ("warning", "ok")
    assert 'pip install "falconry[transformers]"' in some.text
    assert 'pip install "falconry[transformers]"' in none.text
