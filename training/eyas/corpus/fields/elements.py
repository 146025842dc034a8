"""Chemical elements: symbols, numbers, kinds and uses, asked forwards and backwards; the periodic table as a whole."""

from __future__ import annotations

import dataclasses
import functools
import random

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.countries import invented
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE = "elements"
KINDS: dict[str, Both] = {
    "nonmetal": {"en": "nonmetal", "zh": "非金属"},
    "noble": {"en": "noble gas", "zh": "稀有气体"},
    "alkali": {"en": "alkali metal", "zh": "碱金属"},
    "alkaline": {"en": "alkaline earth metal", "zh": "碱土金属"},
    "metalloid": {"en": "metalloid", "zh": "准金属"},
    "halogen": {"en": "halogen", "zh": "卤素"},
    "poor": {"en": "post-transition metal", "zh": "后过渡金属"},
    "transition": {"en": "transition metal", "zh": "过渡金属"},
    "lanthanide": {"en": "lanthanide", "zh": "镧系元素"},
    "actinide": {"en": "actinide", "zh": "锕系元素"},
    "superheavy": {"en": "superheavy artificial element", "zh": "人造超重元素"},
}
METALS = frozenset(("alkali", "alkaline", "poor", "transition", "lanthanide", "actinide"))
STATES: dict[str, Both] = {
    "solid": {"en": "a solid", "zh": "固体"},
    "liquid": {"en": "a liquid", "zh": "液体"},
    "gas": {"en": "a gas", "zh": "气体"},
}
LISTED = ("noble", "halogen", "alkali", "alkaline", "metalloid", "lanthanide", "actinide")


@dataclasses.dataclass(frozen=True)
class Element:
    """A row of ``data/elements.psv``."""

    number: int
    symbol: str
    name: Both
    kind: str
    state: str
    fact: Both | None


@functools.cache
def elements() -> tuple[Element, ...]:
    """All elements by their numbers."""
    return tuple(
        Element(
            int(row[0]),
            row[1],
            {"en": row[2], "zh": row[3]},
            row[4],
            row[5],
            None if row[6] == "-" else {"en": row[6], "zh": row[7]},
        )
        for row in rows(FILE)
    )


def _known(one: Element) -> dict[str, dict[Lang, Slots]]:
    kind = KINDS[one.kind]
    known: dict[str, dict[Lang, Slots]] = {
        "symbol": {lang: {"v": one.symbol} for lang in LANGS},
        "number": {lang: {"v": str(one.number), "s": "" if one.number == 1 else "s"} for lang in LANGS},
        "kind": {
            "en": {
                "v": kind["en"],
                "isa": "is an" if kind["en"][0] in "ai" else "is a",
                "a": "an" if kind["en"][0] in "ai" else "a",
            },
            "zh": {"v": kind["zh"], "isa": "是"},
        },
        "name": {"en": {"v": one.name["zh"]}, "zh": {"v": one.name["en"]}},
    }
    if one.state in STATES:
        known["state"] = {lang: {"v": STATES[one.state][lang]} for lang in LANGS}
    if one.fact:
        known["fact"] = {lang: {"v": table_talk.cap(one.fact[lang]), "s": one.symbol} for lang in LANGS}
        if one.symbol == "Hg":
            # Otherwise it may be the planet that is asked for.
            known["fact"]["en"]["x"] = "the metal mercury"
    return known


@functools.cache
def table() -> Table:
    """The elements as things to ask for; the first 56 and other known ones come more often than the rest."""
    things = tuple(Thing(one.name, _known(one)) for one in elements())
    return Table(FILE, things)


@functools.cache
def common() -> Table:
    """The elements of which there is something to tell."""
    return Table(FILE, tuple(Thing(one.name, _known(one)) for one in elements() if one.fact))


def said(thing: Thing, kind: str, rng: random.Random) -> Both:
    """The answer, its first letter in upper case."""
    answer = table().says(thing, kind, rng)
    return {lang: table_talk.cap(answer[lang]) for lang in LANGS}


def _pick(rng: random.Random) -> Table:
    return common() if rng.random() < 0.6 else table()


def forward(kind: str) -> Talk:
    """A talk about one thing that elements have."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        turns = _pick(rng).forward(kind, lang, rng)
        return [(asked, _cap_name(answer)) for asked, answer in turns]

    return talk


def back(kind: str) -> Talk:
    """Which element has it?"""
    return lambda lang, rng: _pick(rng).back(kind, lang, rng)


def check(kind: str) -> Talk:
    """Is it so?"""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        if kind != "kind":
            turns = _pick(rng).check(kind, lang, rng)
            return [(asked, _cap_after(answer)) for asked, answer in turns]
        thing = rng.choice(table().things)
        right = rng.random() < 0.5
        own = thing.value(kind)["en"]
        # A noble gas is a nonmetal too, and so are the halogens: no wrong answers of those.
        others = [one for one in KINDS.values() if one["en"] not in (own, "nonmetal", "superheavy artificial element")]
        value = thing.value(kind) if right else rng.choice(others)
        slots = {**thing.slots(kind, lang), "v": value[lang]}
        slots["a"] = "an" if value["en"][0] in "ai" else "a"
        asked = table_talk.ask_check(FILE, "kind check", lang, rng, slots)
        return table_talk.checked(right, asked, said(thing, kind, rng), lang, rng)

    return talk


def _cap_name(answer: str) -> str:
    return table_talk.cap(answer)


def _cap_after(answer: str) -> str:
    for start in ("Yes. ", "No. ", "Yes, I am sure. "):
        if answer.startswith(start):
            return start + table_talk.cap(answer[len(start) :])
    return table_talk.cap(answer)


def metal(lang: Lang, rng: random.Random) -> list[Turn]:
    """Metal or not; metalloids are neither."""
    pool = [one for one in elements() if one.kind != "superheavy"]
    metals = [one for one in pool if one.kind in METALS]
    one = rng.choice(metals if rng.random() < 0.5 else [one for one in pool if one not in metals])
    asked = table_talk.ask(FILE, "metal", lang, rng, {"x": one.name[lang]})
    x, kind = one.name[lang], KINDS[one.kind][lang]
    if one.kind == "metalloid":
        answer = (
            f"{x} is a metalloid, between metals and nonmetals."
            if lang == "en"
            else f"{x}是准金属，介于金属和非金属之间。"
        )
    elif one.kind in METALS:
        article = "an" if kind[0] in "ai" else "a"
        answer = f"{x} is a metal, {article} {kind}." if lang == "en" else f"{x}是金属，属于{kind}。"
    else:
        more = "" if one.kind == "nonmetal" else f", a {kind}" if lang == "en" else f"，属于{kind}"
        answer = f"{x} is not a metal but a nonmetal{more}." if lang == "en" else f"{x}不是金属，是非金属{more}。"
    talk = [(asked, table_talk.cap(answer))]
    if rng.random() < 0.2:
        thing = table().things[one.number - 1]
        for kind in rng.sample(("symbol", "number"), 1):
            follow = table_talk.lightly(table_talk.pick(FILE, f"{kind} it", lang, rng, {}), lang, rng)
            talk.append((follow, said(thing, kind, rng)[lang]))
    return talk


def heavier(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two has the higher number."""
    first, second = rng.sample(elements(), 2)
    large, small = (first, second) if first.number > second.number else (second, first)
    slots: dict[Lang, Slots] = {
        each: {"x": large.name[each], "v": str(large.number), "y": small.name[each], "w": str(small.number)}
        for each in LANGS
    }
    asked = table_talk.ask(FILE, "heavier", lang, rng, {"x": first.name[lang], "y": second.name[lang]})
    says = table_talk.says(FILE, "heavier", rng, slots)
    return table_talk.turns(Reply(asked, says, large.name, small.name), lang, rng)


def neighbour(lang: Lang, rng: random.Random) -> list[Turn]:
    """The element before or after."""
    after = rng.random() < 0.6
    at = rng.randrange(1, 117) if rng.random() < 0.4 else rng.randrange(1, 40)
    one, two = elements()[at], elements()[at + (1 if after else -1)]
    slots: dict[Lang, Slots] = {
        each: {"x": one.name[each], "v": two.name[each], "n": str(one.number), "m": str(two.number)} for each in LANGS
    }
    heading = "after" if after else "before"
    asked = table_talk.ask(FILE, heading, lang, rng, slots[lang])
    return table_talk.turns(Reply(asked, table_talk.says(FILE, heading, rng, slots), two.name), lang, rng)


def listing(lang: Lang, rng: random.Random) -> list[Turn]:
    """The elements of a family."""
    kind = rng.choice((*LISTED[:5], *LISTED))
    names = {each: table_talk.join([one.name[each] for one in elements() if one.kind == kind], each) for each in LANGS}
    many = KINDS[kind]["en"] + ("es" if KINDS[kind]["en"].endswith("gas") else "s")
    asked = table_talk.ask(FILE, "list", lang, rng, {"k": many if lang == "en" else KINDS[kind]["zh"]})
    says: Both = {"en": f"The {many} are {names['en']}.", "zh": f"{KINDS[kind]['zh']}有{names['zh']}。"}
    return table_talk.turns(Reply(asked, says), lang, rng, 0.2)


def which_is(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of some elements is a noble gas, a metal, a liquid …?"""
    thing = {one.name["en"]: table().things[one.number - 1] for one in elements()}
    draw = rng.random()
    if draw < 0.5:
        key = rng.choice(("noble", "halogen", "alkali", "alkaline", "lanthanide", "actinide"))
        article = "an " if KINDS[key]["en"][0] in "ai" else "a "
        kind: Both = {"en": article + KINDS[key]["en"], "zh": KINDS[key]["zh"]}
        inside = [one for one in elements() if one.kind == key]
        # All of these are metals or nonmetals, too: the others are told by what they are.
        outside = [one for one in elements() if one.kind not in (key, "superheavy") and one.number < 90]
        told = "kind"
    elif draw < 0.75:
        kind = {"en": "a metal", "zh": "金属"}
        inside = [one for one in elements() if one.kind in METALS and one.fact]
        outside = [one for one in elements() if one.kind in ("nonmetal", "noble", "halogen") and one.fact]
        told = "kind"
    else:
        kind = {"en": "a gas at room temperature", "zh": "常温下的气体"}
        inside = [one for one in elements() if one.state == "gas"]
        outside = [one for one in elements() if one.state in ("solid", "liquid") and one.fact]
        told = "state"
    tells = {one.name["en"]: said(thing[one.name["en"]], told, rng) for one in (*inside, *outside)}
    return table_talk.which_is(kind, [one.name for one in inside], [one.name for one in outside], lang, rng, tells)


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas does not know of elements, and elements that do not exist."""
    one = rng.choice(elements())
    made_up = invented(lang, rng)
    made_up = made_up.lower() + "ium" if lang == "en" else made_up.removesuffix("国")
    slots = {
        "x": one.name[lang],
        "z": made_up,
        "n": str(rng.randint(119, 300)),
        "y": rng.choice(["Zq", "Xx", "Jq", "Qa", "Vb", "Wk", "Jj", "Xz", "Qe", "Zz"]),
    }
    return table_talk.edge(FILE, rng.choices(("edge", "invented"), (3, 2))[0], lang, rng, slots)


TALKS: tuple[tuple[Talk, float], ...] = (
    (forward("symbol"), 9),
    (back("symbol"), 9),
    (check("symbol"), 4),
    (lambda lang, rng: _pick(rng).choice("symbol", lang, rng), 2),
    (forward("number"), 5),
    (back("number"), 5),
    (check("number"), 2.5),
    (forward("kind"), 4),
    (check("kind"), 3),
    (metal, 4),
    (forward("state"), 3.5),
    (check("state"), 2.5),
    (forward("fact"), 10),
    (forward("name"), 3),
    (heavier, 2),
    (neighbour, 2.5),
    (listing, 4),
    (which_is, 4),
    (table_talk.entry_talk("chemistry"), 14),
    (edge, 11),
)
