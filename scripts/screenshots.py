"""Takes the screenshots in docs/images anew: the chat page in light, dark, Chinese and on a phone, and the others.

    python -m scripts.screenshots [--only chat search]

What they show is written by us (scripts/screenshot_content.py), and the clock stands still, so that nothing changes but
the pages themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright
from sqlalchemy import Connection, update

from falconry.app import create_app
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import ModelSpec
from falconry.i18n import LANGUAGES, Language
from falconry.messages import SamplingParams, StoredMessage, Usage
from falconry.services import Services
from falconry.storage import tables
from falconry.storage.conversations import Conversations
from falconry.storage.folders import Folders
from scripts.screenshot_content import ANSWERS, CONVERSATIONS, SKY, Shown
from scripts.screenshot_models import answer_for_the_laptop
from tests.web.conftest import ARGUMENTS, CHROMIUM, page_services, serve_app

IMAGES = Path(__file__).parent.parent / "docs" / "images"
NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
MODEL = next(iter(ANSWERS))
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 400, "height": 800}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
READY = "document.querySelector('#model input')?.value && document.fonts.status === 'loaded'"

Act = Callable[[Page, Services], Awaitable[None]]


class Model(CannedEngine):
    """Answers as it is told, and takes everything."""

    supports = frozenset(field.name for field in fields(SamplingParams))


@dataclass(frozen=True)
class Shot:
    """One picture: on which Falconry, how the browser is, and what is done before it is taken."""

    name: str
    act: Act
    language: Language = "en"
    dark: bool = False
    phone: bool = False


def models() -> dict[str, ModelSpec]:
    def engine(text: str) -> Model:
        return Model(text=text, rate=math.inf, context_length=32_768)

    return {name: ModelSpec(name, name, "canned", partial(engine, text)) for name, text in ANSWERS.items()}


async def fill(services: Services, shown: tuple[Shown, ...]) -> None:
    """Write the conversations, and set back when they were."""
    store, folders = Conversations(services.database), Folders(services.database)
    known: dict[str, str] = {}
    for one in shown:
        conversation = await store.create(one.title)
        for question, answer in one.turns:
            head = (await store.get(conversation.id)).head_id
            draft = StoredMessage(uuid4().hex, conversation.id, None, "assistant", "", NOW, "running")
            draft = replace(draft, model=MODEL, params=SamplingParams())
            _, reply = await store.append_turn(conversation.id, head, question, draft)
            tokens = Usage(64, len(answer) // 3)
            ended = replace(reply, content=answer, status="complete", finish_reason="stop", model=MODEL, usage=tokens)
            await store.finish_reply(replace(ended, seconds=round(tokens.completion_tokens / 31.4, 2)))
        if one.folder and one.folder not in known:
            known[one.folder] = (await folders.create(one.folder)).id
        changes: dict[str, Any] = {"pinned": one.pinned, "folder_id": known.get(one.folder or "")}
        await store.change(conversation.id, title=one.title, **changes)
        await set_back(services, conversation.id, NOW - one.ago)


async def set_back(services: Services, conversation_id: str, moment: datetime) -> None:
    conversations, messages = tables.conversations, tables.messages
    listed = update(conversations).where(conversations.c.id == conversation_id)
    said = update(messages).where(messages.c.conversation_id == conversation_id)

    def run(connection: Connection) -> None:
        connection.execute(listed.values(created_at=moment, updated_at=moment))
        connection.execute(said.values(created_at=moment))

    await services.database.write(run)


# -- what is done before a picture is taken


async def language_of(page: Page) -> Language:
    return "zh" if await page.evaluate("document.documentElement.lang") == "zh-CN" else "en"


async def newest(page: Page, services: Services) -> None:
    title = CONVERSATIONS[await language_of(page)][0].title
    entry = page.locator("#conversations").get_by_text(title, exact=True)
    await entry.wait_for(state="attached")
    if not await entry.is_visible():
        await page.locator("#menu").click()  # on a phone the list is in a drawer
    await entry.click()
    await page.locator(".f-reply").last.wait_for()


async def search(page: Page, services: Services) -> None:
    await newest(page, services)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("water")
    await page.locator("#side mark").first.wait_for()


async def options(page: Page, services: Services) -> None:
    await newest(page, services)
    await page.keyboard.press("Alt+Shift+O")


async def compare(page: Page, services: Services) -> None:
    made: dict[str, Any] = await (await page.request.post("/api/comparisons", data={"models": list(ANSWERS)})).json()
    await page.request.post(f"/api/comparisons/{made['id']}/turns", data={"content": SKY, "turn": 0})
    await page.goto(f"/compare?id={made['id']}")
    await page.locator("[data-status=complete]").nth(1).wait_for()
    answers = tables.messages.c.role == "assistant"
    at_speed = update(tables.messages).where(answers, tables.messages.c.seconds < 0.5).values(seconds=2.4)
    await services.database.write(lambda connection: connection.execute(at_speed))
    await page.reload()
    await page.locator("[data-status=complete]").nth(1).wait_for()


async def models_page(page: Page, services: Services) -> None:
    language = await language_of(page)
    await answer_for_the_laptop(page, language)
    await page.evaluate("(language) => localStorage.setItem('falconry.catalog.language', language)", language)
    await page.goto("/models")
    await page.locator(".f-advice h2 bdi").wait_for()


SHOTS = (
    Shot("chat", newest),
    Shot("chat-dark", newest, dark=True),
    Shot("chat.zh", newest, language="zh"),
    Shot("chat-phone", newest, phone=True),
    Shot("search", search),
    Shot("options", options),
    Shot("compare", compare),
    Shot("models", models_page),
    Shot("models.zh", models_page, language="zh"),
)


async def take(browser: Browser, url: str, services: Services, shot: Shot) -> None:
    context = await browser.new_context(
        base_url=url,
        locale="zh-CN" if shot.language == "zh" else "en-US",
        timezone_id="UTC",
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
        **(PHONE if shot.phone else DESK),
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(NOW)
    await page.goto("/")
    await page.wait_for_function(READY)
    await shot.act(page, services)
    await page.evaluate("document.activeElement?.blur()")
    await page.mouse.move(0, 0)
    await page.wait_for_load_state("networkidle")
    picture = await page.screenshot(animations="disabled", caret="hide")
    path = IMAGES / f"{shot.name}.png"
    # 256 colours are enough for a page and take a third of the bytes.
    Image.open(BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(IMAGES.parent.parent)}  {path.stat().st_size // 1024} KiB")
    await context.close()


async def take_all(shots: list[Shot]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for language in LANGUAGES:
            with tempfile.TemporaryDirectory() as folder:
                async with (
                    page_services(Path(folder), models()) as services,
                    serve_app(create_app(services), services) as url,
                ):
                    await fill(services, CONVERSATIONS[language])
                    for shot in shots:
                        if shot.language == language:
                            await take(browser, url, services, shot)
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(shot.name for shot in SHOTS))
    options = parser.parse_args()
    asyncio.run(take_all([shot for shot in SHOTS if not options.only or shot.name in options.only]))


if __name__ == "__main__":
    main()
