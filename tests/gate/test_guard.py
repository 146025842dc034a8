from __future__ import annotations

import asyncio
import socket

import pytest

from falconry.services import Services
from tests.conftest import LiveServer, serve

PATHS = ["/health", "/api/models", "/api/conversations", "/api/replies/" + "0" * 32 + "/events", "/nothing/here"]


async def raw(server: LiveServer, request: str) -> tuple[int, bytes]:
    """Send bytes as they are; gives status and whole answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.encode("latin-1"))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer


def get(path: str, *headers: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Connection: close", *headers, "", ""])


FOREIGN_HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example:7860",
    "",
    " ",
    "127.0.0.1:99999",
    "127.0.0.1:80:80",
    "127.0.0.1@evil.example",
    "127.0.0.1/evil.example",
    "127.0.0.1#",
    "[::1",
    "localhost.",
    "0.0.0.0:7860",
    "127.1",
    "2130706433",
]


async def test_a_foreign_malformed_missing_or_doubled_host_is_turned_away_everywhere(server: LiveServer) -> None:
    let_in = []
    for path in PATHS:
        tries = [[f"Host: {host}"] for host in FOREIGN_HOSTS]
        for headers in [*tries, [], ["Host: localhost", "Host: evil.example"]]:
            status, _ = await raw(server, get(path, *headers))
            if status not in (400, 403):
                let_in.append((path, headers, status))
    assert let_in == []


async def test_loopback_names_are_let_in(server: LiveServer) -> None:
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "localhost:8000", "[::1]:7860"]:
        assert (await raw(server, get("/health", f"Host: {host}")))[0] == 200, host


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
async def test_what_a_browser_sends_for_another_site_is_refused(server: LiveServer, headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = await server.client.request(method, "/api/conversations", headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert answer.json()["error"]["code"] == "cross_site"


async def test_a_form_on_another_site_cannot_post_even_by_navigation(server: LiveServer) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await server.client.post("/api/conversations", headers=headers)).status_code == 403
    assert (await server.client.get("/health", headers=headers)).status_code == 200


async def test_the_page_itself_and_programs_are_let_in(server: LiveServer) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert (await server.client.post("/api/conversations", headers=own)).status_code == 201
    assert (await server.client.post("/api/conversations")).status_code == 201


async def test_a_path_that_two_layers_could_read_differently_is_refused(server: LiveServer) -> None:
    paths = ["//health", "/api//models", "/api/../health", "/%2e%2e/health", "/api%2fmodels", "/a\\b", "/a%00b", "/./a"]
    for path in paths:
        assert (await raw(server, get(path, "Host: localhost")))[0] == 400, path


async def test_every_answer_carries_the_security_headers(server: LiveServer) -> None:
    parts = ["default-src 'self'", "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"]
    for path in PATHS:
        answer = await server.client.get(path)
        assert [part for part in parts if part not in answer.headers["content-security-policy"]] == []
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_the_address_that_a_connection_came_to_is_ours_and_no_other_number(services: Services) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.2", 0))
    async with serve(services, listener) as live:
        port = listener.getsockname()[1]
        assert (await raw(live, get("/health", f"Host: 127.0.0.2:{port}")))[0] == 200
        assert (await raw(live, get("/health", f"Host: 127.0.0.3:{port}")))[0] == 403
        assert (await raw(live, get("/health", f"Host: 127.0.0.2.evil.example:{port}")))[0] == 403


async def test_a_refusal_says_what_to_do(server: LiveServer) -> None:
    _, answer = await raw(server, get("/", "Host: evil.example"))
    assert b"FALCONRY_ALLOWED_HOSTS" in answer
