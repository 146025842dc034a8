"""Countries: capitals, continents, languages, money, neighbours, sizes and sights, asked forwards and backwards."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.tables import lists, rows

FILE = "countries"
CONTINENTS: dict[str, tuple[str, str, str]] = {
    "EU": ("Europe", "European", "DE FR IT ES PT GR PL SE NO FI DK AT"),
    "AS": ("Asia", "Asian", "CN JP IN TH VN KR ID IR SA PK NP MN"),
    "AF": ("Africa", "African", "EG NG KE ZA MA ET GH DZ TZ SN TN MG"),
    "NA": ("North America", "North American", "US CA MX CU JM PA GT CR HT HN BS BB"),
    "SA": ("South America", "South American", "BR AR CL PE CO VE EC BO UY PY GY SR"),
    "OC": ("Oceania", "Oceanian", "AU NZ FJ PG WS TO VU SB KI PW NR TV"),
}
"""Code: name, adjective, and the countries that a list names, in this order."""
LANDLOCKED = frozenset(
    [
        "AF",
        "AM",
        "AT",
        "AZ",
        "AD",
        "BY",
        "BT",
        "BO",
        "BW",
        "BF",
        "BI",
        "CF",
        "TD",
        "CZ",
        "SZ",
        "ET",
        "HU",
        "KZ",
        "KG",
        "LA",
        "LS",
        "LI",
        "LU",
        "MW",
        "ML",
        "MD",
        "MN",
        "NP",
        "NE",
        "MK",
        "PY",
        "RW",
        "SM",
        "RS",
        "SK",
        "SS",
        "CH",
        "TJ",
        "TM",
        "UG",
        "UZ",
        "VA",
        "ZM",
        "ZW",
    ]
)
UNCLEAR = ("RS AL", "RS ME", "MA MR", "NL FR", "ES MA", "ES GB", "DK CA", "IN AF", "FR BR", "FR SR", "CY GB", "IL EG")
"""Borders that are disputed, or exist overseas only: not asked for."""
PARTLY = frozenset(
    [
        "KZ EU",
        "EG AS",
        "ID OC",
        "TL OC",
        "US OC",
        "CL OC",
        "FR SA",
        "FR NA",
        "ES AF",
        "PT AF",
        "YE AF",
        "GR AS",
        "NL NA",
        "DK NA",
        "TT SA",
        "PA SA",
    ]
)
"""Countries that lie on another continent too, or may be counted there: not asked for."""
ISLANDS_WITH_BORDERS = frozenset(["IE", "GB", "HT", "DO", "ID", "PG", "TL", "BN"])
ORDINALS: dict[Lang, tuple[str, ...]] = {
    "en": ("first", "second", "third", "fourth", "fifth"),
    "zh": ("一", "二", "三", "四", "五"),
}
NUMBERS: dict[Lang, tuple[str, ...]] = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight"),
    "zh": ("零", "一", "两", "三", "四", "五", "六", "七", "八"),
}


@dataclasses.dataclass(frozen=True)
class Country:
    """A row of ``data/countries_all.psv``; the area in thousands of square kilometres."""

    code: str
    name: Both
    adjective: str
    capital: Both
    continent: str
    languages: tuple[str, ...]
    main: bool
    money: str
    area: float
    neighbours: tuple[str, ...]
    sight: Both


@functools.cache
def countries() -> dict[str, Country]:
    """All countries by their codes."""
    return {
        row[0]: Country(
            code=row[0],
            name={"en": row[1], "zh": row[3]},
            adjective=row[2],
            capital={"en": row[4], "zh": row[5]},
            continent=row[6],
            languages=tuple(code.rstrip("*") for code in row[7].split() if code != "-"),
            main="*" in row[7],
            money=row[8],
            area=float(row[9]),
            neighbours=tuple(code for code in row[10].split() if code != "-"),
            sight={"en": row[11], "zh": row[12]},
        )
        for row in rows("countries_all")
    }


@functools.cache
def words(kind: str) -> dict[str, Both]:
    """Languages (lang), currencies (money), continents (place), notes and special capitals by code."""
    return {row[1]: {"en": row[2], "zh": row[3]} for row in rows("countries_words") if row[0] == kind}


@functools.cache
def cities() -> dict[str, tuple[Both, ...]]:
    """Famous cities that are no capitals, by country."""
    found: dict[str, tuple[Both, ...]] = {}
    for kind, code, en, zh in rows("countries_words"):
        if kind == "city":
            found[code] = (*found.get(code, ()), {"en": en, "zh": zh})
    return found


def area_text(area: float, lang: Lang) -> str:
    """An area in words: rounded, in millions from one million on."""
    square = area * 1000
    if lang == "zh":
        number = (
            f"{square / 1e8:g} 亿" if square >= 1e8 else f"{square / 1e4:g} 万" if square >= 1e4 else f"{square:g} "
        )
        return number + "平方公里"
    number = f"{square / 1e6:g} million" if square >= 1e6 else f"{square:,.0f}" if square >= 1 else f"{square:g}"
    return f"{number} square kilometres"


def place(country: Country, lang: Lang) -> str:
    """Where it is: ``in Europe``, ``在欧洲``."""
    text = words("place")[country.continent][lang]
    return text if lang == "en" else ("地跨" if country.continent == "EA" else "在") + text


def _known(one: Country) -> dict[str, dict[Lang, Slots]]:
    known: dict[str, dict[Lang, Slots]] = {
        "continent": {
            "en": {"p": place(one, "en"), "v": CONTINENTS.get(one.continent, ("",))[0]},
            "zh": {"p": place(one, "zh"), "v": words("place")[one.continent]["zh"]},
        },
        "sight": {lang: {"v": one.sight[lang]} for lang in LANGS},
        "area": {lang: {"v": area_text(one.area, lang)} for lang in LANGS},
        "people": {lang: {"v": one.adjective} for lang in LANGS},
        "name": {"en": {"v": one.name["zh"]}, "zh": {"v": one.name["en"].removeprefix("the ")}},
    }
    if one.continent not in CONTINENTS:
        known["continent"]["en"]["v"] = one.continent
    if one.capital["en"] != "-":
        note = words("note").get(one.code, {"en": "", "zh": ""})
        known["capital"] = {
            "en": {"v": one.capital["en"], "note": " " + note["en"] if note["en"] else ""},
            "zh": {"v": one.capital["zh"], "note": note["zh"]},
        }
    if one.languages:
        many = len(one.languages) > 1
        spoken = {lang: table_talk.join([words("lang")[code][lang] for code in one.languages], lang) for lang in LANGS}
        known["language"] = {
            "en": {
                "v": spoken["en"],
                "are": "are" if many else "is",
                "s": "s" if many else "",
                "kind": "main" if one.main else "official",
            },
            "zh": {"v": spoken["zh"], "kind": "主要语言" if one.main else "官方语言"},
        }
    if one.money != "-":
        known["money"] = {lang: {"v": words("money")[one.money][lang]} for lang in LANGS}
    return known


@functools.cache
def table() -> Table:
    """The countries as things to ask for."""
    things = []
    for one in countries().values():
        near = tuple(countries()[code].capital for code in one.neighbours if countries()[code].capital["en"] != "-")
        decoys = cities().get(one.code, ()) * 3 + near
        aliases = words("alias").get(one.code, {})
        more: dict[Lang, tuple[str, ...]] = {
            lang: tuple(text.split(";")) for lang, text in aliases.items() if text != "-"
        }
        things.append(Thing(one.name, _known(one), {"capital": decoys} if decoys else {}, more))
    return Table(FILE, tuple(things))


def _thing(country: Country) -> Thing:
    return next(thing for thing in table().things if thing.name is country.name)


def _draw(rng: random.Random, count: int) -> list[Country]:
    return rng.sample(list(countries().values()), count)


def _on_continents() -> list[Country]:
    return [one for one in countries().values() if one.continent in CONTINENTS]


def forward(kind: str) -> Talk:
    """A talk about one thing that countries have."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        if kind == "name":
            return naming(lang, rng)
        if kind == "continent":
            country = rng.choice(list(countries().values()))
            if country.continent not in CONTINENTS:
                asked = table_talk.ask(FILE, kind, lang, rng, _thing(country).slots(kind, lang))
                says = table().says(_thing(country), kind, rng)
                return table_talk.turns(Reply(asked, says), lang, rng)
            return _continent(country, lang, rng)
        if kind == "people" and lang == "en":
            thing = rng.choice(table().having(kind))
            asked = table_talk.ask(FILE, kind, lang, rng, thing.slots(kind, lang))
            return table_talk.turns(Reply(asked, table().says(thing, kind, rng), thing.value(kind)), lang, rng)
        return table().forward(kind, lang, rng)

    return talk


def _continent(country: Country, lang: Lang, rng: random.Random) -> list[Turn]:
    """Where a country is; what follows stays with countries of one continent."""
    thing = _thing(country)
    asked = table_talk.ask(FILE, "continent", lang, rng, thing.slots("continent", lang))
    wrong = rng.choice([code for code in CONTINENTS if code != country.continent])
    short: Both = {"en": CONTINENTS[country.continent][0], "zh": words("place")[country.continent]["zh"]}
    miss: Both = {"en": CONTINENTS[wrong][0], "zh": words("place")[wrong]["zh"]}
    reply = Reply(asked, table().says(thing, "continent", rng), short, miss)
    talk = [(asked, reply.says[lang])]
    draw = rng.random()
    if draw < 0.15:
        second = rng.choice(list(countries().values()))
        answer = table().says(_thing(second), "continent", rng)[lang]
        talk.append((table_talk.next_question(second.name[lang], lang, rng), answer))
    elif draw < 0.4:
        talk += table_talk.follow(reply, lang, rng)
    return talk


def naming(lang: Lang, rng: random.Random) -> list[Turn]:
    """A country's name in the other language."""
    thing = rng.choice(table().having("name"))
    asked = table_talk.ask(FILE, "name", lang, rng, thing.slots("name", lang))
    answer = table_talk.say(FILE, "name", lang, rng, thing.slots("name", lang))
    talk = [(asked, answer)]
    if rng.random() < 0.3:
        second = rng.choice(table().having("name"))
        again = table_talk.say(FILE, "name", lang, rng, second.slots("name", lang))
        talk.append((table_talk.next_question(second.name[lang], lang, rng), again))
    return talk


def capital_special(lang: Lang, rng: random.Random) -> list[Turn]:
    """Countries with several capitals, or with none."""
    code, text = rng.choice(list(words("capital").items()))
    name = countries()[code].name
    slots = {"x": name[lang], "b": name[lang].removeprefix("the ")}
    return table_talk.turns(Reply(table_talk.ask(FILE, "capital", lang, rng, slots), text), lang, rng)


def back(kind: str) -> Talk:
    """Which country has it?"""
    return lambda lang, rng: table().back(kind, lang, rng)


def check(kind: str) -> Talk:
    """Does the country have it?"""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        if kind == "sight":
            return sight_check(lang, rng)
        if kind != "language":
            return table().check(kind, lang, rng)
        thing = rng.choice(table().having("language"))
        country = next(one for one in countries().values() if one.name is thing.name)
        right = rng.random() < 0.5
        away = [code for code in words("lang") if code not in country.languages]
        common = [code for code in ("en", "fr", "es", "pt", "ar", "ru", "de") if code in away]
        spoken = rng.choice(country.languages if right else common if rng.random() < 0.5 else away)
        slots = {**thing.slots(kind, lang), "v": words("lang")[spoken][lang]}
        asked = table_talk.ask_check(FILE, "language check", lang, rng, slots)
        says = table().says(thing, "language", rng)
        if right:
            return table_talk.checked(True, asked, says, lang, rng)
        # Others may well speak it there: what the answer says is which languages are official.
        return [(asked, ("Not officially. " if lang == "en" else "不是官方的。") + says[lang])]

    return talk


def sight_check(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is a sight in this country? If not, where it is."""
    home = rng.choice(table().things)
    right = rng.random() < 0.5
    asked_for = home if right else rng.choice([one for one in table().things if one is not home])
    slots = {one: home.slots("sight", one) for one in LANGS}
    asked = table_talk.ask_check(FILE, "sight check", lang, rng, {**slots[lang], "x": asked_for.name[lang]})
    return table_talk.checked(right, asked, table_talk.says(FILE, "sight back", rng, slots), lang, rng)


def choice(kind: str) -> Talk:
    """This or that?"""
    return lambda lang, rng: table().choice(kind, lang, rng)


def continent_check(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it on this continent?"""
    country, right = rng.choice(_on_continents()), rng.random() < 0.5
    code = country.continent if right else rng.choice([one for one in CONTINENTS if one != country.continent])
    if f"{country.code} {code}" in PARTLY:
        code, right = country.continent, True
    value = CONTINENTS[code][0] if lang == "en" else words("place")[code]["zh"]
    slots = {**_thing(country).slots("continent", lang), "v": value}
    asked = table_talk.ask_check(FILE, "continent check", lang, rng, slots)
    return table_talk.checked(right, asked, table().says(_thing(country), "continent", rng), lang, rng)


def neighbours(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which countries border it: all of them, or the first six."""
    country = rng.choice(list(countries().values()))
    slots = {"x": country.name[lang], "b": country.name[lang].removeprefix("the ")}
    asked = table_talk.ask(FILE, "neighbours", lang, rng, slots)
    return table_talk.turns(Reply(asked, neighbours_said(country)), lang, rng)


def neighbours_said(country: Country) -> Both:
    """The neighbours in a sentence."""
    x = {lang: table_talk.cap(country.name[lang]) for lang in LANGS}
    if not country.neighbours:
        return {
            "en": f"{x['en']} has no land neighbours: there is sea all around it.",
            "zh": f"{x['zh']}没有陆上邻国，四面环海。",
        }
    some = country.neighbours[:6]
    more = len(country.neighbours) > 6
    group = {lang: table_talk.join([countries()[code].name[lang] for code in some], lang) for lang in LANGS}
    if more:
        return {
            "en": f"{x['en']} borders {group['en']}, among others.",
            "zh": f"{x['zh']}的邻国有{group['zh']}等。",
        }
    return {"en": f"{x['en']} borders {group['en']}.", "zh": f"{x['zh']}与{group['zh']}接壤。"}


def borders(lang: Lang, rng: random.Random) -> list[Turn]:
    """Do two countries share a border?"""
    right = rng.random() < 0.5
    while True:
        first = rng.choice([one for one in countries().values() if one.neighbours])
        if right:
            second = countries()[rng.choice(first.neighbours)]
        else:
            second = rng.choice([one for one in countries().values() if one.continent == first.continent])
        pair = {f"{first.code} {second.code}", f"{second.code} {first.code}"}
        if first is not second and not pair & set(UNCLEAR) and right == (second.code in first.neighbours):
            break
    slots = {"x": first.name[lang], "y": second.name[lang]}
    asked = table_talk.ask_check(FILE, "borders", lang, rng, slots)
    a, b = ({one: country.name[one] for one in LANGS} for country in (first, second))
    if right:
        says: Both = {
            "en": f"{table_talk.cap(a['en'])} and {b['en']} share a border.",
            "zh": f"{a['zh']}和{b['zh']}接壤。",
        }
    else:
        says = {
            "en": f"{table_talk.cap(a['en'])} and {b['en']} do not share a border.",
            "zh": f"{a['zh']}和{b['zh']}不接壤。",
        }
    talk = [(asked, table_talk.verdict(right, says[lang], lang))]
    if rng.random() < 0.3:
        which: Both = {"en": "which countries does {x} border", "zh": "那{x}和哪些国家接壤"}
        follow = which[lang].replace("{x}", first.name[lang])
        talk.append((table_talk.lightly(table_talk.marked(follow, lang), lang, rng), neighbours_said(first)[lang]))
    return talk


def landlocked(lang: Lang, rng: random.Random) -> list[Turn]:
    """By the sea, or landlocked?"""
    inland = rng.random() < 0.5
    country = rng.choice([one for one in countries().values() if (one.code in LANDLOCKED) == inland])
    asked = table_talk.ask(FILE, "landlocked", lang, rng, {"x": country.name[lang]})
    x = table_talk.cap(country.name[lang])
    caspian = country.code in {"KZ", "AZ", "TM"}
    if lang == "en":
        answer = f"{x} is landlocked: it has no coast on the open sea" + (
            ", only on the Caspian Sea." if caspian else "."
        )
        answer = answer if inland else f"{x} is not landlocked: it has a coast."
    else:
        answer = f"{x}是内陆国，" + ("只临里海，不靠大洋。" if caspian else "不靠海。")
        answer = answer if inland else f"{x}靠海，不是内陆国。"
    return [(asked, answer)]


def island(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it an island country, without a neighbour on land?"""
    alone = rng.random() < 0.5
    pool = [one for one in countries().values() if one.code not in ISLANDS_WITH_BORDERS | {"AU", "CY", "BH"}]
    country = rng.choice([one for one in pool if bool(one.neighbours) != alone])
    asked = table_talk.ask(FILE, "island", lang, rng, {"x": country.name[lang]})
    x = table_talk.cap(country.name[lang])
    if alone:
        return [
            (
                asked,
                f"{x} is an island country, with no land borders." if lang == "en" else f"{x}是岛国，没有陆上邻国。",
            )
        ]
    other = countries()[country.neighbours[0]].name[lang]
    if lang == "en":
        return [(asked, f"{x} is not an island country: it borders {other} on land.")]
    return [(asked, f"{x}不是岛国，它在陆上与{other}相邻。")]


def _clear(group: list[Country]) -> bool:
    """Whether the areas differ enough to be compared."""
    areas = sorted(country.area for country in group)
    return all(large >= 1.15 * small for small, large in itertools.pairwise(areas))


def _comparable(rng: random.Random, count: int) -> list[Country]:
    while True:
        group = _draw(rng, count)
        if rng.random() < 0.5:
            known = " ".join(codes for _, _, codes in CONTINENTS.values()).split()
            group = [countries()[code] for code in rng.sample([*known, "GB", "RU", "NL", "CH"], count)]
        if _clear(group):
            return group


def bigger(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two is larger, or smaller; or is it true that one is larger."""
    first, second = _comparable(rng, 2)
    draw = rng.random()
    asked_slots = {"x": first.name[lang], "y": second.name[lang]}
    asked_slots |= {"b": first.name[lang].removeprefix("the "), "c": second.name[lang].removeprefix("the ")}
    large, small = (first, second) if first.area > second.area else (second, first)
    heading = "smaller" if draw > 0.8 else "bigger"
    one, two = (small, large) if heading == "smaller" else (large, small)
    slots: dict[Lang, Slots] = {
        each: {"x": one.name[each], "v": area_text(one.area, each), "y": two.name[each], "w": area_text(two.area, each)}
        for each in LANGS
    }
    answer = table_talk.says(FILE, heading, rng, slots)
    if draw < 0.35:
        right = first is large
        return table_talk.checked(
            right, table_talk.ask_check(FILE, "bigger check", lang, rng, asked_slots), answer, lang, rng
        )
    asked = table_talk.ask(FILE, heading, lang, rng, asked_slots)
    return table_talk.turns(Reply(asked, answer, one.name, two.name), lang, rng)


def largest_of(lang: Lang, rng: random.Random) -> list[Turn]:
    """The largest or the smallest of three to five, and now and then the other after it."""
    group = _comparable(rng, rng.choice((3, 3, 4, 5)))
    ranked = sorted(group, key=lambda one: one.area)
    heading, one, last = (
        ("largest of", ranked[-1], ranked[0]) if rng.random() < 0.6 else ("smallest of", ranked[0], ranked[-1])
    )
    named = table_talk.join(
        [each.name[lang] for each in group], lang, rng.choice(("and", "or")) if lang == "en" else ""
    )
    asked = table_talk.ask(FILE, heading, lang, rng, {"g": named})
    talk = [(asked, _largest_said(heading, one, lang, rng))]
    if rng.random() < 0.35:
        opposite = "smallest of" if heading == "largest of" else "largest of"
        follow: dict[str, Both] = {
            "smallest of": {
                "en": "(and the smallest|which one is the smallest|and which is smallest)?",
                "zh": "(最小的呢|那哪个最小|最小的是谁)？",
            },
            "largest of": {
                "en": "(and the largest|which one is the biggest|and which is biggest)?",
                "zh": "(最大的呢|那哪个最大|最大的是谁)？",
            },
        }
        asked = table_talk.lightly(expand(follow[opposite][lang], rng), lang, rng)
        talk.append((asked, _largest_said(opposite, last, lang, rng)))
    return talk


def _largest_said(heading: str, country: Country, lang: Lang, rng: random.Random) -> str:
    return table_talk.say(FILE, heading, lang, rng, {"x": country.name[lang], "v": area_text(country.area, lang)})


def listing(lang: Lang, rng: random.Random) -> list[Turn]:
    """A few countries of a continent, and questions that look back at them."""
    code = rng.choice(list(CONTINENTS))
    name, adjective, codes = CONTINENTS[code]
    opened = rng.random() < 0.35
    count = 5 if opened else rng.randint(2, 8)
    group = [countries()[one] for one in codes.split()[:count]]
    slots = {
        "n": NUMBERS[lang][count] if rng.random() < 0.6 else str(count),
        "N": table_talk.cap(NUMBERS[lang][count]),
        "M": NUMBERS[lang][count],
        "v": name if lang == "en" else words("place")[code]["zh"],
        "a": adjective,
        "g": table_talk.join([one.name[lang] for one in group], lang),
    }
    heading = "list open" if opened else "list"
    asked = table_talk.ask(FILE, heading, lang, rng, slots)
    talk = [(asked, _list_said(heading, group, slots, lang, rng))]
    draw = rng.random()
    if draw < 0.15:
        capitals = [one for one in group if one.capital[lang] != "-"]
        if lang == "en":
            answer = ", ".join(f"{one.name[lang]}: {one.capital[lang]}" for one in capitals)
        else:
            answer = "，".join(f"{one.name[lang]}的首都是{one.capital[lang]}" for one in capitals)
        asked = table_talk.lightly(table_talk.pick(FILE, "capitals of list", lang, rng, {}), lang, rng)
        talk.append((asked, table_talk.stop(answer, lang)))
    elif draw < 0.4:
        at = rng.randrange(min(count, 5))
        slots = {"o": ORDINALS[lang][at]}
        if group[at].capital[lang] != "-":
            asked = table_talk.lightly(table_talk.pick(FILE, "nth of list", lang, rng, slots), lang, rng)
            talk.append((asked, table().says(_thing(group[at]), "capital", rng)[lang]))
    elif draw < 0.5:
        inside = rng.random() < 0.5
        country = (
            rng.choice(group) if inside else rng.choice([one for one in _on_continents() if one.continent != code])
        )
        asked = (
            table_talk.lightly(table_talk.pick(FILE, "member of list", lang, rng, {"x": country.name[lang]}), lang, rng)
            .replace("are ", "is ")
            .replace("Are ", "Is ")
        )
        answer = table().says(_thing(country), "continent", rng)[lang]
        talk.append((asked, table_talk.verdict(inside, answer, lang)))
    return talk


def _list_said(heading: str, group: list[Country], slots: Slots, lang: Lang, rng: random.Random) -> str:
    if heading == "list" and rng.random() < 0.2:
        head = "{N} countries in {v}:" if lang == "en" else "{M}个{v}国家："
        lines = "\n".join("- " + table_talk.cap(one.name[lang]) for one in group)
        return expand(head, rng, slots) + "\n\n" + lines
    return table_talk.say(FILE, heading, lang, rng, slots)


def odd(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which one is of another continent?"""
    code, other = rng.sample(list(CONTINENTS), 2)
    pool = [one for one in _on_continents() if one.continent == code]
    group = rng.sample(pool, rng.choice((2, 3, 3, 4)))
    stranger = rng.choice([one for one in _on_continents() if one.continent == other])
    names = [one.name[lang] for one in [*group, stranger]]
    rng.shuffle(names)
    value = CONTINENTS[code][0] if lang == "en" else words("place")[code]["zh"]
    heading = "not in" if len(group) == 2 or rng.random() < 0.4 else "odd"
    slots = {"x": stranger.name[lang], "p": place(stranger, lang), "v": value, "a": CONTINENTS[code][1]}
    asked = table_talk.ask(
        FILE, heading, lang, rng, {**slots, "g": table_talk.join(names, lang, "or" if lang == "en" else "")}
    )
    return [(asked, table_talk.say(FILE, heading, lang, rng, slots))]


def speakers(lang: Lang, rng: random.Random) -> list[Turn]:
    """Where a language is spoken, with up to five countries."""
    code = (
        rng.choice(list(words("lang")))
        if rng.random() < 0.6
        else rng.choice(["en", "fr", "es", "pt", "ar", "de", "ru", "it", "nl", "zh", "sw"])
    )
    pool = [one for one in countries().values() if code in one.languages]
    known = [one for _, _, codes in CONTINENTS.values() for one in codes.split()]
    known = ["GB", "US", "PT", "CH", *known]
    pool.sort(key=lambda one: (len(one.languages) > 2, known.index(one.code) if one.code in known else 99))
    some = [one.name[lang] for one in pool[:5]]
    group, more = table_talk.join(some, lang), len(pool) > 5
    value = words("lang")[code][lang]
    asked = table_talk.ask(FILE, "speakers", lang, rng, {"v": value})
    if lang == "en":
        answer = f"{value} is an official or main language in {group}" + (", among others." if more else ".")
    else:
        answer = f"{group}" + ("等国" if more else "") + f"以{value}为官方或主要语言。"
    return [(asked, answer)]


def about(lang: Lang, rng: random.Random) -> list[Turn]:
    """A country in a few sentences, and what follows."""
    country = rng.choice(list(countries().values()))
    asked = table_talk.ask(
        FILE, "about", lang, rng, {"x": country.name[lang], "b": country.name[lang].removeprefix("the ")}
    )
    talk = [(asked, about_said(country, lang))]
    if rng.random() < 0.35:
        thing = _thing(country)
        kinds = [kind for kind in ("money", "area", "sight") if kind in thing.known]
        for kind in rng.sample(kinds, rng.choice((1, 1, 2))):
            asked = table_talk.lightly(table_talk.pick(FILE, f"{kind} it", lang, rng, {}), lang, rng)
            talk.append((asked, table().says(thing, kind, rng)[lang]))
    return talk


def about_said(country: Country, lang: Lang) -> str:
    """Where it is, its capital and its languages."""
    x, known = country.name[lang], _known(country)
    if lang == "en":
        text = f"{table_talk.cap(x)} is a country {place(country, lang)}."
        if "capital" in known:
            text += f" Its capital is {country.capital[lang]}."
        if "language" in known:
            slots = known["language"]["en"]
            text += f" The {slots['kind']} language{slots['s']} {slots['are']} {slots['v']}."
        return table_talk.tidy(text, lang)
    text = f"{x}是{place(country, lang).removeprefix('在')}的国家"
    if "capital" in known:
        text += f"，首都是{country.capital[lang]}"
    if "language" in known:
        text += f"，{known['language']['zh']['kind']}是{known['language']['zh']['v']}"
    return text + "。"


def city(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a city is: a capital, or a well-known city of a country."""
    if rng.random() < 0.55:
        code = rng.choice(list(cities()))
        name, country = rng.choice(cities()[code])[lang], countries()[code].name[lang]
        heading = "what" if rng.random() < 0.5 else "capital back"
        asked = table_talk.ask(FILE, heading, lang, rng, {"v": name})
        capital = countries()[code].capital[lang]
        capital = "" if capital == "-" else capital
        if lang == "en":
            answer = f"{name} is a city in {country}."
            answer += f" It is not the capital; that is {capital}." if capital and heading != "what" else ""
        else:
            answer = f"{name}是{country}的城市" + (
                f"，但不是首都，首都是{capital}。" if capital and heading != "what" else "。"
            )
        return [(asked, table_talk.tidy(answer, lang))]
    pool = [
        one for one in countries().values() if one.capital["en"] != "-" and one.code not in {"MC", "SM", "SG", "VA"}
    ]
    one = rng.choice([one for one in pool if one.capital[lang] not in {"金斯敦", "San José"}])
    slots = {"v": one.capital[lang], "x": one.name[lang], "p": place(one, lang)}
    asked = table_talk.ask(FILE, "what", lang, rng, slots)
    answer = table_talk.say(FILE, "what", lang, rng, slots)
    return (
        table_talk.turns(
            Reply(
                asked,
                table_talk.says(
                    FILE,
                    "what",
                    rng,
                    {each: {"v": one.capital[each], "x": one.name[each], "p": place(one, each)} for each in LANGS},
                ),
            ),
            lang,
            rng,
        )
        if rng.random() < 0.3
        else [(asked, answer)]
    )


def two_kinds(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two things about one country in one question."""
    thing = rng.choice([thing for thing in table().things if {"capital", "money", "language"} <= set(thing.known)])
    kinds = rng.sample(("capital", "money", "language"), 2)
    named = {"capital": ("capital", "首都"), "money": ("currency", "货币"), "language": ("language", "语言")}
    at = LANGS.index(lang)
    slots = table().called(thing, {"x": thing.name[lang], "b": thing.name[lang].removeprefix("the ")}, lang, rng)
    slots |= {"k": named[kinds[0]][at], "l": named[kinds[1]][at]}
    says = [table().says(thing, kind, rng) for kind in kinds]
    both: Both = {one: (" " if one == "en" else "").join(said[one] for said in says) for one in LANGS}
    return table_talk.turns(Reply(table_talk.ask(FILE, "two kinds", lang, rng, slots), both), lang, rng)


def several(lang: Lang, rng: random.Random) -> list[Turn]:
    """The capitals of two to four countries in one question."""
    group = rng.sample([one for one in countries().values() if one.capital["en"] != "-"], rng.choice((2, 2, 3, 4)))
    asked = table_talk.ask(FILE, "several", lang, rng, {"g": table_talk.join([one.name[lang] for one in group], lang)})
    says: Both = {
        "en": table_talk.stop(", ".join(f"{one.name['en']}: {one.capital['en']}" for one in group), "en"),
        "zh": table_talk.stop("，".join(f"{one.name['zh']}的首都是{one.capital['zh']}" for one in group), "zh"),
    }
    talk = table_talk.turns(Reply(asked, says), lang, rng, 0.15)
    if len(talk) == 1 and rng.random() < 0.3:
        one = rng.choice(group)
        where: Both = {"en": "where is {x}", "zh": "{x}在哪个洲"}
        follow = table_talk.marked(where[lang].replace("{x}", one.name[lang]), lang)
        talk.append((table_talk.lightly(follow, lang, rng), table().says(_thing(one), "continent", rng)[lang]))
    return talk


def region(lang: Lang, rng: random.Random) -> list[Turn]:
    """A region, a former or an invented country: Eyas does not know its capital."""
    row = rng.choice([row for row in rows("countries_words") if row[0] == "region"])
    name = row[2] if lang == "en" else row[3]
    heading = rng.choice(("capital", "capital", "money"))
    return table_talk.edge(FILE, heading, lang, rng, {"x": name, "b": name.removeprefix("the ")})


def invented(lang: Lang, rng: random.Random) -> str:
    """A country that does not exist."""
    words = lists(FILE)
    return rng.choice(words[f"start.{lang}"]) + rng.choice(words[f"end.{lang}"])


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas does not know of countries, and countries that do not exist."""
    first, second = _draw(rng, 2)
    slots = {"x": first.name[lang], "y": second.name[lang], "z": invented(lang, rng)}
    if rng.random() < 0.25:
        slots["x"] = rng.choice(
            [
                *(one for some in cities().values() for one in some),
                *(one.capital for one in countries().values() if one.capital["en"] != "-"),
            ]
        )[lang]
    heading = rng.choices(("edge", "edge today", "invented"), (9, 2, 8))[0]
    kind = "today" if heading == "edge today" else "knowledge"
    talk = table_talk.edge(FILE, heading, lang, rng, slots, kind)
    if heading == "edge" and rng.random() < 0.15:
        # The way back into the field.
        talk += table().forward("capital", lang, rng)[:1]
    return talk


TALKS: tuple[tuple[Talk, float], ...] = (
    (forward("capital"), 20),
    (back("capital"), 9),
    (check("capital"), 8),
    (choice("capital"), 3),
    (capital_special, 1.5),
    (forward("continent"), 6),
    (continent_check, 4),
    (forward("language"), 6),
    (check("language"), 3),
    (speakers, 2.5),
    (forward("money"), 6),
    (back("money"), 2.5),
    (check("money"), 2),
    (choice("money"), 1),
    (forward("sight"), 3),
    (back("sight"), 5),
    (check("sight"), 1.5),
    (forward("people"), 1.5),
    (forward("name"), 2.5),
    (forward("area"), 2.5),
    (neighbours, 3.5),
    (borders, 3),
    (landlocked, 1.5),
    (island, 1.2),
    (bigger, 3),
    (largest_of, 2),
    (listing, 4),
    (odd, 2),
    (about, 5),
    (city, 3.5),
    (two_kinds, 3),
    (several, 3),
    (region, 1.5),
    (edge, 14),
)
