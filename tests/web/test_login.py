"""The login page: a form that works without scripts, and what a session's cookie is like."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http.cookies import SimpleCookie

import httpx
import pytest

from falconry.gate.gate import SESSION_COOKIE
from falconry.web.login import local_path
from tests.conftest import LiveServer
from tests.gate.people import PASSWORD, two_people

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
FORM = {"name": "ada", "password": PASSWORD}


@pytest.fixture
async def browser(server: LiveServer) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A browser without a session, on a Falconry with two users."""
    async with two_people(server), httpx.AsyncClient(base_url=server.url, headers=BROWSER, trust_env=False) as client:
        yield client


async def test_without_users_none_is_needed_and_the_page_says_how_to_make_one(server: LiveServer) -> None:
    page = await server.client.get("/login")
    assert page.status_code == 200
    assert "falconry users add" in page.text
    assert "<form" not in page.text
    posted = await server.client.post("/login", data=FORM)
    assert (posted.status_code, posted.headers["location"]) == (303, "/")


async def test_who_is_not_logged_in_is_led_there_and_back(browser: httpx.AsyncClient) -> None:
    away = await browser.get("/docs?lang=zh&x=1")
    assert (away.status_code, away.headers["location"]) == (303, "/login?next=/docs%3Flang%3Dzh%26x%3D1")
    page = await browser.get(away.headers["location"])
    assert 'name="next" value="/docs?lang=zh&amp;x=1"' in page.text
    back = await browser.post("/login", data={**FORM, "next": "/docs?lang=zh&x=1"})
    assert (back.status_code, back.headers["location"]) == (303, "/docs?lang=zh&x=1")
    assert (await browser.get("/docs")).status_code == 200
    assert (await browser.get("/login?next=/docs")).headers["location"] == "/docs"  # logged in already


async def test_the_cookie_is_for_the_server_alone(browser: httpx.AsyncClient) -> None:
    header = (await browser.post("/login", data=FORM)).headers["set-cookie"]
    cookie = SimpleCookie(header)[SESSION_COOKIE]
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "lax", "/")
    assert cookie["secure"] == ""
    assert 29 * 86400 < int(cookie["max-age"]) <= 30 * 86400


async def test_over_https_the_cookie_stays_there(browser: httpx.AsyncClient) -> None:
    """Behind a proxy that speaks TLS only the browser knows, and its Origin says so."""
    origin = str(browser.base_url).rstrip("/").replace("http://", "https://")
    header = (await browser.post("/login", data=FORM, headers={"Origin": origin})).headers["set-cookie"]
    assert SimpleCookie(header)[SESSION_COOKIE]["secure"] is True


async def test_a_wrong_password_and_an_unknown_name_look_the_same(browser: httpx.AsyncClient) -> None:
    wrong = await browser.post("/login", data={**FORM, "password": "not the one"})
    unknown = await browser.post("/login", data={"name": "ada", "password": "not the one", "next": "/"})
    nobody = await browser.post("/login", data={"name": "eve", "password": "not the one"})
    assert wrong.status_code == unknown.status_code == nobody.status_code == 401
    assert wrong.text == unknown.text == nobody.text.replace('value="eve"', 'value="ada"')
    assert "set-cookie" not in wrong.headers


async def test_after_ten_failures_one_has_to_wait(browser: httpx.AsyncClient) -> None:
    for _ in range(10):
        await browser.post("/login", data={**FORM, "password": "not the one"})
    refused = await browser.post("/login", data=FORM)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert "<form" in refused.text


async def test_log_out(browser: httpx.AsyncClient) -> None:
    await browser.post("/login", data=FORM)
    token = browser.cookies[SESSION_COOKIE]
    gone = await browser.post("/logout")
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies[SESSION_COOKIE] = token
    assert (await browser.get("/docs")).status_code == 303  # the session has ended, not only its cookie


async def test_a_link_does_not_log_out(browser: httpx.AsyncClient) -> None:
    await browser.post("/login", data=FORM)
    assert (await browser.get("/logout")).status_code == 405


async def test_it_speaks_chinese(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/login", headers={"Accept-Language": "zh-CN"})
    assert '<html lang="zh-CN">' in page.text
    assert "密码" in page.text
    failed = await browser.post("/login?lang=zh", data={**FORM, "password": "not the one"})
    assert "密码" in failed.text
    assert 'action="/login?lang=zh"' in failed.text


async def test_what_was_typed_cannot_become_markup(browser: httpx.AsyncClient) -> None:
    name = '"><script>alert(1)</script>'
    page = await browser.post("/login", data={"name": name, "password": "x", "next": f"/{name}"})
    assert "<script>alert" not in page.text
    page = await browser.get("/login", params={"next": "/" + name, "lang": name, "x": name})
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"name=ada&password=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
        (b"name=%ff&password=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(50)), "application/x-www-form-urlencoded"),
        (b'{"name": "ada"}', "application/json"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_form(browser: httpx.AsyncClient, content: bytes, kind: str) -> None:
    assert (await browser.post("/login", content=content, headers={"Content-Type": kind})).status_code in (400, 401)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/account", "/account"),
        ("/?c=0123", "/?c=0123"),
        (None, "/"),
        ("", "/"),
        ("account", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("/login?next=/login", "/"),
        ("/logout", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_one_is_led_to_our_own_pages_only(asked: str | None, target: str) -> None:
    assert local_path(asked) == target
