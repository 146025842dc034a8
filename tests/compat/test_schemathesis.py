"""schemathesis makes requests from descriptions: our own OpenAPI document, and TGI's protocol in tgi.yaml.

The engine behind is the real one with the built-in model. `make soak` asks far more often.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.process import Falconry

FEW = settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=400, derandomize=False)
CONFORMANCE: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STRICT: list[Any] = [*CONFORMANCE, positive_data_acceptance]


@pytest.fixture
def falconry(tmp_path: Path) -> Iterator[Falconry]:
    """One for each test: what one has asked for must not stand in the way of the next."""
    with Falconry(tmp_path / "data", canned=False, model="eyas") as running:
        yield running


def refute(schema: Any, checks: list[Any], thoroughness: settings) -> list[str]:
    """Ask every operation with what its description allows and with what it forbids; gives what did not hold."""
    wrong: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:

            @thoroughness
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(checks=checks, timeout=20)

            try:
                ask()
            except Unsatisfiable:
                continue  # nothing could be forbidden: an operation without parameters
            except Exception as error:  # a failed check, or a server that does not answer
                wrong.append(f"{operation.label}: {error}")
    return wrong


def our_api(falconry: Falconry) -> Any:
    described = httpx.get(f"{falconry.url}/openapi.json", trust_env=False).json()
    loaded = schemathesis.openapi.from_dict(described)
    loaded.config.update(base_url=falconry.url)
    # Live streams end when the reader leaves, and schemathesis does not; and the first user who is made would have all
    # that is asked afterwards answered with 401.
    return loaded.exclude(path_regex="/events$|^/api/admin/users$")


def tgi_api(falconry: Falconry) -> Any:
    loaded = schemathesis.openapi.from_path(Path(__file__).parent / "tgi.yaml")
    loaded.config.update(base_url=falconry.url)
    return loaded


def test_our_own_description_holds(falconry: Falconry) -> None:
    wrong = refute(our_api(falconry), CONFORMANCE, FEW)
    assert not wrong, "\n\n".join(wrong)


def test_the_protocol_of_tgi_holds(falconry: Falconry) -> None:
    wrong = refute(tgi_api(falconry), STRICT, FEW)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.soak
def test_our_own_description_holds_for_long(falconry: Falconry) -> None:
    wrong = refute(our_api(falconry), CONFORMANCE, MANY)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.soak
def test_the_protocol_of_tgi_holds_for_long(falconry: Falconry) -> None:
    wrong = refute(tgi_api(falconry), STRICT, MANY)
    assert not wrong, "\n\n".join(wrong)
