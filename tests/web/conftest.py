"""One server with all pages and one Chromium for the whole session, each in the session's own event loop."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from falconry.access.limits import Allowance, Limits
from falconry.access.people import People
from falconry.app import create_app
from falconry.chat.chat import Chat
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.services import Services
from falconry.settings import Settings
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from tests.conftest import Server
from tests.web.engines import specs

expect.set_options(timeout=10_000)  # the machine may be busy
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def page_services(
    data_dir: Path, models: Mapping[str, ModelSpec] | None = None
) -> AsyncGenerator[Services, None]:
    """Open services whose models are those of `tests.web.engines`, or others, the first of them the default."""
    models = specs() if models is None else models
    default = next(iter(models))
    settings = Settings(data_dir=data_dir, canned=True, model=default, pages=True)
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.url, data_dir / "running")
        stack.push_async_callback(database.aclose)
        pool = EnginePool(models, default, loaded_models=2)
        stack.push_async_callback(pool.aclose)
        chat = Chat(Conversations(database), pool)
        stack.push_async_callback(chat.aclose)
        people = People(database)
        stack.push_async_callback(people.aclose)
        yield Services(settings, database, pool, chat, people, Limits(Allowance(), Allowance()))


@asynccontextmanager
async def serve_app(app: FastAPI, services: Services, port: int = 0) -> AsyncGenerator[str, None]:
    """Serve an app on a port, a free one by default; gives its URL."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        services.stopping.set()
        server.should_exit = True
        await task
        listener.close()


@dataclass(frozen=True)
class Site:
    """A Falconry with pages."""

    url: str
    services: Services


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    async with (
        page_services(tmp_path_factory.mktemp("site")) as services,
        serve_app(create_app(services), services) as url,
    ):
        yield Site(url, services)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser, None]:
    if shutil.which(CHROMIUM) is None:
        pytest.skip("needs Chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(browser: Browser) -> BrowserContext:
    """The browser of most tests; its cache saves a second per page."""
    return await browser.new_context(locale="en-US")


OpenPage = Callable[..., Awaitable[Page]]
# A new tab begins with nothing remembered, a reloaded one with what it had.
BEGIN = """if (!sessionStorage.begun) {
    localStorage.clear();
    localStorage.setItem("falconry.model", "MODEL");
    sessionStorage.begun = 1;
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(site: Site, browser: Browser, context: BrowserContext) -> AsyncGenerator[OpenPage, None]:
    """Open a page: a path, the model to choose, and options for a browser of its own; or a second tab.

    At the end no page may have asked for anything elsewhere, and none may have thrown.
    """
    pages: list[Page] = []
    contexts: list[BrowserContext] = []
    foreign: list[str] = []
    errors: list[str] = []

    async def opened(
        path: str = "/",
        *,
        model: str = "canned",
        second: bool = False,
        origin: str = site.url,
        **options: Any,
    ) -> Page:
        if options:
            contexts.append(await browser.new_context(**{"locale": "en-US", **options}))
        page = await (contexts[-1] if options else context).new_page()
        pages.append(page)
        if not second:
            await page.add_init_script(BEGIN.replace("MODEL", model))
        page.on(
            "request",
            lambda request: None if request.url.startswith((origin, "data:", "blob:")) else foreign.append(request.url),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(origin + path)
        if path.startswith(("/account", "/admin")):
            await page.locator(".f-sheet h1").wait_for()
            return page
        if path.startswith("/models"):
            await page.locator("#panel-here .f-model").first.wait_for(state="attached")
            await page.locator(".f-machine:not(:empty)").wait_for()
            return page
        if path.startswith("/compare"):
            await page.locator("#compare .f-scroller").wait_for()
            return page
        if path.startswith("/complete"):
            await page.locator("#completion-output pre").wait_for()
        elif path.startswith("/prompt"):
            await page.locator("#prompt-page h1").wait_for()
        else:
            await page.locator("#messages .f-scroller").wait_for()
        await page.locator("#model input:not([disabled])").wait_for()
        await page.wait_for_function("document.querySelector('#model input').value !== ''")
        return page

    yield opened
    for page in pages:
        await page.close()
    for own in contexts:
        await own.close()
    await context.unroute_all()
    assert foreign == []
    assert errors == []
