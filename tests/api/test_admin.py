"""The figures, once and every second."""

from __future__ import annotations

import json

from tests.conftest import LiveServer
from tests.gate.people import two_people


async def test_figures_once(server: LiveServer) -> None:
    await server.client.post("/api/complete", json={"prompt": "A falcon is"})
    figures = (await server.client.get("/api/admin/stats")).json()
    assert figures["generations"] == {"total": 1, "recent": 1, "failed": 0}
    assert figures["first_token"]["median"] > 0
    assert len(figures["history"]["tokens"]) == 60
    assert [model["name"] for model in figures["models"]] == ["eyas", "canned"]


async def test_figures_every_second(server: LiveServer) -> None:
    async with server.client.stream("GET", "/api/admin/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found: list[int] = []
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                found.append(json.loads(line.removeprefix("data:"))["uptime"])
            if len(found) == 2:
                break
    assert found[1] - found[0] in (0, 1, 2)


async def test_figures_are_for_admins_only(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        for path in ("/api/admin/stats", "/api/admin/events"):
            assert (await bob.client.get(path)).status_code == 403
        assert (await ada.client.get("/api/admin/stats")).status_code == 200


async def test_figures_name_nobody(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        await bob.client.post("/api/complete", json={"prompt": "canary"})
        text = (await ada.client.get("/api/admin/stats")).text
        assert bob.user.id not in text
        assert "canary" not in text
