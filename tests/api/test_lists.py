"""The list of conversations over HTTP: pages, names, pins, folders, the trash."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_conversations import NOBODY, ask, new_chat
from tests.conftest import LiveServer


async def listed(server: LiveServer, **params: Any) -> list[str]:
    """The ids of the whole list, read page by page."""
    found: list[str] = []
    while True:
        answer = (await server.client.get("/api/conversations", params=params)).json()
        found += [conversation["id"] for conversation in answer["conversations"]]
        if answer["next"] is None:
            return found
        params["before"] = answer["next"]


async def change(server: LiveServer, conversation_id: str, **changes: Any) -> dict[str, Any]:
    answer = await server.client.patch(f"/api/conversations/{conversation_id}", json=changes)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def test_pages_with_the_pinned_ones_first(server: LiveServer) -> None:
    made = [await new_chat(server) for _ in range(5)]
    await change(server, made[1], pinned=True)
    order = [made[n] for n in (1, 4, 3, 2, 0)]
    for limit in (1, 2, 5, 1000):
        assert await listed(server, limit=limit) == order


@pytest.mark.parametrize("before", ["x", "2-1-" + NOBODY, "0-" + "9" * 18 + "-" + NOBODY, "0--1-" + NOBODY, ""])
async def test_a_page_begins_only_where_another_ended(server: LiveServer, before: str) -> None:
    answer = await server.client.get("/api/conversations", params={"before": before})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_field")
    answer = await server.client.get("/api/conversations", params={"before": "1-" + "9" * 17 + "-" + NOBODY})
    assert answer.status_code == 200


async def test_renaming_pinning_and_filing(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    folder = (await server.client.post("/api/folders", json={"name": "  Birds \n of prey "})).json()
    assert folder == {"id": folder["id"], "name": "Birds of prey", "count": 0}
    before = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    changed = await change(server, conversation_id, title=" Falcons ", folder_id=folder["id"])
    assert (changed["title"], changed["titled_by"], changed["folder_id"]) == ("Falcons", "person", folder["id"])
    assert (changed["updated_at"], changed["pinned"], changed["running"]) == (before["updated_at"], False, None)
    assert await listed(server, folder_id=folder["id"]) == [conversation_id]
    assert (await server.client.get("/api/folders")).json() == {"folders": [folder | {"count": 1}]}
    renamed = await server.client.patch(f"/api/folders/{folder['id']}", json={"name": "Falcons"})
    assert renamed.json() == folder | {"name": "Falcons", "count": 1}
    assert (await change(server, conversation_id, pinned=True))["folder_id"] == folder["id"]
    assert (await server.client.delete(f"/api/folders/{folder['id']}")).status_code == 204
    after = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    assert (after["folder_id"], after["pinned"], after["title"]) == (None, True, "Falcons")


async def test_a_conversation_leaves_its_folder(server: LiveServer) -> None:
    conversation_id = await new_chat(server)
    folder = (await server.client.post("/api/folders", json={"name": "Birds"})).json()
    await change(server, conversation_id, folder_id=folder["id"])
    assert (await change(server, conversation_id, folder_id=None))["folder_id"] is None


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"title": " \n "}, 400, "empty_name"),
        ({"title": "x" * 201}, 400, "invalid_field"),
        ({"title": None}, 400, "invalid_field"),
        ({"pinned": None}, 400, "invalid_field"),
        ({"pinned": 2}, 400, "invalid_field"),
        ({"folder_id": "x"}, 400, "invalid_field"),
        ({"folder_id": NOBODY}, 404, "folder_not_found"),
        ({"updated_at": "2020-01-01"}, 400, "invalid_field"),
    ],
)
async def test_what_cannot_be_changed(server: LiveServer, changes: dict[str, Any], status: int, code: str) -> None:
    conversation_id = await new_chat(server)
    before = (await server.client.get(f"/api/conversations/{conversation_id}")).json()
    answer = await server.client.patch(f"/api/conversations/{conversation_id}", json=changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (await server.client.get(f"/api/conversations/{conversation_id}")).json() == before


async def test_the_trash_and_back(server: LiveServer) -> None:
    conversation_id, other = await new_chat(server), await new_chat(server)
    reply = (await ask(server, conversation_id)).json()["reply"]["id"]
    url = f"/api/conversations/{conversation_id}"
    assert (await server.client.delete(url)).status_code == 204
    assert await listed(server) == [other]
    for method, path in (("GET", url), ("DELETE", url), ("PATCH", url), ("GET", f"/api/replies/{reply}")):
        assert (await server.client.request(method, path, json={})).status_code == 404
    (thrown,) = (await server.client.get("/api/conversations?deleted=true")).json()["conversations"]
    assert (thrown["id"], thrown["running"]) == (conversation_id, None)
    assert thrown["deleted_at"] is not None
    back = (await server.client.post(f"{url}/restore")).json()
    assert (back["id"], back["deleted_at"]) == (conversation_id, None)
    assert await listed(server) == [conversation_id, other]
    assert (await server.client.get(f"/api/replies/{reply}")).json()["status"] == "stopped"


async def test_for_good(server: LiveServer) -> None:
    first, second = await new_chat(server), await new_chat(server)
    await server.client.delete(f"/api/conversations/{first}")
    for conversation_id in (first, second):
        url = f"/api/conversations/{conversation_id}"
        assert (await server.client.delete(f"{url}?forever=true")).status_code == 204
        assert (await server.client.delete(f"{url}?forever=true")).status_code == 404
        assert (await server.client.post(f"{url}/restore")).status_code == 404
    assert await listed(server, deleted=True) == []


async def test_what_does_not_exist(server: LiveServer) -> None:
    for method, path, body in [
        ("PATCH", f"/api/conversations/{NOBODY}", {"pinned": True}),
        ("POST", f"/api/conversations/{NOBODY}/restore", None),
        ("POST", f"/api/conversations/{NOBODY}/head", {"message_id": NOBODY, "head_id": None}),
        ("PATCH", f"/api/folders/{NOBODY}", {"name": "x"}),
        ("DELETE", f"/api/folders/{NOBODY}", None),
        ("DELETE", f"/api/messages/{NOBODY}", None),
        ("PUT", f"/api/messages/{NOBODY}/rating", {"rating": 1}),
    ]:
        answer = await server.client.request(method, path, json=body)
        assert answer.status_code == 404, (method, path)
        assert set(answer.json()["error"]) == {"code", "message", "details", "text"}


async def test_a_folder_has_a_name(server: LiveServer) -> None:
    for name in ("", " ", "x" * 101, None):
        answer = await server.client.post("/api/folders", json={"name": name})
        assert answer.status_code == 400
