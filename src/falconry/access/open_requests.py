"""The requests in flight of sessions and keys, which end when their session or key does.

One task looks every two seconds whether what is in use is still good, also for what another process revoked; it lives
only while there are such requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from falconry.access.person import Person
from falconry.errors import StorageError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0

Ask = Callable[[Collection[str]], Awaitable[Mapping[str, Person]]]


class _Request:
    """One request in flight, and the task that answers it."""

    def __init__(self, person: Person, task: asyncio.Task[object]) -> None:
        self.person = person
        self.task = task
        self.cut = False


class OpenRequests:
    """See the module.

    Args:
        ask: who is behind credentials now, by their ids; those that are not good any more are missing.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._open: set[_Request] = set()
        self._hurry = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def run(self, person: Person, work: Awaitable[None]) -> bool:
        """Await the work of a request; False where it was cut short, its session or key having ended or changed."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered in a task")
        request = _Request(person, task)
        self._open.add(request)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="open requests")
        try:
            await work
        except asyncio.CancelledError:
            if not request.cut or task.cancelling() > 1:
                raise  # somebody else's cancellation
        finally:
            self._open.discard(request)
        if request.cut:
            task.uncancel()
        return not request.cut

    def hurry(self) -> None:
        """Look at once: something was revoked."""
        self._hurry.set()

    async def aclose(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hurry.wait()
            self._hurry.clear()
            waiting = [request for request in self._open if not request.cut]
            if not waiting:
                continue
            try:
                known = await self._ask({request.person.credential for request in waiting})
            except StorageError as error:
                logger.warning("Cannot see whether sessions and keys in use are still good: %s", error.code)
                continue
            for request in waiting:
                if request in self._open and known.get(request.person.credential) != request.person:
                    request.cut = True
                    request.task.cancel()
