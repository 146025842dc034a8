"""Fetches one file: goes on where it ended, tries again, and believes nothing that a server says of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from falconry.models import download_errors as errors
from falconry.models.download_errors import TemporaryFailure
from falconry.models.download_plan import PlannedFile
from falconry.models.hub import Hub
from falconry.models.outgoing import Answer, read_size
from falconry.models.part import Part

RETRIES = 6
"""Tries without a single new byte, beside the first one."""
LONGEST_WAIT = 120.0
"""Seconds. A server that wants more by Retry-After is one for later: then the person decides."""
_BLOCK = 2**20  # bytes that are written at once, or what has arrived in
_PATIENCE = 0.25  # seconds
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GGUF = b"GGUF"


class _Changed(Exception):
    """The file there is another one than that of which we have the beginning."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. `first_wait` in seconds; it doubles with every try that brings nothing."""

    retries: int = RETRIES
    first_wait: float = 1.0
    longest_wait: float = LONGEST_WAIT


class Fetch:
    """The fetching of one file into a part.

    Args:
        etag: the one that the beginning of the part came with, None where it is unknown.
        on_bytes: told of bytes that have arrived; also of a negative number, when it begins anew.
        on_etag: told of the ETag, to be kept for the next time.
    """

    def __init__(
        self,
        hub: Hub,
        file: PlannedFile,
        part: Part,
        *,
        repository: str | None,
        etag: str | None,
        on_bytes: Callable[[int], None],
        on_etag: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self._hub = hub
        self._file = file
        self._part = part
        self._repository = repository
        self._etag = etag
        self._on_bytes = on_bytes
        self._on_etag = on_etag
        self._patience = patience or Patience()
        self._told = 0  # bytes that on_bytes knows of

    async def run(self) -> None:
        """Fetch what is missing, until the file is complete and its content the announced one. The part is open.

        Raises DownloadFailed, NotAllowed, NotFound. What is there is kept, unless its content is wrong.
        """
        self._told = self._part.size
        had_some = self._part.size > 0
        await self._fill()
        if await self._part.finish():
            return
        await self._restart()
        if had_some:  # the beginning was another file's, or the disk lost some of it
            await self._fill()
            if await self._part.finish():
                return
            await self._restart()
        raise errors.wrong_content(self._file.path)

    async def _fill(self) -> None:
        tries, restarts, furthest = 0, 0, self._part.size
        while self._part.size < self._file.size:
            try:
                await self._once()
                return
            except _Changed:
                restarts += 1
                await self._restart()
                furthest = 0
                if restarts > self._patience.retries:
                    raise errors.wrong_content(self._file.path) from None
                continue
            except TemporaryFailure as failure:
                # Whoever sends new bytes at every try gets there, however often the connection breaks.
                tries = 1 if self._part.size > furthest else tries + 1
                furthest = max(furthest, self._part.size)
                wait = failure.retry_after
                if wait is None:
                    wait = self._patience.first_wait * 2.0 ** (tries - 1)
                elif wait > self._patience.longest_wait:
                    raise
                if tries > self._patience.retries:
                    raise
            await asyncio.sleep(wait)

    async def _once(self) -> None:
        """One request for what is missing."""
        headers = {}
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
            if self._etag is not None and not self._etag.startswith("W/"):
                headers["If-Range"] = self._etag
        async with self._hub.outgoing.get(self._file.url, headers=headers) as answer:
            await self._begin(answer)
            await self._read(answer)

    async def _begin(self, answer: Answer) -> None:
        """Compare the head of an answer with what it should be."""
        if answer.status == 416:
            raise _Changed
        if answer.status not in (200, 206):
            raise self._hub.refusal(answer, self._repository)
        kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml") or (answer.header("content-encoding") or "identity") not in (
            "identity",
            "",
        ):
            raise errors.not_a_model(answer.host, self._file.path)
        etag = answer.header("etag")
        if answer.status == 200 and self._part.size:  # no ranges there, or another file by now
            await self._restart()
        elif answer.status == 206:
            if self._etag is not None and etag is not None and etag != self._etag:
                raise _Changed
            self._check_range(answer)
        elif (length := answer.header("content-length")) is not None and length != str(self._file.size):
            raise errors.wrong_length(self._file.path, self._file.size, length[:20])
        if etag is not None and etag != self._etag:
            self._etag = etag
            self._on_etag(etag)

    def _check_range(self, answer: Answer) -> None:
        found = _CONTENT_RANGE.fullmatch(answer.header("content-range") or "")
        if found is None or int(found[1]) != self._part.size:
            raise _Changed
        if found[3] not in ("*", str(self._file.size)):
            raise errors.wrong_length(self._file.path, self._file.size, found[3][:20])

    async def _read(self, answer: Answer) -> None:
        pending = bytearray()
        written = 0.0
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    pending += chunk
                    if self._part.size + len(pending) > self._file.size:
                        raise errors.wrong_length(self._file.path, self._file.size, f">{self._file.size}")
                    self._tell(self._part.size + len(pending))
                    if len(pending) >= _BLOCK or monotonic() - written > _PATIENCE:
                        await self._write(pending, answer)
                        written = monotonic()
        except (TemporaryFailure, asyncio.CancelledError):  # cut off, or paused: what has arrived is kept
            await asyncio.shield(self._write(pending, answer))
            raise
        await self._write(pending, answer)
        if self._part.size < self._file.size:
            raise errors.broken_off(answer.host)

    async def _write(self, pending: bytearray, answer: Answer) -> None:
        if not pending:
            return
        if self._part.size == 0 and self._file.path.lower().endswith(".gguf"):
            beginning = bytes(pending[: len(_GGUF)])
            if not _GGUF.startswith(beginning) and beginning != _GGUF:
                raise errors.not_a_model(answer.host, self._file.path)
        data = bytes(pending)
        pending.clear()
        await self._part.append(data)

    async def _restart(self) -> None:
        await self._part.restart()
        self._etag = None
        self._tell(0)

    def _tell(self, size: int) -> None:
        self._on_bytes(size - self._told)
        self._told = size


async def describe(hub: Hub, url: str, file: str, repository: str | None = None) -> tuple[int, str | None]:
    """The size of a file in bytes, and its SHA-256 where the hub gives it, by asking for its first byte.

    Not by HEAD: stores sign their links for GET, and refuse all else.

    Raises as `Fetch.run`, and DownloadFailed where the server does not say how large it is.
    """
    async with hub.outgoing.get(url, headers={"Range": "bytes=0-0"}) as answer:
        if answer.status not in (200, 206):
            raise hub.refusal(answer, repository)
        size = answer.linked_size if answer.linked_size is not None else _whole_size(answer)
        if size is None:
            raise errors.no_length(answer.host, file)
        etag = answer.linked_etag or ""
        return size, etag if _SHA256.fullmatch(etag) else None


def _whole_size(answer: Answer) -> int | None:
    if answer.status == 206:
        found = _CONTENT_RANGE.fullmatch(answer.header("content-range") or "")
        return int(found[3]) if found is not None and found[3] != "*" else None
    return read_size(answer.header("content-length") or "")
