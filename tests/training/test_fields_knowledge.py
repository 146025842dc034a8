"""The fields of knowledge, and what Eyas cannot answer: whole, the same for a seed, right in spot checks."""

from __future__ import annotations

import random
import re

import pytest

from training.eyas.corpus import unknown
from training.eyas.corpus.fields import body_food, categories, facts, mathematics, outside, people, science, works
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import DATA, faq, lists, rows

FIELDS = {
    "science": science.TALKS,
    "mathematics": mathematics.TALKS,
    "body_food": body_food.TALKS,
    "people": people.TALKS,
    "works": works.TALKS,
    "categories": categories.TALKS,
    "outside": outside.TALKS,
}
LANGS: tuple[Lang, Lang] = ("en", "zh")
EXPLAINED = ("science", "everyday", "mathematics", "body_food")


def draws(field: str, lang: Lang, count: int, seed: int = 1) -> list[list[facts.Turn]]:
    talks = FIELDS[field]
    rng = random.Random(seed)
    return [
        rng.choices([talk for talk, _ in talks], [weight for _, weight in talks])[0](lang, rng) for _ in range(count)
    ]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_the_same_seed_gives_the_same_talks(field: str, lang: Lang) -> None:
    assert draws(field, lang, 40) == draws(field, lang, 40)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_talks_are_filled_and_in_the_language_asked_for(field: str, lang: Lang) -> None:
    chinese = 0
    talks = draws(field, lang, 400)
    for turns in talks:
        assert all(asked.strip() and answer.strip() for asked, answer in turns)
        for asked, answer in turns:
            assert not re.search(r"\{\w+\}", answer), answer
            assert not re.search(r"\{[a-zA-Z]\w*\}", asked) or field == "outside", asked
        chinese += bool(re.search("[一-鿿]", turns[0][1]))
    share = chinese / len(talks)
    assert share > 0.9 if lang == "zh" else share < 0.02


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_questions_are_mostly_distinct(field: str, lang: Lang) -> None:
    asked = [turns[0][0] for turns in draws(field, lang, 2000)]
    assert len(set(asked)) / len(asked) > 0.8


def test_several_turns_are_common() -> None:
    for field in FIELDS:
        talks = draws(field, "en", 500)
        assert sum(len(turns) > 1 for turns in talks) / len(talks) > 0.25, field


@pytest.mark.parametrize("name", EXPLAINED)
def test_every_explanation_is_whole(name: str) -> None:
    for entry in facts.explanations(name):
        for lang in LANGS:
            assert entry.topics[lang] or entry.questions[lang], entry.name
            assert entry.answer[lang][-1] in ".。", entry.name
            for pattern in (*entry.questions[lang], *entry.clauses):
                assert parse(pattern)
        assert bool(entry.example["en"]) == bool(entry.example["zh"]) or entry.name, entry.name


def test_every_fact_has_wrong_answers_that_differ_from_the_right_one() -> None:
    for fact in facts.facts("school"):
        for lang in LANGS:
            assert "{}" in fact.saying[lang], fact
            assert fact.wrong[lang]
            assert fact.right[lang] not in fact.wrong[lang], fact
            assert all(fact.wrong[lang]), fact


def test_names_are_unique() -> None:
    for lang in LANGS:
        names = [name for person in people.people() for name in (person.names[lang], *person.aliases[lang])]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
        titles = [work.names[lang] for work in works.works()]
        assert len(titles) == len(set(titles))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Albert Einstein", "Albert Einstein was a physicist from Germany (1879 to 1955). He developed the theory of"),
        ("Confucius", "(551 BC to 479 BC)"),
        ("Marie Curie", "She discovered radium"),
        ("Tu Youyou", "Tu Youyou is a pharmacologist from China (born in 1930)"),
        ("Augustus", "(63 BC to AD 14)"),
    ],
)
def test_who_somebody_was(name: str, said: str) -> None:
    person = next(one for one in people.people() if one.names["en"] == name)
    assert said in people.about(person, "en")


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("红楼梦", "《红楼梦》的作者是曹雪芹。"),
        ("魔笛", "《魔笛》的作曲者是莫扎特。"),
        ("摩登时代", "《摩登时代》的导演是卓别林。"),
    ],
)
def test_who_made_a_work(title: str, said: str) -> None:
    assert works.author(next(work for work in works.works() if work.names["zh"] == title), "zh") == said


def test_things_are_in_one_category_each() -> None:
    for lang in LANGS:
        names = [thing.names[lang] for category in categories.categories() for thing in category.things]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_an_apple_is_a_fruit_and_no_tool() -> None:
    rng = random.Random(7)
    answers = {answer for _ in range(6000) for _, answer in categories.is_a("en", rng)}
    assert {"Yes, an apple is a fruit.", "No, an apple is a fruit."} <= answers


def test_claims_are_balanced() -> None:
    rng = random.Random(3)
    pool = facts.facts("school")
    said = [facts.claim(rng.choice(pool), "en", rng)[1] for _ in range(400)]
    assert 0.4 < sum(answer.startswith("Yes, ") for answer in said) / len(said) < 0.6


def test_every_claim_is_judged_by_the_table() -> None:
    rng = random.Random(4)
    for fact in facts.facts("school"):
        for lang in LANGS:
            asked, answer = facts.claim(fact, lang, rng)
            assert fact.said(lang) in answer, asked


@pytest.mark.parametrize("lang", LANGS)
def test_the_question_of_the_lesson_has_many_wordings_and_one_answer(lang: Lang) -> None:
    rng = random.Random(5)
    talks = [mathematics.lesson_talk(lang, rng) for _ in range(600)]
    assert len({turns[0][0] for turns in talks}) > 250
    assert {turns[0][1] for turns in talks} == {mathematics.said("answer", lang)}


def test_every_kind_of_honest_answer_is_there_in_both_languages() -> None:
    for _, kind, _ in outside.domains().values():
        assert outside.FOLLOW[kind]
        for lang in LANGS:
            assert unknown.answer(lang, random.Random(1), kind)


@pytest.mark.parametrize("lang", LANGS)
def test_every_domain_can_be_asked(lang: Lang) -> None:
    rng = random.Random(6)
    for name in outside.domains():
        for _ in range(20):
            assert outside.question(name, lang, rng)


def known_names(lang: Lang) -> set[str]:
    """Everything that the fields here explain."""
    names = {topic for name in EXPLAINED for entry in facts.explanations(name) for topic in entry.topics[lang]}
    names |= {name for person in people.people() for name in (person.names[lang], *person.aliases[lang])}
    names |= {work.names[lang] for work in works.works()} | {one.names[lang] for one in works.buildings()}
    return {re.sub(r"^(the|a|an) ", "", name.lower()) for name in names}


@pytest.mark.parametrize("lang", LANGS)
def test_nothing_that_is_taught_is_declined(lang: Lang) -> None:
    known = known_names(lang)
    for slot in ("topic", "person", "thing", "book", "film", "game", "song", "character", "place", "word"):
        words = {re.sub(r"^(the|a|an) ", "", word.lower()) for word in lists("outside")[f"{slot}.{lang}"]}
        assert words & known == set(), slot


def test_there_are_enough_things_not_to_know() -> None:
    for lang in LANGS:
        assert sum(len(words) for name, words in lists("outside").items() if name.endswith("." + lang)) >= 1500


def test_the_tables_have_the_right_number_of_cells() -> None:
    for name, cells in (("school", 9), ("people", 12), ("works", 12), ("buildings", 10)):
        assert all(len(row) == cells for row in rows(name)), name


def test_every_slot_of_the_frames_can_be_filled() -> None:
    for heading, entry in faq("outside_questions").items():
        for lang in LANGS:
            for pattern in entry.questions[lang]:
                for slot in re.findall(r"\{(\w+)\}", pattern):
                    assert outside.slot(slot, lang, random.Random(1)), (heading, slot)
    assert (DATA / "outside.lists").exists()
