"""The picker and a model that is not in memory yet: choosing loads it, and no message is lost meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from falconry.engines.canned import CannedEngine
from falconry.engines.pool import ModelSpec
from falconry.errors import EngineUnavailable
from tests.web.conftest import OpenPage, Site
from tests.web.engines import specs

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Heavy(CannedEngine):
    """A model that is loaded when the test lets it be, or fails."""

    def __init__(self) -> None:
        super().__init__(text="The heavy one speaks.", rate=10_000)
        self.begun = asyncio.Event()
        self.loaded = asyncio.Event()
        self.failure: EngineUnavailable | None = None

    async def start(self) -> None:
        self.begun.set()
        await self.loaded.wait()
        if self.failure is not None:
            raise self.failure


@pytest_asyncio.fixture(loop_scope="session")
async def heavy(site: Site) -> AsyncGenerator[Heavy]:
    """One more model on the site, by the title “Heavy Falcon”."""
    engine = Heavy()
    spec = ModelSpec("heavy", "Heavy Falcon", "llama_cpp", lambda: engine, identity=id(engine))
    site.services.pool.offer({**specs(), "heavy": spec}, "canned")
    yield engine
    engine.loaded.set()
    site.services.pool.offer(specs(), "canned")


async def choose(page: Page, title: str) -> None:
    await page.locator("#model input").click()
    await page.get_by_role("option", name=title).click()


async def ask(page: Page, text: str) -> None:
    await page.locator("#prompt textarea").fill(text)
    await page.locator("#prompt textarea").press("Enter")


async def test_choosing_a_model_loads_it_and_shows_that(open_page: OpenPage, site: Site, heavy: Heavy) -> None:
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await heavy.begun.wait()
    await expect(page.locator("#model-loading")).to_be_visible()
    await expect(page.get_by_role("progressbar", name="Loading Heavy Falcon…")).to_be_visible()
    heavy.loaded.set()
    await expect(page.locator("#model-loading")).to_be_hidden()
    assert site.services.pool.state("heavy").state == "ready"


async def test_choosing_gives_the_focus_back_to_the_box(open_page: OpenPage, heavy: Heavy) -> None:
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await expect(page.locator("#prompt textarea")).to_be_focused()
    await page.locator("#model input").focus()
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await expect(page.locator("#prompt textarea")).to_be_focused()
    assert not heavy.loaded.is_set()


async def test_a_message_waits_for_its_model_and_says_so(open_page: OpenPage, heavy: Heavy) -> None:
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await ask(page, "Are you there?")
    await expect(page.locator(".f-question")).to_contain_text("Are you there?")
    await expect(page.locator(".f-reply .f-loading")).to_have_text("Loading Heavy Falcon…")
    await page.reload()
    await expect(page.locator(".f-reply .f-loading")).to_have_text("Loading Heavy Falcon…")
    heavy.loaded.set()
    await expect(page.locator(".f-reply .f-text")).to_contain_text("The heavy one speaks.")
    await expect(page.locator(".f-loading")).to_be_hidden()


async def test_it_can_be_stopped_while_it_waits(open_page: OpenPage, heavy: Heavy) -> None:
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await ask(page, "Are you there?")
    await heavy.begun.wait()
    await page.locator("#stop").click()
    await expect(page.locator(".f-ending")).to_contain_text("Stopped.")
    await expect(page.locator(".f-loading")).to_be_hidden()


async def test_counting_tokens_neither_loads_a_model_nor_holds_one_that_is_being_loaded(
    open_page: OpenPage, site: Site, heavy: Heavy
) -> None:
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await ask(page, "Are you there?")
    await heavy.begun.wait()
    await page.locator("#stop").click()
    await expect(page.locator(".f-ending")).to_contain_text("Stopped.")
    await page.locator("#prompt textarea").fill("A draft that would be counted.")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/context") else None)
    await page.wait_for_timeout(900)  # more than it waits after the last key
    assert asked == []
    async with page.expect_response("**/context"):
        heavy.loaded.set()
    assert site.services.pool.state("heavy").state == "ready"


async def test_a_model_that_cannot_be_loaded_is_a_red_mark_with_the_reason(open_page: OpenPage, heavy: Heavy) -> None:
    heavy.failure = EngineUnavailable("It is too large for this machine.", code="test")
    heavy.loaded.set()
    page = await open_page()
    await choose(page, "Heavy Falcon")
    mark = page.get_by_role("button", name="What is wrong with Heavy Falcon")
    await mark.click()
    await expect(page.locator(".f-notice")).to_contain_text("It is too large for this machine.")
    await ask(page, "Are you there?")
    await expect(page.locator(".f-ending")).to_contain_text("It is too large for this machine.")
    # Another one answers the same question.
    await choose(page, "thinks")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".f-reply .f-text")).to_contain_text("Are you there?")


async def test_replies_are_signed_with_what_people_call_the_model(open_page: OpenPage, heavy: Heavy) -> None:
    heavy.loaded.set()
    page = await open_page()
    await choose(page, "Heavy Falcon")
    await ask(page, "Who are you?")
    await expect(page.locator(".f-reply .f-about")).to_contain_text("Heavy Falcon")
    await page.reload()
    await expect(page.locator(".f-reply .f-about")).to_contain_text("Heavy Falcon")
