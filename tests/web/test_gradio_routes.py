"""Of Gradio's own routes only those that the pages are made of exist, and to the pages nothing is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from playwright.async_api import Response
from starlette.routing import Mount

from falconry.app import build_routes
from falconry.web.gradio_routes import gradio_entries
from falconry.web.mount import PAGES
from tests.web.conftest import OpenPage, Site

READY = {
    "/": "#messages .f-scroller",
    "/compare": "#compare h1",
    "/complete": "#completion-output pre",
    "/models": ".f-model >> nth=0",
    "/prompt": ".f-token >> nth=0",
    "/account": "#example pre",
    "/admin": ".f-plot text >> nth=0",
    "/login": ".card",
    "/docs": ".route >> nth=0",
}
pytestmark = pytest.mark.asyncio(loop_scope="session")


def _gradio_routes(site: Site) -> Iterator[tuple[str, str]]:
    """Method and pattern of every route of the application that Gradio mounts."""
    app, _ = build_routes(site.services)
    mounted: list[Any] = [route.app for route in app.routes if isinstance(route, Mount) and route.path == ""]
    assert len(mounted) == 1
    for route in iter_route_contexts(mounted[0].routes):
        for method in route.methods or {"GET"}:
            if method != "HEAD":
                yield method, str(route.path)


async def test_gradios_other_routes_do_not_exist(site: Site) -> None:
    ours = build_routes(site.services)[1]
    allowed = {entry.path for entry in gradio_entries(list(PAGES))}
    assert set(PAGES) < set(READY)
    own = {(method, entry.path) for entry in ours.entries for method in entry.methods}
    closed, answers = 0, {}
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers={"Accept": "text/html"}) as client:
        for method, pattern in _gradio_routes(site):
            if pattern in allowed or (method, pattern) in own or pattern == "/{page}":
                continue
            path = re.sub(r"{[^}]*}", "x", pattern) or "/"
            answer = await client.request(method, path)
            closed += 1
            if answer.status_code not in (404, 405):
                answers[f"{method} {path}"] = answer.status_code
    assert answers == {}
    assert closed > 40


@pytest.mark.parametrize("path", ["/config", "/gradio_api/info", "/gradio_api/file=/etc/passwd", "/theme.json", "/x"])
async def test_what_a_stranger_tries_first(site: Site, path: str) -> None:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        assert (await client.get(path)).status_code == 404
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        assert (await client.post("/gradio_api/upload", files={"files": b"x"})).status_code == 404


@pytest.mark.parametrize("folder", ["/assets", "/static/fonts", "/static/js"])
@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000 + "x", "%01", "a%0ab", "猎鹰"], ids=range(5))
async def test_a_file_of_gradios_by_an_impossible_name_is_not_found(site: Site, folder: str, name: str) -> None:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        answer = await client.get(f"{folder}/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.browser
async def test_nothing_that_a_page_asks_for_is_missing(site: Site, open_page: OpenPage) -> None:
    page = await open_page("/", locale="en-GB")  # a browser of its own, with nothing in its cache
    failed: list[str] = []
    asked: set[str] = set()

    def look(response: Response) -> None:
        asked.add(response.request.resource_type)
        if response.status >= 400:
            failed.append(f"{response.status} {response.url}")

    page.on("response", look)
    for path, ready in READY.items():
        await page.goto(site.url + path)
        await page.locator(ready).wait_for()
    assert failed == []
    assert {"document", "script", "stylesheet", "fetch", "eventsource"} <= asked
