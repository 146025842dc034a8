"""The child process that reads one file: from standard input, to standard output, and then it is gone.

    python -P -m falconry.attachments.child MOST_CHARACTERS < FILE

It answers with a line of JSON and then the text. What a file makes of the parsers stays in here: memory, time and
processor are limited by the kernel, nothing can be opened for writing, no socket be made and no program be started, and
it dies with the process that started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from time import monotonic

from falconry.attachments.extract import extract
from falconry.attachments.result import Extracted, Unreadable

SECONDS = 10
"""After which nobody waits any more. What has been read until shortly before is used."""
MEMORY = 300 * 2**20
_ENOUGH = 7.5  # seconds after which no further page is begun
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "os.remove")


def main(most_characters: int) -> None:
    """Read standard input, write the answer."""
    until = monotonic() + _ENOUGH
    _limit()
    try:
        answer = _answer(extract(sys.stdin.buffer.read(), most_characters=most_characters, until=until))
    except Unreadable as error:
        answer = _refusal(error)
    except MemoryError:
        answer = _refusal(Unreadable("file_expands", limit_mib=MEMORY // 2**20))
    except Exception:  # the edge of the task: whatever a parser made of a file
        answer = _refusal(Unreadable("file_broken"))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def _answer(found: Extracted) -> bytes:
    head = {"media_type": found.media_type, "warning": found.warning, "details": dict(found.details)}
    return json.dumps(head).encode() + b"\n" + found.text.encode("utf-8", "replace")


def _refusal(error: Unreadable) -> bytes:
    return json.dumps({"error": error.code, "details": error.details}).encode() + b"\n"


def _limit() -> None:
    """From here on only what a reader needs is possible."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # A network of its own, with nothing in it: root may have one, others together with a namespace of users, where
        # the system allows that.
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    if sys.platform != "win32":
        import resource

        signal.alarm(SECONDS + 2)  # should its parent have died, and not be able to end it
        for name, most in (("RLIMIT_AS", MEMORY), ("RLIMIT_CPU", SECONDS), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
            with suppress(ValueError, OSError):  # macOS does not know all of them
                resource.setrlimit(getattr(resource, name), (most, most))
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[object, ...]) -> None:
    """Second line of defence: an exception at whatever a reader of files has no business with."""
    writes = event == "open" and isinstance(args[1], str) and bool(set(args[1]) & set("wax+"))
    writes |= event == "open" and isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes or event.startswith(_FORBIDDEN):
        raise PermissionError(event)


if __name__ == "__main__":
    main(int(sys.argv[1]))
