"""JSON schemas as real programs send them, schemas that nobody should send, and what a portable schema allows."""

from __future__ import annotations

import enum
import json
import random
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl, SecretStr

from falconry.protocols.json_schema import portable_schema


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "蓝"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(ge=1, le=9, description="how many are left")


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = Field(min_length=1, max_length=40, title="名字")


class Address(BaseModel):
    street: str
    zip_code: str = Field(pattern=r"^\d{5}(-\d{4})?$")
    country: Literal["DE", "CN", "AE"] = "AE"


class Person(BaseModel):
    """Most of what pydantic can say."""

    id: UUID
    name: Annotated[str, Field(examples=["Ada"])]
    email: str | None = None
    born: date
    seen: datetime | None = None
    colour: Colour = Colour.RED
    address: Address
    addresses: list[Address] = []
    tags: Annotated[list[str], Field(max_length=10)] = []
    scores: dict[str, float] = {}
    by_colour: dict[Colour, int] = {}
    place: tuple[float, float] | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    price: Decimal = Decimal(1)
    ratio: float = Field(gt=0, lt=1)
    site: HttpUrl | None = None
    secret: SecretStr | None = None
    anything: Any = None


class Tree(BaseModel):
    value: int
    children: list[Tree] = []
    parent: Tree | None = None


OPENAI_STRICT = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"explanation": {"type": "string"}, "output": {"type": "string"}},
                "required": ["explanation", "output"],
                "additionalProperties": False,
            },
        },
        "final_answer": {"type": ["string", "null"]},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["steps", "final_answer", "next"],
    "additionalProperties": False,
}
LANGCHAIN_TOOL = {
    "title": "search",
    "description": "Search the web.",
    "type": "object",
    "properties": {
        "query": {"description": "what to look for", "type": "string"},
        "limit": {"default": 10, "type": "integer"},
        "filters": {"anyOf": [{"additionalProperties": {"type": "string"}, "type": "object"}, {"type": "null"}]},
    },
    "required": ["query"],
}
ZOD = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "age": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991},
        "url": {"type": "string", "format": "uri"},
        "slug": {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"},
        "when": {"type": "string", "format": "date-time"},
    },
    "required": ["age", "slug"],
    "additionalProperties": False,
}
PYDANTIC_1 = {
    "title": "Order",
    "type": "object",
    "properties": {"state": {"allOf": [{"$ref": "#/definitions/State"}], "default": "new"}},
    "definitions": {"State": {"title": "State", "enum": ["new", "paid"], "type": "string"}},
}
OPENAPI = {
    "type": "object",
    "properties": {"note": {"type": "string", "nullable": True}, "size": {"type": "integer", "format": "int32"}},
}
HONEST: dict[str, Mapping[str, Any]] = {
    "person": Person.model_json_schema(),
    "tree": Tree.model_json_schema(),
    "openai": OPENAI_STRICT,
    "langchain": LANGCHAIN_TOOL,
    "zod": ZOD,
    "pydantic 1": PYDANTIC_1,
    "openapi": OPENAPI,
    "zones": {"enum": [f"Zone/{number}" for number in range(600)]},
    "any": {},
}

_NAMES = ("a", "b", "名字", "", "*", "a]b", '"\\', "^-", "\u2028", "x" * 300, "$ref", "properties", "a\0b")
_PATTERNS = (
    "^[a-z]+$", r"\d{3}", "(a*)*", "^((a*)(b*))*$", "(a|b|)+", "^[^\\s]{1,50}$", "隼+", "^$", "^(a{1,9}){1,9}$", ".",
    "^.*$", "(?:x|y){3,}", "[\\w.-]+", "^a?b?c?$", "(((((a)))))", "[]^-]", "^\\.\\*\\[$", "^[&|~ -]+$", "",
    "^[\\W\\d]$",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 7, 99, 500, 1000, 10**6, 10**15, -(10**18), 2**63, 1e300, 0.5, 1.0, 3.7, -0.0)
_VALUES: tuple[Any, ...] = ("x", "", 1, 1.5, None, True, [1, [2]], {"a": {"b": []}}, "隼", '"\\\n', -1e300, 10**20)
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_ODD = (
    "title", "x-guidance", "$id", "$schema", "$anchor", "default", "$comment", "uniqueItems", "format", "nullable",
    "contentEncoding", "discriminator", "unevaluatedProperties", "additionalItems", "minProperties", "maxProperties",
)  # fmt: skip


def random_schema(seed: int) -> dict[str, Any]:
    """A schema that is often nonsense, sometimes huge, and refers to itself here and there."""
    chance = random.Random(seed)
    schema = _random(chance, chance.choice((2, 3, 4, 6)))
    schema["$defs"] = {name: _random(chance, 2) for name in ("A", "B", "C/~d", "人")}
    return schema


def _random(chance: random.Random, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}

    def some(most: int) -> list[dict[str, Any]]:
        return [_random(chance, depth - 1) for _ in range(chance.randint(1, most))]

    kind = chance.choice(("object", "array", "string", "number", "anyOf", "ref", "enum", "odd", "types"))
    if depth <= 0:
        kind = chance.choice(("string", "number", "ref", "enum"))
    match kind:
        case "object":
            names = chance.sample(_NAMES, chance.randint(0, 4)) + [
                f"p{number}" for number in range(chance.randint(0, 9))
            ]
            schema = {"type": "object", "properties": {name: _random(chance, depth - 1) for name in names}}
            schema["required"] = [name for name in names if chance.random() < 0.5]
            if chance.random() < 0.3:
                schema["additionalProperties"] = chance.choice((True, False, {}, _random(chance, depth - 1)))
        case "array":
            schema = {"type": "array", "items": _random(chance, depth - 1)}
            schema |= {word: chance.choice(_NUMBERS) for word in ("minItems", "maxItems") if chance.random() < 0.3}
            if chance.random() < 0.2:
                schema |= {"prefixItems": some(3)}
        case "string":
            schema = {"type": "string"}
            schema |= {word: chance.choice(_NUMBERS) for word in ("minLength", "maxLength") if chance.random() < 0.2}
            if chance.random() < 0.5:
                schema = {"type": "string", "pattern": chance.choice(_PATTERNS)}
            elif chance.random() < 0.3:
                schema["format"] = chance.choice(("date", "email", "uri", "ipv4", "ipv6", "duration", "hostname", "x"))
        case "number":
            schema = {"type": chance.choice(("integer", "number"))}
            words = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
            schema |= {word: chance.choice(_NUMBERS) for word in words if chance.random() < 0.2}
        case "anyOf":
            schema = {chance.choice(("anyOf", "oneOf", "allOf")): some(4)}
        case "ref":
            target = chance.choice(("#", "#/$defs/A", "#/$defs/B", "#/$defs/C~1~0d", "#/$defs/人", "#/$defs/C%2F~0d"))
            schema = {"$ref": target}
        case "enum":
            schema = {"enum": [chance.choice(_VALUES) for _ in range(chance.randint(1, 5))]}
            if chance.random() < 0.2:
                schema = {"enum": [f"{chance.random()}" for _ in range(chance.randint(60, 300))]}
        case "types":
            schema = {"type": chance.sample(_TYPES, chance.randint(1, 7)), "items": _random(chance, depth - 1)}
    if chance.random() < 0.2:
        schema[chance.choice(_ODD)] = chance.choice((*_VALUES, "date"))
    return schema


def random_pattern(seed: int, *, large: bool = False) -> str:
    """A sound regular expression with repeats in repeats; with large counts `re` itself could take years for it."""
    chance = random.Random(seed)
    counts, more = ((0, 1, 5, 30), 40) if large else ((0, 1, 2), 2)

    def pattern(depth: int) -> str:
        if depth <= 0 or chance.random() < 0.2:
            return chance.choice(
                (
                    "a",
                    "b",
                    "隼",
                    r"\d",
                    r"\w",
                    r"\s",
                    ".",
                    "[a-f]",
                    r"[^\w]",
                    r"\D",
                    r"\S",
                    "[^a]",
                    r"[\u4e00-\u9fff]",
                    "",
                    r"\.",
                )
            )
        inner = pattern(depth - 1)
        match chance.randrange(6):
            case 0:
                return f"{inner}{pattern(depth - 1)}"
            case 1:
                return f"({inner}|{pattern(depth - 1)})"
            case 2:
                return f"(?:{inner}){chance.choice(('*', '+', '?', '*?', '+?', '??'))}"
            case 3:
                least = chance.choice(counts)
                return f"({inner}){{{least},{chance.choice(('', least, least + 1, least + more))}}}"
            case 4:
                return f"(?P<n{chance.randrange(10**9)}>{inner})"
        return f"{inner}|{pattern(depth - 1)}"

    return pattern(chance.choice((1, 2, 3, 4, 5)))


def allows(schema: Mapping[str, Any], value: object, root: Mapping[str, Any]) -> bool:
    """Whether a portable schema allows a value: the bounds of floats, formats and multiples apart."""
    if "$ref" in schema:
        return allows(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, root)
    if "anyOf" in schema:
        return any(allows(branch, value, root) for branch in schema["anyOf"])
    if "enum" in schema:
        return any(json.dumps(one) == json.dumps(value) for one in schema["enum"]) or value in schema["enum"]
    match schema.get("type"):
        case "object":
            return isinstance(value, dict) and _allows_object(schema, value, root)
        case "array":
            return isinstance(value, list) and _allows_array(schema, value, root)
        case "string":
            if not isinstance(value, str) or not re.search(schema.get("pattern", ""), value):
                return False
            return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
        case "integer":
            if not isinstance(value, int):
                return False
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        case "number":
            return isinstance(value, int | float)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
    return True


def _allows_object(schema: Mapping[str, Any], value: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    if not all(name in value for name in schema.get("required", [])):
        return False
    for name, inner in value.items():
        wanted = known.get(name, more)
        if wanted is False or (wanted is not True and not allows(wanted, inner, root)):
            return False
    return True


def _allows_array(schema: Mapping[str, Any], value: list[Any], root: Mapping[str, Any]) -> bool:
    if "prefixItems" in schema:
        pairs = zip(schema["prefixItems"], value, strict=False)
        return len(value) == len(schema["prefixItems"]) and all(allows(inner, one, root) for inner, one in pairs)
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
        return False
    return all(allows(schema["items"], one, root) for one in value)


def portable(schema: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(portable_schema(json.dumps(schema)))
    return result
