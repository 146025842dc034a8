"""What this machine has for models: memory, cores, graphics cards, and how fast its memory is read.

Inside a container its limits count, not the machine's size: both versions of Linux's control groups are read. Whatever
cannot be found out is None; nothing here raises.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Lock, Thread
from time import monotonic, perf_counter, thread_time

_CGROUPS = Path("/sys/fs/cgroup")
_NO_LIMIT = 2**60
"""Version 1 of the control groups says “no limit” with a number near 2^63."""
_READ = 128 * 2**20
"""Bytes that are read for the bandwidth. More than most processors' caches hold, and filled in a tenth of a second."""
_ROUNDS = 5
_MEASURE_AGAIN = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card that llama.cpp can use, with its memory in bytes."""

    name: str
    total_memory: int
    free_memory: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory in bytes, as far as this process may use it; cores that it may use."""

    total_memory: int | None
    free_memory: int | None
    cores: int
    gpus: tuple[Gpu, ...] = ()


def machine() -> Machine:
    """This machine at this moment. Graphics cards are asked with a program of theirs: up to 2 s, blocking."""
    return Machine(total_memory(), free_memory(), cores(), gpus())


def total_memory() -> int | None:
    """Bytes of memory that this process could have if nothing else ran."""
    limits = [_kilobytes("MemTotal") or _sysctl("hw.memsize"), *(limit for limit, _ in _cgroup_memory())]
    return min((limit for limit in limits if limit is not None), default=None)


def free_memory() -> int | None:
    """Bytes that can be had now without anything else being pushed out; caches of files count as free."""
    rooms = [_kilobytes("MemAvailable") or _mac_available(), *(limit - used for limit, used in _cgroup_memory())]
    return max(0, min((room for room in rooms if room is not None), default=0)) if rooms != [None] else None


def cores() -> int:
    """Cores that this process may use at the same time."""
    own = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = _cgroup_cores()
    return max(1, min(own, quota)) if quota is not None else own


def measure_bandwidth() -> float:
    """The best that `read_memory` has found in this process. What else runs can only slow it down, so it is measured
    again when the last time is a minute ago."""
    with _measuring:
        if not _measured or monotonic() - _measured[-1][0] > _MEASURE_AGAIN:
            best = max((found for _, found in _measured), default=0.0)
            _measured[:] = [(monotonic(), max(best, read_memory()))]
        return _measured[-1][1]


_measured: list[tuple[float, float]] = []
_measuring = Lock()


def read_memory() -> float:
    """Bytes per second that all cores together read from memory. Blocks for a third of a second.

    Every thread searches its part of a block for a byte that is not there: `memchr` of the C library, which reads as
    fast as the processor can, and outside Python's lock. The block is written first, since pages that nobody has
    written are all the same one. The best of some rounds counts.
    """
    memchr = (ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)).memchr
    memchr.argtypes, memchr.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], ctypes.c_void_p
    block = mmap.mmap(-1, _READ)
    start = ctypes.addressof(ctypes.c_char.from_buffer(block))
    ctypes.memset(start, 1, _READ)
    threads = cores()
    part = _READ // threads
    return max(_timed_read(memchr, start, part, threads) for _ in range(_ROUNDS))


def _timed_read(memchr: Callable[..., object], start: int, part: int, threads: int) -> float:
    ready, seconds = Barrier(threads), [0.0] * threads

    def read(number: int) -> None:
        ready.wait()
        begun = _clock()
        memchr(start + number * part, 0, part)
        seconds[number] = _clock() - begun

    readers = [Thread(target=read, args=(number,)) for number in range(threads)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return part * threads / max(seconds)


_clock = perf_counter if sys.platform == "win32" else thread_time
"""A thread's own time on a core, so that what else wants the core does not count; on Windows it ticks too slowly."""


def gpus() -> tuple[Gpu, ...]:
    """Graphics cards of NVIDIA's. An Apple processor's shares the memory of the machine, so it is none of its own."""
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_nvidia(done.stdout)


def parse_nvidia(table: str) -> tuple[Gpu, ...]:
    """The cards in what `nvidia-smi` prints: name, MiB in all, MiB free. Lines of another form are left out."""
    found = []
    for line in table.splitlines():
        with suppress(ValueError):
            name, total, free = (part.strip() for part in line.rsplit(",", 2))
            found.append(Gpu(name, int(total) * 2**20, int(free) * 2**20))
    return tuple(found)


def _cgroup_memory() -> list[tuple[int, int]]:
    """Limit and used bytes of the control groups that this process is in. Clean pages of files can be given up."""
    found = []
    for folder, limit_name, used_name in (
        *((folder, "memory.max", "memory.current") for folder in _own_groups("")),
        *((folder, "memory.limit_in_bytes", "memory.usage_in_bytes") for folder in _own_groups("memory")),
    ):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and used is not None and limit < _NO_LIMIT:
            found.append((limit, used - min(used, _inactive_file(folder))))
    return found


def _cgroup_cores() -> int | None:
    """Whole cores that the control groups allow, rounded up."""
    shares = []
    for folder in _own_groups(""):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            shares.append((int(quota), int(period)))
    for folder in _own_groups("cpu"):
        quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota_us is not None and period_us is not None:
            shares.append((quota_us, period_us))
    return min((-(-quota // period) for quota, period in shares if quota > 0 and period > 0), default=None)


def _own_groups(controller: str) -> list[Path]:
    """The folders of this process's control group and of those around it. `controller` is "" for version 2.

    Inside a container the path that the kernel tells may be the host's; then only the root, which is the container's
    own, is there.
    """
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (controller in controllers.split(",")) if controller else (number == "0" and not controllers):
            root = _CGROUPS / controller
            own = root / path.lstrip("/")
            return [folder for folder in (own, *own.parents) if folder.is_relative_to(root) and folder.is_dir()]
    return []


def _inactive_file(folder: Path) -> int:
    counts = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    told = counts.get("total_inactive_file", counts.get("inactive_file", "0"))
    return int(told) if told.isdigit() else 0


def _kilobytes(name: str) -> int | None:
    for line in _text(Path("/proc/meminfo")).splitlines():
        key, _, value = line.partition(":")
        if key == name and value.split()[:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1024
    return None


def _mac_available() -> int | None:
    """Free, inactive and speculative pages, as macOS counts them."""
    pages, size = _sysctl("vm.page_free_count"), _sysctl("hw.pagesize")
    if pages is None or size is None:
        return None
    return (pages + (_sysctl("vm.page_purgeable_count") or 0) + (_sysctl("vm.page_speculative_count") or 0)) * size


def _sysctl(name: str) -> int | None:
    """A number that macOS tells of itself."""
    if sys.platform != "darwin":
        return None
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        return int(subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, timeout=2, check=True).stdout)
    return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
