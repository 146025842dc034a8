"""Locks on files, which the kernel lets go of however their process dies."""

from __future__ import annotations

import errno
import os
from typing import IO

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK)


def try_lock(file: IO[bytes], *, unsupported: bool = False) -> bool:
    """Lock an open file without waiting; False where somebody else, also of this process, holds it.

    Closing the file lets go of it. `unsupported` is the answer on file systems that know no locks.
    """
    try:
        if os.name == "nt":
            import msvcrt  # Windows only

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl  # everywhere else

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return unsupported and error.errno in _NO_LOCKS
    return True
