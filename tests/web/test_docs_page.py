"""The API's reference as a page: all of the description is in it, and nothing of it becomes markup."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import Any

import httpx
import pytest

from falconry.web.docs_page import METHODS, render
from falconry.web.plain import texts_for
from tests.conftest import LiveServer


@pytest.fixture
async def page(server: LiveServer) -> httpx.Response:
    return await server.client.get("/docs", headers={"Accept": "text/html"})


async def test_every_route_has_its_place_once(server: LiveServer, page: httpx.Response) -> None:
    paths = (await server.client.get("/openapi.json")).json()["paths"]
    count = sum(method in METHODS for item in paths.values() for method in item)
    anchors = re.findall(r'<section class="route" id="([^"]+)"', page.text)
    assert len(anchors) == len(set(anchors)) == count
    assert set(re.findall(r'<a href="#([^"]+)"', page.text)) == set(anchors)


async def test_it_loads_nothing(page: httpx.Response) -> None:
    assert not re.findall(r'(?:src|srcset)="|url\((?!"?data:)|@import', page.text)
    links = re.findall(r'<link[^>]+href="([^"]+)"', page.text)
    assert len(links) == 1
    assert links[0].startswith("data:image/svg+xml,")


async def test_each_body_is_shown_as_a_command_that_can_be_run(page: httpx.Response) -> None:
    commands = [unescape(text) for text in re.findall(r"<summary>curl</summary><pre>(.*?)</pre>", page.text, re.DOTALL)]
    assert len(commands) > 30
    bodies = 0
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))
        assert words[0] == "curl"
        if "-d" in words:
            json.loads(words[words.index("-d") + 1])
            bodies += 1
    assert bodies > 10


async def test_in_chinese(server: LiveServer) -> None:
    page = await server.client.get("/docs?lang=zh")
    assert "API 参考" in page.text
    assert 'href="?lang=en"' in page.text


def test_nothing_of_the_description_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    schema = {"type": "object", "properties": {evil: {"type": "string", "description": evil, "default": evil}}}
    body = {"content": {"application/json": {"schema": schema, "example": {evil: evil}}}}
    parameter = {"name": evil, "in": "query", "schema": {"enum": [evil]}, "description": evil}
    operation: dict[str, Any] = {
        "tags": [evil],
        "description": evil,
        "parameters": [parameter],
        "requestBody": body,
        "x-access": {"who": evil, "scope": None},
    }
    document = {"info": {"description": evil}, "paths": {f"/{evil}": {"post": operation}}}
    html = render(document, f"http://{evil}", texts_for("en"), "")
    assert "<img" not in html
    assert html.count("&lt;img") > 8
