"""Flash attention and the type of the KV cache: memory, time, and what becomes of the replies.

Time is processor time of the engine's process with one thread, so that a busy machine changes little. Memory is what
the process has for itself once the model is loaded. The replies are those of Eyas: its likeliest ones to 20 questions,
compared with the usual ones, and the perplexity that it has for those.

    python -m benchmarks.attention [--shape small|one_b] [--depth 4096]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import psutil

from benchmarks.random_llama import ONE_B, SMALL, write_random_llama
from falconry.engines.llama_cpp import LlamaCppEngine
from falconry.engines.llama_options import LlamaCppOptions
from falconry.messages import Extras, Message, SamplingParams, TokenPrompt
from falconry.models import eyas

USUAL = LlamaCppOptions(slots=1, prompt_cache_mib=0, threads=1)
CASES = {
    "f16, without flash attention": replace(USUAL, flash_attention="off"),
    "f16, with it": USUAL,
    "q8_0": replace(USUAL, kv_cache_type="q8_0"),
    "q4_0": replace(USUAL, kv_cache_type="q4_0"),
}
TOPICS = ("falcons", "the sea", "numbers", "the seasons", "bread", "music", "the moon", "colours", "rivers", "trees")
QUESTIONS = [f"Tell me about {topic}." for topic in TOPICS] + [f"What do you know of {topic}?" for topic in TOPICS]
REPLY = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes of the process, and milliseconds of processor time for a token of the prompt and of the reply."""

    memory: int
    prompt: float
    reply: float


@asynccontextmanager
async def running(model: Path, options: LlamaCppOptions) -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(model, options)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.aclose()


async def cost(model: Path, options: LlamaCppOptions, depth: int) -> Cost:
    """Read `depth` tokens, and write some more behind them."""
    async with running(model, replace(options, context_length=depth + 2 * REPLY)) as engine:
        assert engine.pid is not None
        process = psutil.Process(engine.pid)
        prompt = TokenPrompt(tuple(number * 37 % 1000 for number in range(depth)))
        before = process.cpu_times().user
        await spend(engine, prompt, 1)
        read = process.cpu_times().user
        await spend(engine, prompt, REPLY)  # the prompt is in the cache
        written = process.cpu_times().user
        memory = process.memory_full_info().uss
    return Cost(memory, (read - before) / depth * 1e3, (written - read) / REPLY * 1e3)


async def spend(engine: LlamaCppEngine, prompt: TokenPrompt, tokens: int) -> None:
    async with aclosing(engine.generate(prompt, SamplingParams(max_tokens=tokens, temperature=0.0))) as deltas:
        async for _ in deltas:
            pass


async def replies(options: LlamaCppOptions) -> list[str]:
    params = SamplingParams(max_tokens=64, temperature=0.0)
    found = []
    async with running(eyas.path(), options) as engine:
        for question in QUESTIONS:
            async with aclosing(engine.generate([Message("user", question)], params)) as deltas:
                found.append("".join([delta.text async for delta in deltas]))
    return found


async def perplexity(options: LlamaCppOptions, said: Sequence[str]) -> float:
    """Of Eyas on questions with its usual replies; lower is better."""
    logprobs: list[float] = []
    extras = Extras(top_logprobs=0, prompt_logprobs=True)
    async with running(eyas.path(), options) as engine:
        for question, reply in zip(QUESTIONS, said, strict=True):
            text = await engine.render([Message("user", question)]) + reply
            async with aclosing(engine.generate(text, SamplingParams(max_tokens=1), extras)) as deltas:
                first = await anext(deltas)
            logprobs += [token.logprob for token in first.prompt_tokens if token.logprob is not None]
    return exp(-fmean(logprobs))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("small", "one_b"), default="small")
    parser.add_argument("--depth", type=int, default=4096)
    options = parser.parse_args()
    usual = await replies(USUAL)
    print(f"a model of random weights ({options.shape}), prompt of {options.depth} tokens; Eyas for the replies")
    print(f"{'':32}{'MiB':>8}{'ms/prompt token':>18}{'ms/reply token':>17}{'same replies':>15}{'perplexity':>12}")
    with TemporaryDirectory() as folder:
        model = Path(folder) / "model.gguf"
        write_random_llama(model, {"small": SMALL, "one_b": ONE_B}[options.shape])
        for name, case in CASES.items():
            spent = await cost(model, case, options.depth)
            same = sum(one == other for one, other in zip(await replies(case), usual, strict=True))
            print(
                f"{name:32}{spent.memory / 2**20:8.0f}{spent.prompt:18.2f}{spent.reply:17.1f}"
                f"{f'{same} of {len(usual)}':>15}{await perplexity(case, usual):12.3f}"
            )


if __name__ == "__main__":
    asyncio.run(main())
