"""The description of the API: every route is in it, with who may use it, and it says what the server does."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import pytest

from falconry.api.docs import EXAMPLES, describe
from falconry.app import build_routes
from falconry.services import Services
from tests.conftest import LiveServer

Document: TypeAlias = dict[str, Any]
PAGES = ("/login", "/logout", "/docs", "/s/{token}")


@pytest.fixture
def document(services: Services) -> Document:
    return describe(build_routes(services)[0])


async def test_every_route_for_programs_is_described(services: Services, document: Document) -> None:
    for entry in build_routes(services)[1].entries:
        path = re.sub(r":\w+}", "}", entry.path)
        if path in PAGES:
            assert path not in document["paths"]
            continue
        for method in entry.methods:
            operation = document["paths"][path][method.lower()]
            assert operation["x-access"] == {"who": entry.access.level, "scope": entry.access.scope}
            assert bool(operation["security"]) == (entry.access.level != "public")
            assert operation.get("description"), path  # a sentence on what it is for
            assert operation.get("tags"), path


async def test_operations_have_names_of_their_own_and_errors_in_their_dialect(
    document: Document,
) -> None:
    operations = [(path, one) for path, item in document["paths"].items() for one in item.values()]
    names = [one["operationId"] for _, one in operations]
    assert len(names) == len(set(names))
    for path, one in operations:
        assert "422" not in str(one["responses"])
        dialect = "AnthropicError" if path.startswith("/v1/messages") else "OpenaiError" if "/v1/" in path else ""
        assert dialect in str(one["responses"])
    assert set(re.findall(r"#/components/schemas/([^']+)'", str(document))) <= set(document["components"]["schemas"])


async def test_ids_in_paths_are_linked_to_where_they_come_from(document: Document) -> None:
    links = document["paths"]["/api/conversations"]["post"]["responses"]["201"]["links"]
    assert links["get_api_conversations_conversation_id"]["parameters"] == {"conversation_id": "$response.body#/id"}
    names = {one["operationId"] for item in document["paths"].values() for one in item.values()}
    assert set(links) <= names


async def test_examples_belong_to_routes(document: Document) -> None:
    assert set(EXAMPLES) <= set(document["paths"])


async def test_examples_work(server: LiveServer) -> None:
    """As they stand, with the built-in model where they name it."""
    conversation = (await server.client.post("/api/conversations")).json()["id"]
    failed = {}
    for pattern, body in EXAMPLES.items():
        path = pattern.replace("{conversation_id}", conversation)
        answer = await server.client.post(path, json=body)
        if answer.status_code >= 300:
            failed[path] = answer.text
    assert failed == {}


async def test_it_is_served(server: LiveServer) -> None:
    assert (await server.client.get("/openapi.json")).json()["openapi"].startswith("3.1")
