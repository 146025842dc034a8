"""A phone of 400 px, a desk at 200 % zoom, and somebody whom moving things make ill."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage, Site
from tests.web.scenes import every_kind
from tests.web.test_chat_page import ask, ended, prompt, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE: dict[str, Any] = {"viewport": {"width": 400, "height": 800}, "is_mobile": True, "has_touch": True}
ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 × 800 at 200 %
# What is wider than the window without a box of its own to scroll in.
SIDEWAYS = """() => [document.documentElement.scrollWidth - innerWidth,
    ...[...document.querySelectorAll('.f-scroller, #side nav, #composer, #topbar, dialog[open], #options, .f-sheet')]
        .filter((element) => element.checkVisibility()).map((element) => element.scrollWidth - element.clientWidth)]"""
# Buttons and links that are smaller than 24 px, or that something else covers. Links within a text may be small.
OUT_OF_REACH = """() => {
    const top = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
    const all = [...top.querySelectorAll('button, a[href], input, textarea, [role=menuitem], [role=tab], summary')];
    const within = (x, y, box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    const found = [];
    for (const element of all) {
        const seen = element.checkVisibility({visibilityProperty: true, opacityProperty: true});
        if (!seen || element.closest('p, .f-hidden, [inert]')) continue;
        const {left, top, width, height} = element.getBoundingClientRect();
        const [x, y] = [left + width / 2, top + height / 2];
        let clip = element.parentElement; // what has scrolled out of its box cannot be pressed, and need not be
        while (clip && within(x, y, clip.getBoundingClientRect())) clip = clip.parentElement;
        if (!width || (clip && getComputedStyle(clip).overflow !== 'visible') || y > innerHeight || y < 0) continue;
        const hit = document.elementFromPoint(x, y);
        const covered = !hit || !(element.contains(hit) || hit.contains(element) || hit.closest('label'));
        const small = Math.min(width, height) < 23.5 && !element.matches('input');
        if (covered || small) {
            const by = covered ? ` under ${hit?.outerHTML.slice(0, 80)}` : '';
            found.push(`${Math.round(width)} by ${Math.round(height)}: ${element.outerHTML.slice(0, 120)}${by}`);
        }
    }
    return found;
}"""
MOVING = """() => document.getAnimations()
    .filter((each) => each.playState === 'running' && each.effect.getComputedTiming().activeDuration > 50)
    .map((each) => each.effect.target.outerHTML.slice(0, 120))"""


async def fits(page: Page) -> None:
    assert max(await page.evaluate(SIDEWAYS)) <= 1
    assert await page.evaluate(OUT_OF_REACH) == []


@pytest.mark.parametrize("screen", [PHONE, ZOOMED], ids=["phone", "zoomed"])
async def test_a_conversation_fits(open_page: OpenPage, site: Site, screen: dict[str, Any]) -> None:
    page = await open_page(f"/?c={await every_kind(site)}", **screen)
    await page.get_by_text("The very end.").wait_for()
    await fits(page)
    await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 0; }")
    await page.get_by_text("What is in my notes?").wait_for()
    await fits(page)
    await page.get_by_role("textbox", name="Prompt").fill("w" * 300 + "\n" * 12)
    await expect(page.get_by_role("button", name="Submit")).to_be_in_viewport()
    assert max(await page.evaluate(SIDEWAYS)) <= 1


@pytest.mark.parametrize("screen", [PHONE, ZOOMED], ids=["phone", "zoomed"])
@pytest.mark.parametrize("path", ["/", "/compare", "/complete", "/models", "/models#catalog", "/account", "/admin"])
async def test_a_page_fits(open_page: OpenPage, path: str, screen: dict[str, Any]) -> None:
    page = await open_page(path, **screen)
    await fits(page)


@pytest.mark.parametrize("screen", [PHONE, ZOOMED], ids=["phone", "zoomed"])
async def test_panel_and_dialogs_fit(open_page: OpenPage, screen: dict[str, Any]) -> None:
    page = await open_page(**screen)
    await page.get_by_role("button", name="Advanced options").click()
    await expect(page.locator("#options")).to_be_visible()
    await fits(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+/")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await fits(page)


async def test_the_drawer_opens_chooses_and_closes(open_page: OpenPage) -> None:
    page = await open_page(**PHONE)
    await prompt(page).fill("A question for the drawer")
    await page.get_by_role("button", name="Submit").tap()
    await ended(page)
    menu = page.get_by_role("button", name="Show or hide the sidebar")
    await expect(page.locator("#side nav")).to_be_hidden()
    await menu.tap()
    await expect(page.locator("#side nav")).to_be_visible()
    assert max(await page.evaluate(SIDEWAYS)) <= 1
    await page.locator("#conversations a", has_text="A question for the drawer").tap()
    await expect(page.locator("#side nav")).to_be_hidden()
    await menu.tap()
    await page.touchscreen.tap(390, 400)  # beside it
    await expect(page.locator("#side nav")).to_be_hidden()
    await menu.tap()
    await page.keyboard.press("Escape")
    await expect(page.locator("#side nav")).to_be_hidden()


async def test_what_would_move_stands_still_for_who_asks(open_page: OpenPage) -> None:
    page = await open_page(model="slow", reduced_motion="reduce")
    await ask(page, "go")
    await expect(replies(page)).to_contain_text("word3")
    assert await page.evaluate(MOVING) == []
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")
