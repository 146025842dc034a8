"""Errors in the words of whoever asked."""

from __future__ import annotations

import json

import pytest

from falconry.errors import (
    ContextWindowExceeded,
    EngineInterrupted,
    EngineOverloaded,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
    NotAuthenticated,
    TooManyRequests,
)
from falconry.gate.dialects import Dialect, dialect_of, refusal
from falconry.gate.route_table import MethodNotAllowed


@pytest.mark.parametrize(
    ("method", "path", "dialect"),
    [
        ("POST", "/v1/chat/completions", "openai"),
        ("GET", "/v1/nothing", "openai"),
        ("POST", "/v1/messages", "anthropic"),
        ("POST", "/v1/messages/count_tokens", "anthropic"),
        ("POST", "/", "tgi"),
        ("GET", "/", "falconry"),
        ("POST", "/generate_stream", "tgi"),
        ("GET", "/info", "tgi"),
        ("GET", "/api/conversations", "falconry"),
        ("GET", "/v1messages", "falconry"),
    ],
)
def test_a_path_speaks_its_dialect(method: str, path: str, dialect: Dialect) -> None:
    assert dialect_of(method, path) == dialect


STATUS: list[tuple[FalconryError, dict[Dialect, int]]] = [
    (InvalidRequest("no"), {"openai": 400, "anthropic": 400, "tgi": 422, "falconry": 400}),
    (NotAuthenticated("no"), {"openai": 401, "anthropic": 401, "tgi": 401, "falconry": 401}),
    (ContextWindowExceeded(9, 5), {"openai": 400, "anthropic": 400, "tgi": 422, "falconry": 400}),
    (EngineOverloaded("busy"), {"openai": 429, "anthropic": 429, "tgi": 429, "falconry": 429}),
    (EngineUnavailable("gone"), {"openai": 503, "anthropic": 529, "tgi": 503, "falconry": 503}),
    (EngineInterrupted("broke"), {"openai": 502, "anthropic": 502, "tgi": 500, "falconry": 502}),
]


@pytest.mark.parametrize(("error", "status"), STATUS)
def test_every_error_has_the_status_that_the_protocol_gives_it(
    error: FalconryError, status: dict[Dialect, int]
) -> None:
    assert {dialect: refusal(error, dialect, "en").status for dialect in status} == status


@pytest.mark.parametrize("error", [error for error, _ in STATUS])
def test_every_error_has_the_envelope_that_the_clients_look_into(error: FalconryError) -> None:
    openai = json.loads(refusal(error, "openai", "zh").body)
    assert openai["error"]["message"].endswith(error.message)
    assert {"message", "type", "param", "code"} == set(openai["error"])
    assert isinstance(openai["error_type"], str)
    tgi = json.loads(refusal(error, "tgi", "zh").body)
    in_tgis_words = isinstance(error, ContextWindowExceeded)  # which its clients know by heart
    assert tgi["error"].endswith("must have less than 5 tokens. Given: 9" if in_tgis_words else error.message)
    assert isinstance(tgi["error_type"], str)
    anthropic = json.loads(refusal(error, "anthropic", "zh").body)
    assert anthropic["type"] == "error"
    assert anthropic["error"]["message"] == error.message
    ours = json.loads(refusal(error, "falconry", "zh").body)
    assert ours["error"]["code"] == error.code


def test_our_own_errors_speak_the_askers_language() -> None:
    error = EngineOverloaded("The model is busy.")
    assert json.loads(refusal(error, "falconry", "zh").body)["error"]["text"] == "模型正忙，请稍后再试。"
    assert json.loads(refusal(error, "falconry", "en").body)["error"]["text"] == "The model is busy."


def test_who_is_told_to_wait_is_told_how_long() -> None:
    headers = dict(refusal(TooManyRequests("slow down", retry_after=7.4), "openai", "en").headers)
    assert headers["Retry-After"] == "7"


def test_who_uses_the_wrong_method_is_told_the_right_ones() -> None:
    answer = refusal(MethodNotAllowed({"POST", "GET"}), "tgi", "en")
    assert answer.status == 405
    assert dict(answer.headers)["Allow"] == "GET, POST"
