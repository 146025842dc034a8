"""The guide, the terms, Eyas itself and small talk: the same every time, well formed, complete, and right."""

from __future__ import annotations

import json
import pathlib
import random
import re
import types
from importlib.resources import files

import pytest

from falconry.i18n import table
from falconry.settings import Settings
from training.eyas.corpus.fields import guide, identity, smalltalk, terms
from training.eyas.corpus.fields.asking import Talk, Turn, helps
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import faq, rows

FIELDS = {"guide": guide, "terms": terms, "identity": identity, "smalltalk": smalltalk}
LANGS: tuple[Lang, Lang] = ("en", "zh")
HELPS = ("guide", "terms_more", "identity_more", "smalltalk_more")
FRAMES = (
    "asking",
    "guide_frames",
    "terms_frames",
    "identity_frames",
    "smalltalk_frames",
    "guide_beyond",
    "terms_beyond",
)


def draws(talks: tuple[tuple[Talk, float], ...], lang: Lang, seed: int, count: int) -> list[list[Turn]]:
    rng = random.Random(seed)
    kinds, weights = zip(*talks, strict=True)
    return [rng.choices(kinds, weights)[0](lang, rng) for _ in range(count)]


def answers(turns: list[list[Turn]]) -> set[str]:
    return {answer for talk in turns for _, answer in talk}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_the_same_seed_gives_the_same_talks(field: types.ModuleType, lang: Lang) -> None:
    assert draws(field.TALKS, lang, 3, 100) == draws(field.TALKS, lang, 3, 100)
    assert draws(field.TALKS, lang, 3, 100) != draws(field.TALKS, lang, 4, 100)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_talks_are_well_formed(field: types.ModuleType, lang: Lang) -> None:
    for talk in draws(field.TALKS, lang, 7, 1500):
        for asked, answer in talk:
            assert asked
            assert answer
            assert asked.strip() == asked
            assert answer.strip() == answer
            assert not re.search(r"\{\w+\}", answer.replace("{text}", "").replace("{文字}", "")), answer
            assert not re.search(r"\{[a-zA-Z]\}", asked), asked
            assert not re.search(r"\|\||  |\.\.|。。|的的|是是", answer), answer


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_questions_are_many_and_a_third_goes_on(field: types.ModuleType, lang: Lang) -> None:
    talks = draws(field.TALKS, lang, 5, 5000)
    assert len({talk[0][0] for talk in talks}) >= 0.8 * 5000
    assert sum(len(talk) > 1 for talk in talks) >= 0.3 * 5000


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_first_answers_are_in_the_language_of_the_question(field: types.ModuleType, lang: Lang) -> None:
    switched = next(entry for entry in helps("smalltalk_more") if entry.name == "language switch")
    for talk in draws(field.TALKS, lang, 11, 800):
        if talk[0][1] in switched.get(lang, "="):
            continue
        chinese = len(re.findall("[\u4e00-\u9fff]", talk[0][1]))
        assert chinese >= 2 if lang == "zh" else chinese <= 4, talk


@pytest.mark.parametrize("name", HELPS)
def test_every_heading_has_both_languages(name: str) -> None:
    for entry in helps(name):
        for lang in LANGS:
            assert entry.get(lang, "="), entry.name
            assert any(entry.get(lang, mark) for mark in "~*?"), entry.name
        for mark in "~*?+>$!^":
            assert bool(entry.get("en", mark)) == bool(entry.get("zh", mark)), (entry.name, mark)
        for (_, mark), texts in entry.texts.items():
            for text in texts:
                if mark in "~*?":
                    parse(text)


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_has_both_languages(name: str) -> None:
    for entry in faq(name).values():
        assert entry.questions["en"] or entry.answers["en"], entry.name
        for lang in LANGS:
            assert bool(entry.questions[lang]) == bool(entry.questions["en"]), entry.name
            assert bool(entry.answers[lang]) == bool(entry.answers["en"]), entry.name
            for pattern in entry.questions[lang]:
                parse(pattern)


@pytest.mark.parametrize("lang", LANGS)
def test_every_heading_is_reached(lang: Lang) -> None:
    found = answers(draws(guide.TALKS, lang, 1, 6000))
    assert not [entry.name for entry in helps("guide") if entry.get(lang, "=")[0] not in found]
    for row in rows("guide_commands"):
        assert any(f"`{row[0]}`" in answer for answer in found), row
    for row in rows("guide_settings"):
        assert any(f"`{row[0]}`" in answer for answer in found), row
    found = answers(draws(terms.TALKS, lang, 1, 9000))
    assert not [term.names for term in terms.terms() if term.answer(lang) not in found]
    assert not [row for row in rows("terms_pairs") if row[4 if lang == "en" else 5] not in found]
    found = answers(draws(identity.TALKS, lang, 1, 4000))
    assert not [entry.name for entry in helps("identity_more") if identity.fill(entry.get(lang, "=")[0]) not in found]
    found = answers(draws(smalltalk.TALKS, lang, 1, 6000))
    assert not [entry.name for entry in helps("smalltalk_more") if entry.get(lang, "=")[0] not in found]
    assert not [row for row in rows("jokes_more") if row[2 if lang == "en" else 3] not in found]


def test_the_guide_knows_every_setting() -> None:
    assert {row[0] for row in rows("guide_settings")} == set(Settings.model_fields)


def test_the_guide_knows_every_verb() -> None:
    page = pathlib.Path(__file__).parents[2].joinpath("docs", "cli.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^## (falconry .+)$", page, re.MULTILINE)) - {
        "falconry endpoints",
        "falconry users",
        "falconry keys",
    }
    known = {row[0] for row in rows("guide_commands")}
    assert verbs <= known
    for flag, command, *_ in rows("guide_flags"):
        assert flag in page.split(f"## {command}\n", 1)[1].split("\n## ", 1)[0], (flag, command)


def test_buttons_are_named_as_on_the_pages() -> None:
    texts = {lang: set(table(lang, "web").values()) for lang in LANGS}
    for row in rows("guide_buttons"):
        assert row[0] in texts["en"] or row[0] == "Continue", row[0]
        assert row[1] in texts["zh"], row[1]
    for row in rows("guide_pages"):
        assert row[0] in texts["en"], row
        assert row[1] in texts["zh"], row


def test_personas_are_those_that_come_along() -> None:
    for lang, column in (("en", 0), ("zh", 2)):
        text = files("falconry.library").joinpath("shipped", f"{lang}.json").read_text(encoding="utf-8")
        assert json.loads(text)
        assert all(f'"{row[column]}"' in text for row in rows("guide_personas"))


FACTS = {
    "stop": ("Escape", "Esc"),
    "bigger model": ("Best for you", "最适合你的模型"),
    "cut off": ('"Continue"', "“继续生成”"),
    "search": ("Ctrl+K", "Ctrl+K"),
    "install": ("`falconry`", "`falconry`"),
    "network": ("falconry users add", "falconry users add"),
    "free": ("Apache 2.0", "Apache 2.0"),
    "address": ("127.0.0.1:7860", "127.0.0.1:7860"),
    "api": ("127.0.0.1:7860/v1", "127.0.0.1:7860/v1"),
    "where conversations": ("~/.local/share/falconry", "~/.local/share/falconry"),
    "dark mode": ("Alt+Shift+L", "Alt+Shift+L"),
    "problem": ("falconry doctor", "falconry doctor"),
}


@pytest.mark.parametrize("name", FACTS)
def test_some_answers_are_right(name: str) -> None:
    entry = next(entry for entry in helps("guide") if entry.name == name)
    for lang, fact in zip(LANGS, FACTS[name], strict=True):
        assert fact in entry.get(lang, "=")[0]


def test_claims_are_balanced() -> None:
    rng = random.Random(2)
    said = [terms.claim_talk("en", rng)[0][1].startswith("Yes: ") for _ in range(2000)]
    assert 0.45 < sum(said) / len(said) < 0.55
