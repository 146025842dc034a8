"""Asking with a payload that must arrive as it is: a text to copy, a number, a piece of JSON."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq

Turn = tuple[str, str]
Talk = Callable[[Lang, random.Random], list[Turn]]
SHIELD = 0xE000
"""The first character for private use: no typo and no change of case touches what stands behind one."""


def asked(file: str, heading: str, lang: Lang, rng: random.Random, noise: float = 0.8, **slots: str) -> str:
    """A question under a heading of ``data/<file>.faq``, as typed; what is put into its slots stays whole."""
    patterns = faq(file)[heading].questions[lang]
    pattern = rng.choices(patterns, [1 + min(one.count("|"), 30) ** 0.5 for one in patterns])[0]
    return shielded(pattern, lang, rng, noise, **slots)


def shielded(pattern: str, lang: Lang, rng: random.Random, noise: float = 0.8, **slots: str) -> str:
    """One wording of ``pattern`` with slips around, but not within, what fills the slots."""
    marks = {name: chr(SHIELD + number) for number, name in enumerate(slots)}
    text = expand(pattern, rng, marks)
    first = text[:1].upper() + text[1:] if rng.random() < 0.7 else text
    if rng.random() < noise:
        for _ in range(9):
            typed = disturb(text, lang, rng)
            if around(typed) == around(text):
                first = typed
                break
    for name, mark in marks.items():
        first = first.replace(mark, slots[name])
    return first


def around(text: str) -> list[str]:
    """The shielded places of ``text`` in their order, each with its neighbours; blanks and marks do not count."""
    plain = "^" + text.strip(" ，,。.？?！!：:") + "$"
    return [
        plain[at - 1 : at + 2].lower().strip("^$ ，,。.？?！!：:")
        for at, character in enumerate(plain)
        if character >= chr(SHIELD) and character < chr(SHIELD + 99)
    ]


def told(file: str, heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """The answer under a heading; the first wording comes five times as often as the others."""
    answers = faq(file)[heading].answers[lang]
    return expand(rng.choices(answers, (5, *(1 for _ in answers[1:])))[0], rng, slots)


def drawn(talks: Sequence[tuple[Talk, float]], lang: Lang, rng: random.Random) -> list[Turn]:
    """A talk by its weight."""
    return rng.choices([talk for talk, _ in talks], [weight for _, weight in talks])[0](lang, rng)
