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
import tempfile
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
        smooth = [await watch(browser, server, "1000@200", ids[100]) for _ in range(rounds)]
        costs: dict[int, list[float]] = {2: [], 1000: []}
        for _ in range(rounds):
            for size, seen in costs.items():
                fresh = await fill(folder, size) if size == 2 else ids[size]  # asking makes it longer
                seen.append((await watch(browser, server, "750@50", fresh)).cpu)
        cpu = {size: median(seen) for size, seen in costs.items()}
        return Figures(
            worst(smooth), (times[0], median(times[1:])), median(loads), cpu, await many(server, "750@50", streams)
        )


async def chat_interface(browser: Browser, rounds: int, streams: int) -> Figures:
    watched: dict[int, Watched] = {}
    for size, run in ((2, "750@50"), (100, "1000@200"), (1000, "750@50")):
        with served("gradio", size) as server:
            if size == 1000:
                loads = [await seconds_to_load(browser, server.url, "[data-testid=bot]") for _ in range(rounds)]
            watched[size] = await watch(browser, server, run)
    with served("gradio", 0) as server:
        at_once = await many(server, "750@50", streams)
    cpu = {size: watched[size].cpu for size in (2, 1000)}
    return Figures(watched[100], None, median(loads), cpu, at_once)


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
    """What else runs on this machine meanwhile: what is not ours, nor a child of ours."""

    def __init__(self) -> None:
        self._begun = psutil.cpu_times()
        self._seen = self._look()

    def _look(self) -> dict[tuple[int, str], float]:
        ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
        found = {}
        for process in psutil.process_iter(["pid", "name", "cpu_times"]):
            if process.pid not in ours and (times := process.info["cpu_times"]):
                found[process.pid, process.info["name"]] = times.user + times.system
        return found

    def told(self) -> str:
        now = psutil.cpu_times()
        seconds = (sum(now) - sum(self._begun)) / (os.cpu_count() or 1)
        used = {key: total - self._seen.get(key, 0.0) for key, total in self._look().items()}
        names: dict[str, float] = {}
        for (_, name), share in used.items():
            names[name] = names.get(name, 0.0) + share / seconds
        top = [f"{name} {share:.2f}" for name, share in sorted(names.items(), key=by_share)[:3] if share > 0.02]
        return f"other processes took {sum(names.values()):.2f} cores ({', '.join(top) or 'none more than 0.02'})"


def by_share(item: tuple[str, float]) -> float:
    return -item[1]


async def measure(options: argparse.Namespace) -> list[tuple[str, Figures]]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with tempfile.TemporaryDirectory() as folder:
            found = [("Falconry", await falconry(browser, Path(folder), options.rounds, options.streams))]
        if options.gradio:
            found.append((f"gr.ChatInterface {gradio.__version__}", await chat_interface(browser, 3, options.streams)))
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
