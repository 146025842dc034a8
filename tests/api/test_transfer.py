"""Export and import over HTTP: round trips, ownership, limits, and that a broken file changes nothing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest

from falconry.library.library import Library
from falconry.library.values import Persona, SavedPrompt
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve
from tests.gate.people import two_people
from tests.transfer.samples import encoded, packed, simple_chatgpt, simple_webui


async def talk(server: LiveServer, content: str) -> str:
    """A conversation with one question and the canned reply; gives its id."""
    conversation_id = str((await server.client.post("/api/conversations")).json()["id"])
    path = f"/api/conversations/{conversation_id}/replies"
    answer = (await server.client.post(path, json={"content": content, "params": {"max_tokens": 4}})).json()
    reply = server.services.chat.find(answer["reply"]["id"])
    if reply is not None and reply.task is not None:
        await reply.task
    return conversation_id


async def upload(client: httpx.AsyncClient, raw: bytes, **headers: str) -> httpx.Response:
    defaults = {"Content-Type": "application/octet-stream"}
    return await client.post("/api/import", content=raw, headers={**defaults, **headers})


async def titles(client: httpx.AsyncClient) -> list[str]:
    return [each["title"] for each in (await client.get("/api/conversations")).json()["conversations"]]


async def test_one_conversation_as_json_and_markdown(server: LiveServer) -> None:
    conversation_id = await talk(server, "你好 **there**")
    answer = await server.client.get(f"/api/conversations/{conversation_id}/export")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    file = answer.json()
    assert (file["format"], file["version"]) == ("falconry-export", 1)
    (conversation,) = file["conversations"]
    assert [each["role"] for each in conversation["messages"]] == ["user", "assistant"]
    text = await server.client.get(f"/api/conversations/{conversation_id}/export?format=markdown")
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert text.text.startswith("# 你好 \\*\\*there\\*\\*\n")
    assert "**You** · " in text.text
    assert "\n你好 **there**\n" in text.text
    chinese = await server.client.get(f"/api/conversations/{conversation_id}/export?format=markdown&lang=zh")
    assert "**您** · " in chinese.text or "**你** · " in chinese.text


async def test_everything_goes_out_and_comes_in_again(
    server: LiveServer, make_settings: Callable[..., Settings], tmp_path: Any
) -> None:
    for n in range(3):
        await talk(server, f"question {n}")
    await server.client.post("/api/folders", json={"name": "Empty"})
    library = Library.on(server.services.database)
    await library.add_persona(Persona("Falconer", system="You know birds."))
    await library.add_prompt(SavedPrompt("Sum up", "Summarise {{text}}"))
    raw = (await server.client.get("/api/export")).content
    async with (
        open_services(make_settings(data_dir=tmp_path / "other")) as services,
        serve(services) as other,
    ):
        answer = await upload(other.client, raw)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        told = {name: found[name] for name in ("imported", "skipped", "personas", "prompts", "problems", "kind")}
        assert told == {"imported": 3, "skipped": 0, "personas": 1, "prompts": 1, "problems": [], "kind": "falconry"}
        assert await titles(other.client) == await titles(server.client)
        assert [each["name"] for each in (await other.client.get("/api/folders")).json()["folders"]] == ["Empty"]
        back = (await other.client.get("/api/export")).json()
        assert [each["title"] for each in back["conversations"]] == ["question 0", "question 1", "question 2"]
        assert [each["name"] for each in back["personas"]] == ["Falconer"]
        assert [each["name"] for each in back["prompts"]] == ["Sum up"]
        again = (await upload(other.client, raw)).json()
        assert (again["imported"], again["skipped"], again["personas"], again["prompts"]) == (0, 3, 0, 0)
        hits = (await other.client.get("/api/search", params={"q": "question"})).json()["hits"]
        assert len(hits) == 3


async def test_everything_as_markdown_is_a_zip_file(server: LiveServer) -> None:
    folder = (await server.client.post("/api/folders", json={"name": "Birds/../x"})).json()["id"]
    for _ in range(2):
        await talk(server, "same title")
    conversation_id = await talk(server, "in a folder")
    await server.client.patch(f"/api/conversations/{conversation_id}", json={"folder_id": folder})
    answer = await server.client.get("/api/export?format=markdown")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == 3
        assert all(name.endswith(".md") and ".." not in name.split("/") for name in names)
        assert sum("/" in name for name in names) == 1
        assert archive.read(names[0]).decode().startswith("# same title\n")


@pytest.mark.parametrize("make", [lambda: encoded([simple_chatgpt()]), lambda: encoded([simple_webui()])])
async def test_others_exports_can_be_read_and_talked_on(server: LiveServer, make: Callable[[], bytes]) -> None:
    answer = await upload(server.client, make())
    (conversation_id,) = answer.json()["conversation_ids"]
    conversation = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    assert [each["role"] for each in conversation["messages"]] == ["user", "assistant"]
    view = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    body = {"content": "go on", "parent_id": view["head_id"], "params": {"max_tokens": 2}}
    assert (await server.client.post(f"/api/conversations/{conversation_id}/replies", json=body)).status_code == 201
    assert (await upload(server.client, make())).json()["skipped"] == 1


async def test_what_was_left_out_is_told_in_the_askers_language(server: LiveServer) -> None:
    value = simple_chatgpt()
    part = {"content_type": "image_asset_pointer", "asset_pointer": "x"}
    value["mapping"]["q"]["message"]["content"] = {"content_type": "multimodal_text", "parts": [part, "?"]}
    raw = encoded([value])
    (problem,) = (await upload(server.client, raw, **{"Accept-Language": "zh"})).json()["problems"]
    assert problem["code"] == "import_media_left_out"
    assert "图片" in problem["text"]


async def test_a_broken_file_changes_nothing_and_says_where(server: LiveServer) -> None:
    bad = simple_chatgpt(2)
    bad["mapping"]["q"]["parent"] = "a"
    answer = await upload(server.client, encoded([simple_chatgpt(1), bad]))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "import_circle")
    assert "#2 “Falcons”" in error["message"]
    own = {"format": "falconry-export", "version": 1, "conversations": [], "personas": [{"name": ""}]}
    error = (await upload(server.client, encoded(own))).json()["error"]
    assert "personas 1" in error["message"]
    assert await titles(server.client) == []


async def test_a_bomb_and_a_form_are_refused(server: LiveServer, make_settings: Callable[..., Settings]) -> None:
    bomb = packed({"conversations.json": b" " * 101 * 2**20})
    assert (await upload(server.client, bomb)).json()["error"]["code"] == "import_too_large"
    answer = await server.client.post("/api/import", files={"file": b"x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_a_form")


@pytest.fixture
async def small(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(max_import_mib=1, max_body_mib=1)) as services, serve(services) as live:
        yield live


async def test_a_file_may_be_larger_than_other_requests_up_to_its_own_limit(
    server: LiveServer, small: LiveServer
) -> None:
    value = simple_chatgpt()
    value["unknown"] = ["x" * 1_000_000] * 20
    raw = encoded([value])
    assert len(raw) > server.services.settings.max_body_mib * 2**20
    assert (await upload(server.client, raw)).json()["imported"] == 1
    answer = await upload(small.client, raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_each_persons_files_are_their_own(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        assert (await upload(ada.client, encoded([simple_chatgpt()]))).json()["imported"] == 1
        assert (await upload(bob.client, encoded([simple_chatgpt()]))).json()["imported"] == 1
        raw = await ada.client.get("/api/export")
        (conversation,) = raw.json()["conversations"]
        assert (await bob.client.get(f"/api/conversations/{conversation['id']}/export")).status_code == 404
        assert conversation["id"] not in (await bob.client.get("/api/export")).text
        assert (await server.client.get("/api/export")).status_code == 401
        assert (await upload(server.client, b"[]")).status_code == 401


async def test_a_conversation_in_the_trash_is_not_exported(server: LiveServer) -> None:
    conversation_id = await talk(server, "gone")
    await server.client.delete(f"/api/conversations/{conversation_id}")
    assert (await server.client.get(f"/api/conversations/{conversation_id}/export")).status_code == 404
    assert json.loads((await server.client.get("/api/export")).content)["conversations"] == []
