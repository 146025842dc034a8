"""The stream that tells models pages of changes: what comes when, how often, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import httpx
import pytest

from falconry.chat.replies import Watcher
from falconry.web.models_view import GAP, Changes
from tests.web.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def watching(site: Site) -> AsyncGenerator[AsyncIterator[str]]:
    """The names of the events, as they come."""
    async with (
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=10) as client,
        client.stream("GET", "/view/models/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        yield (line.removeprefix("event: ") async for line in lines if line.startswith("event: "))


async def test_who_begins_to_watch_is_told_of_everything_and_then_of_what_changed(site: Site) -> None:
    async with watching(site) as events:
        assert {await anext(events) for _ in range(4)} == {"models", "files", "downloads", "list"}
        for listeners, name in (
            (site.services.downloads.on_change, "downloads"),
            (site.services.pool.on_change, "models"),
        ):
            for tell in list(listeners):
                tell()
            assert await anext(events) == name


async def test_a_change_that_a_thread_tells_of_arrives(site: Site) -> None:
    async with watching(site) as events:
        for _ in range(4):
            await anext(events)
        await asyncio.to_thread(lambda: [tell() for tell in list(site.services.downloads.on_change)])
        assert await anext(events) == "downloads"


async def test_a_busy_server_tells_four_times_a_second_at_most(site: Site) -> None:
    async def busy() -> None:
        while True:
            for tell in list(site.services.pool.on_change):
                tell()
            await asyncio.sleep(0)

    async with watching(site) as events:
        for _ in range(4):
            await anext(events)
        work = asyncio.create_task(busy())
        try:
            await anext(events)
            begin = monotonic()
            for _ in range(3):
                await anext(events)
            assert monotonic() - begin >= 2.9 * GAP
        finally:
            work.cancel()


async def test_whoever_has_left_is_woken_no_more() -> None:
    listeners: list[Callable[[], None]] = []
    changes = Changes({"models": (listeners,)})
    watcher = Watcher()
    with changes.wake(watcher):
        listeners[0]()
        assert await watcher.wait(1)
    listeners[0]()
    assert not await watcher.wait(0.01)
    assert changes.counts() == {"models": 2}
