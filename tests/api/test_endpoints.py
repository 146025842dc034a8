"""Endpoints over HTTP: added, tested and removed by admins, and no key ever comes back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import LiveServer
from tests.engines.probe_stubs import CHAT, OLLAMA, VLLM, stub
from tests.engines.servers import serve
from tests.gate.people import two_people

KEY = "sk-do-not-show-me"
JSON = {"content-type": "application/json"}


async def test_an_endpoint_comes_and_goes(server: LiveServer) -> None:
    async with serve(stub(VLLM, key=KEY)) as there:
        added = await server.client.post(
            "/api/endpoints", json={"name": "box", "url": there.url.removeprefix("http://"), "api_key": KEY}
        )
        assert added.status_code == 201, added.text
        known = added.json()
        assert (known["kind"], known["url"], known["state"], known["version"]) == (
            "vllm",
            f"{there.url}/v1",
            "ready",
            "0.33.0",
        )
        assert [(model["id"], model["context_length"]) for model in known["models"]] == [("Qwen/Qwen3-4B", 40960)]
        assert {"count", "continue", "tools"} <= set(known["features"])
        assert known["has_key"] is True
        listed = await server.client.get("/api/endpoints")
        assert [each["name"] for each in listed.json()["endpoints"]] == ["box"]
        tested = await server.client.post("/api/endpoints/test", json={"name": "box"})
        assert (tested.json()["ok"], tested.json()["model"]) == (True, "Qwen/Qwen3-4B")
        assert KEY not in added.text + listed.text + tested.text
        assert (await server.client.delete("/api/endpoints/box")).status_code == 204
        assert (await server.client.get("/api/endpoints")).json()["endpoints"] == []
        assert (await server.client.delete("/api/endpoints/box")).json()["error"]["code"] == "endpoint_not_found"


async def test_what_is_wrong_is_the_reason_of_the_refusal_unless_it_is_wanted_all_the_same(server: LiveServer) -> None:
    gone = {"name": "gone", "url": "http://127.0.0.1:1/v1"}
    refused = await server.client.post("/api/endpoints", json=gone)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "endpoint_nothing_listens")
    kept = await server.client.post("/api/endpoints?lang=zh", json={**gone, "force": True})
    assert (kept.status_code, kept.json()["state"]) == (201, "failed")
    assert "没有程序在监听" in kept.json()["problem"]["text"]


async def test_a_test_tells_what_there_is_beside_what_is_wrong(server: LiveServer) -> None:
    async with serve(stub(OLLAMA)) as there:
        body = {"server": {"url": there.url, "models": ["llama9:1b"]}}
        told = (await server.client.post("/api/endpoints/test", json=body)).json()
    assert (told["ok"], told["problem"]["code"], told["facts"]["kind"]) == (False, "endpoint_models_there", "ollama")
    assert "llama3.2:1b" in told["problem"]["text"]
    assert told["seconds"] < 5
    assert (await server.client.get("/api/endpoints")).json()["endpoints"] == []


async def test_another_url_does_not_get_the_key(server: LiveServer) -> None:
    async with serve(stub(VLLM, key=KEY)) as first, serve(stub(VLLM)) as second:
        body = {"name": "box", "url": first.url, "api_key": KEY}
        assert (await server.client.post("/api/endpoints", json=body)).status_code == 201
        again = await server.client.post("/api/endpoints", json={"name": "box", "url": first.url, "replace": True})
        assert again.json()["has_key"] is True
        moved = await server.client.post("/api/endpoints", json={"name": "box", "url": second.url, "replace": True})
        assert moved.json()["has_key"] is False
        assert not any("authorization" in request.headers for request in second.requests)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {"name": "a", "url": "http://169.254.169.254/latest"}, "endpoint_metadata_address"),
        ("", {"name": "a", "url": "http://2852039166/"}, "endpoint_metadata_address"),
        ("", {"name": "a", "url": "file:///etc/passwd"}, "endpoint_bad_url"),
        ("", {"name": "a", "url": "[::1"}, "endpoint_bad_url"),
        ("", {"name": "a", "url": "javascript:alert(1)"}, "endpoint_bad_url"),
        ("", {"name": "a", "url": "http://a?b"}, "endpoint_bad_url"),
        ("", {"name": "a", "url": f"http://me:{KEY}@host/"}, "endpoint_key_in_url"),
        ("", {"name": " ", "url": "http://127.0.0.1:1"}, "invalid_field"),
        ("", {"name": "a", "url": "http://127.0.0.1:1", "api_key": f"{KEY}\r\nX: y"}, "invalid_field"),
        ("", {"name": "a", "url": "http://127.0.0.1:1", "api_key": KEY + "é"}, "invalid_field"),
        ("", {"name": "a", "url": "x" * 3000}, "invalid_field"),
        ("", {"name": "a", "url": "http://127.0.0.1:1", "context_length": 1}, "invalid_field"),
        ("", {"name": "a"}, "invalid_field"),
        ("/test", {}, "invalid_field"),
        ("/test", {"name": "nobody"}, "endpoint_not_found"),
    ],
)
async def test_bad_input_is_refused_in_one_sentence(
    server: LiveServer, path: str, body: Mapping[str, Any], code: str
) -> None:
    for insistent in (body, {**body, "force": True})[: 2 if path == "" else 1]:
        refused = await server.client.post(f"/api/endpoints{path}", content=json.dumps(insistent), headers=JSON)
        assert refused.status_code in (400, 404), refused.text
        assert refused.json()["error"]["code"] == code
        assert KEY not in refused.text


async def test_the_test_of_what_is_no_url_says_so(server: LiveServer) -> None:
    for url in ("[::1", "http://[abc]/", "http://℀/"):
        body = json.dumps({"server": {"url": url}})
        told = await server.client.post("/api/endpoints/test", content=body, headers=JSON)
        assert (told.status_code, told.json()["problem"]["code"]) == (200, "endpoint_bad_url")


async def test_a_name_that_leads_to_a_clouds_metadata_is_not_kept(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    body = {"name": "a", "url": "http://innocent.example/v1", "force": True}
    refused = await server.client.post("/api/endpoints", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "endpoint_metadata_address")


async def test_of_two_with_one_name_the_second_is_refused(server: LiveServer) -> None:
    async with serve(stub(VLLM)) as there:
        body = {"name": "a/b", "url": there.url}
        assert (await server.client.post("/api/endpoints", json=body)).status_code == 201
        assert (await server.client.post("/api/endpoints", json=body)).json()["error"]["code"] == "endpoint_name_taken"
        assert (await server.client.delete("/api/endpoints/a/b")).status_code == 204


async def test_who_is_no_admin_has_nothing_to_do_with_them(server: LiveServer) -> None:
    async with two_people(server) as (_, bob):
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/test"), ("DELETE", "/box")):
            assert (await bob.client.request(method, f"/api/endpoints{path}", json={})).status_code == 403


async def test_a_server_that_writes_nothing_in_time_is_kept_with_a_word(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("falconry.engines.endpoint_check.TEST_SECONDS", 1.5)
    normal = stub(VLLM)

    async def slow(request: Any, connection: Any) -> None:
        if request.path == CHAT:
            await connection.gone.wait()
        else:
            await normal(request, connection)

    async with serve(slow) as there:
        added = await server.client.post("/api/endpoints", json={"name": "slow", "url": there.url})
    assert (added.status_code, added.json()["problem"]["code"]) == (201, "endpoint_slow")
    assert added.json()["kind"] == "vllm"
