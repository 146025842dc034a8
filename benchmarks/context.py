"""Prompt tokens that are evaluated per turn once a conversation has outgrown the context window.

Falconry drops whole turns down to about 70 % of the window and then only appends, so that the engine's prompt cache
stays warm. The other way, dropping the oldest turn every time, changes the beginning of every prompt. Both run here
against the real engine, over the same conversation; tokens are the engine's own figures (prompt less cached). The
embedded engine can shift its cache when something in the middle is gone; most servers keep the common beginning only.

    python -m benchmarks.context [--model FILE.gguf] [--turns 50] [--context 2048]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from time import monotonic

from falconry.chat.context_window import KEEP, Prompter, fit
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.messages import DEFAULT_SYSTEM_MESSAGE, SamplingParams, StoredMessage, Usage
from falconry.models import eyas

WORDS = ("lion", "zebra", "river", "grass", "tree", "eagle", "stone", "cloud", "night", "water", "hill", "fire")
REPLY_TOKENS = 48
PARAMS = SamplingParams(max_tokens=REPLY_TOKENS, temperature=0.0)


async def run(engine: LlamaCppEngine, turns: int, keep: float) -> list[tuple[int, float, bool]]:
    """Talk until the window is full, then `turns` more. Per turn: tokens evaluated, seconds, whether it cut."""
    rng = random.Random(1)
    prompter = Prompter(engine, plain=False)
    length = await engine.context_length()
    path: list[StoredMessage] = []
    figures: list[tuple[int, float, bool]] = []
    start_id: str | None = None
    while len(figures) < turns:
        question = " ".join(rng.choices(WORDS, k=40))
        path.append(message(len(path), "user", question))
        fitted = await fit(
            prompter,
            DEFAULT_SYSTEM_MESSAGE,
            path,
            context_length=length,
            max_tokens=REPLY_TOKENS,
            start_id=start_id,
            keep=keep,
        )
        cut = fitted.use.start_id != start_id
        start_id = fitted.use.start_id
        begun = monotonic()
        text, usage = "", Usage()
        async with aclosing(engine.generate(fitted.messages, PARAMS)) as deltas:
            async for delta in deltas:
                text += delta.text
                usage = delta.usage or usage
        assert usage.prompt_tokens == fitted.use.prompt_tokens, "the count was not exact"
        if start_id is not None:
            figures.append((usage.prompt_tokens - usage.cached_tokens, monotonic() - begun, cut))
        path.append(message(len(path), "assistant", text or "."))
    return figures


def message(number: int, role: str, text: str) -> StoredMessage:
    parent = str(number - 1) if number else None
    return StoredMessage(str(number), "c", parent, role, text, datetime.now(UTC), depth=number)  # type: ignore[arg-type]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=eyas.path())
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--context", type=int, default=2048)
    options = parser.parse_args()
    print(f"{options.model.name}, context {options.context}, {options.turns} turns past the limit")
    print(f"{'engine and policy':60}{'tokens/turn':>12}{'median':>8}{'worst':>7}{'cuts':>6}{'seconds':>9}")
    policies = ((f"cut to {KEEP:.0%}", KEEP), ("drop the oldest turn each time", 1.0))
    caches = (("cache of the beginning only", 0), ("cache that is shifted", 32))
    for (cache, reuse), (policy, keep) in product(caches, policies):
        name = f"{cache}: {policy}"
        engine_options = LlamaCppOptions(context_length=options.context, slots=1, cache_reuse=reuse)
        engine = LlamaCppEngine(options.model, engine_options)
        try:
            figures = await run(engine, options.turns, keep)
        finally:
            await engine.aclose()
        tokens = [evaluated for evaluated, _, _ in figures]
        cuts = sum(cut for _, _, cut in figures)
        seconds = sum(seconds for _, seconds, _ in figures)
        print(
            f"{name:60}{statistics.mean(tokens):12.0f}{statistics.median(tokens):8.0f}"
            f"{max(tokens):7}{cuts:6}{seconds:9.2f}"
        )


if __name__ == "__main__":
    asyncio.run(main())
