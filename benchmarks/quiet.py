"""Keep other processes from taking the cores while something short is measured, where the system allows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def undisturbed(*pids: int) -> Iterator[None]:
    """Run these processes, and whoever calls, before all others: Linux's real-time class, for root only.

    Meant for a second or two at a time: nothing else runs meanwhile.
    """
    found = [0, *(thread for pid in pids for thread in _threads(pid))]
    with suppress(PermissionError):
        for thread in found:
            _schedule(thread, realtime=True)
    try:
        yield
    finally:
        for thread in found:
            _schedule(thread, realtime=False)


def _threads(pid: int) -> list[int]:
    return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()] if sys.platform == "linux" else []


def _schedule(thread: int, *, realtime: bool) -> None:
    if sys.platform == "linux":
        policy = os.SCHED_FIFO if realtime else os.SCHED_OTHER
        with suppress(ProcessLookupError):
            os.sched_setscheduler(thread, policy, os.sched_param(1 if realtime else 0))
