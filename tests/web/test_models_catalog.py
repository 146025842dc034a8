"""The catalogue on the models page: which model suits, what fits, and getting one of it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, expect

from falconry.app import create_app
from falconry.models.catalog import CatalogModel, catalog
from falconry.services import open_services
from falconry.settings import Settings
from tests.engines.tiny_gguf import write_reciter
from tests.models.hub_server import HubServer, hub_server
from tests.web.conftest import OpenPage, Site, serve_app

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

SMALLEST: CatalogModel = min(catalog(), key=lambda model: model.parameters)
LARGEST: CatalogModel = max(catalog(), key=lambda model: model.parameters)
GIB = 2**30


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Has the smallest model of the catalogue, though not as large as there."""
    name = SMALLEST.gguf.rpartition("/")[2].removesuffix("-GGUF")
    file = write_reciter(tmp_path_factory.mktemp("hub") / "small.gguf", [b"Small", b" and", b" quick"])
    with hub_server() as server:
        server.add(SMALLEST.gguf, {f"{name}-{quantization}.gguf": file.read_bytes() for quantization in ("Q4_K_M",)})
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory, hub: HubServer) -> AsyncGenerator[Site, None]:
    data_dir = tmp_path_factory.mktemp("shop")
    settings = Settings(data_dir=data_dir, hf_endpoint=hub.url, find_models=False, pages=True)
    async with open_services(settings) as services, serve_app(create_app(services), services) as url:
        yield Site(url, services)


async def told(shop: Site, **query: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False) as client:
        answer: dict[str, Any] = (await client.get("/api/catalog", params=query)).json()
        return answer


def entry(page: Page, name: str) -> Locator:
    return page.locator("#panel-catalog .f-model", has=page.get_by_text(name, exact=True))


async def test_eight_gigabytes_and_chinese_lead_to_one_answer_which_is_remembered(
    shop: Site, open_page: OpenPage
) -> None:
    page = await open_page("/models", origin=shop.url)
    await page.get_by_label("With memory of").select_option(label="8 GiB")
    await page.get_by_label("I want to chat in").select_option(label="Chinese")
    wanted = await told(shop, language="zh", memory=8 * GIB)
    chosen = next(each for each in wanted["entries"] if each["id"] == wanted["recommended"]["id"])
    assert "zh" in chosen["languages"]
    best = page.locator(".f-advice-best")
    await expect(best.get_by_role("heading")).to_have_text(chosen["name"])
    await expect(best).to_contain_text("GiB of memory")
    await expect(best.get_by_role("button")).to_have_text(re.compile(r"^Get · [\d.]+ [MG]B$"))
    await page.reload()
    await expect(page.get_by_label("With memory of")).to_have_value(str(8 * GIB))
    await expect(best.get_by_role("heading")).to_have_text(chosen["name"])


async def test_who_reads_chinese_is_advised_for_chinese_until_they_say_otherwise(
    shop: Site, open_page: OpenPage
) -> None:
    page = await open_page("/models", origin=shop.url, locale="zh-CN")
    await expect(page.get_by_label("聊天语言")).to_have_value("zh")
    await page.get_by_label("聊天语言").select_option(label="不限语言")
    await page.reload()
    await expect(page.get_by_label("聊天语言")).to_have_value("")


@pytest.mark.parametrize("free", [1, 10_000])
async def test_advice_for_which_other_programs_leave_no_room_now_says_so(
    shop: Site, open_page: OpenPage, free: int
) -> None:
    page = await open_page("/models", origin=shop.url)

    async def answer(route: Route) -> None:
        answered = await (await route.fetch()).json()
        answered["machine"] |= {"free_memory": free * GIB, "gpus": []}
        await route.fulfill(json=answered)

    await page.route("**/api/catalog*", answer)
    await page.reload()
    await expect(page.locator(".f-machine")).to_contain_text(f"{free:,} GiB")
    told = page.locator(".f-advice-best").get_by_text(re.compile(r"^Only .* GiB are free now"))
    await expect(told).to_have_count(1 if free == 1 else 0)


async def test_the_list_is_searched_and_narrowed(shop: Site, open_page: OpenPage) -> None:
    page = await open_page("/models#catalog", origin=shop.url)
    await page.get_by_label("With memory of").select_option(label="4 GiB")
    entries = (await told(shop, memory=4 * GIB))["entries"]
    lines = page.locator("#panel-catalog .f-model")
    await expect(lines).to_have_count(len(entries))
    await page.get_by_label("only what fits").check()
    fitting = [each for each in entries if any(variant["fits"] for variant in each["variants"])]
    assert 0 < len(fitting) < len(entries)
    await expect(lines).to_have_count(len(fitting))
    await page.get_by_role("combobox", name="Language").select_option(label="Chinese")
    chinese = [each for each in fitting if "zh" in each["languages"]]
    assert 0 < len(chinese) < len(fitting)
    await expect(lines).to_have_count(len(chinese))
    await page.get_by_label("only what fits").uncheck()
    await page.get_by_role("combobox", name="Language").select_option(label="Every language")
    await page.get_by_label("licence without terms of its own").check()
    await expect(lines).to_have_count(sum(not each["license"]["conditions"] for each in entries))
    await page.get_by_label("licence without terms of its own").uncheck()
    await page.get_by_role("searchbox", name="Search the catalogue").fill("falcon instruct 7b")
    await expect(lines).to_have_count(2)
    names = await lines.locator(".f-model-name").all_inner_texts()
    assert sorted(names) == ["Falcon 7B Instruct", "Falcon3 7B Instruct"]


async def test_what_is_too_large_says_how_much_it_needs(shop: Site, open_page: OpenPage) -> None:
    page = await open_page("/models#catalog", origin=shop.url)
    await page.get_by_label("With memory of").select_option(label="4 GiB")
    line = entry(page, LARGEST.name)
    await expect(line).to_contain_text(re.compile(r"too large: needs \d+(\.\d)? GiB"))
    await line.get_by_text("Sizes and sources").click()
    table = line.get_by_role("table", name=f"Variants of {LARGEST.name}")
    await expect(table.get_by_role("row", name=re.compile("^Q4_K_M"))).to_contain_text("no")


async def test_every_size_and_every_source_is_told(shop: Site, open_page: OpenPage) -> None:
    page = await open_page("/models#catalog", origin=shop.url)
    line = entry(page, SMALLEST.name)
    await line.get_by_text("Sizes and sources").click()
    await expect(line.get_by_role("table").get_by_role("row")).to_have_count(1 + len(SMALLEST.alternatives()))
    sources = {source.url for found in SMALLEST.facts.values() for source in found}
    links = line.locator("a[href^='https://']")
    assert set(await links.evaluate_all("(all) => all.map((link) => link.getAttribute('href'))")) == sources
    assert set(await links.evaluate_all("(all) => all.map((link) => link.rel)")) == {"noreferrer"}


async def test_a_model_of_the_catalogue_is_got_and_chatted_with(
    shop: Site, open_page: OpenPage, hub: HubServer
) -> None:
    page = await open_page("/models#catalog", origin=shop.url)
    hub.rate = 150_000
    line = entry(page, SMALLEST.name)
    await line.get_by_text("Sizes and sources").click()
    row = line.get_by_role("row", name=re.compile("^Q4_K_M"))
    await row.get_by_role("button", name=f"Get: {SMALLEST.name} Q4_K_M").click()
    await expect(row).to_contain_text(re.compile(r"Getting · \d+ %"))
    hub.rate = None
    chat = row.get_by_role("link", name=f"Chat: {SMALLEST.name} Q4_K_M")
    await expect(chat).to_be_visible(timeout=20_000)
    await page.reload()
    await line.get_by_text("Sizes and sources").click()
    await chat.click()
    await page.locator("#messages .f-scroller").wait_for()
    await expect(page.locator("#model input")).to_have_value(re.compile("^SmolLM2"))
    await page.get_by_role("textbox", name="Prompt").fill("How are you?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".f-reply")).to_contain_text("Small and quick", timeout=20_000)


async def test_the_page_without_a_catalogue_is_there_all_the_same(shop: Site, open_page: OpenPage) -> None:
    page = await open_page("/models", origin=shop.url)
    refused = {"error": {"code": "surprise", "message": "Something went wrong.", "text": "Something went wrong."}}
    await page.route("**/api/catalog*", lambda route: route.fulfill(status=500, json=refused))
    await page.reload()
    await expect(page.locator(".f-advice [role=alert]")).to_have_text("Something went wrong.")
    await expect(page.get_by_role("link", name="Chat: Eyas")).to_be_visible()
    await expect(page.locator(".f-advice-best")).to_be_hidden()
