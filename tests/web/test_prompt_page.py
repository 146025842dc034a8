"""The page that shows how a model reads a conversation, in a real browser with the real engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from falconry.app import create_app
from falconry.services import open_services
from falconry.settings import Settings
from tests.chat.conftest import ended
from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site, serve_app

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    """With the built-in model, which has a template and tells its tokens."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("prompt"), canned=True, find_models=False)
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        yield Site(url, services)


def tokens(page: Page) -> Locator:
    return page.locator(".f-token-box .f-token")


async def opened(open_page: OpenPage, path: str = "/prompt", **options: Any) -> Page:
    page = await open_page(path, model="eyas", **options)
    await expect(tokens(page).first).to_be_visible(timeout=20_000)
    return page


async def test_the_example_is_shown_to_the_last_token(open_page: OpenPage) -> None:
    page = await opened(open_page)
    await expect(page.locator(".f-token-box mark").first).to_have_text("<|im_start|>")
    count = await tokens(page).count()
    await expect(page.locator("#prompt-page [role=status]")).to_contain_text(f"{count} tokens, in a window of 2,048")
    await expect(page.locator(".f-bytes").first).to_contain_text("⟨f0⟩")  # of the elephant
    await expect(page.locator("#prompt-page [role=status]")).to_contain_text("the model's own chat template")


async def test_what_is_changed_is_read_anew(open_page: OpenPage) -> None:
    page = await opened(open_page)
    before = await tokens(page).count()
    await page.get_by_role("button", name="Remove this message").first.click()
    await expect(page.locator(".f-prompt-row")).to_have_count(3)
    await expect(page.locator(".f-prompt-row textarea").first).to_be_focused()
    await expect(page.locator(".f-token-box")).not_to_contain_text("biologist")
    assert await tokens(page).count() < before
    await page.get_by_role("button", name="Add a message").click()
    await page.keyboard.type("Elephants. ")
    await expect(page.locator(".f-token-box")).to_contain_text("Elephants.·")


async def test_text_and_template_are_shown_too(open_page: OpenPage) -> None:
    page = await opened(open_page)
    await page.get_by_role("button", name="Text").click()
    await expect(page.locator(".f-prompt-text")).to_contain_text("<|im_start|>user\nWhich animals live on the savanna?")
    await page.get_by_role("button", name="Template").click()
    await expect(page.locator(".f-prompt-text")).to_contain_text("{%")


async def test_a_conversation_is_read_with_its_next_message(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation("Capitals")
    _, reply = await chat.ask(conversation.id, "What is the capital of France?", parent_id=None, model="canned")
    answer = await ended(chat, reply)
    page = await opened(open_page, f"/prompt?c={conversation.id}")
    await expect(page.locator("#prompt-page h1")).to_have_text("How the model reads it: Capitals")
    await page.get_by_label("The next message").fill("And of China?")
    await expect(page.locator(".f-token-box")).to_contain_text("And·of·China?")
    first_word = answer.content.split(maxsplit=1)[0]
    await expect(page.locator(".f-token-box")).to_contain_text(first_word)


async def test_a_conversation_that_is_not_there_is_said(open_page: OpenPage) -> None:
    page = await open_page(f"/prompt?c={'0' * 32}", model="eyas")
    await expect(page.locator("#prompt-page [role=status]")).to_contain_text("This conversation does not exist")


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, {"locale": "zh-CN"}, {"viewport": {"width": 400, "height": 800}}]
)
async def test_everybody_can_use_it(open_page: OpenPage, look: dict[str, Any]) -> None:
    page = await opened(open_page, **look)
    assert await faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= await page.evaluate("innerWidth")
