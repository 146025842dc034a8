"""Rivers, mountains, deserts, seas, lakes, islands and continents; the largest, longest and highest of the world."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.countries import area_text, invented
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE = "world"


@dataclasses.dataclass(frozen=True)
class Sort:
    """A sort of places: its name, plural, what is measured, and how it is compared (more, most)."""

    name: Both
    many: str
    measured: str
    more: Both
    most: str


SORTS: dict[str, Sort] = {
    "river": Sort({"en": "river", "zh": "河流"}, "rivers", "length", {"en": "longer", "zh": "长"}, "longest"),
    "mountain": Sort({"en": "mountain", "zh": "山峰"}, "mountains", "height", {"en": "higher", "zh": "高"}, "highest"),
    "desert": Sort({"en": "desert", "zh": "沙漠"}, "deserts", "size", {"en": "larger", "zh": "大"}, "largest"),
    "ocean": Sort({"en": "ocean", "zh": "大洋"}, "oceans", "size", {"en": "larger", "zh": "大"}, "largest"),
    "sea": Sort({"en": "sea", "zh": "海"}, "seas", "size", {"en": "larger", "zh": "大"}, "largest"),
    "lake": Sort({"en": "lake", "zh": "湖泊"}, "lakes", "size", {"en": "larger", "zh": "大"}, "largest"),
    "island": Sort({"en": "island", "zh": "岛屿"}, "islands", "size", {"en": "larger", "zh": "大"}, "largest"),
    "continent": Sort({"en": "continent", "zh": "大洲"}, "continents", "size", {"en": "larger", "zh": "大"}, "largest"),
    "waterfall": Sort({"en": "waterfalls", "zh": "瀑布"}, "waterfalls", "", {"en": "", "zh": ""}, ""),
    "range": Sort({"en": "mountain range", "zh": "山脉"}, "mountain ranges", "", {"en": "", "zh": ""}, ""),
}
REGIONS: dict[str, str] = {
    "Africa": "Africa Tanzania Kenya Namibia Zambia",
    "Asia": "Asia China Nepal Karakoram India Pakistan Japan Indonesia Mongolia Russia Turkey Arabia Israel Jordan",
    "Europe": "Europe Alps England Scotland France Switzerland Germany Italy Russia Turkey Ukraine Britain Greece",
    "America": "America Americas Argentina Chile Canada States Alaska Venezuela Peru Bolivia Brazil",
    "Oceania": "Australia Pacific",
    "Antarctica": "Antarctica Pole",
}
QUANTITY: dict[str, str] = {"length": "length", "height": "height", "size": "area"}


def measure(kind: str, value: float, lang: Lang) -> str:
    """A length in kilometres, a height in metres, an area in square kilometres."""
    if kind == "size":
        return area_text(value, lang)
    unit = {"length": ("kilometres", "公里"), "height": ("metres", "米")}[kind]
    return f"{value:,.0f} {unit[0]}" if lang == "en" else f"{value:g} {unit[1]}"


@functools.cache
def places() -> tuple[tuple[str, float, Thing], ...]:
    """Sort, measure and thing of every row."""
    found = []
    for key, en, zh, where, where_zh, value, about, about_zh in rows(FILE):
        sort, many = SORTS[key], key == "waterfall" or (key == "range" and en != "the Atlas")
        are = "are" if many else "is"
        article = "" if key == "waterfall" else "an " if sort.name["en"][0] in "aeio" else "a "
        slots: dict[Lang, Slots] = {
            "en": {"s": sort.name["en"], "a": article, "are": are, "p": where},
            "zh": {"s": sort.name["zh"], "p": where_zh},
        }
        known: dict[str, dict[Lang, Slots]] = {
            "where": {"en": {"v": where, **slots["en"]}, "zh": {"v": where_zh, **slots["zh"]}},
            "about": {"en": {"v": about, **slots["en"]}, "zh": {"v": about_zh, **slots["zh"]}},
            "sort": {"en": {"v": sort.name["en"], **slots["en"]}, "zh": {"v": sort.name["zh"], **slots["zh"]}},
        }
        if value != "-":
            known[sort.measured] = {
                lang: {"v": measure(sort.measured, float(value), lang), "covers": "covers"} for lang in LANGS
            }
        decoys: tuple[Both, ...] = tuple({"en": row[3], "zh": row[4]} for row in rows(FILE) if _far(where, row[3]))
        thing = Thing({"en": en, "zh": zh}, known, {"where": decoys} if decoys else {})
        found.append((key, 0.0 if value == "-" else float(value), thing))
    return tuple(found)


def _regions(where: str) -> set[str]:
    return {region for region, names in REGIONS.items() if any(name in where for name in names.split())}


def _far(one: str, two: str) -> bool:
    """Whether two places are surely on different continents, so that one is a wrong answer for the other."""
    # What lies in the Atlantic may belong to either side of it.
    first, second = _regions(one) or {"Europe", "America"}, _regions(two)
    return len(second) == 1 and not first & second


@functools.cache
def table() -> Table:
    """All places."""
    return Table(FILE, tuple(thing for _, _, thing in places()))


def forward(kind: str) -> Talk:
    """A talk about one thing that places have."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        if kind in ("about", "sort"):
            thing = rng.choice(table().things)
            asked = table_talk.ask(FILE, kind, lang, rng, thing.slots(kind, lang))
            says = table().says(thing, kind, rng)
            talk = [(asked, says[lang])]
            kinds = [one for one in ("length", "height", "size") if one in thing.known]
            if kinds and rng.random() < 0.25:
                follow = table_talk.pick(FILE, f"{kinds[0]} it", lang, rng, {})
                talk.append((table_talk.lightly(follow, lang, rng), table().says(thing, kinds[0], rng)[lang]))
            elif rng.random() < 0.2:
                talk += table_talk.follow(Reply(asked, says), lang, rng)
            return talk
        return table().forward(kind, lang, rng)

    return talk


def _apart(values: list[float]) -> bool:
    ranked = sorted(values)
    return all(large >= 1.05 * small for small, large in itertools.pairwise(ranked))


def _group(rng: random.Random, count: int) -> tuple[Sort, list[tuple[float, Thing]]]:
    while True:
        key = rng.choice([key for key, sort in SORTS.items() if sort.measured])
        pool = [(value, thing) for sort, value, thing in places() if sort == key]
        group = rng.sample(pool, min(count, len(pool)))
        values = [value for value, _ in group]
        if _apart(values) or (key == "mountain" and len(set(values)) == len(values)):
            return SORTS[key], group


def compare(lang: Lang, rng: random.Random) -> list[Turn]:
    """The longer, higher or larger one of two."""
    sort, group = _group(rng, 2)
    (small_value, small), (large_value, large) = sorted(group, key=lambda one: one[0])
    first, second = group[0][1], group[1][1]
    kind = sort.measured
    slots: dict[Lang, Slots] = {
        each: {
            "x": large.name[each],
            "v": measure(kind, large_value, each),
            "y": small.name[each],
            "w": measure(kind, small_value, each),
            "more": sort.more[each],
        }
        for each in LANGS
    }
    says = table_talk.says(FILE, "compare", rng, slots)
    asking = {"x": first.name[lang], "y": second.name[lang], "more": sort.more[lang], "quantity": QUANTITY[kind]}
    if rng.random() < 0.4:
        asked = table_talk.ask_check(FILE, "compare check", lang, rng, asking)
        return table_talk.checked(first is large, asked, says, lang, rng)
    asked = table_talk.ask(FILE, "compare", lang, rng, asking)
    return table_talk.turns(Reply(asked, says, large.name, small.name), lang, rng)


def most_of(lang: Lang, rng: random.Random) -> list[Turn]:
    """The longest, highest or largest of several."""
    sort, group = _group(rng, rng.choice((3, 3, 4)))
    value, best = max(group, key=lambda one: one[0])
    named = table_talk.join([thing.name[lang] for _, thing in group], lang, "or" if lang == "en" else "")
    slots: dict[Lang, Slots] = {
        each: {
            "x": best.name[each],
            "v": measure(sort.measured, value, each),
            "most": sort.most,
            "more": sort.more[each],
        }
        for each in LANGS
    }
    asked = table_talk.ask(FILE, "most of", lang, rng, {**slots[lang], "g": named})
    return table_talk.turns(Reply(asked, table_talk.says(FILE, "most of", rng, slots), best.name), lang, rng)


def listing(lang: Lang, rng: random.Random) -> list[Turn]:
    """Some of a sort, always the same first five."""
    key = rng.choice([key for key in SORTS if key not in ("ocean", "continent")])
    group = [thing for sort, _, thing in places() if sort == key][:5]
    slots: dict[Lang, Slots] = {
        each: {
            "many": SORTS[key].many,
            "s": SORTS[key].name[each],
            "g": table_talk.join([thing.name[each] for thing in group], each),
        }
        for each in LANGS
    }
    asked = table_talk.ask(FILE, "list", lang, rng, slots[lang])
    talk = [(asked, table_talk.say(FILE, "list", lang, rng, slots[lang]))]
    if rng.random() < 0.35:
        at = rng.randrange(len(group))
        order = ("first", "second", "third", "fourth", "fifth")[at] if lang == "en" else "一二三四五"[at]
        where: Both = {"en": f"where is the {order} one", "zh": f"第{order}个在哪里"}
        follow = table_talk.lightly(table_talk.marked(where[lang], lang), lang, rng)
        talk.append((follow, table().says(group[at], "where", rng)[lang]))
    return talk


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas does not know of places, and places that do not exist."""
    made_up = invented(lang, rng).removesuffix("国").removesuffix("共和").removesuffix("王")
    slots = {"x": rng.choice(table().things).name[lang], "z": made_up}
    return table_talk.edge(FILE, rng.choice(("edge", "invented")), lang, rng, slots)


TALKS: tuple[tuple[Talk, float], ...] = (
    (forward("where"), 9),
    (lambda lang, rng: table().check("where", lang, rng), 4),
    (forward("length"), 3),
    (forward("height"), 3),
    (forward("size"), 4),
    (forward("about"), 9),
    (forward("sort"), 3),
    (compare, 7),
    (most_of, 4),
    (listing, 3),
    (table_talk.entry_talk("records"), 34),
    (edge, 10),
)
