"""Everything that can be wrong with an endpoint, and the sentence that says so, in less than five seconds."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from falconry.engines.endpoint_check import Report, check
from falconry.engines.probe import Login
from falconry.errors import FalconryError
from falconry.i18n import error_text
from falconry.settings import Settings
from tests.engines import probe_stubs as stubs
from tests.engines.probe_stubs import CHAT, VLLM, entry, listing, stub
from tests.engines.servers import Connection, Handler, Request, serve

KEY = "hf_do_not_show_me"
MakeSettings = Callable[..., Settings]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of which a test need not wait for the end."""
    monkeypatch.setattr("falconry.engines.endpoint_check.SECONDS", 0.7)
    monkeypatch.setattr("falconry.engines.endpoint_check.TEST_SECONDS", 2.0)


def problem_of(report: Report) -> FalconryError:
    """What is wrong, told in both languages, in time and without the key."""
    problem = report.problem
    assert problem is not None
    assert report.seconds < 5
    assert KEY not in str(problem.as_dict())
    chinese = error_text(problem.as_dict(), "zh")
    assert chinese != problem.message, "there is no Chinese sentence"
    assert "{" not in chinese
    return problem


def always(status: int, body: object, **headers: str) -> Handler:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.json(body, status, **headers)

    return handler


def raw(kind: str, body: bytes, status: int = 200) -> Handler:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(status, kind)
        await connection.send(body)

    return handler


@pytest.mark.parametrize(
    ("handler", "code", "says"),
    [
        (raw("text/html", b"<html>Welcome to nginx</html>"), "endpoint_web_page", "web pages"),
        (always(200, {"hello": "world"}), "endpoint_not_a_model_server", "nothing that a model server is known by"),
        (raw("application/json", b"{half"), "endpoint_not_a_model_server", "Check host and port"),
        (raw("application/octet-stream", b"\xff\xfe\x00"), "endpoint_not_a_model_server", "Check host and port"),
        (always(404, {"error": "Not Found"}), "endpoint_wrong_path", "/v1/models, /models"),
        (raw("text/html", b"<html>404</html>", 404), "endpoint_wrong_path", "base of its API"),
        (always(401, {"error": {"message": "no key"}}), "endpoint_key_missing", "wants a key (HTTP 401)"),
        (always(403, {"error": "Forbidden"}), "endpoint_key_missing", "wants a key (HTTP 403)"),
        (always(429, {"error": {"message": "slow down"}}), "engine_overloaded", "slow down"),
        (always(503, {"error": {"message": "Loading model", "code": 503}}), "engine_overloaded", "Loading model"),
        (always(500, {"error": {"message": "cuda error"}}), "endpoint_failed", "cuda error"),
        (always(502, {}), "endpoint_failed", "HTTP 502"),
        (always(302, {}, location="https://login.example.org/x?token=1"), "endpoint_redirects", "login.example.org/x."),
        (stub(stubs.EMBEDDER, path="/nowhere"), "endpoint_no_chat", "embeds or ranks"),
        (stub({"/v1/models": listing(entry("bge-m3"))}), "endpoint_no_models", "no model that chats"),
        (stub({**stubs.OLLAMA, "/api/tags": {"models": []}}), "endpoint_no_models", "no model that chats"),
        (stub({**VLLM, CHAT: {}}, path="/nowhere"), "endpoint_nonsense", ""),
    ],
)
async def test_what_is_wrong_is_one_sentence(handler: Handler, code: str, says: str) -> None:
    async with serve(handler) as server:
        problem = problem_of(await check(server.url, Login()))
    if code == "endpoint_nonsense":  # it lists models, and then answers with something else
        assert problem.code.startswith("endpoint_")
    else:
        assert problem.code == code
    assert says in problem.message
    assert "token=1" not in problem.message


async def test_a_name_that_is_not_known() -> None:
    problem = problem_of(await check("http://no-such-host.invalid:8000", Login()))
    assert problem.code == "endpoint_unknown_host"


async def test_nobody_listens() -> None:
    async with serve(stub(VLLM)) as server:
        gone = server.url
    problem = problem_of(await check(gone, Login()))
    assert (problem.code, "Nothing listens at 127.0.0.1" in problem.message) == ("endpoint_nothing_listens", True)


async def test_it_hangs() -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.gone.wait()

    async with serve(handler) as server:
        begun = time.monotonic()
        problem = problem_of(await check(server.url, Login()))
        assert time.monotonic() - begun < 5
    assert problem.code == "endpoint_silent"


@pytest.mark.usefixtures("hurried")
async def test_a_list_of_models_that_hangs_is_what_is_told() -> None:
    async def handler(request: Request, connection: Connection) -> None:
        if request.path == "/v1/models":
            await connection.gone.wait()
        await connection.json({"detail": "Not Found"}, 404)

    async with serve(handler) as server:
        assert problem_of(await check(server.url, Login())).code == "endpoint_silent"


async def test_it_hangs_up() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        problem = problem_of(await check(f"http://127.0.0.1:{port}/v1", Login()))
    assert problem.code == "endpoint_broke_off"


@pytest.mark.usefixtures("hurried")
async def test_it_sends_without_an_end() -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(kind="application/json")
        try:
            while not connection.gone.is_set():
                await connection.send(b" " * 1000)
                await asyncio.sleep(0.01)
        finally:
            connection.reset()

    async with serve(handler) as server:
        assert problem_of(await check(server.url, Login())).code in ("endpoint_silent", "endpoint_too_much")


async def test_a_wrong_key() -> None:
    async with serve(stub(VLLM, key="right")) as server:
        wrong = await check(server.url, Login(SecretStr("wrong")))
        foreign = await check(server.url, Login(SecretStr(KEY)))
    assert problem_of(wrong).code == "endpoint_key_refused"
    assert problem_of(foreign).code == "endpoint_key_of_another"
    assert "Hugging Face" in problem_of(foreign).message


async def test_a_key_that_only_generating_wants() -> None:
    normal = stub(VLLM)

    async def handler(request: Request, connection: Connection) -> None:
        if request.path == CHAT:
            await connection.json({"error": {"message": "no key"}}, 401)
        else:
            await normal(request, connection)

    async with serve(handler) as server:
        report = await check(server.url, Login())
    assert problem_of(report).code == "endpoint_key_refused"
    assert report.facts is not None


async def test_a_wrong_model_is_told_with_those_that_there_are() -> None:
    async with serve(stub(stubs.OLLAMA)) as server:
        problem = problem_of(await check(server.url, Login(), models=["llama9"]))
    assert problem.code == "endpoint_models_there"
    assert "gemma3:4b, llama3.2:1b." in problem.message


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, {"error": {"message": "out of memory"}}, "endpoint_failed"),
        (429, {"error": {"message": "quota"}}, "engine_overloaded"),
        (404, {"error": {"message": "The model does not exist"}}, "endpoint_model_unknown"),
    ],
)
async def test_it_lists_models_and_cannot_generate(status: int, body: object, code: str) -> None:
    normal = stub(VLLM)

    async def handler(request: Request, connection: Connection) -> None:
        if request.path == CHAT:
            await connection.json(body, status, retry_after="30")
        else:
            await normal(request, connection)

    async with serve(handler) as server:
        assert problem_of(await check(server.url, Login())).code == code


@pytest.mark.usefixtures("hurried")
async def test_a_model_that_takes_its_time() -> None:
    normal = stub(VLLM)

    async def handler(request: Request, connection: Connection) -> None:
        if request.path == CHAT:
            await connection.gone.wait()
        else:
            await normal(request, connection)

    async with serve(handler) as server:
        report = await check(server.url, Login())
    assert problem_of(report).code == "endpoint_slow"
    assert report.facts is not None


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody has signed but itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, signed = folder / "key.pem", folder / "signed.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    where = [
        "-keyout",
        str(key),
        "-out",
        str(signed),
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([*make, *where], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    return context


async def test_a_certificate_that_nobody_has_signed(certificate: ssl.SSLContext) -> None:
    async with serve(stub(VLLM), certificate) as server:
        problem = problem_of(await check(server.url, Login()))
    assert problem.code == "endpoint_certificate"
    assert "SSL_CERT_FILE" in problem.message


async def test_https_is_found_where_http_was_written(certificate: ssl.SSLContext) -> None:
    """As far as the certificate, which is what then has to be looked after."""
    async with serve(stub(VLLM), certificate) as server:
        problem = problem_of(await check(server.url.replace("https", "http"), Login()))
    assert problem.code == "endpoint_certificate"


async def test_https_where_there_is_none() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)  # as servers do to whom a TLS hello is a broken request
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        problem = problem_of(await check(f"https://127.0.0.1:{port}/v1", Login()))
    assert problem.code == "endpoint_no_tls"


async def test_a_redirect_never_takes_the_key_along() -> None:
    async with serve(stub(VLLM)) as elsewhere:
        async with serve(always(307, {}, location=f"{elsewhere.url}/v1/models")) as server:
            problem = problem_of(await check(server.url, Login(SecretStr(KEY))))
        assert elsewhere.requests == []
    assert (problem.code, elsewhere.url in problem.message) == ("endpoint_redirects", True)
