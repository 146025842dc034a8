"""What can be done with messages, in a real browser: edit, versions, delete, rate, files, what was left out."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.conftest import OpenPage, Site
from tests.web.test_chat_page import COMPOSE, ask, ended, prompt, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def questions(page: Page) -> Locator:
    return page.locator(".f-question")


def named(turn: Locator, name: str) -> Locator:
    return turn.get_by_role("button", name=name, exact=True)


async def edit(turn: Locator, text: str, key: str = "Enter") -> None:
    await turn.hover()
    await named(turn, "Edit").click()
    await expect(turn.get_by_role("textbox")).to_be_focused()
    await turn.get_by_role("textbox").fill(text)
    await turn.get_by_role("textbox").press(key)


async def versions(turn: Locator) -> str:
    return await turn.locator(".f-place").inner_text()


async def test_an_edit_makes_a_branch_and_both_can_be_shown(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await ask(page, "first wording")
    await ended(page)
    await ask(page, "and then?")
    await ended(page, 2)
    await edit(questions(page).first, "second wording")
    await ended(page)
    await expect(replies(page)).to_contain_text("user=second wording")
    await expect(questions(page).locator(".f-place")).to_have_text("2/2")
    await named(questions(page), "Previous version").click()
    await expect(questions(page).first.locator(".f-bubble")).to_have_text("first wording")
    await expect(questions(page)).to_have_count(2)
    await expect(questions(page).nth(1)).to_contain_text("and then?")
    await expect(named(questions(page).first, "Previous version")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(questions(page).locator(".f-bubble")).to_have_text(["second wording"])
    await page.reload()
    await expect(questions(page).locator(".f-bubble")).to_have_text(["second wording"])


async def test_escape_leaves_a_message_as_it_was_and_an_input_method_does_not_send(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "as it was")
    await ended(page)
    await edit(questions(page), "something else", "Shift+Enter")
    box = questions(page).get_by_role("textbox")
    await expect(box).to_have_value("something else\n")
    await box.evaluate(COMPOSE, ["compositionstart", {"isComposing": True}])
    await box.evaluate(COMPOSE, ["compositionend", {"keyCode": 229}])
    await expect(box).to_have_value("something else\n")
    await box.press("Escape")
    await expect(box).to_have_count(0)
    await expect(questions(page).locator(".f-bubble")).to_have_text("as it was")
    await expect(named(questions(page), "Edit")).to_be_focused()
    await expect(replies(page)).to_have_count(1)


async def test_what_was_typed_into_an_edit_survives_a_reload(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "old")
    await ended(page)
    await edit(questions(page), "new, half", "End")
    await page.reload()
    await questions(page).hover()
    await named(questions(page), "Edit").click()
    await expect(questions(page).get_by_role("textbox")).to_have_value("new, half")
    await questions(page).get_by_role("textbox").press("Control+Enter")
    await expect(questions(page).locator(".f-bubble")).to_have_text("new, half")
    await ended(page)


async def test_any_reply_is_answered_again_and_the_old_branch_is_kept(open_page: OpenPage) -> None:
    page = await open_page()
    for number, text in enumerate(("one", "two"), 1):
        await ask(page, text)
        await ended(page, number)
    await replies(page).first.hover()
    await named(replies(page).first, "Regenerate").click()
    await expect(replies(page)).to_have_count(1)
    await expect(replies(page).locator(".f-place")).to_have_text("2/2")
    await ended(page)
    await named(replies(page), "Previous version").click()
    await expect(questions(page).locator(".f-bubble")).to_have_text(["one", "two"])


async def test_a_branch_is_deleted_when_it_has_been_asked_how_much_goes(open_page: OpenPage) -> None:
    page = await open_page()
    for number, text in enumerate(("stays", "goes"), 1):
        await ask(page, text)
        await ended(page, number)
    await questions(page).last.hover()
    await named(questions(page).last, "Delete from here on").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("2 messages will be deleted")
    await named(dialog, "Cancel").click()
    await expect(replies(page)).to_have_count(2)
    await expect(named(questions(page).last, "Delete from here on")).to_be_focused()
    await named(questions(page).last, "Delete from here on").press("Enter")
    await named(dialog, "Delete").click()
    await expect(replies(page)).to_have_count(1)
    await page.reload()
    await expect(questions(page).locator(".f-bubble")).to_have_text(["stays"])
    await ask(page, "goes on")
    await ended(page, 2)


async def test_a_rating_and_its_correction_are_kept(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    await ask(page, "rate me")
    await ended(page)
    good, bad = named(replies(page), "Good answer"), named(replies(page), "Bad answer")
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "true")
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "false")
    await bad.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("fine-tuning will learn from")
    stored = await site.services.chat.message(await replies(page).get_attribute("data-id") or "")
    await expect(dialog.get_by_role("textbox")).to_have_value(stored.content)
    await dialog.get_by_role("textbox").fill("A better one.")
    await page.keyboard.press("Escape")
    await page.reload()
    await expect(bad).to_have_attribute("aria-pressed", "true")
    await expect(named(replies(page), "Corrected")).to_be_hidden()
    await bad.click()
    await bad.click()
    await expect(dialog.get_by_role("textbox")).to_have_value("A better one.")
    await named(dialog, "Save").click()
    await expect(dialog).to_have_count(0)
    await named(replies(page), "Corrected").click()
    await expect(dialog.get_by_role("textbox")).to_have_value("A better one.")
    stored = await site.services.chat.message(stored.id)
    assert (stored.rating, stored.correction) == (-1, "A better one.")
    await named(dialog, "Remove the correction").click()
    await expect(named(replies(page), "Corrected")).to_be_hidden()


async def test_the_notice_of_what_was_left_out_stands_where_the_model_begins_to_read(open_page: OpenPage) -> None:
    page = await open_page(model="tiny")
    for number in range(1, 7):
        await ask(page, f"question {number} " + "word " * 50)
        await ended(page, number)
    notice = page.locator(".f-left-out")
    await expect(notice).to_have_count(1)
    count = int((await notice.inner_text()).split()[0])
    assert 0 < count < 11
    classes = await page.locator(".f-column > *").evaluate_all("(all) => all.map((one) => one.className)")
    above = classes.index("f-left-out")
    assert above == count
    await named(notice, "Which?").click()
    entries = page.get_by_role("dialog").locator("li button")
    await expect(entries).to_have_count(count)
    await expect(entries.last).to_contain_text("You question 1")
    await entries.last.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(questions(page).first).to_be_in_viewport()
    await expect(questions(page).first).to_be_focused()


async def test_files_show_their_text_and_an_edit_may_leave_some_out(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation()
    files = []
    async with httpx.AsyncClient(base_url=site.url) as client:
        for name in ("falcons.txt", "owls.txt"):
            answer = await client.post("/api/attachments", params={"name": name}, content=f"All about {name}".encode())
            files.append(answer.json()["id"])
    await chat.ask(conversation.id, "read these", parent_id=None, model="echo", attachments=files)
    page = await open_page(f"/?c={conversation.id}", model="echo")
    await ended(page)
    chips = questions(page).locator(".f-file")
    await expect(chips).to_have_text([re.compile(r"falcons\.txt.*byte"), re.compile(r"owls\.txt")])
    await chips.first.click()
    await expect(page.get_by_role("dialog").locator("pre")).to_have_text("All about falcons.txt")
    await page.keyboard.press("Escape")
    await expect(chips.first).to_be_focused()
    await questions(page).hover()
    await named(questions(page), "Edit").click()
    await named(questions(page), "Remove falcons.txt").click()
    await page.keyboard.press("Escape")
    await expect(chips).to_have_count(2)
    await named(questions(page), "Edit").click()
    await named(questions(page), "Remove falcons.txt").click()
    await questions(page).get_by_role("textbox").press("Enter")
    await expect(chips).to_have_text([re.compile(r"owls\.txt")])
    await ended(page)
    await expect(replies(page)).not_to_contain_text("All about falcons")


async def test_thinking_keeps_its_seconds(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await ask(page, "hm?")
    await ended(page)
    summary = replies(page).locator("summary")
    told = re.compile(r"Thought for [\d.]+ s")
    await expect(summary).to_have_text(told)
    await page.reload()
    await expect(summary).to_have_text(told)


async def test_time_is_told_and_the_exact_one_on_demand(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "when?")
    await ended(page)
    time = replies(page).locator("time")
    await expect(time).to_have_text("just now")
    assert re.search(r"\d{4}.*\d:\d\d:\d\d", await time.get_attribute("title") or "")
    spoken = await page.evaluate(
        """async () => {
            const { ago } = await import(document.querySelector("meta[name=falconry-assets]").content + "/when.js");
            const now = new Date(2026, 10, 25, 12);
            const back = [30, 300, 7200, 86400, 3 * 86400, 40 * 86400, 400 * 86400];
            return back.map((seconds) => ago(new Date(now - seconds * 1000).toISOString(), now.getTime()));
        }"""
    )
    days = ["yesterday", "3 days ago", "October 16", "Oct 21, 2025"]
    assert spoken == ["just now", "5 minutes ago", "2 hours ago", *days]


async def test_a_link_to_a_message_opens_its_branch_in_its_place(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation()
    asked = []
    for number in range(120):
        head = (await chat.conversation(conversation.id)).head_id
        question, reply = await chat.ask(conversation.id, f"ask {number}", parent_id=head, model="acme/article-7B")
        asked.append(question.id)
        running = chat.find(reply.id)
        if running and running.task:
            await running.task
    # Another first question: all of the above is now on a branch that is not on show.
    head = (await chat.conversation(conversation.id)).head_id
    _, reply = await chat.ask(conversation.id, "other", parent_id=head, model="acme/article-7B", edit_of=asked[0])
    running = chat.find(reply.id)
    if running and running.task:
        await running.task
    page = await open_page(f"/?c={conversation.id}&m={asked[40]}")
    wanted = page.locator(f'[data-id="{asked[40]}"]')
    await expect(wanted).to_be_in_viewport()
    await expect(wanted).to_be_focused()
    await expect(page.locator(".f-bubble", has_text="ask 119")).to_have_count(0)
    scroller = page.locator(".f-scroller")
    await scroller.evaluate("(element) => { element.scrollTop = element.scrollHeight; }")
    await expect(page.locator(".f-bubble", has_text="ask 70")).to_have_count(1)
    await scroller.evaluate("(element) => { element.scrollTop = 0; }")
    await expect(page.locator(".f-bubble", has_text=re.compile("^ask 10$"))).to_have_count(1)
    await page.get_by_role("button", name="Jump to the latest message").click()
    await expect(page.locator(".f-bubble", has_text="ask 119")).to_have_count(1)
    await expect(replies(page).last.get_by_text("end", exact=True)).to_be_in_viewport()
    await ask(page, "and on")
    await expect(page.locator(".f-bubble").last).to_have_text("and on")
    await expect(prompt(page)).to_have_value("")
