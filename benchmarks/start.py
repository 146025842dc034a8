"""Seconds from the command `falconry` to a page that answers, and to the first token of the built-in model.

Also the memory of the server and of the engine when nothing happens (PSS, so that shared pages count once).

    python -m benchmarks.start [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from time import monotonic, sleep

from tests.process import Falconry


def memory_mib(pid: int) -> float:
    """Proportional set size of one process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def one_round(folder: Path) -> tuple[float, float, float, float]:
    """Seconds to the page and to the first token; MiB of the server and of its engine."""
    begun = monotonic()
    with Falconry(folder / "data", model="eyas", pages=True) as falconry, falconry.client() as client:
        client.get("/").raise_for_status()
        page = monotonic() - begun
        conversation_id = client.post("/api/conversations").json()["id"]
        body = {"content": "Which animals live on the savanna?"}
        reply = client.post(f"/api/conversations/{conversation_id}/replies", json=body).json()["reply"]
        with client.stream("GET", f"/api/replies/{reply['id']}/events") as stream:
            for line in stream.iter_lines():
                if line == "event: delta":
                    break
        first_token = monotonic() - begun
        sleep(3)
        pid = falconry.process.pid
        engine = sum(memory_mib(child) for child in children(pid))
        server = memory_mib(pid)
        falconry.stop()
    return page, first_token, server, engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(Path(folder)))
    page, token, server, engine = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"page answers after {page:.1f} s, first token after {token:.1f} s (median of {options.rounds})")
    print(f"idle memory: server {server:.0f} MiB, engine {engine:.0f} MiB")


if __name__ == "__main__":
    main()
