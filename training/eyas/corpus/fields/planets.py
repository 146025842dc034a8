"""Planets, their order, sizes and moons; other bodies; and what is often asked about the sky."""

from __future__ import annotations

import functools
import random

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.countries import invented
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE = "planets"
ORDER: dict[Lang, tuple[str, ...]] = {
    "en": ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    "zh": ("一", "二", "三", "四", "五", "六", "七", "八"),
}


def across(kilometres: float, lang: Lang) -> str:
    """A diameter in words."""
    if lang == "en":
        return f"{kilometres:,.0f} kilometres"
    return f"{kilometres / 10000:g} 万公里" if kilometres >= 10000 else f"{kilometres:g} 公里"


@functools.cache
def table() -> Table:
    """The planets."""
    things = []
    for row in rows("planets_all"):
        at = int(row[0]) - 1
        things.append(
            Thing(
                {"en": row[1], "zh": row[2]},
                {
                    "order": {lang: {"v": ORDER[lang][at]} for lang in LANGS},
                    "sort": {"en": {"v": row[3]}, "zh": {"v": row[4]}},
                    "size": {lang: {"v": across(float(row[5]), lang)} for lang in LANGS},
                    "year": {"en": {"v": row[6]}, "zh": {"v": row[7]}},
                    "day": {"en": {"v": row[8]}, "zh": {"v": row[9]}},
                    "moons": {"en": {"v": row[11]}, "zh": {"v": row[12].removeprefix("有").strip(), "t": row[12]}},
                    "about": {
                        "en": {"v": row[13], "kind": row[3], "o": ORDER["en"][at]},
                        "zh": {"v": row[14], "kind": row[4], "o": ORDER["zh"][at]},
                    },
                },
            )
        )
    return Table(FILE, tuple(things))


@functools.cache
def moons() -> Table:
    """The moons with their planets."""
    return Table(
        FILE,
        tuple(
            Thing({"en": en, "zh": zh}, {"moon of": {"en": {"v": home}, "zh": {"v": home_zh}}})
            for kind, en, zh, home, home_zh, _, _ in rows("planets_bodies")
            if kind == "moon"
        ),
    )


def about(lang: Lang, rng: random.Random) -> list[Turn]:
    """A planet in a sentence, and questions that look back at it."""
    thing = rng.choice(table().things)
    asked = table_talk.ask(FILE, "about", lang, rng, thing.slots("about", lang))
    says = table().says(thing, "about", rng)
    talk = [(asked, says[lang])]
    draw = rng.random()
    if draw < 0.35:
        for kind in rng.sample(("order", "size", "year", "day", "moons"), rng.choice((1, 1, 2))):
            follow = table_talk.pick(FILE, f"{kind} it", lang, rng, {})
            talk.append((table_talk.lightly(follow, lang, rng), table().says(thing, kind, rng)[lang]))
    elif draw < 0.5:
        talk += table_talk.follow(Reply(asked, says), lang, rng)
    return talk


def compare(lang: Lang, rng: random.Random) -> list[Turn]:
    """The larger one of two, or the one closer to the Sun."""
    heading = rng.choice(("bigger", "closer"))
    kind = "size" if heading == "bigger" else "order"
    first, second = rng.sample(range(8), 2)
    size = [float(row[5]) for row in rows("planets_all")]
    best, last = (
        (first, second) if (size[first] > size[second] if heading == "bigger" else first < second) else (second, first)
    )
    one, two = table().things[best], table().things[last]
    slots: dict[Lang, Slots] = {
        each: {"x": one.name[each], "v": one.value(kind)[each], "y": two.name[each], "w": two.value(kind)[each]}
        for each in LANGS
    }
    answer = table_talk.says(FILE, heading, rng, slots)
    names = {"x": table().things[first].name[lang], "y": table().things[second].name[lang]}
    if rng.random() < 0.4:
        asked = table_talk.ask_check(FILE, f"{heading} check", lang, rng, names)
        return table_talk.checked(first == best, asked, answer, lang, rng)
    asked = table_talk.ask(FILE, heading, lang, rng, names)
    return table_talk.turns(Reply(asked, answer, one.name, two.name), lang, rng)


def neighbour(lang: Lang, rng: random.Random) -> list[Turn]:
    """The planet after, before or between."""
    heading = rng.choice(("next planet", "previous planet", "between"))
    at = rng.randrange(1, 7)
    names = [thing.name for thing in table().things]
    x, v = {"next planet": (at, at + 1), "previous planet": (at, at - 1), "between": (at - 1, at)}[heading]
    y = at + 1
    if heading == "between" and rng.random() < 0.3:
        x, y = y, x
    slots = {each: {"x": names[x][each], "v": names[v][each], "y": names[y][each]} for each in LANGS}
    asked = table_talk.ask(FILE, heading, lang, rng, slots[lang])
    wrong = rng.choice([name for name in names if name not in (names[x], names[v])])
    return table_talk.turns(Reply(asked, table_talk.says(FILE, heading, rng, slots), names[v], wrong), lang, rng)


def body(lang: Lang, rng: random.Random) -> list[Turn]:
    """A moon, a dwarf planet, a star …: what it is."""
    row = rng.choice(rows("planets_bodies"))
    name = row[1] if lang == "en" else row[2]
    asked = table_talk.ask(FILE, "body", lang, rng, {"x": name})
    return table_talk.turns(Reply(asked, _body_says(row)), lang, rng)


def _body_says(row: list[str]) -> Both:
    return {"en": table_talk.stop(row[5], "en"), "zh": table_talk.stop(row[6], "zh")}


def is_a(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it a planet, a moon, a star?"""
    wanted = rng.choice(("planet", "planet", "moon", "star"))
    heading = f"is a {wanted}"
    if rng.random() < 0.5:
        if wanted == "planet":
            thing = rng.choice(table().things)
            asked = table_talk.ask_check(FILE, heading, lang, rng, {"x": thing.name[lang]})
            return table_talk.checked(True, asked, table().says(thing, "about", rng), lang, rng)
        row = rng.choice([row for row in rows("planets_bodies") if row[0] == wanted])
        asked = table_talk.ask_check(FILE, heading, lang, rng, {"x": row[1] if lang == "en" else row[2]})
        return table_talk.checked(True, asked, _body_says(row), lang, rng)
    if wanted != "planet" and rng.random() < 0.4:
        thing = rng.choice(table().things)
        asked = table_talk.ask_check(FILE, heading, lang, rng, {"x": thing.name[lang]})
        return table_talk.checked(False, asked, table().says(thing, "about", rng), lang, rng)
    row = rng.choice([row for row in rows("planets_bodies") if row[0] != wanted])
    asked = table_talk.ask_check(FILE, heading, lang, rng, {"x": row[1] if lang == "en" else row[2]})
    return table_talk.checked(False, asked, _body_says(row), lang, rng)


def which_is(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of some bodies is a planet, a moon, a star?"""
    tells: dict[str, Both] = {row[1]: _body_says(row) for row in rows("planets_bodies")}
    tells |= {thing.name["en"]: table().says(thing, "about", rng) for thing in table().things}
    wanted = rng.choice(("planet", "planet", "moon", "star"))
    bodies: list[tuple[str, Both]] = [(row[0], {"en": row[1], "zh": row[2]}) for row in rows("planets_bodies")]
    bodies += [("planet", thing.name) for thing in table().things]
    kind: Both = {"en": f"a {wanted}", "zh": {"planet": "行星", "moon": "卫星", "star": "恒星"}[wanted]}
    inside = [name for sort, name in bodies if sort == wanted]
    outside = [name for sort, name in bodies if sort not in (wanted, "dwarf planet", "asteroid")]
    return table_talk.which_is(kind, inside, outside, lang, rng, tells)


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas does not know of the sky, and bodies that do not exist."""
    row = rng.choice(rows("planets_bodies"))
    name = rng.choice(table().things).name[lang] if rng.random() < 0.6 else row[1] if lang == "en" else row[2]
    heading = "edge" if rng.random() < 0.7 else "invented"
    made_up = invented(lang, rng).removesuffix("国").removesuffix("共和").removesuffix("王")
    return table_talk.edge(FILE, heading, lang, rng, {"x": name, "z": made_up})


def forward(kind: str) -> Talk:
    """A talk about one thing that planets have."""
    return lambda lang, rng: table().forward(kind, lang, rng)


TALKS: tuple[tuple[Talk, float], ...] = (
    (forward("order"), 4),
    (lambda lang, rng: table().back("order", lang, rng, mixed=False), 4),
    (lambda lang, rng: table().check("order", lang, rng), 2.5),
    (forward("sort"), 2.5),
    (lambda lang, rng: table().check("sort", lang, rng), 2),
    (forward("size"), 2.5),
    (forward("year"), 2.5),
    (forward("day"), 2),
    (forward("moons"), 3.5),
    (about, 6),
    (compare, 5),
    (neighbour, 3.5),
    (lambda lang, rng: moons().forward("moon of", lang, rng), 2.5),
    (lambda lang, rng: moons().check("moon of", lang, rng), 1.5),
    (body, 4),
    (is_a, 4),
    (which_is, 3),
    (table_talk.entry_talk("astronomy"), 34),
    (edge, 10),
)
