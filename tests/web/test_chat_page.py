"""The chat page in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.conftest import OpenPage, Site
from tests.web.engines import SLOW_TEXT
from tests.web.payloads import ELSEWHERE
from tests.web.test_live import ARTICLE
from tests.web.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COMPOSE = """(box, [type, key]) => {
    box.dispatchEvent(new CompositionEvent(type, {bubbles: true, data: '你'}));
    if (key) box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true, ...key}));
}"""


def prompt(page: Page) -> Locator:
    return page.locator("#prompt textarea")


def replies(page: Page) -> Locator:
    return page.locator(".f-reply")


async def ask(page: Page, text: str) -> None:
    await prompt(page).fill(text)
    await prompt(page).press("Control+Enter")  # on a phone, too, where Enter alone breaks the line


async def ended(page: Page, count: int = 1, status: str = "complete") -> None:
    await expect(replies(page)).to_have_count(count)
    await expect(replies(page).last).to_have_attribute("data-status", status, timeout=15_000)


async def test_enter_and_button_send_and_follow_ups_keep_their_context(open_page: OpenPage, site: Site) -> None:
    page = await open_page(model="thinks")
    await prompt(page).fill("Which animals live on the savanna?")
    await prompt(page).press("Enter")
    await ended(page)
    await expect(prompt(page)).to_have_value("")
    await prompt(page).fill("Which of them is the strongest?")
    await page.get_by_role("button", name="Submit").click()
    await ended(page, 2)
    await expect(replies(page).last).to_contain_text("user=Which animals live on the savanna?|assistant=")
    await expect(replies(page).last).to_contain_text("user=Which of them is the strongest?")
    assert re.fullmatch(re.escape(site.url) + r"/\?c=[0-9a-f]{32}", page.url)
    assert await page.title() == "Which animals live on the savanna? · Falconry"
    assert await page.locator("#conversations a[aria-current]").inner_text() == "Which animals live on the savanna?"


async def test_shift_enter_breaks_the_line_and_blank_is_not_sent(open_page: OpenPage) -> None:
    page = await open_page()
    await prompt(page).press("Enter")
    await prompt(page).fill("one")
    await prompt(page).press("Shift+Enter")
    await prompt(page).press_sequentially("two")
    await expect(prompt(page)).to_have_value("one\ntwo")
    await expect(replies(page)).to_have_count(0)
    await prompt(page).press("Enter")
    await expect(page.locator(".f-bubble")).to_have_text("one\ntwo")


async def test_enter_of_an_input_method_never_sends(open_page: OpenPage) -> None:
    page = await open_page(locale="zh-CN")
    await prompt(page).fill("你")
    await prompt(page).evaluate(COMPOSE, ["compositionstart", {"isComposing": True}])
    await prompt(page).evaluate(COMPOSE, ["compositionend", {"keyCode": 229}])
    await expect(prompt(page)).to_have_value("你")
    await expect(replies(page)).to_have_count(0)
    await prompt(page).press("Enter")
    await ended(page)


async def test_stop_keeps_the_text_and_continue_goes_on_from_it(open_page: OpenPage) -> None:
    page = await open_page(model="slow")
    await ask(page, "go")
    await expect(replies(page)).to_contain_text("word5")
    await expect(page.get_by_role("button", name="Submit")).to_be_hidden()
    await page.get_by_role("button", name="Stop").click()
    await ended(page, status="stopped")
    text = (await replies(page).locator(".f-text").inner_text()).strip()
    assert SLOW_TEXT.startswith(text)
    await page.get_by_role("button", name="Continue").click()
    await expect(replies(page)).to_have_attribute("data-status", "running")
    await expect(replies(page).locator(".f-text")).to_contain_text(f"word{len(text.split()) + 3}")
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")
    assert SLOW_TEXT.startswith((await replies(page).locator(".f-text").inner_text()).strip())


async def test_refresh_in_the_middle_shows_everything_and_goes_on(open_page: OpenPage) -> None:
    page = await open_page(model="slow")
    await ask(page, "go")
    await expect(replies(page)).to_contain_text("word8")
    await page.reload()
    await expect(replies(page).locator(".f-text")).to_contain_text("word0 word1 word2")
    await expect(replies(page)).to_have_attribute("data-status", "running")
    await expect(replies(page)).to_contain_text("word30", timeout=10_000)
    await page.get_by_role("button", name="Stop").click()
    await ended(page, status="stopped")
    assert SLOW_TEXT.startswith((await replies(page).locator(".f-text").inner_text()).strip())


async def test_two_tabs_are_in_step(open_page: OpenPage, site: Site) -> None:
    first = await open_page()
    await ask(first, "one")
    await ended(first)
    second = await open_page(first.url.removeprefix(site.url), second=True)
    await ended(second)
    await ask(first, "two")
    await ended(second, 2)
    await ended(first, 2)
    assert await first.locator(".f-column").inner_text() == await second.locator(".f-column").inner_text()


async def test_stale_tab_cannot_overwrite_and_keeps_its_draft(open_page: OpenPage, site: Site) -> None:
    first = await open_page()
    await ask(first, "one")
    await ended(first)
    await first.context.route("**/events*", lambda route: route.abort())
    stale = await open_page(first.url.removeprefix(site.url), second=True)
    await ended(stale)
    await ask(first, "two")
    await expect(replies(first)).to_have_count(2)
    await ask(stale, "three")
    await expect(stale.get_by_text(re.compile("went on elsewhere|still being written"))).to_be_visible()
    await expect(replies(stale)).to_have_count(2)
    await expect(prompt(stale)).to_have_value("three")


async def test_lost_connection_is_told_and_nothing_is_lost_or_doubled(open_page: OpenPage, site: Site) -> None:
    notice = "Connection lost. Reconnecting…"
    async with Wire(site.url) as wire:
        page = await open_page(model="slow", origin=wire.url)
        await ask(page, "go")
        await expect(replies(page)).to_contain_text("word5")
        await wire.cut()
        await expect(page.get_by_text(notice)).to_be_visible(timeout=10_000)
        await wire.mend()
        await expect(page.get_by_text(notice)).to_be_hidden(timeout=10_000)
        await page.get_by_role("button", name="Stop").click()
        await ended(page, status="stopped")
        text = (await replies(page).locator(".f-text").inner_text()).strip()
        assert SLOW_TEXT.startswith(text)
        assert text.count(" ") > 20


async def test_clear_empties_box_and_log_and_keeps_the_conversation(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    await ask(page, "remember me")
    await ended(page)
    await prompt(page).fill("half a thought")
    await page.get_by_role("button", name="Clear console").click()
    await expect(prompt(page)).to_have_value("")
    await expect(page.locator(".f-turn")).to_have_count(0)
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    assert page.url == site.url + "/"
    await page.locator("#conversations").get_by_text("remember me").click()
    await ended(page)
    await page.go_back()
    await expect(page.locator(".f-turn")).to_have_count(0)


async def test_regenerate_replaces_the_answer_on_show(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "again?")
    await ended(page)
    old = await replies(page).get_attribute("data-id")
    await page.get_by_role("button", name="Regenerate").click()
    await expect(replies(page)).not_to_have_attribute("data-id", old or "")
    await ended(page)


async def test_options_reach_the_model_and_are_kept(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await page.get_by_role("button", name="Advanced options").click()
    system = page.get_by_label("System message")
    await expect(system).to_have_value(re.compile("helpful and honest"))
    await system.fill("You are a kestrel.")
    await page.locator("#option-temperature input[type=number]").fill("0.2")
    await page.locator("#option-max-tokens input[type=number]").fill("77")
    await page.locator("#option-stop textarea").fill("END\\n\nUser:")
    await page.locator("#option-seed :is(input, textarea)").fill("7")
    await ask(page, "hi")
    await ended(page)
    await expect(page.locator("#options-note")).to_contain_text("Stop sequences, Seed")
    expected = r"system=You are a kestrel.|user=hi temperature=0.2 max_tokens=77 stop=['END\n', 'User:'] seed=7"
    await expect(replies(page)).to_contain_text(expected)
    await page.reload()
    await page.get_by_role("button", name="Advanced options").click()
    await expect(page.get_by_label("System message")).to_have_value("You are a kestrel.")
    await page.get_by_role("button", name="Reset").click()
    await expect(page.get_by_label("System message")).to_have_value(re.compile("helpful and honest"))
    await page.locator("#submit").focus()
    await prompt(page).fill("by button")
    await page.get_by_role("button", name="Submit").click()
    await ended(page, 2)
    await expect(replies(page).last).to_contain_text("temperature=0.7 max_tokens=1024 stop=[] seed=None")


async def test_thinking_is_folded_with_its_seconds(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await ask(page, "hm?")
    await ended(page)
    summary = replies(page).locator("summary")
    await expect(summary).to_have_text(re.compile(r"Thought for [\d.]+ s"))
    await expect(replies(page).locator(".f-thinking-text")).to_be_hidden()
    await summary.click()
    await expect(replies(page).locator(".f-thinking-text em")).to_have_text("think")


async def test_too_long_message_says_so_and_can_be_put_back(open_page: OpenPage) -> None:
    page = await open_page(model="tiny")
    await ask(page, "word " * 500)
    await ended(page, status="failed")
    await expect(page.get_by_role("alert")).to_contain_text("Shorten it")
    await page.get_by_role("button", name="Put it back into the box").click()
    await expect(prompt(page)).to_have_value("word " * 500)


async def test_left_out_messages_and_the_exact_prompt_are_shown(open_page: OpenPage) -> None:
    page = await open_page(model="tiny")
    for number in range(1, 5):
        await ask(page, f"{number} " + "word " * 60)
        await ended(page, number)
    await expect(page.locator(".f-left-out")).to_contain_text(re.compile(r"\d earlier messages are no longer part"))
    gauge = page.locator(".f-gauge")
    await expect(gauge).to_have_text(re.compile(r"^\d+ / 300$"))
    await gauge.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("system: A conversation between a user")
    await expect(dialog).to_contain_text("Earlier messages left out")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_reply_that_breaks_off_says_so(open_page: OpenPage) -> None:
    page = await open_page(model="breaks")
    await ask(page, "go")
    await ended(page, status="interrupted")
    await expect(replies(page)).to_contain_text("broke off")
    await expect(page.get_by_role("button", name="Continue")).to_be_visible()


async def test_markdown_is_shown_and_code_is_copied_exactly(open_page: OpenPage) -> None:
    page = await open_page(model="acme/article-7B")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ask(page, "tell")
    await ended(page)
    await expect(replies(page).locator("math")).to_have_count(1)
    await expect(replies(page).locator("td").first).to_have_text("peregrine")
    await replies(page).get_by_role("button", name="Copy code").click()
    code = "def dive(height: int) -> float:\n\treturn height / 9.81\n\n"
    assert await page.evaluate("navigator.clipboard.readText()") == code
    await replies(page).get_by_role("button", name="Copy", exact=True).click()
    assert await page.evaluate("navigator.clipboard.readText()") == ARTICLE


async def test_hostile_text_does_nothing(open_page: OpenPage) -> None:
    page = await open_page(model="evil")
    await page.locator("#model input").wait_for()
    await ask(page, f"<img src=https://{ELSEWHERE}/ onerror=window.hit=1>${{window.hit=1}}{{{{window.hit=1}}}}")
    await ended(page)
    await page.reload()
    await ended(page)
    assert await page.evaluate("window.hit") is None
    assert await page.locator("#messages :is(img:not(.f-mark), script, iframe, style, link, form, object)").count() == 0


async def test_draft_survives_a_change_of_language(open_page: OpenPage) -> None:
    page = await open_page()
    await prompt(page).fill("half a thought")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    await expect(prompt(page)).to_have_value("half a thought")
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("button", name="Submit")).to_be_visible()


@pytest.mark.parametrize("locale", ["zh", "zh-HK", "zh-Hans-CN"])
async def test_every_chinese_browser_gets_chinese(open_page: OpenPage, locale: str) -> None:
    page = await open_page(locale=locale)
    for name in ("发送", "清空控制台", "高级选项"):
        await expect(page.get_by_role("button", name=name)).to_be_visible()
    await expect(page.get_by_role("heading", name="你想了解什么？")).to_be_visible()


async def test_chinese_page_sends_chinese_options(open_page: OpenPage) -> None:
    page = await open_page(locale="zh-CN", model="thinks")
    await page.get_by_role("button", name="稀树草原上有哪些动物？").click()
    await ended(page)
    await expect(replies(page)).to_contain_text("system=以下是用户与")


async def test_dark_follows_the_system_and_the_button(open_page: OpenPage) -> None:
    page = await open_page(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(background) == "rgb(21, 20, 19)"
    assert await page.evaluate("document.body.classList.contains('dark')")
    await page.get_by_role("button", name="Light appearance").click()
    assert await page.evaluate(background) == "rgb(251, 250, 248)"
    assert not await page.evaluate("document.body.classList.contains('dark')")
    await page.reload()
    await expect(page.get_by_role("button", name="Dark appearance")).to_be_visible()


async def test_phone_has_no_sideways_scrolling(open_page: OpenPage) -> None:
    page = await open_page(
        model="acme/article-7B", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    await expect(page.locator("#side nav")).to_be_hidden()
    await prompt(page).fill("w" * 200)
    await page.get_by_role("button", name="Submit").click()
    await ended(page)
    widths = "[document.documentElement.scrollWidth, document.querySelector('.f-scroller').scrollWidth]"
    assert max(await page.evaluate(widths)) <= 390
    await page.get_by_role("button", name="Show or hide the sidebar").click()
    await page.get_by_role("link", name="New chat").click()
    await expect(page.locator("#side nav")).to_be_hidden()
    await expect(page.locator(".f-turn")).to_have_count(0)


async def test_long_conversation_loads_its_end_first(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation()
    for number in range(35):
        head = (await chat.conversation(conversation.id)).head_id
        _, reply = await chat.ask(conversation.id, f"question {number}", parent_id=head, model="acme/article-7B")
        running = chat.find(reply.id)
        if running and running.task:
            await running.task
    page = await open_page(f"/?c={conversation.id}")
    await expect(page.locator(".f-turn")).to_have_count(60)
    end = replies(page).last.get_by_text("end", exact=True)
    await expect(end).to_be_in_viewport()
    await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 0; }")
    await expect(page.locator(".f-turn")).to_have_count(70)
    await expect(page.get_by_text("question 5", exact=True)).to_be_in_viewport()
    await page.get_by_role("button", name="Jump to the latest message").click()
    await expect(end).to_be_in_viewport()


async def test_page_stays_smooth_at_200_tokens_a_second(open_page: OpenPage) -> None:
    page = await open_page(model="flood")
    await ask(page, "go")
    await expect(replies(page)).to_contain_text("peregrine")
    frames = await page.evaluate(
        """() => new Promise((done) => {
            const start = performance.now();
            let frames = 0, last = start, gap = 0;
            const tick = (now) => {
                frames += 1;
                gap = Math.max(gap, now - last);
                last = now;
                now - start < 3000 ? requestAnimationFrame(tick) : done({fps: frames / (now - start) * 1000, gap});
            };
            requestAnimationFrame(tick);
        })"""
    )
    await page.keyboard.press("Escape")
    await ended(page, status="stopped")
    assert frames["fps"] > 25, frames  # 60 on a quiet machine, and other tests run beside this one
    assert frames["gap"] < 400, frames


async def test_keyboard_alone_is_enough(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "hi")
    await ended(page)
    names = []
    for key in ["Tab"] * 4 + ["Shift+Tab"] * 24:
        await page.keyboard.press(key)
        names.append(await page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText.trim()"))
    assert {"Clear console", "Submit", "Advanced options"} <= set(names)
    assert await page.get_by_role("log").count() == 1
