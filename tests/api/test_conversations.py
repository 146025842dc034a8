from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from falconry.engines.canned import REPLIES
from tests.conftest import LiveServer

NOBODY = "0" * 32


async def new_chat(server: LiveServer) -> str:
    answer = await server.client.post("/api/conversations")
    assert answer.status_code == 201
    return str(answer.json()["id"])


async def ask(server: LiveServer, conversation_id: str, content: str = "hello", **body: Any) -> httpx.Response:
    return await server.client.post(f"/api/conversations/{conversation_id}/replies", json={"content": content, **body})


async def events(server: LiveServer, reply_id: str, **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    """All events of a reply to its end: id, name, data."""
    found = []
    async with server.client.stream("GET", f"/api/replies/{reply_id}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        event: dict[str, str] = {}
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = value
            elif not line and event:
                found.append((event.get("id", ""), event["event"], json.loads(event["data"])))
                event = {}
    return found


async def test_a_program_asks_and_watches(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    answer = await ask(server, conversation_id, params={"max_tokens": 12})
    assert answer.status_code == 201
    reply = answer.json()["reply"]
    assert reply["status"] == "running"
    seen = await events(server, reply["id"])
    text = "".join(data["text"] for _, name, data in seen if name == "delta")
    assert seen[-1][1] == "done"
    assert seen[-1][2]["content"] == text
    assert (seen[-1][2]["finish_reason"], seen[-1][2]["usage"]["completion_tokens"]) == ("length", 12)
    stored = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    assert [m["content"] for m in stored["messages"]] == ["hello", text]
    assert stored["running"] is None


async def test_a_watcher_that_comes_back_gets_the_rest_and_nothing_twice(server: LiveServer) -> None:
    reply_id = (await ask(server, await new_chat(server))).json()["reply"]["id"]
    whole = await events(server, reply_id)
    text = whole[-1][2]["content"]
    for event_id, _, _ in whole[:-1]:
        offset = int(event_id.partition("-")[0])
        rest = await events(server, reply_id, **{"Last-Event-ID": event_id})
        assert "".join(data["text"] for _, name, data in rest if name == "delta") == text[offset:]


async def test_stop_is_a_request_of_its_own_and_may_come_twice(server: LiveServer) -> None:
    reply_id = (await ask(server, await new_chat(server))).json()["reply"]["id"]
    for _ in range(2):
        answer = await server.client.post(f"/api/replies/{reply_id}/stop")
        assert (answer.status_code, answer.json()["status"]) == (200, "stopped")


async def test_a_stale_tab_gets_409_and_nothing_is_lost(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    first = (await ask(server, conversation_id)).json()["reply"]
    await events(server, first["id"])
    answer = await ask(server, conversation_id, "from a stale tab")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "stale_conversation"
    stored = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    assert len(stored["messages"]) == 2


async def test_regenerate_continue_and_the_seen_prompt(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    params = {"max_tokens": 5, "seed": 3}
    first = (await ask(server, conversation_id, params=params)).json()["reply"]
    await events(server, first["id"])
    second = (await server.client.post(f"/api/replies/{first['id']}/regenerate", json={"params": params})).json()
    again = (await events(server, second["reply"]["id"]))[-1][2]
    assert again["id"] != first["id"]
    await server.client.post(f"/api/replies/{again['id']}/continue")
    longer = (await events(server, again["id"]))[-1][2]["content"]
    assert longer.startswith(again["content"])
    assert len(longer) > len(again["content"])
    seen = (await server.client.get(f"/api/replies/{again['id']}/prompt")).json()
    assert seen["exact"] is True
    assert seen["prompt"].endswith("user: hello\nassistant:")
    assert seen["messages"][-1] == {"role": "user", "content": "hello"}


async def test_the_gauge_counts_a_draft(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    url = f"/api/conversations/{conversation_id}/context"
    short = (await server.client.post(url, json={"draft": "hi"})).json()
    long = (await server.client.post(url, json={"draft": "hi " * 100})).json()
    assert long["prompt_tokens"] - short["prompt_tokens"] >= 99
    assert long["context_length"] == 4096
    answer = await server.client.post(url, json={"draft": "hi " * 9000})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["limit"] == 4096 - 64


async def test_completion_streams_and_forgets(server: LiveServer) -> None:
    async with server.client.stream("POST", "/api/complete", json={"prompt": "Once", "params": {"max_tokens": 7}}) as s:
        body = (await s.aread()).decode()
    names = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
    assert names[-1] == "done"
    assert set(names[:-1]) == {"delta"}
    assert '"completion_tokens":7' in body
    assert (await server.client.get("/api/conversations")).json() == {"conversations": [], "next": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x", "params": {"temperature": 3}}, "params.temperature"),
        ({"content": "x", "params": {"temperature": "hot"}}, "params.temperature"),
        ({"content": "x", "params": {"max_tokens": 0}}, "params.max_tokens"),
        ({"content": "x", "params": {"max_tokens": 10**30}}, "params.max_tokens"),
        ({"content": "x", "params": {"seed": -1}}, "params.seed"),
        ({"content": "x", "params": {"stop": ["a"] * 17}}, "params.stop"),
        ({"content": "x", "params": {"stop": ["a" * 257]}}, "params.stop.0"),
        ({"content": "x", "params": {"unknown": 1}}, "params.unknown"),
        ({"content": "x", "parent_id": "../../etc"}, "parent_id"),
        ({"content": ["x"]}, "content"),
        ({}, "content"),
        ([], "body"),
    ],
)
async def test_bad_input_gets_a_sentence_that_names_the_field(server: LiveServer, body: Any, field: str) -> None:
    conversation_id = await new_chat(server)
    answer = await server.client.post(f"/api/conversations/{conversation_id}/replies", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "invalid_field"
    assert error["details"]["field"] == field
    assert field in error["text"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"content": NaN}', b'{"content": "x", "params": {"temperature": NaN}}', b"[" * 100_000],
)
async def test_malformed_json_is_refused_and_the_server_lives(server: LiveServer, body: bytes) -> None:
    url = f"/api/conversations/{await new_chat(server)}/replies"
    answer = await server.client.post(url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["text"]
    assert (await server.client.get("/health")).status_code == 200


async def test_an_empty_message_and_lone_surrogates(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    assert (await ask(server, conversation_id, "  \n ")).json()["error"]["code"] == "empty_message"
    answer = await server.client.post(
        f"/api/conversations/{conversation_id}/replies",
        content=b'{"content": "lone \\ud83d and \\u0000"}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 201
    assert answer.json()["message"]["content"] == "lone \ufffd and \ufffd"


async def test_what_does_not_exist_is_a_404_in_the_same_form(server: LiveServer) -> None:
    for method, path in [
        ("GET", f"/api/conversations/{NOBODY}"),
        ("DELETE", f"/api/conversations/{NOBODY}"),
        ("POST", f"/api/conversations/{NOBODY}/replies"),
        ("GET", f"/api/replies/{NOBODY}"),
        ("GET", f"/api/replies/{NOBODY}/events"),
        ("POST", f"/api/replies/{NOBODY}/stop"),
        ("POST", f"/api/replies/{NOBODY}/continue"),
        ("GET", "/api/nothing"),
    ]:
        answer = await server.client.request(method, path, json={"content": "x"})
        assert answer.status_code == 404, (method, path)
        assert set(answer.json()["error"]) == {"code", "message", "details", "text"}


async def test_errors_speak_the_askers_language(server: LiveServer) -> None:
    path = f"/api/conversations/{NOBODY}"
    chinese = await server.client.get(path, headers={"accept-language": "zh-Hans-CN,zh;q=0.9,en;q=0.5"})
    assert chinese.json()["error"]["text"] == "这个对话不存在。"
    english = await server.client.get(path, headers={"accept-language": "de,en;q=0.8"})
    assert english.json()["error"]["text"] == "This conversation does not exist."


async def test_an_unknown_model_is_named(server: LiveServer) -> None:
    answer = await ask(server, await new_chat(server), model="tiiuae/falcon-900b")
    assert answer.status_code == 404
    assert "tiiuae/falcon-900b" in answer.json()["error"]["text"]


async def test_models_are_listed_with_the_default_marked(server: LiveServer) -> None:
    models = (await server.client.get("/api/models")).json()["models"]
    assert [(m["name"], m["default"]) for m in models] == [("eyas", False), ("canned", True)]


async def test_health_and_ready(server: LiveServer) -> None:
    assert (await server.client.get("/health")).json()["status"] == "ok"
    assert (await server.client.get("/ready")).json() == {"status": "ready", "model": "canned"}


async def test_a_reply_comes_in_the_questions_language(server: LiveServer) -> None:
    reply = (await ask(server, await new_chat(server), "你好")).json()["reply"]
    assert (await events(server, reply["id"]))[-1][2]["content"] in REPLIES["zh"]
