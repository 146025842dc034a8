"""A hub of the tests' own, and downloads from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

from falconry.models.downloads import Downloads
from falconry.models.fetch import Patience
from falconry.models.hub import Hub
from falconry.settings import Settings
from tests.models.hub_server import HubServer, hub_server

QUICK = Patience(retries=3, first_wait=0.01, longest_wait=2.0)
MakeDownloads = Callable[..., Downloads]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
async def make_downloads(hub: HubServer, make_settings: Callable[..., Settings]) -> AsyncGenerator[MakeDownloads, None]:
    """Downloads from the hub of the tests, with little patience; settings by name."""
    made: list[Downloads] = []

    def make(*, timeout: float = 30.0, reserve: int = 0, **values: Any) -> Downloads:
        settings = make_settings(**{"hf_endpoint": hub.url, **values})
        downloads = Downloads(settings, hub=Hub.from_settings(settings, timeout), patience=QUICK, reserve=reserve)
        made.append(downloads)
        return downloads

    yield make
    for downloads in made:
        await downloads.aclose()


@pytest.fixture
def downloads(make_downloads: MakeDownloads) -> Downloads:
    return make_downloads()
