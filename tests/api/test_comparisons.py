"""Comparisons over the programs' API. What the service does is tested in tests/compare."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import LiveServer

Json = dict[str, Any]


async def begin(server: LiveServer, *, blind: bool = False) -> Json:
    body = {"models": ["canned", "eyas"], "blind": blind}
    answer = await server.client.post("/api/comparisons", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def ask(server: LiveServer, comparison_id: str, turn: int = 0, **more: Any) -> Json:
    body = {"content": "Which animals live on the savanna?", "turn": turn, "params": {"max_tokens": 8}, **more}
    answer = await server.client.post(f"/api/comparisons/{comparison_id}/turns", json=body)
    assert answer.status_code == 201, answer.text
    await server.services.comparisons.finished(comparison_id)
    found: Json = (await server.client.get(f"/api/comparisons/{comparison_id}")).json()
    return found


async def test_a_comparison_from_first_to_last(server: LiveServer) -> None:
    made = await begin(server)
    assert made["models"] == ["canned", "eyas"]
    found = await ask(server, made["id"])
    answers = found["turns"][0]["answers"]
    assert [(answer["status"], answer["model"]) for answer in answers] == [("complete", "canned"), ("complete", "eyas")]
    assert all(answer["tokens"] == 8 and answer["finish_reason"] == "length" for answer in answers)
    voted = await server.client.post(f"/api/comparisons/{made['id']}/votes", json={"turn": 0, "best": [1]})
    assert voted.json() == {"vote": {"turn": 0, "best": [1], "blind": False, "final": False}}
    (listed,) = (await server.client.get("/api/comparisons")).json()["comparisons"]
    assert (listed["title"], listed["votes"]) == ("Which animals live on the savanna?", 1)
    results = (await server.client.get("/api/comparisons/results")).json()
    assert [model["model"] for model in results["models"]] == ["eyas", "canned"]
    assert (results["pairs"][0]["verdict"], results["pairs"][0]["needed"]) == ("few", 9)
    chat = await server.client.post(f"/api/comparisons/{made['id']}/conversations", json={"place": 0})
    conversation = (await server.client.get(f"/api/conversations/{chat.json()['conversation_id']}")).json()
    assert [message["role"] for message in conversation["messages"]] == ["user", "assistant"]
    assert (await server.client.delete(f"/api/comparisons/{made['id']}")).status_code == 204
    assert (await server.client.get(f"/api/comparisons/{made['id']}")).status_code == 404
    assert (await server.client.get("/api/comparisons")).json() == {"comparisons": []}


async def test_no_answer_of_the_api_tells_what_is_blind(server: LiveServer) -> None:
    made = await begin(server, blind=True)
    told = [json.dumps(made), json.dumps(await ask(server, made["id"]))]
    base = f"/api/comparisons/{made['id']}"
    voted = await server.client.post(f"{base}/votes", json={"turn": 0, "best": []})
    refused = await server.client.post(f"{base}/conversations", json={"place": 0})
    assert refused.json()["error"]["code"] == "names_hidden"
    told += [
        voted.text,
        refused.text,
        (await server.client.get(base)).text,
        (await server.client.post(f"{base}/stop")).text,
    ]
    told += [
        (await server.client.get("/api/comparisons")).text,
        (await server.client.get("/api/comparisons/results")).text,
    ]
    stored = await server.services.comparisons.get(made["id"])
    # Everything but what the models said, which may well have a word like their name in it.
    for text in told:
        for secret in ("canned", "eyas", *stored.columns):
            assert f'"{secret}"' not in text
    assert json.loads(told[-1])["hidden_votes"] == 1
    revealed = (await server.client.post(f"{base}/reveal")).json()
    assert revealed["models"] == list(stored.models)
    assert [answer["model"] for answer in revealed["turns"][0]["answers"]] == list(stored.models)


async def test_names_are_not_told_before_a_vote(server: LiveServer) -> None:
    made = await begin(server, blind=True)
    await ask(server, made["id"])
    refused = await server.client.post(f"/api/comparisons/{made['id']}/reveal", headers={"Accept-Language": "zh"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "vote_first")
    assert refused.json()["error"]["text"] == "请先投票，之后才会显示名称。"
    assert (await server.client.post("/api/comparisons/reveal")).json() == {"revealed": 0}


async def test_a_stale_page_is_told_so(server: LiveServer) -> None:
    made = await begin(server)
    await ask(server, made["id"])
    body = {"content": "again", "turn": 0}
    refused = await server.client.post(f"/api/comparisons/{made['id']}/turns", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "stale_conversation")


async def test_options_reach_all_models(server: LiveServer) -> None:
    made = await begin(server)
    await ask(server, made["id"], system="Be brief.", persona="Terse", params={"max_tokens": 4, "seed": 5})
    stored = await server.services.comparisons.state(made["id"])
    for answer in stored.rounds[0].answers:
        assert answer.message is not None
        assert answer.message.params is not None
        assert answer.message.context is not None
        assert (answer.message.params.seed, answer.message.persona) == (5, "Terse")
        assert answer.message.context.system == "Be brief."


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"models": ["canned"]}),
        ("", {"models": ["canned", "canned"]}),
        ("", {"models": ["canned", "eyas", "a", "b", "c"]}),
        ("", {"models": ["canned", "eyas"], "order": [0, 1]}),
        ("/{id}/turns", {"content": "  ", "turn": 0}),
        ("/{id}/turns", {"content": "hello", "turn": -1}),
        ("/{id}/turns", {"content": "hello", "turn": 0, "model": "eyas"}),
        ("/{id}/votes", {"turn": 0, "best": [0]}),
        ("/{id}/votes", {"turn": 0, "best": [4]}),
        ("/{id}/retry", {"place": 0}),
    ],
)
async def test_what_makes_no_sense_is_refused(server: LiveServer, path: str, body: Json) -> None:
    made = await begin(server)
    answer = await server.client.post("/api/comparisons" + path.replace("{id}", made["id"]), json=body)
    assert answer.status_code == 400, answer.text


async def test_several_at_once_are_listed_page_by_page(server: LiveServer) -> None:
    made = [await begin(server) for _ in range(3)]
    for comparison in made:
        await ask(server, comparison["id"])
    first = (await server.client.get("/api/comparisons", params={"limit": 2})).json()["comparisons"]
    rest = await server.client.get("/api/comparisons", params={"limit": 2, "before": first[-1]["id"]})
    ids = [entry["id"] for entry in (*first, *rest.json()["comparisons"])]
    assert ids == [comparison["id"] for comparison in reversed(made)]
    unknown = await server.client.get("/api/comparisons", params={"before": "0" * 32})
    assert unknown.status_code == 404


async def test_a_comparison_does_not_lose_one_of_its_sides(server: LiveServer) -> None:
    made = await begin(server)
    await ask(server, made["id"])
    side = made["conversations"][0]
    (question, _) = (await server.client.get(f"/api/conversations/{side}")).json()["messages"]
    for path in (
        f"/api/conversations/{side}",
        f"/api/conversations/{side}?forever=true",
        f"/api/messages/{question['id']}",
    ):
        refused = await server.client.delete(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "part_of_comparison")
    found = (await server.client.get(f"/api/comparisons/{made['id']}")).json()
    assert [answer["status"] for answer in found["turns"][0]["answers"]] == ["complete", "complete"]


async def test_three_tabs_ask_at_once(server: LiveServer) -> None:
    """One of them asks, and nothing is asked twice."""
    made = await begin(server)
    body = {"content": "hello", "turn": 0, "params": {"max_tokens": 4}}
    path = f"/api/comparisons/{made['id']}/turns"
    answers = await asyncio.gather(*(server.client.post(path, json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    found = (await server.client.get(f"/api/comparisons/{made['id']}")).json()
    assert len(found["turns"]) == 1
