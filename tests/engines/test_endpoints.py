"""The endpoints together: names in the picker, what is kept, and that one of them never stops the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from falconry.engines.endpoint_store import StoredEndpoint
from falconry.engines.endpoints import Endpoints
from falconry.errors import InvalidRequest
from falconry.settings import Endpoint, Settings
from tests.engines.probe_stubs import OLLAMA, TGI, VLLM, Routes, stub
from tests.engines.servers import Connection, Request, serve

MakeSettings = Callable[..., Settings]


async def test_every_model_of_an_endpoint_has_a_name_of_its_own(make_settings: MakeSettings) -> None:
    async with serve(stub(OLLAMA)) as many, serve(stub(VLLM)) as single:
        endpoints = Endpoints(make_settings(endpoints=[Endpoint(name="one", url=f"{single.url}/v1")]))
        await endpoints.add(StoredEndpoint("many", many.url))
        await endpoints.refresh()
        choices = endpoints.choices()
    assert [(choice.name, choice.title) for choice in choices] == [
        ("one", "one"),
        ("many", "gemma3:4b · many"),
        ("many/llama3.2:1b", "llama3.2:1b · many"),
    ]
    assert [choice.endpoint.kind for choice in choices] == ["vllm", "ollama", "ollama"]
    assert [choice.endpoint.model for choice in choices] == ["Qwen/Qwen3-4B", "gemma3:4b", "llama3.2:1b"]
    assert [choice.context_length for choice in choices] == [40960, 16384, 8192]
    assert [choice.vision for choice in choices] == [None, True, False]


async def test_a_name_goes_on_to_mean_the_same_model(make_settings: MakeSettings) -> None:
    """Ollama lists what was used last first."""
    turned: Routes = {**OLLAMA, "/api/tags": {"models": list(reversed(OLLAMA["/api/tags"]["models"]))}}
    now = {"routes": OLLAMA}

    async def handler(request: Request, connection: Connection) -> None:
        await stub(now["routes"])(request, connection)

    async with serve(handler) as server:
        settings = make_settings()
        endpoints = Endpoints(settings)
        await endpoints.add(StoredEndpoint("box", server.url))
        before = [(choice.name, choice.endpoint.model) for choice in endpoints.choices()]
        now["routes"] = turned
        await endpoints.refresh(older_than=0)
        assert [(choice.name, choice.endpoint.model) for choice in endpoints.choices()] == before
        again = Endpoints(settings)  # as after a restart, before anybody was asked
        assert [(choice.name, choice.endpoint.model) for choice in again.choices()] == before


async def test_one_that_hangs_or_is_gone_has_a_reason_and_the_others_go_on(make_settings: MakeSettings) -> None:
    async def hang(request: Request, connection: Connection) -> None:
        await connection.gone.wait()

    async with serve(stub(VLLM)) as good, serve(hang) as bad:
        endpoints = Endpoints(
            make_settings(
                endpoints=[
                    Endpoint(name="hangs", url=bad.url),
                    Endpoint(name="gone", url="http://127.0.0.1:1/v1"),
                    Endpoint(name="good", url=good.url),
                ]
            )
        )
        changes: list[int] = []
        endpoints.on_change.append(lambda: changes.append(1))
        assert [known.state for known in endpoints.all()] == ["unknown"] * 3
        assert [choice.name for choice in endpoints.choices()] == ["hangs", "gone", "good"]
        async with asyncio.timeout(5):
            await endpoints.refresh()
        assert [known.state for known in endpoints.all()] == ["failed", "failed", "ready"]
        problems = [choice.problem.code if choice.problem else None for choice in endpoints.choices()]
        assert problems == ["endpoint_silent", "endpoint_nothing_listens", None]
        assert changes == [1]
        asked = len(good.requests)
        await endpoints.refresh()
        assert len(good.requests) == asked  # it was heard of a moment ago
        assert changes == [1]


async def test_what_was_known_of_one_that_fails_now_stays(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with serve(stub(OLLAMA)) as server:
        endpoints = Endpoints(settings)
        await endpoints.add(StoredEndpoint("box", server.url))
    await endpoints.refresh(older_than=0)
    choices = endpoints.choices()
    assert [choice.name for choice in choices] == ["box", "box/llama3.2:1b"]
    assert {choice.problem.code for choice in choices if choice.problem} == {"endpoint_nothing_listens"}


async def test_the_chosen_models_are_the_ones_that_are_offered(make_settings: MakeSettings) -> None:
    async with serve(stub(OLLAMA)) as server:
        endpoints = Endpoints(make_settings())
        await endpoints.add(StoredEndpoint("box", server.url, models=("llama3.2:1b",)))
        (choice,) = endpoints.choices()
        assert (choice.name, choice.title, choice.endpoint.model) == ("box", "box", "llama3.2:1b")
        with pytest.raises(InvalidRequest, match="no model named llama9"):
            await endpoints.add(StoredEndpoint("other", server.url, models=("llama9",)))


async def test_two_names_never_mean_two_things(make_settings: MakeSettings) -> None:
    async with serve(stub(OLLAMA)) as server:
        endpoints = Endpoints(make_settings(endpoints=[Endpoint(name="box/llama3.2:1b", url=server.url)]))
        await endpoints.add(StoredEndpoint("box", server.url))
        await endpoints.refresh()
        names = [choice.name for choice in endpoints.choices()]
        assert len(names) == len(set(names)) == 4
        with pytest.raises(InvalidRequest) as caught:
            await endpoints.add(StoredEndpoint("box/llama3.2:1b", server.url))
        assert caught.value.code == "endpoint_in_settings"
        with pytest.raises(InvalidRequest) as caught:
            await endpoints.remove("box/llama3.2:1b")
        assert caught.value.code == "endpoint_in_settings"


async def test_a_base_model_behind_tgi_is_found_by_the_kind_alone(make_settings: MakeSettings) -> None:
    async with serve(stub(TGI)) as server:
        endpoints = Endpoints(make_settings())
        known = await endpoints.add(StoredEndpoint("falcon", server.url, kind="tgi"), force=True)
    assert known.facts is not None
    assert (known.endpoint.url, known.facts.kind) == (server.url, "tgi")


async def test_learnt_facts_that_are_broken_are_learnt_again(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings()
    async with serve(stub(VLLM)) as server:
        await Endpoints(settings).add(StoredEndpoint("box", server.url))
        cache = settings.data_dir / "endpoints-learnt.json"
        assert json.loads(cache.read_text())
        for broken in ("{", "[]", '{"x": {"kind": "nothing"}}'):
            cache.write_text(broken)
            endpoints = Endpoints(settings)
            assert endpoints.all()[0].state == "unknown"
            await endpoints.refresh()
            assert endpoints.all()[0].state == "ready"


async def test_an_endpoint_under_another_url_is_asked_anew(make_settings: MakeSettings) -> None:
    async with serve(stub(VLLM)) as first, serve(stub(OLLAMA)) as second:
        endpoints = Endpoints(make_settings())
        draft = StoredEndpoint("box", first.url)
        await endpoints.add(draft)
        with pytest.raises(InvalidRequest, match="named “box” already"):
            await endpoints.add(replace(draft, url=second.url))
        known = await endpoints.add(replace(draft, url=second.url), replacing=True)
        assert known.facts is not None
        assert known.facts.kind == "ollama"


async def test_one_that_is_back_is_seen_within_a_minute(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    normal = stub(VLLM)
    broken = [True]

    async def handler(request: Request, connection: Connection) -> None:
        if broken[0]:
            await connection.json({"error": {"message": "cuda error"}}, 500)
        else:
            await normal(request, connection)

    async with serve(handler) as server:
        endpoints = Endpoints(make_settings(endpoints=[Endpoint(name="box", url=server.url)]))
        await endpoints.refresh()
        assert endpoints.all()[0].state == "failed"
        broken[0] = False
        await endpoints.refresh()
        assert endpoints.all()[0].state == "failed"  # asked a moment ago
        monkeypatch.setattr("falconry.engines.endpoints.FAILED_SECONDS", 0.0)
        await endpoints.refresh()
        assert endpoints.all()[0].state == "ready"


@pytest.mark.parametrize("name", ["", " ", ".", "..", "/", "a//b", "a/../b", "./a", "a/", "a\n", "x" * 201])
async def test_a_name_that_no_address_could_hold_is_refused(name: str, tmp_path: Path) -> None:
    endpoints = Endpoints(Settings(data_dir=tmp_path))
    with pytest.raises(InvalidRequest) as refused:
        await endpoints.add(StoredEndpoint(name=name, url="http://127.0.0.1:1"), force=True)
    assert refused.value.code == "endpoint_bad_name"
