"""Patterns of JSON schemas in the part of the language of regular expressions that all engines read alike.

One reader of llama.cpp is Rust's, the other knows groups, sets and counts, and takes "any text" for what it does not
know, \\w for instance. Both put what they match into a JSON string as it is.
"""

from __future__ import annotations

from falconry.protocols.automaton import Alt, Chars, Node, Range, Repeat, Seq, TooComplex
from falconry.protocols.empty_repeats import without_empty_repeats
from falconry.protocols.regex import MAX_PATTERN, NO_TEXT, invalid, parse_pattern, strip, too_complex, write_grammar

_NAME = "The pattern"
# What a JSON string cannot hold as it is: control characters, quotes, backslashes. DEL is refused by one reader.
_ESCAPED: tuple[Range, ...] = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F))
_WIDEST = 32
"""Ways to read a pattern that may be open at once. (a?b?c?){60} has 180, and llama.cpp took 0.2 s for a token."""


def portable_regex(pattern: str) -> str:
    """The same pattern, anchored at both ends, without what would have to be escaped in a JSON string.

    As JSON schema has it, a pattern may match anywhere in the text unless it says ^ and $.

    Raises:
        InvalidRequest: "invalid_regex", "regex_too_large", "regex_too_complex".
    """
    parsed = parse_pattern(pattern, _NAME, anywhere=True)
    tree = strip(parsed, _ESCAPED)
    if write_grammar(tree, _NAME, widest=_WIDEST) is None:
        problem = "it has to have quotes, backslashes or control characters, which are escaped in JSON"
        raise invalid(_NAME, problem if write_grammar(parsed, _NAME) else NO_TEXT)
    try:
        text = _write(without_empty_repeats(tree))
    except TooComplex as error:
        raise too_complex(_NAME, error) from error
    if len(text) > MAX_PATTERN:
        raise too_complex(_NAME, "it is too long when written plainly")
    return f"^{text}$"


def _write(node: Node) -> str:
    match node:
        case Chars(ranges):
            return _set(ranges)
        case Seq(nodes):
            return "".join(_write(inner) if not isinstance(inner, Alt) else _group(inner) for inner in nodes)
        case Alt():
            return _group(node)
        case Repeat(inner, least, most):
            return _atom(inner) + _times(least, most)


def _group(node: Node) -> str:
    return f"({'|'.join(map(_write, node.nodes))})" if isinstance(node, Alt) else f"({_write(node)})"


def _atom(node: Node) -> str:
    return _write(node) if isinstance(node, Chars) else _group(node)


def _times(least: int, most: int | None) -> str:
    match least, most:
        case 0, 1:
            return "?"
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case _, None:
            return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _set(ranges: tuple[Range, ...]) -> str:
    # Outside of a set one reader takes a character for its bytes, and repeats the last one.
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1] and (char := chr(ranges[0][0])).isascii() and char.isalnum():
        return char
    return f"[{''.join(_char(low) if low == high else f'{_char(low)}-{_char(high)}' for low, high in ranges)}]"


def _char(code: int) -> str:
    """One reader knows only some escapes of signs in a set, the other takes two signs for an operator."""
    char = chr(code)
    return f"\\x{code:02x}" if char.isascii() and not char.isalnum() else char
