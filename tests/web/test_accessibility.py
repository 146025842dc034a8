"""axe finds nothing serious on any page, in light and dark, in both languages, on a desk and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site
from tests.web.scenes import every_kind
from tests.web.test_account_page import ada, guarded

__all__ = ["ada", "guarded"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark, Chinese": {"locale": "zh-CN", "color_scheme": "dark"},
    "phone": {"viewport": {"width": 400, "height": 800}, "is_mobile": True, "has_touch": True},
}
looks = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())


@looks
async def test_messages_of_every_kind(open_page: OpenPage, site: Site, look: dict[str, Any]) -> None:
    page = await open_page(f"/?c={await every_kind(site)}", **look)
    await page.get_by_text("The very end.").wait_for()
    assert await faults(page) == []
    await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 0; }")
    await page.get_by_text("What is in my notes?").wait_for()
    assert await faults(page) == []


async def _dialog(page: Page) -> None:
    await expect(page.locator("dialog[open]")).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog[open]")).to_have_count(0)


@looks
async def test_first_screen_panel_sheet_and_menus(open_page: OpenPage, look: dict[str, Any]) -> None:
    page = await open_page(**{"locale": "en-US", **look})
    assert await faults(page) == []
    await page.locator("#options-button").click()
    await expect(page.locator("#options")).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+/")
    await _dialog(page)
    if "viewport" in look:
        await page.locator("#menu").click()
    await page.locator("#side nav .f-button").first.click()
    await expect(page.get_by_role("menu")).to_be_visible()
    assert await faults(page) == []


async def test_dialogs_of_a_conversation(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}")
    last = page.locator(".f-reply").last
    for name in ("What the model saw", "Bad answer", "Delete from here on"):
        await last.get_by_role("button", name=name).click()
        await _dialog(page)
    await page.locator(".f-question").last.hover()
    await page.locator(".f-question").last.get_by_role("button", name="Edit").click()
    await expect(page.get_by_role("textbox", name="Edit your message")).to_be_focused()
    assert await faults(page) == []


async def test_search_with_hits(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("falcons")
    await expect(page.get_by_role("option").first).to_be_visible(timeout=15_000)
    assert await faults(page) == []


@looks
@pytest.mark.parametrize(
    "path", ["/compare", "/compare?results", "/complete", "/models", "/models#catalog", "/account", "/admin"]
)
async def test_other_pages(open_page: OpenPage, path: str, look: dict[str, Any]) -> None:
    page = await open_page(path, **look)
    if path in ("/account", "/admin"):
        await page.locator(".f-sheet h2").last.wait_for()
    assert await faults(page) == []


@looks
async def test_pages_without_scripts(guarded: Site, browser: Browser, look: dict[str, Any]) -> None:
    context = await browser.new_context(base_url=guarded.url, bypass_csp=True, **look)
    page = await context.new_page()
    await page.goto("/login")
    assert await faults(page) == []
    await context.close()


async def test_the_reference(site: Site, browser: Browser) -> None:
    context = await browser.new_context(base_url=site.url, bypass_csp=True)
    page = await context.new_page()
    await page.goto("/docs")
    assert await faults(page) == []
    await context.close()


async def test_an_account_with_logins(guarded: Site, ada: Page) -> None:
    assert await faults(ada) == []
    await ada.goto(f"{guarded.url}/admin")
    await ada.locator(".f-sheet h2").last.wait_for()
    assert await faults(ada) == []
