"""A model through transformers beside the same shape through llama.cpp: seconds to load, memory, tokens per second.

    python -m benchmarks.without_gguf [--rounds 3] [--threads 2]

The weights are random, which changes none of it. Needs torch (make test-torch sets it up).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.shaped_models import Shape, write_shaped_model
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.engines.transformers_launch import TransformersOptions, estimate
from falconry.engines.transformers_serve import TransformersEngine
from falconry.messages import SamplingParams

SHAPE = {"layers": 12, "width": 768, "feed_forward": 2048, "heads": 12, "kv_heads": 4, "vocabulary": 8192}
PROMPT, REPLY = 1024, 64
"""Tokens."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, bytes, and tokens per second."""

    load: float
    memory: int
    prompt: float
    reply: float


def write_folder(folder: Path, dtype: torch.dtype) -> Path:
    """The shape as a Hugging Face folder, in which each of the first characters of an unused plane is a token."""
    config = LlamaConfig(
        vocab_size=SHAPE["vocabulary"],
        hidden_size=SHAPE["width"],
        num_hidden_layers=SHAPE["layers"],
        num_attention_heads=SHAPE["heads"],
        num_key_value_heads=SHAPE["kv_heads"],
        intermediate_size=SHAPE["feed_forward"],
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=SHAPE["vocabulary"] - 1,
        pad_token_id=None,
    )
    torch.manual_seed(1)
    LlamaForCausalLM(config).to(dtype).save_pretrained(folder)
    words = {chr(0x10000 + number): number for number in range(SHAPE["vocabulary"] - 1)}
    words["<end>"] = SHAPE["vocabulary"] - 1
    bpe = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe)
    tokenizer.eos_token = "<end>"  # noqa: S105 - no password
    tokenizer.save_pretrained(folder)
    return folder


async def measure(engine: LlamaCppEngine | TransformersEngine) -> Figures:
    end = SHAPE["vocabulary"] - 1
    params = SamplingParams(max_tokens=REPLY, temperature=0.0, logit_bias=((end, -100.0),))
    begun = monotonic()
    try:
        await engine.start()
        load = monotonic() - begun
        await _timed(engine, "".join(chr(0x10000 + number) for number in range(8)), params)  # warm
        first, last, tokens = await _timed(
            engine, "".join(chr(0x10010 + number * 7 % 900) for number in range(PROMPT)), params
        )
        assert engine.pid is not None
        return Figures(load, _memory(engine.pid), PROMPT / first, (tokens - 1) / last)
    finally:
        await engine.aclose()


async def _timed(
    engine: LlamaCppEngine | TransformersEngine, prompt: str, params: SamplingParams
) -> tuple[float, float, int]:
    """Seconds to the first token, from there to the last, and how many there were."""
    begun, first, tokens = monotonic(), 0.0, 0
    async with aclosing(engine.generate(prompt, params)) as deltas:
        async for delta in deltas:
            first = first or monotonic()
            tokens = delta.usage.completion_tokens if delta.usage else tokens
    return first - begun, monotonic() - first, tokens


def _memory(pid: int) -> int:
    """The most that it had in memory, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def run(rounds: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        f32 = write_folder(folder / "f32", torch.float32)
        bf16 = write_folder(folder / "bf16", torch.bfloat16)
        q8 = write_shaped_model(folder / "q8.gguf", Shape("llama", **SHAPE, weights="Q8_0", output="Q8_0"))
        f16 = write_shaped_model(folder / "f16.gguf", Shape("llama", **SHAPE, weights="F16", output="F16"))
        makers = {
            "llama.cpp Q8_0": lambda: LlamaCppEngine(q8, LlamaCppOptions(threads=threads)),
            "llama.cpp F16": lambda: LlamaCppEngine(f16, LlamaCppOptions(threads=threads)),
            "transformers bfloat16": lambda: TransformersEngine(bf16, TransformersOptions(threads=threads)),
            "transformers float32": lambda: TransformersEngine(f32, TransformersOptions(threads=threads)),
        }
        found: dict[str, list[Figures]] = {kind: [] for kind in makers}
        for _ in range(rounds):
            for kind, make in makers.items():
                found[kind].append(await measure(make()))
        print(
            "| engine | load, s | memory, MiB | prompt, tokens/s | reply, tokens/s |\n| --- | --- | --- | --- | --- |"
        )
        for kind, figures in found.items():
            best = [min(f.load for f in figures), statistics.median(f.memory / 2**20 for f in figures)]
            best += [max(f.prompt for f in figures), max(f.reply for f in figures)]
            print(f"| {kind} | {best[0]:.1f} | {best[1]:.0f} | {best[2]:.0f} | {best[3]:.0f} |")
        tokens = PROMPT + REPLY
        for kind, path in (("bfloat16", bf16), ("float32", f32)):
            print(f"reckoned for {kind}, {tokens} tokens: {estimate(path, tokens).total / 2**20:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    asyncio.run(run(options.rounds, options.threads))


if __name__ == "__main__":
    main()
