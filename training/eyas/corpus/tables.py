"""Reads the files in ``data/`` into values.

``.psv`` holds rows with ``|`` between the cells, ``.lists`` lists of words, and ``.faq`` patterns of questions with
answers.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

from training.eyas.corpus.grammar import Lang

DATA = pathlib.Path(__file__).parent.parent / "data"


@dataclasses.dataclass(frozen=True)
class Animal:
    """One animal. Height in centimetres, weight in kilograms, speed in km/h; strength and danger on our own scales."""

    names: dict[Lang, str]
    plural: str
    habitats: tuple[str, ...]
    strength: float
    speed: float
    weight: float
    height: float
    danger: float
    facts: dict[Lang, str]


@dataclasses.dataclass(frozen=True)
class Habitat:
    """A place where animals live, with the ways in which people ask for it."""

    key: str
    names: dict[Lang, str]
    places: dict[Lang, tuple[str, ...]]
    descriptions: dict[Lang, str]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One heading of a ``.faq`` file: question patterns, topics ("what is …") and answers, per language."""

    name: str
    questions: dict[Lang, tuple[str, ...]]
    topics: dict[Lang, tuple[str, ...]]
    answers: dict[Lang, tuple[str, ...]]


def rows(name: str) -> list[list[str]]:
    """The rows of ``data/<name>.psv``; lines that begin with ``#`` are comments."""
    lines = (DATA / f"{name}.psv").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.strip() and not line.startswith("#")]


@functools.cache
def animals() -> tuple[Animal, ...]:
    """All animals Eyas knows."""
    return tuple(
        Animal(
            names={"en": row[0], "zh": row[2]},
            plural=row[1],
            habitats=tuple(row[3].split()),
            strength=float(row[4]),
            speed=float(row[5]),
            weight=float(row[6]),
            height=float(row[7]),
            danger=float(row[8]),
            facts={"en": row[9], "zh": row[10]},
        )
        for row in rows("animals")
    )


@functools.cache
def habitats() -> tuple[Habitat, ...]:
    """All habitats with enough animals for a list."""
    return tuple(
        Habitat(
            key=row[0],
            names={"en": row[1], "zh": row[3]},
            places={"en": tuple(row[2].split(";")), "zh": tuple(row[4].split(";"))},
            descriptions={"en": row[5], "zh": row[6]},
        )
        for row in rows("habitats")
    )


@functools.cache
def faq(name: str) -> dict[str, Entry]:
    """The entries of ``data/<name>.faq`` by heading. ``\\n`` in an answer is a line break."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading = ""
    for line in (DATA / f"{name}.faq").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            found[heading] = []
        elif line.strip() and not line.startswith("#"):
            mark, text = line.split(" ", 1)
            found[heading].append((mark, text.strip().replace("\\n", "\n")))
    return {heading: _entry(heading, lines) for heading, lines in found.items()}


def _entry(heading: str, lines: list[tuple[str, str]]) -> Entry:
    def collect(sign: str) -> dict[Lang, tuple[str, ...]]:
        langs: tuple[Lang, Lang] = ("en", "zh")
        return {lang: tuple(text for mark, text in lines if mark == lang + sign) for lang in langs}

    topics = {lang: tuple(";".join(texts).split(";")) if texts else () for lang, texts in collect("*").items()}
    return Entry(heading, questions=collect("?"), topics=topics, answers=collect("="))


@functools.cache
def lists(name: str) -> dict[str, tuple[str, ...]]:
    """The word lists of ``data/<name>.lists``, by heading such as ``topic.en``."""
    found: dict[str, tuple[str, ...]] = {}
    heading = ""
    for line in (DATA / f"{name}.lists").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.strip() and not line.startswith("#"):
            found[heading] = found.get(heading, ()) + tuple(line.split(";"))
    return found


def wording(name: str, lang: Lang) -> str:
    """The pattern under a heading of ``data/wordings.faq``."""
    return faq("wordings")[name].questions[lang][0]


def saying(name: str, lang: Lang) -> str:
    """Eyas's words under a heading of ``data/wordings.faq``."""
    return faq("wordings")[name].answers[lang][0]


def words(name: str, lang: Lang) -> tuple[str, ...]:
    """A list of ``data/words.lists``."""
    return lists("words")[f"{name}.{lang}"]
