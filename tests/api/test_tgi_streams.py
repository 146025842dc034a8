"""What can go wrong behind text-generation-inference's door: engines that break or tell little, crowds, and leavers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from falconry.engines.base import Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.work import Work
from falconry.errors import NotSupported
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams
from falconry.services import Services, open_services
from falconry.settings import Settings
from tests.api.tgi import frames_in, generate, shown, stream, with_engine
from tests.conftest import LiveServer, serve

FAST = 100_000.0


class Wordless(CannedEngine):
    """Gives text alone, and says so."""

    extras = frozenset()


class Surprising(CannedEngine):
    """Says that it gives tokens, and refuses when it is asked for them."""

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        if extras.top_logprobs is not None:
            raise NotSupported("logprobs")
        async with aclosing(super().generate(prompt, params)) as deltas:
            async for delta in deltas:
                yield delta


@asynccontextmanager
async def serving(services: Services, engine: Engine) -> AsyncGenerator[LiveServer, None]:
    async with serve(with_engine(services, engine)) as live:
        yield live


@pytest.mark.parametrize("kind", [Wordless, Surprising])
async def test_models_without_tokens_generate_all_the_same(services: Services, kind: type[CannedEngine]) -> None:
    async with serving(services, kind(rate=FAST, text="Falcons dive.")) as live:
        reply = await generate(live.client, "Hi")
        assert reply["generated_text"] == "Falcons dive."
        assert reply["details"]["finish_reason"] == "eos_token"
        assert all(token["id"] == -1 and token["logprob"] is None for token in reply["details"]["tokens"])
        frames = await stream(live.client, "Hi")
        assert shown([frame["token"] for frame in frames]) == frames[-1]["generated_text"] == "Falcons dive."


@pytest.mark.parametrize(
    "wish", [{"top_n_tokens": 2}, {"decoder_input_details": True}, {"best_of": 2, "do_sample": True}]
)
async def test_what_needs_tokens_is_refused_without_them(services: Services, wish: dict[str, Any]) -> None:
    async with serving(services, Wordless(rate=FAST)) as live:
        answer = await live.client.post("/", json={"inputs": "Hi", "parameters": {"details": True, **wish}})
        assert answer.status_code == 422
        assert answer.json()["error_type"] == "validation"
        assert next(iter(wish)) in answer.json()["error"]


async def test_an_engine_that_breaks_off_never_looks_finished(services: Services) -> None:
    async with serving(services, CannedEngine(rate=FAST, fail_after=3)) as live:
        answer = await live.client.post("/generate", json={"inputs": "Hi"})
        assert (answer.status_code, answer.json()["error_type"]) == (500, "incomplete_generation")
        answer = await live.client.post("/generate_stream", json={"inputs": "Hi"})
        *frames, last = frames_in(answer.text)
        assert frames
        assert all(frame["generated_text"] is None for frame in frames)
        assert last["error_type"] == "incomplete_generation"


async def test_a_slow_first_token_lets_the_stream_begin_with_a_comment(services: Services) -> None:
    async with serving(services, CannedEngine(rate=FAST, delay=1.2, text="Hi.")) as live:
        answer = await live.client.post("/", json={"inputs": "Hi", "stream": True})
        assert answer.text.startswith(": ")
        assert frames_in(answer.text)[-1]["generated_text"] == "Hi."


@pytest.mark.parametrize("body", [{"inputs": "Hi"}, {"inputs": "Hi", "stream": True}])
async def test_a_client_that_leaves_stops_the_work(services: Services, body: dict[str, Any]) -> None:
    house = with_engine(services, CannedEngine(rate=20, hang_after=2))
    ended = asyncio.Event()
    outcomes: list[str] = []

    def note(work: Work) -> None:
        outcomes.append(work.outcome)
        ended.set()

    house.pool.on_end.append(note)
    async with serve(house) as live:
        with pytest.raises(httpx.ReadTimeout):
            await live.client.post("/", json=body, timeout=0.4)
        async with asyncio.timeout(1):
            await ended.wait()
    assert outcomes == ["stopped"]


async def test_a_crowd_is_answered_or_told_when_to_come_back(make_settings: Callable[..., Settings]) -> None:
    async with (
        open_services(make_settings(model="eyas", slots=1, queue_size=1)) as services,
        serve(services) as live,
    ):
        body = {"inputs": "A falcon is", "parameters": {"max_new_tokens": 60, "temperature": 1.0}}
        answers = await asyncio.gather(*(live.client.post("/", json=body) for _ in range(6)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < 6
        for answer in refused:
            assert (answer.status_code, answer.json()["error_type"]) == (429, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"inputs": 5}', "application/json", 422),
        (b'{"inputs": "Hi", "parameters": {"temperature": 1e999}}', "application/json", 422),
        (b'{"inputs": "Hi"}', "text/plain", 415),
        (b"\xff\xfe", "application/json", 422),
    ],
)
async def test_malformed_requests_get_tgis_errors(server: LiveServer, content: bytes, kind: str, status: int) -> None:
    for path in ("/", "/generate", "/generate_stream", "/invocations"):
        answer = await server.client.post(path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert isinstance(answer.json()["error"], str)
        assert answer.json()["error_type"] == "validation"


async def test_a_wrong_method_gets_tgis_error(server: LiveServer) -> None:
    answer = await server.client.get("/generate")
    assert answer.status_code == 405
    assert isinstance(answer.json()["error"], str)


async def test_truncate_beyond_the_context_is_refused(server: LiveServer) -> None:
    answer = await server.client.post("/", json={"inputs": "Hi", "parameters": {"truncate": 4096}})
    assert answer.status_code == 422
    assert "`truncate` must be strictly positive and less than 4096. Given: 4096" in answer.json()["error"]


@pytest.mark.parametrize(
    "grammar",
    [
        {"type": "regex", "value": "(((("},
        {"type": "json", "value": {"type": "nonsense"}},
        {"type": "json", "value": "{"},
    ],
)
async def test_a_bad_grammar_is_refused(server: LiveServer, grammar: dict[str, Any]) -> None:
    for path in ("/generate", "/generate_stream"):
        answer = await server.client.post(path, json={"inputs": "Hi", "parameters": {"grammar": grammar}})
        assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")
