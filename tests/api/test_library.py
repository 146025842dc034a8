"""Personas, prompts and the options' questions over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from falconry.messages import SamplingParams
from tests.api.test_conversations import events
from tests.conftest import LiveServer
from tests.library.test_values import FULL

NOBODY = "0" * 32


async def names(server: LiveServer, kind: str, language: str = "en") -> list[str]:
    answer = await server.client.get(f"/api/{kind}", headers={"Accept-Language": language})
    return [entry["name"] for entry in answer.json()[kind]]


async def test_shipped_ones_follow_the_language(server: LiveServer) -> None:
    assert (await names(server, "personas"))[:2] == ["Assistant", "Biologist"]
    assert (await names(server, "personas", "zh-CN"))[:2] == ["助手", "生物学家"]
    assert "Summarise" in await names(server, "prompts")
    assert "总结" in await names(server, "prompts", "zh")
    listed = (await server.client.get("/api/personas")).json()["personas"]
    marked = {entry["id"]: entry["safeguard"] for entry in listed if entry["safeguard"]}
    assert marked == {"shipped-legal": "legal", "shipped-medical": "medical"}
    assert all(entry["shipped"] and entry["system"] and entry["starters"] for entry in listed)


async def test_a_persona_is_made_changed_and_deleted(server: LiveServer) -> None:
    made = await server.client.post("/api/personas", json=FULL)
    assert made.status_code == 201
    persona = made.json()
    assert {name: persona[name] for name in FULL} == FULL
    assert (persona["handle"], persona["shipped"]) == ("kestrel", False)
    assert (await names(server, "personas"))[0] == "Kestrel"
    changed = await server.client.put(f"/api/personas/{persona['id']}", json={"name": "Merlin", "system": "fast"})
    assert (changed.json()["id"], changed.json()["name"], changed.json()["params"]) == (persona["id"], "Merlin", {})
    assert (await server.client.delete(f"/api/personas/{persona['id']}")).status_code == 204
    assert "Merlin" not in await names(server, "personas")
    assert (await server.client.delete(f"/api/personas/{persona['id']}")).status_code == 404


async def test_a_prompt_is_made_changed_and_deleted(server: LiveServer) -> None:
    prompt = (await server.client.post("/api/prompts", json={"name": "To French", "content": "{{text}}"})).json()
    assert prompt["handle"] == "to-french"
    changed = await server.client.put(f"/api/prompts/{prompt['id']}", json={"name": "To Thai", "content": "x"})
    assert (changed.json()["handle"], changed.json()["content"]) == ("to-thai", "x")
    assert (await server.client.delete(f"/api/prompts/{prompt['id']}")).status_code == 204
    assert (await server.client.delete(f"/api/prompts/{prompt['id']}")).status_code == 404


@pytest.mark.parametrize("kind", ["personas", "prompts"])
async def test_a_taken_name_is_refused_in_any_case(server: LiveServer, kind: str) -> None:
    body = {"name": "Kestrel", "content": "x"} if kind == "prompts" else {"name": "Kestrel"}
    await server.client.post(f"/api/{kind}", json=body)
    again = await server.client.post(f"/api/{kind}", json={**body, "name": "KESTREL"})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "name_in_use")
    chinese = await server.client.post(f"/api/{kind}", json=body, headers={"Accept-Language": "zh"})
    assert "Kestrel" in chinese.json()["error"]["text"]
    assert chinese.json()["error"]["text"] != chinese.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "shipped", "body"),
    [
        ("personas", "shipped-biologist", {"name": "Mine"}),
        ("prompts", "shipped-explain", {"name": "Mine", "content": "x"}),
    ],
)
async def test_shipped_ones_cannot_be_changed(server: LiveServer, kind: str, shipped: str, body: Any) -> None:
    before = await names(server, kind)
    for answer in (
        await server.client.put(f"/api/{kind}/{shipped}", json=body),
        await server.client.delete(f"/api/{kind}/{shipped}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "shipped_entry")
    assert await names(server, kind) == before
    for unknown in (NOBODY, "shipped-nothing"):
        assert (await server.client.put(f"/api/{kind}/{unknown}", json=body)).status_code == 404


async def test_a_file_goes_there_and_back(server: LiveServer) -> None:
    await server.client.post("/api/personas", json=FULL)
    await server.client.post("/api/personas", json={"name": "鹰", "system": "看"})
    file = await server.client.get("/api/personas/file")
    assert file.headers["content-disposition"].startswith("attachment;")
    assert file.headers["x-content-type-options"] == "nosniff"
    again = await server.client.post("/api/personas/import", json=file.json())
    assert (again.status_code, again.json()) == (201, {"personas": [], "skipped": 2})
    for entry in (await server.client.get("/api/personas")).json()["personas"]:
        if not entry["shipped"]:
            await server.client.delete(f"/api/personas/{entry['id']}")
    new = (await server.client.post("/api/personas/import", json=file.json())).json()
    assert [entry["name"] for entry in new["personas"]] == ["Kestrel", "鹰"]
    assert {name: new["personas"][0][name] for name in FULL} == FULL


async def test_one_persona_goes_into_a_file_shipped_or_not(server: LiveServer) -> None:
    made = (await server.client.post("/api/personas", json={"name": "鹰"})).json()
    file = await server.client.get(f"/api/personas/{made['id']}/file")
    assert "filename*=UTF-8''falconry-%E9%B9%B0.json" in file.headers["content-disposition"]
    assert [entry["name"] for entry in file.json()["personas"]] == ["鹰"]
    shipped = await server.client.get("/api/personas/shipped-tutor/file", headers={"Accept-Language": "zh"})
    assert shipped.json()["personas"][0]["name"] == "辅导老师"
    assert (await server.client.get(f"/api/personas/{NOBODY}/file")).status_code == 404


async def test_an_import_takes_a_free_name_and_a_second_time_adds_nothing(server: LiveServer) -> None:
    await server.client.post("/api/personas", json={"name": "Kestrel", "system": "another"})
    file = {"format": "falconry.personas", "version": 1, "personas": [FULL]}
    new = (await server.client.post("/api/personas/import", json=file)).json()
    assert [entry["name"] for entry in new["personas"]] == ["Kestrel 2"]
    assert (await server.client.post("/api/personas/import", json=file)).json() == {"personas": [], "skipped": 1}


async def test_a_bad_file_is_refused_with_the_reason_and_changes_nothing(server: LiveServer) -> None:
    before = await names(server, "personas")
    file = {"format": "falconry.personas", "version": 1, "personas": [FULL, {"name": "Two", "params": {"top_k": -1}}]}
    answer = await server.client.post("/api/personas/import", json=file)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_persona_file")
    assert "persona 2, “Two”" in answer.json()["error"]["message"]
    broken = await server.client.post(
        "/api/personas/import", content=b'{"format": ', headers={"Content-Type": "application/json"}
    )
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")
    assert await names(server, "personas") == before


async def test_a_schema_is_checked_before_it_is_used(server: LiveServer) -> None:
    good = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert (await server.client.post("/api/json-schema/check", json={"json_schema": good})).status_code == 204
    bad = {"type": "object", "properties": {"a": {"type": "text"}}}
    answer = await server.client.post("/api/json-schema/check", json={"json_schema": bad})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_schema")
    assert "#/properties/a" in answer.json()["error"]["message"]
    conversation = (await server.client.post("/api/conversations")).json()["id"]
    refused = await server.client.post(
        f"/api/conversations/{conversation}/replies", json={"content": "hi", "params": {"json_schema": bad}}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_schema")


async def test_a_schema_is_kept_with_its_reply(server: LiveServer) -> None:
    conversation = (await server.client.post("/api/conversations")).json()["id"]
    schema = {"type": "object", "properties": {"名": {"type": "string"}}}
    answer = await server.client.post(
        f"/api/conversations/{conversation}/replies", json={"content": "hi", "params": {"json_schema": schema}}
    )
    reply = (await server.client.get(f"/api/replies/{answer.json()['reply']['id']}")).json()
    assert reply["params"]["grammar"]["kind"] == "json_schema"
    assert json.loads(reply["params"]["grammar"]["text"]) == schema


async def test_a_model_is_held_to_a_schema_and_what_is_cut_is_not_continued(server: LiveServer) -> None:
    conversation = (await server.client.post("/api/conversations")).json()["id"]
    schema = {"type": "object", "properties": {"bird": {"enum": ["kestrel", "merlin"]}}, "required": ["bird"]}
    head = None
    for max_tokens in (100, 8):
        params = {"json_schema": schema, "max_tokens": max_tokens}
        body = {"content": "A bird?", "parent_id": head, "model": "eyas", "params": params}
        reply = (await server.client.post(f"/api/conversations/{conversation}/replies", json=body)).json()["reply"]
        reply = (await events(server, reply["id"]))[-1][2]
        head = reply["id"]
        if max_tokens == 100:
            assert json.loads(reply["content"])["bird"] in ("kestrel", "merlin")
    assert (reply["finish_reason"], reply["content"][:1]) == ("length", "{")
    again = await server.client.post(f"/api/replies/{head}/continue")
    assert (again.status_code, again.json()["error"]["code"]) == (400, "cannot_continue_shape")


async def test_which_params_reach_a_model_is_known_before_its_first_use(server: LiveServer) -> None:
    answer = (await server.client.get("/api/models/supports", params={"model": "canned"})).json()
    assert answer == {"model": "canned", "supports": ["max_tokens", "seed", "stop", "temperature"]}
    local = (await server.client.get("/api/models/supports", params={"model": "eyas"})).json()
    assert set(local["supports"]) == set(SamplingParams.__dataclass_fields__)
    assert "eyas" not in server.services.pool.loaded()
    assert (await server.client.get("/api/models/supports", params={"model": "none"})).status_code == 404
