"""How well the speed of a model is foretold: `falconry.models.speed` beside the real engine, on models of real shapes.

    python -m benchmarks.speed [--rounds 3]

Models with random weights are written one after another to a temporary folder. The memory's bandwidth is measured
beside each round, and the medians of both count. For root on Linux both run before all other processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.quiet import undisturbed
from benchmarks.shaped_models import Shape, write_shaped_model
from benchmarks.threads import Variant, measure, server, until_ready
from falconry.models.gguf import read_header
from falconry.models.machine import cores, read_memory
from falconry.models.speed import tokens_per_second

PROMPT, REPLY = 16, 12
SHAPES: dict[str, Shape] = {
    "SmolLM2 135M, Q8_0": Shape("llama", 30, 576, 1536, 9, 3, 49_152, weights="Q8_0", output="Q8_0", tied=True),
    "Qwen2.5 0.5B, Q8_0": Shape("qwen2", 24, 896, 4864, 14, 2, 151_936, weights="Q8_0", output="Q8_0", tied=True),
    "Qwen3 0.6B, Q4_K": Shape("qwen3", 28, 1024, 3072, 16, 8, 151_936, tied=True, head=128),
    "Falcon, 0.5B, Q8_0": Shape("falcon", 12, 1536, 6144, 24, 1, 65_024, weights="Q8_0", output="Q8_0"),
    "Llama 3.2 1B, Q4_K": Shape("llama", 16, 2048, 8192, 32, 8, 128_256, tied=True),
    "Llama 3.2 1B, Q6_K": Shape("llama", 16, 2048, 8192, 32, 8, 128_256, weights="Q6_K", tied=True),
    "Falcon3 1B, Q4_K": Shape("llama", 18, 2048, 8192, 8, 4, 131_072, head=256),
    "Qwen3 1.7B, Q4_K": Shape("qwen3", 28, 2048, 6144, 16, 8, 151_936, tied=True, head=128),
    "Qwen3 1.7B, Q8_0": Shape(
        "qwen3", 28, 2048, 6144, 16, 8, 151_936, weights="Q8_0", output="Q8_0", tied=True, head=128
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One model: bytes of its file, tokens per second foretold and measured, and the bandwidth in bytes per second."""

    name: str
    size: int
    foretold: float
    measured: float
    bandwidth: float


async def measure_one(path: Path, name: str, shape: Shape, rounds: int) -> Row:
    write_shaped_model(path, shape)
    threads = cores()
    speeds, bandwidths = [], []
    with server(path, Variant(threads, threads, 1000)) as (address, pid):
        await until_ready(address)
        await measure(address, _prompt(rounds), 2)  # the threads are made by the first token
        for number in range(rounds):
            with undisturbed(pid):
                bandwidths.append(read_memory())
                speeds.append((await measure(address, _prompt(number), REPLY))[1])
            await asyncio.sleep(1)  # for the others
    header, bandwidth = read_header(path), median(bandwidths)
    return Row(name, header.file_size, tokens_per_second(header, bandwidth), median(speeds), bandwidth)


def _prompt(number: int) -> str:
    return "".join(chr(0x10000 + (number * 7 + i * 31) % 1000) for i in range(PROMPT))


async def run(rounds: int) -> list[Row]:
    rows = []
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder:
            row = await measure_one(Path(folder) / "model.gguf", name, shape, rounds)
        rows.append(row)
        print(f"  {row}", flush=True)
    return rows


def print_table(rows: list[Row]) -> None:
    print("| model | MB | GB/s | foretold tokens/s | measured | off by |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        off = row.foretold / row.measured - 1
        print(
            f"| {row.name} | {row.size / 1e6:.0f} | {row.bandwidth / 1e9:.1f} | {row.foretold:.1f} "
            f"| {row.measured:.1f} | {off:+.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    rows = asyncio.run(run(options.rounds))
    print_table(rows)
    if options.json:
        options.json.write_text(json.dumps([[r.name, r.size, r.foretold, r.measured, r.bandwidth] for r in rows]))


if __name__ == "__main__":
    main()
