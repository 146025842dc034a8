"""A file that is not complete yet: appended to in threads, its checksum reckoned on the way, never used by two."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

from falconry.errors import FalconryError, NotEnoughSpace
from falconry.models import download_errors as errors
from falconry.models.checksum import Hasher
from falconry.models.download_plan import PlannedFile
from falconry.models.space import RESERVE, free_space

_CHUNK = 4 * 2**20
_LOOK_EVERY = 64 * 2**20  # bytes written between two looks at the free space


class Part:
    """An open partial file. `size` is how much of it there is, in bytes.

    Raises FalconryError in all its methods: NotEnoughSpace, or DownloadFailed with what the system says.
    """

    def __init__(self, path: Path, file: PlannedFile, *, reserve: int = RESERVE) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._reserve = reserve
        self._unlooked = 0
        self._hasher: Hasher | None = None
        self._open: io.FileIO | None = None
        self._lock = threading.Lock()

    async def open(self) -> None:
        """Open it, and read what is there already for the checksum."""
        await asyncio.to_thread(self._do, self._reopen)

    async def append(self, data: bytes) -> None:
        await asyncio.to_thread(self._do, lambda: self._append(data))

    async def restart(self) -> None:
        """Throw away what is there."""
        await asyncio.to_thread(self._do, self._truncate)

    async def finish(self) -> bool:
        """Have it on the disk for good. Gives whether its content is the announced one."""
        await asyncio.to_thread(self._do, self._sync)
        checksum = self._file.checksum
        return checksum is None or self._hasher is None or self._hasher.hexdigest() == checksum.value

    def close(self) -> None:
        """Waits for a write that is under way: milliseconds."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _do(self, work: Callable[[], None]) -> None:
        with self._lock:
            try:
                work()
            except OSError as error:
                raise self._translated(error) from None

    def _reopen(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer of Python's: what we tell is there survives our own end.
        self._open = self.path.open("ab", buffering=0)
        there = self.path.stat().st_size
        if there > self._file.size:
            self._truncate()
            return
        self._begin()
        with self.path.open("rb") as file:
            while chunk := file.read(min(_CHUNK, there - self.size)):
                self._count(chunk)

    def _append(self, data: bytes) -> None:
        if self._open is None:  # closed meanwhile: whoever fetched was cancelled
            return
        self._unlooked += len(data)
        if self._unlooked >= _LOOK_EVERY:
            self._unlooked = 0
            free = free_space(self.path.parent)
            if free < self._reserve + len(data):
                raise NotEnoughSpace(self._file.size - self.size + self._reserve, free, str(self.path.parent))
        rest = memoryview(data)
        while rest:
            rest = rest[self._open.write(rest) :]
        self._count(data)

    def _truncate(self) -> None:
        if self._open is not None:
            self._open.truncate(0)
            self._begin()

    def _sync(self) -> None:
        if self._open is not None:
            os.fsync(self._open.fileno())

    def _begin(self) -> None:
        self.size = 0
        self._hasher = self._file.checksum.hasher(self._file.size) if self._file.checksum else None

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        if self._hasher is not None:
            self._hasher.update(data)

    def _translated(self, error: OSError) -> FalconryError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NotEnoughSpace(self._file.size - self.size, free_space(self.path.parent), str(self.path.parent))
        return errors.cannot_write(self._file.path, error.strerror or str(error))
