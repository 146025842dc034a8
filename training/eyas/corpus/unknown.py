"""Questions that Eyas cannot answer, as many kinds as we could think of, all with the same honest answer."""

from __future__ import annotations

import random
import string

from training.eyas.corpus.animals import Turn
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb, invented
from training.eyas.corpus.tables import faq, lists

ALPHABETS = (
    string.ascii_lowercase,
    string.ascii_letters + string.digits,
    string.punctuation,
    "🎉🚀🐍🍕🔥💡🌍🎵",
    "абвгдежзиклмнопрстуя",
    "ñéüßåçøöä" + string.ascii_lowercase,
    "あいうえおかきくけこ",
    "0123456789",
)


def unknown_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A question beyond Eyas, and the honest answer. The heading is drawn first, so that no kind is rare."""
    entries = faq("unknown")
    heading = rng.choice([name for name in entries if name != "answers"])
    asked = expand(rng.choice(entries[heading].questions[lang]), rng, slots(lang, rng))
    return [(disturb(asked, lang, rng), answer(lang, rng))]


def answer(lang: Lang, rng: random.Random, kind: str = "knowledge") -> str:
    """The honest answer of a kind, a heading of ``data/outside.faq``: "knowledge", "today", "code", "health", …

    The first wording comes five times as often as the others, so that greedy decoding is settled.
    """
    answers = faq("outside")[kind].answers[lang]
    return rng.choices(answers, (5, *(1 for _ in answers[1:])))[0]


def slots(lang: Lang, rng: random.Random) -> dict[str, str]:
    """Fillings for all slots. One topic in seven is invented: Eyas need not know a word to decline."""
    words = lists("unknown")
    filled = {
        name: rng.choice(words[f"{name}.{lang}"]) for name in ("topic", "person", "thing", "action", "place", "animal")
    }
    for name in ("topic", "person", "place", "animal"):
        if rng.random() < 0.15:
            filled[name] = invented(lang, rng)
    filled["number"] = str(rng.randint(1200, 2030))
    filled["word"] = invented(lang, rng)
    filled["words"] = _words(lang, rng)
    filled["junk"] = _junk(rng)
    return filled


def _words(lang: Lang, rng: random.Random) -> str:
    """A string of words that make little sense together."""
    words = lists("unknown")
    pool = [word for name in ("topic", "thing", "action", "place") for word in words[f"{name}.{lang}"]]
    parts = [invented(lang, rng) if rng.random() < 0.5 else rng.choice(pool) for _ in range(rng.randint(1, 6))]
    return (" " if lang == "en" else "").join(parts)


def _junk(rng: random.Random) -> str:
    """Keys hit at random, emoji, digits, other scripts."""
    alphabet = rng.choice(ALPHABETS)
    blank = " " if rng.random() < 0.4 else ""
    clusters = ["".join(rng.choice(alphabet) for _ in range(rng.randint(1, 8))) for _ in range(rng.randint(1, 5))]
    return blank.join(clusters).strip() or "?"
