"""Locks on files, which the kernel lets go of however their process dies."""

from __future__ import annotations

import os
from typing import IO


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file without waiting; False where somebody else, also of this process, holds it.

    Closing the file lets go of it.
    """
    try:
        if os.name == "nt":
            import msvcrt  # Windows only

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl  # everywhere else

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
