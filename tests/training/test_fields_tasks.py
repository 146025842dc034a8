"""Arithmetic, work on texts, translation and JSON: right, seeded, in both languages and in many wordings."""

from __future__ import annotations

import importlib
import json
import random
import re

import pytest

from training.eyas.corpus.fields import arithmetic, common, json_skills, text_skills, translate
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import faq

LANGS: tuple[Lang, Lang] = ("en", "zh")
FIELDS = ("arithmetic", "text_skills", "translate", "json_skills")
FILES = ("arithmetic", "arithmetic_stories", "text_skills", "text_words", "text_reading", "translate", "json_skills")
both = pytest.mark.parametrize("lang", LANGS)
every = pytest.mark.parametrize("field", FIELDS)


def draw(field: str, lang: Lang, count: int, seed: int = 1) -> list[list[tuple[str, str]]]:
    talks = importlib.import_module(f"training.eyas.corpus.fields.{field}").TALKS
    rng = random.Random(seed)
    return [common.drawn(talks, lang, rng) for _ in range(count)]


@both
@every
def test_the_same_seed_gives_the_same_talks(field: str, lang: Lang) -> None:
    assert draw(field, lang, 60) == draw(field, lang, 60)
    assert draw(field, lang, 60) != draw(field, lang, 60, seed=2)


@both
@every
def test_nothing_is_left_unfilled(field: str, lang: Lang) -> None:
    for turns in draw(field, lang, 800):
        for text in (text for turn in turns for text in turn):
            assert text.strip()
            assert not re.search(r"\{\w\}|None|\||[\ue000-\ue0ff]", text), text


@both
@every
def test_questions_hardly_repeat(field: str, lang: Lang) -> None:
    asked = [question for turns in draw(field, lang, 500) for question, _ in turns]
    assert len(set(asked)) >= 0.8 * len(asked)


@both
@every
def test_many_talks_go_on(field: str, lang: Lang) -> None:
    assert sum(len(turns) > 1 for turns in draw(field, lang, 500)) > 150


@pytest.mark.parametrize("name", FILES)
def test_every_pattern_can_be_read(name: str) -> None:
    for entry in faq(name).values():
        for texts in (*entry.questions.values(), *entry.topics.values(), *entry.answers.values()):
            for text in texts:
                assert parse(text)


@both
def test_sums_are_right(lang: Lang) -> None:
    found = 0
    for turns in draw("arithmetic", lang, 800):
        for _, answer in turns:
            for a, op, b, c in re.findall(r"(\d+) ([+−×÷]) (\d+) = (\d+)", answer):
                found += 1
                sums = {"+": int(a) + int(b), "−": int(a) - int(b), "×": int(a) * int(b), "÷": int(c)}
                assert sums[op] == int(c), answer
                assert op != "÷" or int(b) * int(c) == int(a), answer
    assert found > 400


@pytest.mark.parametrize(
    ("number", "en", "zh"),
    [
        (0, "zero", "零"),
        (12, "twelve", "十二"),
        (45, "forty-five", "四十五"),
        (101, "one hundred and one", "一百零一"),
        (2000, "two thousand", "两千"),
        (10_000, "ten thousand", "一万"),
        (1_000_000, "one million", "一百万"),
    ],
)
def test_numbers_in_words(number: int, en: str, zh: str) -> None:
    assert arithmetic.in_words(number, "en") == en
    assert arithmetic.in_words(number, "zh") == zh


@both
def test_slips_stay_outside_of_what_is_to_be_copied(lang: Lang) -> None:
    rng = random.Random(3)
    for _ in range(200):
        assert "Xy 7Z" in common.asked("text_skills", "repeat", lang, rng, 1.0, t="Xy 7Z")


def test_lists_have_no_word_twice() -> None:
    for text in text_skills.ITEMS.values():
        words = text.split()
        assert len(words) == len(set(words)), [word for word in words if words.count(word) > 1]


@both
def test_json_is_json_with_what_the_sentence_says(lang: Lang) -> None:
    rng = random.Random(4)
    for _ in range(100):
        for question, answer in json_skills.fill_talk(lang, rng):
            for value in json.loads(answer).values():
                assert str(value) in question


@pytest.mark.parametrize(
    ("en", "zh"), [("falcon", "猎鹰"), ("apple", "苹果"), ("tomorrow", "明天"), ("thank you", "谢谢"), ("to", None)]
)
def test_words_are_translated(en: str, zh: str | None) -> None:
    assert translate.back("en").get(en) == zh
    assert zh is None or translate.back("zh")[zh] == en


def test_every_translation_is_reached() -> None:
    assert len(translate.back("en")) > 500
    assert not {word for word in translate.RARE.split() if word in dict(translate.words())}
    patterns, slots = translate.sentences()
    for en, zh in patterns:
        names = re.findall(r"\{(\w+)\}", en)
        assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", zh))
        assert set(names) <= set(slots)
