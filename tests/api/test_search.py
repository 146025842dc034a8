"""GET /api/search, as the page asks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import LiveServer


async def talk(server: LiveServer, content: str) -> tuple[str, str, str]:
    """A conversation with one question and the canned reply: the ids of all three."""
    conversation_id = (await server.client.post("/api/conversations")).json()["id"]
    path = f"/api/conversations/{conversation_id}/replies"
    answer = (await server.client.post(path, json={"content": content, "params": {"max_tokens": 4}})).json()
    reply = server.services.chat.find(answer["reply"]["id"])
    if reply is not None and reply.task is not None:
        await reply.task
    return conversation_id, answer["message"]["id"], answer["reply"]["id"]


async def search(server: LiveServer, q: str, **params: Any) -> dict[str, Any]:
    answer = await server.client.get("/api/search", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_hit_says_where_it_is_and_shows_it(server: LiveServer) -> None:
    conversation_id, question_id, _ = await talk(server, "明天的天气预报怎么说？")
    found = await search(server, "天气")
    (hit,) = found["hits"]
    assert (hit["conversation_id"], hit["message_id"], hit["role"]) == (conversation_id, question_id, "user")
    assert hit["snippet"] == [
        {"text": "明天的", "hit": False},
        {"text": "天气", "hit": True},
        {"text": "预报怎么说？", "hit": False},
    ]
    assert hit["title"].startswith("明天的天气")
    assert (found["next"], found["waiting"]) == (None, 0)


async def test_a_reply_is_found_when_it_has_ended(server: LiveServer) -> None:
    _, _, reply_id = await talk(server, "zzz")
    text = (await server.client.get(f"/api/replies/{reply_id}")).json()["content"]
    found = await search(server, text)
    assert [hit["message_id"] for hit in found["hits"]] == [reply_id]


async def test_pages_have_a_limit_and_a_next_one(server: LiveServer) -> None:
    for n in range(3):
        await talk(server, f"falconry number {n}")
    first = await search(server, "falconry number", limit=2)
    rest = await search(server, "falconry number", limit=2, before=first["next"])
    said = ["".join(piece["text"] for piece in hit["snippet"]) for hit in first["hits"] + rest["hits"]]
    assert said == [f"falconry number {n}" for n in (2, 1, 0)]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "q", ["", '"', "*" * 100, "a" * 10_000, "\ud800", "NEAR(", "\x00", "天" * 5_000, "' OR 1=1 --"]
)
async def test_any_text_may_be_looked_for(server: LiveServer, q: str) -> None:
    await talk(server, "hello")
    answer = await server.client.get(
        "/api/search?q=" + "".join(f"%{byte:02x}" for byte in q.encode(errors="surrogatepass"))
    )
    assert answer.status_code == 200
    assert answer.json()["hits"] == []


async def test_numbers_out_of_range_are_refused(server: LiveServer) -> None:
    for params in ({"limit": 0}, {"limit": 101}, {"before": 0}, {"before": 2**63}, {"q": "x" * 20_001}):
        answer = await server.client.get("/api/search", params=params)
        assert answer.status_code == 400, params
