"""The panel of options and the dialogs of personas and prompts, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from falconry.library.library import Library
from falconry.library.values import Persona
from tests.web.axe import faults
from tests.web.conftest import OpenPage, Site
from tests.web.test_chat_page import ask, ended, replies

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#option-{name} :is(textarea, input:not([type=range]))")


def note(page: Page, name: str) -> Locator:
    return page.locator(f"#option-note-{name}")


def picked(page: Page) -> Locator:
    return page.locator("#option-persona input")


async def open_options(page: Page) -> None:
    await page.get_by_role("button", name="Advanced options").click()
    await expect(page.locator("#options")).to_be_visible()
    await expect(picked(page)).not_to_have_value("")


async def choose(page: Page, persona: str) -> None:
    await picked(page).click()
    await page.get_by_role("option", name=persona, exact=True).click()
    await expect(picked(page)).to_have_value(persona)


async def personas_dialog(page: Page) -> Locator:
    await page.get_by_role("button", name="Personas", exact=True).click()
    dialog = page.get_by_role("dialog", name="Personas")
    await expect(dialog.get_by_text("@biologist")).to_be_visible()
    return dialog


@pytest.mark.parametrize(
    ("name", "wrong", "right", "sentence"),
    [
        ("top-p", "1.5", "0.5", "A number from 0 to 1."),
        ("top-k", "2.5", "40", "A whole number from 0 to 1,000,000."),
        ("max-tokens", "0", "5", "A whole number from 1 to 1,000,000."),
        ("seed", "seven", "7", "A whole number from 0 to"),
        ("stop", "x\n" * 3 + "y" * 257, "x", "At most 16"),
    ],
)
async def test_a_wrong_value_is_told_at_its_field_and_nothing_is_sent(
    open_page: OpenPage, name: str, wrong: str, right: str, sentence: str
) -> None:
    page = await open_page()
    await open_options(page)
    await field(page, name).fill(wrong)
    told = note(page, name.replace("-", "_"))
    await expect(told).to_contain_text(sentence)
    await expect(field(page, name)).to_have_attribute("aria-invalid", "true")
    await ask(page, "hello")
    await expect(page.locator(".f-notice")).to_contain_text(sentence)
    await expect(replies(page)).to_have_count(0)
    await field(page, name).fill(right)
    await expect(field(page, name)).to_have_attribute("aria-invalid", "false")
    await page.locator("#prompt textarea").press("Enter")
    await ended(page)


async def test_each_field_goes_back_to_its_default_alone_and_all_do_together(open_page: OpenPage) -> None:
    page = await open_page()
    await open_options(page)
    await field(page, "top-k").fill("40")
    await field(page, "seed").fill("7")
    await page.locator("#option-temperature input[type=number]").fill("1.2")
    back = page.locator("#option-top-k").get_by_role("button", name="Back to the default")
    await back.click()
    await expect(field(page, "top-k")).to_have_value("")
    await expect(field(page, "top-k")).to_be_focused()
    await expect(back).to_be_hidden()
    await expect(field(page, "seed")).to_have_value("7")
    await page.get_by_role("button", name="Reset").click()
    await expect(field(page, "seed")).to_have_value("")
    await expect(page.locator("#option-temperature input[type=number]")).to_have_value("0.7")
    await expect(page.get_by_role("button", name="Back to the default")).to_have_count(0)


async def test_what_a_model_does_not_take_is_told_at_the_field_and_at_the_reply(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await open_options(page)
    await expect(note(page, "top_k")).to_contain_text("does not take this; it is left out")
    await expect(note(page, "temperature")).to_be_hidden()
    await field(page, "top-k").fill("40")
    await ask(page, "hi")
    await ended(page)
    await expect(replies(page).get_by_role("note")).to_have_text(
        "Left out, because this model's server does not take it: Top-k"
    )


async def test_a_schema_is_checked_while_it_is_typed(open_page: OpenPage) -> None:
    page = await open_page()
    await open_options(page)
    schema, told = field(page, "json-schema"), note(page, "json_schema")
    await schema.fill('{"type": "object"')
    await expect(told).to_contain_text("This is not JSON yet")
    await schema.fill("[1]")
    await expect(told).to_contain_text("A schema is a JSON object")
    await schema.fill('{"type": "objekt"}')
    await expect(told).to_contain_text("at #/type")
    await schema.fill('{"type": "object"}')
    await expect(schema).to_have_attribute("aria-invalid", "false")


async def test_a_persona_answers_and_comes_back_with_its_conversation(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await open_options(page)
    await choose(page, "Biologist")
    await expect(page.get_by_role("heading", name="Biologist")).to_be_visible()
    await expect(field(page, "system")).to_have_value(re.compile("^You are a biologist"))
    await page.get_by_role(
        "button", name="Which animals live on the savanna, and which of them is the strongest?"
    ).click()
    await ended(page)
    await expect(replies(page)).to_contain_text("system=You are a biologist")
    await expect(replies(page)).to_contain_text("temperature=0.5")
    await page.get_by_role("link", name="New chat").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(field(page, "system")).to_have_value(re.compile("helpful and honest"))
    await expect(picked(page)).to_have_value("None")
    await page.go_back()
    await ended(page)
    await expect(picked(page)).to_have_value("Biologist")
    await expect(field(page, "system")).to_have_value(re.compile("^You are a biologist"))
    await expect(page.locator("#option-temperature input[type=number]")).to_have_value("0.5")


async def test_a_choice_survives_a_change_of_language(open_page: OpenPage) -> None:
    page = await open_page()
    await open_options(page)
    await choose(page, "Medical information")
    await expect(page.get_by_role("note")).to_contain_text("not a diagnosis")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", name="健康信息")).to_be_visible()


async def test_the_model_comes_back_with_its_conversation(open_page: OpenPage) -> None:
    page = await open_page(model="acme/article-7B")
    await ask(page, "tell")
    await ended(page)
    model = page.locator("#model input")
    await model.click()
    await page.get_by_role("option", name="canned", exact=True).click()
    await page.get_by_role("link", name="New chat").click()
    await expect(model).to_have_value("canned")
    await page.go_back()
    await expect(model).to_have_value("acme/article-7B")
    await page.reload()
    await expect(model).to_have_value("acme/article-7B")
    await page.get_by_role("link", name="New chat").click()
    await expect(model).to_have_value("canned")


async def test_model_and_persona_are_chosen_by_keyboard(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await page.locator("#model input").focus()
    await page.keyboard.type("article")
    await page.keyboard.press("Enter")
    await expect(page.locator("#model input")).to_have_value("acme/article-7B")
    await page.locator("#prompt textarea").focus()
    await page.keyboard.press("Alt+Shift+O")
    await expect(page.locator("#options-close")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(picked(page)).to_be_focused()
    await page.keyboard.type("tutor")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Tutor")).to_be_visible()
    await page.keyboard.press("Alt+Shift+O")
    await expect(page.locator("#options")).to_be_hidden()
    await ask(page, "hello")
    await ended(page)
    await expect(replies(page)).to_contain_text("Tutor")
    await expect(replies(page)).to_contain_text("peregrine")


async def test_personas_are_made_changed_copied_and_deleted(open_page: OpenPage) -> None:
    page = await open_page(model="thinks")
    await open_options(page)
    dialog = await personas_dialog(page)
    await dialog.get_by_role("button", name="New persona").click()
    await dialog.get_by_label("Name", exact=True).fill("Kestrel watcher")
    await dialog.get_by_label("System message").fill("You are a kestrel.")
    await dialog.get_by_label("Answers in").select_option(label="French")
    await dialog.get_by_label("Questions to begin with").fill("What do you see?\n\nWhat do you eat?")
    await dialog.get_by_text("Sampling").click()
    await dialog.get_by_label("Temperature").fill("0.3")
    await dialog.get_by_label("Stop sequences").fill("END\\n")
    await dialog.get_by_role("button", name="Save").click()
    row = dialog.get_by_role("listitem").filter(has_text="@kestrel-watcher")
    await expect(row.get_by_role("button").first).to_be_focused()
    await row.get_by_role("button", name="Edit persona").click()
    await dialog.get_by_label("Description").fill("Hovers.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("Hovers.")
    await dialog.get_by_role("listitem").filter(has_text="@tutor").get_by_role("button", name="Copy persona").click()
    await expect(dialog.get_by_label("Name", exact=True)).to_have_value("Tutor copy")
    await dialog.get_by_label("Name", exact=True).fill("KESTREL  watcher")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("already")
    await dialog.get_by_role("button", name="Back").click()
    await row.get_by_role("button").first.click()
    await expect(dialog).to_be_hidden()
    await expect(picked(page)).to_have_value("Kestrel watcher")
    await expect(page.get_by_role("button", name="What do you eat?")).to_be_visible()
    await ask(page, "hi")
    await ended(page)
    await expect(replies(page)).to_contain_text("system=You are a kestrel. Answer in French.|user=hi temperature=0.3")
    await expect(replies(page)).to_contain_text(r"stop=['END\n']")
    dialog = await personas_dialog(page)
    await row.get_by_role("button", name="Delete persona").click()
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await expect(row).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(picked(page)).to_have_value("None")


async def test_personas_go_into_a_file_and_come_back(open_page: OpenPage, tmp_path: Path) -> None:
    page = await open_page()
    await open_options(page)
    await field(page, "seed").fill("11")
    dialog = await personas_dialog(page)
    await dialog.get_by_role("button", name="From the options").click()
    await dialog.get_by_label("Name", exact=True).fill("鹰")
    await expect(dialog.get_by_label("Seed")).to_have_value("11")
    await dialog.get_by_role("button", name="Save").click()
    row = dialog.get_by_role("listitem").filter(has_text="@鹰")
    async with page.expect_download() as downloading:
        await row.get_by_role("link", name="Export persona: 鹰").click()
    file = tmp_path / "persona.json"
    await (await downloading.value).save_as(file)
    assert json.loads(file.read_text())["personas"][0]["params"] == {"seed": 11}
    await row.get_by_role("button", name="Delete persona").click()
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await expect(row).to_have_count(0)
    chooser = dialog.locator("input[type=file]")
    await chooser.set_input_files(file)
    await expect(row).to_be_visible()
    bad = tmp_path / "bad.json"
    bad.write_text(file.read_text().replace('"seed": 11', '"seed": -11'))
    await chooser.set_input_files(bad)
    await expect(dialog.get_by_role("alert")).to_contain_text("seed must be between")
    bad.write_text("no json")
    await chooser.set_input_files(bad)
    await expect(dialog.get_by_role("alert")).to_contain_text("bad.json is not a JSON file")
    await expect(dialog.get_by_role("listitem").filter(has_text="@鹰")).to_have_count(1)


async def test_prompts_are_made_and_offered(open_page: OpenPage) -> None:
    page = await open_page()
    await open_options(page)
    await page.get_by_role("button", name="Prompts", exact=True).click()
    dialog = page.get_by_role("dialog", name="Saved prompts")
    await dialog.get_by_role("button", name="New prompt").click()
    await dialog.get_by_label("Name", exact=True).fill("Thai menu")
    await dialog.get_by_label("Text").fill("Translate into Thai: {{text}}")
    await dialog.get_by_role("button", name="Save").click()
    await dialog.get_by_role("button", name="/thai-menu").click()
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#prompt textarea")).to_have_value("Translate into Thai: {{text}}")
    await expect(page.locator("#prompt textarea")).to_be_focused()
    assert await page.evaluate("getSelection().toString()") == "{{text}}"
    await page.locator("#prompt textarea").fill("")
    await page.locator("#prompt textarea").press_sequentially("/thai")
    await page.get_by_role("option", name="Thai menu").click()
    await expect(page.locator("#prompt textarea")).to_have_value("Translate into Thai: {{text}}")


async def test_on_a_phone_the_panel_lies_over_the_page(open_page: OpenPage) -> None:
    page = await open_page(viewport={"width": 400, "height": 800})
    await open_options(page)
    panel = page.get_by_role("dialog", name="Advanced options")
    await expect(panel.get_by_role("button", name="Close")).to_be_focused()
    assert await page.evaluate("document.getElementById('main').inert")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(page.get_by_role("button", name="Advanced options")).to_be_focused()
    await page.keyboard.press("Alt+Shift+O")
    await expect(panel).to_be_visible()


async def test_a_persona_that_is_gone_keeps_its_name(open_page: OpenPage, site: Site) -> None:
    chat = site.services.chat
    conversation = await chat.create_conversation()
    _, reply = await chat.ask(conversation.id, "hi", parent_id=None, model="canned", persona="Long gone", system="Old.")
    running = chat.find(reply.id)
    if running and running.task:
        await running.task
    page = await open_page(f"/?c={conversation.id}")
    await open_options(page)
    await expect(picked(page)).to_have_value("Long gone")
    await expect(field(page, "system")).to_have_value("Old.")
    await choose(page, "None")
    await expect(field(page, "system")).to_have_value(re.compile("helpful and honest"))


@pytest.mark.parametrize(
    "browser_options",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 400, "height": 800}, "locale": "zh-CN"},
    ],
    ids=["light", "dark", "phone-zh"],
)
async def test_axe_finds_nothing_serious(open_page: OpenPage, browser_options: dict[str, Any]) -> None:
    page = await open_page(model="thinks", **browser_options)
    await page.locator("#options-button").click()
    await expect(picked(page)).not_to_have_value("")
    await field(page, "top-k").fill("40")
    await field(page, "top-p").fill("7")
    await expect(note(page, "top_p")).to_be_visible()
    assert await faults(page) == []
    await page.locator("#personas button").first.click()
    await expect(page.get_by_role("listitem")).not_to_have_count(0)
    assert await faults(page) == []
    await page.locator(".f-shelf .f-solid").first.click()
    await page.locator(".f-shelf summary").click()
    assert await faults(page) == []


async def test_a_hostile_persona_does_nothing(open_page: OpenPage, site: Site) -> None:
    hostile = "<img src=x onerror=window.hit=1>${window.hit=1}{{window.hit=1}}"
    library = Library.on(site.services.database)
    known = await library.add_persona(Persona(hostile, hostile, hostile, starters=(hostile,), language="zz"))
    page = await open_page(model="thinks")
    await open_options(page)
    await choose(page, hostile)
    await expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    await (await personas_dialog(page)).get_by_role("button", name=f"Edit persona: {hostile}").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name=hostile, exact=True).click()
    await ended(page)
    assert await page.evaluate("window.hit") is None
    await library.remove_persona(known.id)
