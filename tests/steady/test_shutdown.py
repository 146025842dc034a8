"""SIGTERM while programs are being answered: what can end, ends; the others are told; nothing new is taken."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.process import Falconry
from tests.steady.doors import DOORS, WAYS, Caller, Door, address, assert_told, calling, verdict

GRACE = 3.0


async def answer_of(caller: Caller) -> tuple[int, str]:
    """Status and body, to its end or to where it broke off."""
    status, _ = await caller.head()
    return status, (await caller.rest()).decode()


async def test_programs_are_answered_or_told_and_nothing_new_is_taken(tmp_path: Path, endless: Path) -> None:
    settings: dict[str, Any] = {
        "models": endless,
        "model": "endless",
        "slots": len(WAYS),
        "canned_rate": 40,
        "shutdown_grace": GRACE,
    }
    with Falconry(tmp_path / "data", **settings) as falconry:
        async with AsyncExitStack() as calls:

            async def call(door: Door, *, stream: bool, model: str | None = None) -> Caller:
                body = door.body("Hello", 12_000, stream=stream, model=model)
                return await calls.enter_async_context(calling(falconry.url, door.path, body, Connection="close"))

            begun = [asyncio.create_task(answer_of(await call(door, stream=stream))) for door, stream in WAYS]
            await until_running(falconry, len(WAYS))
            waiting = [asyncio.create_task(answer_of(await call(door, stream=stream))) for door, stream in WAYS]
            named = [(door, stream) for door, stream in WAYS if door.names_model]
            short = [asyncio.create_task(answer_of(await call(door, stream=s, model="canned"))) for door, s in named]
            kept = await calls.enter_async_context(calling(falconry.url, DOORS[0].path, {}))
            assert (await kept.head())[0] == 400
            await until_running(falconry, len(WAYS) + len(named))

            stopped = monotonic()
            falconry.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(refused(falconry.url), 1)
            await asyncio.wait_for(kept.reader.read(), 1)  # a connection without a request is closed
            for status, text in await asyncio.gather(*short):
                assert status == 200
                assert not text.count("data: ") or verdict(text) == "finished", text[-300:]
            for status, text in await asyncio.gather(*begun, *waiting):
                assert_told(status, text)
                assert "being stopped" in text
            told = monotonic() - stopped
        assert await asyncio.to_thread(falconry.process.wait, 20) == 0
        seconds = monotonic() - stopped
        assert GRACE <= told < GRACE + 2
        assert seconds < GRACE + 5
        falconry.stop()
        assert "Traceback" not in falconry.errors()
    print(f"all told after {told:.1f} s, gone after {seconds:.1f} s")


async def until_running(falconry: Falconry, number: int) -> None:
    """Wait until so many replies are being written."""
    with falconry.client() as client:
        async with asyncio.timeout(20):
            while client.get("/api/admin/stats").json()["running"] < number:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)


async def refused(url: str) -> None:
    """Wait until nobody listens any more; nobody tells when."""
    while True:
        try:
            _, writer = await asyncio.open_connection(*address(url))
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0.01)


@pytest.mark.soak
async def test_without_any_setting_it_is_gone_in_time(tmp_path: Path, endless: Path) -> None:
    with Falconry(tmp_path / "data", models=endless, model="endless") as falconry:
        async with AsyncExitStack() as calls:
            callers = [
                await calls.enter_async_context(
                    calling(falconry.url, door.path, door.body("Hello", 12_000, stream=stream))
                )
                for door, stream in WAYS
            ]
            await callers[1].reader.readuntil(b"w3")
            stopped = monotonic()
            falconry.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(falconry.process.wait, 30) == 0
            seconds = monotonic() - stopped
        falconry.stop()
    print(f"gone after {seconds:.1f} s")
    assert seconds < 25
