"""Hostile text everywhere a text can stand, in a real browser: nothing runs, nothing is asked for elsewhere.

`open_page` itself fails where a page asked for something of another origin or threw.
"""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Page, expect

from falconry.chat.chat import Chat
from falconry.messages import StoredMessage
from tests.web.conftest import OpenPage, Site
from tests.web.payloads import HEAVY, PAYLOADS
from tests.web.test_chat_page import ask, ended, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Everything that could act, as it stands in the page: gives what it finds.
ACTS = """() => {
    const found = [];
    if (window.hit !== undefined) found.push("a script ran");
    const made = "script, iframe, object, embed, style, link, form, meta, base, template, video, svg:not(.f-icon)";
    const acts = /^on|^(id|name|style|src|srcset|action|formaction|is|slot|part|popover|contenteditable|accesskey)$/;
    for (const place of document.querySelectorAll("#messages, #side, dialog, .f-notices")) {
        for (const one of place.querySelectorAll(`img:not(.f-mark), ${made}`)) found.push(one.outerHTML.slice(0, 100));
    }
    for (const one of document.querySelectorAll(".f-blocks *")) {
        for (const { name } of one.attributes) {
            if (acts.test(name)) found.push(`${one.tagName} ${name}`);
        }
        if (one.tagName === "A") {
            const { protocol, rel, target, origin } = one;
            if (!["http:", "https:", "mailto:"].includes(protocol)) found.push(one.href);
            if (rel !== "noopener noreferrer" || target !== "_blank") found.push(one.outerHTML);
            if (origin === location.origin) found.push(one.outerHTML);
        }
        if (/^f-/.test(one.className) && !/^f-(block|tail)$/.test(one.className)) found.push(one.className);
        if (["fixed", "sticky"].includes(getComputedStyle(one).position)) found.push("out of the flow: " + one.tagName);
    }
    return found;
}"""


LONGEST_GAP = """async (id) => {
    const reply = () => document.querySelector(".f-reply")?.dataset.id;
    const before = reply();
    let longest = 0, last = performance.now();
    history.pushState(null, "", `/?c=${id}`);
    dispatchEvent(new PopStateEvent("popstate"));
    for (let calm = 0; calm < 20;) { // twenty frames after the reply has come
        await new Promise(requestAnimationFrame);
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
        if (reply() && reply() !== before) calm += 1;
    }
    return longest;
}"""


async def still_ours(page: Page) -> None:
    """Nothing has acted, and the page still does what it is there for."""
    assert await page.evaluate(ACTS) == []
    await page.get_by_role("link", name="New chat").click()
    await expect(page.locator(".f-turn")).to_have_count(0)
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"


async def said(chat: Chat, conversation_id: str, text: str, **options: str) -> StoredMessage:
    """Ask, and wait until it is answered; gives the reply."""
    head = (await chat.conversation(conversation_id)).head_id
    _, reply = await chat.ask(conversation_id, text, parent_id=head, **options)  # type: ignore[arg-type]
    running = chat.find(reply.id)
    if running and running.task:
        await running.task
    return await chat.message(reply.id)


async def test_stored_text_does_nothing(open_page: OpenPage, site: Site) -> None:
    """As question, thinking, reply and persona's name."""
    chat = site.services.chat
    conversation = await chat.create_conversation("hostile")
    for payload in PAYLOADS:
        reply = await said(chat, conversation.id, payload, model="echo", persona=payload[:80])
        assert reply.status == "complete"
        assert reply.thinking
    page = await open_page(f"/?c={conversation.id}")
    turns = page.locator(".f-turn")
    await expect(turns).to_have_count(60)
    while (count := await turns.count()) < 2 * len(PAYLOADS):
        await page.locator(".f-scroller").evaluate("(element) => { element.scrollTop = 0; }")
        await expect(turns).not_to_have_count(count)
    await page.locator("details.f-thinking").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
    await page.locator(".f-turn").first.scroll_into_view_if_needed()
    shown = await page.locator(".f-bubble").all_text_contents()
    assert "<script>window.hit=1</script>" in shown
    await still_ours(page)


async def test_text_does_nothing_while_it_comes(open_page: OpenPage) -> None:
    page = await open_page(model="echo-slowly")
    await ask(page, "\n\n".join(PAYLOADS))
    await expect(replies(page)).to_have_attribute("data-status", "running")
    while await replies(page).get_attribute("data-status") == "running":
        assert await page.evaluate(ACTS) == []
    await ended(page)
    await page.reload()
    await ended(page)
    await still_ours(page)


async def test_errors_do_nothing(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation("errors")
    for payload in PAYLOADS[::5]:
        reply = await said(chat, conversation.id, payload, model="fails")
        assert reply.status == "failed"
    page = await open_page(f"/?c={conversation.id}")
    await expect(page.locator('.f-reply[data-status="failed"]').first).to_be_visible()
    assert "window.hit" in " ".join(await page.locator(".f-ending").all_inner_texts())
    await still_ours(page)


async def test_titles_and_names_of_files_do_nothing(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    last = ""
    async with httpx.AsyncClient(base_url=site.url) as client:
        for payload in PAYLOADS[::3]:
            conversation = await chat.create_conversation()
            content = payload.encode("utf-8", "replace")
            answer = await client.post("/api/attachments", params={"name": payload}, content=content)
            files = [answer.json()["id"]] if answer.status_code == 201 else []
            await chat.ask(conversation.id, "see", parent_id=None, model="echo", attachments=files)
            await chat.change_conversation(conversation.id, title=payload[:200])
            last = conversation.id if files else last
    page = await open_page(f"/?c={last}")
    await ended(page)
    await page.locator(".f-file").first.click()
    await expect(page.get_by_role("dialog").locator("pre")).not_to_be_empty()
    assert await page.evaluate(ACTS) == []
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.querySelectorAll('#side *').length") > 50
    await still_ours(page)


async def test_what_is_large_or_deep_does_not_hold_the_page_up(open_page: OpenPage, site: Site) -> None:
    """Each opened from another conversation: the longest time in which the page answers nobody."""
    chat = site.services.chat
    ids = {}
    for name, text in HEAVY.items():
        ids[name] = (await chat.create_conversation(name)).id
        await said(chat, ids[name], text, model="echo")
    page = await open_page()
    longest = {name: await page.evaluate(LONGEST_GAP, conversation_id) for name, conversation_id in ids.items()}
    assert {name: gap for name, gap in longest.items() if gap > 2000} == {}
    await still_ours(page)
