"""References in JSON schemas, and schemas that stand for several others at once (allOf)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import unquote

from falconry.protocols.schema_errors import MAX_DEPTH, fault

RawSchema: TypeAlias = Mapping[str, Any]

# Keywords that narrow what is allowed, and that no engine can follow while it writes.
REFUSED = frozenset(
    {"not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "patternProperties"}
    | {"dependencies", "dependentRequired", "dependentSchemas", "unevaluatedItems", "$dynamicRef", "$recursiveRef"}
    | {"disallow", "extends", "divisibleBy"}
)
# All others only describe.
_STRUCTURE = REFUSED | (
    {"$ref", "allOf", "anyOf", "oneOf", "type", "nullable", "enum", "const", "format", "pattern", "minLength"}
    | {"maxLength", "properties", "required", "additionalProperties", "unevaluatedProperties", "propertyNames"}
    | {"minProperties", "maxProperties", "items", "prefixItems", "additionalItems", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)


def resolve(root: object, reference: str, place: str) -> object:
    """What a local reference points to: `#`, or `#/` and a JSON pointer."""
    if reference != "#" and not reference.startswith("#/"):
        raise fault(place, f"$ref {reference[:80]!r} is not inside this schema; use #/$defs/…")
    target = root
    for token in reference.split("/")[1:]:
        token = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict) and token in target:
            target = target[token]
        elif isinstance(target, list) and token.isdecimal() and token.isascii() and int(token[:9]) < len(target):
            target = target[int(token[:9])]
        else:
            raise fault(place, f"$ref {reference[:80]!r} leads nowhere; define it")
    if not isinstance(target, dict | bool):
        raise fault(place, f"$ref {reference[:80]!r} leads to what is no schema")
    return target


def sources(root: object, raw: RawSchema, place: str) -> str | RawSchema:
    """The reference that a schema consists of, or the schema with all that it stands for merged into it."""
    structure = {keyword: value for keyword, value in raw.items() if keyword in _STRUCTURE}
    if isinstance(structure.get("allOf"), list) and len(structure["allOf"]) == 1 and len(structure) == 1:
        only = structure["allOf"][0]  # pydantic 1 wrote references like this
        if isinstance(only, dict):
            return sources(root, only, place)
    if structure.keys() == {"$ref"}:
        reference = structure["$ref"]
        if not isinstance(reference, str):
            raise fault(f"{place}/$ref", "it is a text")
        resolve(root, reference, place)
        return reference
    return _merged(root, structure, place, 0)


def _merged(root: object, structure: RawSchema, place: str, depth: int) -> RawSchema:
    if depth > MAX_DEPTH:
        raise fault(place, "it refers to itself; a schema that does has to stand in a property or an item")
    parts: list[RawSchema] = [{name: value for name, value in structure.items() if name not in ("$ref", "allOf")}]
    inner: list[object] = []
    if "$ref" in structure:
        reference = structure["$ref"]
        if not isinstance(reference, str):
            raise fault(f"{place}/$ref", "it is a text")
        inner.append(resolve(root, reference, place))
    if "allOf" in structure:
        listed = structure["allOf"]
        if not isinstance(listed, list) or not listed or len(listed) > MAX_DEPTH:
            raise fault(f"{place}/allOf", f"it is a list of 1 to {MAX_DEPTH} schemas")
        inner += listed
    for schema in inner:
        if not isinstance(schema, dict | bool) or schema is False:
            raise fault(place, "what is merged has to be a JSON object")
        if isinstance(schema, dict):
            kept = {name: value for name, value in schema.items() if name in _STRUCTURE}
            parts.append(_merged(root, kept, place, depth + 1 if len(inner) == 1 else depth + 2))
    return _merge(parts, place)


def _merge(parts: Sequence[RawSchema], place: str) -> RawSchema:
    result: dict[str, Any] = {}
    for part in parts:
        closed = [one for one in (result, part) if one.get("additionalProperties") is False]
        for keyword, value in part.items():
            if keyword not in result or result[keyword] == value:
                result[keyword] = value
            elif keyword == "properties" and isinstance(value, dict) and isinstance(result[keyword], dict):
                both = [name for name in value if name in result[keyword] and value[name] != result[keyword][name]]
                if both:
                    raise fault(place, f"two schemas say different things about {both[0][:80]!r}; write one")
                if closed:
                    raise fault(place, "additionalProperties is false beside other properties; merge them yourself")
                result[keyword] = result[keyword] | value
            elif keyword == "required" and isinstance(value, list) and isinstance(result[keyword], list):
                result[keyword] = [*result[keyword], *value]
            else:
                raise fault(place, f"two schemas say different things about {keyword}; write one")
    return result
