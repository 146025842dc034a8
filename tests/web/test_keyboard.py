"""Everything without a mouse: what the keys do, where the focus is then, and that it can be seen."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage, Site
from tests.web.scenes import every_kind
from tests.web.test_chat_page import ask, ended, prompt, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Name of what has the focus, whether its outline shows, and whether it is on the screen.
FOCUSED = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return ['', true, true];
    const text = element.matches('input, textarea') ? element.labels?.[0]?.innerText : element.innerText;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const on = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return [(element.ariaLabel || text || element.placeholder || '').trim(), outlined, on];
}"""
MOST = 150  # presses of Tab


async def focused(page: Page) -> str:
    name: str = (await page.evaluate(FOCUSED))[0]
    return name


async def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until what has this name has the focus, as somebody without a mouse does."""
    seen: set[str] = set()
    for _ in range(MOST):
        await page.keyboard.press(key)
        seen.add(await focused(page))
        if name in seen:
            return
    raise AssertionError(f"Tab does not lead to {name!r}, but to {sorted(seen)}")


async def to_row(page: Page, title: str) -> None:
    """Go to a conversation in the list: Tab leads into it, arrows lead through it."""
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        if await page.evaluate("Boolean(document.activeElement.closest('#conversations'))"):
            break
    await page.keyboard.press("Home")
    for _ in range(MOST):
        if await focused(page) == title:
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError(f"no arrow leads to {title!r}")


async def picture(page: Page) -> Image.Image:
    """Around the element that has the focus, or had it last."""
    box = await page.evaluate(
        """() => {
            const element = (window.lastFocus = document.activeElement === document.body ? window.lastFocus
                : document.activeElement);
            const {left, top, width, height} = element.getBoundingClientRect();
            const x = Math.max(0, left - 48), y = Math.max(0, top - 16);
            return {x, y, width: Math.min(width + 64, innerWidth - x), height: Math.min(height + 64, innerHeight - y)};
        }"""
    )
    return Image.open(io.BytesIO(await page.screenshot(clip=box, caret="hide", animations="disabled")))


async def test_tab_goes_round_and_its_place_is_always_seen(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}")
    await page.get_by_text("The very end.").wait_for()
    await expect(prompt(page)).to_be_focused()
    names: list[str] = []
    plain: set[str] = set()
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        await page.wait_for_function(f"({FOCUSED})()[2]", timeout=3000)  # the browser scrolls to it
        name, outlined, _ = await page.evaluate(FOCUSED)
        names.append(name)
        if not outlined:
            plain.add(name)
            with_focus = await picture(page)
            await page.evaluate("document.activeElement.blur()")
            assert ImageChops.difference(with_focus, await picture(page)).getbbox(), f"{name}: no focus to be seen"
            await page.evaluate("window.lastFocus.focus()")
        if await prompt(page).evaluate("(box) => box === document.activeElement"):
            break
    else:
        raise AssertionError("Tab does not come back to where it was")
    wanted = {"Attach files", "Clear console", "New chat", "Search", "More", "Compare", "中文", "Advanced options"}
    wanted |= {"Copy", "Edit", "Regenerate", "Previous version", "Good answer", "Bad answer", "What the model saw"}
    assert wanted <= set(names)
    assert "" not in names[1:-1] or names.count("") == 1  # the browser's own buttons, once
    assert len(plain) < 5, plain  # boxes show it by their frame


async def test_send_stop_edit_versions_and_rating(open_page: OpenPage) -> None:
    page = await open_page(model="slow")
    await prompt(page).press_sequentially("one")
    await page.keyboard.press("Enter")
    await expect(replies(page)).to_contain_text("word3")
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")
    await expect(prompt(page)).to_be_focused()
    await page.keyboard.press("ArrowUp")
    editing = page.get_by_role("textbox", name="Edit your message")
    await expect(editing).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(editing).to_have_count(0)
    await tab_to(page, "Edit", "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(editing).to_be_focused()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-bubble")).to_have_text("two")
    await expect(replies(page)).to_contain_text("word2")
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")
    await tab_to(page, "Previous version", "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-bubble")).to_have_text("one")
    assert await focused(page) in ("Previous version", "Next version")
    await tab_to(page, "Good answer")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    assert await focused(page) == "Good answer"


async def test_dialogs_menus_and_panels_give_the_focus_back(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "hello")
    await ended(page)
    for name in ("What the model saw", "Keyboard shortcuts"):
        await tab_to(page, name)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        for _ in range(4):  # it stays inside
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.closest('dialog') || document.activeElement.tagName")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert await focused(page) == name
    await tab_to(page, "More")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menu")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "menuitem"
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    assert await focused(page) == "More"
    await tab_to(page, "Advanced options")
    await page.keyboard.press("Enter")
    await tab_to(page, "Max new tokens")
    await page.keyboard.press("Escape")
    await expect(page.locator("#options")).to_be_hidden()
    assert await focused(page) == "Advanced options"


async def test_options_are_changed_and_reach_the_model(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await page.keyboard.press("Alt+Shift+o")
    await tab_to(page, "System message")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Be brief.")
    await tab_to(page, "Max new tokens")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("77")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Alt+Shift+p")
    await expect(prompt(page)).to_be_focused()
    await page.keyboard.type("hi")
    await page.keyboard.press("Enter")
    await ended(page)
    await expect(replies(page)).to_contain_text("system=Be brief.")
    await expect(replies(page)).to_contain_text("max_tokens=77")


async def test_search_rename_delete_and_undo(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "An albatross crosses oceans")
    await ended(page)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("albatross")
    await expect(page.get_by_role("option").first).to_contain_text("albatross", timeout=15_000)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-question")).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    row = page.locator("#conversations a", has_text="An albatross crosses oceans")
    await expect(row).to_be_visible()
    await to_row(page, "An albatross crosses oceans")
    await page.keyboard.press("ArrowRight")  # its menu's button
    await page.keyboard.press("Enter")
    await page.keyboard.press("r")  # the first letter chooses
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Sea birds")
    await page.keyboard.press("Enter")
    renamed = page.locator("#conversations a", has_text="Sea birds")
    await expect(renamed).to_be_visible()
    await expect(renamed).to_be_focused()
    await page.keyboard.press("Tab")
    assert await focused(page) == "More for “Sea birds”"
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowUp")  # from the first to the last
    await page.keyboard.press("Enter")
    await expect(renamed).to_have_count(0)
    await tab_to(page, "Undo", "Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(renamed).to_be_visible()
