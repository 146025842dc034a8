"""What a person sees, measured in Chromium for benchmarks.page: frames, gaps, and how long one waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from playwright.async_api import Browser, CDPSession, Page

from benchmarks.page_servers import Served, reply_text

# The newest reply.
FALCONRY_REPLY = ".f-reply:last-of-type .f-text"
GRADIO_REPLY = ".message-wrap [data-testid=bot].latest"

TURNS = ".f-turn, [data-testid=bot], [data-testid=user]"

FRAMES = """(seconds) => new Promise((done) => {
    const start = performance.now();
    let frames = 0, last = start, gap = 0;
    const tick = (now) => {
        if (now <= start) return requestAnimationFrame(tick);
        frames += 1;
        gap = Math.max(gap, now - last);
        last = now;
        if (now - start < seconds * 1000) requestAnimationFrame(tick);
        else done([frames / (now - start) * 1000, gap]);
    };
    requestAnimationFrame(tick);
})"""
# Resolves with the milliseconds after which a text had its last change, once it has been still for two seconds.
STILL = """(selector) => new Promise((done) => {
    let length = -1, changed = performance.now();
    const look = () => {
        const now = performance.now(), found = document.querySelector(selector)?.textContent.length ?? -1;
        if (found !== length) [length, changed] = [found, now];
        if (length > 0 && now - changed > 2000) done(now - changed);
        else setTimeout(look, 100);
    };
    look();
})"""
# Milliseconds (since the click, else since the navigation began) until the last message is painted.
PAINTED = """([selector, link]) => new Promise((done) => {
    const begun = link ? performance.now() : 0;
    if (link) document.querySelector(link).click();
    const look = () => {
        const box = [...document.querySelectorAll(selector)].at(-1)?.getBoundingClientRect();
        if (!box?.height || box.top > innerHeight || box.bottom < 0) return requestAnimationFrame(look);
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    };
    look();
})"""


@dataclass(frozen=True)
class Watched:
    """One reply as it was seen.

    Attributes:
        busy: share of the time in which the page's main thread was at work.
        lag: seconds from the moment at which the last token was due until the text was whole.
        cpu: seconds of the server for 1000 tokens, what it uses when idle taken off.
    """

    fps: float
    gap: float
    busy: float
    lag: float
    cpu: float


@asynccontextmanager
async def opened(browser: Browser, url: str, model: str = "") -> AsyncIterator[Page]:
    context = await browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
    await context.add_init_script(f'localStorage.setItem("falconry.model", "{model}")')
    page = await context.new_page()
    page.set_default_timeout(180_000)
    await page.goto(url)
    try:
        yield page
    finally:
        await context.close()


async def watch(browser: Browser, server: Served, run: str, conversation_id: str | None = None) -> Watched:
    """Ask on the page, in a conversation of Falconry's or in ChatInterface, and let the reply be written before us."""
    tokens, _, rate = run.partition("@")
    due = int(tokens) / float(rate)
    reply, path, box = GRADIO_REPLY, "", "textarea"
    if conversation_id:
        reply, path, box = FALCONRY_REPLY, f"/?c={conversation_id}", "#prompt textarea"
    async with opened(browser, server.url + path, model=run) as page:
        shown = await (_all_turns(page) if conversation_id else _all_bubbles(page))
        idle = await _idle(server)
        probe = await page.context.new_cdp_session(page)
        await probe.send("Performance.enable")
        await page.locator(box).fill(run)
        before, begun = server.cpu_seconds(), monotonic()
        await page.locator(box).press("Enter")
        await page.wait_for_function(f"document.querySelectorAll('{TURNS}').length >= {shown + 2}")
        await page.wait_for_function(f"document.querySelector('{reply}')?.textContent.length > 20")
        worked, then = await _worked(probe), monotonic()
        fps, gap = await page.evaluate(FRAMES, max(2.0, due - (then - begun) - 0.5))
        busy = (await _worked(probe) - worked) / (monotonic() - then)
        still = await page.evaluate(STILL, reply)
        took = monotonic() - begun - still / 1000
        used = server.cpu_seconds() - before - idle * (monotonic() - begun)
        text = await page.locator(reply).inner_text()
        last = re.findall(r"number \d+ included", reply_text(int(tokens)))[-1]
        assert last in text, f"the reply did not arrive whole: {last} is missing"
        return Watched(fps, gap, busy, max(0.0, took - due), used / int(tokens) * 1000)


async def _all_turns(page: Page) -> int:
    """Have the earlier messages on the page, too, and go back to the end; gives how many there are."""
    await page.locator(".f-turn").last.wait_for()
    while await page.locator(".f-earlier").first.is_visible() and await page.locator(".f-turn").count() < 100:
        shown = await page.locator(".f-turn").count()
        await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 0; }")
        await page.wait_for_function(f"document.querySelectorAll('.f-turn').length > {shown}")
    await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 1e9; }")
    return await page.locator(".f-turn").count()


async def _all_bubbles(page: Page) -> int:
    await page.locator("[data-testid=bot]").last.wait_for()
    return await page.locator(TURNS).count()


async def _worked(probe: CDPSession) -> float:
    metrics = await probe.send("Performance.getMetrics")
    return next(float(metric["value"]) for metric in metrics["metrics"] if metric["name"] == "TaskDuration")


async def _idle(server: Served) -> float:
    """Share of a core that the server uses when nothing happens."""
    await asyncio.sleep(2)
    before, begun = server.cpu_seconds(), monotonic()
    await asyncio.sleep(4)
    return (server.cpu_seconds() - before) / (monotonic() - begun)


async def seconds_to_open(browser: Browser, server: Served, conversation_id: str) -> float:
    """From the click in the sidebar to the last message on the screen."""
    async with opened(browser, server.url) as page:
        link = f"#conversations a[href='/?c={conversation_id}']"
        await page.locator(link).wait_for()
        await page.wait_for_load_state("networkidle")
        return float(await page.evaluate(PAINTED, [".f-turn", link])) / 1000


async def seconds_to_load(browser: Browser, url: str, selector: str) -> float:
    """From the address to the last message on the screen, with the page's files in the browser's cache."""
    async with opened(browser, url) as page:
        await page.evaluate(PAINTED, [selector, None])
        await page.goto(url, wait_until="commit")
        return float(await page.evaluate(PAINTED, [selector, None])) / 1000
