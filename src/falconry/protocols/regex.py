"""Regular expressions in the style of Python and Rust, as grammars for llama.cpp.

The expression is read by Python's own parser, so that what it means is what `re.fullmatch` means, and what cannot be
said by a grammar is refused by name. The rest is regular: `automaton.py` makes a deterministic grammar of it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from re import _parser  # type: ignore[attr-defined, unused-ignore]  # the parse tree of re; the same since Python 3.11
from typing import Any

from falconry.errors import InvalidRequest
from falconry.protocols.automaton import MAX_STATES, Alt, Chars, Node, Range, Repeat, Seq, TooComplex, grammar_of

MAX_PATTERN = 4096
"""Characters."""
MAX_NESTING = 64
"""Groups, branches and repeats in each other. Python's parser recurses, and llama.cpp's too."""

NO_TEXT = "no text can match it"
_EMPTY = Seq(())
_LAST = 0x10FFFF
# What no text can hold: NUL, which ends a string inside llama.cpp, and halves of surrogate pairs.
_NEVER: tuple[Range, ...] = ((0, 0), (0xD800, 0xDFFF))
_REFUSED = {
    "GROUPREF": "a reference back to a group",
    "GROUPREF_EXISTS": "a condition on a group",
    "ASSERT": "looking ahead or behind",
    "ASSERT_NOT": "looking ahead or behind",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
}
_AT = {
    "AT_BEGINNING": "start",
    "AT_BEGINNING_STRING": "start",
    "AT_END": "end",
    "AT_END_STRING": "end",
}
_STARTS = ((_parser.AT, _parser.AT_BEGINNING), (_parser.AT, _parser.AT_BEGINNING_STRING))
_ENDS = ((_parser.AT, _parser.AT_END), (_parser.AT, _parser.AT_END_STRING))


def regex_to_gbnf(pattern: str) -> str:
    """The grammar of the texts that `re.fullmatch(pattern, text)` takes, or of a part of them.

    It is a part where the full set would need hundreds of ranges, which llama.cpp compares with one by one, for each
    token of the vocabulary: `\\d` is 0 to 9, `\\w` has the letters of the larger alphabets and Chinese characters.

    Raises:
        InvalidRequest: "invalid_regex", "regex_too_large", "regex_too_complex".
    """
    name = "The regular expression"
    grammar = write_grammar(parse_pattern(pattern, name), name)
    if grammar is None:
        raise invalid(name, NO_TEXT)
    return grammar


def write_grammar(tree: Node, name: str, *, widest: int = MAX_STATES) -> str | None:
    """The grammar of a pattern that is called `name` in messages; None where no text can match it."""
    try:
        return grammar_of(tree, widest=widest)
    except TooComplex as error:
        raise too_complex(name, error) from error


def parse_pattern(pattern: str, name: str, *, anywhere: bool = False) -> Node:
    """What a text must be. With `anywhere` the pattern may match a part of it, where it has no anchors."""
    if len(pattern) > MAX_PATTERN:
        raise InvalidRequest(
            f"{name} has {len(pattern)} characters; at most {MAX_PATTERN} are allowed. Shorten it.",
            code="regex_too_large",
            length=len(pattern),
            limit=MAX_PATTERN,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that may mean something else one day
            tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise invalid(
            name, str(error) if isinstance(error, re.error) else "it is too deep or counts too far"
        ) from error
    if tree.state.flags != re.UNICODE:
        raise invalid(name, "flags such as (?i) cannot be used; write both cases, [Aa]")
    reader = _Reader(name)
    return reader.anywhere(list(tree)) if anywhere else reader.sequence(tree, 0, start=True, end=True)


def strip(node: Node, ranges: Sequence[Range]) -> Node:
    """The node without some characters."""
    match node:
        case Chars(own):
            return Chars(_complement([*_complement(own), *ranges]))
        case Repeat(inner, least, most):
            return Repeat(strip(inner, ranges), least, most)
    return type(node)(tuple(strip(inner, ranges) for inner in node.nodes))


def too_complex(name: str, problem: object) -> InvalidRequest:
    return InvalidRequest(
        f"{name} is too complex: {problem}. Use smaller counts, fewer repeats inside repeats, or no limit (*, +).",
        code="regex_too_complex",
        problem=str(problem),
    )


def invalid(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{name} cannot be used: {problem}.", code="invalid_regex", problem=problem)


class _Reader:
    """Turns the parse tree of `re` into nodes. `start` and `end`: nothing stands before, or after, in the text."""

    def __init__(self, name: str) -> None:
        self._name = name

    def anywhere(self, items: list[tuple[Any, Any]]) -> Node:
        """The whole pattern, with any text before and after it where it is not anchored."""
        if len(items) == 1 and str(items[0][0]) == "BRANCH":
            return Alt(tuple(self.anywhere(list(branch)) for branch in items[0][1][1]))
        start = bool(items) and items[0][0:2] in _STARTS
        end = bool(items) and items[-1][0:2] in _ENDS
        node = self.sequence(items, 0, start=start, end=end)
        return Seq((*(() if start else (_ANY,)), node, *(() if end else (_ANY,))))

    def sequence(self, tree: Iterable[tuple[Any, Any]], depth: int, *, start: bool, end: bool) -> Node:
        if depth > MAX_NESTING:
            raise invalid(self._name, f"groups and repeats are nested deeper than {MAX_NESTING}")
        items = list(tree)
        # The anchors at the end look at what follows, and those at the beginning at what stands before.
        last = len(items)
        while last and str(items[last - 1][0]) == "AT":
            last -= 1
        nodes: list[Node] = []
        for index, (op, value) in enumerate(items):
            before = start and not nodes
            node = self._item(str(op), value, depth, start=before, end=end and index >= last - 1)
            if node != _EMPTY:
                nodes.append(node)
        return nodes[0] if len(nodes) == 1 else Seq(tuple(nodes))

    def _item(self, op: str, value: Any, depth: int, *, start: bool, end: bool) -> Node:
        match op:
            case "LITERAL":
                return _chars(((value, value),))
            case "NOT_LITERAL":
                return _chars(_complement(((value, value),)))
            case "ANY":
                return _chars(_complement(((10, 10),)))
            case "IN":
                return _chars(self._set(value))
            case "BRANCH":
                branches = (self.sequence(branch, depth + 1, start=start, end=end) for branch in value[1])
                return Alt(tuple(branches))
            case "SUBPATTERN":
                _, added, removed, tree = value
                if added or removed:
                    raise invalid(self._name, "flags such as (?i:…) cannot be used; write both cases, [Aa]")
                return self.sequence(tree, depth + 1, start=start, end=end)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, tree = value
                once = most == 1
                inner = self.sequence(tree, depth + 1, start=start and once, end=end and once)
                return Repeat(inner, int(least), None if most is _parser.MAXREPEAT else int(most))
            case "AT":
                side = _AT.get(str(value))
                if side is None:
                    raise invalid(self._name, "it has a word boundary (\\b, \\B)")
                if not (start if side == "start" else end):
                    raise invalid(self._name, "^ and $ can only stand at the beginning and at the end")
                return _EMPTY
        raise invalid(self._name, f"it has {_REFUSED.get(op, op.lower().replace('_', ' '))}")

    def _set(self, items: Sequence[tuple[Any, Any]]) -> tuple[Range, ...]:
        negate = str(items[0][0]) == "NEGATE"
        ranges: list[Range] = []
        for op, value in items[1:] if negate else items:
            match str(op):
                case "LITERAL":
                    ranges.append((value, value))
                case "RANGE":
                    ranges.append(value)
                case "CATEGORY" if negate:
                    # [^\w] must not have a letter that our \w leaves out, so it is without all that our \W is without.
                    ranges += _complement(_CATEGORIES[_OPPOSITE[str(value)]])
                case "CATEGORY":
                    ranges += _CATEGORIES[str(value)]
                case other:
                    raise invalid(self._name, f"a set has {other.lower()}")
        return _complement(ranges) if negate else _union(ranges)


def _chars(ranges: Iterable[Range]) -> Node:
    # Without what no text can hold.
    return Chars(_complement([*_complement(ranges), *_NEVER]))


def _union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Iterable[Range]) -> tuple[Range, ...]:
    gaps: list[Range] = []
    at = 0
    for low, high in _union(ranges):
        if low > at:
            gaps.append((at, low - 1))
        at = high + 1
    return (*gaps, (at, _LAST)) if at <= _LAST else tuple(gaps)


_ANY = Repeat(_chars(((0, _LAST),)), 0, None)

# -- \d, \s, \w and their opposites: \s is exact, of the others large parts without gaps, each one comparison

_SPACE: tuple[Range, ...] = (
    (0x09, 0x0D),
    (0x1C, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
)
# Latin, Greek, Cyrillic, Japanese, Chinese, Korean.
_WORD: tuple[Range, ...] = (
    (0x30, 0x39),
    (0x41, 0x5A),
    (0x5F, 0x5F),
    (0x61, 0x7A),
    (0xC0, 0xD6),
    (0xD8, 0xF6),
    (0xF8, 0x24F),
    (0x3A3, 0x3E1),
    (0x400, 0x481),
    (0x48A, 0x52F),
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFC),
    (0xAC00, 0xD7A3),
)
# ASCII, punctuation, arrows and signs, Chinese and full-width punctuation, emoji.
_NOT_WORD: tuple[Range, ...] = (
    (0x00, 0x2F),
    (0x3A, 0x40),
    (0x5B, 0x5E),
    (0x60, 0x60),
    (0x7B, 0xA9),
    (0xAB, 0xB1),
    (0x2000, 0x206F),
    (0x2190, 0x245F),
    (0x2500, 0x2775),
    (0x3000, 0x3004),
    (0x3008, 0x3020),
    (0xFF01, 0xFF0F),
    (0xFF1A, 0xFF20),
    (0x1F300, 0x1FAFF),
)
_NOT_DIGIT: tuple[Range, ...] = (
    (0x00, 0x2F),
    (0x3A, 0x65F),
    (0x2000, 0xA61F),
    (0xAC00, 0xFF0F),
    (0xFF1A, 0xFFFD),
    (0x1F300, 0x1FAFF),
)
_CATEGORIES: dict[str, tuple[Range, ...]] = {
    "CATEGORY_DIGIT": ((0x30, 0x39),),
    "CATEGORY_NOT_DIGIT": _NOT_DIGIT,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_SPACE": _complement(_SPACE),
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _NOT_WORD,
}
_OPPOSITE = {name: name.replace("_NOT", "") if "_NOT" in name else name.replace("Y_", "Y_NOT_") for name in _CATEGORIES}
