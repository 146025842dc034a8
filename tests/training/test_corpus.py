"""The corpus of Eyas: the same every time, well formed, and right about the animals."""

from __future__ import annotations

import random
import re

import pytest

from training.eyas.corpus import Sample, samples
from training.eyas.corpus.animals import QUALITIES, compare_talk, habitat_talk, pick_group
from training.eyas.corpus.grammar import expand, parse, plainest
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.render import END, END_OF_TEXT, START
from training.eyas.corpus.tables import DATA, animals, faq, habitats, rows

FAQS = sorted(path.stem for path in DATA.glob("*.faq"))


@pytest.fixture(scope="module")
def some() -> list[Sample]:
    return list(samples(1, 800))


def test_the_same_seed_gives_the_same_corpus(some: list[Sample]) -> None:
    assert list(samples(1, 50)) == some[:50]


def test_another_seed_gives_another_corpus(some: list[Sample]) -> None:
    assert not {sample.text for sample in samples(2, 50)} & {
        sample.text for sample in some[:50] if len(sample.text) > 200
    }


def test_a_sample_does_not_depend_on_its_neighbours(some: list[Sample]) -> None:
    assert list(samples(1, 3))[2] == some[2]


def test_no_slot_is_left_unfilled(some: list[Sample]) -> None:
    assert [sample.text for sample in some if re.search(r"\{\w+\}", sample.text)] == []


def test_what_is_learnt_in_a_chat_is_what_the_assistant_says(some: list[Sample]) -> None:
    for sample in (sample for sample in some if sample.kind == "chat"):
        said = re.findall(rf"{re.escape(START)}assistant\n(.*?{re.escape(END)})", sample.text, re.DOTALL)
        assert [sample.text[start:end] for start, end in sample.learn] == said


def test_what_is_learnt_in_plain_lines_ends_where_the_user_would_speak(some: list[Sample]) -> None:
    for sample in (sample for sample in some if sample.kind == "plain"):
        *earlier, last = [sample.text[start:end] for start, end in sample.learn]
        assert last.endswith(END_OF_TEXT)
        assert all(said.startswith(" ") and said.endswith("\nUser:") for said in earlier)


def test_both_languages_and_all_kinds_occur(some: list[Sample]) -> None:
    assert {sample.kind for sample in some} == {"chat", "plain", "document"}
    assert 0.3 < sum(bool(re.search("[一-鿿]", sample.text)) for sample in some) / len(some) < 0.8


@pytest.mark.parametrize("name", FAQS)
def test_every_pattern_can_be_read(name: str) -> None:
    for entry in faq(name).values():
        for patterns in (*entry.questions.values(), *entry.answers.values()):
            for pattern in patterns:
                assert parse(pattern)


@pytest.mark.parametrize("name", ["smalltalk", "identity", "falconry", "concepts", "knowledge", "jokes"])
def test_every_entry_is_asked_and_answered_in_both_languages(name: str) -> None:
    for entry in faq(name).values():
        for lang in ("en", "zh"):
            assert entry.answers[lang], f"{name}: {entry.name} has no answer in {lang}"
            assert entry.questions[lang] or entry.topics[lang], f"{name}: {entry.name} is not asked in {lang}"


def test_a_pattern_gives_each_of_its_wordings() -> None:
    rng = random.Random(1)
    assert {expand("(a|b)[ {c}]", rng, {"c": "x|y"}) for _ in range(100)} == {"a", "b", "a x|y", "b x|y"}


def test_the_plainest_wording_takes_what_comes_first_and_leaves_out_what_may_be() -> None:
    assert plainest("(who|what) (is|are) {x}[ now]?", {"x": "(it|they)"}) == "who is (it|they)?"


@pytest.mark.parametrize("pattern", ["(a", "[a|b", "a)"])
def test_a_broken_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(pattern)):
        parse(pattern)


def test_a_disturbed_question_is_never_empty() -> None:
    rng = random.Random(1)
    assert all(disturb(question, "en", rng) for question in ("?", "hi", "Who are you?") for _ in range(300))


def test_a_follow_up_names_an_animal_of_the_list() -> None:
    rng = random.Random(1)
    checked = 0
    for _ in range(300):
        (_, listed), *follow_ups = habitat_talk("en", rng)
        for _, answer in follow_ups:
            if best := re.match(r"The ([a-z ]+) is the .* of them\.", answer):
                plural = next(animal.plural for animal in animals() if animal.names["en"] == best[1])
                assert plural in listed
                checked += 1
    assert checked > 100


def test_the_stronger_of_two_is_the_stronger_in_the_table() -> None:
    elephant, mouse = animals()[0], min(animals(), key=lambda animal: animal.strength)
    assert QUALITIES[0].best([mouse, elephant]) is elephant
    assert all(len(compare_talk("zh", random.Random(seed))) == 1 for seed in range(50))


def test_a_list_keeps_the_order_of_the_table() -> None:
    rng = random.Random(1)
    order = list(animals())
    for habitat in habitats():
        ranks = [order.index(animal) for animal in pick_group(habitat, rng)]
        assert ranks == sorted(set(ranks))


def test_tables_are_whole() -> None:
    assert len(animals()) >= 60
    assert len({animal.names["zh"] for animal in animals()}) == len(animals())
    assert all(sum(habitat.key in animal.habitats for animal in animals()) >= 7 for habitat in habitats())
    assert len(rows("countries")) >= 60
    assert all(len(row) == 4 and all(row) for row in rows("countries"))
