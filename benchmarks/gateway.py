"""What Falconry adds to the engine's own server, beside litellm's proxy in front of the same server, in one run.

First token: short requests to all of them in turn, so that whatever else the machine does falls on all alike.
Per token: one long reply at the engine's full speed, on a model that costs next to nothing.
CPU: user and system time of the gateway's processes, the engine's child left out, for replies that come at 20 tokens a
second each from a stub, which is what relaying costs where people read along.
Most streams: how many such replies the gateway carries on one core before they fall behind.
200 at once: the bot without a model, and every character of every reply compared.

    python -m benchmarks.gateway [--rounds 150] [--json FILE] [--without-litellm]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import Any

from benchmarks.gateway_client import Stream, chat_request, connect, text_of
from benchmarks.gateway_servers import Tree, litellm_proxy, paced_upstream
from falconry.engines.canned import REPLIES
from tests.compat.bare import BareServer
from tests.engines.tiny_gguf import write_reciter
from tests.process import Falconry

PIECES = [f" tok{n}".encode() for n in range(40)]
LONG = 1500  # tokens of a long reply
CPU_STREAMS, CPU_PACE = 40, "200@20"
LIMIT_PACE, LIMIT_SECONDS, MOST = "100@20", 5.0, 1600
LATE = 0.5  # seconds behind the upstream that a reader does not notice


@dataclass(frozen=True)
class Gateway:
    """A server that is measured; `pid` is 0 for the engine's own, whose time is not looked at."""

    name: str
    url: str
    pid: int


@dataclass(frozen=True)
class Row:
    """What was measured for one of them; milliseconds, seconds, streams. None: not measured, or not meant for it."""

    name: str
    first_p50: float | None = None
    first_p95: float | None = None
    added_first_p50: float | None = None
    added_first_p95: float | None = None
    per_token: float | None = None
    added_per_token: float | None = None
    cpu_per_1000: float | None = None
    most_streams: int | None = None


async def ask(gateway: Gateway, model: str, *, keep: bool = False, **options: object) -> Stream:
    """One reply on a connection of its own."""
    connection = await connect(gateway.url)
    try:
        return await connection.ask(chat_request(gateway.url, model, "Hello, who are you?", **options), keep=keep)
    finally:
        connection.close()


async def first_tokens(gateways: Sequence[Gateway], model: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds to the first text, for each gateway, in turn; on a connection that stays open, as clients do it."""
    connections = {gateway.name: await connect(gateway.url) for gateway in gateways}
    found: dict[str, list[float]] = {gateway.name: [] for gateway in gateways}
    for number in range(-5, rounds):  # the first ones warm up
        turn = number % len(gateways)
        for gateway in [*gateways[turn:], *gateways[:turn]]:
            if connections[gateway.name].closed:  # llama-server closes them after 100 requests
                connections[gateway.name] = await connect(gateway.url)
            request = chat_request(gateway.url, model, "Hello, who are you?", max_tokens=8)
            stream = await connections[gateway.name].ask(request)
            assert stream.whole, f"{gateway.name} did not answer"
            if number >= 0:
                found[gateway.name].append(stream.first * 1000)
    for connection in connections.values():
        connection.close()
    return found


async def per_token(gateway: Gateway, model: str) -> float:
    """Milliseconds from one token to the next, in a long reply at full speed."""
    times = []
    for _ in range(5):
        stream = await ask(gateway, model, max_tokens=LONG)
        assert stream.whole, f"{gateway.name} did not answer"
        assert stream.tokens == LONG, f"{gateway.name}: {stream.tokens} tokens"
        times.append((stream.last - stream.first) * 1000 / (LONG - 1))
    return median(times)


async def cpu_per_1000(gateway: Gateway) -> float:
    """CPU seconds for 1000 tokens that come at the speed of reading; what it uses when idle is taken off."""
    tree = Tree(gateway.pid)
    await ask(gateway, CPU_PACE)
    before, begun = tree.seconds(), monotonic()
    await asyncio.sleep(2)
    idle = (tree.seconds() - before) / (monotonic() - begun)
    before, begun = tree.seconds(), monotonic()
    streams = await asyncio.gather(*(ask(gateway, CPU_PACE) for _ in range(CPU_STREAMS)))
    used = tree.seconds() - before - idle * (monotonic() - begun)
    assert all(stream.whole and stream.marks == 200 for stream in streams), f"{gateway.name} lost tokens"
    return used / sum(stream.marks for stream in streams) * 1000


async def most_streams(gateway: Gateway) -> int:
    """How many replies at 20 tokens a second one core carries; found by doubling, then by halving the gap."""
    Tree(gateway.pid).pin({max(os.sched_getaffinity(0))})
    good, bad, number = 0, MOST + 1, 25
    while number <= MOST and bad - good > max(1, good // 10):
        if await _carries(gateway, number):
            good = number
        else:
            bad = number
        number = good * 2 if bad > MOST else (good + bad) // 2
    Tree(gateway.pid).pin(os.sched_getaffinity(0))
    return good


async def _carries(gateway: Gateway, number: int) -> bool:
    async def begin(n: int) -> Stream:
        await asyncio.sleep(n / number)  # not all in the same moment: the streams are what counts here
        return await ask(gateway, LIMIT_PACE)

    streams = await asyncio.gather(*(begin(n) for n in range(number)))
    lost = [stream for stream in streams if not stream.whole or stream.marks != 100]
    late = quantiles([stream.last - LIMIT_SECONDS for stream in streams], n=20)[-1]
    return not lost and late < LATE


async def at_once(gateway: Gateway, number: int) -> tuple[int, float]:
    """How many of so many canned replies at once were whole to the character, and the seconds they all took."""
    begun = monotonic()
    streams = await asyncio.gather(*(ask(gateway, "canned", keep=True) for _ in range(number)))
    expected = REPLIES["en"][0]
    return sum(stream.whole and text_of(stream) == expected for stream in streams), monotonic() - begun


def measure(folder: Path, rounds: int, with_litellm: bool) -> dict[str, object]:
    model = write_reciter(folder / "reciter.gguf", PIECES, endless=True)
    with ExitStack() as stack:
        say("starting the servers")
        bare = stack.enter_context(BareServer(model, alias="reciter", slots=4, context=4096))
        paced = stack.enter_context(paced_upstream())

        def falconry(name: str, **settings: Any) -> Gateway:
            running = stack.enter_context(Falconry(folder / name / "data", **{"canned": False, **settings}))
            return Gateway(name, running.url, running.process.pid)

        def endpoints(url: str, *models: str) -> str:
            return json.dumps([{"name": each, "url": f"{url}/v1", "model": each} for each in models])

        for name in ("falconry", "falconry relaying", "falconry paced", "canned"):
            (folder / name).mkdir()
        own = falconry("falconry", models=model, model="reciter", slots=4)
        relay = falconry("falconry relaying", endpoints=endpoints(bare.url, "reciter"), model="reciter")
        slow = falconry("falconry paced", endpoints=endpoints(paced, CPU_PACE, LIMIT_PACE), model=CPU_PACE)
        canned = falconry("canned", canned=True, canned_rate=50)
        chains = [Gateway("engine's own server", bare.url, 0), own, relay]
        relays = [(relay.name, slow)]
        if with_litellm:
            url, pid = stack.enter_context(litellm_proxy(folder, bare.url, ["reciter"]))
            chains.append(Gateway("litellm relaying", url, pid))
            (folder / "slow").mkdir()
            url, pid = stack.enter_context(litellm_proxy(folder / "slow", paced, [CPU_PACE, LIMIT_PACE]))
            relays.append(("litellm relaying", Gateway("litellm paced", url, pid)))
        rows = asyncio.run(_rows(chains, relays, rounds))
        say("200 at once")
        whole, seconds = asyncio.run(at_once(canned, 200))
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": [asdict(row) for row in rows],
        "whole_of_200": whole,
        "seconds_of_200": round(seconds, 1),
    }


async def _rows(chains: Sequence[Gateway], relays: Sequence[tuple[str, Gateway]], rounds: int) -> list[Row]:
    say("first tokens")
    firsts = await first_tokens(chains, "reciter", rounds)
    say("long replies")
    speeds = {gateway.name: await per_token(gateway, "reciter") for gateway in chains}
    say("CPU time")
    costs = {name: await cpu_per_1000(gateway) for name, gateway in relays}
    say("most streams")
    counts = {name: await most_streams(gateway) for name, gateway in relays}
    base = firsts[chains[0].name]
    rows = []
    for gateway in chains:
        times = firsts[gateway.name]
        added = chains[0] is not gateway
        rows.append(
            Row(
                gateway.name,
                first_p50=median(times),
                first_p95=_p95(times),
                added_first_p50=median(times) - median(base) if added else None,
                added_first_p95=_p95(times) - _p95(base) if added else None,
                per_token=speeds[gateway.name],
                added_per_token=speeds[gateway.name] - speeds[chains[0].name] if added else None,
                cpu_per_1000=costs.get(gateway.name),
                most_streams=counts.get(gateway.name),
            )
        )
    return rows


def say(stage: str) -> None:
    print(f"… {stage}", file=sys.stderr, flush=True)


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]


COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("first_p50", "first token, ms p50", "{:.2f}".format),
    ("first_p95", "p95", "{:.2f}".format),
    ("added_first_p50", "added p50", "{:+.2f}".format),
    ("added_first_p95", "added p95", "{:+.2f}".format),
    ("per_token", "ms per token", "{:.3f}".format),
    ("added_per_token", "added", "{:+.3f}".format),
    ("cpu_per_1000", "CPU s per 1000 tokens", "{:.3f}".format),
    ("most_streams", "streams on one core", "{:.0f}".format),
)


def table(found: dict[str, object]) -> str:
    """The figures as a table for the docs."""
    rows = found["rows"]
    assert isinstance(rows, list)
    lines = ["| | " + " | ".join(title for _, title, _ in COLUMNS) + " |", "| --- " * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = ["" if row[key] is None else show(row[key]) for key, _, show in COLUMNS]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    lines.append(f"\n200 at once: {found['whole_of_200']} whole, in {found['seconds_of_200']} s ({found['machine']})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=150, help="requests to each for the first token")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--without-litellm", action="store_true", help="do not install and measure it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.rounds, not options.without_litellm)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
