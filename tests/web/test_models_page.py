"""The models page in a browser: what is here, loaded, unloaded, deleted, and chatted with. Real files, real engines."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from falconry.app import create_app
from falconry.services import open_services
from falconry.settings import Settings
from tests.engines.tiny_gguf import write_reciter
from tests.gate.people import PASSWORD
from tests.web.conftest import OpenPage, Site, serve_app
from tests.web.test_account_page import guarded
from tests.web.test_keyboard import focused, tab_to

__all__ = ["guarded"]  # a fixture
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

SAYS = [b"Kestrels", b" hover", b"."]


def stock(folder: Path) -> Settings:
    """A folder of the person's own with one model, and Falconry's with two and with what is none."""
    own, data = folder / "own", folder / "data"
    fetched = data / "models"
    own.mkdir()
    fetched.mkdir(parents=True)
    write_reciter(own / "hobby.gguf", SAYS)
    for name in ("kestrel", "merlin"):
        write_reciter(fetched / f"{name}.gguf", SAYS, context_length=2048 if name == "merlin" else 1024)
    (fetched / "page.gguf").write_text("<!doctype html><title>Not found</title>")
    return Settings(data_dir=data, models=[own], find_models=False, pages=True, titles="message")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    """A Falconry as people start it, with models of several kinds on its disk."""
    settings = stock(tmp_path_factory.mktemp("stocked"))
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        await services.shelf.refresh()
        yield Site(url, services)


def row(page: Page, name: str) -> Locator:
    return page.locator("#panel-here .f-model", has=page.get_by_text(name, exact=True))


async def test_what_is_here_is_told_with_what_it_is(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    await expect(page.get_by_role("tab", name="On this machine (4)")).to_have_attribute("aria-selected", "true")
    await expect(row(page, "Eyas")).to_contain_text("comes with Falconry")
    await expect(row(page, "hobby")).to_contain_text("from the settings")
    facts = re.compile(r"1M parameters · F16 · [\d.]+ MB · needs \d+ MiB of memory · context 1,024 · Falconry's folder")
    await expect(row(page, "kestrel")).to_contain_text(facts)


async def test_what_is_broken_is_folded_and_says_why(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    fold = page.locator("#panel-here details")
    await expect(fold.get_by_text("page", exact=True)).to_be_hidden()
    await fold.get_by_text("1 file cannot be used").click()
    await expect(fold.locator("li")).to_contain_text(re.compile(r"web page.*page\.gguf", re.DOTALL | re.IGNORECASE))
    await expect(row(page, "page")).to_have_count(0)


async def test_a_model_is_loaded_and_unloaded_and_the_focus_stays(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    await row(page, "merlin").get_by_role("button", name="Load: merlin").click()
    await expect(row(page, "merlin").locator(".f-state")).to_contain_text("in memory", timeout=20_000)
    unload = row(page, "merlin").get_by_role("button", name="Unload: merlin")
    await expect(unload).to_be_focused()
    await unload.click()
    await expect(row(page, "merlin").locator(".f-state")).to_be_hidden()
    await expect(row(page, "merlin").get_by_role("button", name="Load: merlin")).to_be_focused()


async def test_a_change_elsewhere_is_shown_on_every_page(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    async with httpx.AsyncClient(base_url=stocked.url, trust_env=False) as program:
        assert (await program.post("/api/models/load", json={"model": "kestrel"})).status_code == 202
        await expect(row(page, "kestrel").locator(".f-state")).to_contain_text("in memory", timeout=20_000)
        assert (await program.post("/api/models/unload", json={"model": "kestrel"})).status_code == 202
    await expect(row(page, "kestrel").locator(".f-state")).to_be_hidden()


async def test_chat_with_it_is_chatting_with_it(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    await page.get_by_role("link", name="Chat: hobby").click()
    await page.locator("#messages .f-scroller").wait_for()
    await expect(page.locator("#model input")).to_have_value(re.compile("^hobby"))
    await page.get_by_role("textbox", name="Prompt").fill("What do kestrels do?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-reply")).to_contain_text("Kestrels hover.", timeout=20_000)


async def test_only_what_is_falconrys_own_is_deleted_and_only_when_told_twice(
    stocked: Site, open_page: OpenPage
) -> None:
    file = stocked.services.settings.models_folder / "goshawk.gguf"
    write_reciter(file, SAYS, context_length=512)
    await stocked.services.shelf.refresh()
    page = await open_page("/models", origin=stocked.url)
    await expect(row(page, "hobby").get_by_role("button", name="Delete: hobby")).to_have_count(0)
    await row(page, "goshawk").get_by_role("button", name="Delete: goshawk").click()
    box = page.get_by_role("dialog", name="Delete goshawk?")
    await box.get_by_role("button", name="Close").click()
    assert file.exists()
    await row(page, "goshawk").get_by_role("button", name="Delete: goshawk").click()
    await box.get_by_role("button", name="Delete", exact=True).click()
    await expect(row(page, "goshawk")).to_have_count(0)
    await expect(page.get_by_text("goshawk has been deleted.")).to_be_visible()
    assert not file.exists()


async def test_the_tab_that_was_chosen_is_there_after_a_reload(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    await page.get_by_role("tab", name=re.compile("On this machine")).focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Catalogue")).to_be_focused()
    await expect(page.get_by_role("tabpanel", name="Catalogue")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("tabpanel", name="Catalogue")).to_be_visible()
    await expect(page.get_by_role("tabpanel", name=re.compile("On this machine"))).to_be_hidden()


async def test_the_chat_page_leads_from_the_small_model_to_a_better_one(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/", model="eyas", origin=stocked.url)
    link = page.get_by_role("link", name="Get a bigger model")
    await expect(link).to_be_visible()
    await link.click()
    await expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    page = await open_page("/", model="hobby", origin=stocked.url)
    await expect(page.locator(".f-empty h1")).to_be_visible()
    await expect(page.get_by_role("link", name="Get a bigger model")).to_be_hidden()


async def test_who_is_no_admin_sees_what_there_is_and_no_button_that_would_be_refused(
    guarded: Site, browser: Browser
) -> None:
    await guarded.services.people.add_user("bob", PASSWORD)
    context = await browser.new_context(base_url=guarded.url, locale="en-US")
    page = await context.new_page()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    await page.goto("/login?next=/models")
    await page.get_by_label("Name").fill("bob")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Chat: slow")).to_be_visible()
    await expect(page.get_by_role("tab")).to_have_text([re.compile("On this machine"), "Catalogue"])
    await page.get_by_role("tab", name="Catalogue").click()
    await expect(page.locator("#panel-catalog .f-model").first).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^(Get|Delete|Unload)"))).to_have_count(0)
    await expect(page.get_by_label("Another model: its name on the hub, or a link")).to_have_count(0)
    assert refused == []
    await context.close()


async def test_all_of_it_by_keyboard(stocked: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=stocked.url)
    await tab_to(page, "On this machine (4)")
    await page.keyboard.press("End")
    await expect(page.get_by_role("tab", name="Endpoints")).to_be_focused()
    await page.keyboard.press("Home")
    await tab_to(page, "Load: merlin")
    await page.keyboard.press("Enter")
    await expect(row(page, "merlin").locator(".f-state")).to_contain_text("in memory", timeout=20_000)
    await page.keyboard.press("Enter")
    await expect(row(page, "merlin").locator(".f-state")).to_be_hidden()
    await tab_to(page, "1 file cannot be used")
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel-here details li")).to_be_visible()
    await tab_to(page, "Delete: kestrel", "Shift+Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await focused(page) == "Delete: kestrel"


MANY = [
    {"name": f"model-{n}", "title": f"Model {n}", "state": "unloaded", "source": "ollama", "quantization": "Q4_K_M"}
    | {"size": 4e9, "parameters": 8e9, "context_length": 32768, "default": not n, "problem": None, "base": None}
    for n in range(300)
]


async def test_a_list_of_hundreds_is_searched_and_does_not_stutter(open_page: OpenPage) -> None:
    """300 models: a change of one of them costs the page less than two frames."""
    page = await open_page("/models")
    await page.route("**/api/models", lambda route: route.fulfill(json={"models": MANY}))
    await page.reload()
    await expect(page.locator("#panel-here .f-model")).to_have_count(300)
    took = await page.evaluate(
        """async (models) => {
            const base = document.querySelector("meta[name=falconry-assets]").content;
            const data = await import(`${base}/models_data.js`);
            const times = [];
            for (let n = 0; n < 20; n += 1) {
                const begin = performance.now();
                const now = models.with(150, {...models[150], state: "loading", progress: n / 20});
                data.models.listeners.forEach((tell) => tell(now));
                document.body.getBoundingClientRect();
                times.push(performance.now() - begin);
            }
            return times.sort((a, b) => a - b)[10];
        }""",
        MANY,
    )
    assert took < 33, took
    await page.get_by_role("searchbox", name="Find a model").fill("model-29 ollama")
    await expect(page.locator("#panel-here .f-model")).to_have_count(11)
