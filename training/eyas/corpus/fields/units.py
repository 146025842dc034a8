"""Units of length, mass, time and the like: conversions with easy numbers, symbols, and what they measure."""

from __future__ import annotations

import dataclasses
import functools
import random
from fractions import Fraction

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.countries import invented
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE = "units"
MORE: dict[str, Both] = {
    "length": {"en": "longer", "zh": "长"},
    "mass": {"en": "heavier", "zh": "重"},
    "time": {"en": "longer", "zh": "长"},
    "area": {"en": "larger", "zh": "大"},
    "volume": {"en": "more", "zh": "多"},
    "data": {"en": "more", "zh": "大"},
}
WORDS: dict[Lang, dict[str, str]] = {
    "en": {"2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "8": "eight", "10": "ten", "12": "twelve"},
    "zh": {"1": "一", "2": "两", "3": "三", "4": "四", "5": "五", "6": "六", "8": "八", "10": "十", "100": "一百"},
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """A unit and a smaller one; ``names`` are singular and plural in English, and the Chinese name twice."""

    kind: str
    large: dict[Lang, tuple[str, str]]
    small: dict[Lang, tuple[str, str]]
    factor: Fraction
    exact: bool


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """The rows of ``data/units.psv``."""
    return tuple(
        Pair(
            kind=row[0],
            large={"en": (row[1], row[2]), "zh": (row[3], row[3])},
            small={"en": (row[4], row[5]), "zh": (row[6], row[6])},
            factor=Fraction(row[7]),
            exact=row[8] == "=",
        )
        for row in rows(FILE)
    )


def article(noun: str) -> str:
    """``noun`` with a or an."""
    vowel = noun[0] in "aeio" or noun.startswith("hour")
    return f"{'an' if vowel else 'a'} {noun}"


def number(value: Fraction, lang: Lang) -> str:
    """A number as people write it."""
    if value.denominator == 1:
        whole = int(value)
        return (
            f"{whole:,}"
            if lang == "en"
            else f"{whole // 10000} 万"
            if whole >= 100000 and whole % 10000 == 0
            else str(whole)
        )
    return f"{float(value):.6g}"


def _slots(pair: Pair, count: Fraction, lang: Lang, backwards: bool = False) -> Slots:
    """``count`` of the larger unit in the smaller one, or the other way round."""
    result = count * pair.factor
    first, second = (result, count) if backwards else (count, result)
    one, two = (pair.small[lang], pair.large[lang]) if backwards else (pair.large[lang], pair.small[lang])
    slots = {
        "n": number(first, lang),
        "a": one[0 if first == 1 else 1],
        "m": number(second, lang),
        "c": two[0 if second == 1 else 1],
        "is": "is" if first <= 1 else "are",
        "about": "" if pair.exact else "about ",
        "s": two[0],
    }
    if lang == "zh":
        slots["n"], slots["m"] = f"{slots['n']} ".replace("万 ", "万"), f" {slots['m']} ".replace("万 ", "万")
        slots["about"] = "等于" if pair.exact else "约等于"
    return slots


def _count(pair: Pair, rng: random.Random) -> Fraction:
    if rng.random() < 0.4:
        return Fraction(1)
    if not pair.exact:
        return Fraction(rng.choice((1, 2, 3, 5, 10, 100)))
    if pair.factor.denominator != 1 or pair.factor in (1852, 1760, 5280, 3600, 1024):
        return Fraction(rng.choice((1, 2, 3, 5, 10)))
    if pair.factor % 2 == 0 and pair.kind not in ("money", "count", "data") and rng.random() < 0.15:
        return Fraction(1, 2)
    return Fraction(rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 50, 100)))


def _asking(slots: Slots, lang: Lang, rng: random.Random) -> Slots:
    """The slots for the question, where the unit asked for is in the plural and numbers may be words."""
    asking = dict(slots)
    if lang == "en":
        plural = {pair.large["en"][0]: pair.large["en"][1] for pair in pairs()}
        plural |= {pair.small["en"][0]: pair.small["en"][1] for pair in pairs()}
        asking["c"] = plural.get(slots["c"], slots["c"])
        if slots["n"] == "1" and rng.random() < 0.6:
            asking["n"], asking["a"] = article(slots["a"]).split(" ", 1)
            asking["n"] = rng.choice((asking["n"], "one"))
        elif slots["n"] in WORDS["en"] and rng.random() < 0.25:
            asking["n"] = WORDS["en"][slots["n"]]
    elif slots["n"].strip() in WORDS["zh"] and rng.random() < 0.35:
        asking["n"] = WORDS["zh"][slots["n"].strip()]
    elif rng.random() < 0.6:
        asking["n"] = slots["n"].strip()
    asking["m"] = slots["m"].strip()
    return asking


def _says(pair: Pair, count: Fraction, rng: random.Random, backwards: bool) -> Both:
    return table_talk.says(FILE, "convert", rng, {lang: _slots(pair, count, lang, backwards) for lang in LANGS})


def convert(lang: Lang, rng: random.Random) -> list[Turn]:
    """From the larger unit to the smaller one, or back; and on with another number, or the other way round."""
    pair = rng.choice(pairs())
    backwards = rng.random() < 0.3 and pair.exact
    count = _count(pair, rng)
    slots = _slots(pair, count, lang, backwards)
    asked = _spelled(table_talk.ask(FILE, "convert", lang, rng, _asking(slots, lang, rng)), lang, rng)
    says = _says(pair, count, rng, backwards)
    talk = [(asked, says[lang])]
    draw = rng.random()
    if draw < 0.18 and not backwards:
        for _ in range(rng.choice((1, 1, 2))):
            more = _count(pair, rng)
            if more != count:
                follow = table_talk.pick(FILE, "convert more", lang, rng, _slots(pair, more, lang))
                talk.append((table_talk.lightly(follow, lang, rng), _says(pair, more, rng, False)[lang]))
    elif draw < 0.25 and pair.exact:
        asking = _slots(pair, count, lang, backwards)
        asking["m"] = asking["m"].strip()
        asking["s"] = (pair.small if backwards else pair.large)[lang][1]
        follow = table_talk.lightly(table_talk.pick(FILE, "other way", lang, rng, asking), lang, rng)
        talk.append((follow, _says(pair, count, rng, not backwards)[lang]))
    elif draw < 0.4:
        talk += table_talk.follow(Reply(asked, says), lang, rng)
    return talk


def _spelled(text: str, lang: Lang, rng: random.Random) -> str:
    """American spelling, now and then."""
    if lang == "zh" or rng.random() < 0.5:
        return text
    return text.replace("metre", "meter").replace("litre", "liter").replace("Metre", "Meter").replace("Litre", "Liter")


def check(lang: Lang, rng: random.Random) -> list[Turn]:
    """Are there so many in one?"""
    pair = rng.choice([pair for pair in pairs() if pair.exact and pair.factor.denominator == 1])
    right = rng.random() < 0.5
    slots = _slots(pair, Fraction(1), lang)
    told = pair.factor
    if not right:
        told = rng.choice(
            [
                factor
                for factor in map(Fraction, (2, 3, 5, 7, 10, 12, 16, 24, 30, 50, 60, 100, 500, 1000))
                if factor != told
            ]
        )
    slots["m"] = number(told, lang) if lang == "en" else f" {number(told, lang)} "
    slots["s"], slots["one"] = pair.large[lang][0], article(pair.large[lang][0]).split(" ")[0]
    slots["c"] = pair.small[lang][1]
    asked = table_talk.ask_check(FILE, "unit check", lang, rng, slots)
    return table_talk.checked(right, _spelled(asked, lang, rng), _says(pair, Fraction(1), rng, False), lang, rng)


def longer(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two units is longer, heavier …?"""
    pair = rng.choice([pair for pair in pairs() if pair.kind in MORE and pair.factor > 1])
    large, small = pair.large[lang][0].removeprefix("个"), pair.small[lang][0].removeprefix("个")
    more = MORE[pair.kind][lang]
    names = [large, small]
    rng.shuffle(names)
    slots = {"s": names[0], "t": names[1], "more": more}
    slots |= {"one": article(names[0]).split(" ")[0], "two": article(names[1]).split(" ")[0]}
    asked = table_talk.ask(FILE, "longer", lang, rng, slots)
    start = f"{table_talk.cap(article(large))} is {more}: " if lang == "en" else f"{large}更{more}："
    fact = _says(pair, Fraction(1), rng, False)[lang]
    return [(_spelled(asked, lang, rng), start + fact)]


@functools.cache
def symbols() -> Table:
    """Units with their symbols and what they measure."""
    things = []
    for en, zh, symbol, measures, measures_zh in rows("units_symbols"):
        plural = {"foot": "feet", "inch": "inches", "hertz": "hertz", "degree Celsius": "degrees Celsius"}.get(
            en, en + "s"
        )
        plural = en.replace(" per", "s per") if " per " in en else plural
        plural = "degrees Fahrenheit" if en == "degree Fahrenheit" else plural
        one = article(en).split(" ")[0]
        things.append(
            Thing(
                {"en": en, "zh": zh},
                {
                    "symbol": {"en": {"v": symbol, "one": one}, "zh": {"v": symbol}},
                    "measures": {"en": {"v": measures, "p": plural, "one": one}, "zh": {"v": measures_zh}},
                },
            )
        )
    return Table(FILE, tuple(things))


def temperature(lang: Lang, rng: random.Random) -> list[Turn]:
    """Celsius and Fahrenheit, in steps of five and ten degrees."""
    celsius = rng.choice(
        (-40, -20, -10, -5, 0, 5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 100, 150, 180, 200, 220)
    )
    fahrenheit = celsius * 9 // 5 + 32
    heading = "celsius" if rng.random() < 0.6 else "fahrenheit"
    n, m = (celsius, fahrenheit) if heading == "celsius" else (fahrenheit, celsius)
    slots = {"n": str(n), "m": str(m)}
    asked = table_talk.ask(FILE, heading, lang, rng, slots)
    says = table_talk.says(FILE, heading, rng, dict.fromkeys(LANGS, slots))
    return table_talk.turns(Reply(asked, says), lang, rng)


def listing(lang: Lang, rng: random.Random) -> list[Turn]:
    """The units of a quantity."""
    row = rng.choice(rows("units_symbols"))
    quantity = row[3] if lang == "en" else row[4]
    group = [one for one in rows("units_symbols") if one[3] == row[3]][:6]
    names: Both = {
        "en": table_talk.join(["the " + one[0] for one in group], "en"),
        "zh": table_talk.join([one[1] for one in group], "zh"),
    }
    asked = table_talk.ask(FILE, "list", lang, rng, {"v": quantity})
    head = "Units of {} are" if len(group) > 1 else "The unit of {} is"
    says: Both = {
        "en": f"{head.format(row[3])} {names['en']}.",
        "zh": f"{row[4]}的单位有{names['zh']}。",
    }
    return table_talk.turns(Reply(asked, says), lang, rng, 0.2)


def which_is(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of some units measures a length, a mass …?"""
    quantity = rng.choice(("length", "mass", "time", "volume", "temperature", "speed", "data"))
    things = symbols().things
    zh = next(thing.known["measures"]["zh"]["v"] for thing in things if thing.known["measures"]["en"]["v"] == quantity)
    inside = [thing.name for thing in things if thing.known["measures"]["en"]["v"] == quantity]
    outside = [thing.name for thing in things if thing.known["measures"]["en"]["v"] != quantity]
    tells = {thing.name["en"]: symbols().says(thing, "measures", rng) for thing in things}
    kind: Both = {"en": f"a unit of {quantity}", "zh": f"{zh}的单位"}
    return table_talk.which_is(kind, inside, outside, lang, rng, tells)


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """Units that do not exist, money rates, and what only the user can measure."""
    pair = rng.choice(pairs())
    made_up = invented(lang, rng)
    made_up = made_up.lower()[:6].rstrip("aeious") if lang == "en" else made_up[:2]
    slots = {
        "n": str(rng.randint(2, 500)),
        "h": str(rng.randint(1001, 99999)),
        "z": made_up,
        "a": pair.large[lang][1],
        "c": pair.small[lang][1],
        "s": pair.large[lang][0],
    }
    return table_talk.edge(FILE, "edge", lang, rng, slots)


TALKS: tuple[tuple[Talk, float], ...] = (
    (convert, 34),
    (check, 7),
    (longer, 5),
    (lambda lang, rng: symbols().forward("symbol", lang, rng), 5),
    (lambda lang, rng: symbols().back("symbol", lang, rng, mixed=False), 4),
    (lambda lang, rng: symbols().forward("measures", lang, rng), 5),
    (lambda lang, rng: symbols().check("measures", lang, rng), 3),
    (temperature, 6),
    (listing, 2.5),
    (which_is, 3),
    (table_talk.entry_talk("measures"), 9),
    (edge, 10),
)
