"""Plain text without any chat format, for raw completion: articles, question-and-answer lines, stories."""

from __future__ import annotations

import random

from training.eyas.corpus import animals, intents
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import animals as all_animals
from training.eyas.corpus.tables import faq, rows


def document(rng: random.Random) -> str:
    """One document in either language."""
    lang: Lang = rng.choice(("en", "zh"))
    return rng.choice((_habitat, _habitat, _animals, _countries, _story, _concepts, _knowledge))(lang, rng)


def _habitat(lang: Lang, rng: random.Random) -> str:
    return animals.habitat_text(animals.pick_habitat(rng, savanna=3), lang, rng)


def _animals(lang: Lang, rng: random.Random) -> str:
    return "\n".join(animals.about(animal, lang, rng) for animal in rng.sample(all_animals(), rng.randint(1, 4)))


def _countries(lang: Lang, rng: random.Random) -> str:
    chosen = rng.sample(rows("countries"), rng.randint(2, 6))
    if lang == "en":
        return "\n".join(f"The capital of {row[0]} is {row[1]}".rstrip(".") + "." for row in chosen)
    return "\n".join(f"{row[2]}的首都是{row[3]}。" for row in chosen)


def _story(lang: Lang, rng: random.Random) -> str:
    return intents.story(lang, rng)[0][1]


def _concepts(lang: Lang, rng: random.Random) -> str:
    return "\n".join(entry.answers[lang][0] for entry in rng.sample(list(faq("concepts").values()), 3))


def _knowledge(lang: Lang, rng: random.Random) -> str:
    return "\n".join(entry.answers[lang][0] for entry in rng.sample(list(faq("knowledge").values()), 3))
