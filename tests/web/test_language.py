"""Both languages on the screen: who gets which, nothing of the other one in it, dates and counts right."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from falconry.i18n import LANGUAGES, Language, table, translate
from falconry.web.assets import base_url
from tests.web.conftest import OpenPage, Site
from tests.web.engines import specs
from tests.web.scenes import every_kind
from tests.web.test_chat_page import prompt

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Every text that can be seen or heard, but for what people and models wrote.
VISIBLE = """() => {
    const theirs = '.f-bubble, .f-text, .f-thinking-text, pre, code, .f-attached, #conversations a, time, bdi, option';
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        if (parent.closest(theirs + ', script, style, noscript') || !parent.checkVisibility()) continue;
        found.push(walker.currentNode.textContent.trim());
    }
    for (const element of document.querySelectorAll('[title], [aria-label], [placeholder], [alt]')) {
        if (element.closest(theirs) || !element.checkVisibility()) continue;
        for (const name of ['title', 'aria-label', 'placeholder', 'alt']) {
            found.push(element.getAttribute(name)?.trim() ?? '');
        }
    }
    return [...new Set(found)].filter((text) => text);
}"""
ENGLISH = re.compile(r"[A-Za-z]{3,}")
HAN = re.compile("[\u3400-\u9fff]")
NAMES = {"Falconry", "English", "OpenAI", "Anthropic", "OpenAPI", "JSON", "canned", "Enter", "Shift", "Ctrl", "Esc"}
NAMES |= {"openai", "anthropic", "text-generation", "curl", "llama.cpp", "Markdown", "notes.txt", "GET", "POST", "Alt"}
NAMES |= {"/metrics", "/openapi.json", "/docs", "Prometheus", "TGI", "text-generation-inference", "Tab"}
NAMES |= {"Anthropic, text-generation-inference", *specs()}
NAMES |= {"org/model:Q4_K_M"}  # what a name on the hub looks like
QUOTED = re.compile("“[^”]*”")
SENTENCE = re.compile(r"[A-Za-z]+ [a-z]+ [a-z]+")
FIGURE = re.compile(r"[\d.,]+ [KMG]iB")


async def english_on(page: Page) -> set[str]:
    """Texts on a Chinese page that are not Chinese, names apart."""
    texts: list[str] = await page.evaluate(VISIBLE)
    assert len(texts) > 5
    latin = {text for text in texts if ENGLISH.search(text)}
    mixed = {text for text in latin if HAN.search(text)}
    quoting = {text for text in mixed if not SENTENCE.search(QUOTED.sub("", text))}  # somebody's title
    return {text for text in latin - mixed if not FIGURE.fullmatch(text)} - NAMES | (mixed - quoting)


@pytest.mark.parametrize("path", ["/", "/compare", "/complete", "/models", "/models#catalog", "/account", "/admin"])
async def test_a_chinese_page_is_chinese(open_page: OpenPage, path: str) -> None:
    page = await open_page(path, locale="zh-CN")
    if path in ("/account", "/admin"):
        await page.locator(".f-sheet h2").last.wait_for()
    if path in ("/", "/compare"):
        await page.locator("#options-button").click()
        await page.locator("#options").wait_for()
    assert await english_on(page) - {page.url, f"{page.url.rstrip('/')}/v1"} == set()


async def test_a_conversation_in_chinese_has_no_english_around_it(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}", locale="zh-CN")
    await page.get_by_text("The very end.").wait_for()
    assert await english_on(page) == set()


async def test_an_english_page_has_no_chinese(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}")
    await page.get_by_text("The very end.").wait_for()
    texts: list[str] = await page.evaluate(VISIBLE)
    assert {text for text in texts if HAN.search(QUOTED.sub("", text))} == {"中文"}


@pytest.mark.parametrize("locale", ["zh", "zh-CN", "zh-Hans-CN", "zh-HK", "zh-TW"])
async def test_every_chinese_browser_gets_chinese(open_page: OpenPage, locale: str) -> None:
    page = await open_page(locale=locale)
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR", "de"])
async def test_all_others_get_english(open_page: OpenPage, locale: str) -> None:
    page = await open_page(locale=locale)
    await expect(page.get_by_role("button", name="Submit")).to_be_visible()


async def test_the_switch_keeps_draft_and_conversation(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/?c={await every_kind(site)}")
    await prompt(page).fill("half a thought")
    url = page.url
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    await expect(prompt(page)).to_have_value("half a thought")
    assert page.url == url


@pytest.mark.parametrize("language", LANGUAGES)
async def test_counts_are_right_for_none_one_and_two(open_page: OpenPage, language: Language) -> None:
    """The script and the server put texts together each by itself, and have to agree."""
    counted = [name for name, text in table(language, "web").items() if re.fullmatch(r"[^{]*\{count\}[^{]*", text)]
    assert len(counted) > 3
    page = await open_page(locale="en" if language == "en" else "zh-CN")
    told: dict[str, list[str]] = await page.evaluate(
        f"""async (names) => {{
            const {{ t }} = await import('{base_url()}/dom.js');
            return Object.fromEntries(names.map((name) => [name, [0, 1, 2].map((count) => t(name, {{ count }}))]));
        }}""",
        counted,
    )
    for name, texts in told.items():
        assert texts == [translate(f"web.{name}", language, count=count) for count in range(3)]
        assert not re.search(r"\b1 (?!ms\b)[a-z]+s\b", str(texts)), name


@pytest.mark.parametrize(
    ("locale", "exact", "ago"),
    [
        ("en-US", "Monday, March 2, 2026 at 2:05:06 PM", ["just now", "3 minutes ago", "yesterday", "March 2"]),
        ("zh-CN", "2026年3月2日星期一 14:05:06", ["刚刚", "3分钟前", "昨天", "3月2日"]),
    ],
)
async def test_dates(open_page: OpenPage, locale: str, exact: str, ago: list[str]) -> None:
    page = await open_page(locale=locale, timezone_id="UTC")
    told = await page.evaluate(
        f"""async () => {{
            const {{ ago, exact }} = await import('{base_url()}/when.js');
            const now = Date.parse('2026-03-20T12:00:00Z');
            const before = (seconds) => ago(new Date(now - seconds * 1000).toISOString(), now);
            const moment = '2026-03-02T14:05:06Z';
            return [exact(moment), [before(5), before(180), before(86400), ago(moment, now)]];
        }}"""
    )
    assert [told[0].replace("\u202f", " "), told[1]] == [exact, ago]
