"""Personas and prompts as values: what is refused, and by what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from falconry.errors import InvalidRequest
from falconry.library.values import Persona, PersonaParams, SavedPrompt, handle_of, persona_from

FULL: dict[str, Any] = {
    "name": "Kestrel",
    "description": "Hovers.",
    "system": "You are a kestrel.",
    "model": "eyas",
    "params": {
        "max_tokens": 77,
        "temperature": 0.2,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "stop": ["END\n"],
        "seed": 7,
        "json_schema": {"type": "object", "properties": {"prey": {"type": "string"}}},
    },
    "language": "pt-BR",
    "starters": ["What do you see?"],
    "safeguard": None,
}


def test_a_persona_is_equal_after_the_way_there_and_back() -> None:
    persona = persona_from(FULL)
    assert persona.as_json() == FULL
    assert persona_from(persona.as_json()) == persona


def test_a_name_is_enough() -> None:
    persona = persona_from({"name": "  A   name ", "unknown": 1, "starters": [" a ", "", "a"], "params": None})
    assert (persona.name, persona.starters, persona.params) == ("A name", ("a",), PersonaParams())


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Legal information", "legal-information"),
        ("法律信息", "法律信息"),
        ("C++ & Rust!", "c-rust"),
        ("snake_case", "snake_case"),
        ("Ｆｕｌｌ", "full"),
        ("  naïve  ", "naïve"),
        ("日本 語", "日本-語"),
    ],
)
def test_a_handle_can_be_typed(name: str, handle: str) -> None:
    assert handle_of(name) == handle
    assert " " not in handle


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "🦅"),
        ("name", "a" * 81),
        ("name", "a\x00b"),
        ("name", 7),
        ("description", "x" * 401),
        ("system", "x" * 20_001),
        ("system", ["x"]),
        ("language", "in French"),
        ("starters", ["x"] * 3 + [1]),
        ("starters", [str(number) for number in range(9)]),
        ("starters", ["x" * 301]),
        ("safeguard", "financial"),
        ("params", []),
        ("params", {"temperature": 2.1}),
        ("params", {"temperature": True}),
        ("params", {"temperature": float("nan")}),
        ("params", {"top_k": 1.5}),
        ("params", {"max_tokens": 0}),
        ("params", {"stop": "END"}),
        ("params", {"stop": [f"{number}" for number in range(17)]}),
        ("params", {"json_schema": {"type": "nothing"}}),
        ("params", {"json_schema": "object"}),
    ],
)
def test_what_is_out_of_range_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest):
        persona_from({**FULL, field: value})


def test_a_prompt_has_a_name_and_a_text() -> None:
    assert SavedPrompt(" To table ", "{{text}}").handle == "to-table"
    for name, content in (("", "x"), ("x", "  "), ("x", "y" * 20_001)):
        with pytest.raises(InvalidRequest):
            SavedPrompt(name, content)


def test_values_are_checked_when_they_are_built() -> None:
    with pytest.raises(InvalidRequest):
        Persona("ok", params=PersonaParams(top_p=1.5))
