"""Real parts for all tests: an open house on a database of its own, and a real server around it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from falconry.app import create_app
from falconry.services import Services, open_services
from falconry.settings import Settings


def pytest_configure() -> None:
    """Started in the background of a script, the tests and all their children would be deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that shares two cores with another test may be late; what fails twice is told as a failure."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's own settings must not reach the tests."""
    for name in list(os.environ):
        if name.startswith(("FALCONRY_", "HF_")) or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings on a data folder of the test's own, without pages; the canned bot is the default model."""

    def make(**values: Any) -> Settings:
        defaults = {"data_dir": tmp_path / "data", "canned": True, "model": "canned", "port": 0, "pages": False}
        defaults |= {"find_models": False}  # what lies on this machine is none of a test's
        return Settings(**{**defaults, **values})

    return make


@pytest.fixture
async def services(make_settings: Callable[..., Settings]) -> AsyncGenerator[Services, None]:
    async with open_services(make_settings()) as opened:
        yield opened


class LiveServer:
    """A uvicorn on a free port of this process; `client` speaks to it."""

    def __init__(self, url: str, client: httpx.AsyncClient, services: Services) -> None:
        self.url = url
        self.client = client
        self.services = services


class Server(uvicorn.Server):
    """A uvicorn that says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serve(services: Services, listener: socket.socket | None = None) -> AsyncGenerator[LiveServer, None]:
    """Serve open services on a free port, or on a bound socket."""
    if listener is None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(services), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    url = "http://{}:{}".format(*listener.getsockname())
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            yield LiveServer(url, client, services)
    finally:  # a test that fails must not make the next ones fail
        services.stopping.set()
        server.should_exit = True
        await task


@pytest.fixture
async def server(services: Services) -> AsyncGenerator[LiveServer, None]:
    async with serve(services) as live:
        yield live
