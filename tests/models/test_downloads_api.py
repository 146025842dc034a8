"""The routes: what the models page and programs do with downloads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from falconry.engines.pool import EnginePool
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve
from tests.engines.tiny_gguf import write_reciter
from tests.models.hub_server import HubServer
from tests.process import Falconry

FILE = "parrot-Q4_K_M.gguf"


@pytest.fixture
def content(hub: HubServer, tmp_path: Path) -> bytes:
    made = write_reciter(tmp_path / FILE, [b"Polly", b" wants", b" a cracker."]).read_bytes()
    hub.add("org/parrot", {FILE: made})
    return made


@pytest.fixture
async def live(hub: HubServer, make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(hf_endpoint=hub.url)) as services, serve(services) as server:
        yield server


def content_of(download: dict[str, Any]) -> bytes:
    return Path(download["path"]).read_bytes()


async def listed(live: LiveServer) -> list[dict[str, Any]]:
    answer = await live.client.get("/api/downloads")
    assert answer.status_code == 200
    downloads: list[dict[str, Any]] = answer.json()["downloads"]
    return downloads


async def ended(live: LiveServer, download_id: str) -> dict[str, Any]:
    await live.services.downloads.wait(download_id)
    return next(one for one in await listed(live) if one["id"] == download_id)


async def until(true: Callable[[], bool], pool: EnginePool) -> None:
    """Wait for a change of the pool that makes it true."""
    changed = asyncio.Event()
    pool.on_change.append(changed.set)
    async with asyncio.timeout(20):
        while not true():
            await changed.wait()
            changed.clear()


async def test_a_model_is_fetched_and_can_be_chosen(live: LiveServer, content: bytes) -> None:
    assert await listed(live) == []
    answer = await live.client.post("/api/downloads", json={"model": "org/parrot"})
    assert answer.status_code == 202, answer.text
    begun = answer.json()
    assert begun["title"] == "org/parrot:Q4_K_M"
    assert begun["total"] == len(content)
    there = await ended(live, begun["id"])
    assert there["state"] == "done"
    assert there["done"] == there["total"]
    assert there["error"] is None
    assert content_of(there) == content
    pool = live.services.pool
    await until(lambda: there["model"] in {model.name for model in pool.models()}, pool)
    assert (await live.client.delete(f"/api/downloads/{begun['id']}")).status_code == 204
    assert await listed(live) == []
    assert content_of(there) == content


async def test_two_who_ask_get_one(hub: HubServer, live: LiveServer, content: bytes) -> None:
    hub.rate = 1_000_000
    answers = await asyncio.gather(
        *(live.client.post("/api/downloads", json={"model": word}) for word in ("org/parrot", "org/parrot:Q4_K_M"))
    )
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await listed(live)) == 1
    assert (await ended(live, answers[0].json()["id"]))["state"] == "done"
    assert len(hub.downloads()) == 1


async def test_pause_and_cancel(hub: HubServer, live: LiveServer, content: bytes) -> None:
    hub.always = "hold:50000"
    begun = (await live.client.post("/api/downloads", json={"model": "org/parrot"})).json()
    await asyncio.to_thread(hub.held.wait, 10)
    path = f"/api/downloads/{begun['id']}"
    refused = await live.client.delete(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "download_running")
    assert (await live.client.post(f"{path}/pause")).json()["state"] == "paused"
    assert (await live.client.post(f"{path}/cancel")).json()["state"] == "cancelled"
    assert (await live.client.delete(path)).status_code == 204


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ("org/nothing", 404, "hub_not_found"),
        ("no such thing", 400, "bad_model_reference"),
        ("https://evil.example/m.gguf", 403, "host_not_allowed"),
        ("nothing", 404, "not_in_catalogue"),
        ("org/parrot:Q8_0", 404, "no_such_quantization"),
        ("", 400, "invalid_field"),
        ("x" * 3000, 400, "invalid_field"),
    ],
)
async def test_what_cannot_be_fetched_is_refused_with_a_sentence(
    live: LiveServer, content: bytes, wanted: str, status: int, code: str
) -> None:
    answer = await live.client.post("/api/downloads", json={"model": wanted}, headers={"Accept-Language": "zh"})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["text"] != error["message"]
    assert await listed(live) == []


async def test_what_fails_later_is_told_in_the_readers_language(
    hub: HubServer, live: LiveServer, content: bytes
) -> None:
    hub.always = "html"
    begun = (await live.client.post("/api/downloads", json={"model": "org/parrot"})).json()
    await live.services.downloads.wait(begun["id"])
    answer = await live.client.get("/api/downloads", headers={"Accept-Language": "zh"})
    (failed,) = answer.json()["downloads"]
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "not_a_model"
    assert "网页" in failed["error"]["text"]


@pytest.mark.parametrize("download_id", ["0" * 16, "x", "0" * 32])
async def test_a_download_that_is_not_there(live: LiveServer, download_id: str) -> None:
    expected = 404 if download_id == "0" * 16 else 400
    for method, path in (("DELETE", ""), ("POST", "/cancel"), ("POST", "/pause")):
        answer = await live.client.request(method, f"/api/downloads/{download_id}{path}")
        assert answer.status_code == expected, answer.text


def test_a_killed_server_goes_on_when_it_is_back(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    hub.faults = ["hold:50000"]
    data = tmp_path / "data"
    with Falconry(data, hf_endpoint=hub.url) as first, first.client() as client:
        begun = client.post("/api/downloads", json={"model": "org/parrot"}).json()
        assert hub.held.wait(10)
        first.kill()
    assert not Path(begun["path"]).exists()
    with Falconry(data, hf_endpoint=hub.url) as second, second.client() as client:

        def look() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = client.get("/api/downloads").json()["downloads"]
            return found

        wait_until(lambda: bool(look()), 2)
        assert look()[0]["id"] == begun["id"]
        wait_until(lambda: look()[0]["state"] == "done", 10)
    assert Path(begun["path"]).read_bytes() == content


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
