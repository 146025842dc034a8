"""What an attacker or an odd client sends, past what one layer sees and another does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from falconry.access.person import LOCAL
from falconry.app import build_routes
from falconry.gate.body import LARGEST_FORM, BodyLimit
from falconry.gate.gate import SESSION_COOKIE
from falconry.gate.guard import Guard
from tests.conftest import LiveServer
from tests.gate.people import Somebody, two_people


@pytest.fixture
async def people(server: LiveServer) -> AsyncGenerator[tuple[Somebody, Somebody], None]:
    """Ada, an admin, and Bob."""
    async with two_people(server) as both:
        yield both


async def raw(server: LiveServer, request: bytes) -> bytes:
    """Send bytes as they are; gives all that comes until the server closes."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


# -- cookies

NEIGHBOURS = ['a={"b":1}', "a b=c", "=x", "flag", "é=1", "a[]=1", 'x="y z"', "a=b=c"]


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
async def test_a_cookie_of_another_program_on_this_machine_does_not_log_anybody_out(
    server: LiveServer, people: tuple[Somebody, Somebody], neighbour: str
) -> None:
    ada, _ = people
    cookie = f"{neighbour}; {SESSION_COOKIE}={ada.token}".encode()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, headers={b"Cookie": cookie}) as client:
        assert (await client.get("/api/me")).status_code == 200
        # The login page and the gate are of one mind: else a browser is sent to and fro between them for ever.
        assert (await client.get("/login")).headers["location"] == "/"


# -- methods


async def test_head_is_answered_where_get_is(server: LiveServer, people: tuple[Somebody, Somebody]) -> None:
    ada, _ = people
    for entry in build_routes(server.services)[1].entries:
        if "GET" not in entry.methods or "{" in entry.path or entry.path == "/api/admin/events":
            continue
        headers = {"Accept": "application/json"}
        head = await ada.client.head(entry.path, headers=headers)
        whole = await ada.client.get(entry.path, headers=headers)
        assert (entry.path, head.status_code, head.content) == (entry.path, whole.status_code, b"")
    assert (await server.client.head("/health")).status_code == 200  # as a stranger


async def test_head_of_a_stream_ends_at_once(server: LiveServer, people: tuple[Somebody, Somebody]) -> None:
    ada, _ = people
    async with asyncio.timeout(5):
        for _ in range(3):  # over one connection, so that what is left of a stream would be seen
            head = await ada.client.head("/api/admin/events")
            assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (await ada.client.get("/api/me")).json()["name"] == "ada"


async def test_options_is_a_method_like_others_and_reaches_no_framework(
    server: LiveServer, people: tuple[Somebody, Somebody]
) -> None:
    ada, _ = people
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as stranger:
        for path in ("/api/me", "/gradio_api/queue/join", "/nothing"):
            assert (await stranger.options(path)).status_code == 401
    answer = await ada.client.options("/api/me")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert (await ada.client.options("/gradio_api/queue/join")).status_code == 404


# -- framing and doubles


async def test_a_body_with_two_lengths_is_refused_and_the_connection_closed(server: LiveServer) -> None:
    inner = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = await raw(
        server,
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + inner,
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"two_lengths" in answer
    assert answer.count(b"HTTP/1.1 ") == 1  # the request within the request was not answered


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
async def test_only_one_key_is_taken(server: LiveServer, people: tuple[Somebody, Somebody], name: str) -> None:
    _, bob = people
    made = await server.services.people.create_key(bob.user.id, "mine", ["conversations"])
    value = f"Bearer {made.key}" if name == "Authorization" else made.key
    head = "GET /api/me HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    once = await raw(server, f"{head}{name}: {value}\r\n\r\n".encode())
    assert once.startswith(b"HTTP/1.1 200 ")
    for double in (f"{name}: fk-guess\r\n{name}: {value}", f"{name}: {value}\r\n{name}: fk-guess"):
        answer = await raw(server, f"{head}{double}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"doubled_header" in answer


async def test_no_framework_learns_a_host_that_a_header_claims() -> None:
    """Gradio writes the one that it believes into its pages."""
    seen: list[bytes] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.extend(name for name, _ in scope["headers"])

    async def receive() -> Message:
        raise AssertionError("nobody reads the body")

    async def send(_message: Message) -> None:
        raise AssertionError("nobody answers")

    headers = [(b"host", b"127.0.0.1"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "headers": headers}
    await Guard(app)(scope, receive, send)
    assert seen == [b"host", b"x-forwarded-proto"]


# -- caches


async def test_what_is_somebodys_own_is_kept_by_no_cache(people: tuple[Somebody, Somebody]) -> None:
    ada, _ = people
    for path in ("/api/me", "/api/me/keys", "/api/conversations", "/api/admin/users", "/nothing", "/v1/models"):
        answer = await ada.client.get(path)
        assert (path, answer.headers.get_list("cache-control")) == (path, ["no-store"])


# -- bodies


async def chunks(count: int, size: int = 64 * 1024) -> AsyncGenerator[bytes, None]:
    for _ in range(count):
        yield b"x" * size


async def test_of_a_stranger_no_body_is_read(server: LiveServer, people: tuple[Somebody, Somebody]) -> None:
    """The answer comes while the body is still on its way; nothing of it waits in memory."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9000000\r\n\r\n{"
    )
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert answer.startswith(b"HTTP/1.1 401 ")
    writer.close()
    await writer.wait_closed()


async def test_a_login_may_be_as_large_as_a_form(server: LiveServer, people: tuple[Somebody, Somebody]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, headers=headers) as stranger:
        told = await stranger.post("/login", content=b"x" * (LARGEST_FORM + 1))
        untold = await stranger.post("/login", content=chunks(LARGEST_FORM // (64 * 1024) + 1))
    for answer in (told, untold):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "form_too_large")


async def test_all_bodies_together_have_a_limit_and_what_has_ended_does_not_count() -> None:
    entered = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        entered.release()
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limit = BodyLimit(app, most=100, together=400)

    async def ask(size: int) -> Message:
        """The start of the answer to a body of so many bytes."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"x" * size, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/x", "headers": [], "state": {"person": LOCAL}}
        await limit(scope, receive, send)
        return sent[0]

    async with asyncio.timeout(10):
        asking = [asyncio.create_task(ask(100)) for _ in range(4)]
        for _ in asking:
            await entered.acquire()
        refused = await ask(1)
        assert refused["status"] == 429
        assert dict(refused["headers"])[b"retry-after"] == b"2"
        release.set()
        assert [(await task)["status"] for task in asking] == [200] * 4
        assert (await ask(101))["status"] == 413
        assert [(await ask(100))["status"] for _ in range(5)] == [200] * 5
