"""Programs that vanish: nobody works for them, whatever their protocol and whatever was being done for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from falconry.settings import Settings
from tests.steady.doors import DOORS, WAYS, calling
from tests.steady.models import LONG_PROMPT, kitchen

ENDLESS = 12_000


async def test_while_the_model_writes(make_settings: Callable[..., Settings], endless: Path) -> None:
    slowest = 0.0
    async with kitchen(make_settings, endless, slots=1) as house:
        for door, stream in WAYS:
            async with calling(house.url, door.path, door.body("Hello", ENDLESS, stream=stream)) as caller:
                await house.until_busy(1)
                if stream:
                    await caller.reader.readuntil(b"w3")
            seconds = await house.until_busy(0)
            assert seconds < 1, (door.name, stream)
            slowest = max(slowest, seconds)
            await house.until_work(lambda running, waiting: running + waiting == 0)
    print(f"a slot is free after {slowest * 1000:.0f} ms at most")


async def test_while_the_model_reads(make_settings: Callable[..., Settings], slow: Path) -> None:
    slowest = 0.0
    async with kitchen(make_settings, slow, slots=1) as house:
        for number, (door, stream) in enumerate(WAYS):
            # Another beginning each time: what has been read once is not read again.
            async with calling(house.url, door.path, door.body(f"{number} {LONG_PROMPT}", 4, stream=stream)):
                await house.until_busy(1)
            seconds = await house.until_busy(0)
            assert seconds < 2, (door.name, stream)
            slowest = max(slowest, seconds)
            assert house.work() == (0, 0)
    print(f"a slot is free after {slowest * 1000:.0f} ms at most")


async def test_while_they_wait(make_settings: Callable[..., Settings], endless: Path) -> None:
    async with kitchen(make_settings, endless, slots=1) as house, AsyncExitStack() as waiting:
        first = await waiting.enter_async_context(
            calling(house.url, DOORS[0].path, DOORS[0].body("Hello", ENDLESS, stream=True))
        )
        await first.reader.readuntil(b"w3")
        callers = [
            await waiting.enter_async_context(calling(house.url, door.path, door.body("Hello", 4, stream=stream)))
            for door, stream in WAYS
        ]
        await house.until_work(lambda running, waiting: (running, waiting) == (1, len(WAYS)))
        for caller in callers:
            caller.hang_up()
        assert await house.until_work(lambda running, waiting: (running, waiting) == (1, 0)) < 0.5


async def test_a_hundred_of_them_leave_no_backlog(make_settings: Callable[..., Settings], endless: Path) -> None:
    rng = random.Random(5)
    async with kitchen(make_settings, endless, slots=2) as house:

        async def vanish(number: int) -> None:
            door, stream = WAYS[number % len(WAYS)]
            async with calling(house.url, door.path, door.body("Hello", ENDLESS, stream=stream)):
                await asyncio.sleep(rng.uniform(0, 0.5))  # as long as their patience lasts

        await asyncio.gather(*(vanish(number) for number in range(100)))
        begun = monotonic()
        door = DOORS[0]
        answer = await house.live.client.post(door.path, json=door.body("Hello", 4, stream=False))
        assert answer.status_code == 200
        assert monotonic() - begun < 1
        assert house.work() == (0, 0)
        assert await house.until_busy(0) < 1
