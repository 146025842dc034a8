"""What goes wrong behind the door, translated at the one border where it leaves the house."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from falconry.errors import FalconryError, InvalidRequest, NotFound
from falconry.gate.dialects import dialect_of, error_json, refusal
from falconry.gate.identity import language_of
from falconry.i18n import Language

logger = logging.getLogger(__name__)

_MOST_PROBLEM = 300  # characters of pydantic's complaint, which may quote the input


def error_body(error: FalconryError, language: Language) -> dict[str, object]:
    """The JSON form of an error in our own dialect, for an event."""
    body = error_json(error, "falconry", language)[1]["error"]
    assert isinstance(body, dict)  # noqa: S101 - our own dialect, by its name
    return body


def error_response(error: FalconryError, request: Request) -> Response:
    """The answer for an error, in the dialect of the route."""
    answer = refusal(error, dialect_of(request.method, request.url.path), language_of(request))
    return Response(answer.body, answer.status, dict(answer.headers))


def surprise(error: Exception, what: str) -> FalconryError:
    """The error for something that nobody expected; what it was stands in the log."""
    logger.exception("%s failed", what, exc_info=error)
    return FalconryError("Something went wrong inside Falconry. The log says what.")


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of a route leave in the dialect of the route."""

    @app.exception_handler(FalconryError)
    async def on_falconry_error(request: Request, error: FalconryError) -> Response:
        return error_response(error, request)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(request: Request, error: RequestValidationError) -> Response:
        return error_response(explain(error.errors()), request)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        plain = NotFound(str(error.detail)) if error.status_code == 404 else InvalidRequest(str(error.detail))
        return error_response(plain, request)

    @app.exception_handler(Exception)
    async def on_surprise(request: Request, error: Exception) -> Response:
        return error_response(surprise(error, f"{request.method} {request.url.path}"), request)


def explain(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """One sentence for the first thing that pydantic found wrong: which field, and what about it."""
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    problem = str(first["msg"]).removeprefix("Value error, ")[:_MOST_PROBLEM]
    return InvalidRequest(f"{field[:200]}: {problem}", code="invalid_field", field=field[:200], problem=problem)
