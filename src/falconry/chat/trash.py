"""The trash is emptied by itself: when Falconry starts, and once a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from falconry.errors import StorageError
from falconry.storage.conversations import Conversations

logger = logging.getLogger(__name__)

DAY = 24 * 3600.0  # seconds


@asynccontextmanager
async def emptied_daily(store: Conversations, days: float, *, every: float = DAY) -> AsyncGenerator[None, None]:
    """Inside the context, remove for good what has been in the trash for so many days, and files that nobody sent."""
    task = asyncio.create_task(_empty_daily(store, timedelta(days=days), every), name="trash")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _empty_daily(store: Conversations, age: timedelta, every: float) -> None:
    while True:
        try:
            if removed := await store.purge(datetime.now(UTC) - age):
                logger.info("%d conversations had been in the trash long enough and were removed.", removed)
            await store.attachments.purge()
        except StorageError as error:
            logger.warning("The trash could not be emptied: %s", error)
        await asyncio.sleep(every)
