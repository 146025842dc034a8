"""Pictures beside a message, in a real browser: chosen, pasted, dropped, made smaller, sent, seen and shown again."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import FilePayload, Page, expect

from falconry.app import create_app
from falconry.engines.base import Engine
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import ModelSpec
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams, TokenCount, TokenPrompt, Usage
from tests.pictures import picture, png
from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site, page_services, serve_app
from tests.web.test_chat_page import ask, ended, prompt, replies
from tests.web.test_files import attach, chips, ready

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RED: FilePayload = {"name": "red.png", "mimeType": "image/png", "buffer": png("red")}
TRANSFER = """([kind, content]) => {
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], 'image.png', {type: 'image/png'}));
    const init = {bubbles: true, cancelable: true};
    if (kind === 'paste') {
        const box = document.querySelector('#prompt textarea');
        box.focus();
        return !box.dispatchEvent(new ClipboardEvent('paste', {...init, clipboardData: data}));
    }
    return !document.querySelector('#messages').dispatchEvent(new DragEvent(kind, {...init, dataTransfer: data}));
}"""


class SeeingEngine(Engine):
    """Tells which pictures it sees, in each message."""

    kind = "canned"
    sees_images = True

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        assert not isinstance(prompt, (TokenPrompt, str))
        seen = [f"{image.media_type} {image.width}x{image.height}" for each in prompt for image in each.images]
        yield Delta(f"I see: {', '.join(seen) or 'nothing'}.")
        yield Delta(finish_reason="stop", usage=Usage(1, 2))

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        images = 0 if isinstance(prompt, (TokenPrompt, str)) else sum(len(each.images) for each in prompt)
        return TokenCount(10 + 256 * images)

    async def context_length(self) -> int | None:
        return 1000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    """A Falconry with one model that sees pictures, and one that is known not to."""
    models = {
        "seer": ModelSpec("seer", "Seer", "canned", SeeingEngine, vision=True),
        "blind": ModelSpec("blind", "Eyas", "canned", partial(CannedEngine, rate=1000)),
    }
    async with (
        page_services(tmp_path_factory.mktemp("gallery"), models) as services,
        serve_app(create_app(services), services) as url,
    ):
        yield Site(url, services)


Open = Callable[..., Awaitable[Page]]


@pytest.fixture
def open_chat(open_page: OpenPage, gallery: Site) -> Open:
    return partial(open_page, origin=gallery.url, model="seer")


async def transfer(page: Page, kind: str, data: bytes) -> bool:
    taken: bool = await page.evaluate(TRANSFER, [kind, base64.b64encode(data).decode()])
    return taken


async def stored(page: Page, selector: str) -> Image.Image:
    """The picture that the server has, by its thumbnail."""
    answer = await page.request.get(await page.locator(selector).last.evaluate("(image) => image.src"))
    assert answer.status == 200
    return Image.open(io.BytesIO(await answer.body()))


async def test_a_chosen_picture_is_shown_sent_seen_and_there_after_a_reload(open_chat: Open) -> None:
    page = await open_chat()
    await attach(page, RED)
    await expect(ready(page).get_by_role("img", name="red.png")).to_be_visible()
    await expect(page.locator(".f-gauge")).to_contain_text("266 / 1,000")
    await ask(page, "What is it?")
    await ended(page)
    await expect(replies(page).last).to_contain_text("I see: image/png 64x48.")
    await expect(chips(page)).to_have_count(0)
    for _ in range(2):
        shown = page.locator(".f-question").get_by_role("img", name="red.png")
        await expect(shown).to_be_visible()
        await page.wait_for_function("document.querySelector('.f-question img').naturalWidth === 64")
        await page.reload()
    await ask(page, "And now?")
    await ended(page, 2)
    await expect(replies(page).last).to_contain_text("I see: image/png 64x48.")


async def test_pictures_are_pasted_and_dropped(open_chat: Open) -> None:
    page = await open_chat()
    assert await transfer(page, "paste", png("red"))
    await expect(ready(page)).to_have_count(1)
    assert await transfer(page, "drop", png("blue"))
    await expect(ready(page).get_by_role("img")).to_have_count(2)
    await prompt(page).press("Enter")
    await ended(page)
    await expect(replies(page).last).to_contain_text("I see: image/png 64x48, image/png 64x48.")


async def test_a_large_photo_is_made_smaller_and_loses_what_the_camera_wrote(open_chat: Open) -> None:
    page = await open_chat()
    photo = Image.new("RGB", (3000, 1500), "green")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "A camera"
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif)
    await attach(page, {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    await expect(ready(page)).to_have_count(1)
    kept = await stored(page, ".f-upload img")
    assert (kept.format, kept.size) == ("JPEG", (1024, 2048))
    assert dict(kept.getexif()) == {}


async def test_webp_becomes_a_picture_that_every_model_reads(open_chat: Open) -> None:
    page = await open_chat()
    await attach(page, {"name": "a.webp", "mimeType": "image/webp", "buffer": picture("red", "WEBP")})
    await expect(ready(page)).to_contain_text("a.png")
    assert (await stored(page, ".f-upload img")).format == "PNG"


async def test_a_model_that_cannot_see_is_not_asked_until_another_is_chosen(open_chat: Open) -> None:
    page = await open_chat(model="blind")
    await attach(page, RED)
    sentence = page.locator(".f-unseen")
    await expect(sentence).to_have_text("Eyas cannot see pictures. Choose a model that can, or remove them.")
    await expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    await ask(page, "What is it?")
    await expect(page.locator(".f-notice")).to_contain_text("Eyas cannot see pictures.")
    await expect(replies(page)).to_have_count(0)
    await page.locator("#model input").click()
    await page.get_by_role("option", name="Seer").click()
    await expect(sentence).to_be_hidden()
    await prompt(page).press("Enter")
    await ended(page)
    await expect(replies(page).last).to_contain_text("I see: image/png")


async def test_what_is_wrong_is_said_in_chinese(open_chat: Open) -> None:
    page = await open_chat(model="blind", locale="zh-CN")
    await attach(page, RED)
    await expect(page.locator(".f-unseen")).to_have_text("Eyas 看不了图片，请选择能看图的模型，或移除图片。")
    await expect(ready(page).get_by_role("button", name="red.png：查看图片")).to_be_visible()


async def test_a_picture_opens_large_with_the_keyboard_and_closes(open_chat: Open) -> None:
    page = await open_chat()
    await attach(page, RED)
    small = ready(page).get_by_role("button", name="red.png: show the picture")
    await small.press("Enter")
    dialog = page.get_by_role("dialog", name="red.png")
    await expect(dialog.get_by_role("img", name="red.png")).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(small).to_be_focused()


async def test_an_edit_keeps_the_picture_or_takes_it_away(open_chat: Open) -> None:
    page = await open_chat()
    await attach(page, RED)
    await expect(ready(page)).to_have_count(1)
    await ask(page, "What is it?")
    await ended(page)
    question = page.locator(".f-question")
    await question.get_by_role("button", name="Edit").click()
    await question.locator("textarea").fill("Which colour?")
    await question.locator("textarea").press("Enter")
    await ended(page)
    await expect(replies(page).last).to_contain_text("I see: image/png 64x48.")
    await question.get_by_role("button", name="Edit").click()
    await question.get_by_role("button", name="Remove red.png").click()
    await question.locator("textarea").press("Enter")
    await expect(replies(page).last).to_contain_text("I see: nothing.")
    await expect(question.get_by_role("img")).to_have_count(0)
    assert await faults(page) == []


async def test_one_message_takes_sixteen_pictures(open_chat: Open) -> None:
    page = await open_chat()
    many: list[FilePayload] = [{**RED, "name": f"{number}.png"} for number in range(18)]
    await attach(page, *many)
    await expect(chips(page)).to_have_count(16)
    await expect(page.locator(".f-notice").first).to_contain_text("at most 16 pictures")


async def test_compared_models_are_shown_the_picture(open_page: OpenPage, gallery: Site) -> None:
    page = await open_page("/compare", origin=gallery.url)
    await attach(page, RED)
    await expect(ready(page)).to_have_count(1)
    await prompt(page).fill("What is it?")
    await prompt(page).press("Enter")
    await expect(page.locator("#compare")).to_contain_text("I see: image/png 64x48.")
    await expect(page.locator(".f-question").get_by_role("img", name="red.png")).to_be_visible()
