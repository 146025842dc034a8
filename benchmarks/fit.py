"""How well the memory that a model takes is foretold: `falconry.models.fit` beside the real engine, on real shapes.

    python -m benchmarks.fit

Each model is written with random weights, loaded with the flags that Falconry gives, and asked for a reply in every
slot. "Peak" is the most private memory that its process had at any moment, its program and libraries, and those pages
of the model's file that it uses while it reads and writes: the kernel is told to forget which it has touched
(clear_refs), and asked again after the replies. Pages whose weights were copied into another order are not among them;
the kernel takes them back when somebody needs the memory. RSS is what `ps` shows, for comparison. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.shaped_models import Shape, write_shaped_model
from benchmarks.threads import until_ready
from falconry.engines.llama_launch import launch
from falconry.engines.llama_options import LlamaCppOptions
from falconry.engines.local_http import Address, request
from falconry.models import eyas
from falconry.models.fit import estimate_memory
from falconry.models.gguf import read_header

MIB = 2**20
QWEN3_06 = Shape("qwen3", 28, 1024, 3072, 16, 8, 151_936, tied=True, head=128)
CASES: list[tuple[str, Shape | None, int, int, str]] = [
    ("Eyas", None, 2048, 2, "f16"),
    ("SmolLM2 135M, Q8_0", Shape("llama", 30, 576, 1536, 9, 3, 49_152, "Q8_0", "Q8_0", tied=True), 8192, 2, "f16"),
    ("Qwen2.5 0.5B, Q8_0", Shape("qwen2", 24, 896, 4864, 14, 2, 151_936, "Q8_0", "Q8_0", tied=True), 512, 1, "f16"),
    ("Qwen2.5 0.5B, Q4_K", Shape("qwen2", 24, 1024, 4864, 16, 2, 151_936, tied=True), 8192, 2, "f16"),
    ("Qwen3 0.6B, Q4_K", QWEN3_06, 512, 1, "f16"),
    ("Qwen3 0.6B, Q4_K", QWEN3_06, 8192, 2, "f16"),
    ("Qwen3 0.6B, Q4_K", QWEN3_06, 8192, 2, "q8_0"),
    ("Llama 3.2 1B, Q4_K", Shape("llama", 16, 2048, 8192, 32, 8, 128_256, tied=True), 4096, 2, "f16"),
    ("Falcon3 1B, Q4_K", Shape("llama", 18, 2048, 8192, 8, 4, 131_072, head=256), 8192, 1, "f16"),
    ("Falcon, 0.5B, Q8_0", Shape("falcon", 12, 1536, 6144, 24, 1, 65_024, "Q8_0", "Q8_0"), 2048, 2, "f16"),
    ("Qwen3 1.7B, Q6_K", Shape("qwen3", 28, 2048, 6144, 16, 8, 151_936, "Q6_K", tied=True, head=128), 2048, 1, "f16"),
]


@dataclass(frozen=True, slots=True)
class Row:
    """One model: bytes foretold and at the measured peak, and what `ps` shows."""

    name: str
    context: int
    slots: int
    kv_type: str
    foretold: int
    peak: int
    resident: int


@contextmanager
def running(model: Path, options: LlamaCppOptions) -> Iterator[tuple[Address, int]]:
    """The engine's process, started with Falconry's own flags; its address and process id."""
    started = launch(model, options)
    with tempfile.TemporaryDirectory(prefix="bench-fit-") as folder:
        address = Address(f"{folder}/s.sock")
        process = subprocess.Popen(started.command(address), env=started.environment, stdin=subprocess.PIPE)
        try:
            yield address, process.pid
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


@contextmanager
def most_private_memory(pid: int) -> Iterator[list[int]]:
    """A list whose one number is the most private bytes that a process had while the context lasted."""
    most, done = [0], Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], status(pid).get("RssAnon", 0))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def status(pid: int) -> dict[str, int]:
    """Bytes by name, of /proc/PID/status."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if len(line) == 3 and line[2] == "kB"}


def forget_touched(pid: int) -> None:
    """Let the kernel note anew which pages a process touches."""
    Path(f"/proc/{pid}/clear_refs").write_text("1")


def used_of_files(pid: int, model: Path) -> int:
    """Bytes of the program's files that are in memory, and of the model's file that were touched since clear_refs."""
    total, counted = 0, ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):  # a mapping begins: addresses, rights, …, file
            file = words[5] if len(words) > 5 and words[5].startswith("/") else ""
            counted = "Referenced:" if file == str(model) else "Rss:" if file else ""
        elif words[0] == counted:
            total += int(words[1]) * 1024
        elif words[0] == "Anonymous:" and counted == "Rss:":
            total -= int(words[1]) * 1024  # counted as private already
    return total


async def measure(name: str, model: Path, context: int, slots: int, kv_type: Any) -> Row:
    options = LlamaCppOptions(context_length=context, slots=slots, kv_cache_type=kv_type)
    with running(model, options) as (address, pid), most_private_memory(pid) as most:
        await until_ready(address)
        await reply(address, slots)
        forget_touched(pid)
        await reply(address, slots)
        files, resident = used_of_files(pid, model), status(pid)["VmHWM"]
    estimate = estimate_memory(read_header(model), context_length=context, slots=slots, kv_type=kv_type)
    return Row(name, context, slots, kv_type, estimate.total, most[0] + files, resident)


async def reply(address: Address, slots: int) -> None:
    """A prompt of several batches and a short reply, in all slots at once."""

    async def one(slot: int) -> None:
        body = {
            "prompt": [(slot * 331 + token * 37) % 1000 for token in range(200)],
            "n_predict": 4,
            "ignore_eos": True,
            "cache_prompt": False,
            "id_slot": slot,
        }
        async with request(address, "POST", "/completion", body) as response:
            assert "timings" in await response.json()

    await asyncio.gather(*(one(slot) for slot in range(slots)))


async def run(only: str) -> list[Row]:
    rows = []
    for name, shape, context, slots, kv_type in CASES:
        if only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="bench-fit-model-") as folder:
            model = eyas.path() if shape is None else write_shaped_model(Path(folder) / "model.gguf", shape)
            rows.append(await measure(name, model, context, slots, kv_type))
        print(f"  {rows[-1]}", flush=True)
    return rows


def print_table(rows: list[Row]) -> None:
    print("| model | context | slots | KV | foretold MiB | peak MiB | off by | RSS MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row.name} | {row.context} | {row.slots} | {row.kv_type} | {row.foretold / MIB:.0f} "
            f"| {row.peak / MIB:.0f} | {row.foretold / row.peak - 1:+.1%} | {row.resident / MIB:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    options = parser.parse_args()
    rows = asyncio.run(run(options.only))
    print_table(rows)
    if options.json:
        found = [[r.name, r.context, r.slots, r.kv_type, r.foretold, r.peak, r.resident] for r in rows]
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
