"""GET /api/catalog and POST /api/models/fit, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from falconry.services import Services
from tests.conftest import serve

GIB = 2**30


@pytest.fixture
async def client(services: Services) -> AsyncGenerator[httpx.AsyncClient]:
    async with serve(services) as live:
        yield live.client


async def test_the_catalogue_with_what_fits_into_other_memory(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/catalog", params={"memory": 8 * GIB, "language": "zh"})).json()
    assert told["memory"] == 6 * GIB
    assert told["machine"]["cores"] >= 1
    assert told["machine"]["bandwidth"] > 0
    entries = {entry["id"]: entry for entry in told["entries"]}
    assert len(entries) >= 30
    assert all(variant["fits"] for variant in entries["qwen3.5-2b"]["variants"])
    assert not any(variant["fits"] for variant in entries["llama-3.3-70b"]["variants"])
    for entry in told["entries"]:
        assert entry["license"]["url"].startswith("https://")
        assert {fact["what"] for fact in entry["facts"]} >= {"license", "languages"}
        for variant in entry["variants"]:
            assert variant["memory"] > 0.8 * variant["size"] > 0
            assert variant["tokens_per_second"] > 0
            assert variant["wanted"] == f"{entry['gguf']}:{variant['quantization']}"


async def test_the_best_model_that_speaks_chinese_for_8_gb(client: httpx.AsyncClient) -> None:
    query: dict[str, str | int] = {"memory": 8 * GIB, "language": "zh-CN"}
    told = (await client.get("/api/catalog", params=query)).json()["recommended"]
    assert (told["id"], told["quantization"]) == ("qwen3.5-4b", "Q6_K")
    assert "Chinese" in told["reason"]
    assert "6.0 GiB" in told["reason"]
    chinese = await client.get("/api/catalog", params=query, headers={"Accept-Language": "zh-CN"})
    assert "会说中文" in chinese.json()["recommended"]["reason"]
    described = {entry["id"]: entry["description"] for entry in chinese.json()["entries"]}
    assert "首选" in described["qwen3.5-4b"]


async def test_where_nothing_fits_nothing_is_recommended(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/catalog", params={"memory": 300 * 2**20})).json()
    assert told["recommended"] is None
    spoken_by_none = (await client.get("/api/catalog", params={"memory": 8 * GIB, "language": "eo"})).json()
    assert spoken_by_none["recommended"] is None


async def test_this_machine_is_meant_where_no_other_is_named(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/catalog", params={"wish": "speed"})).json()
    assert told["memory"] < told["machine"]["total_memory"]


@pytest.mark.parametrize("query", ["memory=x", "memory=-1", f"memory={2**60}", "language=%00", "wish=luck"])
async def test_nonsense_is_refused_with_a_sentence(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/catalog?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["text"]


async def test_a_model_of_the_catalogue_that_does_not_fit_has_offers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/models/fit", json={"model": "llama-3.3-70b", "quantization": "Q8_0"})
    told = answer.json()
    assert answer.status_code == 200
    assert told["estimate"]["total"] == sum(
        told["estimate"][part] for part in ("weights", "kv_cache", "compute", "base")
    )
    assert told["ok"] is (told["estimate"]["total"] <= told["free"])
    assert {offer["kind"] for offer in told["offers"]} <= {"context", "quantization"}


async def test_the_built_in_model_fits(client: httpx.AsyncClient) -> None:
    told = (await client.post("/api/models/fit", json={"model": "eyas"})).json()
    assert told["ok"] is True
    assert told["context_length"] == 2048


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "nothing"}, 404),
        ({"model": "qwen3-8b", "quantization": "Q1"}, 404),
        ({"model": "qwen3-8b", "context_length": 0}, 400),
        ({"model": "qwen3-8b", "context_length": 10**12}, 400),
        ({"model": 3}, 400),
        ({}, 400),
    ],
)
async def test_what_cannot_be_asked(client: httpx.AsyncClient, body: dict[str, object], status: int) -> None:
    answer = await client.post("/api/models/fit", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["text"]
