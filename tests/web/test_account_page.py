"""The account's and the admin's page in a browser, with logins and without."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from falconry.app import create_app
from tests.gate.people import PASSWORD
from tests.web.conftest import OpenPage, Site, page_services, serve_app

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    """A Falconry with logins; Ada is its admin."""
    async with (
        page_services(tmp_path_factory.mktemp("guarded")) as services,
        serve_app(create_app(services), services) as url,
    ):
        await services.people.add_user("ada", PASSWORD)
        yield Site(url, services)


@pytest_asyncio.fixture(loop_scope="session")
async def ada(guarded: Site, browser: Browser) -> AsyncGenerator[Page, None]:
    """A browser in which Ada has logged in, on the account page."""
    context = await browser.new_context(locale="en-US")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{guarded.url}/account")
    await page.get_by_label("Name").fill("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="ada")).to_be_visible()
    none = page.get_by_text("Your conversations will appear here.")
    await expect(none.or_(page.locator("#conversations li a")).first).to_be_visible()  # nothing is on its way
    yield page
    await context.close()
    assert errors == []


async def test_without_users_the_page_tells_how_programs_come_in(site: Site, open_page: OpenPage) -> None:
    page = await open_page("/account")
    await expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    await expect(page.locator(".f-facts")).to_contain_text(f"{site.url}/v1")
    await expect(page.locator("#example")).to_contain_text("from openai import OpenAI")
    await page.get_by_role("tab", name="openai").press("ArrowRight")
    await expect(page.get_by_role("tab", name="text-generation")).to_be_focused()
    await expect(page.locator("#example")).to_contain_text("from text_generation import Client")
    await expect(page.get_by_text("falconry users add NAME")).to_be_visible()
    await expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    await expect(page.get_by_label("Present password")).to_have_count(0)


async def test_the_sidebar_leads_to_the_pages(open_page: OpenPage) -> None:
    page = await open_page("/")
    await page.get_by_role("link", name="Administration").click()
    await expect(page.get_by_role("heading", name="Administration")).to_be_visible()
    await page.get_by_role("link", name="API", exact=True).click()
    await expect(page.get_by_role("link", name="API", exact=True)).to_have_attribute("aria-current", "page")


async def test_a_key_from_the_page_opens_the_door_until_it_is_revoked(guarded: Site, ada: Page) -> None:
    await ada.get_by_label("Name of the key").fill("laptop")
    await ada.get_by_role("button", name="Create key").click()
    key = (await ada.locator(".f-fresh pre").inner_text()).strip()
    await expect(ada.locator("#example")).to_contain_text(key)
    row = ada.get_by_role("row", name="laptop")
    await expect(row).to_contain_text(key[:11])
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=guarded.url, headers=headers, trust_env=False) as program:
        assert (await program.post("/api/complete", json={"prompt": "A falcon is"})).status_code == 200
        await ada.get_by_role("button", name="Revoke: laptop").click()
        await ada.locator("dialog").get_by_role("button", name="Revoke").click()
        await expect(row).to_have_count(0)
        assert (await program.post("/api/complete", json={"prompt": "A falcon is"})).status_code == 401
    await ada.reload()
    await expect(ada.get_by_text("No keys yet.")).to_be_visible()
    assert key not in await ada.content()


async def test_a_new_password(guarded: Site, ada: Page) -> None:
    fields = [ada.get_by_label("Present password"), ada.get_by_label("New password", exact=True)]
    again = ada.get_by_label("New password again")
    press = ada.get_by_role("button", name="Change password")
    for present, new, repeated, told in (
        ("not the one", "something new", "something new", "The present password is wrong."),
        (PASSWORD, "something new", "something else", "The two new passwords differ."),
        (PASSWORD, PASSWORD, PASSWORD, "Your password has been changed."),
    ):
        await fields[0].fill(present)
        await fields[1].fill(new)
        await again.fill(repeated)
        await press.click()
        await expect(ada.get_by_text(told)).to_be_visible()


async def test_an_admin_adds_and_removes_a_user(guarded: Site, ada: Page) -> None:
    await ada.goto(f"{guarded.url}/admin")
    await ada.get_by_label("Name", exact=True).fill("bob")
    await ada.get_by_role("button", name="Add user").click()
    box = ada.locator("dialog")
    address, name, password = (await box.locator("pre").inner_text()).strip().splitlines()
    assert (address, name) == (guarded.url, "bob")
    async with httpx.AsyncClient(base_url=guarded.url, trust_env=False) as client:
        assert (await client.post("/login", data={"name": "bob", "password": password})).status_code == 303
        await client.post("/api/conversations", json={"title": "falcons"})
        await box.get_by_role("button", name="Close").click()
        await ada.get_by_role("button", name="Remove: bob").click()
        await box.get_by_label("Conversations: 1").select_option(label="Give them to ada")
        await box.get_by_role("button", name="Remove").click()
        await expect(ada.get_by_text("bob has been removed.")).to_be_visible()
        assert (await client.get("/api/me")).status_code == 401
    users = ada.get_by_role("table", name="Users")
    await expect(users.get_by_role("row", name="ada (you)")).to_be_visible()
    await expect(users.get_by_role("row", name="bob")).to_have_count(0)
    await ada.reload()
    await expect(ada.get_by_role("link", name="falcons")).to_be_visible()


async def test_the_last_admin_cannot_step_down(guarded: Site, ada: Page) -> None:
    await ada.goto(f"{guarded.url}/admin")
    await ada.get_by_label("Role: ada").select_option(label="User")
    await expect(ada.get_by_text("ada is the only admin.")).to_be_visible()
    await expect(ada.get_by_label("Role: ada")).to_have_value("admin")


async def test_figures_follow_what_happens(site: Site, open_page: OpenPage) -> None:
    page = await open_page("/admin")
    running = page.locator(".f-tile", has_text="Running").locator("b")
    await expect(running).to_have_text("0")
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        body = {"prompt": "x", "model": "slow", "params": {"max_tokens": 400}}
        async with client.stream("POST", "/api/complete", json=body) as stream:
            lines = stream.aiter_lines()  # held, for whoever lets go of it hangs up
            await anext(lines)
            await expect(running).to_have_text("1")
            await expect(page.get_by_role("row", name=re.compile("^slow "))).to_contain_text("1 running")
    await expect(running).to_have_text("0")
    await expect(page.locator(".f-plot path").first).to_have_attribute("d", re.compile(r"L[\d.]+ (?!144)"))


async def test_log_out_takes_along_what_the_browser_remembered(guarded: Site, ada: Page) -> None:
    await ada.evaluate("localStorage.setItem('falconry.draft.completion', 'mine')")
    await ada.evaluate("localStorage.setItem('falconry.theme', 'dark')")
    await ada.get_by_role("button", name="Log out").click()
    await ada.wait_for_url("**/login")
    assert await ada.evaluate("Object.keys(localStorage)") == ["falconry.theme"]
    assert await ada.evaluate("document.documentElement.dataset.theme") == "dark"
    await ada.goto(f"{guarded.url}/account")
    assert "/login?next=/account" in ada.url


async def test_a_session_that_ends_leads_back_to_the_login(guarded: Site, ada: Page) -> None:
    user = await guarded.services.people.user_named("ada")
    await guarded.services.people.close_sessions(user.id)
    await ada.get_by_label("Name of the key").fill("too late")
    await ada.get_by_role("button", name="Create key").click()
    await ada.wait_for_url("**/login?next=%2Faccount")


async def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: OpenPage) -> None:
    for path in ("/account", "/admin"):
        page = await open_page(path, viewport={"width": 360, "height": 740})
        element = page.locator(f"#{path.strip('/')}")
        assert await element.evaluate("(box) => box.scrollWidth <= box.clientWidth"), path


async def test_in_chinese(open_page: OpenPage) -> None:
    page = await open_page("/admin", locale="zh-CN")
    await expect(page.get_by_role("heading", name="管理", exact=True)).to_be_visible()
    await expect(page.get_by_text("每秒词元数").first).to_be_visible()
