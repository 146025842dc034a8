"""Shapes that a reply must have, checked before an engine sees them."""

from __future__ import annotations

from falconry.protocols.json_schema import check_schema, portable_schema
from falconry.protocols.regex import regex_to_gbnf

__all__ = ["check_schema", "portable_schema", "regex_to_gbnf"]
