"""When guessing the next tokens pays: what it costs to check guesses, and how many of them are right.

A model of random weights cannot tell how often guesses are right for a trained one. It can tell what checking several
tokens at once costs, in units of one token written by itself, and so from how many right ones on it pays. How often
guesses come and are right is then measured on Eyas, in ordinary replies, and on a model made to repeat twelve words.

Costs are processor time with one thread, so that a busy machine changes little.

    python -m benchmarks.speculation [--shape small|one_b]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.attention import QUESTIONS, running
from benchmarks.random_llama import ONE_B, SMALL, write_random_llama
from falconry.engines.llama_child import LlamaChild
from falconry.engines.llama_launch import launch
from falconry.engines.llama_options import LlamaCppOptions
from falconry.engines.local_http import Address
from falconry.messages import Grammar, Message, Prompt, SamplingParams, TokenPrompt, Usage
from falconry.models import eyas

AT_ONCE = (1, 2, 3, 4, 5, 8, 9, 16)
ROUNDS = 3
PLAIN = LlamaCppOptions(slots=1, prompt_cache_mib=0, threads=1, context_length=1024)
GUESSING = replace(PLAIN, speculation="ngram")


async def cost_of_batch(model: Path, size: int, tokens: int) -> float:
    """Milliseconds of processor time for each token of a prompt that is read `size` tokens at a time."""
    usual = launch(model, PLAIN)

    def command(address: Address) -> Sequence[str]:
        parts = list(usual.command(address))
        parts[parts.index("--ubatch-size") + 1] = str(size)
        return parts

    child = LlamaChild(replace(usual, command=command))
    try:
        await child.start()
        assert child.pid is not None
        process = psutil.Process(child.pid)
        begun = process.cpu_times().user
        body = {"prompt": [number * 37 % 1000 for number in range(tokens)], "n_predict": 1}
        await child.ask_model("/completion", body, None)
        return (process.cpu_times().user - begun) / tokens * 1e3
    finally:
        await child.aclose()


async def write(
    model: Path, options: LlamaCppOptions, prompts: Sequence[Prompt], params: SamplingParams
) -> tuple[float, Usage]:
    """Milliseconds of processor time for each token of the replies, and how many were guessed, and right."""
    total = Usage()
    async with running(model, options) as engine:
        assert engine.pid is not None
        process = psutil.Process(engine.pid)
        begun = process.cpu_times().user
        for prompt in prompts:
            async with aclosing(engine.generate(prompt, params)) as deltas:
                usage = [delta.usage async for delta in deltas][-1]
            assert usage is not None
            total = Usage(
                total.prompt_tokens + usage.prompt_tokens,
                total.completion_tokens + usage.completion_tokens,
                0,
                total.drafted_tokens + usage.drafted_tokens,
                total.accepted_tokens + usage.accepted_tokens,
            )
        return (process.cpu_times().user - begun) / total.completion_tokens * 1e3, total


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("small", "one_b"), default="small")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        model = Path(folder) / "model.gguf"
        shape = {"small": SMALL, "one_b": ONE_B}[options.shape]
        write_random_llama(model, shape)
        print(f"{options.shape}: tokens checked at once, and what that costs (1: a token written by itself)")
        costs = {size: min([await cost_of_batch(model, size, 5 * 9) for _ in range(ROUNDS)]) * size for size in AT_ONCE}
        for size, cost in costs.items():
            print(f"{size:4} {cost / costs[1]:6.2f}    pays from {max(0.0, cost / costs[1] - 1):.1f} right guesses on")
        # Its tokens are single characters from U+4E00 on.
        twelve = "".join(chr(0x4E00 + number) for number in range(20, 32))
        for_ever = SamplingParams(max_tokens=256, temperature=0.0, grammar=Grammar("regex", f"({twelve})+"))
        prompt = TokenPrompt(tuple(range(10, 26)))
        for name, case in (("alone", PLAIN), ("guessing", GUESSING)):
            spent, usage = await write(model, case, [prompt], for_ever)
            print(f"a model that repeats twelve words, {name}: {spent:.1f} ms a token, {told(usage)}")
    params = SamplingParams(max_tokens=128, temperature=0.0)
    questions = [[Message("user", question)] for question in QUESTIONS]
    for name, case in (("alone", PLAIN), ("guessing", GUESSING)):
        spent, usage = await write(eyas.path(), case, questions, params)
        print(f"20 replies of Eyas, {name}: {spent:.2f} ms a token, {told(usage)}")


def told(usage: Usage) -> str:
    return f"{usage.completion_tokens} tokens, {usage.drafted_tokens} guessed, {usage.accepted_tokens} of them right"


if __name__ == "__main__":
    asyncio.run(main())
