"""Every error leaves as `{"error": {code, message, details, text}}`; `text` is in the asker's language."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from falconry.errors import EngineOverloaded, FalconryError, InvalidRequest
from falconry.i18n import Language, accepted_language, error_text

logger = logging.getLogger(__name__)


def language_of(request: Request) -> Language:
    """The asker's language: `?lang=`, else Accept-Language."""
    return accepted_language(request.query_params.get("lang") or request.headers.get("accept-language"))


def error_body(error: FalconryError, language: Language) -> dict[str, object]:
    """The JSON form of an error."""
    plain = error.as_dict()
    return {**plain, "text": error_text(plain, language)}


def error_response(error: FalconryError, request: Request) -> JSONResponse:
    headers = {}
    if isinstance(error, EngineOverloaded):
        headers["Retry-After"] = str(round(error.retry_after or 1))
    return JSONResponse({"error": error_body(error, language_of(request))}, error.status, headers)


def install_error_handlers(app: FastAPI) -> None:
    """Translate what goes wrong, at the one border where it leaves the house."""

    @app.exception_handler(FalconryError)
    async def on_falconry_error(request: Request, error: FalconryError) -> JSONResponse:
        return error_response(error, request)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(_explain(error), request)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        plain = FalconryError(str(error.detail), code="not_found" if error.status_code == 404 else "http_error")
        body = {"error": error_body(plain, language_of(request))}
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def on_surprise(request: Request, error: Exception) -> JSONResponse:
        logger.exception("Request %s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(FalconryError("Something went wrong inside Falconry. The log says what."), request)


def _explain(error: RequestValidationError) -> InvalidRequest:
    """One sentence for the first thing that is wrong: which field, and what about it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    problem = str(first["msg"]).removeprefix("Value error, ")
    return InvalidRequest(f"{field}: {problem}", code="invalid_field", field=field, problem=problem)
