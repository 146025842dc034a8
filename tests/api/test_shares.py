"""Links to read a conversation: who may make them, what they show, and that they end."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from falconry.messages import SamplingParams, StoredMessage
from falconry.services import Services, open_services
from falconry.settings import Settings
from falconry.storage.attachments import Attachments
from falconry.storage.conversations import Conversations
from falconry.storage.shares import Shares
from falconry.storage.values import new_id
from tests.conftest import LiveServer, serve
from tests.gate.people import Somebody, two_people
from tests.pictures import png


@dataclass
class Shared:
    """A Falconry with Ada, who has a conversation, and Bob; `stranger` has no login."""

    services: Services
    ada: Somebody
    bob: Somebody
    stranger: httpx.AsyncClient
    conversation_id: str

    @property
    def path(self) -> str:
        return f"/api/conversations/{self.conversation_id}/share"

    async def make(self) -> dict[str, Any]:
        answer = await self.ada.client.post(self.path)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


async def talk(services: Services, owner: str, conversation_id: str, content: str, head: str | None) -> str:
    chat = services.chat.of(owner)
    params = SamplingParams(max_tokens=3)
    _, reply = await chat.ask(
        conversation_id, content, parent_id=head, params=params, system="the secret system message"
    )
    running = chat.find(reply.id)
    if running is not None and running.task is not None:
        await running.task
    return reply.id


@pytest.fixture
async def shared(make_settings: Callable[..., Settings]) -> AsyncGenerator[Shared, None]:
    async with (
        open_services(make_settings(share_links=True)) as services,
        serve(services) as live,
        two_people(live) as (ada, bob),
    ):
        conversation = await services.chat.of(ada.user.id).create_conversation("Falcons <b>")
        await talk(services, ada.user.id, conversation.id, "What is a <script>falcon</script>?", None)
        yield Shared(services, ada, bob, live.client, conversation.id)


async def test_a_stranger_reads_what_was_said_and_by_which_model(shared: Shared) -> None:
    made = await shared.make()
    page = await shared.stranger.get(made["path"], headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-robots-tag"] == "noindex, nofollow, noarchive"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
    assert (
        "default-src" in page.headers["content-security-policy"]
        or "script-src" in page.headers["content-security-policy"]
    )
    assert "Falcons &lt;b&gt;" in page.text
    assert "What is a &lt;script&gt;falcon&lt;/script&gt;?" in page.text
    assert "canned" in page.text
    for secret in ("system message", "temperature", "ada", shared.conversation_id):
        assert secret not in page.text
    chinese = await shared.stranger.get(made["path"] + "?lang=zh")
    assert "只能阅读" in chinese.text


async def test_it_shows_the_branch_as_it_was(shared: Shared) -> None:
    made = await shared.make()
    head = (await shared.services.chat.of(shared.ada.user.id).conversation(shared.conversation_id)).head_id
    await talk(shared.services, shared.ada.user.id, shared.conversation_id, "a later question", head)
    assert "a later question" not in (await shared.stranger.get(made["path"])).text
    assert "a later question" in (await shared.stranger.get((await shared.make())["path"])).text


async def test_a_link_is_told_once_and_only_its_hash_is_kept(shared: Shared) -> None:
    made = await shared.make()
    token = made["path"].removeprefix("/s/")
    assert re.fullmatch(r"[\w-]{43}", token)
    assert made["url"].endswith(made["path"])
    listed = (await shared.ada.client.get(shared.path)).json()
    assert listed["enabled"] is True
    assert [each["id"] for each in listed["shares"]] == [made["id"]]
    assert token not in str(listed)
    rows = await shared.services.database.read(lambda c: str(c.execute(text("SELECT * FROM shares")).all()))
    assert token not in rows


async def test_revoked_trashed_and_deleted_it_leads_nowhere(shared: Shared) -> None:
    first, second, third = [await shared.make() for _ in range(3)]
    assert (await shared.ada.client.delete(f"{shared.path}/{first['id']}")).status_code == 204
    assert (await shared.ada.client.delete(f"{shared.path}/{first['id']}")).status_code == 404
    assert (await shared.stranger.get(first["path"])).status_code == 404
    assert (await shared.stranger.get(second["path"])).status_code == 200
    await shared.ada.client.delete(f"/api/conversations/{shared.conversation_id}")
    assert (await shared.stranger.get(second["path"])).status_code == 404
    await shared.ada.client.post(f"/api/conversations/{shared.conversation_id}/restore")
    assert (await shared.stranger.get(second["path"])).status_code == 200
    assert (await shared.ada.client.delete(shared.path)).status_code == 204
    assert (await shared.stranger.get(third["path"])).status_code == 404
    made = await shared.make()
    await shared.ada.client.delete(f"/api/conversations/{shared.conversation_id}?forever=true")
    gone = await shared.stranger.get(made["path"])
    assert gone.status_code == 404
    assert "Falcons" not in gone.text


async def test_only_its_owner_shares_lists_and_revokes(shared: Shared) -> None:
    made = await shared.make()
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("DELETE", f"/{made['id']}")):
        assert (await shared.bob.client.request(method, shared.path + path)).status_code == 404
        assert (await shared.stranger.request(method, shared.path + path)).status_code == 401
    assert (await shared.stranger.get(made["path"])).status_code == 200


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "..%2f", "a" * 300, "%ff", "'--"])
async def test_guesses_lead_nowhere(shared: Shared, token: str) -> None:
    await shared.make()
    assert (await shared.stranger.get(f"/s/{token}")).status_code in (400, 404)


async def test_there_is_a_limit_and_nothing_to_share_in_an_empty_conversation(shared: Shared) -> None:
    for _ in range(20):
        await shared.make()
    answer = await shared.ada.client.post(shared.path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_shares")
    empty = (await shared.ada.client.post("/api/conversations")).json()["id"]
    answer = await shared.ada.client.post(f"/api/conversations/{empty}/share")
    assert answer.json()["error"]["code"] == "share_empty"


async def test_without_the_setting_there_are_no_links_and_old_ones_are_closed(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        conversation = await server.services.chat.of(ada.user.id).create_conversation("x")
        await talk(server.services, ada.user.id, conversation.id, "hello", None)
        path = f"/api/conversations/{conversation.id}/share"
        answer = await ada.client.post(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "share_links_off")
        assert (await ada.client.get(path)).json() == {"shares": [], "enabled": False}
        _, token = await Shares(server.services.database).of(ada.user.id).create(conversation.id)
        assert (await server.client.get(f"/s/{token}")).status_code == 404


async def test_without_logins_there_are_no_links(make_settings: Callable[..., Settings]) -> None:
    async with open_services(make_settings(share_links=True)) as services, serve(services) as live:
        conversation = await services.chat.create_conversation("x")
        await talk(services, "", conversation.id, "hello", None)
        answer = await live.client.post(f"/api/conversations/{conversation.id}/share")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "share_needs_login")
        _, token = await Shares(services.database).create(conversation.id)
        assert (await live.client.get(f"/s/{token}")).status_code == 404


async def test_pictures_are_on_the_page_and_other_files_are_not(shared: Shared) -> None:
    files = Attachments(shared.services.database).of(shared.ada.user.id)
    red = png("red")
    photo = await files.add("red <b>.png", "image/png", len(red), picture=red)
    notes = await files.add("secret.txt", "text/plain", 6, "secret text")
    conversation = await shared.services.chat.of(shared.ada.user.id).create_conversation()
    now = datetime.now(UTC)
    draft = StoredMessage(new_id(), conversation.id, None, "assistant", "", now, "running")
    store = Conversations(shared.services.database).of(shared.ada.user.id)
    await store.append_turn(conversation.id, None, "What?", draft, attachments=[photo.id, notes.id])
    _, token = await Shares(shared.services.database).of(shared.ada.user.id).create(conversation.id)
    page = (await shared.stranger.get(f"/s/{token}", headers={"Accept": "text/html"})).text
    assert f'src="data:image/png;base64,{base64.b64encode(red).decode()}" alt="red &lt;b&gt;.png"' in page
    assert "secret" not in page
