"""Who may come in at text-generation-inference's door, and that it shares its address with the pages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from falconry.access.person import Scope
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve

HELLO: dict[str, Any] = {"inputs": "Hi", "parameters": {"max_new_tokens": 2}}


async def new_key(server: LiveServer, scope: Scope) -> str:
    people = server.services.people
    user = await people.add_user("ada", "correct horse battery")
    return (await people.create_key(user.id, "lesson", [scope])).key


@pytest.mark.parametrize("user", ["", "anything"])
async def test_a_key_comes_in_as_the_lesson_sends_it(server: LiveServer, user: str) -> None:
    key = await new_key(server, "inference")
    basic = b64encode(f"{user}:{key}".encode() if user else key.encode()).decode()
    answer = await server.client.post("/", json=HELLO, headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200
    assert answer.json()[0]["generated_text"]


@pytest.mark.parametrize("path", ["/", "/generate", "/generate_stream", "/invocations", "/tokenize", "/chat_tokenize"])
async def test_strangers_get_an_error_that_clients_can_read(server: LiveServer, path: str) -> None:
    await new_key(server, "inference")
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await server.client.post(path, json=HELLO, headers=headers)
        assert answer.status_code == 401
        assert isinstance(answer.json()["error"], str)
    assert (await server.client.get("/info")).status_code == 401
    assert (await server.client.get("/ping")).status_code == 200


async def test_a_key_for_conversations_does_not_generate(server: LiveServer) -> None:
    key = await new_key(server, "conversations")
    answer = await server.client.post("/", json=HELLO, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error_type"]) == (403, "missing_scope")


async def test_the_page_and_the_clients_share_the_base_url(make_settings: Callable[..., Settings]) -> None:
    async with open_services(make_settings(pages=True)) as services, serve(services) as live:
        page = await live.client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        answer = await live.client.post("/", json=HELLO)
        assert answer.json()[0]["generated_text"]
