"""How text is folded and cut, and what counts as a hit."""

from __future__ import annotations

import threading
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.storage.search_text import LARGEST_ENTRY, WINDOW, Folded, Query, fold, index_words, snippet


def marked(text: str, query: str) -> str | None:
    """The snippet with its hits in brackets."""
    pieces = snippet(text, Query.parse(query))
    return None if pieces is None else "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("The Falcon sees far.", "falcon", "The [Falcon] sees far."),
        ("The falconer came.", "falc", "The [falc]oner came."),
        ("The falconer came.", "falc ", None),  # the word is complete
        ("Gyrfalcon", "falc", None),  # not in the middle of a word
        ("far falcon", "falcon far", "[far] [falcon]"),
        ("falcon", "falcon near", None),
        ("hello, world", '"hello world"', "[hello, world]"),
        ("world hello", '"hello world"', None),
        ("hello worldly", '"hello world"', None),
        ("今天天气预报说有雨", "天气", "今天[天气]预报说有雨"),
        ("今天天气预报说有雨", "天气预报", "今[天天气预报]说有雨".replace("[天天气预报]", "天[天气预报]")),
        ("天地之气", "天气", None),
        ("今天天气很好", "气", "今天天[气]很好"),
        ("天气很好，今天", "今天 天气", "[天气]很好，[今天]"),
        ("用Python写程序", "python", "用[Python]写程序"),
        ("用Python写程序", "python写", "用[Python写]程序"),
        ("用Python写程序", "写程序", "用Python[写程序]"),
        ("ＡＢＣ　１２３", "abc 123", "[ＡＢＣ] [１２３]"),
        ("Le Café noir", "cafe", "Le [Café] noir"),
        ("Le Cafe\u0301 noir", "café", "Le [Cafe\u0301] noir"),
        ("STRASSE", "straße", "[STRASSE]"),
        ("Die Straße!", "strasse", "Die [Straße]!"),
        ("한국어를 배우는 학교에서", "학교", "한국어를 배우는 [학교]에서"),
        ("日本語のﾃｷｽﾄ", "テキスト", "日本語の[ﾃｷｽﾄ]"),
        ("ｶﾞｿﾘﾝ", "ガソリン", "[ｶﾞｿﾘﾝ]"),
        ("ภาษาไทยง่าย", "ไทย", "ภาษา[ไทย]ง่าย"),
        ("हिन्दी भाषा", "हिन्दी", "[हिन्दी] भाषा"),
        ("a falcon 🦅 here", "🦅", "a falcon [🦅] here"),
        ("a falcon 🦅 here", "🐦", None),
        ("don't", "don't", "[don't]"),
        ("state-of-the-art", '"of the"', "state-[of-the]-art"),
        ("I like C++ and C#.", "c++", "I like [C]++ and [C]#."),
        ("C:\\temp\\a_b.txt", "a_b.txt", "C:\\temp\\[a_b.txt]"),
        ("falcon", "…", None),
        ("A bot **without a model**: `falcon`", "model", "A bot without a [model]: falcon"),
        ("# Birds\n\n- the **falcon**\n> far", "falcon", "Birds the [falcon] far"),
        ("falcon 2**10 a - b, 2 * 3", "falcon", "[falcon] 2**10 a - b, 2 * 3"),
    ],
)
def test_hits(text: str, query: str, shown: str | None) -> None:
    assert marked(text, query) == shown


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        '"',
        '""',
        '" "',
        "*",
        "^",
        "-",
        "AND",
        "falcon*",
        "NEAR(a b, 3)",
        "words:falcon",
        "a OR b NOT c",
        "'; DROP TABLE messages; --",
        "\\' & | ! <-> :*",
        "\x00",
        "\ud800 falcon",
        "%_",
        "({[",
        "¡fa",
        "¤",
        "¤0",
        '"' * 10_000,
        "a " * 5_000,
        "x" * 10_000,
        "天" * 10_000,
        '"' + "a b " * 2_500 + '"',
    ],
)
def test_any_query_is_just_text(query: str) -> None:
    begun = monotonic()
    parsed = Query.parse(query)
    assert all(word.isalnum() or not word.isascii() for word, _ in parsed.entries())
    parsed.matches(fold("a b a b falcon " * 2_000))
    assert monotonic() - begun < 5


def test_a_typed_letter_is_a_word_and_two_are_a_beginning() -> None:
    assert Query.parse("x").entries() == [("x", False)]
    assert Query.parse("fa").entries() == [("¡fa", False)]
    assert Query.parse("fal").entries() == [("fal", True)]


def test_only_what_the_index_cannot_know_is_read_again() -> None:
    assert all(Query.parse(query).exact for query in ("falcon", "falcon far", "天气", "天气 falcon", "🦅"))
    assert not any(Query.parse(query).exact for query in ('"falcon far"', "天气预报", "x" * 40))


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
def test_the_original_is_shown_and_never_anything_else(text: str, query: str) -> None:
    pieces = snippet(text, Query.parse(query))
    if pieces is not None:
        shown = "".join(piece.text for piece in pieces if piece.text != "…" or "…" in text)
        no_marks = str.maketrans("", "", "*`#>-+")  # of Markdown
        assert "".join(shown.translate(no_marks).split()) in "".join(text.translate(no_marks).split())


@settings(deadline=None)
@given(st.text(max_size=80))
def test_places_in_the_folded_text_have_one_in_the_original(text: str) -> None:
    folded = Folded.of(text)
    assert folded.text == fold(text)
    places = [folded.original(place) for place in range(len(folded.text) + 1)]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_a_text_has_the_entries_of_each_of_its_words(text: str) -> None:
    words = set(index_words(text))
    for phrase in Query.parse(text + " ").phrases:
        assert {word for word, _ in phrase.entries()} <= words


def test_the_snippet_of_a_long_text_is_short_and_has_the_hit() -> None:
    text = "Lorem ipsum dolor sit amet. " * 500 + "Here the falcon lands. " + "Nothing follows, really. " * 500
    shown = marked(text, "falcon")
    assert shown is not None
    assert "[falcon]" in shown
    assert len(shown) < 200
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert not shown[1:].startswith(("orem", "psum"))


def test_where_most_hits_stand_together_is_shown() -> None:
    text = "A falcon. " + "Nothing here. " * 100 + "The falcon and the river, the river and the falcon."
    assert (marked(text, "falcon river") or "").count("[") == 4


def test_an_enormous_text_is_cut_and_still_found_by_its_beginning() -> None:
    text = " ".join(f"word{number}x" for number in range(300_000))
    words = index_words(text)
    assert "word7x" in words
    assert sum(len(word.encode()) + 1 for word in words) <= LARGEST_ENTRY


def test_a_search_in_a_large_text_lets_others_run() -> None:
    text = "a, " * 700_000
    longest, last, done = 0.0, monotonic(), threading.Event()
    query = Query.parse('"' + "a " * 31 + 'b"')

    def search() -> None:
        assert snippet(text, query) is None
        done.set()

    thread = threading.Thread(target=search)
    thread.start()
    while not done.wait(0.001):
        now = monotonic()
        longest, last = max(longest, now - last), now
    thread.join()
    assert longest < 1.0  # in one piece it takes several seconds


@pytest.mark.parametrize("place", [0, WINDOW - 3, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW - 40])
def test_a_phrase_is_found_wherever_a_window_ends(place: int) -> None:
    text = "x " * (place // 2) + " " * (place % 2) + "peregrine " + "," * 70 + " falcon " + "y " * WINDOW
    spans = Query.parse('"peregrine falcon"').matches(text)
    assert spans == [(place, text.index("falcon") + 6)]
    assert Query.parse("peregrine falco n").matches(text) is None
    assert Query.parse('"peregrine falco" y').matches(text) is None
