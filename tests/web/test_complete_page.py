"""The completion page in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.web.conftest import OpenPage
from tests.web.engines import SLOW_TEXT
from tests.web.test_live import ARTICLE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_completion_is_shown_exactly_and_nothing_is_remembered(open_page: OpenPage) -> None:
    page = await open_page("/complete", model="acme/article-7B")
    output = page.locator("#completion-output pre")
    slider = page.locator("#completion-max-tokens input[type=number]")
    await expect(slider).to_have_value("20")
    await slider.fill("1024")
    await page.get_by_label("Prompt").fill("Falcons")
    for _ in range(2):
        await page.get_by_role("button", name="Submit").click()
        await expect(output).to_have_text(ARTICLE, use_inner_text=False)
        assert await output.evaluate("(element) => element.textContent") == ARTICLE


async def test_max_new_tokens_is_20_by_default(open_page: OpenPage) -> None:
    page = await open_page("/complete", model="slow")
    await page.get_by_label("Prompt").fill("Falcons")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator("#completion-output")).to_contain_text("20 tokens · limit reached")
    assert await page.locator("#completion-output pre").inner_text() == " ".join(SLOW_TEXT.split()[:20])


async def test_stop_ends_a_completion(open_page: OpenPage) -> None:
    page = await open_page("/complete", model="slow", locale="zh-CN")
    await page.locator("#completion-max-tokens input[type=number]").fill("1024")
    await page.get_by_label("提示").fill("猎鹰")
    await page.get_by_role("button", name="发送").press("Enter")
    await expect(page.locator("#completion-output pre")).to_contain_text("word3")
    await expect(page.get_by_role("button", name="停止")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="发送")).to_be_focused()
    await expect(page.locator("#completion-output")).to_contain_text("已停止")


async def test_phone_has_no_sideways_scrolling(open_page: OpenPage) -> None:
    page = await open_page("/complete", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
