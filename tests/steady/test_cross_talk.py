"""Many at once, through every protocol, and some hang up: nobody gets a word of another's answer."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable
from time import monotonic

import httpx
import pytest

from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import serve
from tests.steady.doors import WAYS, text_of, verdict

LANES = 16
MARKER = re.compile(r"marker-\d{5}-\d{9}")


async def cross_talk(make_settings: Callable[..., Settings], rounds: int) -> None:
    """Every request forces a marker of its own; what comes back is that marker, or the beginning of it."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    counts: Counter[str] = Counter()

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        marker = f"marker-{number:05}-{rng.randrange(10**9):09}"
        door, stream = rng.choice(WAYS)
        body = {**door.body(f"say {marker}", 64, stream=stream), **door.shape(marker)}
        leave_after = rng.choice([None, None, 0.01, 0.05, 0.2])  # seconds
        received = ""
        try:
            async with (
                asyncio.timeout(leave_after),
                client.stream("POST", door.path, json=body) as answer,
            ):
                assert answer.status_code == 200, await answer.aread()
                async for piece in answer.aiter_text():
                    received += piece
        except TimeoutError:
            counts["left"] += 1
        else:
            counts["answered"] += 1
            assert marker in (text_of(received) if stream else received), (door.name, stream, received)
            assert not stream or verdict(received) == "finished"
        assert set(MARKER.findall(received)) <= {marker}
        if stream:
            said = text_of(received).strip()
            assert f'"{marker}"'.startswith(said), (door.name, marker, said)

    async def lane(client: httpx.AsyncClient, start: int) -> None:
        for number in range(start, start + rounds):
            await ask(client, number)

    settings = make_settings(model="eyas", slots=4)
    limits = httpx.Limits(max_connections=None)
    begun = monotonic()
    async with (
        open_services(settings) as services,
        serve(services) as live,
        httpx.AsyncClient(base_url=live.url, trust_env=False, timeout=120, limits=limits) as client,
    ):
        await asyncio.gather(*(lane(client, rounds * number) for number in range(LANES)))
        async with asyncio.timeout(2):
            while services.pool.work:  # noqa: ASYNC110 - those that were left have to be noticed first
                await asyncio.sleep(0.01)
    print(f"seed {seed}: {dict(counts)} in {monotonic() - begun:.0f} s, no foreign marker")


async def test_nobody_gets_anothers_words(make_settings: Callable[..., Settings]) -> None:
    await cross_talk(make_settings, 20)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_nobody_gets_anothers_words_for_long(make_settings: Callable[..., Settings]) -> None:
    await cross_talk(make_settings, 200)
