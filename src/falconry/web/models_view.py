"""The live view of the models page: it is told what changed, and asks for that.

    models      what can be chosen, or how it is, is other than it was
    files       what lies on this machine was looked through again
    downloads   a download began, went on or ended
    list        the person's list of conversations changed, for the page's sidebar

All of them at first, and then at most four times a second: of what changed more often, the page needs only the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

from fastapi import APIRouter
from fastapi.responses import Response

from falconry.chat.chat import Chat
from falconry.chat.replies import Watcher
from falconry.event_stream import SILENCE, EventStream
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.protocols.sse import comment, encode_json
from falconry.services import Services
from falconry.web.follow import wake_at_the_end

GAP = 0.25  # seconds at least between two events

Listeners: TypeAlias = list[Callable[[], None]]


class Changes:
    """Counts what changed, and wakes whoever looks at a models page.

    Args:
        lists: by the name of an event, the lists of callables that are called at a change, from any thread.
    """

    def __init__(self, lists: Mapping[str, Sequence[Listeners]]) -> None:
        self._counts = dict.fromkeys(lists, 0)
        self._watchers: dict[Watcher, asyncio.AbstractEventLoop] = {}
        for name, places in lists.items():
            for listeners in places:
                listeners.append(partial(self._tell, name))

    def _tell(self, name: str) -> None:
        self._counts[name] += 1
        for watcher, loop in tuple(self._watchers.items()):
            loop.call_soon_threadsafe(watcher.wake)

    @contextmanager
    def wake(self, watcher: Watcher) -> Iterator[None]:
        """Wake a watcher of this loop at every change, as long as the context lasts."""
        self._watchers[watcher] = asyncio.get_running_loop()
        try:
            yield
        finally:
            del self._watchers[watcher]

    def counts(self) -> dict[str, int]:
        """How often each has changed."""
        return dict(self._counts)


def models_view_router(services: Services) -> APIRouter:
    """`/view/models/events`."""
    router = APIRouter(prefix="/view/models", include_in_schema=False)
    changes = Changes(
        {
            "models": (services.pool.on_change, services.shelf.on_change),
            "files": (services.shelf.on_change,),
            "downloads": (services.downloads.on_change,),
        }
    )

    @router.get("/events")
    @user("conversations")
    async def models_events(asker: Asker) -> Response:
        """Server-sent events: see the module."""
        return EventStream(_events(changes, services.chat.of(asker.id), services.stopping))

    return router


async def _events(changes: Changes, chat: Chat, stopping: asyncio.Event) -> AsyncGenerator[bytes, None]:
    yield comment("falconry")
    with chat.watch(None) as watcher, changes.wake(watcher):
        ending = asyncio.create_task(wake_at_the_end(stopping, watcher))
        seen: dict[str, int] = {}
        try:
            while not stopping.is_set():
                now = changes.counts() | {"list": chat.list_version()}
                news = b"".join(encode_json({}, event=name) for name, count in now.items() if seen.get(name) != count)
                seen = now
                if news:
                    yield news
                    await asyncio.sleep(GAP)
                if not await watcher.wait(SILENCE):
                    yield comment()
        finally:
            ending.cancel()
