"""Files beside a message, in a real browser: chosen, pasted, dropped, kept with the draft, sent and seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from falconry.storage.attachments import Attachments
from tests.attachments.documents import text_pdf
from tests.web.conftest import OpenPage, Site
from tests.web.test_chat_page import ask, ended, prompt, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOTES: FilePayload = {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"Falcons are fast."}
PDF: FilePayload = {"name": "report.pdf", "mimeType": "application/pdf", "buffer": text_pdf("Owls are quiet.")}
PHOTO: FilePayload = {"name": "photo.png", "mimeType": "image/png", "buffer": b"BM" + bytes(50)}
TRANSFER = """([kind, files, text]) => {
    const data = new DataTransfer();
    for (const [name, type, content] of files) data.items.add(new File([content], name, {type}));
    if (text) data.setData('text/plain', text);
    const box = document.querySelector('#prompt textarea');
    const init = {bubbles: true, cancelable: true};
    if (kind === 'paste') {
        box.focus();
        return !box.dispatchEvent(new ClipboardEvent('paste', {...init, clipboardData: data}));
    }
    return !document.querySelector('#messages').dispatchEvent(new DragEvent(kind, {...init, dataTransfer: data}));
}"""


def chips(page: Page) -> Locator:
    return page.locator(".f-upload")


def ready(page: Page) -> Locator:
    return page.locator('.f-upload[data-state="ready"]')


async def attach(page: Page, *files: FilePayload) -> None:
    await page.locator("#composer-buttons input[type=file]").set_input_files(list(files))


async def transfer(page: Page, kind: str, files: Sequence[tuple[str, str, str]] = (), text: str = "") -> bool:
    """Whether the page took it, and the browser does nothing of its own with it."""
    taken: bool = await page.evaluate(TRANSFER, [kind, [list(file) for file in files], text])
    return taken


async def test_files_are_sent_with_the_message_and_read_by_the_model(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name="Attach files").click()
    await (await choosing.value).set_files([NOTES, PDF])
    await expect(ready(page)).to_have_count(2)
    await expect(chips(page).first).to_contain_text("notes.md")
    await expect(chips(page).first).to_contain_text("17 byte")
    await expect(chips(page).first).to_contain_text("17 characters")
    await ask(page, "Compare them.")
    await ended(page)
    await expect(chips(page)).to_have_count(0)
    answer = replies(page).last
    await expect(answer).to_contain_text('<file name="notes.md"> Falcons are fast. </file>')
    await expect(answer).to_contain_text('<file name="report.pdf"> Owls are quiet. </file>')
    question = page.locator(".f-question")
    await expect(question).to_contain_text("report.pdf")
    await page.reload()
    await expect(question).to_contain_text("report.pdf")
    await expect(chips(page)).to_have_count(0)


async def test_a_file_alone_can_be_sent(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    await attach(page, NOTES)
    await expect(ready(page)).to_have_count(1)
    await expect(page.locator("#submit")).to_have_attribute("aria-disabled", "false")
    await page.get_by_role("button", name="Submit").click()
    await ended(page)
    await expect(replies(page).last).to_contain_text("Falcons are fast.")


async def test_files_are_counted_before_they_are_sent(open_page: OpenPage) -> None:
    page = await open_page(model="tiny")
    await expect(page.locator(".f-gauge")).to_be_hidden()
    await attach(page, NOTES)
    await expect(page.locator(".f-gauge")).to_contain_text("/ 300")
    await attach(page, {**NOTES, "buffer": b"word " * 2000})
    await expect(page.locator(".f-gauge")).to_have_attribute("data-level", "full")


async def test_a_file_that_cannot_be_read_says_why_and_is_not_sent(open_page: OpenPage) -> None:
    page = await open_page()
    await attach(page, PHOTO, NOTES)
    failed = page.locator('.f-upload[data-state="failed"]')
    await expect(failed).to_contain_text("No model can see this kind of picture.")
    await expect(failed.get_by_role("button", name="Try again")).to_be_hidden()
    await ask(page, "What is it?")
    await expect(page.locator(".f-notice")).to_contain_text("Remove it")
    await expect(replies(page)).to_have_count(0)
    await failed.get_by_role("button", name="Remove photo.png").click()
    await expect(chips(page)).to_have_count(1)
    await expect(chips(page).get_by_role("button", name="Remove notes.md")).to_be_focused()
    await prompt(page).press("Enter")
    await ended(page)


async def test_what_is_wrong_is_said_in_chinese(open_page: OpenPage) -> None:
    page = await open_page(locale="zh-CN")
    await attach(page, PHOTO)
    await expect(page.locator('.f-upload[data-state="failed"]')).to_contain_text("模型看不了这种格式的图片")


async def test_an_upload_that_failed_on_its_way_is_tried_again(open_page: OpenPage) -> None:
    page = await open_page()
    await page.route("**/api/attachments?name=*", lambda route: route.abort())
    await attach(page, NOTES)
    failed = page.locator('.f-upload[data-state="failed"]')
    await expect(failed).to_contain_text("Falconry does not answer.")
    await page.unroute_all()
    await failed.get_by_role("button", name="Try again").click()
    await expect(ready(page)).to_have_count(1)


async def test_an_upload_shows_that_it_goes_on_and_can_be_given_up(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    held: list[Route] = []
    await page.route("**/api/attachments?name=*", lambda route: held.append(route))
    await attach(page, NOTES)
    await expect(chips(page).get_by_role("progressbar", name="Uploading notes.md")).to_be_visible()
    await ask(page, "early")
    await expect(page.locator(".f-notice")).to_contain_text("Wait until the files are uploaded.")
    await expect(replies(page)).to_have_count(0)
    await chips(page).get_by_role("button", name="Remove notes.md").click()
    await expect(chips(page)).to_have_count(0)
    await expect(prompt(page)).to_be_focused()
    await prompt(page).press("Enter")
    await ended(page)
    await expect(page.locator(".f-bubble")).to_have_text("early")
    for route in held:
        await route.abort()


async def test_too_large_a_file_is_told_without_sending_it(open_page: OpenPage) -> None:
    page = await open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "attachments?name" in request.url else None)
    await attach(page, {**NOTES, "buffer": b"x" * (16 * 2**20 + 1)})
    await expect(page.locator('.f-upload[data-state="failed"]')).to_contain_text("at most 16.8 MB")
    assert sent == []


async def test_one_message_takes_twenty_files(open_page: OpenPage) -> None:
    page = await open_page()
    many: list[FilePayload] = [{**NOTES, "name": f"{number}.md"} for number in range(22)]
    await attach(page, *many)
    await expect(chips(page)).to_have_count(20)
    await expect(page.locator(".f-notice")).to_contain_text("at most 20 files")


# -- pasted


async def test_a_long_pasted_text_becomes_a_file_and_can_be_put_back(open_page: OpenPage) -> None:
    page = await open_page()
    await prompt(page).fill("before ")
    text = "long text\n" * 500
    assert await transfer(page, "paste", text=text)
    await expect(ready(page)).to_contain_text("Pasted text.txt")
    await expect(prompt(page)).to_have_value("before ")
    assert await transfer(page, "paste", text=text)
    await expect(ready(page).nth(1)).to_contain_text("Pasted text 2.txt")
    await ready(page).first.get_by_role("button", name="Put it into the box as text").click()
    await expect(prompt(page)).to_have_value("before " + text)
    await expect(prompt(page)).to_be_focused()
    await expect(chips(page)).to_have_count(1)


async def test_a_pasted_text_can_be_put_back_after_a_reload(open_page: OpenPage) -> None:
    page = await open_page()
    text = "猎鹰飞得很快。\n" * 700
    await transfer(page, "paste", text=text)
    await expect(ready(page)).to_have_count(1)
    await page.reload()
    await ready(page).get_by_role("button", name="Put it into the box as text").click()
    await expect(prompt(page)).to_have_value(text)


async def test_a_short_pasted_text_stays_text(open_page: OpenPage) -> None:
    page = await open_page()
    assert not await transfer(page, "paste", text="short")
    await expect(chips(page)).to_have_count(0)


async def test_pasted_files_are_attached_but_not_the_picture_of_a_text(open_page: OpenPage) -> None:
    page = await open_page()
    assert await transfer(page, "paste", [("a.csv", "text/csv", "a,b")])
    await expect(ready(page)).to_contain_text("a.csv")
    assert not await transfer(page, "paste", [("image.png", "image/png", "x")], text="a cell of a table")
    await expect(chips(page)).to_have_count(1)


# -- dropped


async def test_files_are_dropped_anywhere_on_the_page(open_page: OpenPage) -> None:
    page = await open_page()
    assert await transfer(page, "dragover", [("a.txt", "text/plain", "abc")])
    await expect(page.locator(".f-drop")).to_be_visible()
    await expect(page.locator(".f-drop")).to_have_text("Drop files to attach them")
    await expect(page.locator(".f-drop")).to_be_hidden()  # whoever drags on sends no more events
    assert await transfer(page, "drop", [("a.txt", "text/plain", "abc"), ("b.txt", "text/plain", "def")])
    await expect(ready(page)).to_have_count(2)


async def test_a_dragged_text_is_the_browsers(open_page: OpenPage) -> None:
    page = await open_page()
    assert not await transfer(page, "dragover", text="some words")
    await expect(page.locator(".f-drop")).to_be_hidden()


# -- kept


async def test_files_stay_with_their_draft(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "first")
    await ended(page)
    first = "/?" + page.url.partition("?")[2]
    await attach(page, NOTES)
    await expect(ready(page)).to_have_count(1)
    await page.get_by_role("link", name="New chat").click()
    await expect(chips(page)).to_have_count(0)
    await attach(page, PDF)
    await expect(ready(page)).to_contain_text("report.pdf")
    await page.reload()
    await expect(ready(page)).to_contain_text("report.pdf")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    await expect(ready(page)).to_contain_text("report.pdf")
    await page.locator(f'#conversations a[href="{first}"]').click()
    await expect(ready(page)).to_contain_text("notes.md")
    await ended(page)
    await prompt(page).press("Enter")
    await ended(page, 2)
    await expect(page.locator(".f-question").last).to_contain_text("notes.md")


async def test_an_upload_goes_on_while_another_conversation_is_open(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "first")
    await ended(page)
    first = "/?" + page.url.partition("?")[2]
    held: list[Route] = []
    await page.route("**/api/attachments?name=*", lambda route: held.append(route))
    await attach(page, NOTES)
    await expect(chips(page)).to_have_count(1)
    await page.get_by_role("link", name="New chat").click()
    await expect(chips(page)).to_have_count(0)
    async with page.expect_response("**/api/attachments?name=*"):
        await held[0].continue_()
    await page.locator(f'#conversations a[href="{first}"]').click()
    await expect(ready(page)).to_contain_text("notes.md")
    await page.get_by_role("link", name="New chat").click()
    await expect(chips(page)).to_have_count(0)


async def test_a_file_that_was_thrown_away_meanwhile_says_so(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    await attach(page, NOTES)
    await expect(ready(page)).to_have_count(1)
    await Attachments(site.services.database).purge(datetime.now(UTC) + timedelta(hours=25))
    await page.reload()
    await expect(page.locator('.f-upload[data-state="failed"]')).to_contain_text("Attach it again.")


async def test_a_file_that_goes_before_it_is_sent_is_told_and_the_text_stays(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    await attach(page, NOTES)
    await expect(ready(page)).to_have_count(1)
    await Attachments(site.services.database).purge(datetime.now(UTC) + timedelta(hours=25))
    await ask(page, "Read it.")
    await expect(page.locator('.f-upload[data-state="failed"]')).to_contain_text("Attach it again.")
    await expect(prompt(page)).to_have_value("Read it.")
    await expect(replies(page)).to_have_count(0)


async def test_removing_a_file_removes_it_from_the_server(open_page: OpenPage, site: Site) -> None:
    page = await open_page()
    files = Attachments(site.services.database)
    before = len(await files.unsent())
    await attach(page, NOTES)
    await expect(ready(page)).to_have_count(1)
    assert len(await files.unsent()) == before + 1
    async with page.expect_response(lambda response: response.request.method == "DELETE") as removed:
        await page.get_by_role("button", name="Remove notes.md").click()
    assert (await removed.value).status == 204
    assert len(await files.unsent()) == before


async def test_a_hostile_name_is_only_a_name(open_page: OpenPage) -> None:
    page = await open_page()
    await attach(page, {**NOTES, "name": "<img src=x onerror=alert(1)>\u202egpj.txt"})
    await expect(ready(page).locator("bdi")).to_have_text("_img src=x onerror=alert(1)_gpj.txt")
