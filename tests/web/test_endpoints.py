"""The endpoints on the models page, in a browser: added, tested, chatted with, removed. Real servers behind them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from falconry.app import create_app
from falconry.services import open_services
from falconry.settings import Endpoint, Settings
from tests.engines.probe_stubs import OLLAMA, VLLM, stub
from tests.engines.servers import Server, serve
from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site, serve_app

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

KEY = "sk-do-not-show-me"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ollama() -> AsyncGenerator[Server, None]:
    async with serve(stub(OLLAMA, reply="From Ollama.")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vllm() -> AsyncGenerator[Server, None]:
    async with serve(stub(VLLM, key=KEY)) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def falconry(tmp_path_factory: pytest.TempPathFactory, ollama: Server) -> AsyncGenerator[Site, None]:
    """A Falconry as people start it, with one endpoint in its settings."""
    fixed = Endpoint(name="fixed", url=ollama.url, model="gemma3:4b")
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("endpoints"),
        endpoints=[fixed],
        find_models=False,
        pages=True,
        titles="message",
    )
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        yield Site(url, services)


async def endpoints(site: Site, open_page: OpenPage, **options: object) -> Page:
    page = await open_page("/models", origin=site.url, **options)
    await page.get_by_role("tab", name=re.compile("Endpoints|端点")).click()
    await expect(row(page, "fixed")).to_be_visible()
    return page


def row(page: Page, name: str) -> Locator:
    return page.locator(".f-endpoints .f-model", has=page.get_by_text(name, exact=True))


async def test_one_of_the_settings_is_shown_and_cannot_be_removed_here(falconry: Site, open_page: OpenPage) -> None:
    page = await endpoints(falconry, open_page)
    await row(page, "fixed").get_by_role("button", name="Test: fixed").click()
    await expect(row(page, "fixed")).to_contain_text("It works: gemma3:4b wrote a token")
    await expect(row(page, "fixed").locator(".f-state")).to_have_text("answers")
    await expect(row(page, "fixed")).to_contain_text(re.compile("Ollama 0.15.2 · http.*context 16,384.*settings"))
    await expect(row(page, "fixed").get_by_role("button", name="Remove: fixed")).to_be_hidden()


async def test_an_address_is_enough_and_its_models_are_chatted_with(
    falconry: Site, ollama: Server, open_page: OpenPage
) -> None:
    page = await endpoints(falconry, open_page)
    await page.get_by_label("Address").fill(ollama.url.removeprefix("http://"))
    await page.get_by_label("Name", exact=True).fill("box")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(row(page, "box").locator(".f-state")).to_have_text("answers")
    await row(page, "box").get_by_text("2 models").click()
    await row(page, "box").get_by_role("link", name=re.compile("llama3.2:1b")).click()
    await expect(page.locator("#model input")).to_have_value(re.compile("llama3.2:1b · box"))
    await page.get_by_role("textbox", name="Prompt").fill("Who are you?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-reply")).to_contain_text("From Ollama.", timeout=20_000)
    assert ollama.bodies("/v1/chat/completions")[-1]["model"] == "llama3.2:1b"
    page = await endpoints(falconry, open_page)
    await row(page, "box").get_by_role("button", name="Remove: box").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    await expect(row(page, "box")).to_have_count(0)


async def test_what_is_wrong_is_told_and_can_be_overruled(falconry: Site, open_page: OpenPage) -> None:
    page = await endpoints(falconry, open_page)
    await page.get_by_label("Address").fill("localhost:1")
    await page.get_by_role("button", name="Test", exact=True).click()
    wrong = page.locator(".f-endpoint-form .f-wrong")
    await expect(wrong).to_contain_text("Nothing listens at localhost:1")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(wrong).to_contain_text("Nothing listens at localhost:1")
    await page.get_by_role("button", name="Add all the same").click()
    await expect(row(page, "localhost:1").locator(".f-state")).to_have_text("does not answer")
    await expect(row(page, "localhost:1")).to_contain_text("Nothing listens")
    await falconry.services.endpoints.remove("localhost:1")


async def test_a_test_shows_what_there_is_and_some_of_it_is_chosen(
    falconry: Site, ollama: Server, open_page: OpenPage
) -> None:
    page = await endpoints(falconry, open_page)
    await page.get_by_label("Address").fill(ollama.url)
    await page.get_by_label("Name", exact=True).fill("one")
    await page.get_by_role("button", name="Test", exact=True).click()
    found = page.locator(".f-found")
    await expect(found).to_contain_text("Ollama 0.15.2")
    await expect(found).to_contain_text("It works: gemma3:4b wrote a token")
    await found.get_by_label(re.compile("gemma3:4b")).uncheck()
    await found.get_by_label(re.compile("llama3.2:1b")).uncheck()
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(".f-endpoint-form .f-wrong")).to_have_text("Choose at least one model.")
    await found.get_by_label(re.compile("llama3.2:1b")).check()
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(row(page, "one")).to_contain_text("llama3.2:1b · context 8,192 · tools")
    assert falconry.services.endpoints.find("one").models == ("llama3.2:1b",)
    await falconry.services.endpoints.remove("one")


async def test_a_key_is_wanted_given_and_never_shown_again(falconry: Site, vllm: Server, open_page: OpenPage) -> None:
    page = await endpoints(falconry, open_page)
    await page.get_by_label("Address").fill(vllm.url)
    await page.get_by_label("Name", exact=True).fill("locked")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(".f-endpoint-form .f-wrong")).to_contain_text("wants a key")
    await page.get_by_label("Key", exact=True).fill(KEY)
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(row(page, "locked")).to_contain_text(re.compile(r"vLLM 0\.33\.0.*has a key"))
    assert await page.get_by_label("Key", exact=True).input_value() == ""
    assert KEY not in await page.content()
    await falconry.services.endpoints.remove("locked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_accessible(falconry: Site, ollama: Server, open_page: OpenPage, scheme: str) -> None:
    page = await endpoints(falconry, open_page, color_scheme=scheme)
    await page.get_by_label("Address").fill(ollama.url)
    await page.get_by_role("button", name="Test", exact=True).click()
    await expect(page.locator(".f-found")).to_contain_text("It works")
    await page.get_by_text("More", exact=True).click()
    assert await faults(page) == []


async def test_in_chinese_and_on_a_phone(falconry: Site, ollama: Server, open_page: OpenPage) -> None:
    page = await endpoints(falconry, open_page, locale="zh-CN", viewport={"width": 400, "height": 800})
    await page.get_by_label("地址").fill(ollama.url)
    await page.get_by_role("button", name="测试", exact=True).click()
    await expect(page.locator(".f-found")).to_contain_text("写出了一个词元")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
