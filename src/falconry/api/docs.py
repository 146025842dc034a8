"""GET /openapi.json: every route for programs, with its bodies, who may use it, and the errors in its dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_type_hints

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response

from falconry import __version__
from falconry.gate.dialects import Dialect, dialect_of
from falconry.gate.gate import SESSION_COOKIE
from falconry.gate.marks import access_of, user

Json = dict[str, Any]

DESCRIPTION = """\
Any program that was written for OpenAI's API, for Anthropic's or for text-generation-inference works with Falconry by
changing its base URL. Beside these stands Falconry's own API: all that a person can do in the pages.

Send an API key as `Authorization: Bearer fk-…`; a Falconry without users needs none. Errors come in the dialect of the
route; a 429 says in `Retry-After` how many seconds to wait. Every answer has an `X-Request-Id`, which is also in the
log.
"""


_QUESTION = "Which animals live on the savanna?"
_ASKED = [{"role": "user", "content": _QUESTION}]
EXAMPLES: dict[str, Json] = {
    "/v1/chat/completions": {"model": "eyas", "messages": _ASKED},
    "/v1/completions": {"model": "eyas", "prompt": "A falcon is", "max_tokens": 20},
    "/v1/embeddings": {"model": "eyas", "input": "A falcon is a bird."},
    "/v1/responses": {"model": "eyas", "input": _QUESTION},
    "/v1/messages": {"model": "eyas", "max_tokens": 256, "messages": _ASKED},
    "/v1/messages/count_tokens": {"model": "eyas", "messages": _ASKED},
    "/": {"inputs": "A falcon is", "parameters": {"max_new_tokens": 20}},
    "/generate": {"inputs": "A falcon is", "parameters": {"max_new_tokens": 20}},
    "/generate_stream": {"inputs": "A falcon is", "parameters": {"max_new_tokens": 20}},
    "/tokenize": {"inputs": "A falcon is"},
    "/chat_tokenize": {"messages": _ASKED},
    "/api/complete": {"prompt": "A falcon is"},
    "/api/conversations/{conversation_id}/replies": {"content": _QUESTION},
    "/api/comparisons": {"models": ["eyas", "canned"], "blind": True},
    "/api/personas": {"name": "Kestrel", "system": "You are a falcon that hovers.", "params": {"temperature": 0.5}},
    "/api/personas/import": {"format": "falconry.personas", "version": 1, "personas": [{"name": "Kestrel"}]},
    "/api/prompts": {"name": "To French", "content": "Translate into French: {{text}}"},
    "/api/json-schema/check": {"json_schema": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


# Where the ids in paths come from: the route that makes the thing, and the place in its answer.
SOURCES = {
    "conversation_id": ("/api/conversations", "id"),
    "reply_id": ("/api/conversations/{conversation_id}/replies", "reply/id"),
    "comparison_id": ("/api/comparisons", "id"),
    "key_id": ("/api/me/keys", "id"),
    "persona_id": ("/api/personas", "id"),
    "prompt_id": ("/api/prompts", "id"),
    "user_id": ("/api/admin/users", "id"),
}


def docs_router() -> APIRouter:
    """The route /openapi.json."""
    router = APIRouter(tags=["operation"])

    @router.get("/openapi.json")
    @user("conversations")
    async def openapi(request: Request) -> Json:
        """This description, as OpenAPI 3.1."""
        described: Json = request.app.openapi()
        return described

    return router


def install_openapi(app: FastAPI) -> None:
    """Let `app.openapi()` give our description, made when it is first asked for."""

    def described() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to do it


def describe(app: FastAPI) -> Json:
    """The OpenAPI document of an application's routes."""
    document = get_openapi(title="Falconry", version=__version__, description=DESCRIPTION, routes=app.routes)
    for path, method, endpoint in _endpoints(app):
        operations = document["paths"].get(path, {})
        if method.lower() in operations:
            _complete(operations[method.lower()], endpoint, dialect_of(method, path))
            operations[method.lower()]["operationId"] = _operation_id(method, path)
            body = operations[method.lower()].get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None and path in EXAMPLES:
                body["example"] = EXAMPLES[path]
    _link(document["paths"])
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # of answers that no route of ours gives
        schemas.pop(name, None)
    schemas.update(ERRORS)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `fk-…`."},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "A login."},
    }
    return document


def _link(paths: Json) -> None:
    """Say which answer has the ids that other routes ask for, so that tools can walk through the API by themselves."""
    for name, (source, place) in SOURCES.items():
        links: Json = paths[source]["post"]["responses"]["201"].setdefault("links", {})
        for path, item in paths.items():
            if f"{{{name}}}" in path:
                for operation in item.values():
                    links[operation["operationId"]] = {
                        "operationId": operation["operationId"],
                        "parameters": {name: f"$response.body#/{place}"},
                    }


def _operation_id(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _endpoints(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.endpoint is not None:
            for method in route.methods or ():
                yield re.sub(r":\w+}", "}", str(route.path)), method, route.endpoint


def _complete(operation: Json, endpoint: Any, dialect: Dialect) -> None:
    access = access_of(endpoint)
    if access is not None:
        operation["x-access"] = {"who": access.level, "scope": access.scope}
        operation["security"] = [] if access.level == "public" else [{"key": []}, {"session": []}]
    responses: Json = operation["responses"]
    responses.pop("422", None)
    for status, response in responses.items():
        if status.startswith("2") and status != "204" and _is_open(response) and _gives_response(endpoint):
            response["content"] = {"application/json": {}, "text/event-stream": {}}
    error = {"schema": {"$ref": f"#/components/schemas/{dialect.title()}Error"}}
    responses["default"] = {"description": "An error.", "content": {"application/json": error}}


def _is_open(response: Json) -> bool:
    """Whether it says nothing but that it is JSON, which is what FastAPI says of every answer."""
    return bool(response.get("content") == {"application/json": {"schema": {}}})


def _gives_response(endpoint: Any) -> bool:
    answer = get_type_hints(endpoint).get("return")
    return answer is Response


def _object(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


_TEXT: Json = {"type": "string"}
ERRORS: dict[str, Json] = {
    "FalconryError": _object(
        {
            "error": _object(
                {
                    "code": _TEXT,
                    "message": {"type": "string", "description": "What happened and what to do, in English."},
                    "details": {"type": "object", "description": "The values in that sentence."},
                    "text": {"type": "string", "description": "The same in the asker's language."},
                }
            )
        }
    ),
    "OpenaiError": _object(
        {"error": _object({"message": _TEXT, "type": _TEXT}, {"param": {}, "code": {}})},
    ),
    "AnthropicError": _object(
        {"type": {"const": "error"}, "error": _object({"type": _TEXT, "message": _TEXT})},
    ),
    "TgiError": _object({"error": _TEXT}, {"error_type": _TEXT}),
}
