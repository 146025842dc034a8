"""Famous people: who they were, when and where they lived, and what they did."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Sequence

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.facts import Talk, Turn, big, follow, framed, framed_plain, other, pick, say, sentence
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FRAMES = "people_frames"


@dataclasses.dataclass(frozen=True)
class Person:
    """A famous person. ``aliases`` are other names that users may type; years are as in the table ("-551", "~1254")."""

    names: dict[Lang, str]
    aliases: dict[Lang, tuple[str, ...]]
    female: bool
    kind: dict[Lang, str]
    born: str
    died: str
    place: dict[Lang, str]
    deed: dict[Lang, str]

    def called(self, lang: Lang, rng: random.Random) -> str:
        """A name as a user may type it."""
        if rng.random() < 0.02 and lang == "zh":
            return f" {self.names['en']} "
        return rng.choice((self.names[lang], *self.aliases[lang]))

    def he(self, lang: Lang) -> str:
        """The pronoun."""
        return ("she" if self.female else "he") if lang == "en" else ("她" if self.female else "他")

    @property
    def alive(self) -> bool:
        """Whether the table has a birth and no death, as for people of our time."""
        return bool(self.born) and not self.died and int(self.born.lstrip("~")) > 1900


@functools.cache
def people() -> tuple[Person, ...]:
    """Everybody in the table."""
    return tuple(_person(row) for row in rows("people"))


def _person(row: list[str]) -> Person:
    others = [alias.strip() for alias in row[2].split(";") if alias.strip()]
    return Person(
        names={"en": row[0], "zh": row[1]},
        aliases={
            "en": tuple(alias for alias in others if not _chinese(alias)),
            "zh": tuple(alias for alias in others if _chinese(alias)),
        },
        female=row[3] == "f",
        kind={"en": row[4], "zh": row[5]},
        born=row[6],
        died=row[7],
        place={"en": row[8], "zh": row[9]},
        deed={"en": row[10], "zh": row[11]},
    )


def _chinese(text: str) -> bool:
    return any("一" <= letter <= "鿿" for letter in text)


def year(text: str, lang: Lang) -> str:
    """A year of the table in words: 1879, 551 BC, about 1254."""
    about, number = text.startswith("~"), text.lstrip("~")
    if number.startswith("-"):
        said = f"{number[1:]} BC" if lang == "en" else f"公元前 {number[1:]} 年"
    elif int(number) < 100:
        said = f"AD {number}" if lang == "en" else f"公元 {number} 年"
    else:
        said = number if lang == "en" else f"{number} 年"
    return ("about " if lang == "en" else "大约") + said if about else said


def life(person: Person, lang: Lang) -> str:
    """Years of birth and death in brackets, as far as the table has them."""
    born, died = (year(text, lang) if text else "" for text in (person.born, person.died))
    if born and died:
        return f" ({born} to {died})" if lang == "en" else f"（{born}至{_gap(died)}）"
    if lang == "en":
        return f" (born in {born})" if born else f" (died in {died})" if died else ""
    return f"（生于 {born}）" if born else f"（卒于 {died}）" if died else ""


def article(noun: str) -> str:
    """``noun`` with its indefinite article."""
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun


def about(person: Person, lang: Lang) -> str:
    """Who somebody was: kind, place, years, and the deed."""
    if lang == "zh":
        home = f"{person.place['zh']}的" if person.place["zh"][-1] not in "代汉" else person.place["zh"]
        head = f"{person.names['zh']}{life(person, 'zh')}是{home}{person.kind['zh']}"
        return f"{head}，{person.he('zh')}{person.deed['zh']}。"
    verb = "is" if person.alive else "was"
    kind = f"{article(person.kind['en'])} from {person.place['en']}{life(person, 'en')}"
    return f"{person.names['en']} {verb} {kind}. {big(person.he('en'))} {person.deed['en']}."


def born(person: Person, lang: Lang) -> str:
    """The sentence on somebody's birth."""
    when = year(person.born, lang)
    return f"{person.names['en']} was born in {when}." if lang == "en" else f"{person.names['zh']}出生于{_gap(when)}。"


def died(person: Person, lang: Lang) -> str:
    """The sentence on somebody's death."""
    when = year(person.died, lang)
    return f"{person.names['en']} died in {when}." if lang == "en" else f"{person.names['zh']}于{_gap(when)}去世。"


def _gap(text: str) -> str:
    return f" {text}" if text[0].isdigit() else text


def origin(person: Person, lang: Lang) -> str:
    """The sentence on where somebody came from."""
    verb = "comes" if person.alive else "came"
    if lang == "en":
        return f"{person.names['en']} {verb} from {person.place['en']}."
    if person.place["zh"][-1] in "代汉":
        return f"{person.names['zh']}是中国人，生活在{person.place['zh']}。"
    return f"{person.names['zh']}是{person.place['zh']}人。"


def did(person: Person, lang: Lang) -> str:
    """The sentence on what somebody did."""
    return sentence(person.names[lang] + (" " if lang == "en" else "") + person.deed[lang], lang)


SENTENCES = {"born": born, "died": died, "from": origin, "deed": did, "who": about}


def known(person: Person) -> list[str]:
    """What the table knows of somebody."""
    return ["who", "deed", "from", *(["born"] if person.born else []), *(["died"] if person.died else [])]


def single(person: Person, lang: Lang, rng: random.Random) -> Turn:
    """One question about one person."""
    ways = [*known(person), "who", "who", "who did", "who did", "who did", "is kind", "is kind", "beyond person"]
    way = rng.choice(ways)
    name = person.called(lang, rng)
    if way in SENTENCES:
        return framed(way, lang, rng, FRAMES, p=name), SENTENCES[way](person, lang)
    if way == "who did":
        return framed(way, lang, rng, FRAMES, d=person.deed[lang]), did(person, lang)
    if way == "beyond person":
        return framed(way, lang, rng, FRAMES, p=name), unknown.answer(lang, rng)
    return kind_claim(person, name, lang, rng)


def kind_claim(person: Person, name: str, lang: Lang, rng: random.Random) -> Turn:
    """Whether somebody was a painter, a poet, …; half of the answers are no."""
    kind = person.kind[lang]
    if right := rng.random() < 0.5:
        asked = kind
    else:
        words = set(person.kind["en"].split())
        wrong = [one for one in people() if not words & set(one.kind["en"].split()) - {"and", "of"}]
        asked = rng.choice([one for one in wrong if not _near(one, person)]).kind[lang]
    asked = article(asked) if lang == "en" else asked
    fact = (
        f"{person.names['en']} {'is' if person.alive else 'was'} {article(kind)}"
        if lang == "en"
        else f"{person.names['zh']}是{kind}"
    )
    return framed("is kind", lang, rng, FRAMES, p=name, k=asked), say("yes" if right else "no", lang, s=fact)


NEAR = (
    {"playwright", "poet", "writer", "diary", "crime", "fairy", "historian"},
    {"emperor", "empress", "king", "queen", "ruler", "general", "conqueror", "statesman", "president", "leader"},
    {"scientist", "physicist", "chemist", "mathematician", "astronomer", "inventor", "engineer", "biologist", "doctor"},
    {"naturalist", "botanist", "biologist", "physician", "pharmacologist", "agronomist", "doctor", "monk"},
    {"philosopher", "thinker", "teacher", "mathematician", "historian", "nun", "monk"},
    {"astronaut", "cosmonaut"},
    {"seafarer", "traveller", "explorer"},
    {"painter", "sculptor"},
    {"film", "actor", "artist", "director", "producer", "martial"},
    {"leader", "rights", "statesman", "president", "movement"},
    {"sprinter", "hurdler", "footballer", "boxer", "player", "mountaineer"},
)


def _near(one: Person, two: Person) -> bool:
    """Whether two kinds are so close that a no would be arguable."""
    words = [set(person.kind["en"].split()) for person in (one, two)]
    return any(words[0] & near and words[1] & near for near in NEAR)


def follow_up(person: Person, lang: Lang, rng: random.Random) -> Turn:
    """A question that needs looking back to know who is meant."""
    ways = [*(way for way in known(person) if way != "who"), "beyond", "translate", "sure", "thanks", "and"]
    way = rng.choice(ways)
    he = person.he(lang)
    his = "her" if person.female else "his"
    if way in SENTENCES:
        return framed_plain(pick(f"then {way}", lang, rng, FRAMES), lang, rng, he=he, his=his), SENTENCES[way](
            person, lang
        )
    if way == "beyond":
        asked = framed_plain(pick("then beyond", lang, rng, FRAMES), lang, rng, he=he, his=his)
        return asked, unknown.answer(lang, rng)
    if way == "and":
        another = rng.choice(people())
        asked = framed_plain(pick("another topic", lang, rng), lang, rng, t=another.called(lang, rng))
        asked = asked.replace("what is ", "who was ").replace("是什么", "是谁").replace("什么是", "谁是")
        return asked, about(another, lang)
    asked = follow(way, lang, rng)
    if way == "translate":
        return asked, about(person, other(lang))
    if way == "sure":
        return asked, say("sure", lang, s=did(person, lang).rstrip(".。"))
    return asked, say("thanks", lang)


def person_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One person, and follow-ups."""
    person = rng.choice(people())
    if rng.random() < 0.6:
        return [single(person, lang, rng)]
    turns = [(framed("who", lang, rng, FRAMES, p=person.called(lang, rng)), about(person, lang))]
    for _ in range(rng.choice((1, 1, 2, 3))):
        turns.append(follow_up(person, lang, rng))
        if turns[-1][1] == say("thanks", lang) or not any(name in turns[-1][1] for name in person.names.values()):
            break
    return turns


def first_born_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two was born first."""
    dated = [person for person in people() if person.born]
    one, two = rng.sample(dated, 2)
    while one.born == two.born:
        one, two = rng.sample(dated, 2)
    asked = framed("first born", lang, rng, FRAMES, p=one.called(lang, rng), p2=two.called(lang, rng))
    first, later = sorted((one, two), key=lambda person: int(person.born.lstrip("~")))
    when, then = year(first.born, lang), year(later.born, lang)
    if lang == "en":
        text = f"{first.names['en']} was born first, in {when}; {later.names['en']} was born in {then}."
    else:
        text = f"{first.names['zh']}出生更早，生于{_gap(when)}；{later.names['zh']}生于{_gap(then)}。"
    return [(asked, text)]


GROUPS: tuple[tuple[str, str, str], ...] = (
    ("painter", "painters", "画家"),
    ("composer", "composers", "作曲家"),
    ("writer", "writers", "作家"),
    ("poet", "poets", "诗人"),
    ("philosopher", "philosophers", "哲学家"),
    ("physicist", "physicists", "物理学家"),
    ("mathematician", "mathematicians", "数学家"),
    ("inventor", "inventors", "发明家"),
    ("seafarer", "seafarers", "航海家"),
)
NUMBERS: dict[Lang, tuple[str, ...]] = {"en": ("two", "three", "four", "five"), "zh": ("两", "三", "四", "五")}


def joined(names: Sequence[str], lang: Lang) -> str:
    """``a, b and c`` or ``a、b和c``."""
    if lang == "en":
        return ", ".join(names[:-1]) + " and " + names[-1]
    return "、".join(names[:-1]) + "和" + names[-1]


def list_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Name three painters; and who was the second?"""
    word, plural, chinese = rng.choice(GROUPS)
    group = [p for p in people() if (word in p.kind["en"].split() if lang == "en" else chinese in p.kind["zh"])]
    size = min(len(group), rng.randint(2, 5))
    number = NUMBERS[lang][size - 2]
    kind = plural if lang == "en" else chinese
    named = group[:size]
    names = joined([person.names[lang] for person in named], lang)
    asked = framed("list", lang, rng, FRAMES, n=number, k=kind)
    answer = f"{big(number)} famous {kind} are {names}." if lang == "en" else f"{number}位著名{kind}是：{names}。"
    turns = [(asked, answer)]
    if rng.random() < 0.6:
        at = rng.randrange(size)
        person = named[at]
        if lang == "en":
            order = ("first", "second", "third", "fourth", "fifth")[at]
            ask = rng.choice(("who is the {o} one?", "tell me about the {o}", "the {o} one?", "and who was the {o}?"))
        else:
            order = "一二三四五"[at]
            ask = rng.choice(("第{o}位是谁？", "说说第{o}位", "第{o}个呢？", "介绍一下第{o}位"))
        turns.append((ask.replace("{o}", order), about(person, lang)))
    return turns


TALKS: tuple[tuple[Talk, float], ...] = ((person_talk, 10), (first_born_talk, 1), (list_talk, 1.2))
"""The talks of this field with their weights."""
