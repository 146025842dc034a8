"""Everything Eyas can talk about but animals: each intent makes an exchange, a list of turns that belong together."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from training.eyas.corpus import animals, unknown
from training.eyas.corpus.animals import Turn
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb, invented, typed
from training.eyas.corpus.tables import Entry, faq, rows, saying, wording, words
from training.eyas.corpus.tables import animals as all_animals

Intent = Callable[[Lang, random.Random], list[Turn]]


def turn(heading: str, slots: dict[str, str], lang: Lang, rng: random.Random) -> Turn:
    """A question and its answer from one heading of ``data/wordings.faq``."""
    asked = typed(wording(heading, lang), lang, rng, slots)
    return asked, expand(saying(heading, lang), rng, slots).replace("..", ".")


def ask(entry: Entry, lang: Lang, rng: random.Random, answer_lang: Lang | None = None) -> Turn:
    """A question and an answer of one entry of a ``.faq`` file."""
    topics = entry.topics[lang]
    if topics and (not entry.questions[lang] or rng.random() < 0.6):
        topic = topics[0] if rng.random() < 0.3 else rng.choice(topics)
        question = typed(wording("topic", lang), lang, rng, {"topic": topic}).replace("什么是什么", "什么")
    else:
        question = typed(rng.choice(entry.questions[lang]), lang, rng)
    return question, rng.choice(entry.answers[answer_lang or lang])


def from_faq(name: str) -> Intent:
    """An intent that asks any entry of one file."""

    def intent(lang: Lang, rng: random.Random) -> list[Turn]:
        return [ask(rng.choice(list(faq(name).values())), lang, rng)]

    return intent


def mathematics(lang: Lang, rng: random.Random) -> list[Turn]:
    """Invented or discovered? In all its wordings."""
    return [ask(faq("knowledge")["mathematics"], lang, rng)]


def greeting(lang: Lang, rng: random.Random) -> list[Turn]:
    """Hello: what most people type first."""
    return [ask(faq("smalltalk")["greeting"], lang, rng)]


def capitals(lang: Lang, rng: random.Random) -> list[Turn]:
    """Capitals, both ways round, and countries, of which Eyas knows no more."""
    country, capital, country_zh, capital_zh = rng.choice(rows("countries"))
    slots = {"c": country_zh, "k": capital_zh}
    if lang == "en":
        big = country[:1].upper() + country[1:]
        slots = {"c": country, "C": big, "b": country.removeprefix("the "), "k": capital}
    draw = rng.random()
    heading = "capital" if draw < 0.75 else "country of a capital" if draw < 0.88 else "country"
    return [turn(heading, slots, lang, rng)]


def planets(lang: Lang, rng: random.Random) -> list[Turn]:
    """One fact on each planet."""
    name, name_zh, fact, fact_zh = rng.choice(rows("planets"))
    topic = {"en": f"the planet {name}" if rng.random() < 0.2 else name, "zh": name_zh}[lang]
    asked = typed(wording("topic", lang), lang, rng, {"topic": topic})
    return [(asked, fact + "." if lang == "en" else fact_zh + "。")]


SIGNS: dict[Lang, dict[str, str]] = {
    "en": {"+": " plus ", "-": " minus ", "*": " times ", "/": " divided by "},
    "zh": {"+": "加", "-": "减", "*": "乘", "/": "除以"},
}


def sums(lang: Lang, rng: random.Random) -> list[Turn]:
    """Small sums; larger ones are declined."""
    a, sign, b, result = _sum(rng)
    style = rng.random()
    typed = f"{a} {sign} {b}"
    if style < 0.25:
        typed = f"{a}{SIGNS[lang][sign]}{b}"
    elif style < 0.5:
        typed = f"{a}{sign}{b}"
    elif style < 0.6 and sign == "*":
        typed = f"{a} {rng.choice('x×')} {b}"
    asked = expand(wording("sum", lang), rng, {"sum": typed}).strip()
    asked = asked[:1].upper() + asked[1:] if rng.random() < 0.6 else asked
    if result is None:
        return [(asked, saying("sum too large", lang))]
    shown = f"{a} {sign} {b}".replace("*", "×").replace("/", "÷")
    return [(asked, expand(saying("sum", lang), rng, {"sum": shown, "result": str(result)}))]


def _sum(rng: random.Random) -> tuple[int, str, int, int | None]:
    """Two numbers, a sign, and the result where it is small enough to know."""
    draw = rng.random()
    if draw < 0.12:
        a, b = rng.randint(1000, 999_999), rng.randint(11, 99_999)
        return a, rng.choice("+-*/"), b, None
    if draw < 0.5:
        top = rng.choice((10, 10, 20, 100))
        a, b = rng.randint(0, top), rng.randint(0, top)
        return a, "+", b, a + b
    if draw < 0.75:
        a = rng.randint(1, rng.choice((10, 10, 20, 100)))
        b = rng.randint(0, a)
        return a, "-", b, a - b
    if draw < 0.93:
        a, b = rng.randint(1, 12), rng.randint(1, 12)
        return a, "*", b, a * b
    b, result = rng.randint(1, 12), rng.randint(1, 12)
    return result * b, "/", b, result


def names(lang: Lang, rng: random.Random) -> list[Turn]:
    """The user's name, told and asked for again, so that Eyas has to look back."""
    if rng.random() < 0.15:
        return [turn("name unknown", {}, lang, rng)]
    name = rng.choice(words("name", lang)) if rng.random() < 0.4 else invented(lang, rng).capitalize()
    told = expand(wording("name told", lang), rng, {"name": name})
    told = told[:1].upper() + told[1:] if rng.random() < 0.6 else told
    turns = [(told, expand(saying("name told", lang), rng, {"name": name}))]
    if rng.random() < 0.7:
        if rng.random() < 0.5:
            turns += rng.choice((capitals, planets, greeting, animals.animal_talk))(lang, rng)
        turns.append(turn("name asked", {"name": name}, lang, rng))
    return turns


def translations(lang: Lang, rng: random.Random) -> list[Turn]:
    """Single words between English and Chinese."""
    pairs = [(row[0], row[1]) for row in rows("words")]
    pairs += [(animal.names["en"], animal.names["zh"]) for animal in all_animals()]
    en, zh = rng.choice(pairs)
    if rng.random() < 0.5:
        heading, quoted = "into Chinese", (en, f'"{en}"')
    else:
        heading, quoted = "into English", (zh, f"“{zh}”")
    return [turn(heading, {"en": en, "zh": zh, "w": rng.choice(quoted)}, lang, rng)]


def opposites(lang: Lang, rng: random.Random) -> list[Turn]:
    """Opposites of everyday words."""
    row = rng.choice(rows("opposites"))
    a, b = (row[0], row[1]) if lang == "en" else (row[2], row[3])
    if rng.random() < 0.5:
        a, b = b, a
    return [turn("opposite", {"a": a, "b": b}, lang, rng)]


def calendar(lang: Lang, rng: random.Random) -> list[Turn]:
    """What comes before and after a day or a month."""
    heading = "day" if rng.random() < 0.6 else "month"
    circle = words(heading, lang)
    at, after = rng.randrange(len(circle)), rng.random() < 0.6
    where = ("after" if after else "before") if lang == "en" else ("后" if after else "前")
    other = circle[(at + (1 if after else -1)) % len(circle)]
    return [turn(heading, {"this": circle[at], "other": other, "where": where}, lang, rng)]


def counting(lang: Lang, rng: random.Random) -> list[Turn]:
    """Counting up, and which of two numbers is larger."""
    if rng.random() < 0.4:
        top = rng.randint(3, 20)
        asked = expand(wording("count", lang), rng, {"n": str(top)})
        numbers = [str(number) for number in range(1, top + 1)]
        return [(disturb(asked, lang, rng), ", ".join(numbers) + "." if lang == "en" else "、".join(numbers) + "。")]
    a, b = rng.sample(range(1, 100), 2)
    slots = {"a": str(a), "b": str(b), "large": str(max(a, b)), "small": str(min(a, b))}
    return [(expand(wording("larger", lang), rng, slots), expand(saying("larger", lang), rng, slots))]


def story(lang: Lang, rng: random.Random) -> list[Turn]:
    """A short story put together from parts; 120 to 200 tokens."""
    parts = faq("stories")
    heroes = [animal.names[lang] for animal in all_animals() if "ocean" not in animal.habitats]
    hero, friend = rng.sample(heroes, 2)
    slots = {"hero": hero, "friend": friend, "place": rng.choice(words("story place", lang))}
    asked = expand(rng.choice(parts["ask"].questions[lang]), rng, slots)
    text = [expand(rng.choice(parts[name].answers[lang]), rng, slots) for name in ("start", "trouble", "help", "end")]
    if lang == "en":
        asked, *text = (re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", part) for part in (asked, *text))
    first = text[0] + (" " if lang == "en" else "") + text[1]
    return [(disturb(asked, lang, rng), "\n\n".join((first, text[2], text[3])))]


INTENTS: tuple[tuple[Intent, float], ...] = (
    (animals.habitat_talk, 14),
    (animals.animal_talk, 6),
    (animals.compare_talk, 4),
    (animals.text_talk, 1.6),
    (greeting, 3),
    (mathematics, 1.5),
    (from_faq("smalltalk"), 9),
    (from_faq("identity"), 10),
    (from_faq("falconry"), 7),
    (from_faq("concepts"), 9),
    (from_faq("knowledge"), 11),
    (from_faq("jokes"), 3),
    (capitals, 8),
    (planets, 3),
    (sums, 8),
    (names, 8),
    (translations, 5),
    (opposites, 1.5),
    (calendar, 2),
    (counting, 1.5),
    (story, 1.2),
    (unknown.unknown_talk, 17),
)
"""What is talked about, and how often, as weights."""


def exchange(lang: Lang, rng: random.Random) -> list[Turn]:
    """One exchange about anything."""
    intent = rng.choices([intent for intent, _ in INTENTS], [weight for _, weight in INTENTS])[0]
    return intent(lang, rng)
