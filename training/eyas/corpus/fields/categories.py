"""Kinds of things: is an apple a fruit, name three tools, which of these does not belong?"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Sequence

from training.eyas.corpus.fields.facts import Talk, Turn, big, follow, framed, framed_plain, other, say, sentence
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE = "categories"
SIZES: dict[Lang, tuple[str, ...]] = {
    "en": ("two", "three", "four", "five", "six"),
    "zh": ("两", "三", "四", "五", "六"),
}


@dataclasses.dataclass(frozen=True)
class Thing:
    """A member of a category."""

    names: dict[Lang, str]
    mass: bool

    def one(self, lang: Lang) -> str:
        """With its article, where it takes one."""
        return self.names["zh"] if lang == "zh" else self.names["en"] if self.mass else article(self.names["en"])

    def the(self, lang: Lang) -> str:
        """With the definite article, where it takes one."""
        return f"the {self.names['en']}" if lang == "en" and not self.mass else self.names[lang]


@dataclasses.dataclass(frozen=True)
class Category:
    """A kind of things."""

    names: dict[Lang, str]
    plural: str
    measure: str
    things: tuple[Thing, ...]

    def one(self, lang: Lang) -> str:
        """The name with its article."""
        return article(self.names["en"]) if lang == "en" else self.names["zh"]

    def many(self, lang: Lang) -> str:
        """The plural."""
        return self.plural if lang == "en" else self.names["zh"]

    def holds(self, thing: Thing, lang: Lang) -> str:
        """The sentence that says that it holds ``thing``, without its mark."""
        return f"{thing.one('en')} is {self.one('en')}" if lang == "en" else f"{thing.names['zh']}是{self.names['zh']}"


def article(noun: str) -> str:
    """``noun`` with its indefinite article."""
    return ("an " if noun[0].lower() in "aeio" or noun.startswith(("um", "un")) else "a ") + noun


@functools.cache
def categories() -> tuple[Category, ...]:
    """All categories of the table."""
    return tuple(_category(row) for row in rows("categories"))


def _category(row: list[str]) -> Category:
    things = []
    for cell in row[4].split(";"):
        english, chinese = cell.split("=")
        things.append(Thing({"en": english.lstrip("~"), "zh": chinese}, english.startswith("~")))
    return Category({"en": row[0], "zh": row[2]}, row[1], row[3], tuple(things))


CLOSE: tuple[set[str], ...] = (
    {"fruit", "vegetable", "grain", "spice", "drink"},
    {"tree", "flower", "fruit", "colour"},
    {"toy", "sport"},
)
CLOSE += ({"part of the body", "organ of the body"}, {"tool", "kitchen item"}, {"musical instrument", "toy"})


def far(category: Category) -> list[Category]:
    """Categories that have clearly nothing to do with another."""
    name = category.names["en"]
    near = {name}.union(*(close for close in CLOSE if name in close))
    return [one for one in categories() if one.names["en"] not in near]


def joined(names: Sequence[str], lang: Lang, word: str = "and") -> str:
    """``a, b and c`` or ``a、b和c``."""
    if lang == "en":
        return ", ".join(names[:-1]) + f" {word} " + names[-1]
    return "、".join(names[:-1]) + ("和" if word == "and" else "、") + names[-1]


def is_a(lang: Lang, rng: random.Random) -> list[Turn]:
    """Yes or no, in balance; the no says what is right."""
    category = rng.choice(categories())
    thing = rng.choice(category.things)
    yes = rng.random() < 0.5
    asked = category if yes else rng.choice(far(category))
    question = framed("is a", lang, rng, FILE, x=thing.one(lang), k=asked.one(lang))
    turns = [(question, say("yes" if yes else "no", lang, s=category.holds(thing, lang)))]
    if rng.random() < 0.25:
        turns.append((follow("sure", lang, rng), say("sure", lang, s=category.holds(thing, lang))))
    elif rng.random() < 0.2:
        text = sentence(category.holds(thing, other(lang)), other(lang))
        turns.append((follow("translate", lang, rng), text))
    return turns


def what_kind(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which category something belongs to."""
    category = rng.choice(categories())
    thing, another = rng.sample(category.things, 2)
    turns = [(framed("what kind", lang, rng, FILE, x=thing.one(lang)), sentence(category.holds(thing, lang), lang))]
    if rng.random() < 0.4:
        more = rng.choice((another, rng.choice(rng.choice(far(category)).things)))
        home = next(one for one in categories() if more in one.things)
        wishes = (
            ("and {t}?", "what about {t}?", "and {t}", "{t}?", "ok, and {t}?")
            if lang == "en"
            else (*("那{t}呢？", "{t}呢", "那么{t}呢", "还有{t}？", "换成{t}呢？"),)
        )
        asked = framed_plain(rng.choice(wishes), lang, rng, t=more.one(lang))
        turns.append((asked, sentence(home.holds(more, lang), lang)))
    return turns


def mixed(lang: Lang, rng: random.Random) -> list[Turn]:
    """Things of several kinds: which is a …, or which does not belong."""
    category = rng.choice(categories())
    odd_home = rng.choice(far(category))
    size = rng.randint(2, 4)
    if rng.random() < 0.5:
        others = [rng.choice(one.things) for one in rng.sample(far(category), size)]
        thing = rng.choice(category.things)
        group = [thing, *others]
        rng.shuffle(group)
        names = joined([one.names[lang] for one in group], lang, rng.choice(("or", "and")))
        slots = {"k": category.one(lang), "b": category.names[lang], "g": names}
        return [(framed("which one", lang, rng, FILE, **slots), sentence(category.holds(thing, lang), lang))]
    same = rng.sample(category.things, size + 1)
    odd = rng.choice(odd_home.things)
    group = [*same, odd]
    rng.shuffle(group)
    names = rng.choice((", ", " / ", "、") if lang == "zh" else (", ", " / ", " - ")).join(
        one.names[lang] for one in group
    )
    asked = framed("odd", lang, rng, FILE, g=names)
    if lang == "zh":
        return [
            (asked, f"不同类的是{odd.names['zh']}：{odd_home.holds(odd, 'zh')}，其他的都是{category.names['zh']}。")
        ]
    text = f"The odd one out is {odd.names['en']}: {odd_home.holds(odd, 'en')}, the others are {category.plural}."
    return [(asked, text)]


def common(lang: Lang, rng: random.Random) -> list[Turn]:
    """What some things have in common."""
    category = rng.choice(categories())
    things = rng.sample(category.things, rng.randint(2, 4))
    names = joined([thing.names[lang] for thing in things], lang)
    asked = framed("common", lang, rng, FILE, g=names)
    return [(asked, f"{big(names)} are {category.plural}." if lang == "en" else f"{names}都是{category.names['zh']}。")]


def listing(lang: Lang, rng: random.Random) -> list[Turn]:
    """Name some; then one more, the second, or another kind."""
    category = rng.choice(categories())
    size = rng.randint(2, 6)
    start = rng.choice((0, 0, 0, len(category.things) - size))
    named = category.things[start : start + size]
    names = joined([thing.names[lang] for thing in named], lang)
    slots = {"n": SIZES[lang][size - 2], "ks": category.many(lang), "k": category.names[lang], "m": category.measure}
    if rng.random() < 0.3:
        asked = framed("members", lang, rng, FILE, **slots)
        text = f"Some {category.plural}: {names}." if lang == "en" else f"常见的{category.names['zh']}有{names}。"
    else:
        asked = framed("list", lang, rng, FILE, **slots)
        count = slots["n"]
        text = (
            f"{big(count)} {category.plural}: {names}."
            if lang == "en"
            else (f"{count}{category.measure}{category.names['zh']}：{names}。")
        )
    turns = [(asked, text)]
    draw = rng.random()
    if draw < 0.3:
        at = rng.randrange(size)
        order = ("first", "second", "third", "fourth", "fifth", "sixth")[at]
        if lang == "en":
            wish = rng.choice(("what was the {o} one?", "the {o} one?", "which one did you name {o}?", "and the {o}?"))
            turns.append((wish.replace("{o}", order), f"The {order} one was {named[at].names['en']}."))
        else:
            wish = rng.choice(("第{o}个是什么？", "第{o}个呢", "你说的第{o}个是啥？", "第{o}个是哪个"))
            turns.append(
                (wish.replace("{o}", "一二三四五六"[at]), f"第{'一二三四五六'[at]}个是{named[at].names['zh']}。")
            )
    elif draw < 0.5 and (left := [thing for thing in category.things if thing not in named]):
        more = left[0].names[lang]
        wish = rng.choice(("one more", "another one", "one more please", "and one more?"))
        wish = wish if lang == "en" else rng.choice(("再来一个", "再说一个", "还有吗", "再举一个"))
        turns.append((wish, f"One more: {more}." if lang == "en" else f"再说一个：{more}。"))
    return turns


TALKS: tuple[tuple[Talk, float], ...] = ((is_a, 3), (what_kind, 1.5), (mixed, 2.5), (common, 1), (listing, 2))
"""The talks of this field with their weights."""
