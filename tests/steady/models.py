"""Models that are slow where a test needs time: one that never stops writing, and one that takes seconds to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from falconry.engines.llama_cpp import LlamaCppEngine
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve
from tests.engines.tiny_gguf import write_reciter

WORDS = [f"w{number} ".encode() for number in range(50)]
LONG_PROMPT = "falcon " * 1800
"""Seconds of reading for the slow model."""


def write_endless(path: Path) -> Path:
    """A model that never stops, and takes a millisecond for a token."""
    return write_reciter(path, WORDS, endless=True, context_length=32_768, feed_forward=2048)


def write_slow(path: Path) -> Path:
    """A model that reads `LONG_PROMPT` for seconds, and then says a few words."""
    return write_reciter(path, WORDS[:3], feed_forward=65_536, context_length=16_384)


@dataclass(frozen=True, slots=True)
class Kitchen:
    """A server with a local model, and a look at the model's process."""

    live: LiveServer
    engine: LlamaCppEngine

    @property
    def url(self) -> str:
        return self.live.url

    @property
    def pid(self) -> int:
        assert self.engine.pid is not None
        return self.engine.pid

    async def busy(self) -> int:
        """Slots that work."""
        return sum(slot["is_processing"] for slot in await self.engine._child.ask("/slots"))

    async def until_busy(self, number: int) -> float:
        """Seconds until so many slots work; nobody tells us, so we look."""
        begun = monotonic()
        async with asyncio.timeout(20):
            while await self.busy() != number:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return monotonic() - begun

    async def until_work(self, condition: Callable[[int, int], bool]) -> float:
        """Seconds until the pool's work (running, waiting) is like that."""
        begun = monotonic()
        async with asyncio.timeout(20):
            while not condition(*self.work()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return monotonic() - begun

    def work(self) -> tuple[int, int]:
        """Generations that run, and that wait."""
        begun = [work.began is not None for work in self.live.services.pool.work]
        return sum(begun), len(begun) - sum(begun)


@asynccontextmanager
async def kitchen(
    make_settings: Callable[..., Settings], model: Path, **settings: Any
) -> AsyncGenerator[Kitchen, None]:
    """A server whose default model is this file."""
    chosen = {"models": [model], "model": model.stem, "context_length": 16_384, "prompt_cache_mib": 0, **settings}
    async with open_services(make_settings(**chosen)) as services, serve(services) as live:
        async with services.pool.engine() as engine:
            assert isinstance(engine, LlamaCppEngine)
            await engine.start()
        yield Kitchen(live, engine)
