"""How large a JSON schema may be, and what is said about one that cannot be used."""

from __future__ import annotations

from falconry.errors import InvalidRequest

MAX_BYTES = 64 * 1024
MAX_DEPTH = 24
"""Schemas in schemas. Those of tools that are generated from code have 10 at most."""
MAX_NODES = 1500
"""Schemas in all, definitions that are copied counted each time."""


def fault(place: str, problem: str) -> InvalidRequest:
    """`problem` says what is wrong there and, after a semicolon, what to do."""
    place = place[:200]
    return InvalidRequest(
        f"The JSON schema cannot be used, at {place}: {problem}.", code="invalid_schema", place=place, problem=problem
    )


def too_large(place: str, problem: str) -> InvalidRequest:
    place = place[:200]
    return InvalidRequest(
        f"The JSON schema is too large, at {place}: {problem}.", code="schema_too_large", place=place, problem=problem
    )
