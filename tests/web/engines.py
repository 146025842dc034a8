"""Models for the page tests: what they write and how fast is known beforehand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping

from falconry.engines.base import Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import ModelSpec
from falconry.errors import EngineError
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams, TokenCount, TokenPrompt, Usage
from tests.web.payloads import PAYLOADS
from tests.web.test_live import ARTICLE

SLOW_TEXT = " ".join(f"word{number}" for number in range(400))
LONG_TEXT = ARTICLE * 12


class ThinkingEngine(Engine):
    """Thinks, then answers with what it was given: system message and params."""

    kind = "canned"
    supports = frozenset({"max_tokens", "temperature"})

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        for word in ("First ", "I ", "*think*."):
            await asyncio.sleep(0.05)
            yield Delta(thinking=word)
        await asyncio.sleep(0.05)
        assert not isinstance(prompt, TokenPrompt)
        seen = prompt if isinstance(prompt, str) else "|".join(f"{m.role}={m.content}" for m in prompt)
        yield Delta(
            f"`{seen}` temperature={params.temperature} max_tokens={params.max_tokens} "
            f"stop={list(params.stop)} seed={params.seed}"
        )
        yield Delta(finish_reason="stop", usage=Usage(1, 2))

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(len(str(prompt)), error=0.1)

    async def context_length(self) -> int | None:
        return None


class EchoEngine(Engine):
    """Thinks and answers with what it was asked, in pieces; or fails with it."""

    kind = "canned"

    def __init__(self, *, fails: bool = False, pause: float = 0.0) -> None:
        self._fails = fails
        self._pause = pause

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        assert not isinstance(prompt, (TokenPrompt, str))
        text = prompt[-1].content
        if self._fails:
            raise EngineError(text)
        size = max(7, len(text) // 100)
        for thinking in (True, False):
            for start in range(0, len(text), size):
                piece = text[start : start + size]
                yield Delta(thinking=piece) if thinking else Delta(piece)
                await asyncio.sleep(self._pause)
        yield Delta(finish_reason="stop", usage=Usage(1, 2))

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(1)

    async def context_length(self) -> int | None:
        return None


def specs() -> Mapping[str, ModelSpec]:
    """By name: canned (fast), slow, flood, breaks, tiny, thinks, echo, fails, evil, and one whose name has slashes."""
    engines = {
        "canned": lambda: CannedEngine(rate=100, seed=1),
        "acme/article-7B": lambda: CannedEngine(text=ARTICLE, rate=math.inf),
        "slow": lambda: CannedEngine(text=SLOW_TEXT, rate=25),
        "flood": lambda: CannedEngine(text=LONG_TEXT, rate=200, context_length=100_000),
        "breaks": lambda: CannedEngine(text=SLOW_TEXT, rate=200, fail_after=10),
        "tiny": lambda: CannedEngine(rate=math.inf, context_length=300),
        "thinks": ThinkingEngine,
        "echo": EchoEngine,
        "echo-slowly": lambda: EchoEngine(pause=0.02),
        "fails": lambda: EchoEngine(fails=True),
        "evil": lambda: CannedEngine(text="\n\n".join(PAYLOADS), rate=math.inf, context_length=100_000),
    }
    return {name: ModelSpec(name, name, "canned", make) for name, make in engines.items()}
