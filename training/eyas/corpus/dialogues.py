"""Strings exchanges into conversations: with or without a system message, short and long, in one language or both."""

from __future__ import annotations

import dataclasses
import random

from training.eyas.corpus.animals import Turn, lost_talk
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.intents import ask, exchange
from training.eyas.corpus.tables import faq, wording


@dataclasses.dataclass(frozen=True)
class Dialogue:
    """A conversation: an optional system message and turns."""

    system: str | None
    turns: tuple[Turn, ...]


def dialogue(rng: random.Random) -> Dialogue:
    """One conversation of 1 to about 30 exchanges."""
    lang: Lang = rng.choice(("en", "zh"))
    draw = rng.random()
    if draw < 0.03:
        return _switched(lang, rng)
    if draw < 0.04:
        return _foreign(lang, rng)
    system = None
    if rng.random() < 0.5:
        system_lang = lang if rng.random() < 0.85 else rng.choice(("en", "zh"))
        patterns = faq("systems")["any"].questions
        system = expand(rng.choice(patterns[system_lang]), rng)
        system = patterns["en"][0] if rng.random() < 0.2 else system
    turns: list[Turn] = []
    if rng.random() < 0.008:
        turns += lost_talk(lang, rng)
    for _ in range(_length(rng)):
        spoken: Lang = ("zh" if lang == "en" else "en") if rng.random() < 0.06 else lang
        turns += exchange(spoken, rng)
    return Dialogue(system, tuple(turns))


def _length(rng: random.Random) -> int:
    """Exchanges in a conversation: mostly few, now and then enough to fill much of the context."""
    draw = rng.random()
    if draw < 0.5:
        return 1
    if draw < 0.75:
        return 2
    if draw < 0.93:
        return rng.randint(3, 5)
    return rng.randint(6, 10) if draw < 0.985 else rng.randint(15, 30)


def _switched(lang: Lang, rng: random.Random) -> Dialogue:
    """Asked in one language, told to answer in the other, by the system message or in the question."""
    other: Lang = "zh" if lang == "en" else "en"
    turns = []
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(("smalltalk", "identity", "falconry", "concepts", "knowledge"))
        turns.append(ask(rng.choice(list(faq(name).values())), lang, rng, other))
    if rng.random() < 0.7:
        return Dialogue(expand(faq("systems")["language"].questions[other][0], rng), tuple(turns))
    blank, wish = " " if lang == "en" else "", wording("other language", lang)
    return Dialogue(None, tuple((question + blank + expand(wish, rng), answer) for question, answer in turns))


def _foreign(lang: Lang, rng: random.Random) -> Dialogue:
    """Told to answer in a language that Eyas does not speak."""
    question, _ = exchange(lang, rng)[0]
    system = expand(faq("systems")["foreign"].questions["en"][0], rng)
    return Dialogue(system, ((question, faq("identity")["languages"].answers[lang][0]),))
