"""How the pages are joined to the application: what is sent, and what Gradio may not do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from falconry.web.assets import assets, base_url
from falconry.web.mount import PAGES
from tests.web.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "gzip, deflate"}


@pytest_asyncio.fixture(loop_scope="session")
async def page(site: Site) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.url, headers=BROWSER, trust_env=False) as client:
        return await client.get("/")


async def _get(site: Site, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.url, headers=headers, trust_env=False) as client:
        return await client.get(path)


@pytest.mark.parametrize("path", PAGES)
async def test_our_lines_come_first_in_the_head(site: Site, path: str) -> None:
    response = await _get(site, path, **BROWSER)
    assert response.status_code == 200
    head = response.text.partition("<head>")[2]
    assert head.startswith(f'<meta name="falconry-assets" content="{base_url()}"><script>')
    assert "og:image" not in response.text
    assert "<base" not in response.text
    assert '"FALLBACK"' not in head


async def test_nothing_is_loaded_from_elsewhere(page: httpx.Response) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    assert not [address for address in loaded if re.match(r"(?:https?:)?//", address)]


def _config(page: httpx.Response) -> dict[str, Any]:
    """What Gradio tells its front end: all components and events of the page."""
    begin = page.text.index("window.gradio_config = ") + len("window.gradio_config = ")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(page.text, begin)[0]
    return found


async def test_no_event_is_a_public_endpoint_and_none_waits_in_line(page: httpx.Response) -> None:
    config = _config(page)
    assert config["dependencies"]
    for event in config["dependencies"]:
        assert event["api_visibility"] == "private"
        assert event["backend_fn"] is False  # the server is not asked at all
    assert config["analytics_enabled"] is False


async def test_components_hold_constants_only(site: Site) -> None:
    """Gradio evaluates the templates and values of gr.HTML: they must not hold anybody's text."""
    for path in PAGES:
        config = _config(await _get(site, path, **BROWSER))
        boxes = [component["props"] for component in config["components"] if component["type"] == "html"]
        assert len(boxes) >= 3
        for box in boxes:
            assert (box["value"], box["html_template"], box["css_template"]) == ("", "<div></div>", "")


async def test_assets_are_kept_for_ever_and_only_under_their_hash(site: Site) -> None:
    for name in assets():
        response = await _get(site, f"{base_url()}/{name}")
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
    assert (await _get(site, f"{base_url()}/none.js")).status_code == 404
    assert (await _get(site, "/static/falconry/0000000000000000/dom.js")).status_code == 404


async def test_building_the_pages_writes_no_files() -> None:
    """Gradio writes a .pyi beside every module that subclasses one of its components."""
    package = Path(__file__).parents[2] / "src" / "falconry" / "web"
    assert list(package.glob("*.pyi")) == []


async def test_scripts_import_only_each_other() -> None:
    for name, body in assets().items():
        if name.endswith(".js"):
            for imported in re.findall(r'from "([^"]+)"', body.decode()):
                assert imported.removeprefix("./") in assets(), (name, imported)
            assert "innerHTML" not in body.decode() or name == "blocks.js"
