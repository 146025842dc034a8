"""What was said before: names, ages, favourites, plans and lists that the user told, and what was asked and answered.

Between the telling and the asking stand none to several questions about other things. Half of the names are invented,
so that Eyas learns to look back instead of knowing names.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable

from training.eyas.corpus.fields import animals, countries, science
from training.eyas.corpus.fields.facts import big
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq, lists, words

Turn = tuple[str, str]
Talk = Callable[[Lang, random.Random], list[Turn]]

FILE = "memory"
OPENERS: dict[Lang, tuple[str, ...]] = {
    "en": ("By the way, ", "Hey, ", "Now, ", "So, ", "Ok, ", "Tell me, ", "One more thing: ", "Back to me: ", "Eyas, "),
    "zh": ("对了，", "那么，", "好，", "话说，", "请问", "再问一下，", "回到刚才，", "Eyas，", "喂，"),
}
FAVOURITES = ("colour", "animal", "food", "drink", "fruit", "sport", "season", "subject", "flower")
NAMED = {"animals": "动物", "fruits": "水果", "colours": "颜色", "vegetables": "蔬菜", "metals": "金属"}


def pair(heading: str, lang: Lang, rng: random.Random) -> str:
    """One word of a list of pairs."""
    return part(rng.choice(lists(FILE)[heading]), lang)


def part(both: str, lang: Lang) -> str:
    """The side of ``en/zh`` in a language."""
    return both.split("/")[0 if lang == "en" else 1]


def sample(heading: str, count: int, lang: Lang, rng: random.Random) -> list[str]:
    """Several different words of a list of pairs."""
    return [part(both, lang) for both in rng.sample(lists(FILE)[heading], count)]


def coined(lang: Lang, rng: random.Random) -> str:
    """A name that nobody has: syllables in English, sounds of foreign names or rare pairings in Chinese."""
    found = lists(FILE)
    if lang == "zh":
        if rng.random() < 0.5:
            return rng.choice(found["surname.zh"]) + "".join(rng.sample(found["given.zh"], rng.choice((1, 2, 2))))
        return "".join(rng.choice(found["sound.zh"]) for _ in range(rng.choice((2, 2, 3, 3, 4))))
    onsets, vowels, codas = (words(piece, "en") for piece in ("onset", "vowel", "coda"))
    count = rng.choice((1, 2, 2, 2, 3))
    text = "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(count))
    return text.capitalize()


def name(lang: Lang, rng: random.Random, *but: str) -> str:
    """A name, common or coined; now and then one of the other language. None of ``but``."""
    spoken: Lang = lang if rng.random() < 0.93 else ("zh" if lang == "en" else "en")
    while True:
        found = coined(spoken, rng) if rng.random() < 0.55 else rng.choice(lists(FILE)[f"name.{spoken}"])
        if found not in but and len(found) > 1:
            return found


def spaced(text: str, lang: Lang) -> str:
    """Chinese ``text`` with blanks around Latin words and digits."""
    if lang == "en":
        return text
    text = re.sub(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])", " ", text)
    return re.sub(r"(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])", " ", text)


@functools.cache
def _patterns(heading: str, lang: Lang) -> tuple[str, ...]:
    return faq(FILE)[heading].questions[lang]


def tell(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """What the user types, with the slots unharmed: no typo, but another case of the rest or no mark at the end."""
    text = expand(rng.choice(_patterns(heading, lang)), rng, slots)
    text = re.sub(r"\bI 'm\b", "I'm", text)
    if lang == "en" and rng.random() < 0.7:
        text = big(text)
    elif lang == "zh" and rng.random() < 0.75:
        text = spaced(text, lang)
    if lang == "en" and rng.random() < 0.1:
        text = text.lower()
    return text


def ask(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A question for what was told. A typo only where no slot could be harmed."""
    text = expand(rng.choice(_patterns(heading, lang)), rng, slots)
    if text[-1] not in "?？":
        text += rng.choice((end := mark(text, lang), end, end, ""))
    if rng.random() < 0.25:
        opener = rng.choice(OPENERS[lang])
        return opener + text if lang == "en" else spaced(opener + text, lang)
    if lang == "zh":
        text = spaced(text, lang)
    if not slots:
        return disturb(text, lang, rng) if rng.random() < 0.4 else big(text)
    return big(text) if rng.random() < 0.6 else text


IMPERATIVE: dict[Lang, re.Pattern[str]] = {
    "en": re.compile(
        r"(?:please |so )?(?:repeat|tell|say|name|remind|list|read|show|count|again|once|add)\b|.*\bplease$"
    ),
    "zh": re.compile(r"[^吗什谁哪几多啥怎呢记]*$"),
}
"""Requests that are no questions."""


def mark(text: str, lang: Lang) -> str:
    """The mark at the end of a question or a request."""
    request = IMPERATIVE[lang].match(text)
    return ("." if request else "?") if lang == "en" else ("。" if request else "？")


def said(heading: str, lang: Lang, **slots: str) -> str:
    """Eyas's words under a heading."""
    text = faq(FILE)[heading].answers[lang][0]
    for slot, value in slots.items():
        text = text.replace("{" + slot + "}", value)
    return spaced(text, lang)


def told(heading: str, lang: Lang, rng: random.Random, **slots: str) -> Turn:
    """Something told, and Eyas's word that it heard it."""
    return tell(heading, lang, rng, **slots), said(heading, lang, **slots)


def asked(heading: str, lang: Lang, rng: random.Random, **slots: str) -> Turn:
    """Something asked that was told, and the answer; the answer's own slots are no part of the question's."""
    shown = {slot: value for slot, value in slots.items() if slot in "kr"}
    return ask(f"ask {heading}", lang, rng, **shown), said(f"ask {heading}", lang, **slots)


FILLERS = (*animals.TALKS, *countries.TALKS, *science.TALKS)


def filler(lang: Lang, rng: random.Random) -> Turn:
    """A short question about something else, and its answer."""
    talks, weights = zip(*FILLERS, strict=True)
    while True:
        question, answer = rng.choices(talks, weights)[0](lang, rng)[0]
        if len(question) + len(answer) < (220 if lang == "en" else 110) and "\n" not in question + answer:
            return question, answer


def fillers(lang: Lang, rng: random.Random, most: int = 6) -> list[Turn]:
    """None to several questions about other things, mostly few."""
    count = min(most, rng.choice((0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6)))
    return [filler(lang, rng) for _ in range(count)]


def fact(lang: Lang, rng: random.Random, kind: str) -> tuple[str, dict[str, str]]:
    """Something that may be told: the heading and its slots."""
    if kind == "name":
        return kind, {"v": name(lang, rng)}
    if kind == "age":
        return kind, {"v": str(rng.randint(6, 92))}
    if kind == "home":
        coin = rng.random() < 0.3
        return kind, {"v": coined(lang, rng) if coin else pair("place", lang, rng)}
    if kind == "pet":
        return kind, {"k": pair("pet", lang, rng), "v": name(lang, rng)}
    if kind == "relative":
        return kind, {"r": pair("relation", lang, rng), "v": name(lang, rng)}
    if kind == "plan":
        return kind, {"v": pair("plan", lang, rng)}
    if kind == "number":
        return kind, {"v": str(rng.randint(2, 10 ** rng.choice((2, 3, 4, 5)) - 1))}
    if kind == "word":
        return kind, {"v": pair("item", lang, rng) if rng.random() < 0.5 else coined(lang, rng)}
    which = rng.choice(FAVOURITES)
    kinds = dict(zip(FAVOURITES, lists(FILE)["kinds"], strict=True))
    return "favourite", {"k": part(kinds[which], lang), "v": pair(which, lang, rng)}


KINDS = ("name", "age", "home", "pet", "relative", "plan", "number", "word", "favourite")
OFTEN = (6, 3, 3, 3, 3, 3, 2, 2, 5)


def fact_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Something is told, other things are asked, and then it is asked for; perhaps once more, with a doubt."""
    heading, slots = fact(lang, rng, rng.choices(KINDS, OFTEN)[0])
    turns = [told(heading, lang, rng, **slots), *fillers(lang, rng), asked(heading, lang, rng, **slots)]
    if rng.random() < 0.15:
        turns.append((ask("sure", lang, rng), said("sure", lang, v=slots["v"])))
    return turns


def several_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two to four things are told, with others between, and some of them are asked for in another order."""
    kinds = rng.sample(KINDS, rng.choice((2, 2, 3, 3, 4)))
    facts = [fact(lang, rng, kind) for kind in kinds]
    turns: list[Turn] = []
    for heading, slots in facts:
        turns += [told(heading, lang, rng, **slots), *fillers(lang, rng, 1)]
    for heading, slots in rng.sample(facts, rng.randint(1, len(facts))):
        turns.append(asked(heading, lang, rng, **slots))
    if rng.random() < 0.4:
        turns.append(_untold(lang, rng, tuple(kinds)))
    return turns


def _untold(lang: Lang, rng: random.Random, kinds: tuple[str, ...]) -> Turn:
    heading, slots = fact(lang, rng, rng.choice([kind for kind in KINDS if kind not in kinds]))
    question, _ = asked(heading, lang, rng, **slots)
    return question, said("untold name" if heading == "name" else "untold", lang)


def untold_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Something is asked for that was never told; then it is told and asked for again."""
    turns = [*fillers(lang, rng, 2)]
    kinds = rng.sample(KINDS, 2)
    if rng.random() < 0.5:
        heading, slots = fact(lang, rng, kinds[1])
        turns.append(told(heading, lang, rng, **slots))
    heading, slots = fact(lang, rng, kinds[0])
    question, _ = asked(heading, lang, rng, **slots)
    turns.append((question, said("untold name" if heading == "name" else "untold", lang)))
    if rng.random() < 0.5:
        turns += [told(heading, lang, rng, **slots), *fillers(lang, rng, 2), asked(heading, lang, rng, **slots)]
    return turns


def correction_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Something is told and corrected; what is right now is what counts."""
    heading, slots = fact(lang, rng, rng.choices(KINDS, OFTEN)[0])
    right = slots["v"]
    while right == slots["v"]:
        other = fact(lang, rng, heading)[1]
        if other.get("k") == slots.get("k") or heading in ("pet", "relative"):
            right = other["v"]
    turns = [told(heading, lang, rng, **slots), *fillers(lang, rng, 1)]
    fixed = (tell("correct", lang, rng, v=right, w=slots["v"]), said("correct", lang, v=right, w=slots["v"]))
    return [*turns, fixed, *fillers(lang, rng, 3), asked(heading, lang, rng, **(slots | {"v": right}))]


def people_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two persons: what they like or how old they are, asked both ways."""
    one = name(lang, rng)
    two = name(lang, rng, one)
    if rng.random() < 0.5:
        (r, s), (v, w) = sample("relation", 2, lang, rng), sample("hobby", 2, lang, rng)
        turns = [told("people likes", lang, rng, r=r, s=s, n=one, m=two, v=v, w=w), *fillers(lang, rng, 3)]
        for who, what in rng.sample([(one, v), (two, w)], rng.choice((1, 2))):
            if rng.random() < 0.5:
                turns.append((ask("who likes", lang, rng, v=what), said("who likes", lang, n=who, v=what)))
            else:
                turns.append((ask("what likes", lang, rng, n=who), said("what likes", lang, n=who, v=what)))
        return turns
    a, b = rng.sample(range(5, 90), 2)
    turns = [told("ages", lang, rng, n=one, a=str(a), m=two, b=str(b)), *fillers(lang, rng, 3)]
    if rng.random() < 0.6:
        who, age = rng.choice([(one, a), (two, b)])
        turns.append((ask("how old", lang, rng, n=who), said("how old", lang, n=who, a=str(age))))
    if rng.random() < 0.6 or len(turns) == 1:
        heading = rng.choice(("older", "younger"))
        (x, o), (y, _) = sorted([(a, one), (b, two)], reverse=heading == "older")
        turns.append((ask(heading, lang, rng, n=one, m=two), said(heading, lang, o=o, x=str(x), y=str(y))))
    return turns


def listed(things: list[str], lang: Lang) -> str:
    """Things in a row."""
    if lang == "zh":
        return "、".join(things)
    return ", ".join(things[:-1]) + " and " + things[-1] if len(things) > 1 else things[0]


def list_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The user gives a list, changes it, and asks about it."""
    found = lists(FILE)
    things = sample("item", rng.randint(3, 5), lang, rng)
    turns = [told("list", lang, rng, l=listed(things, lang)), *fillers(lang, rng, 3)]
    for kind in rng.sample(("nth", "count", "all", "has", "lacks", "add", "drop", "nth"), rng.choice((1, 2, 2, 3))):
        rest = [thing for both in found["item"] if (thing := part(both, lang)) not in things]
        if kind == "nth":
            at = rng.randrange(len(things))
            ordinal = part(found["ordinal"][at], lang) if at < 5 else ""
            if not ordinal:
                continue
            turns.append((ask("list nth", lang, rng, o=ordinal), said("list nth", lang, o=ordinal, v=things[at])))
        elif kind == "count":
            turns.append(
                (ask("list count", lang, rng), said("list count", lang, v=found[f"count.{lang}"][len(things) - 1]))
            )
        elif kind == "all":
            turns.append((ask("list all", lang, rng), said("list all", lang, l=listed(things, lang))))
        elif kind == "has":
            thing = rng.choice(things)
            turns.append((_is_on(ask("list has", lang, rng, v=thing), thing), said("list has", lang, v=thing)))
        elif kind == "lacks":
            thing = rng.choice(rest)
            answer = said("list lacks", lang, v=thing, l=listed(things, lang))
            if lang == "en" and thing.endswith("s"):
                answer = answer.replace(" is not there", " are not there")
            turns.append((_is_on(ask("list has", lang, rng, v=thing), thing), answer))
        elif kind == "add":
            if len(things) > 5:
                continue
            thing = rng.choice(rest)
            things.append(thing)
            turns.append((tell("list add", lang, rng, v=thing), said("list add", lang, l=listed(things, lang))))
        elif len(things) > 2:
            thing = rng.choice(things)
            things.remove(thing)
            turns.append((tell("list drop", lang, rng, v=thing), said("list drop", lang, l=listed(things, lang))))
    return turns


def _is_on(question: str, thing: str) -> str:
    """The verb of a question in the number of its thing."""
    verb = "are" if thing.endswith("s") else "is"
    return re.sub(
        rf"(?i)\b(?:is|are) (?={re.escape(thing)} on )",
        lambda m: big(verb + " ") if m[0][0].isupper() else verb + " ",
        question,
    )


def transcript_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Questions about the conversation itself: the first question, the last answer, how many questions."""
    turns = [filler(lang, rng) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))]
    for kind in rng.sample(
        ("first asked", "last asked", "last answer", "last answer", "first answer", "how many asked"),
        rng.choice((1, 1, 2)),
    ):
        first, last = turns[0], turns[-1]
        if kind == "first asked":
            turns.append((ask(kind, lang, rng), said(kind, lang).replace("{v}", first[0])))
        elif kind == "last asked":
            turns.append((ask(kind, lang, rng), said(kind, lang).replace("{v}", last[0])))
        elif kind == "how many asked":
            number = lists(FILE)[f"count.{lang}"][len(turns) - 1]
            if lang == "en":
                number += " question" if len(turns) == 1 else " questions"
            turns.append((ask(kind, lang, rng), said(kind, lang, v=number)))
        else:
            turns.append((ask(kind, lang, rng), (first if kind == "first answer" else last)[1]))
    return turns


def named_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Eyas names some things, and the user asks for one of them by its place in the row."""
    kind = rng.choice(tuple(NAMED))
    count = rng.choice((3, 3, 4, 5))
    things = sample(f"named.{kind}", count, lang, rng)
    many, one = (kind, kind.removesuffix("s")) if lang == "en" else (NAMED[kind], NAMED[kind])
    number = lists(FILE)[f"count.{lang}"][count - 1]
    turns = [
        (tell("name some", lang, rng, c=number, k=many), said("name some", lang, L=big(listed(things, lang)))),
        *fillers(lang, rng, 2),
    ]
    for at in rng.sample(range(count), rng.choice((1, 1, 2))):
        ordinal = part(lists(FILE)["ordinal"][at], lang)
        question = ask("you named", lang, rng, o=ordinal, k=one)
        turns.append((question, said("you named", lang, o=ordinal, v=things[at])))
    return turns


TALKS: tuple[tuple[Talk, float], ...] = (
    (fact_talk, 28),
    (several_talk, 18),
    (untold_talk, 9),
    (correction_talk, 11),
    (people_talk, 13),
    (list_talk, 14),
    (transcript_talk, 12),
    (named_talk, 9),
)
"""The talks of this field with their weights."""
