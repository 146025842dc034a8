"""What every stream keeps, byte for byte on a raw socket: headers, the first byte, silence, errors and the end."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from falconry.api import answering
from falconry.engines.canned import CannedEngine
from falconry.event_stream import SILENCE
from falconry.services import Services
from falconry.settings import Settings
from tests.api.programs import serving
from tests.conftest import LiveServer
from tests.steady.doors import DOORS, Caller, Door, address, calling, verdict
from tests.steady.models import LONG_PROMPT, kitchen

TEXT = "One two three.\nFour \u2028five\x85, six 七八九."
_DONE = b"data: [DONE]\n\n"
_CHANGING = re.compile(rb'"(id|response_id|item_id|created|created_at|completed_at)":("[^"]*"|[0-9.]+)')
"""What differs from one answer to the next."""


@pytest.fixture
async def canned(services: Services) -> AsyncGenerator[LiveServer, None]:
    async with serving(services, {"m": lambda: CannedEngine(text=TEXT, rate=math.inf)}) as live:
        yield live


def unchunked(data: bytes) -> bytes:
    """A body without the framing of its chunks; fails where it broke off."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            assert data == b"\r\n"
            return body
        assert data[length : length + 2] == b"\r\n"
        body, data = body + data[:length], data[length + 2 :]


async def read(url: str, door: Door, prompt: str = "Hi", tokens: int = 400) -> bytes:
    async with calling(url, door.path, door.body(prompt, tokens, stream=True)) as caller:
        status, _ = await caller.head()
        assert status == 200
        return unchunked(await caller.rest())


async def first_byte(caller: Caller) -> tuple[bytes, float]:
    """The first line of the body, and the seconds until it was there."""
    begun = monotonic()
    assert (await caller.head())[0] == 200
    await caller.reader.readuntil(b"\r\n")  # the size of the chunk
    return await caller.reader.readuntil(b"\n"), monotonic() - begun


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
async def test_headers_and_lines_are_what_clients_and_proxies_need(canned: LiveServer, door: Door) -> None:
    async with calling(canned.url, door.path, door.body("Hi", 400, stream=True)) as caller:
        status, headers = await caller.head()
        body = unchunked(await caller.rest())
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-encoding" not in headers
    assert headers["x-request-id"]
    assert verdict(body.decode("ascii")) == "finished"
    assert b"\r" not in body
    assert not re.search(rb"^id:", body, re.MULTILINE)
    assert body.endswith(b"\n\n")
    done = body.count(_DONE)
    assert done == (1 if door.name in ("chat", "completions") else 0)
    assert not done or body.endswith(_DONE)


async def test_the_first_byte_comes_within_a_second_while_a_long_prompt_is_read(
    make_settings: Callable[..., Settings], slow: Path
) -> None:
    async with kitchen(make_settings, slow, slots=len(DOORS)) as house, AsyncExitStack() as calls:
        callers = [
            await calls.enter_async_context(
                calling(house.url, door.path, door.body(f"{door.name} {LONG_PROMPT}", 4, stream=True))
            )
            for door in DOORS
        ]
        for line, seconds in await asyncio.gather(*map(first_byte, callers)):
            assert line == b": falconry\n"
            assert seconds < 1


async def test_the_first_byte_comes_within_a_second_while_queued(
    make_settings: Callable[..., Settings], endless: Path
) -> None:
    async with kitchen(make_settings, endless, slots=1) as house, AsyncExitStack() as calls:
        first = await calls.enter_async_context(
            calling(house.url, DOORS[0].path, DOORS[0].body("Hi", 12_000, stream=True))
        )
        await first.reader.readuntil(b"w3")
        callers = [
            await calls.enter_async_context(calling(house.url, door.path, door.body("Hi", 4, stream=True)))
            for door in DOORS
        ]
        for line, seconds in await asyncio.gather(*map(first_byte, callers)):
            assert line == b": falconry\n"
            assert seconds < 1
        first.hang_up()
        for caller in callers:
            assert verdict((await caller.rest()).decode()) == "finished"


async def test_the_first_byte_comes_within_a_second_while_another_model_is_loaded(
    make_settings: Callable[..., Settings], slow: Path
) -> None:
    """Also where the model has to be asked something before the reply can begin."""
    async with kitchen(make_settings, slow) as house, AsyncExitStack() as calls:
        pool = house.live.services.pool
        await pool.unload("slow")
        async with pool._residents._letting_in:  # whoever wants an engine that is not there waits for this
            callers = []
            for door in DOORS:
                body = door.body("Hi", 4, stream=True)
                if door.name == "tgi":
                    body["parameters"]["truncate"] = 2
                callers.append(await calls.enter_async_context(calling(house.url, door.path, body)))
            for line, seconds in await asyncio.gather(*map(first_byte, callers)):
                assert line == b": falconry\n"
                assert seconds < 1
        for caller in callers:
            assert verdict((await caller.rest()).decode()) == "finished"


async def test_silence_is_filled_and_passes_a_proxy_that_cuts_idle_lines(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 10 <= SILENCE <= 15
    monkeypatch.setattr(answering, "SILENCE", 0.1)
    async with (
        serving(services, {"m": lambda: CannedEngine(text=TEXT, rate=500, delay=1.5)}) as live,
        proxy(live.url, idle=1.0) as url,
    ):
        bodies = await asyncio.gather(*(read(url, door) for door in DOORS))
    for body in bodies:
        assert body.count(b": ping\n\n") >= 3
        assert verdict(body.decode()) == "finished"


async def test_an_error_is_an_event_and_nothing_looks_finished(services: Services) -> None:
    async with serving(services, {"m": lambda: CannedEngine(text=TEXT, rate=500, fail_after=3)}) as live:
        for door in DOORS:
            body = await read(live.url, door)
            assert verdict(body.decode()) == "failed", door.name
            frames = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
            assert not any(choice["finish_reason"] for frame in frames for choice in frame.get("choices", []))


async def test_a_buffering_proxy_changes_no_byte(canned: LiveServer) -> None:
    async with proxy(canned.url, buffer=700) as url:
        for door in DOORS:
            direct, through = await read(canned.url, door), await read(url, door)
            assert _CHANGING.sub(b"", through) == _CHANGING.sub(b"", direct), door.name
            assert _CHANGING.sub(b"", direct) != direct or door.name == "tgi"


@asynccontextmanager
async def proxy(url: str, *, buffer: int = 1, idle: float = 30.0) -> AsyncGenerator[str, None]:
    """A proxy that passes an answer on in pieces of so many bytes, and cuts a line on which nothing comes so long."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        upstream, upward = await asyncio.open_connection(*address(url))
        asking = asyncio.create_task(pour(reader, upward, 1, 30.0))
        try:
            await pour(upstream, writer, buffer, idle)
        except asyncio.CancelledError:
            pass  # the test has ended; asyncio would report a handler that was cancelled
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            for end in (writer, upward):
                end.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        try:
            yield "http://{}:{}".format(*server.sockets[0].getsockname())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter, buffer: int, idle: float) -> None:
    held = b""
    with suppress(TimeoutError, ConnectionError):
        while data := await asyncio.wait_for(source.read(65536), idle):
            held += data
            if len(held) >= buffer or held.endswith(b"0\r\n\r\n"):
                sink.write(held)
                held = b""
                await sink.drain()
