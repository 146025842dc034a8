"""The routes for what lies on this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve
from tests.engines.tiny_gguf import write_reciter
from tests.gate.people import two_people
from tests.models.places import Hub, Ollama, gguf, write

ROUTE = "/api/models/files"


@pytest.fixture
async def live(make_settings: Callable[..., Settings], tmp_path: Path) -> AsyncGenerator[LiveServer, None]:
    """With one model in Falconry's folder, one of the user's, and one that was cut off."""
    settings = make_settings(models=[tmp_path / "mine"])
    write(settings.models_folder / "own.gguf", gguf("Own"))
    write(tmp_path / "mine" / "hers.gguf", gguf("Hers"))
    write(tmp_path / "mine" / "cut.gguf", gguf()[:-1])
    async with open_services(settings) as services, serve(services) as server:
        yield server


async def test_all_are_told_with_what_is_known_of_them(live: LiveServer, tmp_path: Path) -> None:
    answer = (await live.client.get(ROUTE)).json()
    files = {file["name"]: file for file in answer["files"]}
    assert answer["folder"] == str(live.services.settings.models_folder)
    assert set(files) == {"own", "hers", "cut"}
    own = files["own"]
    assert (own["source"], own["removable"], own["problem"], own["kind"]) == ("falconry", True, None, "model")
    assert (own["architecture"], own["quantization"], own["parameters"]) == ("llama", "F32", 544)
    assert (own["context_length"], own["size"]) == (512, len(gguf("Own")))
    assert (files["hers"]["removable"], files["hers"]["path"]) == (False, str(tmp_path / "mine" / "hers.gguf"))


async def test_a_problem_is_told_in_the_askers_language(live: LiveServer) -> None:
    for language, sentence in (("en", "cut.gguf is not complete"), ("zh-CN", "cut.gguf 不完整")):
        answer = await live.client.get(ROUTE, headers={"Accept-Language": language})
        problem = next(file["problem"] for file in answer.json()["files"] if file["name"] == "cut")
        assert problem["code"] == "model_file_truncated"
        assert problem["text"].startswith(sentence)


async def test_what_is_ours_is_deleted_and_leaves_the_picker(live: LiveServer) -> None:
    await live.services.shelf.refresh()
    assert "own" in {model["name"] for model in (await live.client.get("/api/models")).json()["models"]}
    answer = await live.client.request("DELETE", ROUTE, json={"name": "own"})
    assert answer.json() == {"freed": len(gguf("Own"))}
    assert not (live.services.settings.models_folder / "own.gguf").exists()
    assert "own" not in {model["name"] for model in (await live.client.get("/api/models")).json()["models"]}
    assert (await live.client.request("DELETE", ROUTE, json={"name": "own"})).status_code == 404


async def test_what_is_not_ours_is_not_deleted(live: LiveServer, tmp_path: Path) -> None:
    answer = await live.client.request("DELETE", ROUTE, json={"name": "hers"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_ours")
    assert (tmp_path / "mine" / "hers.gguf").exists()


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 301}, {"name": 3}, {"name": "own", "more": 1}, []])
async def test_a_body_that_is_wrong(live: LiveServer, body: object) -> None:
    answer = await live.client.request("DELETE", ROUTE, json=body)
    assert answer.status_code == 400
    assert (live.services.settings.models_folder / "own.gguf").exists()


async def test_users_see_no_paths_and_delete_nothing(live: LiveServer) -> None:
    async with two_people(live) as (admin, other):
        assert (await admin.client.get(ROUTE)).json()["folder"] is not None
        seen = (await other.client.get(ROUTE)).json()
        assert seen["folder"] is None
        assert {file["path"] for file in seen["files"]} == {None}
        assert (await other.client.request("DELETE", ROUTE, json={"name": "own"})).status_code == 403


async def test_a_model_of_another_programs_answers(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """Ollama's files have no ending, and the hub's are links."""
    reciter = write_reciter(tmp_path / "tiny.gguf", [b" the", b" river", b" runs"]).read_bytes()
    other = write_reciter(tmp_path / "other.gguf", [b" a", b" heron", b" waits"]).read_bytes()
    Ollama(tmp_path / "ollama").add("tiny:1b", [("model", reciter)])
    Hub(tmp_path / "hub").add("org/other-GGUF", {"other-F16.gguf": other})
    settings = make_settings(find_models=True, OLLAMA_MODELS=tmp_path / "ollama", HF_HUB_CACHE=tmp_path / "hub")
    async with open_services(settings) as services, serve(services) as server:
        await services.shelf.refresh()
        for model, words in (("tiny:1b", "the river runs"), ("other-F16", "a heron waits")):
            body = {"model": model, "prompt": "Once", "max_tokens": 20, "temperature": 0}
            answer = await server.client.post("/v1/completions", json=body)
            assert words in answer.json()["choices"][0]["text"], answer.text
