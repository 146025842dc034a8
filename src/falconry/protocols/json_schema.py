"""JSON schemas for replies, in the words that every llama.cpp reads alike.

llama.cpp has two readers of schemas, one for raw prompts and one for chats, and each of them drops the whole schema, or
a part of it, without a word when it meets what it does not know: the reply is then free text. Some hang, or crash, on
numbers and references. So a schema is read here, whatever cannot be kept is refused by name, and what goes to the
engine is written anew: no annotation, one keyword for one thing, references that are sure to resolve, plain patterns.

What is written allows what was asked for, or less: an object whose properties are named has no others unless the schema
says so. More it allows in one case, oneOf: that not two alternatives match at once is left to the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from falconry.protocols.json_limits import check_json, loads
from falconry.protocols.schema_cost import check_cost
from falconry.protocols.schema_errors import MAX_BYTES, MAX_DEPTH, MAX_NODES, fault, too_large
from falconry.protocols.schema_refs import REFUSED, RawSchema, resolve, sources
from falconry.protocols.schema_values import array, count, integer, number, string, values
from falconry.protocols.word_list import pattern_of

Schema: TypeAlias = dict[str, Any]

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}

_HALF = "it has half of a surrogate pair; write whole characters"


def check_schema(text: str) -> None:
    """Raise InvalidRequest unless replies can be held to this JSON schema. See `portable_schema`."""
    portable_schema(text)


def portable_schema(text: str) -> str:
    """The schema as llama.cpp is to get it, as JSON text.

    Raises:
        InvalidRequest: "invalid_schema" or "schema_too_large", with the place as a JSON pointer and what to do.
    """
    if not _is_unicode(text):
        raise fault("#", _HALF)
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        raise too_large("#", f"it has {len(raw)} bytes, and at most {MAX_BYTES} are allowed; leave parts of it out")
    root = loads(raw)
    if not isinstance(root, dict | bool):
        raise fault("#", "a schema is a JSON object")
    check_json(root, depth=2 * MAX_DEPTH, nodes=MAX_NODES * 4)
    written = json.dumps(_Writer(root).write(), separators=(",", ":"), ensure_ascii=False)
    if not _is_unicode(written):  # from "\ud800" in JSON
        raise fault("#", _HALF)
    return written


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


class _Writer:
    """Writes one schema anew. `place` is a JSON pointer for messages."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        self._defs: dict[str, Schema] = {}
        self._nodes = 0

    def write(self) -> Schema:
        schema = self._write(self._root, "#", 0)
        # A definition that was met inside of another one waits here, so that a chain of them is no recursion.
        while len(self._defs) < len(self._names):
            for pointer, name in list(self._names.items()):
                if name not in self._defs:
                    self._defs[name] = self._write(resolve(self._root, pointer, pointer), pointer, 0)
        check_cost(schema, self._defs, {name: pointer for pointer, name in self._names.items()})
        return schema | {"$defs": self._defs} if self._defs else schema

    def _write(self, raw: object, place: str, depth: int) -> Schema:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise too_large(place, f"it has more than {MAX_NODES} parts; leave some out")
        if depth > MAX_DEPTH:
            raise too_large(place, f"it is nested deeper than {MAX_DEPTH} levels; make it flatter")
        if raw is True:
            return {}
        if raw is False:
            raise fault(place, "false allows nothing; leave it out")
        if not isinstance(raw, dict):
            raise fault(place, "a schema is a JSON object")
        merged = sources(self._root, raw, place)
        if isinstance(merged, str):
            name = self._names.setdefault(merged, f"d{len(self._names)}")
            return {"$ref": f"#/$defs/{name}"}
        for keyword in merged:
            if keyword in REFUSED and not (keyword == "uniqueItems" and merged[keyword] is False):
                raise fault(place, f"{keyword} cannot be kept while a reply is written; leave it out")
        if (listed := values(merged, place, _TYPES)) is not None:
            return (
                {"enum": listed} if (pattern := pattern_of(listed)) is None else {"type": "string", "pattern": pattern}
            )
        alternatives = self._alternatives(merged, place)
        if alternatives is not None:
            return self._any_of(alternatives, place, depth)
        types = self._types(merged, place)
        written = [self._typed(merged, kind, place, depth) for kind in types]
        if merged.get("nullable") is True and "null" not in types and types:
            written.append({"type": "null"})
        return {} if not written else written[0] if len(written) == 1 else {"anyOf": _distinct(written)}

    def _alternatives(self, raw: RawSchema, place: str) -> list[tuple[object, str]] | None:
        """The branches of anyOf and oneOf. That only one of oneOf may match is left to the model."""
        keywords = [keyword for keyword in ("anyOf", "oneOf") if keyword in raw]
        if not keywords:
            return None
        if len(keywords) == 2:
            raise fault(place, "anyOf and oneOf cannot stand together; use anyOf alone")
        others = [keyword for keywords_ in _HINTS.values() for keyword in keywords_ if keyword in raw]
        if others:
            raise fault(place, f"{others[0]} cannot stand beside {keywords[0]}; write it into the alternatives")
        branches = array(raw, keywords[0], place)
        if not branches:
            raise fault(f"{place}/{keywords[0]}", "it allows nothing; list at least one alternative")
        kinds = self._types(raw, place)
        found: list[tuple[object, str]] = []
        for index, branch in enumerate(branches):
            if kinds and isinstance(branch, dict) and not branch.keys() & {"type", "$ref", "anyOf", "oneOf", "allOf"}:
                branch = {"type": kinds} | branch
            found.append((branch, f"{place}/{keywords[0]}/{index}"))
        if raw.get("nullable") is True:
            found.append(({"type": "null"}, place))
        return found

    def _any_of(self, branches: Sequence[tuple[object, str]], place: str, depth: int) -> Schema:
        written: list[Schema] = []
        for branch, at in branches:
            schema = self._write(branch, at, depth + 1)
            # Alternatives in alternatives are alternatives.
            written += schema.get("anyOf", [schema])
        distinct = _distinct(written)
        return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}

    def _types(self, raw: RawSchema, place: str) -> list[str]:
        """The types that are allowed, or those that the other keywords speak of; none for any."""
        kinds = raw.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list) or ("type" in raw and not kinds):
            raise fault(f"{place}/type", "it is the name of a type, or a list of them")
        for kind in kinds:
            if kind not in _TYPES:
                raise fault(f"{place}/type", f"a type is one of {', '.join(_TYPES)}")
        if not kinds:
            kinds = [kind for kind, keywords in _HINTS.items() if any(keyword in raw for keyword in keywords)]
        # Every integer is a number.
        return [kind for kind in dict.fromkeys(kinds) if not (kind == "integer" and "number" in kinds)]

    def _typed(self, raw: RawSchema, kind: str, place: str, depth: int) -> Schema:
        match kind:
            case "object":
                return self._object(raw, place, depth)
            case "array":
                return self._array(raw, place, depth)
            case "string":
                return string(raw, place)
            case "integer":
                return integer(raw, place)
            case "number":
                return number(raw, place)
        return {"type": kind}

    # -- objects

    def _object(self, raw: RawSchema, place: str, depth: int) -> Schema:
        properties = raw.get("properties", {})
        if not isinstance(properties, dict):
            raise fault(f"{place}/properties", "it is an object of schemas by name")
        required = self._required(raw, properties, place)
        more = raw.get("additionalProperties", raw.get("unevaluatedProperties", not properties))
        if "propertyNames" in raw:
            properties, more = self._named(raw, properties, more, place), False
        written = {
            name: self._write(schema, f"{place}/properties/{_escape(name)}", depth + 1)
            for name, schema in properties.items()
            # Nothing can stand there, so it is left out; where it is required, that is no schema.
            if schema is not False or name in required
        }
        schema: Schema = {"type": "object"}
        if written or more is False:
            schema |= {"properties": written, "required": required}
        if not isinstance(more, bool | dict):
            raise fault(f"{place}/additionalProperties", "it is a schema, or true or false")
        # A reader makes a trie of the names to tell others apart, and writes it down without escaping anything.
        if more is False or not all(name.replace("_", "a").isalnum() and name.isascii() for name in written):
            schema["additionalProperties"] = False
        elif more is not True or written:
            schema["additionalProperties"] = self._write(more, f"{place}/additionalProperties", depth + 1) or True
        self._number_of_properties(raw, schema, place)
        return schema

    def _required(self, raw: RawSchema, properties: Mapping[str, object], place: str) -> list[str]:
        required = raw.get("required", [])
        if isinstance(required, bool):  # of JSON schema's third draft: it stood in the property
            return []
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise fault(f"{place}/required", "it is a list of names")
        for name in required:
            if name not in properties:
                raise fault(f"{place}/required", f"{name[:80]!r} is no property; add it to properties")
        return list(dict.fromkeys(required))

    def _named(self, raw: RawSchema, properties: Mapping[str, object], more: object, place: str) -> dict[str, object]:
        """The properties of an object whose names are listed: a dict with an enum as its keys."""
        place = f"{place}/propertyNames"
        names: object = raw["propertyNames"]
        for _ in range(MAX_DEPTH):
            merged = sources(self._root, names, place) if isinstance(names, dict) else {}
            if not isinstance(merged, str):
                break
            names = resolve(self._root, merged, place)
        listed = values(merged, place, _TYPES) if not isinstance(merged, str) else None
        if listed is None:
            raise fault(place, "it can only list names (enum); leave it out")
        return {name: properties.get(name, more) for name in [*properties, *listed] if isinstance(name, str)}

    def _number_of_properties(self, raw: RawSchema, schema: Schema, place: str) -> None:
        """Only what holds anyway, or what can be counted: an object without names."""
        least, most = count(raw, "minProperties", place), count(raw, "maxProperties", place)
        names, required = schema.get("properties", {}), schema.get("required", [])
        if least is not None and least > len(required):
            raise fault(place, "minProperties cannot be kept while a reply is written; make properties required")
        if most is not None and not (schema.get("additionalProperties") is False and len(names) <= most):
            raise fault(place, "maxProperties cannot be kept while a reply is written; leave it out")

    # -- arrays

    def _array(self, raw: RawSchema, place: str, depth: int) -> Schema:
        least, most = count(raw, "minItems", place) or 0, count(raw, "maxItems", place)
        if most is not None and least > most:
            raise fault(place, f"minItems ({least}) is more than maxItems ({most})")
        items, keyword = raw.get("items", True), "items"
        if "prefixItems" in raw:
            items, keyword = array(raw, "prefixItems", place), "prefixItems"
        if isinstance(items, list):
            return self._tuple(items, f"{place}/{keyword}", least, most, depth)
        if items is False or most == 0:
            if least:
                raise fault(place, "minItems asks for items, and none are allowed")
            return {"type": "array", "items": {"type": "null"}, "maxItems": 0}
        schema: Schema = {"type": "array", "items": self._write(items, f"{place}/items", depth + 1)}
        if least:
            schema["minItems"] = least
        if most is not None:
            schema["maxItems"] = most
        return schema

    def _tuple(self, items: Sequence[object], place: str, least: int, most: int | None, depth: int) -> Schema:
        """Exactly these items, one after the other."""
        wanted = len(items) if most is None else min(len(items), most)
        if least > wanted:
            raise fault(place, f"minItems ({least}) asks for more items than are listed ({wanted})")
        if not wanted:
            return {"type": "array", "items": {"type": "null"}, "maxItems": 0}
        written = [self._write(item, f"{place}/{index}", depth + 1) for index, item in enumerate(items[:wanted])]
        return {"type": "array", "prefixItems": written, "minItems": wanted, "maxItems": wanted}


def _distinct(schemas: Sequence[Schema]) -> list[Schema]:
    """Without those that stand there twice: each way to read a reply costs time."""
    return list({json.dumps(schema, sort_keys=True): schema for schema in schemas}.values())


def _escape(name: str) -> str:
    return name[:80].replace("~", "~0").replace("/", "~1")
