"""An error in the words of whoever asked: OpenAI's, Anthropic's or TGI's envelope on their routes, ours elsewhere.

Clients of the three protocols look into the envelope before they look at the status, and crash or lose the sentence
where it is another's. So every error goes out through here: those of routes, of the gate, of paths that do not
exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from starlette.types import Scope, Send

from falconry.errors import EngineOverloaded, FalconryError, TooManyRequests
from falconry.i18n import Language, accepted_language, error_text
from falconry.protocols import anthropic, openai_answers, tgi_answers
from falconry.protocols.sse import dump_json

Dialect: TypeAlias = Literal["openai", "anthropic", "tgi", "falconry"]

TGI_PATHS = frozenset(
    {
        "/generate",
        "/generate_stream",
        "/tokenize",
        "/chat_tokenize",
        "/detokenize",
        "/info",
        "/invocations",
        "/ping",
        "/tokenizer_info",
    }
)


def dialect_of(method: str, path: str) -> Dialect:
    """Whose words a path speaks. Both Hugging Face clients post to `/` itself."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "anthropic"
    if path == "/v1" or path.startswith("/v1/"):
        return "openai"
    if path in TGI_PATHS or (path == "/" and method == "POST"):
        return "tgi"
    return "falconry"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error, ready to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


def refusal(error: FalconryError, dialect: Dialect, language: Language) -> Refusal:
    """What to send for an error. Retry-After goes along where waiting helps."""
    headers = [("Content-Type", "application/json")]
    if isinstance(error, EngineOverloaded | TooManyRequests):
        headers.append(retry_after(error))
    if error.status == 401:
        headers.append(("WWW-Authenticate", 'Bearer realm="Falconry"'))
    if error.status == 405:
        headers.append(("Allow", str(error.details["methods"])))
    status, body = error_json(error, dialect, language)
    return Refusal(status, dump_json(body).encode(), tuple(headers))


def retry_after(error: EngineOverloaded | TooManyRequests) -> tuple[str, str]:
    """The header that says how many seconds to wait, at least one."""
    return "Retry-After", str(max(1, round(error.retry_after or 1)))


def error_json(error: FalconryError, dialect: Dialect, language: Language) -> tuple[int, dict[str, object]]:
    """Status and body of an error. The foreign dialects are English, as their clients expect."""
    if dialect == "openai":
        return error.status, openai_answers.error_body(error)
    if dialect == "anthropic":
        return anthropic.error_status(error), anthropic.error_body(error)
    if dialect == "tgi":
        return tgi_answers.error_status(error), tgi_answers.error_body(error)
    plain = error.as_dict()
    return error.status, {"error": {**plain, "text": error_text(plain, language)}}


async def send_refusal(scope: Scope, send: Send, error: FalconryError) -> None:
    """Answer a request that no framework has seen yet."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    languages = [value for name, value in scope["headers"] if name == b"accept-language"]
    language = accepted_language(languages[0].decode("latin-1") if languages else None)
    answer = refusal(error, dialect_of(scope["method"], scope["path"]), language)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
