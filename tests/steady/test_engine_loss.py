"""The model's process dies or hangs under the programs' requests: they are told, and the next one is answered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from falconry.engines import supervisor
from falconry.settings import Settings
from tests.steady.doors import DOORS, WAYS, Door, assert_told, calling, verdict
from tests.steady.models import Kitchen, kitchen

ENDLESS = 12_000
HEALTHY = 0.5
"""Seconds for /health in the ordinary suite, beside whatever else the machine does; the promise is 0.2."""


@dataclass(slots=True)
class Watch:
    """What /health and /ready said meanwhile. `not_ready` is when /ready said so for the first time."""

    slowest: float = 0.0
    not_ready: float | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def watched(house: Kitchen) -> AsyncGenerator[Watch, None]:
    """Ask /health every 50 ms, and /ready beside it."""
    watch = Watch()

    async def alive(client: httpx.AsyncClient) -> None:
        while not watch.stop.is_set():
            begun = monotonic()
            assert (await client.get("/health")).status_code == 200
            watch.slowest = max(watch.slowest, monotonic() - begun)
            await pause()

    async def ready(client: httpx.AsyncClient) -> None:
        while not watch.stop.is_set():
            if (await client.get("/ready")).status_code == 503 and watch.not_ready is None:
                watch.not_ready = monotonic()
            await pause()

    async def pause() -> None:
        try:
            await asyncio.wait_for(watch.stop.wait(), 0.05)
        except TimeoutError:
            return

    async with httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=30) as client:
        watching = [asyncio.create_task(alive(client)), asyncio.create_task(ready(client))]
        try:
            yield watch
        finally:
            watch.stop.set()
            await asyncio.gather(*watching)


async def ask(house: Kitchen, door: Door, *, stream: bool, tokens: int = ENDLESS) -> tuple[int, str, float]:
    """Status, body and the time of its end."""
    body = door.body("Hello", tokens, stream=stream)
    async with httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=60) as client:
        answer = await client.post(door.path, json=body)
    return answer.status_code, answer.text, monotonic()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_crash_is_told_within_two_seconds_and_the_next_request_is_answered(
    make_settings: Callable[..., Settings], endless: Path, number: signal.Signals
) -> None:
    async with kitchen(make_settings, endless, slots=len(WAYS)) as house:
        asking = [asyncio.create_task(ask(house, door, stream=stream)) for door, stream in WAYS]
        await house.until_busy(len(WAYS))
        async with watched(house) as watch:
            killed = monotonic()
            os.kill(house.pid, number)
            answers = await asyncio.gather(*asking)
            # At once, as a program that tries again does.
            again = await asyncio.gather(*(ask(house, door, stream=stream, tokens=20) for door, stream in WAYS))
        slowest = max(end for *_, end in answers) - killed
        for answer in answers:
            assert_told(*answer[:2])
        assert slowest < 2
        for (door, stream), (status, text, _) in zip(WAYS, again, strict=True):
            assert status == 200, (door.name, stream, text)
            assert not stream or verdict(text) == "finished"
        assert watch.slowest < HEALTHY
        assert house.work() == (0, 0)
    print(f"told after {slowest * 1000:.0f} ms, /health took {watch.slowest * 1000:.0f} ms at most")


async def hang(house: Kitchen) -> tuple[float, float, Watch]:
    """Stop the process under running and waiting requests; seconds until /ready said so, and until all were told."""
    pid = house.pid
    running = [asyncio.create_task(ask(house, door, stream=True)) for door in DOORS]
    await house.until_busy(len(DOORS))
    waiting = [asyncio.create_task(ask(house, door, stream=stream, tokens=20)) for door, stream in WAYS]
    await house.until_work(lambda running, waiting: waiting == len(WAYS))
    async with watched(house) as watch:
        stopped = monotonic()
        os.kill(pid, signal.SIGSTOP)
        told = await asyncio.gather(*running)
        served = await asyncio.gather(*waiting)
    for answer in told:
        assert_told(*answer[:2])
    for (_, stream), answer in zip(WAYS, served, strict=True):  # by the process that took its place, or told
        if answer[0] != 200 or (stream and verdict(answer[1]) != "finished"):
            assert_told(*answer[:2])
    assert house.pid != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (await house.live.client.get("/ready")).status_code == 200
    assert (await ask(house, DOORS[0], stream=False, tokens=4))[0] == 200
    assert watch.not_ready is not None
    last = max(end for *_, end in (*told, *served)) - stopped
    print(f"/ready 503 after {watch.not_ready - stopped:.1f} s, all told after {last:.1f} s", end=", ")
    print(f"/health took {watch.slowest * 1000:.0f} ms at most")
    return watch.not_ready - stopped, last, watch


async def test_a_process_that_hangs_is_replaced_and_all_are_told(
    make_settings: Callable[..., Settings], endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_HEALTH_INTERVAL", 1.0)
    monkeypatch.setattr(supervisor, "_HEALTH_TIMEOUT", 1.5)
    async with kitchen(make_settings, endless, slots=len(DOORS)) as house:
        not_ready, told, watch = await hang(house)
    assert not_ready < 3
    assert told < 5
    assert watch.slowest < HEALTHY


@pytest.mark.soak
async def test_a_process_that_hangs_is_replaced_in_time(make_settings: Callable[..., Settings], endless: Path) -> None:
    async with kitchen(make_settings, endless, slots=len(DOORS)) as house:
        not_ready, told, watch = await hang(house)
    assert not_ready < 15
    assert told < 30
    assert watch.slowest < 0.2


async def test_health_is_never_queued_and_a_full_queue_is_ready(
    make_settings: Callable[..., Settings], endless: Path
) -> None:
    async with kitchen(make_settings, endless, slots=1, queue_size=60) as house, AsyncExitStack() as calls:
        for number in range(61):
            door, stream = WAYS[number % len(WAYS)]
            await calls.enter_async_context(calling(house.url, door.path, door.body("Hello", ENDLESS, stream=stream)))
        await house.until_work(lambda running, waiting: (running, waiting) == (1, 60))
        for door, stream in WAYS:
            status, text, _ = await ask(house, door, stream=stream)
            assert status == 429, (door.name, text)
        async with watched(house) as watch:
            seen: list[Any] = [await house.live.client.get("/health") for _ in range(20)]
        assert {answer.status_code for answer in seen} == {200}
        assert watch.slowest < HEALTHY
        assert watch.not_ready is None
