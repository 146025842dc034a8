"""The file of personas: there and back, other programs' files, and bad ones that are named with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from falconry.errors import InvalidRequest
from falconry.library.library import shipped_personas
from falconry.library.persona_file import FORMAT, read_personas, write_personas
from falconry.library.values import persona_from
from tests.library.test_values import FULL

# What Open WebUI's "Export models" writes, with the parts that are of no use here.
WEB_UI = [
    {
        "id": "kestrel",
        "user_id": "1",
        "base_model_id": "llama3.1:8b",
        "name": "Kestrel",
        "params": {
            "system": "You hover.",
            "temperature": 0.3,
            "top_k": 20,
            "num_predict": -1,
            "repeat_penalty": 1.2,
            "stop": ["END"],
            "mirostat": 1,
        },
        "meta": {
            "description": "A falcon\nthat hovers.",
            "suggestion_prompts": [{"content": "What do you see?", "title": ["a", "b"]}, {"content": ""}, 3],
            "capabilities": {"vision": True},
        },
        "is_active": True,
    }
]
CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Merlin",
        "description": "{{char}} is a small falcon and talks to {{user}}.",
        "personality": "fast",
        "scenario": "",
        "first_mes": "Kik-kik!",
        "system_prompt": "Stay in character.",
        "creator_notes": "A test.",
        "extensions": {},
    },
}


def test_there_and_back_nothing_is_lost() -> None:
    personas = [persona_from(FULL), *(known.persona for known in shipped_personas("zh"))]
    text = json.dumps(write_personas(personas))
    assert read_personas(json.loads(text)) == personas


def test_one_persona_by_itself_is_read_too() -> None:
    assert read_personas({**FULL, "comment": "mine"}) == [persona_from(FULL)]


def test_a_model_of_open_webui() -> None:
    (persona,) = read_personas(WEB_UI)
    assert persona.as_json() == {
        "name": "Kestrel",
        "description": "A falcon that hovers.",
        "system": "You hover.",
        "model": "llama3.1:8b",
        "params": {"temperature": 0.3, "top_k": 20, "repetition_penalty": 1.2, "stop": ["END"]},
        "language": None,
        "starters": ["What do you see?"],
        "safeguard": None,
    }


def test_a_character_card() -> None:
    (persona,) = read_personas(CARD)
    assert persona.name == "Merlin"
    assert persona.system == "Stay in character.\n\nMerlin is a small falcon and talks to the user.\n\nfast"
    assert persona.description == "A test."


GOOD = write_personas([persona_from(FULL)])


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ([], "neither Falconry's"),
        ({}, "neither Falconry's"),
        ("text", "neither Falconry's"),
        (None, "neither Falconry's"),
        ({**GOOD, "format": "falconry.conversations"}, "“falconry.conversations”"),
        ({**GOOD, "version": 2}, "version 2"),
        ({**GOOD, "version": "1"}, "does not say its version"),
        ({**GOOD, "personas": {}}, "must be a list"),
        ({**GOOD, "personas": []}, "no persona"),
        ({**GOOD, "personas": [1]}, "persona 1 must be an object"),
        ({**GOOD, "personas": [FULL] * 201}, "201"),
        ({**GOOD, "personas": [FULL, {"name": "Two", "system": 2}]}, "persona 2, “Two”: system: it must be a text"),
        ({**GOOD, "personas": [{"system": "x"}]}, "persona 1, without a name"),
        ({**GOOD, "personas": [{**FULL, "params": {"top_p": 3}}]}, "top_p must be between"),
        ([{**WEB_UI[0], "params": {"temperature": "hot"}}], "params.temperature: it must be a number"),
        ({"spec": "chara_card_v2", "data": {}}, "no name"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(file: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read") as refused:
        read_personas(file)
    assert refused.value.code == "invalid_persona_file"
    assert reason in refused.value.message
    assert FORMAT in json.dumps(GOOD)
