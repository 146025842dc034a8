"""Patterns: one line that stands for many wordings.

``(a|b)`` is a choice, ``[a]`` or ``[a|b]`` may be left out, ``{slot}`` is filled in from outside. A backslash takes the
meaning from a bracket.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Mapping
from typing import Literal

Lang = Literal["en", "zh"]
Node = str | tuple["Node", ...] | list["Node"]
"""Parsed pattern: text, a sequence (tuple) or a choice (list)."""


@functools.cache
def parse(pattern: str) -> Node:
    """Parse a pattern. Raises ValueError where the brackets do not match."""
    node, end = _sequence(pattern, 0)
    if end != len(pattern):
        raise ValueError(f"unexpected {pattern[end]!r} at {end} in {pattern!r}")
    return node


def _sequence(text: str, at: int) -> tuple[Node, int]:
    parts: list[Node] = []
    plain = ""
    while at < len(text) and text[at] not in "|)]":
        if text[at] in "([":
            choices, end = _choices(text, at)
            parts += [plain, choices]
            plain, at = "", end
            continue
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in "()[]|":
            at += 1
        plain += text[at]
        at += 1
    return (*parts, plain), at


def _choices(text: str, at: int) -> tuple[list[Node], int]:
    close = ")" if text[at] == "(" else "]"
    choices: list[Node] = []
    end = at
    while end == at or text[end] == "|":
        node, end = _sequence(text, end + 1)
        choices.append(node)
        if end >= len(text):
            raise ValueError(f"missing {close!r} in {text!r}")
    if text[end] != close:
        raise ValueError(f"expected {close!r} at {end} in {text!r}")
    return choices + ([""] * len(choices) if close == "]" else []), end + 1


def expand(pattern: str, rng: random.Random, slots: Mapping[str, str] | None = None) -> str:
    """One wording of ``pattern``. Slots are filled after the choices, so their text is never read as a pattern."""
    return _fill(_pick(parse(pattern), rng), slots)


def plainest(pattern: str, slots: Mapping[str, str] | None = None) -> str:
    """The first wording of ``pattern``: the first of every choice, and nothing that may be left out."""
    return _fill(_first(parse(pattern)), slots)


def _fill(text: str, slots: Mapping[str, str] | None) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: slots.get(match[1], match[0]), text) if slots else text


def _first(node: Node) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return "" if "" in node else _first(node[0])
    return "".join(_first(part) for part in node)


def _pick(node: Node, rng: random.Random) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return _pick(rng.choice(node), rng)
    return "".join(_pick(part, rng) for part in node)
