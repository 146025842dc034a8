"""Text as the search sees it: folded, cut into words, matched with what a person looks for.

Written once for all databases, which are asked for words only. English words stand between blanks, Chinese ones do
not, so scripts without blanks are indexed by their characters and by their pairs: a word of two characters is one entry
of the index, and a longer one is looked for by its pairs and then in the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

LONGEST_WORD = 32  # characters of a word that are indexed; the rest is compared in the text itself
LARGEST_ENTRY = 900_000  # bytes of all words of one text: PostgreSQL takes a MiB
MOST_ENTRIES = 48  # words of a query that are asked of the index
MOST_PHRASES = 32  # of a query, and words of a phrase; more than a person looks for
MOST_BETWEEN = 80  # characters of blanks and punctuation between two words of a phrase
WINDOW = 64 * 1024  # characters that are searched at a time
LOOK_AHEAD = 256  # characters behind a match that decide whether it ends with a word
MOST_MARKS = 100  # hits of one phrase that are looked for in one text
PREFIX_MARK = "¡"  # before the first two letters of each word; no letter itself
SNIPPET = 160  # characters

# Scripts without blanks between words; Korean has some, but compounds and endings are written together.
_DENSE = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0eff\u1000-\u109f\u1780-\u17d3\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f"
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_WORD = rf"[^\W_{_DENSE}]|[{_MARKS}]"
_SIGNS = (
    "\u00a2-\u00a9\u00ac\u00ae-\u00b1\u00d7\u00f7\u20a0-\u20cf\u2100-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001fbff"
)
_UNITS = re.compile(rf"(?P<dense>[{_DENSE}]+)|(?P<word>(?:{_WORD})+)|(?P<sign>[{_SIGNS}])")
# A character with the marks that belong to it, where folding may change either.
_ATTACHED = (
    "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1160-\u11ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a"
    "\ufe00-\ufe0f\ufe20-\ufe2f\uff9e\uff9f"
)
_STABLE = "\x00-\x7f\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"  # folding changes none of these by itself
_CLUSTER = re.compile(rf"(?:[^{_STABLE}][{_ATTACHED}]*|[{_STABLE}][{_ATTACHED}]+)")
_UNSTABLE = re.compile(f"[^{_STABLE}]")
_MARKED = re.compile(f"[{_ATTACHED}]")
_DROPPED = re.compile(
    "[\u00ad\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u2060\u20d0-\u20ff"
    "\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]"
)


@lru_cache(maxsize=16384)
def _fold_cluster(cluster: str) -> str:
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", cluster).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", plain))


def fold(text: str) -> str:
    """Text without case, width, accents and invisible characters: `Ｃａｆé` and `cafe` are the same."""
    lower = _lower_ascii(text)
    return lower if lower.isascii() else _changing(lower).sub(lambda match: _fold_cluster(match[0]), lower)


def _changing(text: str) -> re.Pattern[str]:
    """What folding may change in a text; the quicker pattern where no marks stand behind their letters."""
    return _CLUSTER if _MARKED.search(text) else _UNSTABLE


_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lower_ascii(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text that knows where its characters come from.

    Attributes:
        breaks: pairs of a place in the folded text and the place in the original where they differ in length, rising.
    """

    text: str
    breaks: tuple[tuple[int, int], ...]
    length: int

    @classmethod
    def of(cls, original: str) -> Folded:
        lower = _lower_ascii(original)
        parts: list[str] = []
        breaks: list[tuple[int, int]] = []
        made = read = 0
        for match in () if lower.isascii() else _changing(lower).finditer(lower):
            parts.append(lower[read : match.start()])
            made += match.start() - read
            folded = _fold_cluster(match[0])
            if len(folded) != match.end() - match.start():
                breaks += [(made, match.start()), (made + len(folded), match.end())]
            parts.append(folded)
            made += len(folded)
            read = match.end()
        return cls("".join([*parts, lower[read:]]), tuple(breaks), len(original))

    def original(self, place: int, *, end: bool = False) -> int:
        """The place in the original of one in the folded text; of an end, behind all marks of the character before."""
        low, high = 0, len(self.breaks)
        while low < high:
            middle = (low + high) // 2
            if self.breaks[middle][0] < place or (self.breaks[middle][0] == place and end):
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return min(place, self.length)
        made, read = self.breaks[low - 1]
        ceiling = self.breaks[low][1] if low < len(self.breaks) else self.length
        return min(read + place - made, ceiling)


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a run of characters of a script without blanks, or a sign such as an emoji."""

    kind: str
    text: str


def _units(folded: str) -> Iterator[Unit]:
    for match in _UNITS.finditer(folded):
        yield Unit(match.lastgroup or "", match[0])


def index_words(text: str) -> list[str]:
    """All entries of a text in the index, each once, in order; at most `LARGEST_ENTRY` bytes of them."""
    found: dict[str, None] = {}
    for unit in _units(fold(text)):
        if unit.kind == "word":
            found[unit.text[:LONGEST_WORD]] = None
            if len(unit.text) >= 2:
                found[PREFIX_MARK + unit.text[:2]] = None
        else:
            found.update(dict.fromkeys(unit.text))
            found.update(dict.fromkeys(map("".join, zip(unit.text, unit.text[1:], strict=False))))
    size = 0
    kept: list[str] = []
    for word in found:
        size += len(word.encode()) + 1
        if size > LARGEST_ENTRY:
            break
        kept.append(word)
    return kept


@dataclass(frozen=True, slots=True)
class Phrase:
    """Units that stand one after the other, with nothing but blanks and punctuation between them.

    Attributes:
        open: the last word may go on, since it is still being typed.
    """

    units: tuple[Unit, ...]
    open: bool = False

    def pattern(self) -> str:
        """A regular expression for folded text."""
        parts = []
        for unit, following in zip(self.units, [*self.units[1:], None], strict=True):
            text = re.escape(unit.text)
            if unit.kind == "word":
                ends = "" if self.open and following is None else f"(?!{_WORD})"
                # The word first: a search for a plain text is many times as fast as one that begins with a question.
                text = f"{text}(?<!(?:{_WORD}){text}){ends}"
            parts.append(text)
        return _BETWEEN.join(parts)

    def entries(self) -> Iterator[tuple[str, bool]]:
        """What the index is asked for: words, and whether other words that begin so are as good."""
        for place, unit in enumerate(self.units):
            if unit.kind == "word":
                yield from _word_entries(unit.text, self.open and place == len(self.units) - 1)
            elif len(unit.text) == 1:
                yield unit.text, False
            else:
                yield from (("".join(pair), False) for pair in zip(unit.text, unit.text[1:], strict=False))

    @property
    def longest(self) -> int:
        """Characters that it can take up in a folded text."""
        return sum(len(unit.text) for unit in self.units) + MOST_BETWEEN * (len(self.units) - 1)

    @property
    def exact(self) -> bool:
        """Whether a text that has the entries surely has the phrase."""
        (first, *others) = self.units
        return not others and len(first.text) <= (LONGEST_WORD if first.kind == "word" else 2)


_BETWEEN = rf"(?:[^\w{_DENSE}{_MARKS}{_SIGNS}]|_){{0,{MOST_BETWEEN}}}"


def _word_entries(word: str, is_open: bool) -> Iterator[tuple[str, bool]]:
    if not is_open or len(word) == 1:
        yield word[:LONGEST_WORD], False
    elif len(word) == 2:
        yield PREFIX_MARK + word, False
    else:
        yield word[:LONGEST_WORD], len(word) < LONGEST_WORD


@dataclass(frozen=True, slots=True)
class Query:
    """What a person looks for: texts that have all of the phrases."""

    phrases: tuple[Phrase, ...]

    @classmethod
    def parse(cls, text: str) -> Query:
        """Words, all of which must be there; "in quotes" one after the other; the last one may be a beginning.

        Nothing is a mistake: whatever is no word is punctuation.
        """
        folded = fold(text)
        phrases: dict[Phrase, None] = {}
        parts = re.split('["\u201c\u201d\u201e\u201f\u00ab\u00bb]', folded)
        for place, part in enumerate(parts):
            quoted = place % 2 == 1 and place < len(parts) - 1
            for piece in [part] if quoted else part.split():
                units = tuple(islice(_units(piece), MOST_PHRASES))
                ends_so = place == len(parts) - 1 and folded.endswith(units[-1].text) if units else False
                is_last = ends_so and part.endswith(piece)
                if units:
                    last = units[-1]
                    is_open = is_last and last.kind == "word" and len(last.text) > 1
                    phrases[Phrase(units, is_open)] = None
        return cls(tuple(phrases)[:MOST_PHRASES])

    def entries(self) -> list[tuple[str, bool]]:
        """What the index is asked for, the most telling first where there are too many."""
        found = dict.fromkeys(entry for phrase in self.phrases for entry in phrase.entries())
        return sorted(found, key=lambda entry: -len(entry[0]))[:MOST_ENTRIES]

    @property
    def exact(self) -> bool:
        """Whether a text that has the entries surely has all phrases, so that it need not be looked at."""
        entries = dict.fromkeys(entry for phrase in self.phrases for entry in phrase.entries())
        return len(entries) <= MOST_ENTRIES and all(phrase.exact for phrase in self.phrases)

    def matches(self, folded: str) -> list[tuple[int, int]] | None:
        """Where the phrases stand in a folded text, in order; None where one is missing."""
        found: list[tuple[int, int]] = []
        for pattern, phrase in zip(_patterns(self), self.phrases, strict=True):
            places = list(islice(_spans(pattern, folded, phrase.longest), MOST_MARKS))
            if not places:
                return None
            found += places
        return _joined(sorted(found))


def _spans(pattern: re.Pattern[str], folded: str, longest: int) -> Iterator[tuple[int, int]]:
    """Where a pattern matches, window by window.

    The regular expressions' engine lets no other thread run while it searches, and in a text of megabytes a phrase that
    nearly matches everywhere takes seconds.
    """
    done = 0
    for start in range(0, len(folded), WINDOW):
        # What begins in this window may end behind it, and what follows a word decides whether it is one.
        for match in pattern.finditer(folded, max(start, done), start + WINDOW + longest + LOOK_AHEAD):
            if match.start() >= start + WINDOW:
                break
            done = match.end()
            yield match.span()


@lru_cache(maxsize=64)
def _patterns(query: Query) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(phrase.pattern()) for phrase in query.phrases)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a snippet. `hit`: it is what was looked for."""

    text: str
    hit: bool


def snippet(text: str, query: Query) -> tuple[Piece, ...] | None:
    """The part of a text that shows best where the query's words stand; None where they do not all stand there."""
    # First without the places, which take longer: most texts that are only looked through end here.
    spans = query.matches(fold(text))
    if not spans:
        return None
    folded = Folded.of(text)
    places = [(folded.original(start), folded.original(end, end=True)) for start, end in spans]
    start, end = _window(text, places)
    pieces: list[Piece] = []
    done = start
    if start > 0:
        pieces.append(Piece("…", False))
    for first, last in places:
        if first < start or first >= end:
            continue
        if first > done:
            pieces.append(Piece(_line(text, done, first), False))
        pieces.append(Piece(_line(text, first, min(last, end)), True))
        done = min(last, end)
    if done < end:
        pieces.append(Piece(_line(text, done, end), False))
    if end < len(text):
        pieces.append(Piece("…", False))
    return tuple(piece for piece in pieces if piece.text)


# What Markdown shows as bold type, code, headings, quotes and lists; `2**10` and `a - b` are none of that.
_MARKDOWN = re.compile(r"(?<!\w)\*\*(?=\S)|(?<=\S)\*\*(?!\w)|`+|(?:(?<=\n)|\A)[ \t]*(?:#{1,6}|>|[-*+])[ \t]+")


def _line(text: str, start: int, end: int) -> str:
    """A part of a text as one line without the marks of Markdown: a snippet is shown in a list."""
    parts: list[str] = []
    for mark in _MARKDOWN.finditer(text, start, end + 2):
        if mark.start() >= end:
            break
        parts.append(text[start : mark.start()])
        start = min(mark.end(), end)
    return re.sub(r"\s+", " ", "".join([*parts, text[start:end]]))


_CUT = re.compile(r"[\s。，！？；、.!?;]")


def _window(text: str, places: list[tuple[int, int]]) -> tuple[int, int]:
    """From where to where: around as many hits as fit, and never through a word where that can be helped."""
    starts = [first for first, _ in places]
    near = [bisect_left(starts, first + SNIPPET // 2) - number for number, first in enumerate(starts)]
    best = places[near.index(max(near))]
    start = max(0, best[0] - SNIPPET // 3)
    end = min(len(text), start + max(SNIPPET, best[1] - start))
    end = min(end, start + 2 * SNIPPET)
    if start > 0 and (cut := _CUT.search(text, start, min(best[0], start + 30))):
        start = cut.end()
    if end < len(text):
        tail = max(best[1], end - 24)
        if tail < end and (cuts := list(_CUT.finditer(text, tail, end))):
            end = cuts[-1].start() or end
    return start, end
