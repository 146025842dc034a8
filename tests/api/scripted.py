"""A server whose models say what the test wants: what one model never does, another one does every day."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from falconry.engines.base import ALL_EXTRAS, Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import FalconryError
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Message,
    Prompt,
    SamplingParams,
    TokenCount,
    ToolCallDelta,
    Usage,
)
from falconry.services import Services
from tests.conftest import LiveServer, serve

Step: TypeAlias = Delta | FalconryError | float
"""What comes, what is raised, or seconds of silence (`math.inf` for ever)."""

USAGE = Usage(prompt_tokens=7, completion_tokens=3, cached_tokens=2)
END = Delta(finish_reason="stop", usage=USAGE)
CUT = Delta(finish_reason="length", usage=USAGE)


class ScriptedEngine(Engine):
    """Plays a script, whatever it is asked. It knows tools, and does not continue messages.

    Attributes:
        asked: what it was given, request by request.
        closed: set when a generation has ended, in whatever way.
    """

    kind = "canned"
    extras = ALL_EXTRAS

    def __init__(self, script: Sequence[Step]) -> None:
        self._script = script
        self.asked: list[tuple[Prompt, SamplingParams, Extras]] = []
        self.closed = asyncio.Event()

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append((prompt, params, extras))
        try:
            for step in self._script:
                if isinstance(step, FalconryError):
                    raise step
                if isinstance(step, Delta):
                    yield step
                elif math.isinf(step):
                    await asyncio.Event().wait()
                else:
                    await asyncio.sleep(step)
        finally:
            self.closed.set()

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(USAGE.prompt_tokens)

    async def context_length(self) -> int | None:
        return None

    async def has_native_tools(self) -> bool:
        return True


def asked(engine: ScriptedEngine) -> list[Message]:
    """The messages of the last request."""
    prompt = engine.asked[-1][0]
    assert isinstance(prompt, list)
    return prompt


def call(index: int, name: str, *pieces: str) -> tuple[Delta, ...]:
    """The deltas of one tool call."""
    begin = Delta(tool_calls=(ToolCallDelta(index, f"call_{index}", name),))
    return (begin, *(Delta(tool_calls=(ToolCallDelta(index, arguments=piece),)) for piece in pieces))


@asynccontextmanager
async def server_of(services: Services, engines: Mapping[str, Engine]) -> AsyncGenerator[LiveServer, None]:
    """A real server with these models; the first is the default. A fast canned one is always among them."""
    everything = {**engines, "canned": CannedEngine(rate=math.inf, seed=1)}
    specs = {
        name: ModelSpec(name, name, "canned", partial(_same, engine), vision=engine.sees_images)
        for name, engine in everything.items()
    }
    pool = EnginePool(specs, next(iter(specs)), loaded_models=2)
    try:
        async with serve(replace(services, pool=pool)) as live:
            yield live
    finally:
        await pool.aclose()


def _same(engine: Engine) -> Engine:
    return engine


def read_events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of the events in a stream; comments are left out."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events
