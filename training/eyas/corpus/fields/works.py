"""Famous books, pictures, music, films and buildings: by whom, from when, where, and what they are about."""

from __future__ import annotations

import dataclasses
import functools
import random
import re

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.facts import Talk, Turn, big, follow, framed, framed_plain, other, pick, say
from training.eyas.corpus.fields.people import FRAMES, NUMBERS, article, joined, people
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

MUSIC = ("opera", "ballet", "waltz", "sonata", "concertos", "serenade", "oratorio", "cantata", "piece")
VERBS = {
    "painting": ("painted", "painted", "paint", "画"),
    "film": ("directed", "made", "direct", "拍"),
    "music": ("composed", "composed", "compose", "写"),
    "print": ("made", "made", "make", "创作"),
    "sculpture": ("made", "made", "make", "雕"),
    "text": ("wrote", "written", "write", "写"),
}
"""Past tense, participle, bare form, Chinese."""


@dataclasses.dataclass(frozen=True)
class Work:
    """A work of art."""

    names: dict[Lang, str]
    kind: dict[Lang, str]
    author: dict[Lang, str]
    when: dict[Lang, str]
    country: dict[Lang, str]
    tells: dict[Lang, str]

    @property
    def sort(self) -> str:
        """The key of its verbs."""
        last = self.kind["en"].split()[-1]
        return last if last in VERBS else "music" if last in MUSIC else "text"

    def title(self, lang: Lang) -> str:
        """The title as Eyas writes it."""
        return self.names["en"] if lang == "en" else f"《{self.names['zh']}》"

    def called(self, lang: Lang, rng: random.Random) -> str:
        """The title as a user types it."""
        draw = rng.random()
        if lang == "zh":
            if draw < 0.03:
                return f" {self.names['en']} "
            return self.names["zh"] if draw < 0.4 and len(self.names["zh"]) > 1 else self.title("zh")
        kind = self.kind["en"]
        if draw < 0.15:
            return f"the {kind} {self.names['en']}"
        return f'"{self.names["en"]}"' if draw < 0.25 else self.names["en"]

    @property
    def dated(self) -> bool:
        """Whether it is a text with a year or decade, which is that of its appearance."""
        return self.sort == "text" and re.match(r"in (the )?(17|18|19|20)\d\d", self.when["en"]) is not None

    @property
    def appeared(self) -> str:
        """How it came into the world, in English."""
        if not self.dated:
            return VERBS[self.sort][1]
        return "first performed" if self.kind["en"] == "play" else "published"

    def verbs(self, lang: Lang) -> dict[str, str]:
        """The slots of the verbs: v wrote, x written, b write."""
        past, participle, bare, chinese = VERBS[self.sort]
        return {"v": past, "x": participle, "b": bare} if lang == "en" else {"v": chinese}


@functools.cache
def works() -> tuple[Work, ...]:
    """All works of the table."""
    found = []
    for row in rows("works"):
        cells: list[dict[Lang, str]] = [{"en": row[at], "zh": row[at + 1]} for at in range(0, 12, 2)]
        found.append(Work(*cells))
    return tuple(found)


def about(work: Work, lang: Lang) -> str:
    """What a work is: kind, author, time, and what it tells."""
    if lang == "en":
        many = "are" if work.kind["en"].endswith("concertos") else "is"
        kind = work.kind["en"] if many == "are" else article(work.kind["en"])
        made = f"{work.appeared} {work.when['en']}"
        return f"{work.names['en']} {many} {kind} by {work.author['en']}, {made}. {big(work.tells['en'])}."
    made = f"创作于{_gap(work.when['zh'])}"
    if work.sort == "film" or work.dated:
        made = work.when["zh"] + ("上映" if work.sort == "film" else "问世")
    return f"{work.title('zh')}是{work.author['zh']}的{work.kind['zh']}，{made}，{work.tells['zh']}。"


def _gap(text: str) -> str:
    return f" {text}" if text[0].isdigit() else text


def author(work: Work, lang: Lang) -> str:
    """Who made it."""
    if lang == "en":
        return f"{work.author['en']} {work.verbs('en')['v']} {work.names['en']}."
    role = "导演" if work.sort == "film" else "作曲者" if work.sort == "music" else "作者"
    return f"{work.title('zh')}的{role}是{work.author['zh']}。"


def when(work: Work, lang: Lang) -> str:
    """When it was made."""
    if lang == "en":
        verb = "were" if work.kind["en"].endswith("concertos") else "was"
        return f"{work.names['en']} {verb} {work.appeared} {work.when['en']}."
    if work.sort == "film":
        return f"{work.title('zh')}在{_gap(work.when['zh'])}上映。"
    if work.dated:
        return f"{work.title('zh')}在{_gap(work.when['zh'])}问世。"
    return f"{work.title('zh')}创作于{_gap(work.when['zh'])}。"


def tells(work: Work, lang: Lang) -> str:
    """What it is about."""
    if lang == "en":
        return f"{work.names['en']} is {article(work.kind['en'])}; {work.tells['en']}."
    return f"{work.title('zh')}是{work.kind['zh']}，{work.tells['zh']}。"


def kind_fact(work: Work, lang: Lang) -> str:
    """The sentence on its kind, without a mark."""
    if lang == "en":
        return f"{work.names['en']} is {article(work.kind['en'])}"
    return f"{work.title('zh')}是{work.kind['zh']}"


TEXTS = {"what work": about, "author": author, "work when": when, "work about": tells}
OTHER_KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "text": (("painting", "画"), ("film", "电影"), ("opera", "歌剧"), ("sculpture", "雕塑")),
    "painting": (("novel", "小说"), ("opera", "歌剧"), ("poem", "诗"), ("film", "电影")),
    "print": (("novel", "小说"), ("opera", "歌剧"), ("film", "电影")),
    "sculpture": (("novel", "小说"), ("opera", "歌剧"), ("film", "电影")),
    "music": (("painting", "画"), ("novel", "小说"), ("building", "建筑"), ("sculpture", "雕塑")),
    "film": (("painting", "画"), ("symphony", "交响曲"), ("sculpture", "雕塑"), ("poem", "诗")),
}


WORK_WAYS = {"what work": 2, "author": 4, "work when": 1, "work about": 1, "work kind": 1, "did author": 2}
WORK_WAYS |= {"beyond work": 1}
BUILDING_WAYS = {"where building": 2, "what building": 2, "building claim": 2, "sights": 1, "beyond building": 1}


def single(work: Work, lang: Lang, rng: random.Random) -> Turn:
    """One question about one work."""
    way = rng.choices(list(WORK_WAYS), list(WORK_WAYS.values()))[0]
    name = work.called(lang, rng)
    if way in TEXTS:
        return framed(way, lang, rng, FRAMES, w=name, **work.verbs(lang)), TEXTS[way](work, lang)
    if way == "beyond work":
        return framed(way, lang, rng, FRAMES, w=name), unknown.answer(lang, rng)
    yes = rng.random() < 0.5
    if way == "work kind":
        kind = work.kind[lang] if yes else rng.choice(OTHER_KINDS[work.sort])[0 if lang == "en" else 1]
        kind = article(kind) if lang == "en" else kind
        return framed(way, lang, rng, FRAMES, w=name, k=kind), say(
            "yes" if yes else "no", lang, s=kind_fact(work, lang)
        )
    arts = ("painting", "print", "sculpture")
    sorts = arts if work.sort in arts else (work.sort,)
    same = [one for one in works() if one.sort in sorts and one.author != work.author]
    who = work.author[lang] if yes else rng.choice(same).author[lang]
    asked = framed("did author", lang, rng, FRAMES, w=name, p=who, **work.verbs(lang))
    return asked, say("yes" if yes else "no", lang, s=author(work, lang).rstrip(".。"))


def follow_up(work: Work, lang: Lang, rng: random.Random) -> Turn:
    """A question about the work named before."""
    ways = {"author": author, "when": when, "about": tells}
    way = rng.choice((*ways, "author", "translate", "sure", "thanks", "and", "and"))
    if way in ways:
        return framed_plain(pick(f"then {way}", lang, rng, FRAMES), lang, rng, **work.verbs(lang)), ways[way](
            work, lang
        )
    if way == "and":
        another = rng.choice(works())
        return framed_plain(pick("another topic", lang, rng), lang, rng, t=another.called(lang, rng)), about(
            another, lang
        )
    asked = follow(way, lang, rng)
    if way == "translate":
        return asked, about(work, other(lang))
    if way == "sure":
        return asked, say("sure", lang, s=author(work, lang).rstrip(".。"))
    return asked, say("thanks", lang)


def work_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One work, and follow-ups."""
    work = rng.choice(works())
    if rng.random() < 0.6:
        return [single(work, lang, rng)]
    asked = framed("what work", lang, rng, FRAMES, w=work.called(lang, rng))
    turns = [(asked, about(work, lang))]
    for _ in range(rng.choice((1, 1, 2))):
        turns.append(follow_up(work, lang, rng))
        if work.names["en"] not in turns[-1][1] and work.names["zh"] not in turns[-1][1]:
            break
    return turns


def works_of_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What somebody made."""
    maker = rng.choice(works()).author
    titles = [work.title(lang) for work in works() if work.author == maker]
    asked = framed("works of", lang, rng, FRAMES, p=maker[lang])
    if lang == "zh":
        return [(asked, f"{maker['zh']}的作品有{joined(titles, lang) if len(titles) > 1 else titles[0]}。")]
    if len(titles) == 1:
        return [(asked, f"A well-known work by {maker['en']} is {titles[0]}.")]
    return [(asked, f"Well-known works by {maker['en']} are {joined(titles, lang)}.")]


def author_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Who an author is, of whom Eyas knows no more than the works."""
    famous = {person.names["en"] for person in people()}
    work = rng.choice([work for work in works() if work.author["en"] not in famous])
    asked = framed("who", lang, rng, FRAMES, p=work.author[lang])
    return [(asked, author(next(one for one in works() if one.author == work.author), lang))]


LISTED: tuple[tuple[str, str, str], ...] = (
    ("novel", "novels", "小说"),
    ("painting", "paintings", "画"),
    ("opera", "operas", "歌剧"),
    ("film", "films", "电影"),
    ("children's book", "children's books", ""),
)


def list_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Name three operas; and who wrote the second?"""
    word, plural, chinese = rng.choice(LISTED[:4] if lang == "zh" else LISTED)
    group = [work for work in works() if work.kind["en"] == word]
    size = min(len(group), rng.randint(2, 5))
    number, kind = NUMBERS[lang][size - 2], plural if lang == "en" else chinese
    start = rng.choice((0, 0, max(0, len(group) // 2 - 3)))
    named = group[start : start + size]
    size = len(named)
    number = NUMBERS[lang][size - 2]
    titles = joined([work.title(lang) for work in named], lang)
    asked = framed("list", lang, rng, FRAMES, n=number, k=kind)
    if lang == "zh":
        asked = asked.replace("位", {"画": "幅"}.get(kind, "部")).replace("个" + kind, "部" + kind)
        turns = [(asked, f"{number}{'幅' if kind == '画' else '部'}著名的{kind}：{titles}。")]
    else:
        turns = [(asked, f"{big(number)} famous {kind} are {titles}.")]
    if rng.random() < 0.6:
        turns.append(numbered(named, lang, rng))
    return turns


def numbered(named: list[Work], lang: Lang, rng: random.Random) -> Turn:
    """A question for the second, third, … of a list."""
    at = rng.randrange(len(named))
    order = (("first", "second", "third", "fourth", "fifth") if lang == "en" else "一二三四五")[at]
    if rng.random() < 0.6 and named[0].sort == "text":
        return framed_plain(pick("novel number", lang, rng, FRAMES), lang, rng, o=order), author(named[at], lang)
    return framed_plain(pick("novel about", lang, rng, FRAMES), lang, rng, o=order), about(named[at], lang)


def four_novels_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The four great classical novels of China, and questions about one of them."""
    four = list(works()[:4])
    names = joined([work.title(lang) for work in four], lang)
    answer = f"The four great classical novels of China are {names}." if lang == "en" else f"中国四大名著是{names}。"
    turns = [(framed("four novels", lang, rng, FRAMES), answer)]
    for _ in range(rng.choice((0, 1, 1, 2))):
        if rng.random() < 0.25:
            wish, said = follow("translate", lang, rng), other(lang)
            named = joined([work.title(said) for work in four], said)
            text = (
                f"中国四大名著是{named}。" if said == "zh" else f"The four great classical novels of China are {named}."
            )
            return [*turns, (wish, text)]
        turns.append(numbered(four, lang, rng))
    return turns


# --- buildings


@dataclasses.dataclass(frozen=True)
class Building:
    """A famous building or place."""

    names: dict[Lang, str]
    kind: dict[Lang, str]
    city: dict[Lang, str]
    country: dict[Lang, str]
    fact: dict[Lang, str]

    @property
    def many(self) -> bool:
        """Whether its English name is in the plural."""
        return self.names["en"].endswith("Caves")


@functools.cache
def buildings() -> tuple[Building, ...]:
    """All buildings of the table."""
    found = []
    for row in rows("buildings"):
        cells: list[dict[Lang, str]] = [{"en": row[at], "zh": row[at + 1]} for at in range(0, 10, 2)]
        found.append(Building(*cells))
    return tuple(found)


def where(one: Building, lang: Lang) -> str:
    """Where it is."""
    if lang == "en":
        city = f"{one.city['en']} in {one.country['en']}" if "country" not in one.city["en"] else one.country["en"]
        city = city if one.city["en"] != "northern China" else "northern China"
        return f"{big(one.names['en'])} {'are' if one.many else 'is'} in {city}"
    city = one.country["zh"] + one.city["zh"].removeprefix("该国").removeprefix("中国")
    return f"{one.names['zh']}在{city}"


def building(one: Building, lang: Lang) -> str:
    """What it is, where, and a fact."""
    if lang == "en":
        kind = one.kind["en"] if one.many else article(one.kind["en"])
        place = where(one, "en").split(" in ", 1)[1]
        return f"{big(one.names['en'])} {'are' if one.many else 'is'} {kind} in {place}. {one.fact['en']}."
    return f"{where(one, 'zh').replace('在', '是', 1)}的{one.kind['zh']}，{one.fact['zh']}。"


def building_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One building: where, what, claims about its place, and follow-ups."""
    one = rng.choice(buildings())
    way = rng.choices(list(BUILDING_WAYS), list(BUILDING_WAYS.values()))[0]
    name = one.names[lang]
    end = "." if lang == "en" else "。"
    if way == "beyond building":
        return [(framed(way, lang, rng, FRAMES, l=name), unknown.answer(lang, rng))]
    if way == "building claim":
        yes = rng.random() < 0.5
        far = [other_one for other_one in buildings() if other_one.country != one.country]
        place = rng.choice((one.country, one.city)) if yes else rng.choice(far).country
        if "country" in place["en"]:
            place = one.country
        said = where(one, lang)
        said = said[0].lower() + said[1:] if said.startswith("The ") else said
        asked = framed(way, lang, rng, FRAMES, l=name, y=place[lang])
        return [(asked.replace("is the Mogao", "are the Mogao"), say("yes" if yes else "no", lang, s=said))]
    if way == "sights":
        return [sights(one, lang, rng)]
    asked = framed(way, lang, rng, FRAMES, l=name)
    if one.many and lang == "en":
        asked = asked.replace(" is ", " are ").replace("is it", "are they")
    if way == "where building":
        turns, rest = [(asked, where(one, lang) + end)], "then fact"
    else:
        turns, rest = [(asked, building(one, lang))], "then where"
    if rng.random() < 0.4:
        text = building(one, lang) if rest == "then fact" else where(one, lang) + end
        turns.append((framed_plain(pick(rest, lang, rng, FRAMES), lang, rng), text))
    elif rng.random() < 0.3:
        said = building(one, other(lang)) if way == "what building" else where(one, other(lang)) + "。."[lang == "zh"]
        turns.append((follow("translate", lang, rng), said))
    return turns


def sights(one: Building, lang: Lang, rng: random.Random) -> Turn:
    """What there is to see in a city or a country."""
    places = (
        [one.country]
        if "country" in one.city["en"] or one.city["en"] == "northern China"
        else [
            one.country,
            one.city,
            one.city,
        ]
    )
    place = rng.choice(places)
    names = [each.names[lang] for each in buildings() if place in (each.country, each.city)][:5]
    group = joined(names, lang) if len(names) > 1 else names[0]
    asked = framed("sights", lang, rng, FRAMES, y=place[lang])
    if lang == "en":
        return asked, f"A famous sight in {place['en']} is {group}." if len(names) == 1 else (
            f"Famous sights in {place['en']} are {group}."
        )
    return asked, f"{place['zh']}的著名景点有{group}。"


TALKS: tuple[tuple[Talk, float], ...] = (
    (work_talk, 10),
    (building_talk, 4),
    (works_of_talk, 1.2),
    (author_talk, 0.5),
    (list_talk, 1),
    (four_novels_talk, 1),
)
"""The talks of this field with their weights."""
