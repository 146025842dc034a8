"""The login page: a form from the server that needs no script, and the two things that it does."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from falconry.access.person import Person
from falconry.errors import FalconryError, InvalidRequest, NotAuthenticated, TooManyRequests
from falconry.gate.dialects import retry_after
from falconry.gate.gate import LOGIN_PATH, SESSION_COOKIE
from falconry.gate.identity import language_of
from falconry.gate.marks import public
from falconry.i18n import error_text
from falconry.services import Services
from falconry.web.plain import Texts, brand, other_language, plain_page, texts_for

LARGEST_FORM = 16 * 1024  # bytes
HOME = "/"


def login_router(services: Services) -> APIRouter:
    """GET and POST /login, and POST /logout."""
    router = APIRouter(include_in_schema=False)
    people = services.people

    async def here(request: Request) -> Person | None:
        """Who has a session already; the gate does not ask on public routes."""
        return await people.person_of_session(request.cookies.get(SESSION_COOKIE, ""))

    @router.get(LOGIN_PATH)
    @public
    async def form(request: Request) -> Response:
        target = local_path(request.query_params.get("next"))
        if not await people.any_users():
            return _unneeded(request)
        if await here(request) is not None:
            return RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        return _form(request, target)

    @router.post(LOGIN_PATH)
    @public
    async def login(request: Request) -> Response:
        fields = await _fields(request)
        target = local_path(fields.get("next"))
        if not await people.any_users():
            return RedirectResponse(target, 303)
        address = request.client.host if request.client else ""
        try:
            opened = await people.open_session(
                await people.verify(fields.get("name", "").strip(), fields.get("password", ""), address)
            )
        except (NotAuthenticated, TooManyRequests) as error:
            return _form(request, target, name=fields.get("name", "")[:200], error=error)
        answer = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            SESSION_COOKIE,
            opened.token,
            max_age=round((opened.session.expires_at - datetime.now(UTC)).total_seconds()),
            httponly=True,
            samesite="lax",
            secure=by_https(request),
        )
        return answer

    @router.post("/logout")
    @public
    async def logout(request: Request) -> Response:
        if (person := await here(request)) is not None:
            await people.close_session(person.id, person.credential)
        answer = RedirectResponse(LOGIN_PATH, 303, {"Cache-Control": "no-store"})
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=by_https(request))
        return answer

    return router


def local_path(target: str | None) -> str:
    """Where to go after the login: a path of this Falconry, whatever was asked for.

    Browsers take `//host` and `/\\host` for other sites, and drop tabs and line ends before they look.
    """
    plain = target and target.startswith("/") and target.isprintable() and not any(c in target for c in '\\"<> ')
    if not target or not plain or target.startswith("//") or len(target) > 2000:
        return HOME
    return HOME if target.partition("?")[0] in (LOGIN_PATH, "/logout") else quote(target, safe="/?&=%#:;,+@!$'()*[]~")


def by_https(request: Request) -> bool:
    """Whether the browser came by https, perhaps through a proxy, which we cannot see, but it says so in Origin."""
    return request.url.scheme == "https" or request.headers.get("origin", "").lower().startswith("https://")


async def _fields(request: Request) -> dict[str, str]:
    """The form, as browsers send it. Raises InvalidRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != "application/x-www-form-urlencoded" or len(body) > LARGEST_FORM:
        raise InvalidRequest("Send the form of the login page.", code="no_form")
    try:
        found = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError:  # not UTF-8, or too many fields
        raise InvalidRequest("Send the form of the login page.", code="no_form") from None
    return {name: values[0] for name, values in found.items()}


def _form(request: Request, target: str, *, name: str = "", error: FalconryError | None = None) -> Response:
    language = language_of(request)
    t = texts_for(language)
    wrong = f'<p class="wrong" role="alert">{escape(error_text(error.as_dict(), language))}</p>' if error else ""
    action = LOGIN_PATH + (f"?lang={language}" if "lang" in request.query_params else "")
    card = f"""<form class="card" method="post" action="{action}"><h1>{t("login")}</h1>{wrong}
<input type="hidden" name="next" value="{escape(target)}">
<label>{t("user_name")}<input name="name" value="{escape(name)}" autocomplete="username" autocapitalize="none"
 spellcheck="false" maxlength="64" required{"" if error else " autofocus"}></label>
<label>{t("password")}<input name="password" type="password" autocomplete="current-password" maxlength="1000"
 required{" autofocus" if error else ""}></label>
<button class="press">{t("login")}</button></form>"""
    headers = dict([retry_after(error)]) if isinstance(error, TooManyRequests) else {}
    return _door(request, t, card, status=error.status if error else 200, headers=headers)


def _unneeded(request: Request) -> Response:
    t = texts_for(language_of(request))
    card = f"""<div class="card"><h1>{t("login_unneeded")}</h1><p class="muted">{t("login_unneeded_more")}</p>
<pre>falconry users add NAME</pre><a class="press" href="/">{t("page_chat")}</a></div>"""
    return _door(request, t, card)


def _door(
    request: Request, t: Texts, card: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    body = f'<div class="door"><main>{brand()}{card}</main><footer>{other_language(request)}</footer></div>'
    return plain_page(request, t("login"), body, status=status, headers=headers)
