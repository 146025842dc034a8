"""Everything an endpoint can do wrong, and the clear error that comes of it. Both protocols, real sockets."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from falconry.engines import event_stream, http
from falconry.engines.base import Engine
from falconry.engines.openai import OpenAIEngine
from falconry.engines.tgi import TGIEngine
from falconry.errors import (
    EngineError,
    EngineInterrupted,
    EngineOverloaded,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
)
from falconry.messages import SamplingParams
from falconry.protocols.openai_answers import model_list
from falconry.protocols.sse import DONE, comment, encode_json
from falconry.settings import Endpoint
from tests.engines.servers import Connection, Handler, Request, Server, serve
from tests.engines.stubs import last_frame, text_chunk, token_frame

KEY = "sk-do-not-show-me"
SILENCE = 0.5  # seconds


@dataclass
class Reply:
    """What came before the error, or before the end."""

    text: str = ""
    finish_reason: str | None = None
    error: FalconryError | None = None
    deltas: list[str] = field(default_factory=list)


@dataclass
class Wire:
    """How the two protocols write the same thing."""

    kind: str

    def token(self, text: str) -> bytes:
        frame = text_chunk(text=text) if self.kind == "openai" else token_frame(1, text)
        return encode_json(frame)

    def end(self, whole: str) -> bytes:
        if self.kind == "openai":
            return encode_json(text_chunk(finish="stop")) + DONE
        return encode_json(last_frame(2, "", whole, "eos_token", input_length=3, special=True))

    def error(self, message: str, kind: str) -> bytes:
        if self.kind == "openai":
            return encode_json({"error": {"message": message, "type": kind, "code": None}})
        return encode_json({"error": message, "error_type": kind})


@pytest.fixture(params=["openai", "tgi"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


@asynccontextmanager
async def upstream(wire: Wire, handler: Handler) -> AsyncIterator[tuple[Engine, Server]]:
    """An engine over a server that does wrong only where it generates."""

    async def answer(request: Request, connection: Connection) -> None:
        if request.path in ("/v1/models", "/info"):
            await connection.json(model_list(["kestrel"], 1))
        else:
            await handler(request, connection)

    async with serve(answer) as server:
        url = f"{server.url}/v1" if wire.kind == "openai" else server.url
        endpoint = Endpoint.model_validate({"name": "bad", "url": url, "kind": wire.kind, "api_key": KEY})
        engine = OpenAIEngine(endpoint, SILENCE) if wire.kind == "openai" else TGIEngine(endpoint, SILENCE)
        try:
            yield engine, server
        finally:
            await engine.aclose()


async def ask(wire: Wire, handler: Handler) -> Reply:
    async with upstream(wire, handler) as (engine, server):
        reply = await generate(engine)
        if reply.error is not None:
            assert KEY not in repr(reply.error.as_dict())
            assert server.url.removeprefix("http://") in reply.error.message
        return reply


async def generate(engine: Engine) -> Reply:
    reply = Reply()
    try:
        async with asyncio.timeout(5), aclosing(engine.generate("Hi", SamplingParams())) as deltas:
            async for delta in deltas:
                reply.text += delta.text
                reply.deltas.append(delta.text)
                reply.finish_reason = delta.finish_reason
    except FalconryError as error:
        reply.error = error
    return reply


def plain(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Handler:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(status, kind, **headers)
        await connection.send(body)

    return handler


# Silence and broken connections


async def test_accepts_and_never_answers(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.gone.wait()

    reply = await ask(wire, handler)
    assert isinstance(reply.error, EngineUnavailable)
    assert reply.error.code == "endpoint_silent"


async def test_falls_silent_before_the_first_token(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.gone.wait()

    assert isinstance((await ask(wire, handler)).error, EngineUnavailable)


async def test_falls_silent_in_the_middle(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions") + wire.token(" and"))
        await connection.gone.wait()

    reply = await ask(wire, handler)
    assert (reply.text, type(reply.error)) == ("Lions and", EngineInterrupted)


async def test_a_byte_now_and_then_is_silence(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions"))
        while not connection.gone.is_set():
            await connection.send(b"x")
            await asyncio.sleep(0.05)

    reply = await ask(wire, handler)
    assert (reply.text, type(reply.error)) == ("Lions", EngineInterrupted)


async def test_comments_keep_it_alive(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        for _ in range(8):
            await connection.send(comment())
            await asyncio.sleep(SILENCE / 5)
        await connection.send(wire.token("Lions") + wire.end("Lions"))

    reply = await ask(wire, handler)
    assert (reply.text, reply.finish_reason) == ("Lions", "stop")


async def test_resets_before_it_answers(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        connection.reset()

    reply = await ask(wire, handler)
    assert isinstance(reply.error, EngineUnavailable)


async def test_resets_in_the_middle(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(transfer_encoding="chunked")
        frame = wire.token("Lions")
        await connection.send(b"%x\r\n%s\r\n" % (len(frame), frame))
        await arrived.wait()
        connection.reset()

    arrived = asyncio.Event()
    async with upstream(wire, handler) as (engine, _), aclosing(engine.generate("Hi", SamplingParams())) as deltas:
        assert (await anext(deltas)).text == "Lions"
        arrived.set()
        with pytest.raises(EngineInterrupted):
            await anext(deltas)


async def test_ends_without_a_finish_reason(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions"))

    reply = await ask(wire, handler)
    assert (reply.text, type(reply.error)) == ("Lions", EngineInterrupted)


async def test_ends_in_the_middle_of_a_frame(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions") + wire.token(" and")[:-9])

    reply = await ask(wire, handler)
    assert (reply.text, type(reply.error)) == ("Lions", EngineInterrupted)


async def test_nobody_listens(wire: Wire) -> None:
    async with serve(plain(200, b"")) as server:
        gone = server.url
    endpoint = Endpoint(name="gone", url=gone)
    engine: Engine = OpenAIEngine(endpoint, 5) if wire.kind == "openai" else TGIEngine(endpoint, 5)
    reply = await generate(engine)
    await engine.aclose()
    assert isinstance(reply.error, EngineUnavailable)
    assert reply.error.code == "endpoint_nothing_listens"


# Nonsense


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html><body>Please log in</body></html>"),
        ("application/json", b'{"choices": [{"text": '),
        ("application/json", b""),
        ("text/plain", b"It works!"),
        ("text/event-stream", b'data: {"choices": [{"te\n\n'),
    ],
    ids=["web page", "half JSON", "empty body", "text", "half JSON in a frame"],
)
async def test_answers_with_something_else(wire: Wire, kind: str, body: bytes) -> None:
    reply = await ask(wire, plain(200, body, kind))
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_nonsense"
    assert "url" in reply.error.message


async def test_an_empty_stream_is_no_empty_answer(wire: Wire) -> None:
    assert isinstance((await ask(wire, plain(200, b"", "text/event-stream"))).error, EngineUnavailable)


async def test_wrong_utf8_is_replaced(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions!").replace(b"!", b"\xff\xfe"))
        await connection.send(wire.end("Lions\ufffd\ufffd"))

    reply = await ask(wire, handler)
    assert (reply.text, reply.finish_reason) == ("Lions\ufffd\ufffd", "stop")


async def test_a_character_cut_in_two_stays_whole(wire: Wire) -> None:
    frame = wire.token("隼").replace(b"\\u96bc", "隼".encode())
    cut = frame.index("隼".encode()) + 1

    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(frame[:cut])
        await asyncio.sleep(0.02)
        await connection.send(frame[cut:] + wire.end("隼"))

    assert (await ask(wire, handler)).text == "隼"


async def test_a_line_without_end_is_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LARGEST_EVENT", 100_000)

    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        while True:
            await connection.send(b"x" * 10_000)

    reply = await ask(wire, handler)
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_too_much"


async def test_a_stream_without_end_is_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LARGEST_STREAM", 300_000)

    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        while True:
            await connection.send(wire.token(" and" * 5000))

    reply = await ask(wire, handler)
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_too_much"
    assert reply.text.startswith(" and and")


async def test_a_body_without_end_is_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 300_000)

    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(kind="application/json")
        while True:
            await connection.send(b" " * 10_000)

    reply = await ask(wire, handler)
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_too_much"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_bomb_is_cut_off_before_it_is_unpacked(wire: Wire, kind: str) -> None:
    """300 MB as a whole. What nobody has to wait for is how long the loop was at it without a break."""
    bomb = gzip.compress(b" " * 300_000_000, 1)
    reply, longest = await in_good_time(ask(wire, plain(200, bomb, kind, content_encoding="gzip")))
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_too_much"
    assert longest < 0.5


async def test_what_is_compressed_all_the_same_is_read(wire: Wire) -> None:
    stream = gzip.compress(wire.token("Hello") + wire.end("Hello"))
    reply = await ask(wire, plain(200, stream, "text/event-stream", content_encoding="gzip"))
    assert (reply.text, reply.error) == ("Hello", None)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_what_cannot_be_unpacked_is_an_error(wire: Wire, encoding: str) -> None:
    reply = await ask(wire, plain(200, b"no gzip", "text/event-stream", content_encoding=encoding))
    assert isinstance(reply.error, EngineError)
    assert reply.error.code == "endpoint_broke_off"
    assert "compress" in reply.error.message


async def in_good_time(work: Coroutine[None, None, Reply]) -> tuple[Reply, float]:
    """The reply, and the longest time in seconds in which the loop did nothing else."""
    longest = 0.0

    async def look() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before - 0.01)

    looking = asyncio.create_task(look())
    try:
        reply = await work
        return reply, longest
    finally:
        looking.cancel()


# Refusals


@pytest.mark.parametrize(
    "header",
    ["9" * 400, "Mon, 01 Jan 0001 00:00:00 -0000", "²", "1e999", "Fri, 31 Dec 9999 23:59:59 -2359"],
)
async def test_whatever_it_says_of_when_to_come_back_is_bearable(wire: Wire, header: str) -> None:
    reply = await ask(wire, plain(429, b'{"error": {"message": "busy"}}', retry_after=header))
    assert isinstance(reply.error, EngineOverloaded)
    assert 0 <= (reply.error.retry_after or 0) <= 86_400


async def test_half_a_surrogate_in_its_words_can_be_told(wire: Wire) -> None:
    reply = await ask(wire, plain(400, b'{"error": {"message": "no \\ud800 here"}}'))
    assert isinstance(reply.error, InvalidRequest)
    assert "no ? here" in reply.error.message


@pytest.mark.parametrize(
    ("status", "kind", "code", "says"),
    [
        (400, InvalidRequest, "endpoint_refused", "does not accept"),
        (401, EngineError, "endpoint_key_refused", "api_key"),
        (403, EngineError, "endpoint_key_refused", "api_key"),
        (422, InvalidRequest, "endpoint_refused", "does not accept"),
        (500, EngineError, "endpoint_failed", "HTTP 500"),
        (502, EngineUnavailable, "endpoint_failed", "HTTP 502"),
        (504, EngineUnavailable, "endpoint_failed", "HTTP 504"),
        (307, EngineError, "endpoint_wrong_url", "url"),
    ],
)
@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("application/json", b'{"error": {"message": "The key sk-do-not-show-me is bad.", "type": "x"}}'),
        ("application/json", b'{"error": "No, sk-do-not-show-me.", "error_type": "x"}'),
        ("text/html", b"<html>nginx</html>"),
        ("text/plain", b""),
    ],
    ids=["object", "text", "web page", "empty"],
)
async def test_refusals_say_what_to_do(
    wire: Wire, status: int, kind: type[FalconryError], code: str, says: str, content: str, body: bytes
) -> None:
    reply = await ask(wire, plain(status, body, content))
    assert type(reply.error) is kind
    assert reply.error.code == code
    assert says in reply.error.message
    assert "<html>" not in reply.error.message


async def test_an_unknown_model_is_named(wire: Wire) -> None:
    body = b'{"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}}'
    reply = await ask(wire, plain(404, body))
    assert reply.error is not None
    if wire.kind == "tgi":
        assert reply.error.code == "endpoint_model_unknown"


async def test_redirects_are_not_followed_with_the_key(wire: Wire) -> None:
    async def elsewhere(request: Request, connection: Connection) -> None:
        raise AssertionError("followed")

    async with serve(elsewhere) as other:
        reply = await ask(wire, plain(307, b"", location=f"{other.url}/v1/completions"))
        assert reply.error is not None
        assert other.requests == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again(wire: Wire, status: int) -> None:
    calls = 0

    async def handler(request: Request, connection: Connection) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            await connection.json({"error": "busy"}, status, retry_after="0.01")
        else:
            await connection.head()
            await connection.send(wire.token("Lions") + wire.end("Lions"))

    reply = await ask(wire, handler)
    assert (reply.text, reply.finish_reason, calls) == ("Lions", "stop", 3)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_stays_busy_is_overloaded(wire: Wire, status: int) -> None:
    async with upstream(wire, plain(status, b'{"error": "busy"}', retry_after="0")) as (engine, server):
        reply = await generate(engine)
        paths = [request.path for request in server.requests if request.method == "POST"]
    assert isinstance(reply.error, EngineOverloaded)
    assert reply.error.retry_after == 0
    assert len(paths) == 1 + http.RETRIES


async def test_nobody_waits_longer_than_is_bearable(wire: Wire) -> None:
    reply = await ask(wire, plain(429, b'{"error": "quota"}', retry_after="3600"))
    assert isinstance(reply.error, EngineOverloaded)
    assert reply.error.retry_after == 3600


# Errors inside a stream


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded", EngineOverloaded),
        ("validation", InvalidRequest),
        ("generation", EngineError),
    ],
)
async def test_an_error_frame_before_any_text(wire: Wire, kind: str, expected: type[FalconryError]) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.error("CUDA out of memory", kind))

    reply = await ask(wire, handler)
    assert type(reply.error) is expected
    assert "CUDA out of memory" in reply.error.message


async def test_an_error_frame_after_some_text(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.send(wire.token("Lions") + wire.error("CUDA out of memory", "generation"))

    reply = await ask(wire, handler)
    assert (reply.text, type(reply.error)) == ("Lions", EngineInterrupted)
    assert reply.error is not None
    assert "CUDA out of memory" in reply.error.message


async def test_a_connection_that_breaks_after_the_end_loses_nothing(wire: Wire) -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(transfer_encoding="chunked")
        frame = wire.token("Lions") + wire.end("Lions").removesuffix(DONE)
        await connection.send(b"%x\r\n%s\r\n" % (len(frame), frame))  # and hangs up without the last chunk

    reply = await ask(wire, handler)
    assert (reply.text, reply.finish_reason) == ("Lions", "stop")
