"""Branches, ratings and files of messages, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.test_conversations import NOBODY, ask, events, new_chat
from tests.conftest import LiveServer

Message = dict[str, Any]


async def answered(server: LiveServer, conversation_id: str, content: str, **body: Any) -> tuple[Message, Message]:
    """Ask at the head and wait for the answer; gives both messages."""
    head = (await server.client.get(f"/api/conversations/{conversation_id}")).json()["head_id"]
    params = {"params": {"max_tokens": 3}}
    answer = await ask(server, conversation_id, content, parent_id=head, **params, **body)
    assert answer.status_code == 201, answer.text
    reply = answer.json()["reply"]
    return answer.json()["message"], (await events(server, reply["id"]))[-1][2]


async def shown(server: LiveServer, conversation_id: str) -> list[Message]:
    messages: list[Message] = (await server.client.get(f"/api/conversations/{conversation_id}")).json()["messages"]
    return messages


async def upload(server: LiveServer, text: str = "Falcons dive.") -> Message:
    answer = await server.client.post(
        "/api/attachments?name=notes.txt",
        content=text.encode(),
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.status_code == 201, answer.text
    file: Message = answer.json()
    return file


async def show(server: LiveServer, conversation_id: str, message_id: str, head_id: str | None) -> httpx.Response:
    body = {"message_id": message_id, "head_id": head_id}
    return await server.client.post(f"/api/conversations/{conversation_id}/head", json=body)


async def test_edit_switch_back_and_delete(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    first, first_reply = await answered(server, conversation_id, "first")
    await answered(server, conversation_id, "second")
    edited, reply = await answered(server, conversation_id, "edited", edit_of=first["id"], persona="Tutor")
    assert edited["versions"] == [first["id"], edited["id"]]
    assert reply["persona"] == "Tutor"
    assert [m["content"] for m in await shown(server, conversation_id)] == ["edited", reply["content"]]
    stale = await show(server, conversation_id, first["id"], first_reply["id"])
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_conversation")
    back = await show(server, conversation_id, first["id"], reply["id"])
    messages = await shown(server, conversation_id)
    assert [m["content"] for m in messages[::2]] == ["first", "second"]
    assert back.json() == {"head_id": messages[-1]["id"]}
    assert messages[0]["versions"] == [first["id"], edited["id"]]
    gone = await server.client.delete(f"/api/messages/{first['id']}")
    assert (gone.status_code, gone.json()) == (200, {"head_id": reply["id"]})
    assert (await server.client.get(f"/api/replies/{first_reply['id']}")).status_code == 404
    emptied = await server.client.delete(f"/api/messages/{edited['id']}")
    assert emptied.json() == {"head_id": None}
    assert await shown(server, conversation_id) == []
    await answered(server, conversation_id, "from the start")


async def test_any_reply_on_show_is_regenerated_where_the_asker_is_up_to_date(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    _, first = await answered(server, conversation_id, "first")
    _, second = await answered(server, conversation_id, "second")
    url = f"/api/replies/{first['id']}/regenerate"
    stale = await server.client.post(url, json={"head_id": first["id"]})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_conversation")
    answer = (await server.client.post(url, json={"head_id": second["id"], "persona": "Tutor"})).json()["reply"]
    assert (answer["versions"], answer["persona"]) == ([first["id"], answer["id"]], "Tutor")
    await events(server, answer["id"])
    assert [m["id"] for m in await shown(server, conversation_id)][1:] == [answer["id"]]
    assert (await server.client.post(f"/api/replies/{second['id']}/continue")).status_code == 409


async def test_a_stale_tabs_edit_is_refused_and_nothing_is_stored(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    first, reply = await answered(server, conversation_id, "first")
    for body in ({"parent_id": first["id"]}, {}, {"parent_id": NOBODY}):
        answer = await ask(server, conversation_id, "edited", edit_of=first["id"], **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_conversation")
    answer = await ask(server, conversation_id, "edited", edit_of=reply["id"], parent_id=reply["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_a_question")
    answer = await ask(server, conversation_id, "edited", edit_of=NOBODY, parent_id=reply["id"])
    assert answer.status_code == 404
    assert len(await shown(server, conversation_id)) == 2


async def test_while_a_reply_is_written_branches_stay(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    answer = (await ask(server, conversation_id)).json()
    question, reply = answer["message"]["id"], answer["reply"]["id"]
    refused = [
        await show(server, conversation_id, question, reply),
        await server.client.delete(f"/api/messages/{question}"),
        await server.client.post(f"/api/replies/{reply}/regenerate"),
        await server.client.put(f"/api/messages/{reply}/rating", json={"rating": 1}),
        await ask(server, conversation_id, "edit", edit_of=question, parent_id=reply),
    ]
    assert [(one.status_code, one.json()["error"]["code"]) for one in refused] == [(409, "reply_running")] * 5
    await server.client.post(f"/api/replies/{reply}/stop")


async def test_a_reply_is_rated_and_corrected(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    question, reply = await answered(server, conversation_id, "first")
    url = f"/api/messages/{reply['id']}/rating"
    rated = await server.client.put(url, json={"rating": -1, "correction": "Falcons dive."})
    assert (rated.status_code, rated.json()["rating"], rated.json()["correction"]) == (200, -1, "Falcons dive.")
    assert (await shown(server, conversation_id))[1] == rated.json()
    neither = (await server.client.put(url, json={"rating": None})).json()
    assert (neither["rating"], neither["correction"]) == (None, None)
    answer = await server.client.put(f"/api/messages/{question['id']}/rating", json={"rating": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_a_reply")


@pytest.mark.parametrize(
    "body",
    [{}, {"rating": 0}, {"rating": 2}, {"rating": "1"}, {"rating": 1.5}, {"rating": 1, "correction": "x" * 100_001}],
)
async def test_a_rating_is_good_bad_or_neither(server: LiveServer, body: dict[str, object]) -> None:
    answer = await server.client.put(f"/api/messages/{NOBODY}/rating", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_field")


async def test_files_are_sent_kept_by_an_edit_and_dropped(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    file = await upload(server)
    gauge = {"draft": "What?", "attachments": [file["id"]]}
    counted = (await server.client.post(f"/api/conversations/{conversation_id}/context", json=gauge)).json()
    question, reply = await answered(server, conversation_id, "What?", attachments=[file["id"]])
    assert question["attachments"] == [
        {"id": file["id"], "name": "notes.txt", "media_type": file["media_type"], "size": 13, "characters": 13}
    ]
    seen = (await server.client.get(f"/api/replies/{reply['id']}/prompt")).json()
    assert "Falcons dive." in seen["messages"][-1]["content"]
    assert seen["prompt_tokens"] == counted["prompt_tokens"]
    edited, _ = await answered(server, conversation_id, "And now?", edit_of=question["id"])
    assert edited["attachments"] == question["attachments"]
    without, _ = await answered(server, conversation_id, "And now?", edit_of=question["id"], attachments=[])
    assert without["attachments"] == []


async def test_files_that_do_not_exist_or_are_too_many_are_refused(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    answer = await ask(server, conversation_id, "x", attachments=[NOBODY])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "attachment_not_found")
    for files in (["../etc"], [NOBODY] * 21, "x"):
        answer = await ask(server, conversation_id, "x", attachments=files)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_field")
    assert await shown(server, conversation_id) == []


async def test_a_personas_name_has_its_length(server: LiveServer) -> None:
    answer = await ask(server, await new_chat(server), "x", persona="x" * 81)
    assert answer.json()["error"]["details"]["field"] == "persona"
