"""System messages and the conversations that obey them."""

from __future__ import annotations

import json
import random
import re

import pytest

from training.eyas.corpus.fields import systems
from training.eyas.corpus.fields.memory import Turn
from training.eyas.corpus.fields.systems import SystemTalk
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import faq, lists, rows

LANGS: tuple[Lang, Lang] = ("en", "zh")
HAN = re.compile(r"[\u4e00-\u9fff]")


def draws(lang: Lang, seed: int, count: int) -> list[tuple[str, list[Turn]]]:
    rng = random.Random(seed)
    talks, weights = zip(*systems.SYSTEM_TALKS, strict=True)
    return [rng.choices(talks, weights)[0](lang, rng) for _ in range(count)]


def answers(talk: SystemTalk, lang: Lang, count: int = 25) -> list[tuple[str, str, str]]:
    rng = random.Random(11)
    found = []
    for _ in range(count):
        system, turns = talk(lang, rng)
        found += [(system, question, answer) for question, answer in turns]
    return found


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_seed_gives_the_same_talks(lang: Lang) -> None:
    assert draws(lang, 3, 50) == draws(lang, 3, 50)
    assert draws(lang, 3, 50) != draws(lang, 4, 50)


@pytest.mark.parametrize("lang", LANGS)
def test_talks_are_well_formed_and_varied(lang: Lang) -> None:
    talks = draws(lang, 7, 400)
    for system, turns in talks:
        assert system.strip()
        assert turns
        for question, answer in turns:
            assert question.strip()
            assert answer.strip()
            assert not re.search(r"\{\w\}", system + question + answer), (system, question, answer)
    assert len({turns[0][0] for _, turns in talks}) >= 0.8 * len(talks)


@pytest.mark.parametrize("file", ["systems_more", "systems_law", "systems_health"])
def test_every_pattern_can_be_read(file: str) -> None:
    for entry in faq(file).values():
        for lang in LANGS:
            assert entry.questions[lang], entry.name
            for pattern in entry.questions[lang]:
                parse(pattern)


def test_traffic_law_has_many_wordings() -> None:
    for lang in LANGS:
        traffic = [entry for name, entry in faq("systems_law").items() if name not in ("who", "other law")]
        assert sum(pattern.count("|") + 1 for entry in traffic for pattern in entry.questions[lang]) >= 40


def test_pairs_have_both_languages() -> None:
    assert all(len(row) == 2 and not HAN.search(row[0]) and HAN.search(row[1]) for row in rows("systems_sentences"))
    assert all(word.count("/") == 1 for words in lists("systems_more").values() for word in words)


@pytest.mark.parametrize("lang", LANGS)
def test_the_language_is_obeyed(lang: Lang) -> None:
    for system, _, answer in answers(systems.language, lang):
        named = re.search("English|Chinese|英|中文|汉语", system)
        assert named
        assert (named[0] in ("English", "英")) != bool(HAN.search(answer)), (system, answer)


@pytest.mark.parametrize("lang", LANGS)
def test_the_form_is_obeyed(lang: Lang) -> None:
    assert all(json.loads(answer)["answer"] for _, _, answer in answers(systems.as_json, lang))
    assert all(line.startswith("- ") for _, _, answer in answers(systems.as_list, lang) for line in answer.split("\n"))
    assert all(len(answer) < 60 for _, _, answer in answers(systems.in_a_word, lang))


@pytest.mark.parametrize("lang", LANGS)
def test_the_given_name_is_used(lang: Lang) -> None:
    rng = random.Random(4)
    for _ in range(20):
        system, turns = systems.given_name(lang, rng)
        assert any(
            (found := re.search(r"(?:I am |我是|在这里叫) ?([^.。]+)[.。]", answer)) and found[1] in system
            for _, answer in turns
        ), (system, turns)


@pytest.mark.parametrize("lang", LANGS)
def test_the_translator_only_translates(lang: Lang) -> None:
    for _, question, answer in answers(systems.translator, lang):
        assert bool(HAN.search(question)) != bool(HAN.search(answer))


@pytest.mark.parametrize("lang", LANGS)
def test_law_and_health_point_to_those_who_know(lang: Lang) -> None:
    for file in ("systems_law", "systems_health"):
        for entry in faq(file).values():
            assert re.search(
                "lawyer|rules|doctor|pharmacist|emergency|traffic authority|advice centre"
                "|律师|规定|医生|药师|就医|急救|咨询|当地",
                entry.answers[lang][0],
            ), entry.name


@pytest.mark.parametrize("lang", LANGS)
def test_wishes_may_come_from_the_user(lang: Lang) -> None:
    rng = random.Random(6)
    for talk, _ in systems.TALKS:
        for _ in range(40):
            question, answer = talk(lang, rng)[0]
            assert len(question) > 8
            if '"answer"' in question:
                assert json.loads(answer)["answer"]
