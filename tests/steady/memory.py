"""What a process and its children hold: memory that is their own, files, threads."""

from __future__ import annotations

from pathlib import Path

import psutil

MIB = 2**20


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def own_bytes(pid: int) -> int:
    """RssAnon and VmSwap of a process and its children: what was swapped out does not show in RSS."""
    return sum(_status(process.pid) for process in family(pid))


def _status(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return sum(int(fields[name].split()[0]) for name in ("RssAnon", "VmSwap")) * 1024


def open_files(pid: int) -> int:
    return sum(process.num_fds() for process in family(pid))


def threads(pid: int) -> int:
    return sum(process.num_threads() for process in family(pid))


def connections(pid: int) -> int:
    """Connections of the process itself that are open."""
    return sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(pid).net_connections("tcp"))
