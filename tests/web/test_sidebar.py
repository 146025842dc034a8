"""The left side in a real browser: the list, its folders and its trash, search, and all of it by keyboard."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from sqlalchemy import delete, insert

from falconry.app import create_app
from falconry.messages import SamplingParams
from falconry.services import Services
from falconry.storage.tables import conversations, folders
from falconry.storage.values import new_id
from tests.web.conftest import OpenPage, page_services, serve_app

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Archive:
    """A Falconry of its own, whose conversations are those that a test puts there."""

    url: str
    services: Services

    async def add(self, *titles: str, at: datetime | None = None, **values: Any) -> list[str]:
        """Conversations, each an hour older than the one before; gives their ids."""
        begin = at or datetime.now(UTC)
        defaults = {"created_at": begin, "version": 0, "titled_by": "person", "pinned": False, **values}
        rows = [
            {**defaults, "id": new_id(), "title": title, "updated_at": begin - timedelta(hours=hour)}
            for hour, title in enumerate(titles)
        ]
        await self.services.database.write(lambda c: c.execute(insert(conversations), rows))
        return [str(row["id"]) for row in rows]

    async def folder(self, name: str) -> str:
        return (await self.services.chat.create_folder(name)).id

    async def titles(self) -> list[str]:
        page = await self.services.chat.listed(1000)
        return [found.title for found in page.conversations]

    async def empty(self) -> None:
        for table in (conversations, folders):
            await self.services.database.write(lambda c, table=table: c.execute(delete(table)))  # type: ignore[misc]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Archive, None]:
    async with (
        page_services(tmp_path_factory.mktemp("sidebar")) as services,
        serve_app(create_app(services), services) as url,
    ):
        yield Archive(url, services)


@pytest_asyncio.fixture(loop_scope="session")
async def archive(server: Archive) -> Archive:
    await server.empty()
    return server


def rows(page: Page) -> Locator:
    return page.locator("#conversations li a")


def row(page: Page, title: str) -> Locator:
    return rows(page).filter(has_text=re.compile(f"^{re.escape(title)}$"))


def menu(page: Page, name: str) -> Locator:
    return page.get_by_role("menuitem", name=name, exact=True)


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def answer(page: Page, method: str) -> Any:
    """Wait for the server's answer to what is done within: the page itself shows it before."""
    return page.expect_response(lambda response: response.request.method == method and response.ok)


async def choose(page: Page, title: str, *names: str) -> None:
    """Press entries of a conversation's menu, one after the other."""
    await row(page, title).hover()
    await page.get_by_role("button", name=f"More for “{title}”").click()
    for name in names:
        await page.locator(".f-menu-item").filter(has_text=re.compile(f"^{name}$")).click()


async def test_groups_by_the_calendar_of_whoever_looks(open_page: OpenPage, archive: Archive) -> None:
    # 23:30 UTC on the 14th is the 15th in Shanghai.
    await archive.add("early today", at=datetime(2026, 3, 14, 23, 30, tzinfo=UTC))
    await archive.add("yesterday", at=datetime(2026, 3, 14, 15, 30, tzinfo=UTC))
    await archive.add("last week", at=NOW - timedelta(days=7))
    await archive.add("eight days", at=NOW - timedelta(days=8))
    await archive.add("january", at=datetime(2026, 1, 20, tzinfo=UTC))
    await archive.add("last year", at=datetime(2025, 12, 20, tzinfo=UTC))
    page = await open_page(origin=archive.url, timezone_id="Asia/Shanghai")
    await page.clock.set_fixed_time(NOW)
    await page.reload()
    heads = page.locator("#conversations h2")
    await expect(heads).to_have_text(
        ["Today", "Yesterday", "Previous 7 days", "Previous 30 days", "January", "December 2025"]
    )
    await expect(rows(page)).to_have_text(
        ["early today", "yesterday", "last week", "eight days", "january", "last year"]
    )
    await page.locator("#language").click()
    await expect(heads).to_have_text(["今天", "昨天", "过去 7 天", "过去 30 天", "一月", "2025年12月"])


async def test_at_midnight_today_becomes_yesterday(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("a late one", at=NOW)
    page = await open_page(origin=archive.url, timezone_id="UTC")
    await page.clock.install(time=NOW)
    await page.reload()
    await expect(page.locator("#conversations h2")).to_have_text("Today")
    await page.clock.fast_forward("12:00:01")
    await expect(page.locator("#conversations h2")).to_have_text("Yesterday")


@pytest.mark.parametrize("how", ["double click", "F2", "menu"])
async def test_renaming_in_place(open_page: OpenPage, archive: Archive, how: str) -> None:
    await archive.add("before", "other")
    page = await open_page(origin=archive.url)
    if how == "double click":
        await row(page, "before").dblclick()
    elif how == "F2":
        await row(page, "before").focus()
        await page.keyboard.press("F2")
    else:
        await choose(page, "before", "Rename")
    box = page.get_by_role("textbox", name="Rename")
    await expect(box).to_be_focused()
    await expect(box).to_have_value("before")
    await page.keyboard.type("after")
    async with answer(page, "PATCH"):
        await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_text(["after", "other"])
    assert await archive.titles() == ["after", "other"]
    if how != "double click":  # whose first press has opened the conversation
        await expect(row(page, "after")).to_be_focused()


async def test_escape_drops_the_new_name_and_an_input_methods_enter_does_not_end_it(
    open_page: OpenPage, archive: Archive
) -> None:
    await archive.add("before")
    page = await open_page(origin=archive.url)
    await row(page, "before").focus()
    await page.keyboard.press("F2")
    box = page.get_by_role("textbox", name="Rename")
    await box.fill("你")
    for key in ({"isComposing": True}, {"keyCode": 229}):
        await box.dispatch_event("keydown", {"key": "Enter", "bubbles": True, **key})
    await expect(box).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(rows(page)).to_have_text(["before"])
    await expect(row(page, "before")).to_be_focused()


async def test_news_leave_a_name_that_is_being_changed_alone(open_page: OpenPage, archive: Archive) -> None:
    [first, *_] = await archive.add("one", "two")
    page = await open_page(origin=archive.url)
    await row(page, "two").focus()
    await page.keyboard.press("F2")
    await page.keyboard.type("half")
    async with page.expect_response(re.compile(r"/api/conversations\?")):
        await archive.services.chat.change_conversation(first, title="ONE")
    await expect(page.locator(".f-name-box")).to_have_value("half")
    await expect(page.locator(".f-name-box")).to_be_focused()
    await page.keyboard.type(" a name")
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_text(["ONE", "half a name"])


async def test_deleted_at_once_and_exactly_where_it_was_after_undo(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two", "three", "four")
    page = await open_page(origin=archive.url)
    async with answer(page, "DELETE"):
        await choose(page, "two", "Delete")
    await expect(rows(page)).to_have_text(["one", "three", "four"])
    await expect(row(page, "three")).to_be_focused()
    async with answer(page, "DELETE"):
        await page.keyboard.press("Delete")
    await expect(page.get_by_text("2 conversations deleted.")).to_be_visible()
    assert await archive.titles() == ["one", "four"]
    await page.get_by_role("button", name="Undo").click()
    await expect(rows(page)).to_have_text(["one", "two", "three", "four"])
    await expect(page.get_by_text("conversations deleted.")).to_be_hidden()
    await expect(page.get_by_text("2 conversations are back.")).to_have_count(1)
    await expect(row(page, "three")).to_be_focused()
    await page.reload()
    await expect(rows(page)).to_have_text(["one", "two", "three", "four"])


async def test_the_open_conversation_deleted_comes_back_to_the_page(open_page: OpenPage, archive: Archive) -> None:
    [conversation] = await archive.add("open one")
    await archive.services.chat.ask(conversation, "hello", parent_id=None, params=SamplingParams())
    page = await open_page(f"/?c={conversation}", origin=archive.url)
    await expect(page.locator(".f-bubble")).to_have_text("hello")
    await row(page, "open one").focus()
    await page.keyboard.press("Delete")
    await expect(page.locator(".f-bubble")).to_have_count(0)
    await expect(page).to_have_url(f"{archive.url}/")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".f-bubble")).to_have_text("hello")
    await expect(page).to_have_url(f"{archive.url}/?c={conversation}")


async def test_recently_deleted_ones_are_restored_or_go_for_good(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two", "three")
    page = await open_page(origin=archive.url)
    for title in ("one", "two", "three"):
        await row(page, title).focus()
        async with answer(page, "DELETE"):
            await page.keyboard.press("Delete")
        await expect(row(page, title)).to_have_count(0)
    await page.get_by_role("button", name="More", exact=True).click()
    await menu(page, "Recently deleted").click()
    trash = page.get_by_role("dialog", name="Recently deleted")
    await expect(trash.get_by_role("listitem")).to_have_count(3)
    await trash.get_by_role("listitem").filter(has_text="two").get_by_role("button", name="Restore").click()
    await expect(rows(page)).to_have_text(["two"])
    gone = trash.get_by_role("listitem").filter(has_text="one").get_by_role("button").last
    await gone.click()
    await expect(trash.get_by_role("listitem")).to_have_count(2)  # the first press asks
    async with answer(page, "DELETE"):
        await gone.click()
    await expect(trash.get_by_role("listitem")).to_have_text(re.compile("three"))
    await trash.get_by_role("button", name="Delete all for good").click()
    await trash.get_by_role("button", name="Press again").click()
    await expect(trash.get_by_text("Nothing has been deleted recently.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(trash).to_have_count(0)
    assert await archive.titles() == ["two"]


async def test_pinned_ones_stand_on_top(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two", "three")
    page = await open_page(origin=archive.url)
    async with answer(page, "PATCH"):
        await choose(page, "three", "Pin")
    await expect(page.locator("#conversations h2").first).to_have_text("Pinned")
    await expect(rows(page)).to_have_text(["three", "one", "two"])
    await page.reload()
    await expect(rows(page)).to_have_text(["three", "one", "two"])
    await choose(page, "three", "Unpin")
    await expect(rows(page)).to_have_text(["one", "two", "three"])


async def test_folders_are_made_filled_closed_renamed_and_deleted(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two")
    page = await open_page(origin=archive.url)
    await choose(page, "two", "Move to folder", "New folder")
    await page.get_by_role("textbox", name="Name of the folder").fill("Work")
    async with answer(page, "PATCH"):
        await page.keyboard.press("Enter")
    folder = page.get_by_role("group", name="Work")
    await expect(folder.locator("li a")).to_have_text(["two"])
    await expect(rows(page)).to_have_text(["two", "one"])
    head = folder.locator(".f-folder")
    await head.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(head).to_have_attribute("aria-expanded", "false")
    assert [found.count for found in await archive.services.chat.folders()] == [1]
    await page.reload()
    await expect(head).to_have_attribute("aria-expanded", "false")
    await expect(folder.locator("li a")).to_be_hidden()
    await head.focus()
    await page.keyboard.press("ArrowRight")
    await expect(folder.locator("li a")).to_have_text(["two"])
    await page.keyboard.press("F2")
    await page.keyboard.type("Play")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("group", name="Play").locator(".f-folder")).to_be_focused()
    await page.keyboard.press("Delete")
    await page.get_by_role("dialog").get_by_role("button", name="Delete folder").click()
    await expect(page.locator(".f-folder")).to_have_count(0)
    await expect(rows(page)).to_have_text(["one", "two"])


async def test_a_pinned_one_in_a_folder_stands_twice_and_is_told_as_current_once(
    open_page: OpenPage, archive: Archive
) -> None:
    [conversation] = await archive.add("one", pinned=True, folder_id=await archive.folder("Work"))
    page = await open_page(f"/?c={conversation}", origin=archive.url)
    await expect(rows(page)).to_have_text(["one", "one"])
    await expect(page.locator("#conversations .f-current")).to_have_count(2)
    await expect(page.locator("#conversations a[aria-current]")).to_have_count(1)
    await expect(page.get_by_role("group", name="Pinned").locator("a")).to_have_attribute("aria-current", "page")


async def test_dragged_into_a_folder_and_out_of_it(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two")
    await archive.folder("Work")
    page = await open_page(origin=archive.url)
    folder = page.get_by_role("group", name="Work")
    await expect(folder.get_by_text("Nothing in here yet.")).to_be_visible()
    async with answer(page, "PATCH"):
        await row(page, "two").drag_to(folder.locator(".f-folder"))
    await expect(folder.locator("li a")).to_have_text(["two"])
    assert (await archive.services.chat.folders())[0].count == 1
    await row(page, "two").drag_to(row(page, "one"))
    await expect(folder.locator("li a")).to_have_count(0)
    await expect(rows(page)).to_have_text(["one", "two"])


async def test_all_by_keyboard(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two", "three")
    await archive.folder("Work")
    page = await open_page(origin=archive.url)
    await expect(rows(page)).to_have_count(3)
    await page.locator("#search").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator(".f-folder")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(row(page, "two")).to_be_focused()
    await page.keyboard.press("End")
    await expect(row(page, "three")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(focused(page)).to_have_attribute("aria-label", "More for “three”")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+F10")
    await expect(menu(page, "Rename")).to_be_focused()
    await page.keyboard.press("m")
    await expect(menu(page, "Move to folder")).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(focused(page)).to_have_text("Work")
    await page.keyboard.press("ArrowLeft")
    await expect(menu(page, "Move to folder")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("group", name="Work").locator("li a")).to_be_focused()
    await page.keyboard.press("ContextMenu")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await expect(focused(page)).to_have_attribute("aria-label", "More for “three”")
    await page.keyboard.press("Delete")
    await expect(rows(page)).to_have_count(2)
    await page.keyboard.press("Control+z")
    await expect(rows(page)).to_have_text(["three", "one", "two"])
    await row(page, "one").focus()
    await page.keyboard.press("Enter")
    await expect(row(page, "one")).to_have_attribute("aria-current", "page")


async def test_each_has_its_address_for_a_tab_of_its_own(open_page: OpenPage, archive: Archive) -> None:
    [conversation, _] = await archive.add("one", "two")
    page = await open_page(origin=archive.url)
    async with page.context.expect_page() as opened:
        await row(page, "one").click(modifiers=["Control"])
    other = await opened.value
    await other.wait_for_url(f"{archive.url}/?c={conversation}")
    await other.close()
    assert page.url == f"{archive.url}/"
    await row(page, "one").click()
    await expect(page).to_have_url(f"{archive.url}/?c={conversation}")


async def test_search_opens_the_hit_that_was_chosen(open_page: OpenPage, archive: Archive) -> None:
    ids = [(await archive.services.chat.create_conversation(title)).id for title in ("Birds of prey", "捕食的鸟")]
    params = SamplingParams(max_tokens=4)
    for conversation, text in zip(ids, ("What does a falcon eat?", "猎鹰吃什么？falcon"), strict=True):
        await archive.services.chat.ask(conversation, text, parent_id=None, params=params)
    page = await open_page(origin=archive.url)
    await expect(rows(page)).to_have_count(2)
    await page.locator("#new-chat").focus()
    await page.keyboard.press("/")
    search = page.get_by_role("combobox", name="Search")
    await expect(search).to_be_focused()
    await page.keyboard.type("falcon")
    hits = page.get_by_role("option").filter(has=page.locator("mark", has_text=re.compile("^falcon$")))
    await expect(hits).to_have_count(2)
    await expect(rows(page).first).to_be_hidden()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    chosen = page.locator("[role=option][aria-selected=true]")
    await expect(chosen).to_contain_text("What does a falcon eat?")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(rf"\?c={ids[0]}"))
    await expect(page.locator(".f-bubble")).to_have_text("What does a falcon eat?")
    await search.fill("猎鹰")
    await expect(page.get_by_role("option").filter(has_text="猎鹰吃什么？")).to_have_count(1)
    await expect(page.get_by_role("option")).to_have_count(1)
    await search.press("Escape")
    await expect(search).to_have_value("")
    await expect(rows(page).first).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("zebra")
    await expect(page.locator("#hits").get_by_text("Nothing found for “zebra”.")).to_be_visible()


async def test_other_tabs_see_what_has_changed_and_stay_where_they_are(open_page: OpenPage, archive: Archive) -> None:
    ids = await archive.add(*(f"number {number}" for number in range(60)))
    page = await open_page(origin=archive.url)
    await expect(rows(page)).to_have_count(60)
    await row(page, "number 40").focus()
    before = await row(page, "number 40").bounding_box()
    await archive.services.chat.change_conversation(ids[41], title="renamed elsewhere")
    await archive.services.chat.create_conversation("new elsewhere")
    await expect(row(page, "renamed elsewhere")).to_have_count(1)
    await expect(row(page, "new elsewhere")).to_have_count(1)
    await expect(row(page, "number 40")).to_be_focused()
    assert await row(page, "number 40").bounding_box() == before


async def test_after_a_search_the_list_is_where_it_was(open_page: OpenPage, archive: Archive) -> None:
    await archive.add(*(f"number {number}" for number in range(60)))
    page = await open_page(origin=archive.url)
    await row(page, "number 40").scroll_into_view_if_needed()
    before = await row(page, "number 40").bounding_box()
    await page.locator("#search").fill("zebra")
    await expect(rows(page).first).to_be_hidden()
    await page.locator("#search").press("Escape")
    assert await row(page, "number 40").bounding_box() == before


async def test_a_running_reply_is_marked_until_it_ends(open_page: OpenPage, archive: Archive) -> None:
    [quiet, busy] = await archive.add("quiet", "busy")
    page = await open_page(f"/?c={quiet}", origin=archive.url)
    _, reply = await archive.services.chat.ask(busy, "go", parent_id=None, model="slow", params=SamplingParams())
    mark = row(page, "busy").get_by_role("img", name="A reply is being written")
    await expect(mark).to_be_visible()
    await archive.services.chat.stop(reply.id)
    await expect(mark).to_be_hidden()


async def test_five_thousand_are_read_as_they_are_looked_at(open_page: OpenPage, archive: Archive) -> None:
    await archive.add(*(f"number {number}" for number in range(5000)))
    page = await open_page(origin=archive.url)
    await expect(rows(page)).to_have_count(100)
    await page.wait_for_function(
        """() => {
            const list = document.getElementById("conversations");
            list.scrollTop = list.scrollHeight;
            return list.querySelectorAll("li a").length === 5000;
        }""",
        timeout=60_000,
    )
    # Work of one news, in the browser's own CPU time: far below what anybody notices on a quiet machine.
    client = await page.context.new_cdp_session(page)
    await client.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def task_seconds() -> float:
        metrics = (await client.send("Performance.getMetrics"))["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    before = await task_seconds()
    await row(page, "number 4999").focus()
    async with page.expect_response(re.compile("/api/conversations")):
        await page.keyboard.press("F2")
        await page.keyboard.type("the oldest")
        await page.keyboard.press("Enter")
    await expect(rows(page).last).to_have_text("the oldest")
    assert await task_seconds() - before < 2


async def test_on_a_phone_the_list_is_a_drawer(open_page: OpenPage, archive: Archive) -> None:
    await archive.add("one", "two")
    phone = {"width": 400, "height": 700}
    page = await open_page(origin=archive.url, viewport=phone, has_touch=True, is_mobile=True)
    await expect(page.locator("#side nav")).to_be_hidden()
    await page.get_by_role("button", name="Show or hide the sidebar").tap()
    await page.get_by_role("button", name="More for “one”").tap()
    await menu(page, "Pin").tap()
    await expect(page.locator("#conversations h2").first).to_have_text("Pinned")
    await page.keyboard.press("Escape")
    await expect(page.locator("#side nav")).to_be_hidden()
    await expect(page.locator("#menu")).to_be_focused()
    await page.locator("#menu").tap()
    await expect(page.locator("#new-chat")).to_be_focused()
    assert await page.evaluate("document.getElementById('main').inert")
    await row(page, "two").tap()
    await expect(page.locator("#side nav")).to_be_hidden()
    assert not await page.evaluate("document.getElementById('main').inert")
    assert await page.evaluate("document.documentElement.scrollWidth") <= phone["width"]
