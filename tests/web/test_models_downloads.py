"""Getting a model on the models page, from a server that speaks the hub's protocol, down to chatting with it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, expect

from falconry.app import create_app
from falconry.services import open_services
from falconry.settings import Settings
from tests.engines.tiny_gguf import write_reciter
from tests.models.hub_server import HubServer, hub_server
from tests.web.conftest import OpenPage, Site, serve_app

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

SLOW = 150_000  # bytes per second, of files of 1.3 MB


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Six models, each of which answers with its name."""
    folder = tmp_path_factory.mktemp("hub")
    with hub_server() as server:
        for name in ("merlin", "saker", "lanner", "gyr", "kite", "harrier"):
            says = [f"I am {name}".encode(), b"."]
            server.add(f"org/{name}-GGUF", {f"{name}-F16.gguf": write_reciter(folder / name, says).read_bytes()})
        yield server


@pytest.fixture(autouse=True)
def healthy(hub: HubServer) -> None:
    hub.faults.clear()
    hub.always = hub.rate = None


def settings_of(data_dir: Path, hub: HubServer) -> Settings:
    return Settings(data_dir=data_dir, hf_endpoint=hub.url, find_models=False, pages=True, titles="message")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reaching(tmp_path_factory: pytest.TempPathFactory, hub: HubServer) -> AsyncGenerator[Site, None]:
    settings = settings_of(tmp_path_factory.mktemp("reaching"), hub)
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        yield Site(url, services)


async def get(page: Page, name: str) -> Locator:
    """Ask for a model by its hub name; gives its line under "Getting"."""
    await page.get_by_role("tab", name="Catalogue").click()
    box = page.get_by_label("Another model: its name on the hub, or a link")
    await box.fill(f"org/{name}-GGUF")
    await box.press("Enter")
    line = fetched(page, name)
    await expect(line).to_be_visible()
    return line


def fetched(page: Page, name: str) -> Locator:
    return page.locator("#fetching li", has_text=re.compile(name))


async def test_from_a_name_to_chatting(reaching: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=reaching.url)
    line = await get(page, "merlin")
    await expect(line).to_contain_text("here", timeout=20_000)
    await expect(page.get_by_role("tab", name="On this machine (2)")).to_be_visible()
    await line.get_by_role("link", name=re.compile("^Chat: ")).click()
    await page.locator("#messages .f-scroller").wait_for()
    await expect(page.locator("#model input")).to_have_value(re.compile("merlin"))
    await page.get_by_role("textbox", name="Prompt").fill("Who are you?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-reply")).to_contain_text("I am merlin.", timeout=20_000)


async def test_progress_is_shown_after_a_reload_and_announced_only_at_the_end(
    reaching: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models", origin=reaching.url)
    hub.rate = SLOW
    line = await get(page, "saker")
    await expect(line).to_contain_text(re.compile(r"[\d.]+ [kM]B of 1.\d MB"))
    await page.reload()
    line = fetched(page, "saker")
    bar = line.get_by_role("progressbar", name=re.compile("^Getting .*saker"))
    await expect(bar).to_be_visible(timeout=2000)
    await page.evaluate(
        """() => {
            window.said = [];
            for (const region of document.querySelectorAll("body > [role=status]")) {
                new MutationObserver(() => region.textContent && window.said.push(region.textContent))
                    .observe(region, {childList: true, characterData: true, subtree: true});
            }
        }"""
    )
    hub.rate = None
    await expect(line.get_by_role("link", name=re.compile("^Chat: "))).to_be_visible(timeout=20_000)
    await page.wait_for_function("window.said.length > 0")
    said: list[str] = await page.evaluate("window.said")
    assert len(said) == 1
    assert re.fullmatch(r".*saker.* is here\.", said[0])


async def test_what_has_arrived_stands_among_the_models_at_the_next_visit(
    reaching: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models", origin=reaching.url)
    line = await get(page, "kite")
    await expect(line.get_by_role("link", name=re.compile("^Chat: "))).to_be_visible(timeout=20_000)
    await page.reload()
    await expect(page.locator("#panel-here")).to_contain_text("kite-F16")
    await expect(page.locator("#fetching")).to_be_hidden()


async def test_a_hub_that_fails_for_a_while_is_waited_for_in_words(
    reaching: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models", origin=reaching.url)
    hub.always = "status:503"
    line = await get(page, "harrier")
    await expect(line).to_contain_text("waiting for the hub · 0 bytes of")
    hub.always = None
    await expect(line.get_by_role("link", name=re.compile("^Chat: "))).to_be_visible(timeout=20_000)


async def test_how_far_a_download_is_keeps_nothing_else_waiting(
    reaching: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models", origin=reaching.url)
    hub.rate = SLOW
    line = await get(page, "lanner")
    unanswered: list[Route] = []
    await page.route("**/api/downloads", lambda route: unanswered.append(route))
    async with page.expect_request("**/api/downloads"):
        """The server tells of the next step."""
    here = page.get_by_role("tab", name=re.compile("^On this machine"))
    before = await here.inner_text()
    write_reciter(reaching.services.settings.models_folder / "hobby.gguf", [b"I am a hobby", b"."])
    await reaching.services.shelf.refresh()
    await expect(here).not_to_have_text(before)
    for route in unanswered:
        await route.continue_()
    await page.unroute("**/api/downloads")
    await line.get_by_role("button", name=re.compile("^Cancel: ")).click()
    await expect(line).to_have_count(0)


async def test_pause_resume_and_cancel(reaching: Site, open_page: OpenPage, hub: HubServer) -> None:
    page = await open_page("/models", origin=reaching.url)
    hub.rate = SLOW
    line = await get(page, "lanner")
    await line.get_by_role("button", name=re.compile("^Pause: ")).click()
    await expect(line).to_contain_text("paused")
    await line.get_by_role("button", name=re.compile("^Resume: ")).click()
    await expect(line).not_to_contain_text("paused")
    await line.get_by_role("button", name=re.compile("^Cancel: ")).click()
    await expect(line).to_have_count(0)
    folder = reaching.services.settings.models_folder
    assert [path.name for path in folder.rglob("*lanner*") if path.is_file() and path.suffix == ".gguf"] == []


async def test_what_arrives_wrong_says_why_and_can_be_tried_again(
    reaching: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models", origin=reaching.url)
    hub.always = "noise"
    line = await get(page, "gyr")
    await expect(line.locator(".f-wrong")).to_be_visible(timeout=30_000)
    hub.always = None
    await line.get_by_role("button", name=re.compile("^Try again: ")).click()
    await expect(line.get_by_role("link", name=re.compile("^Chat: "))).to_be_visible(timeout=20_000)
    await line.get_by_role("button", name=re.compile("^Remove: ")).click()
    await expect(line).to_have_count(0)


async def test_what_the_hub_does_not_have_is_said_beside_the_box(reaching: Site, open_page: OpenPage) -> None:
    page = await open_page("/models#catalog", origin=reaching.url)
    box = page.get_by_label("Another model: its name on the hub, or a link")
    await box.fill("org/nothing")
    await box.press("Enter")
    await expect(page.locator(".f-fetch-box [role=alert]")).to_contain_text("org/nothing")
    await expect(box).to_have_value("org/nothing")


async def test_a_download_goes_on_when_falconry_starts_anew(
    tmp_path: Path, open_page: OpenPage, hub: HubServer
) -> None:
    settings = settings_of(tmp_path, hub)
    hub.rate = SLOW
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        page = await open_page("/models", origin=url)
        await get(page, "saker")
        await expect(fetched(page, "saker")).to_contain_text(re.compile(r"[\d.]+ [kM]B of"))
    port = int(url.rpartition(":")[2])
    hub.rate = None
    async with open_services(settings) as services, serve_app(create_app(services), services, port):
        done = fetched(page, "saker").get_by_role("link", name=re.compile("^Chat: "))
        await expect(done).to_be_visible(timeout=20_000)
