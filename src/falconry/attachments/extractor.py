"""Reads a file's text in a child process, two at the same time at most, and says in words what was wrong with it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from falconry.attachments.child import SECONDS
from falconry.errors import FalconryError, InvalidRequest

AT_ONCE = 2
_HEAD = 4096  # bytes of the answer's first line
# Ours has keys in it, which a parser of strangers' files need not know.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL")


class UnreadableFile(InvalidRequest):
    """The file is whole, and there is nothing in it that a model could read."""

    status = 422
    default_code = "file_broken"


@dataclass(frozen=True, slots=True)
class _Sentence:
    code: str
    text: str

    def filled(self, details: Mapping[str, int]) -> str:
        return self.text.format(**details)


# Filled in with what the child tells.
REFUSALS = {
    sentence.code: sentence
    for sentence in (
        _Sentence(code="file_empty", text="The file is empty."),
        _Sentence(
            code="file_not_text",
            text="There is no text in this file. Falconry reads text of any kind, PDF, Word, PowerPoint, Excel and "
            "OpenDocument.",
        ),
        _Sentence(
            code="file_is_image",
            text="No model can see this kind of picture. Save it as PNG or JPEG, and attach that.",
        ),
        _Sentence(
            code="file_old_office",
            text="This is an old Office document, or one with a password. Save it as .docx, .xlsx, .pptx or PDF, "
            "without a password.",
        ),
        _Sentence(code="file_encrypted", text="The file is protected by a password. Save a copy without it."),
        _Sentence(
            code="pdf_encrypted",
            text="The PDF is protected. Open it and print or save it as a new PDF without protection.",
        ),
        _Sentence(
            code="pdf_without_text",
            text="There is no text in this PDF: its pages are pictures. Run a text recognition (OCR) on it first.",
        ),
        _Sentence(code="file_broken", text="The file is damaged: its text cannot be read."),
        _Sentence(code="file_expands", text="Unpacked, the file is larger than {limit_mib} MiB. Attach a part of it."),
        _Sentence(
            code="file_too_long", text="The file's text has more than {limit:,} characters. Attach a part of it."
        ),
        _Sentence(code="file_too_slow", text="The file could not be read in {seconds} seconds. Attach a part of it."),
    )
}
WARNINGS = {
    sentence.code: sentence
    for sentence in (
        _Sentence(
            code="pdf_partly_read",
            text="Only the first {read} of {pages} pages were read: there was no time for more.",
        ),
        _Sentence(
            code="pdf_pages_without_text",
            text="{count} of {pages} pages have no text, only pictures.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's text. `warning` is as `FalconryError.as_dict`, where not all of it could be read."""

    media_type: str
    text: str
    warning: Mapping[str, object] | None = None


@dataclass(slots=True)
class Extractor:
    """See the module.

    Attributes:
        seconds: that one file may take.
    """

    seconds: float = SECONDS
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def read(self, data: bytes, *, most_characters: int) -> ReadFile:
        """The text of a file. Raises UnreadableFile, which says what is wrong with it."""
        async with self._places:
            try:
                async with asyncio.timeout(self.seconds):
                    output = await _in_a_child(data, most_characters)
            except TimeoutError:
                raise _refusal("file_too_slow", {"seconds": round(self.seconds)}) from None
        return _understood(output)


async def _in_a_child(data: bytes, most_characters: int) -> bytes:
    """What the child says; b"" where it died. However this ends, it is gone then."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "falconry.attachments.child", str(most_characters)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,  # Ctrl-C in the terminal is for us
    )
    feeding = asyncio.create_task(_feed(process, data))
    try:
        return await _answer(process, most=4 * most_characters + _HEAD)
    finally:
        feeding.cancel()
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(asyncio.gather(process.wait(), feeding, return_exceptions=True))


async def _feed(process: Process, data: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - we asked for a pipe
    with suppress(BrokenPipeError, ConnectionResetError):  # it has seen enough, or died
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _answer(process: Process, *, most: int) -> bytes:
    assert process.stdout is not None  # noqa: S101 - we asked for a pipe
    parts: list[bytes] = []
    size = 0
    while size <= most and (part := await process.stdout.read(2**16)):
        parts.append(part)
        size += len(part)
    if size > most or await process.wait() != 0:
        return b""
    return b"".join(parts)


def _understood(output: bytes) -> ReadFile:
    line, newline, text = output.partition(b"\n")
    if not newline:  # it was ended by the kernel, for its memory or its time, or by a bug in a parser
        raise _refusal("file_broken", {})
    head: dict[str, Any] = json.loads(line)
    if "error" in head:
        raise _refusal(head["error"], head["details"])
    warning = None
    if head["warning"]:
        sentence = WARNINGS[head["warning"]]
        details = head["details"]
        warning = FalconryError(sentence.filled(details), code=sentence.code, **details).as_dict()
    return ReadFile(head["media_type"], text.decode("utf-8", "replace"), warning)


def _refusal(code: str, details: Mapping[str, int]) -> UnreadableFile:
    sentence = REFUSALS[code]
    return UnreadableFile(sentence.filled(details), code=sentence.code, **details)
