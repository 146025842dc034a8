"""How many threads, and how they wait: tokens per second of local models, alone and beside a busy neighbour.

    python -m benchmarks.threads [--rounds 3] [--models tiny small 1b]

The threads of llama.cpp meet after every layer. Those who come first can spin, which is fastest while every thread
has a core to itself and ruinous as soon as another process takes one: all wait, at full load, for the one that lost
its core. The wheel's threads are OpenMP's (libgomp), so its `poll` has no effect, and GOMP_SPINCOUNT decides how
long they spin before they sleep; 0 is OMP_WAIT_POLICY=passive.

Models of random weights are written to a temporary folder. Every round starts each variant anew, so that what else
the machine does falls on all of them; the table gives medians over the rounds. "busy" is beside one process that
keeps one core busy at the same priority; "others' cores" is what the rest of the machine used meanwhile, so a table
with more than 0.2 there tells about a machine in use.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.random_llama import ONE_B, SMALL, TINY, Shape, write_random_llama
from falconry.engines import llama_cpp_worker
from falconry.engines.local_http import Address, request

MODELS: dict[str, Shape] = {"tiny": TINY, "small": SMALL, "1b": ONE_B}
PROMPT = {"tiny": 2048, "small": 1024, "1b": 192}
REPLY = {"tiny": 512, "small": 192, "1b": 40}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run: threads for the reply and for the prompt. `spin` is GOMP_SPINCOUNT, None for libgomp's own."""

    threads: int
    prompt_threads: int
    spin: int | None = None
    nice: int = 0
    batch: int = 64

    def __str__(self) -> str:
        spin = "default" if self.spin is None else self.spin
        return f"{self.threads} and {self.prompt_threads} threads, spin {spin}, nice {self.nice}, batch {self.batch}"


VARIANTS = [
    Variant(1, 1),
    Variant(2, 2),
    Variant(2, 2, 0),
    Variant(2, 2, 1000),
    Variant(2, 2, 10_000),
    Variant(1, 2, 1000),
    Variant(2, 2, 1000, nice=-5),
    Variant(2, 2, 1000, batch=32),
    Variant(2, 2, 1000, batch=512),
]


@contextmanager
def server(model: Path, variant: Variant) -> Iterator[tuple[Address, int]]:
    """A server of the wheel, started as the engine does it; its address and process id."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        address = Address(f"{folder}/s.sock")
        flags: dict[str, object] = {
            "--model": model,
            "--alias": "m",
            "--host": address.host,
            "--ctx-size": 4096,
            "--parallel": 1,
            "--cache-ram": 0,
            "--cache-reuse": 0,
            "--ctx-checkpoints": 0,
            "--batch-size": variant.batch,
            "--ubatch-size": variant.batch,
            "--threads": variant.threads,
            "--threads-batch": variant.prompt_threads,
            "--threads-http": 4,
            "--log-verbosity": 1,
        }
        environment = dict(os.environ)
        if variant.spin is not None:
            environment["GOMP_SPINCOUNT"] = str(variant.spin)
        command = ["nice", "-n", str(variant.nice), sys.executable, "-P", llama_cpp_worker.__file__]
        command += [str(part) for flag in flags.items() for part in flag] + ["--no-ui", "--offline"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
        try:
            yield address, process.pid
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


@contextmanager
def busy_neighbour(busy: bool) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


async def measure(address: Address, prompt: str, reply: int) -> tuple[float, float]:
    """Prompt and reply tokens per second, by the server's own clock."""
    body: dict[str, Any] = {"prompt": prompt, "n_predict": reply, "ignore_eos": True, "cache_prompt": False}
    async with request(address, "POST", "/completion", body) as response:
        timings = (await response.json())["timings"]
    return timings["prompt_per_second"], timings["predicted_per_second"]


async def until_ready(address: Address) -> None:
    while True:
        try:
            async with request(address, "GET", "/health") as response:
                if response.status == 200:
                    return
        except OSError:
            pass
        await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Figures:
    """Tokens per second, and how many cores the rest of the machine took meanwhile."""

    prompt: float
    reply: float
    others: float


async def measure_beside(address: Address, server_pid: int, busy: bool, prompt: str, reply: int) -> Figures:
    with busy_neighbour(busy):
        start, used, ours = time.monotonic(), busy_seconds(), cpu_seconds(server_pid)
        prompt_speed, reply_speed = await measure(address, prompt, reply)
        wall = time.monotonic() - start
        others = (busy_seconds() - used - (cpu_seconds(server_pid) - ours)) / wall - busy
    return Figures(prompt_speed, reply_speed, max(others, 0.0))


def busy_seconds() -> float:
    """Seconds of CPU that the machine has used so far."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def measure_model(
    path: Path, name: str, variants: list[Variant], rounds: int
) -> dict[tuple[Variant, bool], list[Figures]]:
    figures: dict[tuple[Variant, bool], list[Figures]] = defaultdict(list)
    for number in range(rounds):
        for variant in variants:
            with server(path, variant) as (address, pid):
                await until_ready(address)
                for busy in (False, True):
                    prompt = "".join(chr(0x4E00 + (number * 7 + i * 31) % 1000) for i in range(PROMPT[name]))
                    result = await measure_beside(address, pid, busy, prompt, REPLY[name])
                    figures[variant, busy].append(result)
                    print(f"  {variant}, {'busy' if busy else 'quiet'}: {result}", file=sys.stderr, flush=True)
    return figures


def print_table(variants: list[Variant], figures: dict[tuple[Variant, bool], list[Figures]]) -> None:
    print("| variant | prompt, quiet | prompt, busy | reply, quiet | reply, busy | others' cores |")
    print("| --- | --- | --- | --- | --- | --- |")
    for variant in variants:
        quiet, busy = figures[variant, False], figures[variant, True]
        row = [
            *(median(figure.prompt for figure in some) for some in (quiet, busy)),
            *(median(figure.reply for figure in some) for some in (quiet, busy)),
        ]
        others = median(figure.others for figure in quiet + busy)
        print(f"| {variant} | " + " | ".join(f"{speed:.0f}" for speed in row) + f" | {others:.1f} |", flush=True)


async def run(models: list[str], variants: list[Variant], rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-models-") as folder:
        for name in models:
            path = Path(folder) / f"{name}.gguf"
            parameters = write_random_llama(path, MODELS[name])
            print(f"\n{name}: {parameters / 1e6:.0f} M parameters, {path.stat().st_size / 2**20:.0f} MiB\n")
            print_table(variants, await measure_model(path, name, variants, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    asyncio.run(run(options.models, VARIANTS, options.rounds))


if __name__ == "__main__":
    main()
