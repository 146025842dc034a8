"""Patterns without repeats of what may be empty: (a*b?)* says the same as (a+b?|b)*.

A grammar that repeats what may be empty can go on without reading anything; llama.cpp refuses it as left-recursive.
"""

from __future__ import annotations

from falconry.protocols.automaton import Alt, Chars, Node, Repeat, Seq, TooComplex

_EMPTY = Seq(())
_MAX_SEQUENCE = 16
"""Parts in a repeat that may all be empty: without the empty text they are as many alternatives."""
_MAX_SIZE = 2000


def without_empty_repeats(node: Node) -> Node:
    """The same language. Raises TooComplex."""
    match node:
        case Chars():
            return node
        case Seq(nodes):
            return Seq(tuple(map(without_empty_repeats, nodes)))
        case Alt(nodes):
            inner = [without_empty_repeats(one) for one in nodes]
            # An empty alternative is no alternative, but an option.
            filled = [one for one in inner if one != _EMPTY]
            if not filled:
                return _EMPTY
            return Alt(tuple(filled)) if len(filled) == len(inner) else Repeat(Alt(tuple(filled)), 0, 1)
        case Repeat(inner, least, most):
            body = without_empty_repeats(inner)
            if not _may_be_empty(body):
                return Repeat(body, least, most)
            filled_body = _filled(body)
            return _EMPTY if filled_body is None else Repeat(filled_body, 0, most)


def _may_be_empty(node: Node) -> bool:
    match node:
        case Chars():
            return False
        case Seq(nodes):
            return all(map(_may_be_empty, nodes))
        case Alt(nodes):
            return any(map(_may_be_empty, nodes))
        case Repeat(inner, least):
            return least == 0 or _may_be_empty(inner)


def _filled(node: Node) -> Node | None:
    """The language without the empty text; None where nothing is left."""
    if not _may_be_empty(node):
        return node
    match node:
        case Alt(nodes):
            return _either([_filled(one) for one in nodes])
        case Seq(nodes):
            if len(nodes) > _MAX_SEQUENCE:
                raise TooComplex("it repeats too many parts that may be empty")
            ways: list[Node | None] = []
            for at, first in enumerate(nodes):
                start = _filled(first)
                ways.append(None if start is None else Seq((start, *nodes[at + 1 :])))
            return _either(ways)
        case Repeat(inner, _, most):
            body = _filled(inner)
            if body is None or most == 0:
                return None
            return body if most == 1 else Repeat(body, 1, most)
    return node


def _either(nodes: list[Node | None]) -> Node | None:
    left = tuple(node for node in nodes if node is not None)
    if sum(map(_size, left)) > _MAX_SIZE:
        raise TooComplex("it repeats too many parts that may be empty")
    return Alt(left) if left else None


def _size(node: Node) -> int:
    match node:
        case Chars():
            return 1
        case Seq(nodes) | Alt(nodes):
            return 1 + sum(map(_size, nodes))
        case Repeat(inner):
            return 1 + _size(inner)
