"""Answers of generations: real statuses, keep-alive comments, errors in a stream, and no work for nobody."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from falconry.api import answering
from falconry.engines.base import Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.work import Work
from falconry.errors import EngineUnavailable
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams, TokenCount
from falconry.services import Services
from tests.api.programs import HELLO, post, serving, stream
from tests.conftest import LiveServer

CHAT = "/v1/chat/completions"
ROUTES: list[tuple[str, dict[str, Any]]] = [(CHAT, {"messages": HELLO}), ("/v1/completions", {"prompt": "hi"})]


class Gated(Engine):
    """Does what it is told when it is told to, and says when it was closed.

    Attributes:
        asked, closed: a generation has begun; it has ended, in whatever way.
        go: lets it do its deed.
    """

    kind = "canned"
    parallel = 1

    def __init__(self, deed: Callable[[], Delta], *, first: bool = False) -> None:
        self.asked, self.go, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._deed = deed
        self._first = first

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self.asked.set()
        try:
            if self._first:
                yield Delta("Begun.")
            await self.go.wait()
            yield self._deed()
            yield Delta(finish_reason="stop")
        finally:
            self.closed.set()

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(1)

    async def context_length(self) -> int | None:
        return None


def fail() -> Delta:
    raise EngineUnavailable("The model is away.")


def stumble() -> Delta:
    raise ZeroDivisionError


async def within(seconds: float, what: Awaitable[object]) -> None:
    await asyncio.wait_for(what, seconds)


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_what_goes_wrong_before_the_first_token_is_a_status(
    services: Services, path: str, body: dict[str, Any]
) -> None:
    engine = Gated(fail)
    engine.go.set()
    async with serving(services, {"m": lambda: engine}) as live:
        for streamed in (False, True):
            answer = await post(live, path, **body, stream=streamed)
            assert answer.status_code == 503
            assert answer.json()["error"]["message"] == "The model is away."
        assert not live.services.pool.work


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_a_stream_begins_within_a_second_and_tells_later_errors_as_an_event(
    services: Services, path: str, body: dict[str, Any]
) -> None:
    engine = Gated(fail)
    async with (
        serving(services, {"m": lambda: engine}) as live,
        live.client.stream("POST", path, json={**body, "stream": True}) as answer,
    ):
        lines = answer.aiter_lines()
        assert await asyncio.wait_for(anext(lines), 1) == ": falconry"
        engine.go.set()
        rest = [line async for line in lines if line]
    assert json.loads(rest[0].removeprefix("data: "))["error"]["message"] == "The model is away."
    assert rest[1:] == ["data: [DONE]"]


async def test_a_reply_that_breaks_never_looks_finished(services: Services) -> None:
    async with serving(services, {"m": lambda: CannedEngine(rate=math.inf, fail_after=3)}) as live:
        seen = await stream(live, CHAT, messages=HELLO)
        assert seen.text()
        assert not any(choice["finish_reason"] for choice in seen.choices())
        assert seen.data[-1]["error"]["code"] == "engine_interrupted"
        assert seen.done
        for n in (1, 3):
            answer = await post(live, CHAT, messages=HELLO, n=n)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine_interrupted")


async def test_a_reply_that_just_ends_never_looks_finished(services: Services) -> None:
    class Silent(Gated):
        async def generate(
            self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
        ) -> AsyncGenerator[Delta, None]:
            yield Delta("half")

    async with serving(services, {"m": lambda: Silent(fail)}) as live:
        assert (await post(live, CHAT, messages=HELLO)).json()["error"]["code"] == "engine_interrupted"
        assert (await stream(live, CHAT, messages=HELLO)).data[-1]["error"]["code"] == "engine_interrupted"


async def test_a_surprise_in_a_stream_is_logged_and_told_without_its_words(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Gated(stumble, first=True)
    engine.go.set()
    async with serving(services, {"m": lambda: engine}) as live:
        seen = await stream(live, CHAT, messages=HELLO)
    assert seen.data[-1]["error"]["code"] == "internal_error"
    assert "ZeroDivisionError" not in str(seen.data)
    assert "ZeroDivisionError" in caplog.text


async def leave(live: LiveServer, path: str, body: dict[str, Any], when: asyncio.Event) -> None:
    """Ask, and hang up when something has happened."""
    asking = asyncio.ensure_future(live.client.post(path, json=body))
    await within(5, when.wait())
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("first", [False, True], ids=["before the first token", "after it"])
@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_who_hangs_up_is_not_worked_for(
    services: Services, path: str, body: dict[str, Any], first: bool, streamed: bool
) -> None:
    engine = Gated(fail, first=first)
    async with serving(services, {"m": lambda: engine}) as live:
        await leave(live, path, {**body, "stream": streamed}, engine.asked)
        await within(1, engine.closed.wait())


class Crowd(set[Work]):
    """A pool's work that says when there is so much of it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self.gathered = asyncio.Event()

    def add(self, work: Work) -> None:
        super().add(work)
        if len(self) >= self._size:
            self.gathered.set()


async def test_who_hangs_up_while_waiting_leaves_the_queue(services: Services) -> None:
    engine = Gated(lambda: Delta("ok"))
    async with serving(services, {"m": lambda: engine}, queue=2) as live:
        pool = live.services.pool
        pool.work = crowd = Crowd(3)
        asking = [
            asyncio.ensure_future(post(live, CHAT, messages=HELLO, stream=streamed))
            for streamed in (False, False, True)
        ]
        await within(5, crowd.gathered.wait())
        full = await post(live, CHAT, messages=HELLO, stream=True)
        assert full.status_code == 429
        assert full.headers["retry-after"].isdigit()
        assert full.json()["error"]["type"] == "rate_limit_error"
        ended = asyncio.Event()
        pool.on_end.append(lambda work: ended.set())
        asking[1].cancel()
        await within(1, ended.wait())
        assert len(pool.work) == 2
        engine.go.set()
        assert (await asking[0]).status_code == 200
        assert (await asking[2]).text.endswith("data: [DONE]\n\n")
        assert not pool.work


async def test_one_of_several_choices_that_fails_ends_the_others(services: Services) -> None:
    engine = Gated(fail, first=True)
    async with serving(services, {"m": lambda: engine}) as live:
        asking = asyncio.ensure_future(stream(live, CHAT, messages=HELLO, n=3))
        await engine.asked.wait()
        engine.go.set()
        seen = await asking
        assert seen.data[-1]["error"]["message"] == "The model is away."
        assert not live.services.pool.work


async def test_a_silent_stream_is_kept_alive(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SILENCE", 0.05)
    engine = Gated(lambda: Delta(" Done."), first=True)
    lines: list[str] = []
    async with (
        serving(services, {"m": lambda: engine}) as live,
        live.client.stream("POST", CHAT, json={"messages": HELLO, "stream": True}) as answer,
    ):
        async for line in answer.aiter_lines():
            lines.append(line)
            if lines.count(": ping") == 2:
                engine.go.set()
    assert lines.count(": ping") >= 2
    assert lines[-2:] == ["data: [DONE]", ""]
    assert not any(line.startswith("id:") for line in lines)


async def test_a_reader_who_does_not_read_is_cut(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SILENCE", 0.1)
    monkeypatch.setattr(answering, "STALLED", 0.2)
    flood = CannedEngine(text="flood " * 100_000, rate=math.inf, context_length=10**7)
    async with serving(services, {"m": lambda: flood}) as live:
        ended = asyncio.Event()
        live.services.pool.on_end.append(lambda work: ended.set())
        host, _, port = live.url.removeprefix("http://").partition(":")
        body = json.dumps({"messages": HELLO, "stream": True, "max_tokens": None}).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await reader.readline()
        await within(20, ended.wait())
        assert not live.services.pool.work
        writer.transport.abort()


async def test_two_hundred_streams_end_whole(services: Services) -> None:
    async with serving(services, {"m": lambda: CannedEngine(text="word " * 50, rate=200)}) as live:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=live.url, trust_env=False, timeout=30, limits=limits) as client:
            body = {"messages": HELLO, "stream": True}
            answers = await asyncio.gather(*(client.post(CHAT, json=body) for _ in range(200)))
        assert {answer.text.count('"content"') > 1 for answer in answers} == {True}
        assert all(answer.text.endswith('"stop"}]}\n\ndata: [DONE]\n\n') for answer in answers)
