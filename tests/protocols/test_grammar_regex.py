"""Regular expressions as grammars: what a grammar writes, `re` takes; what cannot be a grammar is refused by name."""

from __future__ import annotations

import random
import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.errors import InvalidRequest
from falconry.protocols import regex
from falconry.protocols.grammar import regex_to_gbnf
from falconry.protocols.portable_regex import portable_regex
from falconry.protocols.word_list import pattern_of
from tests.protocols.schemas import random_pattern

_ELEMENT = re.compile(r'""|\[(?:\\.|[^\\\]])*\]|[a-z]+[0-9]*')
_CHAR = re.compile(r"\\x(..)|\\u(....)|\\U(........)|(.)", re.DOTALL)


def code(match: re.Match[str]) -> int:
    digits = match[1] or match[2] or match[3]
    return int(digits, 16) if digits else ord(match[4])


def one_of(element: str, chance: random.Random) -> str:
    """A random character of a set."""
    inside = element[1:-1].removeprefix("^")
    codes, dash, at = list[tuple[int, int]](), False, 0
    while match := _CHAR.match(inside, at):
        at = match.end()
        if match[0] == "-":
            dash = True
        elif dash:
            codes[-1], dash = (codes[-1][0], code(match)), False
        else:
            codes.append((code(match), code(match)))
    if not element.startswith("[^"):
        return chr(chance.randint(*chance.choice(codes)))
    while True:
        char = chance.choice((chance.randint(1, 0x2FF), chance.randint(1, 0xD7FF), chance.randint(0xE000, 0x10FFFF)))
        if not any(low <= char <= high for low, high in codes):
            return chr(char)


def write(grammar: str, chance: random.Random, most: int = 300) -> str | None:
    """A random text that the grammar allows; None where it does not end soon."""
    rules = {}
    for line in grammar.splitlines():
        name, _, body = line.partition(" ::= ")
        rules[name] = [_ELEMENT.findall(way) for way in re.split(r" \| ", body)]
    text, rule = "", "root"
    while len(text) < most:
        way = chance.choice(rules[rule])
        if way == ['""']:
            return text
        text += one_of(way[0], chance)
        if len(way) == 1:
            return text
        rule = way[1]
    return None


def texts(pattern: str, seed: int, number: int = 20) -> list[str]:
    chance, grammar = random.Random(seed), regex_to_gbnf(pattern)
    return [text for _ in range(number) if (text := write(grammar, chance)) is not None]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{3}-\d{4}",
        "(a*)*",
        "((a*)(b*))*",
        "(|a)+?",
        "(()|a)+?b",
        "",
        "a|",
        "^^a$$",
        r"\Aab\Z",
        "(^a|b)$",
        "^(red|green|隼)$",
        r"[\w.+-]+@[\w-]+(\.[\w-]+)+",
        r"[^\w\s]+",
        r"\W\D\S",
        r"[^\W\d]+",
        "[]^-]+",
        "[\u4e00-\u9fff，。]{1,20}",
        r"(?:25[0-5]|2[0-4]\d|[01]?\d\d?)(\.(?:25[0-5]|2[0-4]\d|[01]?\d\d?)){3}",
        "(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])",
        "(a|ab)(c|bcd)(d*)",
        r"[\x00-\uffff]{5}",
        "[\\s\\S]*",
        "a{0,1000}",
        ".{1,2000}?",
        '"\\\\\\n"',
        "(a|b)*a(a|b){8}",
    ],
)
def test_whatever_the_grammar_writes_matches(pattern: str) -> None:
    written = texts(pattern, 7, 100)
    assert written
    for text in written:
        assert re.fullmatch(pattern, text), text


@given(st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_whatever_the_grammar_of_any_pattern_writes_matches(seed: int) -> None:
    pattern = random_pattern(seed)
    try:
        written = texts(pattern, seed)
    except InvalidRequest:
        return
    assert all(re.fullmatch(pattern, text) for text in written)


@given(st.from_regex(r"[ab隼(){}\[\]|*+?.^$\\0-9,:<>!=P-]{0,30}", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_nonsense_is_a_grammar_or_refused(pattern: str) -> None:
    try:
        grammar = regex_to_gbnf(pattern)
    except InvalidRequest:
        return
    text = write(grammar, random.Random(1))
    assert text is None or re.fullmatch(pattern, text)


def test_the_characters_of_categories_are_some_of_theirs() -> None:
    for name, ranges in regex._CATEGORIES.items():
        letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rsplit("_", 1)[1]]
        category = re.compile("\\" + (letter.upper() if "_NOT_" in name else letter) + "+")
        for low, high in ranges:
            assert category.fullmatch("".join(map(chr, range(low, high + 1)))), (name, hex(low))


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (r"(a)\1", "a reference back to a group"),
        ("(?P<n>a)(?P=n)", "a reference back to a group"),
        ("(a)?(?(1)b|c)", "a condition on a group"),
        ("(?=a)b", "looking ahead or behind"),
        ("(?<!a)b", "looking ahead or behind"),
        ("(?>a)b", "an atomic group"),
        ("a++", "a possessive repeat"),
        (r"\bword", "a word boundary"),
        ("(?i)a", "flags"),
        ("(?i:a)b", "flags"),
        ("(?s).", "flags"),
        ("a^b", "only stand at the beginning and at the end"),
        ("(a$|b)c", "only stand at the beginning and at the end"),
        ("(^a)*", "only stand at the beginning and at the end"),
        ("(a", "missing )"),
        ("[z-a]", "bad character range"),
        ("a{5,3}", "min repeat greater than max repeat"),
        ("a{99999999999}", "counts too far"),
        ("[^\\s\\S]", "no text can match it"),
        ("\ud800", "no text can match it"),
        ("(" * 80 + ")" * 80, "deeper than"),
        ("(" * 2000 + ")" * 2000, "deep"),
        (r"\p{L}", "bad escape"),
    ],
)
def test_what_no_grammar_can_say_is_refused_by_name(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(problem)) as caught:
        regex_to_gbnf(pattern)
    assert caught.value.code == "invalid_regex"


@pytest.mark.parametrize(
    ("pattern", "code_"),
    [
        ("a" * 5000, "regex_too_large"),
        ("((((a{50}){50}){50}){50}){50}", "regex_too_complex"),
        ("(a{1,50}){1,50}", "regex_too_complex"),
        ("(a|b)*a(a|b){15}", "regex_too_complex"),
        ("(a?){3000}", "regex_too_complex"),
        ("(" * 30 + "a" + "{2,3})" * 30, "regex_too_complex"),
        ("((a?){30}(b?){30}(c?){30}){30}", "regex_too_complex"),
        ("[" + "".join(chr(0x4E00 + 2 * number) for number in range(1000)) + "]", "regex_too_complex"),
    ],
)
def test_what_would_take_long_is_refused_soon(pattern: str, code_: str) -> None:
    start = perf_counter()
    with pytest.raises(InvalidRequest) as caught:
        regex_to_gbnf(pattern)
    assert caught.value.code == code_
    assert perf_counter() - start < 1


@pytest.mark.parametrize(
    ("pattern", "portable"),
    [
        ("^[a-z]+$", "^[a-z]+$"),
        (r"^\d{3}(-\d)?$", r"^[0-9]{3}([\x2d][0-9])?$"),
        ("^(?:ab|c){2,}$", "^(ab|c){2,}$"),
        ("^(?P<a>x)*?$", "^x*$"),
        ("^隼+$", "^[隼]+$"),
        ("^(a*)*$", "^(a+)*$"),
        ("^(a?b*)+$", "^(ab*|b+)*$"),
        ("^(a|b|)+$", "^(a|b)*$"),
    ],
)
def test_a_pattern_of_a_schema_is_written_plainly(pattern: str, portable: str) -> None:
    assert portable_regex(pattern) == portable


def test_a_pattern_without_anchors_may_match_anywhere() -> None:
    for pattern in ("b", "^b", "b$", "a|^b$", "^(a|b)$"):
        portable = re.compile(portable_regex(pattern))
        for text in ("b", "xb", "bx", "xbx", "a", "xa", "隼"):
            assert bool(portable.search(text)) == bool(re.search(pattern, text)), (pattern, text)


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_a_plain_pattern_takes_only_what_the_pattern_takes(seed: int) -> None:
    pattern = random_pattern(seed)
    try:
        portable = portable_regex(f"^(?:{pattern})$")
        written = texts(portable, seed)
    except InvalidRequest:
        return
    for text in written:
        assert re.fullmatch(pattern, text)
        assert not re.search(r'["\\\x00-\x1f\x7f]', text)


def test_a_pattern_of_what_json_escapes_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="quotes, backslashes or control characters"):
        portable_regex('^"$')


@given(st.lists(st.text("ab隼 -/", min_size=1, max_size=6), min_size=50, max_size=80))
def test_a_list_of_words_as_a_pattern_is_exactly_these(words: list[str]) -> None:
    pattern = pattern_of(words)
    assert pattern is not None
    for word in words:
        assert re.search(pattern, word)
        assert bool(re.search(pattern, word[:-1])) == (word[:-1] in words)
    assert all(text in words for text in texts(pattern, 1))


def test_short_lists_and_such_that_json_escapes_are_no_pattern() -> None:
    assert pattern_of(["a"] * 10) is None
    assert pattern_of([f"{number}\n" for number in range(100)]) is None
    assert pattern_of([*range(100)]) is None
