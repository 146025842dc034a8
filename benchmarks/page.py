"""How fast the page is, beside gr.ChatInterface of the same Gradio, in the same run.

What a person sees is measured in Chromium, what it costs in CPU seconds of the server's process. Both servers take
their tokens from the bot without a model, in their own process, and answer in the same words. ChatInterface has no
conversations to open; its page is loaded with the messages in it, as after a reload. Every limit on simultaneous
replies that Gradio has is lifted.

    python -m benchmarks.page [--rounds 3] [--streams 50] [--no-gradio]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import gradio
import psutil
from playwright.async_api import Browser, async_playwright

from benchmarks.page_browser import Watched, seconds_to_load, seconds_to_open, watch
from benchmarks.page_servers import fill, served
from benchmarks.page_streams import Many, many
from tests.web.conftest import ARGUMENTS, CHROMIUM

SIZES = (2, 100, 1000)


@dataclass(frozen=True)
class Figures:
    """Of one of the two. `opened`: the first time, and the median of the others. `cpu`: by the number of messages."""

    smooth: Watched
    opened: tuple[float, float] | None
    load: float
    cpu: dict[int, float]
    many: Many


async def falconry(browser: Browser, folder: Path, rounds: int, streams: int) -> Figures:
    ids = {size: await fill(folder, size) for size in SIZES}
    with served("falconry", folder) as server:
        # The first time includes what only a server that has just begun has to do.
        times = [await seconds_to_open(browser, server, ids[1000]) for _ in range(rounds + 1)]
        url = f"{server.url}/?c={ids[1000]}"
        loads = [await seconds_to_load(browser, url, ".f-turn") for _ in range(rounds)]
        told("opened", times, loads)
        smooth = [await watch(browser, server, "1000@200", ids[100]) for _ in range(rounds)]
        told("smooth", smooth)
        costs: dict[int, list[float]] = {2: [], 1000: []}
        for _ in range(rounds):
            for size, seen in costs.items():
                fresh = await fill(folder, size) if size == 2 else ids[size]  # asking makes it longer
                seen.append((await watch(browser, server, "750@50", fresh)).cpu)
        told("cost", costs)
        cpu = {size: median(seen) for size, seen in costs.items()}
        return Figures(
            worst(smooth), (times[0], median(times[1:])), median(loads), cpu, await many(server, "750@50", streams)
        )


async def chat_interface(browser: Browser, streams: int) -> Figures:
    watched: dict[int, Watched] = {}
    for size, run in ((2, "750@50"), (100, "1000@200"), (1000, "750@50")):
        with served("gradio", size) as server:
            if size == 1000:
                load = await seconds_to_load(browser, server.url, "[data-testid=bot]")
            watched[size] = await watch(browser, server, run)
            told(f"gr.ChatInterface, {size} messages", watched[size])
    with served("gradio", 0) as server:
        at_once = await many(server, "750@50", streams)
    cpu = {size: watched[size].cpu for size in (2, 1000)}
    return Figures(watched[100], None, load, cpu, at_once)


def told(what: str, *figures: object) -> None:
    """Say how it goes: all of it takes some minutes."""
    print(what, *figures, file=sys.stderr, flush=True)


def worst(seen: list[Watched]) -> Watched:
    """Of several rounds the worst of each figure."""
    return Watched(
        min(one.fps for one in seen),
        max(one.gap for one in seen),
        max(one.busy for one in seen),
        max(one.lag for one in seen),
        max(one.cpu for one in seen),
    )


Row = tuple[str, str, Callable[[Figures], str]]


def rows(streams: int) -> list[Row]:
    """What is measured, what the goal is, and how the figure is written."""
    return [
        ("100 messages, 200 tokens/s: frames a second", "≥ 50", lambda f: f"{f.smooth.fps:.0f}"),
        ("longest gap between two frames, ms", "≤ 200", lambda f: f"{f.smooth.gap:.0f}"),
        ("share of the time the page's thread is busy", "", lambda f: f"{f.smooth.busy:.0%}"),
        ("s from the last token to the whole text", "", lambda f: f"{f.smooth.lag:.1f}"),
        ("1,000 messages: s from click to last message", "< 1", lambda f: f"{f.opened[1]:.2f}" if f.opened else "–"),
        ("the same, the first time", "< 1", lambda f: f"{f.opened[0]:.2f}" if f.opened else "–"),
        ("s from loading the page to last message", "", lambda f: f"{f.load:.2f}"),
        ("CPU s per 1000 tokens at 50/s, 2 messages", "", lambda f: f"{f.cpu[2]:.2f}"),
        ("the same with 1,000 messages", "", lambda f: f"{f.cpu[1000]:.2f}"),
        ("ratio of the two", "≤ 1.5", lambda f: f"{f.cpu[1000] / f.cpu[2]:.2f}"),
        (f"{streams} replies at 50 tokens/s: slowest, of its rate", "≥ 95 %", lambda f: f"{f.many.slowest:.1%}"),
        ("on average", "", lambda f: f"{f.many.mean:.1%}"),
        ("cores of the server meanwhile", "≤ 0.5", lambda f: f"{f.many.cores:.2f}"),
        ("CPU s of the server for all of them", "", lambda f: f"{f.many.cores * f.many.seconds:.1f}"),
    ]


class Others:
    """What else this machine does meanwhile: all that is neither ours nor a child's of ours."""

    def __init__(self) -> None:
        self._begun = self._times()
        self._names = self._by_name()

    def _times(self) -> tuple[float, float]:
        """CPU seconds of others, and all that there were for everybody, idle ones included."""
        all_cores, ours = psutil.cpu_times(), os.times()
        idle = all_cores.idle + getattr(all_cores, "iowait", 0.0)
        own = ours.user + ours.system + ours.children_user + ours.children_system
        return sum(all_cores) - idle - own, sum(all_cores)

    def _by_name(self) -> Counter[str]:
        ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
        found: Counter[str] = Counter()
        for process in psutil.process_iter(["pid", "name", "cpu_times"]):
            if process.pid not in ours and (times := process.info["cpu_times"]):
                found[process.info["name"]] += times.user + times.system
        return found

    def told(self) -> str:
        """To be asked when our own children have ended."""
        (before, since), (others, now) = self._begun, self._times()
        cores = os.cpu_count() or 1
        most = [name for name, _ in (self._by_name() - self._names).most_common(3)]
        return f"others took {(others - before) / (now - since) * cores:.2f} of them ({', '.join(most)})"


async def measure(options: argparse.Namespace) -> list[tuple[str, Figures]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with tempfile.TemporaryDirectory() as folder:
            found = [("Falconry", await falconry(browser, Path(folder), options.rounds, options.streams))]
        if options.gradio:
            found.append((f"gr.ChatInterface {gradio.__version__}", await chat_interface(browser, options.streams)))
        await browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--gradio", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    others, before = Others(), os.getloadavg()[0]
    found = asyncio.run(measure(options))
    print(f"| | goal | {' | '.join(name for name, _ in found)} |")
    print(f"| --- | ---: |{' ---: |' * len(found)}")
    for name, goal, written in rows(options.streams):
        print(f"| {name} | {goal} | {' | '.join(written(figures) for _, figures in found)} |")
    load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    print(f"\n{os.cpu_count()} cores, {load}; {others.told()}.")


if __name__ == "__main__":
    main()
