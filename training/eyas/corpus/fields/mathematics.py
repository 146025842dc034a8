"""Ideas of mathematics, shapes, and the question of the lesson: has mathematics been invented or discovered?"""

from __future__ import annotations

import random

from training.eyas.corpus.fields.facts import (
    Talk,
    Turn,
    edge_talk,
    explanation_talk,
    fact_talk,
    follow,
    framed_plain,
    other,
    pick,
    say,
)
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq

FILE = "mathematics_question"
FOLLOW_UPS = ("discovered", "invented", "opinion", "example", "who", "child", "sure")


def said(heading: str, lang: Lang) -> str:
    """What Eyas says under a heading of the lesson's question."""
    return faq(FILE)[heading].answers[lang][0]


def lesson_question(lang: Lang, rng: random.Random) -> str:
    """The lesson's question, one time in eight in its own words."""
    if rng.random() < 0.12:
        return "Has mathematics been invented or discovered?" if lang == "en" else "数学是被发明的还是被发现的？"
    return disturb(expand(pick("ask", lang, rng, FILE), rng), lang, rng)


def lesson_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Invented or discovered? And how people go on."""
    turns = [(lesson_question(lang, rng), said("answer", lang))]
    draws = rng.choice((0, 0, 1, 1, 2, 3))
    for kind in rng.sample((*FOLLOW_UPS, "brief", "translate", "thanks"), draws):
        if kind in FOLLOW_UPS:
            turns.append((framed_plain(pick(kind, lang, rng, FILE), lang, rng), said(kind, lang)))
        elif kind == "brief":
            turns.append((follow("brief", lang, rng), said("brief", lang)))
        elif kind == "thanks":
            turns.append((follow("thanks", lang, rng), say("thanks", lang)))
            break
        else:
            turns.append((follow("translate", lang, rng), translated(turns[-1][1], lang)))
    return turns


def translated(answer: str, lang: Lang) -> str:
    """The other language's text of what was said last."""
    for heading in ("answer", "brief", *FOLLOW_UPS):
        if said(heading, lang) == answer:
            return said(heading, other(lang))
    return said("answer", other(lang))


TALKS: tuple[tuple[Talk, float], ...] = (
    (lesson_talk, 4),
    (explanation_talk("mathematics"), 6),
    (fact_talk("school", "mathematics", "shape"), 5),
    (edge_talk("mathematics"), 1),
)
"""The talks of this field with their weights."""
