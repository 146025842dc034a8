"""The compare page in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site
from tests.web.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COMPOSE = """(box) => {
    box.dispatchEvent(new CompositionEvent('compositionstart', {bubbles: true, data: '你'}));
    box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}));
    box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true}));
}"""


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nothing_compared_before(site: Site) -> AsyncGenerator[None, None]:
    yield
    for entry in await site.services.comparisons.newest(200):
        await site.services.comparisons.delete(entry.comparison.id)


def answers(page: Page) -> Locator:
    return page.locator(".f-round").last.locator(".f-answer")


def names(page: Page) -> Locator:
    return page.locator(".f-round").last.locator(".f-answer-head h3")


def vote(page: Page) -> Locator:
    return page.locator(".f-round").last.locator(".f-vote")


async def choose(page: Page, *models: str, blind: bool = False) -> None:
    """Choose models in the pickers of a new comparison."""
    pickers = page.locator(".f-picker select")
    await pickers.nth(1).wait_for()
    while await pickers.count() < len(models):
        await page.get_by_role("button", name="Add a model").click()
    for place in range(len(models)):  # away from what the others are to have
        taken = [await pickers.nth(other).input_value() for other in range(await pickers.count())]
        if models[place] in taken:
            other = taken.index(models[place])
            if other != place:
                free = next(name for name in ("evil", "tiny", "flood", "slow") if name not in {*taken, *models})
                await pickers.nth(other).select_option(free)
        await pickers.nth(place).select_option(models[place])
    if blind:
        await page.get_by_role("checkbox", name="Blind").check()


async def ask(page: Page, text: str = "Which animals live on the savanna?") -> None:
    await page.locator("#prompt textarea").fill(text)
    await page.locator("#prompt textarea").press("Enter")


async def compared(page: Page, *models: str, blind: bool = False) -> None:
    await choose(page, *models, blind=blind)
    await ask(page)
    await expect(vote(page)).to_be_visible(timeout=15_000)


async def test_two_models_answer_side_by_side_and_are_voted_on(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await expect(names(page)).to_have_text(["canned", "thinks"])
    await expect(page.locator(".f-bubble")).to_have_text("Which animals live on the savanna?")
    await expect(page.locator("#prompt textarea")).to_have_value("")
    assert re.fullmatch(re.escape(site.url) + r"/compare\?id=[0-9a-f]{32}", page.url)
    boxes = [await answers(page).nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"])
    await page.keyboard.press("2")
    await expect(answers(page).nth(1)).to_have_class(re.compile("f-won"))
    await expect(vote(page)).to_contain_text("Your vote: Answer B")
    await vote(page).get_by_role("button", name="Tie").click()  # changed one's mind
    await expect(vote(page)).to_contain_text("Your vote: Tie")
    await page.get_by_role("link", name="Results").click()
    await expect(page.locator(".f-results")).to_contain_text("1 vote.")
    await expect(page.locator(".f-results")).to_contain_text("Too few votes to say anything: give at least 9 more.")


async def test_the_next_question_goes_to_all(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await ask(page, "And which of them fly?")
    await expect(page.locator(".f-round")).to_have_count(2)
    await expect(vote(page)).to_be_visible(timeout=15_000)
    await expect(answers(page).nth(1)).to_contain_text("user=And which of them fly?")
    await expect(page.locator(".f-round").first.get_by_role("button", name="Continue as a chat")).to_have_count(0)


async def test_answers_go_on_while_the_page_is_loaded_anew(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await choose(page, "slow", "canned")
    await ask(page)
    await expect(answers(page).first).to_contain_text("word3")
    await page.reload()
    await expect(answers(page).first).to_contain_text("word0 word1 word2 word3")
    await expect(answers(page).first).to_contain_text("word25")
    await expect(page.locator("#stop")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(answers(page).first).to_have_attribute("data-status", "stopped")
    await expect(vote(page)).to_be_visible()


async def test_a_cut_network_is_mended(open_page: OpenPage, site: Site) -> None:
    async with Wire(site.url) as wire:
        page = await open_page("/compare", origin=wire.url)
        await choose(page, "slow", "canned")
        await ask(page)
        await expect(answers(page).first).to_contain_text("word3")
        await wire.cut()
        await expect(page.locator(".f-notice")).to_contain_text("Reconnecting")
        await wire.mend()
        await expect(page.locator(".f-notice")).to_have_count(0, timeout=15_000)
        await page.get_by_role("button", name="Stop").click()
        await expect(answers(page).first).to_have_attribute("data-status", "stopped")


async def test_a_second_tab_follows(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    other = await open_page(page.url.removeprefix(site.url), second=True)
    await expect(vote(other)).to_be_visible()
    await answers(page).first.focus()
    await page.keyboard.press("1")
    await expect(vote(other)).to_contain_text("Your vote: Answer A")
    await ask(other, "In the second tab?")
    await expect(page.locator(".f-bubble").last).to_have_text("In the second tab?")
    await expect(vote(page)).to_be_visible(timeout=15_000)


async def test_blind_until_the_vote(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    told: list[str] = []
    await compared(page, "canned", "acme/article-7B", blind=True)
    await expect(names(page)).to_have_text(["Name hidden", "Name hidden"])
    told.append(await page.locator("#compare").inner_html())
    assert "acme" not in told[0]
    assert "tokens/s" not in told[0]
    await expect(page.get_by_role("button", name="Show the names")).to_be_hidden()
    await page.keyboard.press("r")
    await page.keyboard.press("1")
    await expect(vote(page)).to_contain_text("Your vote: Answer A")
    await expect(names(page)).to_have_text(["Name hidden", "Name hidden"])
    await page.get_by_role("link", name="Results").click()
    await expect(page.locator(".f-results")).to_contain_text("1 vote waits")
    await page.go_back()
    await page.get_by_role("button", name="Show the names").click()
    await expect(names(page).first).to_have_text(re.compile("canned|acme/article-7B"))
    assert {await names(page).nth(place).inner_text() for place in (0, 1)} == {"canned", "acme/article-7B"}
    await expect(vote(page).get_by_role("button")).to_have_count(0)  # final
    await page.get_by_role("link", name="Results").click()
    await page.get_by_role("checkbox", name="Only votes given blind").check()
    await expect(page.locator(".f-results")).to_contain_text("1 vote.")


async def test_the_best_of_three_by_keys_alone(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks", "acme/article-7B")
    await page.keyboard.press("1")
    await page.keyboard.press("3")
    await expect(vote(page).get_by_role("button", name="Answer C")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("Enter")
    await expect(vote(page)).to_contain_text("Your vote: Answer A, Answer C")
    await expect(page.locator(".f-won")).to_have_count(2)
    await page.get_by_role("link", name="Results").click()
    await expect(page.locator(".f-results table").first.locator("tbody tr")).to_have_count(3)
    await expect(page.locator(".f-intervals")).to_have_attribute("aria-label", re.compile("Strength: .*thinks"))


async def test_digits_in_the_box_are_no_votes(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await page.locator("#prompt textarea").press_sequentially("12tb")
    await expect(page.locator("#prompt textarea")).to_have_value("12tb")
    await expect(vote(page)).to_contain_text("Which answer is better?")


async def test_one_that_breaks_is_tried_again_alone(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "breaks", "canned")
    await expect(answers(page).first).to_have_attribute("data-status", "interrupted")
    await expect(answers(page).nth(1)).to_have_attribute("data-status", "complete")
    other = await answers(page).nth(1).inner_text()
    async with page.expect_response(lambda response: "/view/comparisons/" in response.url):
        await answers(page).first.get_by_role("button", name="Try again").click()
    await expect(answers(page).first).to_have_attribute("data-status", "interrupted")
    assert await answers(page).nth(1).inner_text() == other
    await expect(answers(page).nth(1).get_by_role("button", name="Try again")).to_have_count(0)
    await vote(page).get_by_role("button", name="Both are bad").click()
    await expect(answers(page).first.get_by_role("button", name="Try again")).to_have_count(0)


async def test_one_side_goes_on_as_a_chat(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await answers(page).nth(1).get_by_role("button", name="Continue as a chat").click()
    await page.wait_for_url(re.compile(r"/\?c=[0-9a-f]{32}"))
    await expect(page.locator("#messages .f-reply")).to_contain_text("user=Which animals live on the savanna?")


async def test_earlier_ones_are_opened_and_deleted(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await page.get_by_role("link", name="New comparison").click()
    entry = page.locator(".f-history li")
    await expect(entry).to_contain_text("canned vs. thinks")
    await entry.get_by_role("link").click()
    await expect(vote(page)).to_be_visible()
    await page.go_back()
    await entry.get_by_role("button").click()
    await page.get_by_role("button", name="Delete for good").click()
    await expect(page.locator(".f-history")).to_be_hidden()
    await page.go_forward()
    await expect(page.locator(".f-notice")).to_contain_text("does not exist")
    await expect(page.locator(".f-compare-start")).to_be_visible()


async def test_one_that_is_deleted_elsewhere_is_left(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/compare")
    await compared(page, "canned", "thinks")
    await site.services.comparisons.delete(page.url.rpartition("=")[2])
    await expect(page.locator(".f-compare-start")).to_be_visible()


async def test_enter_sends_but_not_while_chinese_is_composed(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    box = page.locator("#prompt textarea")
    await choose(page, "canned", "thinks")
    await box.fill("你")
    await box.evaluate(COMPOSE)
    await box.press("Shift+Enter")
    await expect(box).to_have_value("你\n")
    await expect(page.locator(".f-compare-start")).to_be_visible()
    await page.reload()
    await expect(box).to_have_value("你\n")  # the draft is kept


async def test_what_is_typed_and_attached_while_the_page_opens_stays(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route(re.compile("/api/comparisons"), hold)
    await page.reload()
    await choose(page, "canned", "thinks")
    await page.locator("#prompt textarea").fill("Early")
    await page.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"Hi"})
    await expect(page.locator(".f-upload[data-state=ready]")).to_have_count(1)
    async with page.expect_response(re.compile("/api/comparisons")):
        held.set()
    await page.wait_for_timeout(200)
    await expect(page.locator("#prompt textarea")).to_have_value("Early")
    await expect(page.locator(".f-upload[data-state=ready]")).to_have_count(1)


async def test_what_was_chosen_is_remembered(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await choose(page, "thinks", "slow", "canned", blind=True)
    await page.get_by_role("button", name="Remove model B").click()
    await page.reload()
    pickers = page.locator(".f-picker select")
    await expect(pickers).to_have_count(2)
    assert [await pickers.nth(place).input_value() for place in (0, 1)] == ["thinks", "canned"]
    await expect(page.get_by_role("checkbox", name="Blind")).to_be_checked()
    taken = pickers.first.locator("option[value=canned]")
    assert await taken.evaluate("(option) => option.disabled")


async def test_hostile_answers_stay_inside(open_page: OpenPage) -> None:
    """No request to elsewhere and no script: `open_page` looks at the end."""
    page = await open_page("/compare")
    await compared(page, "evil", "canned")
    await expect(answers(page).first).to_have_attribute("data-status", "complete")
    assert await page.evaluate("window.pwned") is None


async def test_on_a_phone_answers_are_swiped(open_page: OpenPage) -> None:
    page = await open_page("/compare", viewport={"width": 400, "height": 800}, has_touch=True)
    await choose(page, "canned", "acme/article-7B")
    await page.locator("#prompt textarea").fill("Hello?")
    await page.get_by_role("button", name="Submit").tap()
    await expect(vote(page)).to_be_visible(timeout=15_000)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400
    row = page.locator(".f-answers")
    assert await row.evaluate("(row) => row.scrollWidth > row.clientWidth")
    await answers(page).nth(1).scroll_into_view_if_needed()
    await expect(answers(page).nth(1)).to_be_in_viewport(ratio=0.4)
    await vote(page).get_by_role("button", name="Right is better").tap()
    await expect(vote(page)).to_contain_text("Your vote: Answer B")


async def test_in_chinese(open_page: OpenPage) -> None:
    page = await open_page("/compare", locale="zh-CN")
    await expect(page.locator(".f-compare-start h1")).to_have_text("对比模型")
    await ask(page, "你好")
    await expect(vote(page)).to_be_visible(timeout=15_000)
    await expect(vote(page)).to_contain_text("哪个回答更好？")
    await page.keyboard.press("t")
    await expect(vote(page)).to_contain_text("你的投票： 一样好")


async def test_a_file_is_read_by_all(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/compare")
    await choose(page, "thinks", "canned")
    file: FilePayload = {"name": "falcons.txt", "mimeType": "text/plain", "buffer": b"Falcons are fast."}
    await page.locator("#composer-buttons input[type=file]").set_input_files(file)
    await expect(page.locator(".f-tray li")).to_contain_text("falcons.txt")
    await expect(page.locator("#submit")).to_have_attribute("aria-disabled", "false")
    await ask(page, "What is in it?")
    await expect(vote(page)).to_be_visible(timeout=15_000)
    await expect(page.locator(".f-attached")).to_contain_text("falcons.txt")
    await expect(answers(page).first).to_contain_text("Falcons are fast.")
    await expect(page.locator(".f-tray li")).to_have_count(0)


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 400, "height": 800}}])
async def test_axe_finds_nothing_serious(open_page: OpenPage, site: Site, options: dict[str, object]) -> None:
    page = await open_page("/compare", **options)
    await compared(page, "canned", "acme/article-7B", "thinks")
    assert await faults(page) == []
    await page.keyboard.press("1")
    await page.keyboard.press("Enter")
    await expect(vote(page)).to_contain_text("Your vote: Answer A")
    await page.get_by_role("link", name="Results").click()
    await expect(page.locator(".f-intervals circle").first).to_be_visible()
    assert await faults(page) == []
    await page.get_by_role("link", name="New comparison").click()
    await expect(page.locator(".f-history li")).to_be_visible()
    assert await faults(page) == []
    await page.locator(".f-history li button").click()
    await expect(page.get_by_role("button", name="Delete for good")).to_be_visible()
    assert await faults(page) == []


async def test_everything_by_keyboard(open_page: OpenPage) -> None:
    page = await open_page("/compare")
    await choose(page, "canned", "thinks")
    await page.locator("#prompt textarea").focus()
    await page.keyboard.type("Hello?")
    await page.keyboard.press("Enter")
    await expect(vote(page)).to_be_visible(timeout=15_000)
    for _ in range(12):  # from the answers to the vote
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.startsWith('Left is better')"):
            break
    await page.keyboard.press("Space")
    await expect(vote(page)).to_contain_text("Your vote: Answer A")
    await expect(page.locator("#prompt textarea")).to_be_focused()
