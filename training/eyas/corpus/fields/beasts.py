"""What Eyas knows about animals, and how it says it; ``animals.py`` makes the talks.

``data/animals2*.psv`` hold the animals, the places, the kinds and the foods, ``data/animals2*.faq`` how people ask.

Flags of an animal: ``f`` flies, ``F`` a bird that cannot, ``f?`` hardly; ``s`` swims well, ``w`` does not swim; ``n``
and ``d`` active by night and by day; ``E`` other than its class in laying eggs, ``e?`` better not asked; ``v`` venomous
or poisonous; ``h`` hibernates; ``t`` threatened; ``l?`` legs better not asked, ``l5arms``, ``l0`` … their
number.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re
from collections.abc import Callable, Sequence

from training.eyas.corpus.animals import Turn
from training.eyas.corpus.grammar import Lang, expand, plainest
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq, lists, rows

Talk = Callable[[Lang, random.Random], list[Turn]]


@dataclasses.dataclass(frozen=True)
class Beast:
    """One animal. Size in centimetres, weight in kilograms, speed in km/h; strength and danger on our own scales."""

    names: dict[Lang, tuple[str, ...]]
    plurals: tuple[str, ...]
    letter: str
    group: str
    places: tuple[str, ...]
    regions: tuple[str, ...]
    diet: str
    foods: tuple[str, ...]
    measure: str
    size: float | None
    weight: float | None
    speed: float | None
    strength: float | None
    danger: float | None
    flags: frozenset[str]
    life: float | None
    facts: dict[Lang, str]

    @property
    def key(self) -> str:
        """The English name."""
        return self.names["en"][0]

    def many(self, lang: Lang) -> str:
        """The name in lists."""
        return self.plurals[0] if lang == "en" else self.names["zh"][0]


@dataclasses.dataclass(frozen=True)
class Place:
    """A habitat or a region."""

    key: str
    kind: str
    said: dict[Lang, str]
    asked: dict[Lang, tuple[str, ...]]
    heads: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A class of animals or a smaller group."""

    key: str
    one: dict[Lang, str]
    many: dict[Lang, str]
    meaning: dict[Lang, str]
    heads: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Named:
    """An animal by one of its names, as the user wrote it, so that the answer can use the same."""

    beast: Beast
    one: str
    many: str

    def slots(self, lang: Lang, rng: random.Random) -> dict[str, str]:
        """For patterns: {name} lion, {one} a lion or the lion, {the} the lion, {many} lions."""
        if lang == "zh":
            return dict.fromkeys(("name", "one", "the", "many"), self.one)
        the = f"the {self.one}"
        return {"name": self.one, "one": the if rng.random() < 0.3 else a(self.one), "the": the, "many": self.many}


# ---------------------------------------------------------------------------------------------------------------- data


def a(noun: str) -> str:
    """``noun`` with its article."""
    return f"a{'n' if noun[0].lower() in 'aeiou' and not noun.startswith('Eu') else ''} {noun}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def _number(cell: str) -> float | None:
    return None if cell == "-" else float(cell)


def _cut(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split() if part != "-")


def _beast(row: list[str]) -> Beast:
    names = [part.partition("/") for part in row[0].split(";")]
    letter, group = row[2].split()
    diet, _, foods = row[5].partition(":")
    size, *numbers = row[6].split()
    return Beast(
        names={"en": tuple(name for name, _, _ in names), "zh": tuple(row[1].split(";"))},
        plurals=tuple(many or _plural(name) for name, _, many in names),
        letter=letter,
        group="" if group == "-" else group,
        places=_cut(row[3]),
        regions=_cut(row[4]),
        diet=diet,
        foods=_cut(foods),
        measure=size[0] if size != "-" else "",
        size=None if size == "-" else float(size[1:]),
        weight=_number(numbers[0]),
        speed=_number(numbers[1]),
        strength=_number(numbers[2]),
        danger=_number(numbers[3]),
        flags=frozenset(_cut(row[7])),
        life=_number(row[8]),
        facts={"en": row[9], "zh": row[10]},
    )


@functools.cache
def beasts() -> tuple[Beast, ...]:
    """All animals, in the order of the table."""
    return tuple(_beast(row) for row in rows("animals2"))


@functools.cache
def by_name() -> dict[str, Beast]:
    """Animals by every English name."""
    return {name: beast for beast in beasts() for name in beast.names["en"]}


@functools.cache
def places() -> dict[str, Place]:
    """Habitats and regions."""
    return {
        row[0]: Place(
            row[0],
            row[1],
            {"en": row[2], "zh": row[4]},
            {"en": tuple(row[3].split(";")), "zh": tuple(row[5].split(";"))},
            tuple(row[6].split(";")),
        )
        for row in rows("animals2_places")
    }


@functools.cache
def kinds() -> dict[str, Kind]:
    """Classes (one letter) and groups."""
    return {
        row[0]: Kind(
            row[0],
            {"en": row[1], "zh": row[3]},
            {"en": row[2], "zh": row[3]},
            {"en": row[4], "zh": row[5]},
            tuple(row[6].split(";")),
        )
        for row in rows("animals2_kinds")
    }


@functools.cache
def foods() -> dict[str, dict[Lang, str]]:
    """What animals eat."""
    return {row[0]: {"en": row[1], "zh": row[2]} for row in rows("animals2_foods")}


@functools.cache
def spoken() -> dict[str, list[str]]:
    """Words for the young, the sound and the group, by the animal's English name."""
    return {by_name()[row[0]].key: row[1:] for row in rows("animals2_words")}


@functools.cache
def _heads() -> frozenset[str]:
    heads = [*(place.heads for place in places().values()), *(kind.heads for kind in kinds().values())]
    return frozenset(by_name()[name].key for names in heads for name in names)


def famous(beast: Beast) -> bool:
    """Whether an animal is among the first of some list."""
    return beast.key in _heads()


@functools.cache
def _weights() -> tuple[float, ...]:
    return tuple(2.2 if beast.key in _heads() else 1.0 for beast in beasts())


def pick(rng: random.Random, fits: Callable[[Beast], bool] = lambda _: True) -> Beast:
    """An animal that fits, well-known ones more often."""
    while True:
        beast = rng.choices(beasts(), _weights())[0]
        if fits(beast):
            return beast


def named(beast: Beast, lang: Lang, rng: random.Random) -> Named:
    """An animal by its first name or, now and then, by another."""
    names = beast.names[lang]
    at = 0 if rng.random() < 0.55 else rng.randrange(len(names))
    return Named(beast, names[at], beast.plurals[at] if lang == "en" else names[at])


def members(key: str) -> list[Beast]:
    """The animals of a place or a kind that take part in lists: its first ones, then the others in table order."""
    if key in places():
        heads = places()[key].heads
        pool = [one for one in beasts() if key in one.places or key in one.regions]
        pool = [one for one in pool if key != "ocean" or one.letter != "b"]
    else:
        heads = kinds()[key].heads
        pool = [one for one in beasts() if key in (one.letter, one.group) and one.key != kinds()[key].one["en"]]
        heads = tuple(name for name in heads if name != kinds()[key].one["en"])
    first = [by_name()[name] for name in heads]
    return first + [one for one in pool if one not in first and one.strength is not None]


# -------------------------------------------------------------------------------------------------------------- asking


def entry(heading: str, lang: Lang) -> tuple[str, ...]:
    """The question patterns under a heading, or none."""
    found = faq("animals2").get(heading)
    return found.questions[lang] if found else ()


def ask(heading: str, lang: Lang, rng: random.Random, slots: dict[str, str]) -> str:
    """A question as somebody types it, out of whole questions, embedded ones and keywords."""
    whole = entry(f"{heading} q", lang) or entry(heading, lang)
    mark = "?" if lang == "en" else "？"
    if rng.random() < 0.18:
        asked = plainest(whole[0], slots)
        return asked[:1].upper() + asked[1:] + ("" if asked[-1] in "?？." else mark)
    embedded, short = entry(f"{heading} e", lang), entry(f"{heading} k", lang)
    draw = rng.random()
    if draw < 0.13 and short:
        return disturb(wrap("k", expand(rng.choice(short), rng, slots), lang, rng), lang, rng)
    if draw < 0.32 and embedded:
        return disturb(wrap("e", expand(rng.choice(embedded), rng, slots), lang, rng), lang, rng)
    return disturb(wrap("q", expand(rng.choice(whole), rng, slots), lang, rng), lang, rng)


def wrap(form: str, asked: str, lang: Lang, rng: random.Random) -> str:
    """A question with what people put around it."""
    patterns = entry(f"wrap {form}", lang)
    if form == "q":
        if asked.lower().startswith(lists("animals2")[f"orders.{lang}"]):
            return asked + rng.choice((".", "", ".", "?") if lang == "en" else ("。", "", "。", "吧"))
        if lang == "zh" and (
            asked[-1] in "吗吧不么没" or "，" in asked or "：" in asked or re.search("是不是|会不会", asked)
        ):
            patterns = patterns[:6]
        if lang == "en" and ("," in asked or ":" in asked):
            patterns = patterns[:6]
    text = expand(rng.choice(patterns), rng, {form: asked})
    return re.sub(r"(吗|呢)(吗|呢|呀|吧|呗)", r"\1", text) if lang == "zh" else text


def small(
    pattern: str, lang: Lang, rng: random.Random, slots: dict[str, str] | None = None, *, question: bool = True
) -> str:
    """A short follow-up, mostly a question."""
    mark = ("?" if lang == "en" else "？") if question else rng.choice(("", "!" if lang == "en" else "！"))
    asked = plainest(pattern, slots) if rng.random() < 0.2 else expand(pattern, rng, slots)
    asked = asked if asked[-1] in "?？.!。！" else asked + mark
    if rng.random() < 0.35:
        asked = rng.choice(lists("animals2")[f"leads.{lang}"]) + asked
    return disturb(asked, lang, rng) if rng.random() < 0.8 else asked[:1].upper() + asked[1:]


def follow(heading: str, lang: Lang, rng: random.Random, slots: dict[str, str] | None = None) -> str:
    """A short follow-up question from a heading."""
    question = heading not in ("thanks", "wrong", "guess", "give up")
    return small(rng.choice(entry(heading, lang)), lang, rng, slots, question=question)


def say(heading: str, lang: Lang, slots: dict[str, str]) -> str:
    """Eyas's words under a heading."""
    return plainest(faq("animals2")[heading].answers[lang][0], slots)


# ------------------------------------------------------------------------------------------------------------- answers


def join(names: Sequence[str], lang: Lang, word: str = "") -> str:
    """``a, b and c`` or ``a、b和c``."""
    if len(names) == 1:
        return names[0]
    if lang == "en":
        return ", ".join(names[:-1]) + f" {word or 'and'} " + names[-1]
    return "、".join(names[:-1]) + (word or "和") + names[-1]


def up(text: str) -> str:
    """``text`` with a capital."""
    return text[:1].upper() + text[1:]


def length(centimetres: float, lang: Lang) -> str:
    """A length in words: metres from one metre on."""
    if centimetres >= 100:
        number, unit = centimetres / 100, ("metre" if centimetres == 100 else "metres", "米")
    elif centimetres < 1:
        number, unit = centimetres * 10, ("millimetres", "毫米")
    else:
        number, unit = centimetres, ("centimetre" if centimetres == 1 else "centimetres", "厘米")
    return f"{number:g} {unit[0] if lang == 'en' else unit[1]}"


def mass(kilograms: float, lang: Lang) -> str:
    """A weight in words, rounded as in the table."""
    if kilograms < 0.001:
        return "less than a gram" if lang == "en" else "不到 1 克"
    if kilograms >= 1000:
        number, unit = kilograms / 1000, ("tonnes", "吨")
    elif kilograms >= 1:
        number, unit = kilograms, ("kilogram" if kilograms == 1 else "kilograms", "公斤")
    else:
        number, unit = kilograms * 1000, ("gram" if kilograms == 0.001 else "grams", "克")
    return f"about {number:g} {unit[0]}" if lang == "en" else f"约 {number:g} {unit[1]}"


def _mass_end(beast: Beast, lang: Lang) -> str:
    weight = mass(beast.weight or 0, lang)
    return f"it weighs {weight}" if lang == "en" else f"它重{weight}"


REGIONS: dict[str, tuple[str, str]] = {
    "world": ("in many parts of the world", "世界许多地方"),
    "antarctica": ("around Antarctica", "南极一带"),
    "madagascar": ("on Madagascar", "马达加斯加"),
    "newzealand": ("in New Zealand", "新西兰"),
}


def _regions(beast: Beast, lang: Lang) -> list[str]:
    skip = {"oceans", "arctic", *(("antarctica",) if "antarctic" in beast.places else ())}
    found = [key for key in beast.regions if key not in skip]
    if lang == "en":
        bare = [REGIONS[key][0] if key in REGIONS else places()[key].said["en"] for key in found if key != "china"]
        said = [one.removeprefix("in ") if number and one.startswith("in ") else one for number, one in enumerate(bare)]
        return [
            *said,
            *(["for example in China"] if "china" in found and said else ["in China"] if "china" in found else []),
        ]
    found = [key for key in found if key != "china" or "asia" not in found]
    china = "china" in beast.regions
    return [
        "亚洲（包括中国）"
        if key == "asia" and china
        else REGIONS[key][1]
        if key in REGIONS
        else places()[key].said["zh"]
        for key in found
    ]


def inside(place: str) -> str:
    """A Chinese place with the word for in or on that it needs."""
    if place.endswith(
        ("区", "洲", "国", "大利亚", "圈", "极", "附近", "边", "底", "大陆", "加拿大", "城里", "街上", "北美", "南美")
    ):
        return place
    return place + (
        "上" if place.endswith(("原", "高山", "山地", "大山", "草地", "草甸", "大地", "街", "礁", "牧草地")) else "里"
    )


BAMBOO: dict[Lang, str] = {"en": "in bamboo forests", "zh": "竹林"}


SHORES: dict[str, dict[Lang, str]] = {
    "ocean": {"en": "by the sea", "zh": "海边"},
    "river": {"en": "by rivers and lakes", "zh": "河边和湖边"},
}


def spot(beast: Beast, key: str, lang: Lang) -> str:
    """A habitat as the home of an animal: birds live by the water and not in it."""
    if key == "bamboo":
        return BAMBOO[lang]
    return SHORES[key][lang] if beast.letter == "b" and key in SHORES else places()[key].said[lang]


def home(who: Named, lang: Lang) -> str:
    """Where an animal lives."""
    beast = who.beast
    spots = [spot(beast, key, lang) for key in beast.places]
    regions = _regions(beast, lang)
    if lang == "en":
        where = join(spots, lang)
        china = bool(regions) and regions[-1] == "for example in China"
        main = regions[:-1] if china else regions
        tail = (f", {join(main, lang)}" if main else "") + (", for example in China" if china else "")
        return f"{up(who.many)} live {where}{tail}."
    spots = [part for spot in spots for part in spot.split("和")]
    ends = {inside(spot).removeprefix(spot) for spot in spots}
    where = inside(join(spots, lang)) if len(ends) == 1 else join([inside(spot) for spot in spots], lang)
    if regions and len(spots) == 1 and len(regions) == 1:
        return f"{who.one}生活在{regions[0]}的{where}。"
    tail = f"，分布在{join(regions, lang)}" if regions else ""
    return f"{who.one}生活在{where}{tail}。"


DIETS: dict[str, tuple[str, str, str]] = {
    "c": ("carnivores", "a carnivore", "食肉动物"),
    "h": ("herbivores", "a herbivore", "食草动物"),
    "o": ("omnivores", "an omnivore", "杂食动物"),
}


def eaten(beast: Beast, lang: Lang) -> str:
    """The foods of an animal, joined."""
    return join([foods()[key][lang] for key in beast.foods], lang)


def food(who: Named, lang: Lang) -> str:
    """What an animal eats."""
    if lang == "en":
        return f"{up(who.many)} eat {eaten(who.beast, lang)}."
    return f"{who.one}吃{eaten(who.beast, lang)}。"


def diet(who: Named, lang: Lang) -> str | None:
    """Carnivore, herbivore or omnivore, and what it eats."""
    if who.beast.diet not in DIETS:
        return None
    many, _, zh = DIETS[who.beast.diet]
    if lang == "en":
        return f"{up(who.many)} are {many}: they eat {eaten(who.beast, lang)}."
    return f"{who.one}是{zh}，吃{eaten(who.beast, lang)}。"


def weight(who: Named, lang: Lang) -> str | None:
    """How heavy an animal is."""
    if who.beast.weight is None:
        return None
    weighs = mass(who.beast.weight, lang)
    return f"{up(a(who.one))} weighs {weighs}." if lang == "en" else f"{who.one}重{weighs}。"


DIMENSIONS: dict[str, tuple[str, str, str, str]] = {
    "h": ("tall", "height", "高", "身高"),
    "l": ("long", "length", "长", "体长"),
    "w": ("wide", "width", "宽", "宽度"),
}


def _sized(beast: Beast, lang: Lang) -> str:
    if beast.size is None:
        return ""
    number = length(beast.size, lang)
    if beast.measure == "w" and beast.letter in "bmi":
        return f"has a wingspan of about {number}" if lang == "en" else f"翼展约 {number}"
    english, _, chinese, _ = DIMENSIONS[beast.measure]
    return f"is about {number} {english}" if lang == "en" else f"{chinese}约 {number}"


def size(who: Named, lang: Lang) -> str | None:
    """How big an animal is, with its weight."""
    beast = who.beast
    if beast.size is None or beast.weight is None:
        return None
    weighs = mass(beast.weight, lang)
    if lang == "en":
        return f"{up(a(who.one))} {_sized(beast, lang)} and weighs {weighs}."
    return f"{who.one}{_sized(beast, lang)}，重{weighs}。"


def extent(who: Named, lang: Lang) -> str | None:
    """How tall or long an animal is."""
    if who.beast.size is None:
        return None
    return f"{up(a(who.one))} {_sized(who.beast, lang)}." if lang == "en" else f"{who.one}{_sized(who.beast, lang)}。"


def gait(beast: Beast, lang: Lang) -> str:
    """The verb for how an animal moves."""
    flags = beast.flags
    if beast.letter in "fo" or beast.group in ("whale", "penguin", "cephalopod", "seal") or beast.key in SWIMMERS:
        return "swim" if lang == "en" else "游"
    if "f" in flags or (beast.letter == "b" and not flags & {"F", "f?"}):
        return "fly" if lang == "en" else "飞"
    if beast.letter in "ra" or (beast.letter in "iscx") or beast.key == "sloth":
        return "move" if lang == "en" else "跳" if beast.letter == "a" else "爬"
    return "run" if lang == "en" else "跑"


SWIMMERS = ("sea turtle", "leatherback turtle", "manatee", "dugong", "jellyfish", "platypus", "beaver", "sea otter")
DIVERS = ("peregrine falcon", "golden eagle", "bald eagle")


def speed(who: Named, lang: Lang) -> str | None:
    """How fast an animal is."""
    beast = who.beast
    if beast.speed is None or beast.speed < 0.1:
        return None
    if lang == "en":
        dive = " in a dive" if beast.key in DIVERS else ""
        unit = "kilometre" if beast.speed == 1 else "kilometres"
        return f"{up(a(who.one))} can {gait(beast, lang)} at about {beast.speed:g} {unit} per hour{dive}."
    return f"{who.one}{'俯冲' if beast.key in DIVERS else '的'}时速约 {beast.speed:g} 公里。"


def life(who: Named, lang: Lang) -> str | None:
    """How long an animal lives."""
    if who.beast.life is None:
        return None
    if lang == "en":
        return f"{up(who.many)} live about {who.beast.life:g} year{'' if who.beast.life == 1 else 's'}."
    return f"{who.one}大约能活 {who.beast.life:g} 年。"


def kind_of(beast: Beast) -> str | None:
    """The key of the class, or of the group where there is no class."""
    key = beast.group if beast.letter == "x" else beast.letter
    return key if key in kinds() else None


def is_kind(who: Named, lang: Lang) -> str | None:
    """The class of an animal."""
    key = kind_of(who.beast)
    if key is None:
        return None
    one = kinds()[key].one[lang]
    return f"The {who.one} is {a(one)}." if lang == "en" else f"{who.one}是{one}。"


LEGS = {"m": 4, "b": 2, "r": 4, "a": 4, "f": 0, "i": 6, "s": 8, "c": 10}


def limbs(beast: Beast) -> tuple[int, str] | None:
    """How many legs, or arms, where that is clear."""
    marks = [flag[1:] for flag in beast.flags if flag[0] == "l"]
    if marks:
        found = re.fullmatch(r"(\d+)(|arms)", marks[0])
        return (int(found[1]), found[2] or "legs") if found else None
    if beast.group in ("seal", "marsupial"):
        return None
    if beast.group in ("whale", "snake"):
        return 0, "legs"
    return (LEGS[beast.letter], "legs") if beast.letter in LEGS else None


def legs(who: Named, lang: Lang) -> str | None:
    """How many legs an animal has."""
    found = limbs(who.beast)
    if found is None:
        return None
    number, what = found
    if lang == "en":
        if what == "arms":
            return f"{up(a(who.one))} has no legs, but {number} arms."
        return f"{up(a(who.one))} has {number or 'no'} legs."
    if what == "arms":
        return f"{who.one}没有腿，有 {number} 条腕。"
    return f"{who.one}有 {number} 条腿。" if number else f"{who.one}没有腿。"


def active(who: Named, lang: Lang) -> str | None:
    """By day or by night."""
    flags = who.beast.flags
    if not flags & {"n", "d"}:
        return None
    if lang == "en":
        return f"{up(who.many)} are active mostly {'at night' if 'n' in flags else 'by day'}."
    return f"{who.one}主要在{'夜里' if 'n' in flags else '白天'}活动。"


def _word(who: Named, at: int) -> str | None:
    found = spoken().get(who.beast.key)
    return found[at] if found and found[at] != "-" else None


def young(who: Named, lang: Lang) -> str | None:
    """What the young is called."""
    word, chinese = _word(who, 0), _word(who, 1)
    if word is None or chinese is None:
        return None
    if lang == "en":
        return f"A young {who.one} is called {a(word)}."
    return f"{who.one}的幼崽英文叫 {word}，就是{chinese}。"


def sound(who: Named, lang: Lang) -> str | None:
    """What sound an animal makes."""
    word = _word(who, 2 if lang == "en" else 3)
    if word is None:
        return None
    return f"{up(a(who.one))} {word}." if lang == "en" else f"{who.one}{word}。"


def herd(who: Named, lang: Lang) -> str | None:
    """What a group is called in English."""
    word = _word(who, 4)
    if word is None:
        return None
    return f"A group of {who.many} is called {a(word)}." if lang == "en" else f"一群{who.one}的英文是 a {word}。"


def fact(who: Named, lang: Lang) -> str:
    """The fact about an animal."""
    return who.beast.facts[lang] + ("." if lang == "en" else "。")


def about(who: Named, lang: Lang) -> str:
    """Two or three sentences."""
    beast = who.beast
    key = kind_of(beast)
    if lang == "en":
        kind = f"The {who.one} is {a(kinds()[key].one[lang])}" if key else f"The {who.one} is an animal"
        weighs = f" and weighs {mass(beast.weight, lang)}" if beast.weight is not None else ""
        return f"{kind}{weighs}. {fact(who, lang)} {home(who, lang)}"
    kind = f"{who.one}是{kinds()[key].one[lang] if key else '一种动物'}"
    weighs = f"，重{mass(beast.weight, lang)}" if beast.weight is not None else ""
    return f"{kind}{weighs}。{fact(who, lang)}{home(who, lang)}"


@functools.cache
def colours() -> dict[str, dict[Lang, str]]:
    """The colours of well-known animals."""
    return {by_name()[row[0]].key: {"en": row[1], "zh": row[2]} for row in rows("animals2_colours")}


def colour(who: Named, lang: Lang) -> str | None:
    """The colour of an animal, where it is well known."""
    found = colours().get(who.beast.key)
    if found is None:
        return None
    if lang == "en":
        return f"{up(who.many)} are {found['en']}."
    return f"{who.one}身上的颜色{'' if found['zh'].startswith(('大多', '常常', '冬天')) else '是'}{found['zh']}。"


Attribute = Callable[[Named, Lang], str | None]
ATTRIBUTES: dict[str, tuple[Attribute, float]] = {
    "home": (home, 5),
    "food": (food, 5),
    "diet": (diet, 2),
    "weight": (weight, 4),
    "size": (size, 3),
    "length": (extent, 2),
    "speed": (speed, 4),
    "life": (life, 3),
    "class": (is_kind, 4),
    "legs": (legs, 2),
    "active": (active, 1.5),
    "young": (young, 2),
    "sound": (sound, 1.5),
    "herd": (herd, 0.7),
    "colour": (colour, 3),
}


def attribute_slots(name: str, who: Named, lang: Lang, rng: random.Random) -> dict[str, str]:
    """The slots that a question about an attribute needs."""
    slots = who.slots(lang, rng)
    verb = gait(who.beast, lang)
    slots["move"] = verb
    if name == "length":
        english, noun, chinese, chinese_noun = DIMENSIONS[who.beast.measure]
        slots["dim"], slots["dimn"] = (english, noun) if lang == "en" else (chinese, chinese_noun)
    if name == "class":
        key = kind_of(who.beast) or "m"
        others = rng.sample([other for other in "mbrafi" if other != key], rng.choice((1, 1, 2)))
        options = [key, *others]
        rng.shuffle(options)
        if lang == "en":
            slots["aclasses"] = join([a(kinds()[one].one["en"]) for one in options], lang, "or")
            slots["classes"] = join([kinds()[one].many["en"] for one in options], lang, "or")
        else:
            slots["aclasses"] = join([kinds()[one].one["zh"] for one in options], lang, "还是")
    return slots


# --------------------------------------------------------------------------------------------------------------- yes/no


def flies(beast: Beast) -> bool | None:
    """Whether an animal can fly, where that is clear."""
    if "f" in beast.flags:
        return True
    if "f?" in beast.flags or beast.letter == "i":
        return None
    return "F" not in beast.flags if beast.letter == "b" else False


def lays_eggs(beast: Beast) -> bool | None:
    """Whether an animal lays eggs, where that is clear."""
    if "e?" in beast.flags or beast.letter == "x" or beast.key == "mule":
        return None
    return (beast.letter != "m") != ("E" in beast.flags)


def dangerous(beast: Beast) -> bool | None:
    """Whether an animal is dangerous to people: yes, no, or neither."""
    if beast.danger is None or 1 < beast.danger < 6:
        return None
    return beast.danger >= 6


def nightly(beast: Beast) -> bool | None:
    """Whether an animal is nocturnal."""
    return True if "n" in beast.flags else False if "d" in beast.flags else None


def rare(beast: Beast) -> bool | None:
    """Whether an animal is threatened; no only for those that everybody knows to be common."""
    if "t" in beast.flags:
        return True
    common = {"farm", "home", "city"} & set(beast.places) and beast.regions == ("world",)
    return False if common or beast.key in ("earthworm", "ant", "mosquito", "raccoon", "seagull", "snail") else None


def venomous(beast: Beast) -> bool | None:
    """Whether an animal has poison; no only where it is clear."""
    if "v" in beast.flags:
        return True
    if beast.strength is None:
        return None
    return (
        False
        if (beast.letter in "mb" or beast.key in ("anaconda", "python", "boa constrictor", "grass snake"))
        else None
    )


def sleeps(beast: Beast) -> bool | None:
    """Whether an animal hibernates."""
    if "h" in beast.flags:
        return True
    warm = {"savanna", "rainforest", "ocean", "farm", "antarctic"} & set(beast.places)
    return False if beast.letter in "mb" and warm and beast.strength is not None and beast.group != "bat" else None


def swims(beast: Beast) -> bool | None:
    """Whether an animal can swim, where that is clear."""
    if "s" in beast.flags or beast.letter == "f":
        return True
    return False if "w" in beast.flags else None


def plants(beast: Beast) -> bool | None:
    """Whether an animal is a plant eater."""
    return beast.diet == "h" if beast.diet in DIETS else None


def meat(beast: Beast) -> bool | None:
    """Whether an animal is a meat eater."""
    return beast.diet == "c" if beast.diet in DIETS else None


def _fly_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return f"Yes, {who.many} can fly." if yes else f"No, {who.many} cannot fly."
    return f"会，{who.one}会飞。" if yes else f"不会，{who.one}不会飞。"


def _egg_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return (
            f"Yes, {who.many} lay eggs." if yes else f"No, {who.many} do not lay eggs: they give birth to live young."
        )
    return f"会，{who.one}会产卵。" if yes else f"不会，{who.one}不产卵，是直接生下幼崽的。"


def _danger_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        end = "can be dangerous to people." if yes else "are not dangerous to people."
        return f"{'Yes' if yes else 'No'}, {who.many} {end}"
    return f"是的，{who.one}对人有危险。" if yes else f"不危险，{who.one}对人没有危险。"


def _night_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return f"{'Yes' if yes else 'No'}, {who.many} are active mostly {'at night' if yes else 'by day'}."
    return f"是的，{who.one}主要在夜里活动。" if yes else f"不是，{who.one}主要在白天活动。"


def _rare_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return (
            f"Yes, {who.many} are threatened."
            if yes
            else f"No, {who.many} are not threatened: there are very many of them."
        )
    return f"是的，{who.one}的生存受到威胁。" if yes else f"不是，{who.one}没有濒危，数量很多。"


def _venom_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        poison = "poisonous" if who.beast.letter == "a" or who.beast.key == "pufferfish" else "venomous"
        return f"Yes, {who.many} are {poison}." if yes else f"No, {who.many} have no venom."
    return f"有毒，{who.one}是有毒的。" if yes else f"没有毒，{who.one}是无毒的。"


def _sleep_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return f"Yes, {who.many} sleep through the winter." if yes else f"No, {who.many} do not hibernate."
    return f"会，{who.one}会冬眠。" if yes else f"不会，{who.one}不冬眠。"


def _swim_answer(who: Named, lang: Lang, yes: bool) -> str:
    if lang == "en":
        return f"Yes, {who.many} can swim well." if yes else f"No, {who.many} normally do not swim."
    return f"会，{who.one}很会游泳。" if yes else f"不会，{who.one}一般不会游泳。"


def _diet_answer(who: Named, lang: Lang, yes: bool) -> str:
    rest = diet(who, lang) or ""
    if lang == "en":
        return f"{'Yes' if yes else 'No'}, {who.many}{rest[len(who.many) :]}"
    return f"{'是的' if yes else '不是'}，{rest}"


YesNo = tuple[Callable[[Beast], bool | None], Callable[[Named, Lang, bool], str], float]
QUESTIONS: dict[str, YesNo] = {
    "fly": (flies, _fly_answer, 3),
    "eggs": (lays_eggs, _egg_answer, 3),
    "danger": (dangerous, _danger_answer, 2.5),
    "night": (nightly, _night_answer, 1.5),
    "rare": (rare, _rare_answer, 1.5),
    "venom": (venomous, _venom_answer, 1.5),
    "sleep": (sleeps, _sleep_answer, 1),
    "swim": (swims, _swim_answer, 1.5),
    "plants": (plants, _diet_answer, 2.5),
    "meat": (meat, _diet_answer, 2.5),
}

CLOSE = (
    {"raptor", "owl"},
    {"monkey", "ape", "lemur"},
    {"antelope", "cattle", "deer"},
    {"seabird", "penguin", "wader", "waterfowl"},
)


def kin(beast: Beast, key: str) -> bool | None:
    """Whether an animal is of a kind; None where people might disagree."""
    if key in (beast.letter, beast.group):
        return True
    if len(key) == 1:
        return False if beast.letter != "x" or beast.group in kinds() else None
    if beast.group not in kinds() and beast.letter == _letter(key):
        return None
    return None if any({key, beast.group} <= close for close in CLOSE) else False


@functools.cache
def _letter(group: str) -> str:
    return next((beast.letter for beast in beasts() if beast.group == group), "")


def kind_answer(who: Named, key: str, lang: Lang, yes: bool) -> str:
    """Whether an animal is of a kind, and what it is."""
    asked = kinds()[key].one[lang]
    if yes:
        return f"Yes, the {who.one} is {a(asked)}." if lang == "en" else f"是的，{who.one}是{asked}。"
    true = kind_of(who.beast)
    if len(key) > 1 and true == _letter(key):
        true = who.beast.group if who.beast.group in kinds() else None
    if lang == "en":
        return f"No, the {who.one} is not {a(asked)}{f': it is {a(kinds()[true].one[lang])}' if true else ''}."
    return f"不是，{who.one}不是{asked}{f'，而是{kinds()[true].one[lang]}' if true else ''}。"


@functools.cache
def pairs(sort: str) -> tuple[tuple[str, str], ...]:
    """Pairs of words: "trap", an animal and the kind that people take it for; "word", a name and its Chinese."""
    return tuple((row[1], row[2]) for row in rows("animals2_pairs") if row[0] == sort)
