"""What was told before, and system messages: the same every time, well formed, and answered from the context."""

from __future__ import annotations

import random
import re

import pytest

from training.eyas.corpus.fields import memory
from training.eyas.corpus.fields.memory import Turn
from training.eyas.corpus.grammar import Lang, expand, parse
from training.eyas.corpus.tables import faq, lists

LANGS: tuple[Lang, Lang] = ("en", "zh")


def draws(lang: Lang, seed: int, count: int) -> list[list[Turn]]:
    rng = random.Random(seed)
    talks, weights = zip(*memory.TALKS, strict=True)
    return [rng.choices(talks, weights)[0](lang, rng) for _ in range(count)]


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_seed_gives_the_same_talks(lang: Lang) -> None:
    assert draws(lang, 3, 50) == draws(lang, 3, 50)
    assert draws(lang, 3, 50) != draws(lang, 4, 50)


@pytest.mark.parametrize("lang", LANGS)
def test_talks_are_well_formed_and_varied(lang: Lang) -> None:
    talks = draws(lang, 7, 500)
    for talk in talks:
        for asked, answer in talk:
            assert asked.strip()
            assert answer.strip() == answer != ""
            assert not re.search(r"\{\w\}", asked + answer), (asked, answer)
    assert len({talk[0][0] for talk in talks}) >= 0.8 * len(talks)
    assert sum(len(talk) > 1 for talk in talks) > 0.9 * len(talks)


@pytest.mark.parametrize("lang", LANGS)
def test_every_pattern_can_be_read(lang: Lang) -> None:
    for entry in faq("memory").values():
        for pattern in entry.questions[lang]:
            parse(pattern)
            assert expand(pattern, random.Random(1))


def test_lists_are_pairs_of_both_languages() -> None:
    for heading, words in lists("memory").items():
        if "." not in heading or heading.startswith("named."):
            assert all(word.count("/") == 1 for word in words), heading
            assert len(words) == len(set(words)), heading


@pytest.mark.parametrize("lang", LANGS)
def test_what_was_told_is_what_is_answered(lang: Lang) -> None:
    rng = random.Random(5)
    for kind in memory.KINDS:
        for _ in range(5):
            heading, slots = memory.fact(lang, rng, kind)
            told = memory.told(heading, lang, rng, **slots)
            _, answer = memory.asked(heading, lang, rng, **slots)
            assert slots["v"].lower() in told[0].lower()
            assert slots["v"] in answer


@pytest.mark.parametrize("lang", LANGS)
def test_the_older_one_is_named(lang: Lang) -> None:
    rng = random.Random(2)
    for _ in range(100):
        for _, answer in memory.people_talk(lang, rng):
            found = re.search(r"(older|younger): (\d+) against (\d+)|(更大|更小)：(\d+) 岁，另一个 (\d+)", answer)
            if found:
                word, first, second = (group for group in found.groups() if group)
                assert (int(first) > int(second)) == (word in ("older", "更大"))


def test_corrections_count() -> None:
    rng = random.Random(9)
    for _ in range(50):
        talk = memory.correction_talk("en", rng)
        fixed = next(answer for _, answer in talk if answer.startswith("All right: "))
        right = fixed.removeprefix("All right: ").split(", not ")[0]
        assert right in talk[-1][1]
