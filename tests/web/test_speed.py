"""What the page costs, in short: the goals of `make bench-page`, with bounds that a busy machine keeps, too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from benchmarks.page_browser import seconds_to_open, watch
from benchmarks.page_servers import Served, fill, served
from benchmarks.page_streams import many

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speed")


@pytest.fixture(scope="module")
def ids(folder: Path) -> dict[int, str]:
    """Conversations by their number of messages."""
    return {size: asyncio.run(fill(folder, size)) for size in (2, 100, 1000)}


@pytest.fixture(scope="module")
def server(folder: Path, ids: dict[int, str]) -> Iterator[Served]:
    with served("falconry", folder) as running:
        yield running


async def test_a_thousand_messages_open_at_once(browser: Browser, server: Served, ids: dict[int, str]) -> None:
    await seconds_to_open(browser, server, ids[1000])
    times = [await seconds_to_open(browser, server, ids[1000]) for _ in range(2)]
    assert min(times) < 1


async def test_200_tokens_a_second_below_100_messages_are_smooth(
    browser: Browser, server: Served, ids: dict[int, str]
) -> None:
    seen = await watch(browser, server, "1000@200", ids[100])
    assert seen.busy < 0.5  # of the page's thread; 0.1 to 0.15 where nothing else runs
    assert seen.fps > 25
    assert seen.lag < 3


async def test_a_long_conversation_costs_what_a_short_one_does(
    browser: Browser, server: Served, ids: dict[int, str]
) -> None:
    short = await watch(browser, server, "300@100", ids[2])
    long = await watch(browser, server, "300@100", ids[1000])
    assert long.cpu < 3 * short.cpu, (long, short)  # the goal of 1.5 needs longer replies and a quiet machine


async def test_fifty_replies_at_once(server: Served) -> None:
    found = await many(server, "100@50", 50)
    assert found.cores < 0.8, found  # 0.2 in longer runs: here the fifty beginnings weigh
    assert found.mean > 0.5, found
