"""Opens what should be a model file without ever waiting for it, and reads its beginning."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from falconry.models.bad_file import bad_file

_CHUNK = 2**18
# A pipe that nobody writes to would block `open` for ever; a terminal would become ours.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; False too where that cannot be found out, which `Path.is_dir` raises for."""
    try:
        return path.is_dir()
    except OSError:
        return False


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[int, int]]:
    """The descriptor and the size in bytes of a regular file that is not empty. Raises BadModelFile."""
    try:
        descriptor = os.open(path, _FLAGS | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError as error:
        code = "model_file_link" if path.is_symlink() else "model_file_unreadable"
        raise bad_file(code, path, problem=error.strerror or "") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise bad_file("model_file_unreadable", path, problem=getattr(error, "strerror", None) or str(error)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise bad_file("model_file_not_regular", path)
        if status.st_size == 0:
            raise bad_file("model_file_empty", path)
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


class Beginning:
    """The first bytes of a file, read as far as they are asked for.

    It is read and not mapped: where somebody cuts a mapped file short, the next look at it kills the process.

    Args:
        limit: bytes at most; what would lie beyond is refused.
    """

    def __init__(self, path: Path, descriptor: int, size: int, limit: int) -> None:
        self.path = path
        self.size = size
        self.data = bytearray()
        self._descriptor = descriptor
        self._limit = limit

    def reach(self, end: int) -> None:
        """Have at least `end` bytes in `data`. Raises BadModelFile where there are not so many."""
        if end <= len(self.data):
            return
        if end > self.size:
            raise bad_file("model_file_truncated", self.path, size=self.size, needed=end)
        if end > self._limit:
            raise bad_file("model_file_header_size", self.path, limit_mib=self._limit // 2**20)
        # Twice as much each time, so that the whole costs no more than reading it once.
        wanted = min(max(end, 2 * len(self.data), _CHUNK), self.size, self._limit)
        try:
            while len(self.data) < wanted:
                chunk = os.read(self._descriptor, wanted - len(self.data))
                if not chunk:  # cut short since it was opened
                    raise bad_file("model_file_truncated", self.path, size=len(self.data), needed=end)
                self.data += chunk
        except OSError as error:
            raise bad_file("model_file_unreadable", self.path, problem=error.strerror or str(error)) from None
