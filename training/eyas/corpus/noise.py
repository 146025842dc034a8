"""How people really type: another case, no question mark, a typo; and words that do not exist."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping

from training.eyas.corpus.grammar import Lang, expand, plainest
from training.eyas.corpus.tables import wording, words

CHARACTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学"
    "法所民得经三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日"
    "那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已"
    "通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区"
    "强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清"
)


def typed(pattern: str, lang: Lang, rng: random.Random, slots: Mapping[str, str] | None = None) -> str:
    """A question as somebody types it; one in five is the plainest wording without any slip, as most people ask."""
    if rng.random() < 0.2:
        question = plainest(pattern, slots)
        return question[:1].upper() + question[1:]
    return disturb(expand(pattern, rng, slots), lang, rng)


def disturb(question: str, lang: Lang, rng: random.Random) -> str:
    """``question`` as a person may type it: with a prefix or a suffix, in another case, without a mark, with a typo."""
    if rng.random() < 0.2:
        prefix = expand(wording("prefix", lang), rng)
        question = prefix + (question if lang == "zh" or prefix[-2:] == "! " else _lower_first(question))
    if rng.random() < 0.08:
        question = question if lang == "en" else question.rstrip("？。?")
        question += expand(wording("suffix", lang), rng)
    if lang == "en":
        question = _case(question, rng)
    elif rng.random() < 0.15:
        question = question.translate(str.maketrans("？！，。：", "?!,.:"))
    if rng.random() < 0.3:
        question = question.rstrip(".?!。？！")
    if rng.random() < (0.12 if lang == "en" else 0.05):
        question = _typo(question, lang, rng)
    return question or "?"


def _lower_first(text: str) -> str:
    return text if text.startswith(("I ", "I'", "LLM", "GGUF", "Falconry")) else text[:1].lower() + text[1:]


def _case(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.3:
        return text.lower()
    if draw < 0.31:
        return text.upper()
    return text[:1].upper() + text[1:]


def _typo(text: str, lang: Lang, rng: random.Random) -> str:
    """One or two slips: a letter swapped, dropped, doubled or replaced."""
    for _ in range(rng.choice((1, 1, 2))):
        if len(text) < 5:
            break
        at = rng.randrange(1, len(text) - 1)
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        dropped = text[:at] + text[at + 1 :]
        doubled = text[:at] + text[at] + text[at:]
        replaced = text[:at] + rng.choice(string.ascii_lowercase) + text[at + 1 :]
        text = rng.choice((swapped, dropped, doubled, replaced) if lang == "en" else (swapped, dropped))
    return text


def invented(lang: Lang, rng: random.Random) -> str:
    """A word that does not exist: syllables in English, a few characters in Chinese."""
    if lang == "zh":
        return "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(2, 4)))
    onsets, vowels, codas = (words(part, lang) for part in ("onset", "vowel", "coda"))
    word = "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(rng.choice((1, 2, 2, 3))))
    return word.capitalize() if rng.random() < 0.4 else word
