"""Keeps what can be chosen up to date: looks at the disk in the background, hears of endpoints, and tells the pool.

The start waits for none of it. What the settings name is there at once; what else there is follows when the disk has
been read, and again whenever something may have changed: a download is done, an endpoint was added, somebody opened the
picker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from falconry.engines.adapters_of import NO_PAIRS, Pairs, pair_adapters
from falconry.engines.endpoints import Endpoints
from falconry.engines.offered import Offer, offer
from falconry.engines.pool import EnginePool
from falconry.errors import FalconryError
from falconry.models.advice import free_for_models
from falconry.models.local import find_models
from falconry.models.local_model import LocalModel
from falconry.settings import Settings

_log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # at least, between two looks that nobody insisted on


class Shelf:
    """See the module. Its methods belong to one event loop.

    Attributes:
        on_change: called when something else lies on the disk. What can be chosen, the pool tells itself.
    """

    def __init__(self, settings: Settings, pool: EnginePool, endpoints: Endpoints) -> None:
        self._settings = settings
        self._pool = pool
        self._endpoints = endpoints
        self._local: list[LocalModel] | None = None
        self._pairs = NO_PAIRS
        self._scanning = asyncio.Lock()
        self._begun = self._done = 0  # scans
        self._looked = float("-inf")
        self._looks: set[asyncio.Task[None]] = set()
        self._open = False
        self._missing: FalconryError | None = None
        self._required = False  # whoever asks for it is told by an error
        self.on_change: list[Callable[[], None]] = []

    def open(self) -> None:
        """Begin: a first look, in the background."""
        self._open = True
        self._endpoints.on_change.append(self._offer)
        self.look(now=True)

    def local(self) -> list[LocalModel]:
        """What lay on the disk at the last look; empty before the first."""
        return list(self._local or ())

    async def refresh(self) -> None:
        """Look at the disk, with a look that begins after now. Those who ask during one share the next."""
        wanted = self._begun + 1
        async with self._scanning:
            if self._done >= wanted:
                return
            self._begun += 1
            before = self._local
            self._local, self._pairs = await asyncio.to_thread(_scan, self._settings)
            self._done = self._begun
        self._offer()
        if _places(before) != _places(self._local):
            for notice in list(self.on_change):
                notice()

    def look(self, *, now: bool = False) -> None:
        """Look at disk and endpoints in the background, soon; without `now` at most every few seconds."""
        due = now or monotonic() - self._looked >= LOOK_SECONDS
        if not self._open or not due or (self._looks and not now):
            return
        self._looked = monotonic()
        task = asyncio.create_task(self._look(), name="look for models")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look(self) -> None:
        try:
            await self.refresh()
            await self._endpoints.refresh()
        except FalconryError as error:
            _log.warning("The models could not be looked for: %s", error.message)
        except Exception:
            _log.exception("The models could not be looked for")

    async def require_default(self) -> None:
        """Raise ModelNotFound where the model that the settings name is not there, after a look at the disk."""
        self._required = True
        if self._done == 0:
            await self.refresh()
        if self._missing is not None:
            raise self._missing

    def _offer(self) -> None:
        if not self._open:
            return
        offered = offer(self._settings, self._endpoints.choices(), self._local, self._pairs)
        before, self._missing = self._missing, offered.missing
        if self._missing is not None and before is None and self._local is not None and not self._required:
            # At the terminal, too: who has named the model there may not look at the page.
            _log.warning("%s Eyas answers until it is there.", self._missing.message)
        self._pool.offer(offered.specs, offered.default)

    async def aclose(self) -> None:
        """Look no more."""
        self._open = False
        looks = list(self._looks)
        for task in looks:
            task.cancel()
        await asyncio.gather(*looks, return_exceptions=True)


def _scan(settings: Settings) -> tuple[list[LocalModel], Pairs]:
    found = find_models(settings)
    return found, pair_adapters(found)


def _places(found: Sequence[LocalModel] | None) -> object:
    """What of the models on the disk is told, to see whether it has changed."""
    return [(one.name, one.path, one.size, one.problem and one.problem.message) for one in found or ()]


def open_pool(settings: Settings, endpoints: Endpoints | None = None) -> EnginePool:
    """The pool of what the settings name. Nothing is started, read or reached out for yet; a `Shelf` adds the rest."""
    choices = (endpoints or Endpoints(settings)).choices()
    return _pool(settings, offer(settings, choices))


def chosen_pool(settings: Settings) -> EnginePool:
    """The same for a command that ends: the disk is looked at when the settings' model is not among what they name.

    Blocking. Raises ModelNotFound where there is no such model.
    """
    choices = Endpoints(settings).choices()
    offered = offer(settings, choices)
    if offered.missing is not None:
        offered = offer(settings, choices, *_scan(settings))
    if offered.missing is not None:
        raise offered.missing
    return _pool(settings, offered)


def whole_pool(settings: Settings, found: Sequence[LocalModel] | None = None) -> EnginePool:
    """The pool of everything that is there, what is missing with a mark. Blocking.

    Args:
        found: what lies on the disk, where somebody has looked already.
    """
    found = find_models(settings) if found is None else found
    return _pool(settings, offer(settings, Endpoints(settings).choices(), found, pair_adapters(found)))


def _pool(settings: Settings, offered: Offer) -> EnginePool:
    limit = settings.memory_limit_mib
    return EnginePool(
        offered.specs,
        offered.default,
        loaded_models=settings.loaded_models,
        queue=settings.queue_size,
        strict=settings.strict_models,
        memory_limit=limit * 2**20 if limit is not None else None,
        unload_after=settings.unload_after * 60 or None,
        free_memory=partial(free_for_models, settings),
    )
