"""How Falconry is doing, for an admin's eye: what runs, how fast, and the last minutes as a curve.

Nothing is sampled while nobody looks. Every generation knows when it was asked for, began, brought its first and its
last token; from those of the last minutes any moment can be told afterwards.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from falconry.engines.pool import EnginePool
from falconry.engines.work import Work

WINDOW = 300.0  # seconds that are looked back on
STEP = 5.0  # seconds of one point of the curve
LATELY = 10.0  # seconds over which the speed of now is told
MOST = 2000  # generations that are remembered
AT_ONCE = 0.05  # seconds that a reply of a single piece counts as having taken


class Figures:
    """The generations of the last minutes. Whoever makes it hands it the pool, whose generations it remembers."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._ended: deque[Work] = deque(maxlen=MOST)
        self._began = monotonic()
        self._total = 0
        pool.on_end.append(self._remember)

    def _remember(self, work: Work) -> None:
        self._total += 1
        self._ended.append(work)

    def now(self) -> dict[str, Any]:
        """All figures, as JSON; times in seconds, memory in bytes, None for what cannot be told."""
        now = monotonic()
        running = list(self._pool.work)
        recent = [work for work in self._ended if (work.ended or now) > now - WINDOW]
        work = [*recent, *running]
        failed = [one for one in recent if one.outcome not in ("complete", "stopped")]
        return {
            "uptime": round(now - self._began),
            "generations": {"total": self._total, "recent": len(recent), "failed": len(failed)},
            **_load(running),
            **_speed(work, now),
            "memory": {"server": memory([_SELF]), "engines": engine_memory()},
            "models": [
                {
                    "name": model.name,
                    "title": model.title,
                    "engine": model.engine,
                    "default": model.default,
                    "loaded": model.name in self._pool.loaded(),
                    **_load([one for one in running if one.model == model.name]),
                    **_speed([one for one in work if one.model == model.name], now),
                }
                for model in self._pool.models()
            ],
            "history": history(work, now),
        }


def history(work: Sequence[Work], now: float) -> dict[str, Any]:
    """The last minutes, the oldest point first: tokens a second, and how many were written and waited at most."""
    points = round(WINDOW / STEP)
    tokens, running, waiting = [0.0] * points, [0] * points, [0] * points
    begin = now - WINDOW
    for one in work:
        end = one.ended or now
        began = one.began if one.began is not None else end
        first, last = math.floor((one.asked - begin) / STEP), math.floor((end - begin) / STEP)
        for index in range(max(first, 0), min(last + 1, points)):
            left, right = begin + index * STEP, begin + (index + 1) * STEP
            waiting[index] += _overlap(one.asked, began, left, right) > 0
            running[index] += _overlap(began, end, left, right) > 0
            tokens[index] += _written(one, left, right) / STEP
    return {"step": STEP, "tokens": [round(rate, 1) for rate in tokens], "running": running, "waiting": waiting}


def _written(work: Work, left: float, right: float) -> float:
    """How many of its tokens came between two moments, if they came evenly from its first to its last."""
    if work.first is None or work.last is None:
        return 0.0
    begin = min(work.first, work.last - AT_ONCE)
    return work.tokens * _overlap(begin, work.last, left, right) / (work.last - begin)


def _overlap(begin: float, end: float, left: float, right: float) -> float:
    return max(0.0, min(end, right) - max(begin, left))


def _load(running: Iterable[Work]) -> dict[str, Any]:
    begun = [one.began is not None for one in running]
    return {"running": sum(begun), "waiting": len(begun) - sum(begun)}


def _speed(work: Sequence[Work], now: float) -> dict[str, Any]:
    """Tokens a second of the last seconds, and how long the last minutes' first tokens took."""
    tokens = sum(_written(one, now - LATELY, now) for one in work)
    waits = sorted(one.first - one.asked for one in work if one.first is not None)
    return {
        "tokens_per_second": round(tokens / LATELY, 1),
        "first_token": {"median": _quantile(waits, 0.5), "p95": _quantile(waits, 0.95)},
    }


def _quantile(values: Sequence[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(len(values) * share))], 4) if values else None


_SELF = Path("/proc/self")


def engine_memory() -> int | None:
    """Bytes in RAM of all processes that we started; None where nobody can tell."""
    return memory(_children(_SELF))


def memory(processes: Iterable[Path]) -> int | None:
    """Bytes in RAM of processes, each a folder of /proc; None where there is no such folder, as on macOS."""
    found = []
    for process in processes:
        try:
            found.append(int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        except OSError:  # it has ended
            continue
    return sum(found) if found or _SELF.exists() else None


def _children(process: Path) -> list[Path]:
    """All processes below one."""
    found = []
    for task in process.glob("task/*/children"):
        try:
            pids = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        for pid in pids:
            child = process.parent / pid
            found += [child, *_children(child)]
    return found
