"""Carries out one plan: fetches its files, checks them, and only then gives them their names.

One process at a time does so for a plan, by a lock that ends with it. Another one that wants the same waits for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from falconry.errors import BadModelFile
from falconry.file_lock import try_lock
from falconry.models import download_errors as errors
from falconry.models.download_plan import DownloadFolder, Plan, PlannedFile, State
from falconry.models.fetch import Fetch, Patience
from falconry.models.gguf import read_header
from falconry.models.hub import Hub
from falconry.models.part import Part
from falconry.models.space import RESERVE
from falconry.models.split import part_number, part_paths

LOOK_AGAIN = 0.5
"""Seconds between two looks whether the process that fetches has ended."""


@asynccontextmanager
async def locked(folder: DownloadFolder, download_id: str, on_wait: Callable[[], None]) -> AsyncIterator[bool]:
    """Hold the lock of a download. Gives whether another one had to be waited for.

    Args:
        on_wait: called each time when another one still holds it.

    Raises DownloadFailed where the folder cannot be written.
    """
    waited = False
    while (file := await asyncio.to_thread(_take, folder, download_id)) is None:
        waited = True
        on_wait()
        await asyncio.sleep(LOOK_AGAIN)
    try:
        yield waited
    finally:
        file.close()


def _take(folder: DownloadFolder, download_id: str) -> IO[bytes] | None:
    path = folder.lock_path(download_id)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise errors.cannot_write(str(path), error.strerror or str(error)) from None
    # Whoever held it may have removed the file: then ours is one that nobody else will ever open.
    if try_lock(file, unsupported=True) and path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
        return file
    file.close()
    return None


def is_held(folder: DownloadFolder, download_id: str) -> bool:
    """Whether some process fetches it at this moment."""
    if not folder.lock_path(download_id).exists():
        return False
    file = _take(folder, download_id)
    if file is not None:
        file.close()
    return file is None


class Transfer:
    """The work on one plan, by whoever holds its lock.

    Args:
        etags: those of the parts that are there, by path; kept up to date.
        on_state, on_bytes, on_etag: told of what happens.
    """

    def __init__(
        self,
        plan: Plan,
        folder: DownloadFolder,
        hub: Hub,
        *,
        etags: dict[str, str],
        on_state: Callable[[State], None],
        on_bytes: Callable[[int], None],
        on_etag: Callable[[], None],
        patience: Patience | None = None,
        reserve: int = RESERVE,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._hub = hub
        self._etags = etags
        self._on_state = on_state
        self._on_bytes = on_bytes
        self._on_etag = on_etag
        self._patience = patience
        self._reserve = reserve

    async def run(self) -> None:
        """Raises FalconryError: what fetching raises, and BadModelFile for a file that no engine should get."""
        missing = [file for file in self._plan.files if not await self._is_there(file)]
        for file in missing:
            self._on_state("running")
            await self._fetch(file)
        self._on_state("verifying")
        try:
            await asyncio.to_thread(self._check_headers)
        except BadModelFile:
            await asyncio.to_thread(self._folder.forget, self._plan.id)
            raise
        await _to_its_end(asyncio.to_thread(self._publish))

    async def _is_there(self, file: PlannedFile) -> bool:
        """Whether a file is in its place already, from another time or another download."""
        target = self._folder.target(self._plan, file)
        if not target.is_file() or target.stat().st_size != file.size:
            return False
        self._on_state("verifying")
        return file.checksum is None or await asyncio.to_thread(file.checksum.matches, target)

    async def _fetch(self, file: PlannedFile) -> None:
        part = Part(self._folder.part(self._plan, file), file, reserve=self._reserve)
        try:
            await part.open()
            fetch = Fetch(
                self._hub,
                file,
                part,
                repository=self._plan.repository,
                etag=self._etags.get(file.path),
                on_bytes=self._on_bytes,
                on_etag=lambda etag: self._keep_etag(file, etag),
                patience=self._patience,
            )
            await fetch.run()
        finally:
            part.close()

    def _keep_etag(self, file: PlannedFile, etag: str) -> None:
        self._etags[file.path] = etag
        self._on_etag()

    def _check_headers(self) -> None:
        """Blocking, a second at most for each model."""
        for file in self._plan.files:
            path = self._folder.part(self._plan, file)
            if not file.path.lower().endswith(".gguf") or part_number(path) != 1:
                continue
            if all(part.exists() for part in part_paths(path)):  # else they were checked, and are half in their places
                read_header(path)

    def _publish(self) -> None:
        """Move the files into their places, so that whoever looks meanwhile finds nothing that seems complete."""
        with _told_as_ours(self._plan.title):
            for file in sorted(self._plan.files, key=_is_what_is_looked_for):
                part = self._folder.part(self._plan, file)
                if part.exists():
                    target = self._folder.target(self._plan, file)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part.replace(target)
        with suppress(OSError):
            self._folder.forget(self._plan.id)


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Wait for work of milliseconds that a cancellation must not leave half done: then it comes too late."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


@contextmanager
def _told_as_ours(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.cannot_write(name, error.strerror or str(error)) from None


def _is_what_is_looked_for(file: PlannedFile) -> tuple[bool, str]:
    """Last come the files that make a model one: config.json, and the first part of several."""
    name = PurePosixPath(file.path).name
    first = name.lower().endswith(".gguf") and "mmproj" not in name.lower() and part_number(Path(name)) == 1
    return first or name == "config.json", file.path
