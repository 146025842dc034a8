"""Files in a folder become models to ask: a base, its LoRA adapter, and a model that sees, on the real llama.cpp."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from falconry.services import open_services
from falconry.settings import Settings
from tests.api.programs import HELLO, post
from tests.conftest import LiveServer, serve
from tests.engines.random_gguf import write_adapter_for, write_projector, write_random, write_reciting_adapter
from tests.engines.tiny_gguf import write_reciter

CHAT = "/v1/chat/completions"
PIECES = [b"one ", b"two ", b"three"]


@pytest.fixture
async def live(tmp_path: Path, make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    folder = tmp_path / "models"
    (folder / "seer").mkdir(parents=True)
    write_reciter(folder / "counter.gguf", PIECES)
    write_reciting_adapter(folder / "backwards.gguf", PIECES, PIECES[::-1])
    other = write_random(tmp_path / "elsewhere.gguf", width=128)
    write_adapter_for(folder / "stranger.gguf", other)
    write_random(folder / "seer" / "seer.gguf")
    write_projector(folder / "seer" / "mmproj-seer.gguf")
    async with open_services(make_settings(models=[folder])) as services, serve(services) as served:
        await services.shelf.refresh()
        yield served


async def models(live: LiveServer) -> dict[str, Any]:
    answer = await live.client.get("/api/models")
    return {model["name"]: model for model in answer.json()["models"]}


async def said(live: LiveServer, model: str, messages: object = HELLO) -> str:
    answer = await post(live, CHAT, model=model, messages=messages, max_tokens=12, temperature=0)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_an_adapter_is_a_model_of_its_own_over_its_base(live: LiveServer) -> None:
    listed = await models(live)
    assert listed["backwards"]["base"] == "counter"
    assert listed["counter"]["base"] is None
    assert "stranger" not in listed  # its base is not here
    assert await said(live, "backwards") == "threetwo one "
    assert await said(live, "counter") == "one two three"
    assert await said(live, "backwards") == "threetwo one "
    assert (await models(live))["backwards"]["state"] == "ready"


async def test_a_model_with_a_projector_beside_it_sees(live: LiveServer) -> None:
    listed = await models(live)
    assert listed["seer"]["vision"]
    assert not listed["counter"]["vision"]

    def asking(colour: str) -> list[dict[str, object]]:
        file = io.BytesIO()
        Picture.new("RGB", (30, 20), colour).save(file, "JPEG")
        url = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        text = {"type": "text", "text": "Which colour?"}
        return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, text]}]

    assert await said(live, "seer", asking("red")) != await said(live, "seer", asking("blue"))
    answer = await post(live, CHAT, model="counter", messages=asking("red"))
    assert answer.status_code == 400
    assert "cannot see pictures" in answer.text
