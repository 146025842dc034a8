"""Nothing grows: memory, files, threads, tasks and objects, whatever people and programs do."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from falconry.gate.gate import SESSION_COOKIE
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import serve
from tests.process import Falconry
from tests.steady.memory import MIB, open_files, own_bytes, threads
from tests.steady.mixed import NAME, PASSWORD, Crowd

ACTS = 40
REMEMBERED = {"Work", "Usage"}  # of the last 2000 generations, for the figures
MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))


async def session_in(data_dir: Path) -> str:
    """Of the one user of a new data folder."""
    async with open_services(Settings(data_dir=data_dir, pages=False)) as services:
        return (await services.people.open_session(await services.people.add_user(NAME, PASSWORD))).token


def census() -> Counter[str]:
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects())


async def test_what_was_done_leaves_no_task_and_no_object(make_settings: Callable[..., Settings]) -> None:
    async with open_services(make_settings(model="eyas", user_concurrency=100)) as services, serve(services) as live:
        user = await services.people.add_user(NAME, PASSWORD)
        live.client.cookies = httpx.Cookies({SESSION_COOKIE: (await services.people.open_session(user)).token})
        crowd = Crowd(live.client, seed=random.randrange(2**32))

        async def act(number: int) -> tuple[int, Counter[str]]:
            enough = crowd.counts.total() + number
            await crowd.act(4, lambda: crowd.counts.total() < enough)
            async with asyncio.timeout(5):
                while services.pool.work:  # noqa: ASYNC110 - those that hung up have to be noticed first
                    await asyncio.sleep(0.01)
            return len(asyncio.all_tasks()), census()

        await act(150)  # what is remembered on purpose is there
        rounds = [await act(ACTS) for _ in range(8)]
    tasks = [number for number, _ in rounds]
    assert tasks[-1] <= tasks[0] + 2
    # Of what leaks, one more is there for every act or two, in every round; all else comes and goes.
    counts = [census for _, census in rounds]
    growing = [name for name in counts[-1] if all(b[name] - a[name] >= ACTS / 2 for a, b in pairwise(counts))]
    assert set(growing) <= REMEMBERED


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
async def test_nothing_grows(tmp_path: Path) -> None:
    """SOAK_MINUTES, half an hour by default. Memory is looked at after a fifth of it, and then all the time."""
    token = await session_in(tmp_path / "data")
    settings: dict[str, Any] = {"model": "eyas", "canned": False, "prompt_cache_mib": 16, "user_concurrency": 100}
    with Falconry(tmp_path / "data", **settings) as falconry:
        pid = falconry.process.pid
        begun = monotonic()
        end = begun + MINUTES * 60
        seen: list[tuple[float, int]] = []
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # so that idle is idle
        async with httpx.AsyncClient(
            base_url=falconry.url, trust_env=False, timeout=60, limits=limits, cookies={SESSION_COOKIE: token}
        ) as client:
            crowd = Crowd(client, seed=random.randrange(2**32))

            async def idle() -> tuple[int, int]:
                """Files and threads when all is quiet."""
                while (await client.get("/api/admin/stats")).json()["running"]:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.1)
                return open_files(pid), threads(pid)

            async def look() -> None:
                while monotonic() < end:
                    seen.append((monotonic() - begun, own_bytes(pid)))
                    await asyncio.sleep(2)

            warm = begun + MINUTES * 60 / 5
            looking = asyncio.create_task(look())
            await crowd.act(6, lambda: monotonic() < warm)
            files, tasks = await idle()
            await crowd.act(6, lambda: monotonic() < end)
            await looking
            files_after, tasks_after = await idle()
        warm_seen = [(at / 3600, size / MIB) for at, size in seen if at > MINUTES * 60 / 5]
        growth = slope(warm_seen)
        print(f"{dict(crowd.counts)} in {MINUTES:g} minutes")
        print(f"memory {warm_seen[0][1]:.0f} to {warm_seen[-1][1]:.0f} MiB, {growth:+.1f} MiB an hour")
        print(f"files {files} to {files_after}, threads {tasks} to {tasks_after}")
        assert falconry.stop() == 0
    assert abs(files_after - files) <= 5
    assert abs(tasks_after - tasks) <= 5
    # A few minutes say little about an hour: within them no more than a part of a MiB may be called nothing.
    assert growth < max(5.0, 2.0 * 60 / MINUTES)


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line that fits best."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
