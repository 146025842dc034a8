"""Who is it, and may they have what they ask for: every request that the guard let through, before any framework.

A session comes as a cookie, a key as `Authorization: Bearer`, as `x-api-key`, or as `Basic` (the lesson's way: the key
itself, or base64 of the key or of `anything:key`). Without users, and on loopback only, everybody is the one person at
this machine.

The gate asks the route table, so a path that is not in it does not exist, and nothing of a library's is open by
accident. When a session or key is revoked, the answers that are still being sent to it end.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import nullcontext, suppress
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from falconry.access.limits import Limits
from falconry.access.people import People
from falconry.access.person import LOCAL, Person
from falconry.errors import FalconryError, NotAllowed, NotAuthenticated
from falconry.gate.dialects import send_refusal
from falconry.gate.marks import Access
from falconry.gate.route_table import RouteTable

SESSION_COOKIE = "falconry_session"
LOGIN_PATH = "/login"


class Gate:
    """ASGI middleware. See the module.

    Args:
        people: who there is; asked for every request, and quick by its cache.
        limits: how much each may ask for.
        table: the routes, with who may use them.
        local: whether only this machine can reach us, so that nobody needs to log in while there are no users.
    """

    def __init__(self, app: ASGIApp, people: People, limits: Limits, table: RouteTable, *, local: bool) -> None:
        self._app = app
        self._people = people
        self._limits = limits
        self._table = table
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send_refusal(scope, send, NotAllowed("Falconry has no websockets.", code="no_websockets"))
            return
        try:
            person, counted = await self._admit(scope)
            if person is None or not person.credential:
                await self._app(scope, receive, send)
                return
            with self._limits.admit(person) if counted else nullcontext():
                await self._answer(person, scope, receive, send)
        except FalconryError as error:
            await self._turn_away(scope, send, error)

    async def _answer(self, person: Person, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, as long as the session or key is good."""
        answer = _Answer(send)
        if await self._people.while_valid(person, self._app(scope, receive, answer)):
            return
        if not answer.begun:
            raise NotAuthenticated("This session or key has ended.", code="credential_ended")
        if not answer.complete:  # a stream that breaks off: whoever reads it looks for the end that its protocol has
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _admit(self, scope: Scope) -> tuple[Person | None, bool]:
        """Who asks, and whether it counts. Raises NotAuthenticated, NotAllowed, NotFound, MethodNotAllowed."""
        try:
            entry = self._table.find(scope["method"], scope["path"])
        except FalconryError:
            if await self._who(scope) is None:  # a stranger does not learn which paths there are
                raise _unknown() from None
            raise
        state = scope.setdefault("state", {})
        state["route"] = entry.path
        if entry.access.level == "public":  # not even asked who it is: /health answers when the database does not
            return None, False
        person = state["person"] = await self._who(scope)
        _check(person, entry.access)
        return person, entry.access.counted and scope["method"] == "POST"

    async def _who(self, scope: Scope) -> Person | None:
        """The person behind a request; None for a stranger. A wrong key is an error, also where a cookie would do."""
        if not await self._people.any_users():
            return LOCAL if self._local else None
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        address = scope["client"][0] if scope.get("client") else ""
        for key in _keys(headers):
            if (person := await self._people.person_of_key(key)) is not None:
                return person
        if any(name in (b"authorization", b"x-api-key") for name, _ in headers):
            self._people.note_wrong_key(address)
            raise NotAuthenticated("This API key is not valid. Make a new one on the account page.", code="invalid_key")
        # Not Python's SimpleCookie: it gives up at a cookie that it does not like, and programs on other ports of this
        # machine share their cookies with us.
        token = HTTPConnection(scope).cookies.get(SESSION_COOKIE)
        return await self._people.person_of_session(token) if token else None

    async def _turn_away(self, scope: Scope, send: Send, error: FalconryError) -> None:
        """A person at a browser is shown the way to the login; programs get the error."""
        if isinstance(error, NotAuthenticated) and _wants_page(scope):
            query = scope.get("query_string", b"")
            target = scope.get("raw_path", b"/") + (b"?" + query if query else b"")
            location = f"{LOGIN_PATH}?next={quote(target, safe='/')}"
            headers = [(b"location", location.encode()), (b"content-length", b"0"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await send_refusal(scope, send, error)


class _Answer:
    """Passes an answer on and notices how far it came."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.complete = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        self.complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)


def _check(person: Person | None, access: Access) -> None:
    if person is None:
        raise _unknown()
    if access.scope is None or person.may(access.scope):
        return
    if access.level == "admin" and person.role != "admin":
        raise NotAllowed("This is for administrators only.", code="admins_only")
    raise NotAllowed(
        f"This API key may not be used here: it lacks the scope “{access.scope}”.",
        code="missing_scope",
        scope=access.scope,
    )


def _unknown() -> NotAuthenticated:
    return NotAuthenticated("Log in first, or send an API key: Authorization: Bearer fk-…")


def _keys(headers: list[tuple[bytes, bytes]]) -> list[str]:
    """What may be the key, most likely first."""
    found: list[str] = []
    for name, raw in headers:
        value = raw.decode("latin-1").strip()
        if name == b"x-api-key":
            found.append(value)
        elif name == b"authorization":
            scheme, _, rest = value.partition(" ")
            found.append(rest.strip())
            if scheme.lower() == "basic":
                with suppress(binascii.Error, ValueError):
                    plain = base64.b64decode(rest.strip(), validate=True).decode("utf-8", "replace")
                    found += [plain.rpartition(":")[2], plain]
    return [key for key in found if key]


def _wants_page(scope: Scope) -> bool:
    accepts = [value for name, value in scope["headers"] if name == b"accept"]
    return scope["method"] in ("GET", "HEAD") and any(b"text/html" in value for value in accepts)
