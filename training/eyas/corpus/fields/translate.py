"""Translation between English and Chinese: everyday words and simple sentences; unknown words are owned up to."""

from __future__ import annotations

import functools
import random
import re

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.common import Talk, Turn, asked, drawn, told
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.noise import invented
from training.eyas.corpus.tables import rows

FILE = "translate"
OTHERS: dict[Lang, tuple[str, ...]] = {
    "en": ("French", "German", "Spanish", "Japanese", "Russian", "Arabic", "Italian", "Korean", "Portuguese", "Latin"),
    "zh": ("法语", "德语", "西班牙语", "日语", "俄语", "阿拉伯语", "意大利语", "韩语", "葡萄牙语", "拉丁语"),
}
RARE = (
    "photosynthesis serendipity jurisprudence thermodynamics archaeologist procrastination bureaucracy parliament "
    "screwdriver cauliflower eyelash hammock accordion porcupine chandelier wheelbarrow stethoscope rhubarb plumber "
    "scaffolding mortgage inheritance upholstery saxophone windscreen cinnamon thimble lighthouse"
)
"""Words that are not in the table."""


@functools.cache
def words() -> tuple[tuple[str, str], ...]:
    """All pairs of words, English and Chinese."""
    return tuple(
        (en, zh) for _, cells in rows("translate_words") for en, zh in (pair.split("=") for pair in cells.split(";"))
    )


@functools.cache
def back(source: Lang) -> dict[str, str]:
    """The translation of every word that has exactly one."""
    pairs = [(en, zh) if source == "en" else (zh, en) for en, zh in words()]
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


@functools.cache
def sentences() -> tuple[tuple[tuple[str, str], ...], dict[str, tuple[tuple[str, str], ...]]]:
    """The pairs of patterns and their slots."""
    slots: dict[str, tuple[tuple[str, str], ...]] = {}
    patterns = []
    for left, right in rows("translate_sentences"):
        if left.startswith("slot "):
            pairs = [pair.split("=") for pair in right.split(";")]
            slots[left.removeprefix("slot ")] = tuple((en, zh) for en, zh in pairs)
        else:
            patterns.append((left, right))
    return tuple(patterns), slots


def sentence(rng: random.Random) -> tuple[str, str]:
    """A simple sentence in English and Chinese."""
    patterns, slots = sentences()
    en, zh = rng.choice(patterns)
    for name in re.findall(r"\{(\w+)\}", en):
        value = rng.choice(slots[name])
        en, zh = en.replace(f"{{{name}}}", value[0]), zh.replace(f"{{{name}}}", value[1])
    return en, zh


def plain(text: str) -> str:
    """``text`` without marks within marks."""
    return re.sub(r"“[“\"'](.*?)[”\"']”", r"“\1”", text)


def quoted(text: str, rng: random.Random, chance: float = 0.25) -> str:
    """What is to be translated, now and then in marks."""
    return text if rng.random() > chance else rng.choice((f'"{text}"', f"“{text}”", f"'{text}'"))


def says(word: str, source: Lang, lang: Lang, rng: random.Random) -> str:
    """The translation of a word as an answer in ``lang``."""
    if source == "en":
        return told(FILE, "word zh", lang, rng, w=word, r=back("en")[word])
    return told(FILE, "word en", lang, rng, w=word, r=back("zh")[word])


def word_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A word or phrase one way or the other, then more of them, or back."""
    source: Lang = rng.choice(("en", "zh"))
    table = back(source)
    names = rng.sample(sorted(table), rng.choice((1, 1, 1, 2, 3)))
    heading = "to zh" if source == "en" else "to en"
    turns = [(plain(asked(FILE, heading, lang, rng, w=quoted(names[0], rng))), says(names[0], source, lang, rng))]
    turns += [(asked(FILE, "next", lang, rng, 0.1, w=name), says(name, source, lang, rng)) for name in names[1:]]
    other: Lang = "zh" if source == "en" else "en"
    if len(names) == 1 and rng.random() < 0.12 and back(other).get(table[names[0]]) == names[0]:
        turns.append((asked(FILE, "back", lang, rng, 0.1), says(table[names[0]], other, lang, rng)))
    if rng.random() < 0.15:
        thanks = {"en": "You're welcome!", "zh": "不客气！"}[lang]
        turns.append((asked("arithmetic", "thanks", lang, rng, 0.1), thanks))
    return turns


def sentence_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A sentence one way or the other: the answer is the translation alone; then another one, or back."""
    to_zh = rng.random() < 0.5
    turns: list[Turn] = []
    for at in range(rng.choice((1, 1, 1, 2, 3))):
        en, zh = sentence(rng)
        source, target = (en, zh) if to_zh else (zh, en)
        shown = source if rng.random() < 0.7 else source.rstrip(".。")
        shown = shown if rng.random() < 0.5 else f"“{shown}”" if lang == "zh" else f'"{shown}"'
        if at:
            turns.append(
                (rng.choice((shown, shown, "And " + shown) if lang == "en" else (shown, "还有：" + shown)), target)
            )
        else:
            heading = "to zh" if to_zh else "to en"
            turns.append((plain(asked(FILE, heading, lang, rng, 0.4, w=shown)), target))
    if len(turns) == 1 and rng.random() < 0.2:
        turns.append((asked(FILE, "back", lang, rng, 0.1), source))
    return turns


def edge_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A word that is not in the table, or a language that Eyas does not know."""
    if rng.random() < 0.6:
        word = rng.choice(RARE.split()) if rng.random() < 0.7 else invented("en", rng)
        return [(asked(FILE, "unknown word", lang, rng, w=word), unknown.answer(lang, rng))]
    word = rng.choice(sorted(back(lang)))
    question = asked(FILE, "other language", lang, rng, w=word, l=rng.choice(OTHERS[lang]))
    turns = [(question, unknown.answer(lang, rng))]
    if rng.random() < 0.4:
        ask = rng.choice(
            ("and in Chinese?", "then in Chinese please", "And Chinese?")
            if lang == "en"
            else ("那英文呢？", "英语呢？")
        )
        turns.append((ask, says(word, lang, lang, rng)))
    return turns


def mixed_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Words and sentences, one after another."""
    return [turn for _ in range(2) for turn in drawn(SINGLE, lang, rng)]


SINGLE: tuple[tuple[Talk, float], ...] = ((word_talk, 50), (sentence_talk, 30), (edge_talk, 11))
TALKS: tuple[tuple[Talk, float], ...] = (*SINGLE, (mixed_talk, 10))
"""The talks of this field with their weights."""
