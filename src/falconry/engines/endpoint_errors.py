"""What goes wrong with an endpoint, said once: which host, what happened, what to do.

Every error has a code of its own, so that pages and terminals can say it in their language. `reason` in the details
is what the server said, cut short and without the key.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineOverloaded,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
)
from falconry.protocols.failures import Failure, read_overflow

# What OpenSSL says of plain HTTP, in its versions.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


@dataclass(frozen=True, slots=True)
class Place:
    """Whom an error is about: the host as the user wrote it, and the model that was asked for."""

    host: str
    model: str | None = None


class Refused(Exception):
    """An HTTP answer other than 2xx. Engines catch it to try another way, or translate it by `refused`."""

    def __init__(
        self, status: int, failure: Failure, retry_after: float | None = None, location: str | None = None
    ) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.failure = failure
        self.retry_after = retry_after
        self.location = location


def refused(place: Place, error: Refused) -> FalconryError:
    """Translate an HTTP status and its body."""
    status, failure = error.status, error.failure
    said = f' It says: "{failure.message}"' if failure.message else ""
    details: dict[str, str | int | float] = {"host": place.host, "status": status, "reason": failure.message}
    if overflow := too_long(failure) if status in (400, 413, 422) else None:
        return overflow
    if status in (401, 403):
        return EngineError(
            f"{place.host} refuses the key (HTTP {status}). Check the endpoint's api_key and auth.{said}",
            code="endpoint_key_refused",
            **details,
        )
    if status in (404, 405) and "model" in failure.message.lower():
        return EngineError(
            f"{place.host} has no {f'model named {place.model}' if place.model else 'such model'}. "
            f"Check the endpoint's model.{said}",
            code="endpoint_model_unknown",
            **details,
            model=place.model or "",
        )
    if 300 <= status < 400 and error.location:
        return EngineError(
            f"{place.host} sends on to {error.location}. If that is the server, give this address as the endpoint's "
            "url; the key does not go there by itself.",
            code="endpoint_redirects",
            **details,
            location=error.location,
        )
    if 300 <= status < 400 or status in (404, 405):
        return EngineError(
            f"{place.host} answers at another address (HTTP {status}). Check the endpoint's url: those of "
            f"OpenAI-compatible servers mostly end in /v1.{said}",
            code="endpoint_wrong_url",
            **details,
        )
    if status in (400, 413, 415, 422):
        return InvalidRequest(
            f"{place.host} does not accept the request (HTTP {status}).{said}", code="endpoint_refused", **details
        )
    if status in (429, 503):
        return EngineOverloaded(
            f"{place.host} is busy (HTTP {status}). Try again in a moment.{said}",
            retry_after=error.retry_after,
            host=place.host,
            status=status,
            reason=failure.message,
        )
    kind = EngineUnavailable if status in (502, 504) else EngineError
    return kind(f"{place.host} failed (HTTP {status}). Its own log tells why.{said}", code="endpoint_failed", **details)


def no_completions(place: Place, error: Refused) -> EngineError:
    """Many hosted servers chat, but take no raw prompt."""
    return EngineError(
        f"{place.host} does not complete raw prompts (HTTP {error.status}); chat with it instead, or check the "
        "endpoint's url and model.",
        code="endpoint_no_completions",
        host=place.host,
        status=error.status,
    )


def frame_error(place: Place, failure: Failure, *, shown: bool) -> FalconryError:
    """Translate an error that came inside a stream, HTTP status 200. `shown`: after some text."""
    if shown:
        return interrupted(place, failure.message)
    if overflow := too_long(failure):
        return overflow
    said = f'"{failure.message}"'
    details: dict[str, str | int | float] = {"host": place.host, "reason": failure.message}
    if failure.type == "overloaded" or failure.code in ("429", "503"):
        return EngineOverloaded(f"{place.host} is busy. It says: {said}", host=place.host, reason=failure.message)
    if failure.type in ("validation", "invalid_request_error") or failure.code in ("400", "422"):
        return InvalidRequest(
            f"{place.host} does not accept the request. It says: {said}", code="endpoint_refused", **details
        )
    return EngineError(f"{place.host} failed. It says: {said}", code="endpoint_failed", **details)


def too_long(failure: Failure) -> ContextWindowExceeded | None:
    """The error for a prompt that does not fit; numbers that the server keeps to itself are 0."""
    overflow = read_overflow(failure)
    if overflow is None:
        return None
    prompt, limit = overflow.prompt_tokens or 0, overflow.limit or 0
    message = None
    if not prompt or not limit:
        message = (
            "This message is longer than the model can read. Shorten it, or choose a model with a larger "
            f'context window. The server says: "{failure.message}"'
        )
    return ContextWindowExceeded(prompt, limit, message)


def unreachable(place: Place, why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"{place.host} cannot be reached ({why}). Check that it runs, and the endpoint's url.",
        code="endpoint_unreachable",
        host=place.host,
        reason=why,
    )


def connection_failed(place: Place, error: Exception) -> EngineUnavailable:
    """No connection came about: the name, the port or the certificate is to blame, and each wants something else."""
    causes = list(_causes(error))
    details: dict[str, str | int | float] = {"host": place.host}
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return EngineUnavailable(
            f"The name {place.host} is not known. Check its spelling, and that this machine is online.",
            code="endpoint_unknown_host",
            **details,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return EngineUnavailable(
            f"Nothing listens at {place.host}. Start the server there, or correct the port.",
            code="endpoint_nothing_listens",
            **details,
        )
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        reason = str(certificate.verify_message or certificate.reason)
        return EngineUnavailable(
            f"{place.host} shows a certificate that this machine does not trust ({reason}). Use the name that it is "
            "for, let SSL_CERT_FILE name the authority that signed it, or use http:// in a network that you trust.",
            code="endpoint_certificate",
            **details,
            reason=reason,
        )
    if any(isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS for cause in causes):
        return EngineUnavailable(
            f"{place.host} does not speak TLS. Write http:// in place of https://.", code="endpoint_no_tls", **details
        )
    return unreachable(place, cause(error))


def silent(place: Place, seconds: float, *, shown: bool) -> EngineError:
    if shown:
        return interrupted(place, f"silent for {seconds:g} s")
    return EngineUnavailable(
        f"{place.host} did not answer within {seconds:g} seconds. It may be loading the model; try again later.",
        code="endpoint_silent",
        host=place.host,
        seconds=seconds,
    )


def broken_off(place: Place, why: str, *, shown: bool) -> EngineError:
    """The connection ended before a finish reason came."""
    if shown:
        return interrupted(place, why)
    return EngineUnavailable(
        f"{place.host} ended the connection before it sent any text ({why}). Try again; its own log tells why.",
        code="endpoint_broke_off",
        host=place.host,
        reason=why,
    )


def interrupted(place: Place, why: str) -> EngineInterrupted:
    return EngineInterrupted(
        f"{place.host} broke off in the middle of the reply ({why}). What had arrived is kept.",
        host=place.host,
        reason=why,
    )


def filtered(place: Place) -> EngineError:
    return EngineError(
        f"{place.host} ended the reply by its content filter. What had arrived is kept.",
        code="endpoint_filtered",
        host=place.host,
    )


def nonsense(place: Place, what: str) -> EngineError:
    """An answer that is not the protocol's: a web page, half a JSON, a stream of something else."""
    return EngineError(
        f"{place.host} answered with {what}, not as an LLM server does. Check the endpoint's url (a missing /v1?) "
        "and kind, and that no login page or proxy stands in between.",
        code="endpoint_nonsense",
        host=place.host,
        reason=what,
    )


def too_much(place: Place, mib: float) -> EngineError:
    return EngineError(
        f"{place.host} sent more than {mib:g} MiB without an end and was cut off. It is broken, or no LLM server.",
        code="endpoint_too_much",
        host=place.host,
        mib=mib,
    )


def location(base: str, header: str) -> str | None:
    """Where a redirect leads, without what may be secret in it; None for what is no URL."""
    try:
        parts = urlsplit(urljoin(base, header))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"[:200]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, groups opened."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions


def cause(error: Exception) -> str:
    """A cause in a few words, without addresses or headers."""
    for root in _causes(error):
        if isinstance(root, ssl.SSLError):
            return f"TLS: {root.reason or 'failed'}"
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    return str(error)[:100] or type(error).__name__
