"""How a model reads a conversation, told by the real engine and by the bot without one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

import pytest

from falconry.services import Services
from tests.chat.conftest import ended
from tests.conftest import LiveServer, serve

EXAMPLE = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which animals live on the savanna? 🦁"},
]


@pytest.fixture
async def server(services: Services) -> AsyncGenerator[LiveServer, None]:
    async with serve(services) as opened:
        yield opened


async def ask(server: LiveServer, **body: Any) -> dict[str, Any]:
    answer = await server.client.post("/api/prompt", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_every_token_of_the_exact_prompt_is_told(server: LiveServer) -> None:
    found = await ask(server, model="eyas", messages=EXAMPLE)
    assert found["format"] == "template"
    assert found["text"].startswith("<|im_start|>system\nBe brief.<|im_end|>")
    assert found["text"].endswith("<|im_start|>assistant\n")
    assert "messages" in found["template"]
    assert len(found["tokens"]) == found["count"]
    assert found["exact"]
    special = {token["text"] for token in found["tokens"] if token.get("special")}
    assert {"<|im_start|>", "<|im_end|>"} <= special
    plain = "".join(token["text"] for token in found["tokens"] if "bytes" not in token)
    assert plain.startswith("<|im_start|>system\nBe brief.")


async def test_a_part_of_a_character_is_told_in_bytes(server: LiveServer) -> None:
    found = await ask(server, model="eyas", messages=[{"role": "user", "content": "🦁"}])
    parts = [token["bytes"] for token in found["tokens"] if "bytes" in token]
    assert bytes.fromhex("".join(parts)).decode() == "🦁"


async def test_a_conversation_is_read_with_what_comes_next(server: LiveServer) -> None:
    chat = server.services.chat
    conversation = await chat.create_conversation()
    _, reply = await chat.ask(conversation.id, "What is the capital of France?", parent_id=None, model="canned")
    await ended(chat, reply)
    body = {"model": "eyas", "conversation_id": conversation.id, "draft": "And of China?", "system": ""}
    found = await ask(server, **body)
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "user"]
    assert found["text"].endswith("And of China?<|im_end|>\n<|im_start|>assistant\n")
    assert found["left_out"] == 0


async def test_what_a_backend_keeps_to_itself_is_null(server: LiveServer) -> None:
    found = await ask(server, model="canned", messages=EXAMPLE)
    assert found["template"] is None
    assert found["count"] > 0


async def test_of_a_very_long_prompt_the_beginning_is_told(server: LiveServer) -> None:
    began = monotonic()
    found = await ask(server, model="eyas", messages=[{"role": "user", "content": "🦁" * 50_000}])
    assert found["count"] > len(found["tokens"]) > 1000
    assert monotonic() - began < 10  # 1.5 s on a quiet machine


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messages": []}, "empty_message"),
        ({"conversation_id": "0" * 32}, "conversation_not_found"),
        ({"model": "no such model", "messages": EXAMPLE}, "model_not_found"),
    ],
)
async def test_what_cannot_be_read_is_said(server: LiveServer, body: dict[str, Any], code: str) -> None:
    answer = await server.client.post("/api/prompt", json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"] == code
