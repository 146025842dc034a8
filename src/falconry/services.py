"""Builds the house from the settings, and takes it down in reverse: database, engines, chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from falconry.access.limits import Allowance, Limits
from falconry.access.people import People
from falconry.attachments.extractor import Extractor
from falconry.chat.chat import Chat
from falconry.chat.trash import emptied_daily
from falconry.compare.comparisons import Comparisons
from falconry.engines.endpoints import Endpoints
from falconry.engines.pool import EnginePool
from falconry.engines.shelf import Shelf, open_pool
from falconry.models.downloads import Downloads
from falconry.models.getting import open_downloads
from falconry.settings import Settings
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.search import kept_current

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What the doors work with.

    `chat` and `comparisons` are those of the person at this machine; a user's are `chat.of(person.id)`. `hosts` are the
    names under which we may be reached beside the loopback ones; a tunnel adds its own. `stopping` is set when Falconry
    ends, so that open streams close by themselves; `unread` when there may be messages that search has not read yet.
    """

    settings: Settings
    database: Database
    pool: EnginePool
    chat: Chat
    people: People
    limits: Limits
    hosts: set[str] = field(default_factory=set)
    extractor: Extractor = field(default_factory=Extractor)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    unread: asyncio.Event = field(default_factory=asyncio.Event)
    comparisons: Comparisons = field(init=False)
    endpoints: Endpoints = field(init=False)
    shelf: Shelf = field(init=False)
    downloads: Downloads = field(init=False)

    def __post_init__(self) -> None:
        comparisons = Comparisons(ComparisonStore(self.database), self.chat, self.pool)
        object.__setattr__(self, "comparisons", comparisons)
        object.__setattr__(self, "endpoints", Endpoints(self.settings))
        object.__setattr__(self, "shelf", Shelf(self.settings, self.pool, self.endpoints))
        object.__setattr__(self, "downloads", open_downloads(self.settings))


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services, None]:
    """Open everything. Raises StorageError where the settings cannot be carried out."""
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.url, settings.data_dir / "running")
        stack.push_async_callback(database.aclose)
        people = People(database, session_days=settings.session_days)
        stack.push_async_callback(people.aclose)
        store = Conversations(database)
        for reply_id in await store.interrupt_orphans():
            logger.warning("Reply %s was cut off when Falconry last ended; its text is kept.", reply_id)
        await stack.enter_async_context(emptied_daily(store, settings.trash_days))
        pool = open_pool(settings)
        stack.push_async_callback(pool.aclose)
        chat = Chat(store, pool, titles=settings.titles == "auto", unwatched_limit=settings.reply_timeout)
        stack.push_async_callback(chat.aclose)
        services = Services(settings, database, pool, chat, people, _limits(settings), set(settings.allowed_hosts))
        await stack.enter_async_context(kept_current(database, services.unread))
        chat.on_reply.append(lambda _reply: services.unread.set())
        services.shelf.open()
        stack.push_async_callback(services.shelf.aclose)
        services.downloads.on_done.append(lambda _download: services.shelf.look(now=True))
        services.downloads.watch()
        stack.push_async_callback(services.downloads.aclose)
        stack.callback(services.stopping.set)
        yield services


def _limits(settings: Settings) -> Limits:
    return Limits(
        user=Allowance(settings.user_concurrency, settings.user_requests_per_minute),
        key=Allowance(settings.key_concurrency, settings.key_requests_per_minute),
    )
