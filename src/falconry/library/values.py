"""What a persona and a prompt are. Plain values, checked when they are built; no I/O here.

A persona is a way to answer under a name: system message, sampling params, and questions to begin with. A prompt is a
text that is put into the box, with `{{places}}` to be filled in. Both are called by a handle, `@biologist` and
`/summarise`, which is their name as it can be typed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from falconry.errors import InvalidRequest
from falconry.messages import SamplingParams
from falconry.protocols.grammar import check_schema

Safeguard: TypeAlias = Literal["legal", "medical"]
SAFEGUARDS: tuple[Safeguard, ...] = ("legal", "medical")

LONGEST_NAME = 80  # characters, as all of these
LONGEST_DESCRIPTION = 400
LONGEST_SYSTEM = 20_000
LONGEST_STARTER = 300
MOST_STARTERS = 8
LONGEST_PROMPT = 20_000
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")
_UNTYPEABLE = re.compile(r"[^\w]+")


def handle_of(name: str) -> str:
    """A name as it is typed after @ or /: letters, digits and _ of any script, all else a single hyphen."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _UNTYPEABLE.sub("-", plain).strip("-_")


def clean_name(name: str) -> str:
    """The name with single blanks. Raises InvalidRequest where it cannot be called by anything."""
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_NAME or _CONTROL.search(plain):
        raise _wrong("name", f"it must be one line of 1 to {LONGEST_NAME} characters")
    if not handle_of(plain):
        raise _wrong("name", "it needs a letter or a digit, so that it can be typed")
    return plain


@dataclass(frozen=True, slots=True)
class PersonaParams:
    """The sampling params that a persona sets; None for those that it leaves as they are. As `SamplingParams`.

    Attributes:
        json_schema: the shape of every reply, as a JSON schema.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    json_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(dict.fromkeys(text for text in self.stop if text)))
        given = {name: value for name, value in self.as_json().items() if name != "json_schema"}
        try:
            SamplingParams(**{**given, "stop": self.stop})
        except ValueError as error:
            raise _wrong("params", str(error)) from None

    def as_json(self) -> dict[str, Any]:
        """Only what is set."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["stop"] = list(self.stop) or None
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Persona:
    """How to answer, under a name.

    Attributes:
        description: what it is good for, in a sentence.
        system: the system message; "" for none.
        model: the name of the model it was made for; None for whichever is chosen.
        language: in which it answers, a tag like "fr"; None for that of the question.
        starters: questions to begin with.
        safeguard: of what kind are the answers that can do harm when they are wrong; None for all others.
    """

    name: str
    description: str = ""
    system: str = ""
    model: str | None = None
    params: PersonaParams = field(default_factory=PersonaParams)
    language: str | None = None
    starters: tuple[str, ...] = ()
    safeguard: Safeguard | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))
        starters = tuple(dict.fromkeys(text.strip() for text in self.starters if text.strip()))
        object.__setattr__(self, "starters", starters)
        _length("description", self.description, LONGEST_DESCRIPTION)
        _length("system", self.system, LONGEST_SYSTEM)
        _length("model", self.model or "", 300)
        if self.language is not None and (len(self.language) > 35 or not _LANGUAGE.fullmatch(self.language)):
            raise _wrong("language", "it must be a tag such as en, zh or pt-BR")
        if len(starters) > MOST_STARTERS:
            raise _wrong("starters", f"there may be {MOST_STARTERS} at most")
        for text in starters:
            _length("starters", text, LONGEST_STARTER)
        if self.safeguard is not None and self.safeguard not in SAFEGUARDS:
            raise _wrong("safeguard", "it must be legal, medical or null")

    @property
    def handle(self) -> str:
        return handle_of(self.name)

    def as_json(self) -> dict[str, Any]:
        """All of it, as it is stored and as it travels."""
        return {
            "name": self.name,
            "description": self.description,
            "system": self.system,
            "model": self.model,
            "params": self.params.as_json(),
            "language": self.language,
            "starters": list(self.starters),
            "safeguard": self.safeguard,
        }


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A text to be put into the box."""

    name: str
    content: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))
        if not self.content.strip():
            raise _wrong("content", "it is empty")
        _length("content", self.content, LONGEST_PROMPT)

    @property
    def handle(self) -> str:
        return handle_of(self.name)


def persona_from(values: Mapping[str, Any], *, known: bool = False) -> Persona:
    """The persona in a mapping of `Persona.as_json`'s form; names that it does not know are left out.

    Args:
        known: it was checked before, so that its schema, which takes milliseconds, need not be read again.

    Raises InvalidRequest with the field and what is wrong with it.
    """
    params = values.get("params")
    if params is None:
        params = {}
    if not isinstance(params, Mapping):
        raise _wrong("params", "it must be an object")
    return Persona(
        name=_text(values, "name") or "",
        description=_text(values, "description") or "",
        system=_text(values, "system") or "",
        model=_text(values, "model") or None,
        params=_params(params, known=known),
        language=_text(values, "language") or None,
        starters=_texts(values, "starters"),
        safeguard=_safeguard(values.get("safeguard")),
    )


def _params(values: Mapping[str, Any], *, known: bool) -> PersonaParams:
    schema = values.get("json_schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise _wrong("params.json_schema", "a schema is a JSON object")
    if schema is not None and not known:
        check_schema(json.dumps(schema))
    return PersonaParams(
        max_tokens=_whole(values, "max_tokens"),
        temperature=_number(values, "temperature"),
        top_p=_number(values, "top_p"),
        top_k=_whole(values, "top_k"),
        min_p=_number(values, "min_p"),
        repetition_penalty=_number(values, "repetition_penalty"),
        stop=_texts(values, "stop"),
        seed=_whole(values, "seed"),
        json_schema=schema,
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "it must be a text")
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise _wrong(name, "it must be a list of texts")
    return tuple(value)


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _wrong(f"params.{name}", "it must be a number")
    return value


def _whole(values: Mapping[str, Any], name: str) -> int | None:
    value = _number(values, name)
    if value is not None and value != int(value):
        raise _wrong(f"params.{name}", "it must be a whole number")
    return None if value is None else int(value)


def _safeguard(value: object) -> Safeguard | None:
    found = next((known for known in SAFEGUARDS if known == value), None)
    if value is not None and found is None:
        raise _wrong("safeguard", "it must be legal, medical or null")
    return found


def _length(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise _wrong(name, f"it has {len(text)} characters, and at most {most} are allowed")


def _wrong(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {what}.", code="invalid_library", field=name, reason=what)
