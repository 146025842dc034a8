"""Nobody sees another's things: every route there is, asked by somebody whose it is not."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import pytest

from falconry.app import build_routes
from falconry.gate.route_table import Entry, RouteTable
from falconry.library.library import Library
from falconry.library.values import Persona, SavedPrompt
from falconry.messages import SamplingParams
from falconry.metrics import Metrics
from falconry.storage.attachments import Attachments
from falconry.storage.shares import Shares
from tests.conftest import LiveServer
from tests.gate.people import Somebody, two_people
from tests.pictures import png

# What a route with an id wants as its body, so that it is not refused for that.
BODIES: Mapping[str, Mapping[str, object]] = {
    "/api/conversations/{conversation_id}/replies": {"content": "hello"},
    "/api/conversations/{conversation_id}/context": {"draft": "hello"},
    "/api/conversations/{conversation_id}": {"title": "Bob's now"},
    "/api/conversations/{conversation_id}/head": {"message_id": "0" * 32, "head_id": None},
    "/api/folders/{folder_id}": {"name": "Bob's now"},
    "/api/messages/{message_id}/rating": {"rating": 1},
    "/api/comparisons/{comparison_id}/turns": {"content": "hello", "turn": 0},
    "/api/comparisons/{comparison_id}/votes": {"turn": 0, "best": [0]},
    "/api/comparisons/{comparison_id}/retry": {"place": 0},
    "/api/comparisons/{comparison_id}/conversations": {"place": 0},
    "/api/personas/{persona_id}": {"name": "Bob's now"},
    "/api/prompts/{prompt_id}": {"name": "Bob's now", "content": "hello"},
}
# Ids of what belongs to nobody.
SHARED = {"model_id", "model", "digest", "name", "path", "response_id", "token", "download_id"}
MOST_PUBLIC = 12


@dataclass
class House:
    table: RouteTable
    ada: Somebody
    bob: Somebody
    ids: dict[str, str]

    def of_ada(self, entry: Entry) -> str | None:
        """The path of a route with Ada's ids in it; None for a route without ids of anybody."""
        names = re.findall(r"{(\w+)(?::\w+)?}", entry.path)
        if not names or set(names) <= SHARED:
            return None
        return re.sub(r"{(\w+)(?::\w+)?}", lambda match: self.ids[match[1]], entry.path)


@pytest.fixture
async def house(server: LiveServer) -> AsyncGenerator[House, None]:
    async with two_people(server) as (ada, bob):
        chat = server.services.chat.of(ada.user.id)
        conversation = await chat.create_conversation("Ada's secret")
        _, reply = await chat.ask(conversation.id, "tell me", parent_id=None, params=SamplingParams(max_tokens=3))
        running = chat.find(reply.id)
        if running is not None and running.task is not None:
            await running.task
        key = await server.services.people.create_key(ada.user.id, "mine", ["conversations"])
        (session,) = await server.services.people.sessions(ada.user.id)
        library = Library.on(server.services.database).of(ada.user.id)
        persona = await library.add_persona(Persona("Ada's secret", "Ada's secret"))
        prompt = await library.add_prompt(SavedPrompt("Ada's secret", "Ada's secret"))
        files = Attachments(server.services.database).of(ada.user.id)
        file = await files.add("secret.txt", "text/plain", 6, "secret")
        photo = await files.add("secret.png", "image/png", 6, picture=png("red"))
        comparisons = server.services.comparisons.of(ada.user.id)
        comparison = await comparisons.create(["canned", "eyas"])
        share, _ = await Shares(server.services.database).of(ada.user.id).create(conversation.id)
        ids = {
            "share_id": share.id,
            "attachment_id": file.id,
            "picture_id": photo.id,
            "comparison_id": comparison.id,
            "conversation_id": conversation.id,
            "reply_id": reply.id,
            "message_id": reply.id,
            "folder_id": (await chat.create_folder("Ada's secret")).id,
            "key_id": key.stored.id,
            "persona_id": persona.id,
            "prompt_id": prompt.id,
            "session_id": session.id,
            "user_id": ada.user.id,
        }
        yield House(build_routes(server.services, Metrics(server.services.pool))[1], ada, bob, ids)


async def test_another_persons_id_is_as_good_as_none(house: House) -> None:
    wrong: list[str] = []
    asked = 0
    for entry in house.table.entries:
        path = house.of_ada(entry)
        if path is None:
            continue
        for method in sorted(entry.methods):
            body = BODIES.get(entry.path, {}) if method in ("POST", "PUT", "PATCH") else None
            answer = await house.bob.client.request(method, path, json=body)
            asked += 1
            expected = 403 if entry.access.level == "admin" else 404
            if answer.status_code != expected:
                wrong.append(f"{method} {entry.path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert asked >= 12


async def test_the_owner_is_let_in_by_the_same_ids(house: House) -> None:
    for entry in house.table.entries:
        path = house.of_ada(entry)
        if path is not None and "GET" in entry.methods and not entry.path.endswith("/events"):
            answer = await house.ada.client.get(path)
            assert answer.status_code == 200, (entry.path, answer.text)


async def test_no_list_shows_what_is_anothers(house: House) -> None:
    looked = 0
    for entry in house.table.entries:
        if "GET" in entry.methods and "{" not in entry.path and entry.access.level == "user":
            answer = await house.bob.client.get(entry.path)
            looked += 1
            leaked = [name for name, value in house.ids.items() if value in answer.text]
            assert leaked == [], entry.path
            assert "Ada's secret" not in answer.text
    assert looked >= 2


async def test_a_stranger_gets_nothing_but_the_public_paths(house: House, server: LiveServer) -> None:
    public = {entry.path for entry in house.table.entries if entry.access.level == "public"}
    assert len(public) <= MOST_PUBLIC
    open_doors: list[str] = []
    for entry in house.table.entries:
        if entry.path in public:
            continue
        path = house.of_ada(entry) or re.sub(r"{\w+(?::\w+)?}", "x", entry.path)
        for method in sorted(entry.methods):
            answer = await server.client.request(method, path, follow_redirects=False)
            if answer.status_code != 401:
                open_doors.append(f"{method} {path}: {answer.status_code}")
    assert open_doors == []


async def test_a_stranger_does_not_learn_which_paths_there_are(house: House, server: LiveServer) -> None:
    for path in ("/nothing", "/api/nothing", "/v1/nothing", "/gradio_api/queue/join"):
        assert (await server.client.get(path)).status_code == 401
        assert (await house.bob.client.get(path)).status_code == 404


async def test_a_user_is_no_admin(house: House) -> None:
    for entry in house.table.entries:
        if entry.access.level == "admin":
            path = house.of_ada(entry) or entry.path
            for method in sorted(entry.methods):
                answer = await house.bob.client.request(method, path, json={})
                assert answer.status_code == 403, entry.path


async def test_what_two_people_say_at_the_same_time_stays_apart(house: House, server: LiveServer) -> None:
    chat = server.services.chat.of(house.bob.user.id)
    conversation = await chat.create_conversation("Bob's")
    listed = (await house.ada.client.get("/api/conversations")).json()["conversations"]
    assert [entry["title"] for entry in listed] == ["Ada's secret"]
    assert conversation.id not in str(listed)
