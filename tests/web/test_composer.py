"""The box in a real browser: keys, input methods, drafts, saved prompts, personas and shortcuts."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from falconry.library.library import Library
from falconry.library.values import SavedPrompt
from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site
from tests.web.test_chat_page import ask, ended, prompt, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 400, "height": 780}, "has_touch": True, "is_mobile": True}
COMPOSED = """(box, [text, ...keys]) => {
    box.focus();
    box.dispatchEvent(new CompositionEvent('compositionstart', {bubbles: true}));
    box.setRangeText(text, box.selectionStart, box.selectionEnd, 'end');
    box.dispatchEvent(new InputEvent('input', {bubbles: true, isComposing: true, data: text}));
    const init = {key: 'Enter', bubbles: true, cancelable: true};
    const send = (key) => box.dispatchEvent(new KeyboardEvent('keydown', {...init, ...key}));
    for (const key of keys) {
        if (key === 'end') box.dispatchEvent(new CompositionEvent('compositionend', {bubbles: true, data: text}));
        else send(key);
    }
}"""


def offers(page: Page) -> Locator:
    return page.get_by_role("option").filter(visible=True)


async def typed(page: Page, text: str) -> None:
    await prompt(page).press_sequentially(text)


# -- Enter


@pytest.mark.parametrize(
    "keys",
    [
        [{"isComposing": True}, "end"],
        [{"keyCode": 229}, "end"],
        ["end", {"keyCode": 229}],
        ["end", {"keyCode": 13}],
    ],
    ids=["Chrome", "by the code alone", "Safari", "Safari, without the code"],
)
async def test_enter_of_an_input_method_never_sends(open_page: OpenPage, keys: list[object]) -> None:
    page = await open_page()
    await prompt(page).evaluate(COMPOSED, ["你好", *keys])
    await expect(prompt(page)).to_have_value("你好")
    await expect(replies(page)).to_have_count(0)
    await prompt(page).press("Enter")
    await ended(page)
    await expect(page.locator(".f-bubble")).to_have_text("你好")


async def test_enter_breaks_the_line_on_a_phone(open_page: OpenPage) -> None:
    page = await open_page(**PHONE)
    await prompt(page).tap()
    await typed(page, "one")
    await prompt(page).press("Enter")
    await typed(page, "two")
    await expect(prompt(page)).to_have_value("one\ntwo")
    assert await prompt(page).get_attribute("enterkeyhint") == "enter"
    await page.get_by_role("button", name="Submit").tap()
    await expect(page.locator(".f-bubble")).to_have_text("one\ntwo")


async def test_control_and_enter_sends_anywhere(open_page: OpenPage) -> None:
    page = await open_page(**PHONE)
    await prompt(page).fill("now")
    await prompt(page).press("Control+Enter")
    await ended(page)


async def test_escape_stops_the_reply_but_not_while_a_list_is_open(open_page: OpenPage) -> None:
    page = await open_page(model="slow")
    await ask(page, "tell me")
    await expect(replies(page).last).to_contain_text("word3")
    await typed(page, "/")
    await expect(offers(page).first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(offers(page)).to_have_count(0)
    await expect(replies(page).last).to_have_attribute("data-status", "running")
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")


# -- drafts


async def test_each_conversation_has_its_own_draft(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "first")
    await ended(page)
    await prompt(page).fill("to the first")
    await page.get_by_role("link", name="New chat").click()
    await expect(prompt(page)).to_have_value("")
    await prompt(page).fill("to a new one")
    await page.go_back()
    await expect(prompt(page)).to_have_value("to the first")
    await page.get_by_role("link", name="New chat").click()
    await expect(prompt(page)).to_have_value("to a new one")


async def test_two_tabs_do_not_write_into_each_others_box(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "first")
    await ended(page)
    other = await open_page(page.url.removeprefix(page.url.split("/?")[0]), second=True)
    await prompt(page).fill("of one tab")
    await prompt(other).fill("of another tab")
    await expect(prompt(page)).to_have_value("of one tab")
    await page.reload()
    await expect(prompt(page)).to_have_value("of one tab")
    await other.reload()
    await expect(prompt(other)).to_have_value("of another tab")


async def test_a_sent_draft_is_gone(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "sent")
    await ended(page)
    await page.reload()
    await expect(replies(page)).to_have_count(1)
    await expect(prompt(page)).to_have_value("")
    await page.get_by_role("link", name="New chat").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(prompt(page)).to_have_value("")


# -- what a slash and an at sign offer


async def test_a_prompt_is_chosen_by_keys_and_its_places_filled_in(open_page: OpenPage) -> None:
    page = await open_page()
    await typed(page, "/")
    await expect(offers(page).first).to_have_attribute("aria-selected", "true")
    assert await prompt(page).get_attribute("aria-activedescendant") == await offers(page).first.get_attribute("id")
    await typed(page, "trans")
    await expect(offers(page).first).to_contain_text("Translate")
    await page.keyboard.press("ArrowDown")
    await expect(offers(page).nth(1)).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(prompt(page)).to_have_value("Translate the following text into {{language}}. Keep its tone and form, and answer with the translation only.\n\n{{text}}")  # fmt: skip  # noqa: E501
    await expect(replies(page)).to_have_count(0)
    await page.keyboard.type("French")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Falcons fly.")
    value = await prompt(page).input_value()
    assert value.startswith("Translate the following text into French.")
    assert value.endswith("Falcons fly.")
    await page.keyboard.press("Tab")  # no place is left: it is Tab again
    await expect(prompt(page)).not_to_be_focused()


async def test_a_prompt_taken_can_be_undone(open_page: OpenPage) -> None:
    page = await open_page()
    await typed(page, "/summ")
    await expect(offers(page).first).to_contain_text("Summarise")
    await page.keyboard.press("Tab")
    assert (await prompt(page).input_value()).startswith("Summarise")
    await page.keyboard.press("Control+z")
    await page.keyboard.press("Control+z")
    assert not (await prompt(page).input_value()).startswith("Summarise")


async def test_escape_closes_the_list_and_leaves_what_was_typed(open_page: OpenPage) -> None:
    page = await open_page()
    await typed(page, "/su")
    await expect(offers(page).first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(offers(page)).to_have_count(0)
    await typed(page, "m")
    await expect(prompt(page)).to_have_value("/sum")
    await expect(offers(page)).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-bubble")).to_have_text("/sum")


@pytest.mark.parametrize("text", ["/usr/bin", "1/2", "me@example.org", "/nothing-of-that-name", "a / b"])
async def test_a_slash_elsewhere_offers_nothing(open_page: OpenPage, text: str) -> None:
    page = await open_page()
    await typed(page, text)
    await expect(offers(page)).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-bubble")).to_have_text(text)


async def test_prompts_with_chinese_names_are_found_while_composing(open_page: OpenPage, site: Site) -> None:
    library = Library.on(site.services.database).of("")
    saved = await library.add_prompt(SavedPrompt("翻译成英文", "请翻译成英文：{{text}}"))
    page = await open_page()
    await prompt(page).evaluate(COMPOSED, ["、"])  # what a Chinese input method writes with the key of the slash
    await prompt(page).evaluate(COMPOSED, ["翻译", "end"])
    await expect(offers(page).first).to_contain_text("翻译成英文")
    await page.keyboard.up("Enter")
    await page.keyboard.press("Enter")
    await expect(prompt(page)).to_have_value("请翻译成英文：{{text}}")
    selected = await prompt(page).evaluate("(box) => box.value.slice(box.selectionStart, box.selectionEnd)")
    assert selected == "{{text}}"
    await library.remove_prompt(saved.id)


async def test_a_persona_is_chosen_shown_and_left(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await typed(page, "@bio")
    await expect(offers(page).first).to_contain_text("Biologist")
    await page.keyboard.press("Enter")
    chip = page.locator(".f-persona-chip")
    await expect(chip).to_contain_text("Biologist")
    await expect(prompt(page)).to_have_value("")
    await expect(prompt(page)).to_be_focused()
    await ask(page, "Who are you?")
    await ended(page)
    await expect(replies(page).last).to_contain_text("biolog")
    await page.get_by_role("button", name="Go on without Biologist").click()
    await expect(chip).to_be_hidden()
    await expect(prompt(page)).to_be_focused()


async def test_an_offer_is_taken_with_the_mouse(open_page: OpenPage) -> None:
    page = await open_page()
    await typed(page, "@")
    await offers(page).filter(has_text="Translator").click()
    await expect(page.locator(".f-persona-chip")).to_contain_text("Translator")
    await typed(page, "@")
    await expect(offers(page).first).to_contain_text("No persona")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-persona-chip")).to_be_hidden()


async def test_the_list_leads_to_the_prompts_themselves(open_page: OpenPage) -> None:
    page = await open_page()
    await typed(page, "/")
    await offers(page).filter(has_text="Manage prompts").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(prompt(page)).to_have_value("")


# -- shortcuts


async def test_the_sheet_of_shortcuts(open_page: OpenPage) -> None:
    page = await open_page()
    await prompt(page).press("?")
    await expect(prompt(page)).to_have_value("?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await prompt(page).press("Control+/")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(sheet).to_contain_text("New chat")
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await page.locator("#shortcuts").focus()
    await page.keyboard.press("?")
    await expect(sheet).to_be_visible()


async def test_shortcuts_do_what_they_say(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "question")
    await ended(page)
    await page.keyboard.press("Alt+Shift+R")
    await expect(page.get_by_text("2/2")).to_be_visible()
    await ended(page)
    await page.keyboard.press("Alt+Shift+S")
    await expect(page.locator("#menu")).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("Alt+Shift+S")
    before = await page.evaluate("document.documentElement.dataset.theme")
    await page.keyboard.press("Alt+Shift+L")
    assert await page.evaluate("document.documentElement.dataset.theme") != before
    await page.keyboard.press("Alt+Shift+O")
    await expect(page.locator("#options")).to_be_visible()
    await page.keyboard.press("Alt+Shift+O")
    await page.keyboard.press("Alt+Shift+P")
    await expect(prompt(page)).to_be_focused()
    async with page.expect_file_chooser():
        await page.keyboard.press("Alt+Shift+U")
    await page.keyboard.press("Alt+Shift+N")
    await expect(replies(page)).to_have_count(0)


async def test_the_last_reply_is_copied_by_keys(open_page: OpenPage) -> None:
    page = await open_page(permissions=["clipboard-read", "clipboard-write"])
    await ask(page, "question")
    await ended(page)
    await page.keyboard.press("Alt+Shift+C")
    copied = await page.evaluate("navigator.clipboard.readText()")
    shown = await replies(page).last.locator(".f-text").inner_text()
    assert re.findall(r"\w+", copied) == re.findall(r"\w+", shown)


async def test_arrow_up_in_an_empty_box_edits_the_last_message(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "question")
    await ended(page)
    await typed(page, "x")
    await prompt(page).press("ArrowUp")
    await expect(page.locator(".f-question textarea")).to_have_count(0)
    await prompt(page).fill("")
    await prompt(page).press("ArrowUp")
    await expect(page.locator(".f-question textarea")).to_have_value("question")
    await expect(page.locator(".f-question textarea")).to_be_focused()


# -- for everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_with_everything_open(open_page: OpenPage, scheme: str) -> None:
    page = await open_page(color_scheme=scheme)
    files = [
        {"name": "notes.md", "mimeType": "text/plain", "buffer": b"# Notes"},
        {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(50)},
    ]
    await page.locator("#composer-buttons input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    await expect(page.locator('[data-state="failed"]')).to_be_visible()
    await typed(page, "@bio")
    await expect(offers(page).first).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-persona-chip")).to_be_visible()
    await typed(page, "/")
    await expect(offers(page).first).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("Control+/")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await faults(page) == []


@pytest.mark.parametrize("width", [400, 320])
async def test_everything_has_room_on_a_narrow_page(open_page: OpenPage, width: int) -> None:
    """320 px is 1280 px at 400 %."""
    page = await open_page(viewport={"width": width, "height": 640})
    await typed(page, "@bio")
    await expect(offers(page).first).to_be_visible()
    await page.keyboard.press("Enter")
    await typed(page, "/")
    await expect(offers(page).first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in ("#attach", "#submit", "#prompt textarea", ".f-slash"):
        box = await page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 640
