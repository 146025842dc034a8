"""The file in which personas travel, and what is read of other programs' files. docs/personas.md describes both.

Reading is tolerant in what it does not need, and strict in what it takes: one wrong value, and the whole file is
refused with the persona, the field and the reason, so that an import changes everything or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from falconry.errors import InvalidRequest
from falconry.library.values import LONGEST_DESCRIPTION, MOST_STARTERS, Persona, clean_name, persona_from

FORMAT = "falconry.personas"
VERSION = 1
MOST_IN_A_FILE = 200
Json = Mapping[str, Any]


def write_personas(personas: Sequence[Persona]) -> dict[str, Any]:
    """The file, as JSON."""
    return {"format": FORMAT, "version": VERSION, "personas": [persona.as_json() for persona in personas]}


def read_personas(file: object) -> list[Persona]:
    """The personas in a file: ours, Open WebUI's models, or a character card.

    Raises InvalidRequest, code "invalid_persona_file", with what is wrong and where.
    """
    entries = _entries(file)
    if not entries:
        raise _wrong("there is no persona in it")
    if len(entries) > MOST_IN_A_FILE:
        raise _wrong(f"it holds {len(entries)} personas, and at most {MOST_IN_A_FILE} are read at once")
    personas: list[Persona] = []
    for number, entry in enumerate(entries, 1):
        try:
            personas.append(persona_from(entry))
        except InvalidRequest as error:
            name = entry.get("name")
            which = f"“{name[:80]}”" if isinstance(name, str) and name.strip() else "without a name"
            raise _wrong(f"persona {number}, {which}: {error.message.rstrip('.')}") from None
    return personas


def _entries(file: object) -> list[Json]:
    """The personas of a file in our form, not yet checked."""
    if isinstance(file, Mapping) and "format" in file:
        return _ours(file)
    if isinstance(file, Mapping) and isinstance(file.get("spec"), str) and isinstance(file.get("data"), Mapping):
        return [_card(file["data"])]
    listed = file if isinstance(file, list) else [file]
    models = [entry for entry in listed if _is_web_ui_model(entry)]
    if models and len(models) == len(listed):
        return [_web_ui_model(entry) for entry in models]
    if isinstance(file, Mapping) and "system" in file and "name" in file:  # one persona by itself
        return [file]
    raise _wrong("it is neither Falconry's, nor Open WebUI's, nor a character card")


def _ours(file: Json) -> list[Json]:
    if file["format"] != FORMAT:
        raise _wrong(f"its format is “{str(file['format'])[:80]}”, not “{FORMAT}”")
    version = file.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise _wrong("it does not say its version")
    if version > VERSION:
        raise _wrong(f"it has version {version} and this Falconry reads {VERSION}; a newer Falconry made it")
    personas = file.get("personas")
    if not isinstance(personas, list):
        raise _wrong("“personas” must be a list")
    for number, entry in enumerate(personas, 1):
        if not isinstance(entry, Mapping):
            raise _wrong(f"persona {number} must be an object")
    return personas


def _is_web_ui_model(entry: object) -> TypeGuard[Json]:
    return isinstance(entry, Mapping) and "name" in entry and isinstance(entry.get("params"), Mapping) and "id" in entry


def _web_ui_model(entry: Json) -> Json:
    """A model of Open WebUI's workspace: its params are those of OpenAI or of Ollama."""
    params = entry["params"]
    meta = entry["meta"] if isinstance(entry.get("meta"), Mapping) else {}
    suggestions = meta["suggestion_prompts"] if isinstance(meta.get("suggestion_prompts"), list) else []
    starters = [each["content"] for each in suggestions if isinstance(each, Mapping) and _is_text(each.get("content"))]
    taken = {
        "max_tokens": params.get("max_tokens", params.get("num_predict")),
        "repetition_penalty": params.get("repetition_penalty", params.get("repeat_penalty")),
        **{name: params.get(name) for name in ("temperature", "top_p", "top_k", "min_p", "seed")},
    }
    stop = params.get("stop")
    return {
        "name": entry["name"],
        "description": _cut(meta.get("description")),
        "system": params.get("system"),
        "model": entry.get("base_model_id"),
        # -1 and -2 stand for "as many as there are" and "any".
        "params": {name: value for name, value in taken.items() if not _is_negative(value)}
        | {"stop": [stop] if isinstance(stop, str) else stop},
        "starters": starters[:MOST_STARTERS],
    }


def _card(data: Json) -> Json:
    """A character card, version 2 or 3: what it says of the character becomes the system message."""
    name = data.get("name")
    if not isinstance(name, str):
        raise _wrong("the character has no name")
    parts = [data.get(part) for part in ("system_prompt", "description", "personality", "scenario")]
    system = "\n\n".join(part.strip() for part in parts if _is_text(part))
    system = system.replace("{{original}}", "").replace("{{char}}", clean_name(name)).replace("{{user}}", "the user")
    notes = data.get("creator_notes")
    return {"name": name, "description": _cut(notes), "system": system.strip()}


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())


def _is_negative(value: object) -> bool:
    return isinstance(value, int | float) and value < 0


def _cut(text: object) -> str:
    return " ".join(text.split())[:LONGEST_DESCRIPTION] if isinstance(text, str) else ""


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"This file of personas cannot be read: {what}.", code="invalid_persona_file", reason=what)
