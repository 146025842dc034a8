"""What a JSON schema, written for engines, would cost them; and whether a reply to it can ever end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from falconry.protocols.schema_errors import fault, too_large

Node: TypeAlias = Mapping[str, Any]

MAX_RULES = 6000
"""Steps of the grammar, counted repeats written out."""
MAX_WAYS = 300
"""Ways to go on at one place. llama.cpp compares every token of the vocabulary with each of them, and all requests wait
meanwhile: with 152,000 tokens up to 0.5 s for 200 ways, 1.6 s for 500, 2.6 s for 1000."""
MAX_PARALLEL = 1600
"""Steps of all objects, or arrays, that one value may be, together. llama.cpp's reader for raw prompts keeps them all
at once; with more than 2000 it gives up in the middle of a reply, and the rest of it is free text."""
MAX_OPTIONAL = 200
"""Optional properties of one object: their grammar grows with the square, and the time to make it with the cube."""
MAX_WRITTEN_OUT = 2000
"""llama.cpp takes a larger count for no limit."""

_CIRCLE = "it refers to itself; a schema that does has to stand in a property or an item"


def check_cost(root: Node, definitions: Mapping[str, Node], places: Mapping[str, str]) -> None:
    """Raise InvalidRequest for what takes too long, or never ends. `places` says where definitions come from."""
    rules = 0
    for place, schema in [("#", root), *((places[name], schema) for name, schema in definitions.items())]:
        for node in _nodes(schema):
            rules += _rules(node, place)
            if rules > MAX_RULES:
                raise too_large(place, "it counts too far, or lists too much; use smaller counts and fewer values")
    _check_ways(root, definitions, places)
    _check_parallel(root, definitions, places)
    _check_ends(root, definitions, places)


def _nodes(schema: Node) -> Iterator[Node]:
    todo = [schema]
    while todo:
        node = todo.pop()
        yield node
        todo += _children(node)


def _children(node: Node) -> list[Node]:
    children = [*node.get("properties", {}).values(), *node.get("anyOf", []), *node.get("prefixItems", [])]
    children += [node["items"]] if "items" in node else []
    more = node.get("additionalProperties")
    return [*children, more] if isinstance(more, dict) else children


def _rules(node: Node, place: str) -> int:
    if "enum" in node:
        return 1 + sum(1 + len(json.dumps(value)) // 16 for value in node["enum"])
    optional = len(node.get("properties", {})) - len(node.get("required", []))
    if optional > MAX_OPTIONAL:
        raise too_large(place, f"an object has more than {MAX_OPTIONAL} optional properties; make some required")
    counted = 0
    for least, most in (("minItems", "maxItems"), ("minLength", "maxLength")):
        if "prefixItems" not in node:
            end = node.get(most, 0)
            counted += max(node.get(least, 0), end if end <= MAX_WRITTEN_OUT else 0)
    return 1 + counted + optional**2 // 16 + len(node.get("pattern", "")) // 8


def _check_ways(root: Node, defs: Mapping[str, Node], places: Mapping[str, str]) -> None:
    """Count how many ways lead on where a value begins, through alternatives and references."""
    known: dict[str, int] = {}
    entered: list[str] = []

    def ways(node: Node) -> int:
        if "$ref" in node:
            name = _name(node)
            if name in entered:
                raise fault(
                    places[name], "it refers to itself; a schema that does has to stand in a property or an item"
                )
            if name not in known:
                entered.append(name)
                if len(entered) > 100:
                    raise too_large(places[name], "references to references are too many; refer to the last one")
                known[name] = ways(defs[name])
                entered.pop()
            return 1 + known[name]
        if "anyOf" in node:
            return sum(map(ways, node["anyOf"]))
        return len(node["enum"]) if "enum" in node else 1

    for place, schema in [("#", root), *((places[name], schema) for name, schema in defs.items())]:
        for node in _nodes(schema):
            if ways(node) > MAX_WAYS:
                raise too_large(place, f"there are more than {MAX_WAYS} ways to go on; list fewer alternatives")


def _check_parallel(root: Node, defs: Mapping[str, Node], places: Mapping[str, str]) -> None:
    def branches(node: Node) -> Iterator[Node]:
        """What a value may be; that references do not go in circles is known."""
        if "$ref" in node:
            yield from branches(defs[_name(node)])
        elif "anyOf" in node:
            for inner in node["anyOf"]:
                yield from branches(inner)
        else:
            yield node

    def steps(node: Node) -> int:
        found, seen = 0, set[str]()
        todo = [node]
        while todo:
            for inner in _nodes(todo.pop()):
                optional = len(inner.get("properties", {})) - len(inner.get("required", []))
                found += 1 if inner.get("type") not in ("object", "array") else 6 + 4 * optional
                if "$ref" in inner and _name(inner) not in seen:
                    seen.add(_name(inner))
                    todo.append(defs[_name(inner)])
        return found

    for place, schema in [("#", root), *((places[name], schema) for name, schema in defs.items())]:
        for node in (node for node in _nodes(schema) if "anyOf" in node):
            for kind in ("object", "array"):
                same = {id(branch): branch for branch in branches(node) if branch.get("type") == kind}
                if len(same) > 1 and sum(map(steps, same.values())) > MAX_PARALLEL:
                    raise too_large(place, f"an {kind} can be too many things (anyOf); use fewer or smaller ones")


def _name(node: Node) -> str:
    """Of the definition that it refers to."""
    return str(node["$ref"]).rsplit("/", 1)[1]


def _check_ends(root: Node, defs: Mapping[str, Node], places: Mapping[str, str]) -> None:
    """Raise where a definition needs itself: a reply to it could only end by its length."""
    finite: set[str] = set()

    def ends(node: Node) -> bool:
        if "$ref" in node:
            return _name(node) in finite
        if "anyOf" in node:
            return any(map(ends, node["anyOf"]))
        if "prefixItems" in node:
            return all(map(ends, node["prefixItems"]))
        if node.get("minItems"):
            return ends(node["items"])
        return all(ends(node["properties"][name]) for name in node.get("required", []))

    while grown := {name for name in defs if name not in finite and ends(defs[name])}:
        finite |= grown
    endless = [name for name in defs if name not in finite]
    if endless or not ends(root):
        place = places[endless[0]] if endless else "#"
        raise fault(place, "it requires itself again and again, without an end; make the property optional or nullable")
