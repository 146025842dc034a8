"""Export, import and links as a person finds them in the page, and the page that a link leads to."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, FilePayload, Page, expect

from falconry.app import create_app
from falconry.gate.gate import SESSION_COOKIE
from falconry.messages import SamplingParams
from falconry.storage.shares import Shares
from falconry.storage.transfer import TransferStore
from falconry.transfer.reading import read_file
from tests.gate.people import PASSWORD
from tests.transfer.samples import chatgpt, encoded, node, said, webui, webui_message
from tests.web.conftest import OpenPage, Site, page_services, serve_app
from tests.web.payloads import PAYLOADS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]


def file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/json", "buffer": content}


def conversation(number: int, title: str) -> bytes:
    part = {"content_type": "image_asset_pointer", "asset_pointer": "x"}
    picture = {"content_type": "multimodal_text", "parts": [part, "What is this?"]}
    nodes = (node("q", None, said("user", content=picture)), node("a", "q", said("assistant", "A gyrfalcon.")))
    return encoded([chatgpt(*nodes, title=title, conversation_id=f"page-{number}")])


async def more_menu(page: Page, name: str) -> None:
    """Press an entry of the menu beside the name."""
    await page.locator(".f-brand button").click()
    await page.get_by_role("menuitem", name=name).click()


async def test_a_file_is_imported_shown_and_taken_once(open_page: OpenPage) -> None:
    page = await open_page("/")
    await more_menu(page, "Import…")
    box = page.get_by_role("dialog", name="Import conversations")
    await expect(box.get_by_role("button", name="Choose a file")).to_be_focused()
    chooser = box.locator("input[type=file]")
    await chooser.set_input_files(file("conversations.json", conversation(1, "Birds of the north")))
    await expect(box.get_by_text("1 conversation was imported.")).to_be_visible()
    await expect(box.get_by_text("left out, since Falconry keeps text: 1.")).to_be_visible()
    await expect(page.locator("#side").get_by_text("Birds of the north")).to_be_visible()
    await chooser.set_input_files(file("conversations.json", conversation(1, "Birds of the north")))
    await expect(box.get_by_text("1 conversation is here already")).to_be_visible()
    await chooser.set_input_files(file("broken.json", b'[{"mapping": '))
    await expect(box.get_by_role("alert")).to_contain_text("line 1")
    await expect(box.get_by_text("Nothing was imported.")).to_be_visible()
    await chooser.set_input_files(file("conversations.json", conversation(2, "Birds of the south")))
    await box.get_by_role("link", name="Show it").click()
    await expect(page.locator("#messages")).to_contain_text("A gyrfalcon.")


async def test_a_file_can_be_dropped_on_the_dialog(open_page: OpenPage) -> None:
    page = await open_page("/")
    await more_menu(page, "Import…")
    content = conversation(3, "Dropped birds").decode()
    data = await page.evaluate_handle(
        "(content) => { const data = new DataTransfer(); "
        "data.items.add(new File([content], 'conversations.json', { type: 'application/json' })); return data; }",
        content,
    )
    box = page.get_by_role("dialog", name="Import conversations")
    for event in ("dragenter", "dragover", "drop"):
        await box.dispatch_event(event, {"dataTransfer": data})
    await expect(box.get_by_text("1 conversation was imported.")).to_be_visible()
    await expect(page.locator("#composer")).not_to_contain_text("conversations.json")


async def test_everything_and_one_conversation_are_downloaded(open_page: OpenPage, tmp_path: Path) -> None:
    page = await open_page("/")
    await more_menu(page, "Import…")
    chooser = page.get_by_role("dialog").locator("input[type=file]")
    await chooser.set_input_files(file("conversations.json", conversation(4, "Exported birds")))
    await page.get_by_text("1 conversation was imported.").wait_for()
    await page.keyboard.press("Escape")
    await more_menu(page, "Export everything")
    async with page.expect_download() as downloading:
        await page.get_by_role("dialog").get_by_role("link", name="JSON").click()
    download = await downloading.value
    assert download.suggested_filename.startswith("falconry-")
    await download.save_as(tmp_path / "all.json")
    everything = json.loads((tmp_path / "all.json").read_text())
    assert "Exported birds" in [each["title"] for each in everything["conversations"]]
    await page.keyboard.press("Escape")
    row = page.locator("#side li", has_text="Exported birds").first
    await row.hover()
    await row.get_by_role("button").last.click()
    async with page.expect_download() as downloading:
        await page.get_by_role("menuitem", name="Export as Markdown").click()
    download = await downloading.value
    assert download.suggested_filename == "Exported birds.md"
    await download.save_as(tmp_path / "one.md")
    assert "A gyrfalcon." in (tmp_path / "one.md").read_text()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sharing(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    """A Falconry with logins that makes links; Ada is its admin."""
    async with page_services(tmp_path_factory.mktemp("sharing")) as opened:
        services = replace(opened, settings=opened.settings.model_copy(update={"share_links": True}))
        async with serve_app(create_app(services), services) as url:
            await services.people.add_user("ada", PASSWORD)
            yield Site(url, services)


async def logged_in(site: Site, browser: Browser) -> tuple[BrowserContext, str]:
    """Ada's browser, and her id."""
    user = await site.services.people.verify("ada", PASSWORD, "127.0.0.1")
    opened = await site.services.people.open_session(user)
    context = await browser.new_context(locale="en-US")
    await context.add_cookies([{"name": SESSION_COOKIE, "value": opened.token, "url": site.url}])
    return context, user.id


async def talk(site: Site, owner: str, title: str, content: str) -> str:
    chat = site.services.chat.of(owner)
    made = await chat.create_conversation(title)
    _, reply = await chat.ask(made.id, content, parent_id=None, params=SamplingParams(max_tokens=20))
    running = chat.find(reply.id)
    if running is not None and running.task is not None:
        await running.task
    return made.id


async def test_a_link_is_made_read_by_a_stranger_and_revoked(sharing: Site, browser: Browser) -> None:
    context, owner = await logged_in(sharing, browser)
    await talk(sharing, owner, "Shared birds", "Which birds?")
    page = await context.new_page()
    await page.goto(sharing.url)
    row = page.locator("#side li", has_text="Shared birds").first
    await row.hover()
    await row.get_by_role("button").last.click()
    await page.get_by_role("menuitem", name="Share by link…").click()
    box = page.get_by_role("dialog", name="Share “Shared birds”")
    await expect(box.get_by_text("There are no links to this conversation.")).to_be_visible()
    await box.get_by_role("button", name="Create link").click()
    await expect(box.get_by_role("button", name="Copy link")).to_be_focused()
    link = await box.locator(".f-fresh pre").inner_text()
    assert link.startswith(sharing.url + "/s/")

    stranger = await browser.new_context(locale="en-US", java_script_enabled=False)
    reader = await stranger.new_page()
    await reader.goto(link)
    await expect(reader.get_by_role("heading", level=1)).to_have_text("Shared birds")
    await expect(reader.get_by_role("article").first).to_contain_text("Which birds?")
    await expect(reader.get_by_role("article")).to_have_count(2)

    await box.get_by_role("button", name="Revoke").click()
    await expect(box.get_by_text("There are no links to this conversation.")).to_be_visible()
    await expect(box.locator(".f-fresh")).to_have_count(0)
    await reader.reload()
    await expect(reader.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    await stranger.close()
    await context.close()


async def test_a_shared_page_runs_nothing_and_loads_nothing(sharing: Site, browser: Browser) -> None:
    context, owner = await logged_in(sharing, browser)
    title = '</title><script>window.hit = 1</script><img src="https://evil.example/x">'
    turns = [
        webui_message("q", None, "user", "\n\n".join(PAYLOADS)),
        webui_message("a", "q", "assistant", "\n\n".join(PAYLOADS)),
    ]
    (tree,) = read_file(encoded([webui(*turns, title=title)]), 10**7).trees
    (conversation_id,) = (await TransferStore(sharing.services.database).of(owner).add([tree])).added
    _, token = await Shares(sharing.services.database).of(owner).create(conversation_id)
    page = await context.new_page()
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: None if request.url.startswith((sharing.url, "data:")) else foreign.append(request.url),
    )
    await page.goto(f"{sharing.url}/s/{token}")
    await expect(page.get_by_role("article")).to_have_count(2)
    assert await page.evaluate("window.hit") is None
    assert await page.evaluate("document.scripts.length") == 1
    assert foreign == []
    await context.close()


@pytest.mark.parametrize("width", [400, 1280])
async def test_a_shared_page_fits_on_any_screen(sharing: Site, browser: Browser, width: int) -> None:
    context, owner = await logged_in(sharing, browser)
    conversation_id = await talk(sharing, owner, "x" * 180, "y" * 500)
    _, token = await Shares(sharing.services.database).of(owner).create(conversation_id)
    page = await context.new_page()
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"{sharing.url}/s/{token}")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()
