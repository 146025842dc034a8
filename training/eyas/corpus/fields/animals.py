"""Talks about animals: some 370 of them, asked for in every direction, with follow-ups that must look back."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable, Sequence

from training.eyas.corpus.animals import Turn
from training.eyas.corpus.fields import beasts as know
from training.eyas.corpus.fields.beasts import (
    ATTRIBUTES,
    QUESTIONS,
    Beast,
    Named,
    Talk,
    ask,
    attribute_slots,
    beasts,
    by_name,
    follow,
    inside,
    join,
    kinds,
    mass,
    members,
    named,
    pick,
    places,
    say,
    small,
    up,
)
from training.eyas.corpus.grammar import Lang, expand, plainest
from training.eyas.corpus.noise import disturb, invented
from training.eyas.corpus.tables import Entry, faq, lists, rows
from training.eyas.corpus.unknown import answer as unknown_answer

# ----------------------------------------------------------------------------------------------------------- qualities


def height(beast: Beast) -> float | None:
    """How tall an animal stands, where the table says so; the others lie low and count as a third of their length."""
    if beast.size is None or beast.measure == "w":
        return None
    return beast.size if beast.measure == "h" else beast.size / 3


Value = Callable[[Beast], float | None]
VALUES: dict[str, tuple[Value, float, float, bool]] = {
    "strength": (lambda beast: beast.strength, 1.0, 3.0, True),
    "speed": (lambda beast: beast.speed, 1.15, 0, True),
    "weight": (lambda beast: beast.weight, 1.2, 0, True),
    "lightness": (lambda beast: beast.weight, 1.2, 0, False),
    "height": (height, 1.12, 0, True),
    "danger": (lambda beast: beast.danger, 1.0, 1.0, True),
    "slowness": (lambda beast: beast.speed, 1.2, 0, False),
    "age": (lambda beast: beast.life, 1.25, 0, True),
}
"""By what animals are ranked: the value, how many times and how much more the winner has, and whether more wins."""
OFTEN = {
    "strength": 5,
    "speed": 3,
    "weight": 3,
    "lightness": 1,
    "height": 1.5,
    "danger": 1.5,
    "slowness": 0.7,
    "age": 0.8,
}
ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
NUMBERS: dict[Lang, tuple[str, ...]] = {
    "en": ("no", "one", "two", "three", "four", "five", "six", "seven", "eight"),
    "zh": ("零", "一", "两", "三", "四", "五", "六", "七", "八"),
}


def ranked(quality: str, group: Sequence[Beast]) -> list[Beast] | None:
    """The group from the winner down, or None where somebody has no value."""
    value, _, _, more = VALUES[quality]
    if any(value(beast) is None for beast in group):
        return None
    return sorted(group, key=lambda beast: value(beast) or 0, reverse=more)


def clear(quality: str, first: Beast, second: Beast) -> bool:
    """Whether nobody would argue that ``first`` is before ``second``."""
    value, times, plus, more = VALUES[quality]
    one, two = value(first) or 0, value(second) or 0
    high, low = (one, two) if more else (two, one)
    if (quality == "height" and first.measure != "h") or (quality == "danger" and one < 4):
        return False
    if quality == "strength" and one < 6:
        return False
    return high >= low * times and high - low >= plus and high > low


def winner(quality: str, group: Sequence[Beast]) -> Beast | None:
    """The one that clearly wins."""
    order = ranked(quality, group)
    return order[0] if order and len(order) > 1 and clear(quality, order[0], order[1]) else None


def draw_quality(group: Sequence[Beast], rng: random.Random, but: Sequence[str] = ()) -> str | None:
    """A quality by which one of the group clearly wins."""
    fits = [quality for quality in VALUES if quality not in but and winner(quality, group)]
    return rng.choices(fits, [OFTEN[quality] for quality in fits])[0] if fits else None


def superlative(quality: str, lang: Lang, rng: random.Random) -> str:
    """As a user puts it."""
    return expand(faq("animals2_qualities")[quality].questions[lang][0], rng)


def comparative(quality: str, lang: Lang, rng: random.Random) -> str:
    """As a user puts it."""
    return expand(faq("animals2_qualities")[quality].topics[lang][0], rng)


def said(quality: str, lang: Lang, at: int = 0) -> str:
    """As Eyas puts it: superlative, comparative, the name of the quality."""
    return faq("animals2_qualities")[quality].answers[lang][at]


def because(quality: str, beast: Beast, lang: Lang) -> str:
    """The number behind a rank, for the end of a sentence."""
    en = lang == "en"
    if quality in ("strength", "weight", "lightness") and beast.weight is not None:
        return f": it weighs {mass(beast.weight, lang)}" if en else f"，它重{mass(beast.weight, lang)}"
    if quality in ("speed", "slowness") and beast.speed is not None:
        reach = "reaches" if quality == "speed" else "moves at only"
        return f": it {reach} about {beast.speed:g} km per hour" if en else f"，时速约 {beast.speed:g} 公里"
    if quality == "height" and beast.size is not None:
        tall = know.length(beast.size, lang)
        return f": it is about {tall} tall" if en else f"，高约 {tall}"
    if quality == "age" and beast.life is not None:
        return f": it can live about {beast.life:g} years" if en else f"，大约能活 {beast.life:g} 年"
    return ": keep a safe distance from it" if en and (beast.danger or 0) >= 6 else ""


def best_answer(quality: str, best: Beast, lang: Lang) -> str:
    """Who wins, and why."""
    slots = {"animal": best.names[lang][0], "said": said(quality, lang), "because": because(quality, best, lang)}
    return say("best of", lang, slots)


def why_answer(quality: str, best: Beast, lang: Lang, *, pair: bool = False) -> str:
    """Why somebody wins, of two or of more."""
    text = _why_answer(quality, best, lang)
    if not pair:
        return text
    if lang == "en":
        return text.replace("than the rest", "than the other one").replace("most powerful of them", "more powerful one")
    return text.replace("比别的都", "比另一种").replace("力气最大", "力气更大")


def _why_answer(quality: str, best: Beast, lang: Lang) -> str:
    tail = "" if quality == "danger" else because(quality, best, lang)
    if lang == "en":
        reason = tail.removeprefix(": ") or "it is more dangerous to people than the rest"
        if quality == "strength":
            return f"Because it is the most powerful of them: {reason}. {best.facts[lang]}."
        return f"Because {reason}{'' if quality == 'danger' else ', ' + REASONS[quality][0]}."
    reason = tail.removeprefix("，").removeprefix("它") or "对人的危险更大"
    if quality == "strength":
        return f"因为{best.names[lang][0]}力气最大，{reason}。{best.facts[lang]}。"
    return f"因为{best.names[lang][0]}{reason}{'' if quality == 'danger' else '，' + REASONS[quality][1]}。"


REASONS = {
    "speed": ("faster than the rest", "比别的都快"),
    "weight": ("more than the rest", "比别的都重"),
    "lightness": ("less than the rest", "比别的都轻"),
    "height": ("taller than the rest", "比别的都高"),
    "slowness": ("slower than the rest", "比别的都慢"),
    "age": ("longer than the rest", "比别的都久"),
}


# --------------------------------------------------------------------------------------------------------------- lists


def list_of(group: Sequence[Beast], lang: Lang) -> str:
    """The names, joined."""
    return join([beast.many(lang) for beast in group], lang)


def list_answer(key: str, group: Sequence[Beast], lang: Lang, rng: random.Random, number: int | None = None) -> str:
    """The animals of a place or a kind, as a sentence or, now and then, as a Markdown list."""
    names = [beast.many(lang) for beast in group]
    if number:
        count = NUMBERS[lang][number]
        if lang == "zh":
            where = f"生活在{inside(places()[key].said[lang])}的动物" if key in places() else kinds()[key].one[lang]
            return f"{count}种{where}：{join(names, lang)}。"
        what = f"animals that live {places()[key].said[lang]}" if key in places() else kinds()[key].many[lang]
        return f"{up(count)} {what}: {join(names, lang)}."
    bullets = "\n" + "\n".join(f"- {name}" for name in names)
    as_bullets = rng.random() < 0.12
    if key in places():
        place = places()[key].said[lang]
        if lang == "en":
            if as_bullets:
                return f"Animals that live {place}:{bullets}"
            return f"Many animals live {place}: {join(names, lang)}."
        if as_bullets:
            return f"生活在{inside(place)}的动物有：{bullets}"
        return f"生活在{inside(place)}的动物有{join(names, lang)}。"
    kind = kinds()[key].many[lang]
    if as_bullets:
        return (f"Some {kind}:" if lang == "en" else f"{kind}有：") + bullets
    return f"Some {kind} are: {join(names, lang)}." if lang == "en" else f"{kind}有{join(names, lang)}。"


def draw_group(key: str, rng: random.Random, size: int | None = None) -> list[Beast]:
    """The first animals of a place or kind, or some of its animals in the order of its list."""
    pool = members(key)
    count = min(len(pool), size or rng.choice((5, 6, 6, 6)))
    if size or rng.random() < 0.6:
        return pool[: (size and count) or min(6, len(pool))]
    return [pool[rank] for rank in sorted(rng.sample(range(min(len(pool), 20)), count))]


def draw_key(rng: random.Random) -> str:
    """A place or a kind for a list; the savanna most often."""
    draw = rng.random()
    if draw < 0.25:
        return "savanna"
    if draw < 0.72:
        return rng.choice(list(places()))
    return rng.choice([key for key in kinds() if len(members(key)) >= 3])


def bare(place: str, key: str) -> str:
    """An English place without its preposition: the savanna."""
    for asked in (place, places()[key].said["en"]):
        found = re.fullmatch(r"(?:on|in|at|near) ((?:the |a |an |my |our |people's )?\w+(?: \w+)?)", asked)
        if found and not asked.startswith(("in and", "in the wild", "in the streets")):
            return found[1]
    return places()[key].said["en"].split(" ", 1)[1]


def list_question(key: str, lang: Lang, rng: random.Random, number: int | None) -> str:
    """Somebody asks for a list."""
    slots: dict[str, str] = {}
    if key in places():
        heading = "list place"
        place = rng.choice(places()[key].asked[lang])
        slots = {"place": place, "bare": bare(place, key), "placein": inside(place) if rng.random() < 0.8 else place}
    else:
        heading = "list kind"
        kind = kinds()[key]
        slots = {"kinds": kind.many[lang], "kind": kind.many[lang]}
    if number:
        slots["n"] = str(number) if rng.random() < 0.4 else NUMBERS[lang][number]
        heading += " n"
    return ask(heading, lang, rng, slots)


def list_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A list of animals and up to three follow-ups that only make sense after it."""
    key = draw_key(rng)
    number = rng.choice((2, 3, 3, 4, 5)) if rng.random() < 0.22 else None
    group = draw_group(key, rng, number)
    number = len(group) if number else None
    turns = [(list_question(key, lang, rng, number), list_answer(key, group, lang, rng, number))]
    more = rng.choice((0, 1, 1, 1, 2, 2, 3))
    if more and rng.random() < 0.7:
        turns += best_turns(group, lang, rng, more)
    elif more:
        turns += list_follow(key, group, lang, rng)
        if more > 1:
            turns += best_turns(group, lang, rng, 1)
    return turns


def best_turns(group: Sequence[Beast], lang: Lang, rng: random.Random, count: int) -> list[Turn]:
    """The strongest of a group, and what people go on to ask."""
    turns: list[Turn] = []
    last: tuple[str, Beast] | None = None
    used: list[str] = []
    for _ in range(count):
        draw = rng.random()
        if last and draw < 0.5:
            turns.append(after_best(last[0], last[1], group, lang, rng))
            last = None
            continue
        quality = draw_quality(group, rng, used)
        best = winner(quality, group) if quality else None
        if quality is None or best is None:
            continue
        used.append(quality)
        heading = f"best of {quality}" if rng.random() < 0.22 else "best of"
        question = follow(heading, lang, rng, {"best": superlative(quality, lang, rng)})
        turns.append((question, best_answer(quality, best, lang)))
        last = quality, best
    return turns


def after_best(quality: str, best: Beast, group: Sequence[Beast], lang: Lang, rng: random.Random) -> Turn:
    """What people ask when they have been told who wins."""
    name = best.names[lang][0]
    draw = rng.random()
    order = ranked(quality, group) or []
    if draw < 0.2:
        return follow("why", lang, rng), why_answer(quality, best, lang)
    if draw < 0.32:
        answer = best_answer(quality, best, lang)
        if lang == "en":
            return follow("sure", lang, rng), f"Yes, I am sure. {answer}"
        return follow("sure", lang, rng), f"是的，我确定。{answer}"
    if draw < 0.44:
        wrong = rng.choice([one for one in group if one is not best])
        answer = best_answer(quality, best, lang)
        question = follow("wrong", lang, rng, {"wrong": wrong.names[lang][0]})
        if lang == "en":
            return question, f"I see why you think of the {wrong.names[lang][0]}, but {answer[0].lower()}{answer[1:]}"
        return question, f"{wrong.names[lang][0]}也不错，不过{answer}"
    if draw < 0.56 and len(order) > 2 and clear(quality, order[1], order[2]):
        second = order[1]
        slots = {"best": superlative(quality, lang, rng)}
        answer = say("second of", lang, {"first": name, "animal": second.names[lang][0], "said": said(quality, lang)})
        return follow("second of", lang, rng, slots), answer
    if draw < 0.62:
        return follow("thanks", lang, rng), faq("smalltalk")["thanks"].answers[lang][0]
    return it_turn(first_name(best, lang), lang, rng)


def first_name(beast: Beast, lang: Lang) -> Named:
    """An animal by its first name."""
    return Named(beast, beast.names[lang][0], beast.many(lang))


FILTERS: dict[str, Callable[[Beast], bool | None]] = {
    "which plants": know.plants,
    "which meat": know.meat,
    "which fly": know.flies,
    "which bird": lambda beast: beast.letter == "b",
    "which mammal": lambda beast: beast.letter == "m",
    "which reptile": lambda beast: beast.letter == "r",
    "which eggs": know.lays_eggs,
    "which danger": know.dangerous,
}


def filter_turn(group: Sequence[Beast], lang: Lang, rng: random.Random) -> Turn | None:
    """Which of them are birds, can fly, eat plants."""
    fits = [name for name, test in FILTERS.items() if all(test(beast) is not None for beast in group)]
    some = [name for name in fits if any(FILTERS[name](beast) for beast in group)]
    name = rng.choice(some if some and rng.random() < 0.8 else fits or ["which bird"])
    found = [beast for beast in group if FILTERS[name](beast)]
    words = faq("animals2")[name].answers[lang][0]
    question = follow(name, lang, rng)
    if lang == "zh":
        names = join([beast.many(lang) for beast in found], lang) if found else ""
        if found and len(found) == len(group):
            return question, f"它们全都{words}：{names}。"
        return question, f"其中{names}{words}。" if found else f"它们没有一个{words}。".replace("一个是", "一种是")
    singular, several = words.strip("()").split("|")
    if not found:
        return question, f"None of them {singular}."
    names = join([f"the {beast.names['en'][0]}" for beast in found], lang)
    if len(found) == len(group):
        return question, f"All of them: {names} {several}."
    return question, f"{up(names)} {singular if len(found) == 1 else several}."


def list_follow(key: str, group: Sequence[Beast], lang: Lang, rng: random.Random) -> list[Turn]:
    """Questions about a list: one of its entries, which of them, how many, more, in the other language."""
    draw = rng.random()
    if draw < 0.34:
        at = rng.randrange(min(len(group), 7))
        nth = ORDER[at] if lang == "en" else NUMBERS["zh"][at + 1].replace("两", "二")
        beast = group[at]
        if at == len(group) - 1 and rng.random() < 0.4 and lang == "en":
            nth = "last"
        who = first_name(beast, lang)
        turns = [(follow("ordinal", lang, rng, {"nth": nth}), know.about(who, lang))]
        if rng.random() < 0.4:
            turns.append(it_turn(who, lang, rng))
        return turns
    if draw < 0.62:
        found = filter_turn(group, lang, rng)
        return [found] if found else []
    if draw < 0.74:
        rest = [beast for beast in members(key) if beast not in group][: rng.choice((3, 4))]
        if len(rest) < 2:
            return []
        names = list_of(rest, lang)
        return [(follow("more", lang, rng), f"There are also {names}." if lang == "en" else f"还有{names}。")]
    if draw < 0.84:
        number = len(group)
        count = NUMBERS[lang][number]
        answer = f"I named {count} animals." if lang == "en" else f"我说了{count}种动物。"
        return [(follow("number", lang, rng), answer)]
    if lang == "en":
        return [
            (follow("in Chinese", lang, rng), "In Chinese: " + join([b.names["zh"][0] for b in group], "zh") + "。")
        ]
    return [(follow("in English", lang, rng), "英文是：" + join([beast.plurals[0] for beast in group], "en") + "。")]


# ----------------------------------------------------------------------------------------------------------- one animal


def it_turn(who: Named, lang: Lang, rng: random.Random, skip: str = "") -> Turn:
    """A question about the animal named last, by a pronoun only."""
    it = faq("animals2_it")
    for _ in range(30):
        if rng.random() < 0.68:
            name = draw_attribute(rng)
            answer = ATTRIBUTES[name][0](who, lang) if name != skip else None
            if answer and name in it and name != "length":
                return small(it[name].questions[lang][0], lang, rng), answer
            continue
        name = rng.choice(list(QUESTIONS))
        test, tell, _ = QUESTIONS[name]
        yes = test(who.beast)
        if yes is not None and f"yes {name}" in it:
            return small(it[f"yes {name}"].questions[lang][0], lang, rng), tell(who, lang, yes)
    return small(it["fact"].questions[lang][0], lang, rng), know.fact(who, lang)


def draw_attribute(rng: random.Random) -> str:
    """An attribute, common ones more often."""
    return rng.choices(list(ATTRIBUTES), [weight for _, weight in ATTRIBUTES.values()])[0]


def later_turns(who: Named, lang: Lang, rng: random.Random, skip: str = "", *, same: bool = True) -> list[Turn]:
    """Up to three questions after one about an animal; "and the lion?" only where that asks for a description."""
    it = faq("animals2_it")
    turns: list[Turn] = []
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        draw = rng.random()
        if draw < 0.62:
            turns.append(it_turn(who, lang, rng, skip))
        elif draw < 0.72 and not same:
            turns.append((small(it["fact"].questions[lang][0], lang, rng), know.fact(who, lang)))
        elif draw < 0.84:
            en, zh = who.beast.names["en"][0], who.beast.names["zh"][0]
            heading = "into Chinese" if lang == "en" else "into English"
            turns.append((small(it["name"].questions[lang][0], lang, rng), say(heading, lang, {"en": en, "zh": zh})))
        elif draw < 0.9 and turns:
            turns.append((follow("thanks", lang, rng), faq("smalltalk")["thanks"].answers[lang][0]))
            break
        elif same and not turns:
            who = named(pick(rng), lang, rng)
            turns.append(
                (small(it["other"].questions[lang][0], lang, rng, who.slots(lang, rng)), know.about(who, lang))
            )
    return list({answer: (question, answer) for question, answer in reversed(turns)}.values())[::-1]


def foreign(who: Named, lang: Lang, rng: random.Random) -> Named:
    """The same animal by its name in the other language, as people who mix languages write it; Eyas uses its own."""
    other: Lang = "zh" if lang == "en" else "en"
    name = who.beast.names[other][0]
    return Named(who.beast, name if lang == "en" else f" {name} ", name)


def about_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One animal in general."""
    who = named(pick(rng), lang, rng)
    return [(ask("about", lang, rng, who.slots(lang, rng)), know.about(who, lang)), *later_turns(who, lang, rng)]


def attribute_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One attribute of one animal, then of another ("and the lion?"), or other questions about it."""
    while True:
        name, who = draw_attribute(rng), named(pick(rng), lang, rng)
        tell = ATTRIBUTES[name][0]
        answer = tell(who, lang)
        if answer:
            break
    asked = who
    if rng.random() < (0.07 if lang == "zh" else 0.03):
        who = Named(who.beast, who.beast.names[lang][0], who.beast.many(lang))
        asked, answer = foreign(who, lang, rng), tell(who, lang) or answer
    slots = attribute_slots(name, asked, lang, rng)
    turns = [(ask(name, lang, rng, slots).strip().replace("  ", " "), answer)]
    if rng.random() < 0.3:
        for _ in range(rng.choice((1, 1, 2))):
            other = named(pick(rng, lambda one: one is not who.beast), lang, rng)
            same = tell(other, lang)
            if same is None:
                break
            pattern = faq("animals2_it")["other"].questions[lang][0]
            turns.append((small(pattern, lang, rng, other.slots(lang, rng)), same))
        return turns
    return turns + later_turns(who, lang, rng, name, same=False)


def yes_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A yes/no question about one animal: as many no as yes."""
    wanted = rng.random() < 0.5
    name = rng.choices(list(QUESTIONS), [weight for _, _, weight in QUESTIONS.values()])[0]
    test, tell, _ = QUESTIONS[name]
    who = named(pick(rng, lambda beast: test(beast) is wanted), lang, rng)
    turns = [(ask(f"yes {name}", lang, rng, who.slots(lang, rng)), tell(who, lang, wanted))]
    if rng.random() < 0.25:
        other = named(pick(rng, lambda beast: test(beast) is not None and beast is not who.beast), lang, rng)
        pattern = faq("animals2_it")["other"].questions[lang][0]
        turns.append((small(pattern, lang, rng, other.slots(lang, rng)), tell(other, lang, bool(test(other.beast)))))
        return turns
    return turns + certain(turns[0][1], who, lang, rng)


def certain(answer: str, who: Named, lang: Lang, rng: random.Random) -> list[Turn]:
    """Asked again whether it is sure, or about another animal, or nothing more."""
    draw = rng.random()
    if draw < 0.15:
        plain = answer.split(", ", 1)[-1] if lang == "en" else answer.split("，", 1)[-1]
        sure = f"Yes, I am sure: {plain}" if lang == "en" else f"是的，我确定：{plain}"
        return [(follow("sure", lang, rng), sure)]
    return later_turns(who, lang, rng, same=False) if draw < 0.6 else []


def kind_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is a whale a fish? Half of the answers are no."""
    while True:
        if rng.random() < 0.3:
            name, key = rng.choice(know.pairs("trap"))
            beast = by_name()[name]
            at = beast.names["en"].index(name)
            zh = beast.names["zh"][min(at, len(beast.names["zh"]) - 1)]
            who = Named(beast, name if lang == "en" else zh, beast.plurals[at] if lang == "en" else zh)
            yes = know.kin(beast, key)
            if yes is None:
                yes = False
            break
        who = named(pick(rng), lang, rng)
        if rng.random() < 0.5:
            mine = [key for key in (who.beast.letter, who.beast.group) if key in kinds()]
            if not mine:
                continue
            key, yes = rng.choice(mine), True
        else:
            key = rng.choice(list(kinds())) if rng.random() < 0.4 else rng.choice("mbrafis")
            if know.kin(who.beast, key) is not False:
                continue
            yes = False
        if " or " in kinds()[key].one["en"]:
            continue
        if kinds()[key].one["en"] not in who.one and kinds()[key].one["zh"] not in who.one:
            break
    kind = kinds()[key]
    slots = who.slots(lang, rng)
    slots |= {"akind": know.a(kind.one[lang]), "kinds": kind.many[lang], "kind": kind.one[lang]}
    answer = know.kind_answer(who, key, lang, yes)
    return [(ask("yes class", lang, rng, slots), answer), *certain(answer, who, lang, rng)]


SEA, LAND = {"ocean", "reef"}, {"savanna", "desert", "forest", "mountains", "rainforest", "farm", "grassland"}
COLD, HOT = {"arctic", "antarctic"}, {"savanna", "desert", "rainforest"}


def apart(beast: Beast, key: str) -> bool:
    """Whether an animal clearly does not live in a habitat."""
    own = set(beast.places)
    for one, other in ((SEA, LAND), (LAND, SEA), (COLD, HOT), (HOT, COLD)):
        if key in one and own <= other and beast.letter != "b":
            return True
    return False


def place_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Does it live there? The no says where it does live."""
    yes = rng.random() < 0.5
    while True:
        who = named(pick(rng, lambda beast: beast.strength is not None and "bamboo" not in beast.places), lang, rng)
        own = [key for key in (*who.beast.places, *who.beast.regions) if key in places()]
        if who.beast.letter == "b":
            own = [key for key in own if key not in know.SHORES]
        far = [key for key, place in places().items() if place.kind == "habitat" and apart(who.beast, key)]
        if own if yes else far:
            break
    key = rng.choice(own if yes else far)
    asked = rng.choice(places()[key].asked[lang])
    slots = who.slots(lang, rng) | {"place": inside(asked) if lang == "zh" else asked}
    where = places()[key].said[lang]
    rest = know.home(who, lang)
    if lang == "en":
        tail = f" they{rest[len(who.many) :]}"
        answer = f"Yes, {who.many} live {where}." if yes else f"No, {who.many} do not live {where}:{tail}"
    else:
        away = f"不，{who.one}不生活在{inside(where)}，而是{rest.removeprefix(who.one)}"
        answer = f"是的，{who.one}生活在{inside(where)}。" if yes else away
    return [(ask("yes place", lang, rng, slots), answer), *certain(answer, who, lang, rng)]


# --------------------------------------------------------------------------------------------------------- comparisons


def group_of(size: int, rng: random.Random) -> list[Beast]:
    """Some animals with numbers, without an order."""
    group: list[Beast] = []
    while len(group) < size:
        beast = pick(rng, lambda one: one.strength is not None)
        if beast not in group:
            group.append(beast)
    return group


def one(beast: Beast, lang: Lang, rng: random.Random) -> str:
    """An animal as it stands in a comparison: a lion, the lion or lions."""
    name = beast.names[lang][0]
    return name if lang == "zh" else know.a(name) if rng.random() < 0.6 else f"the {name}"


def compare_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two animals: which of them, or whether one is more than the other."""
    while True:
        pair = group_of(2, rng)
        quality = draw_quality(pair, rng)
        best = winner(quality, pair) if quality else None
        if quality and best:
            break
    other = pair[0] if pair[1] is best else pair[1]
    more = comparative(quality, lang, rng)
    better = said(quality, lang, 1)
    name, loser, tail = best.names[lang][0], other.names[lang][0], because(quality, best, lang)
    if rng.random() < 0.45:
        right = rng.random() < 0.5
        first, second = (best, other) if right else (other, best)
        slots = {"a": one(first, lang, rng), "b": one(second, lang, rng), "more": more}
        pattern = [text for text in know.entry("two yes", lang) if "lessmore" not in text]
        question = disturb(know.wrap("q", expand(rng.choice(pattern), rng, slots), lang, rng), lang, rng)
        if lang == "en":
            yes = f"Yes, the {name} is {better} than the {loser}."
            answer = yes if right else f"No, the {name} is {better} than the {loser}{tail}."
        else:
            answer = f"是的，{name}比{loser}{better}。" if right else f"不是，{name}比{loser}{better}{tail}。"
    else:
        slots = {"a": one(pair[0], lang, rng), "b": one(pair[1], lang, rng), "more": more}
        own = know.entry(f"two {quality}", lang)
        question = ask(f"two {quality}" if own and rng.random() < 0.35 else "two", lang, rng, slots)
        answer = (
            f"The {name} is {better} than the {loser}{tail}." if lang == "en" else f"{name}比{loser}{better}{tail}。"
        )
    turns = [(question, answer)]
    if rng.random() < 0.4:
        turns += pair_turns(quality, pair, best, lang, rng)
    return turns


def pair_turns(quality: str, pair: Sequence[Beast], best: Beast, lang: Lang, rng: random.Random) -> list[Turn]:
    """After a comparison of two: why, and the other quality."""
    if rng.random() < 0.4:
        return [(follow("why", lang, rng), why_answer(quality, best, lang, pair=True))]
    others = [other for other in VALUES if other != quality and winner(other, pair)]
    if not others:
        return []
    other = rng.choices(others, [OFTEN[name] for name in others])[0]
    first = winner(other, pair)
    assert first is not None
    name, better, tail = first.names[lang][0], said(other, lang, 1), because(other, first, lang)
    more = comparative(other, lang, rng)
    if lang == "en":
        pattern = "(and which is {m}|which of them is {m}|and which one is {m}|which is {m}|and {m})?"
        return [(small(pattern, lang, rng, {"m": more}), f"The {name} is {better}{tail}.")]
    pattern = "(那哪个{m}|哪个{m}|谁{m}|那谁{m}呢|它们俩谁{m})？"
    return [(small(pattern, lang, rng, {"m": more}), f"{name}{better}{tail}。")]


def several_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Three to six animals that the user names: who wins; then other questions about them."""
    while True:
        group = group_of(rng.choice((3, 3, 4, 4, 5, 6)), rng)
        quality = draw_quality(group, rng)
        best = winner(quality, group) if quality else None
        if quality and best:
            break
    slots = group_slots(group, lang, rng) | {"best": superlative(quality, lang, rng)}
    turns = [(ask("several", lang, rng, slots), best_answer(quality, best, lang))]
    for number in range(rng.choice((0, 0, 1, 1, 2))):
        if number == 0:
            turns.append(after_best(quality, best, group, lang, rng))
        else:
            turns.append(it_turn(first_name(best, lang), lang, rng))
    return turns


def group_slots(group: Sequence[Beast], lang: Lang, rng: random.Random) -> dict[str, str]:
    """Animals as a user lists them."""
    if lang == "zh":
        names = [beast.names["zh"][0] for beast in group]
        return {"group": rng.choice((join(names, lang), "、".join(names))), "groupand": join(names, lang)}
    bare = rng.random() < 0.35
    names = [beast.key if bare else know.a(beast.key) for beast in group]
    loose = ", ".join(names)
    return {"group": loose if rng.random() < 0.6 else join(names, lang), "groupand": join(names, lang)}


def sort_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Three or four animals in order."""
    highs = {"weight": ("大", "小"), "speed": ("快", "慢"), "height": ("高", "矮")}
    while True:
        quality = rng.choice(list(highs))
        group = group_of(rng.choice((3, 3, 4)), rng)
        order = ranked(quality, group)
        if order and all(clear(quality, order[at], order[at + 1]) for at in range(len(order) - 1)):
            break
    slots = group_slots(group, lang, rng)
    slots |= {"quality": said(quality, lang, 2), "best": said(quality, lang)}
    slots["high"], slots["low"] = highs[quality]
    if lang == "en":
        answer = f"From the {said(quality, lang)} down: {', '.join(beast.key for beast in order)}."
    else:
        answer = (
            f"按{slots['quality']}从{slots['high']}到{slots['low']}：{'、'.join(b.names['zh'][0] for b in order)}。"
        )
    return [(ask("sort", lang, rng, slots), answer)]


# -------------------------------------------------------------------------------------------------------------- puzzles


PLAIN = ["dog", "cat", "sparrow", "tuna", "cow", "frog", "lion", "ant", "crocodile", "squirrel", "pigeon"]
"""Animals for the no of a feature, where it is not theirs."""


def feature_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which animals have a trunk; does the cow have one."""
    have, has, zh, names = rng.choice(rows("animals2_features"))
    group = [by_name()[name] for name in names.split(";")]
    if rng.random() < 0.55:
        listed = list_of(group, lang)
        words = have if lang == "en" else zh
        answer = f"{up(listed)} {have}." if lang == "en" else f"{zh}的动物有{listed}。"
        if len(group) == 1 and lang == "zh":
            answer = f"{zh}的动物是{listed}。"
        turns = [(ask("trait", lang, rng, {"trait": words}), answer)]
        if len(group) == 1:
            return turns + later_turns(first_name(group[0], lang), lang, rng, same=False)
        return turns + (best_turns(group, lang, rng, 1) if len(group) > 2 and rng.random() < 0.4 else [])
    yes = rng.random() < 0.5
    others = [by_name()[name] for name in PLAIN if name not in names.split(";") and _lacks(have, by_name()[name])]
    beast = rng.choice(group if yes else others)
    who = first_name(beast, lang)
    slots = who.slots(lang, rng) | {"has": has if lang == "en" else zh}
    verb, _, rest = has.partition(" ")
    slots["does"] = "can" if verb == "can" else "does"
    base = {"has": "have", "carries": "carry", "gives": "give"}.get(verb, verb.removesuffix("s"))
    slots["bare"] = rest if verb == "can" else f"{base} {rest}"
    if lang == "zh":
        right = join([other.names["zh"][0] for other in group], lang)
        answer = f"是的，{who.one}{zh}。" if yes else f"不，{zh}的不是{who.one}，而是{right}。"
    else:
        answer = f"Yes, the {who.one} {has}." if yes else f"No, the {who.one} does not; {list_of(group, lang)} {have}."
        if verb == "can" and not yes:
            answer = answer.replace("does not", "cannot")
    return [(ask("has", lang, rng, slots), answer)]


def _lacks(have: str, beast: Beast) -> bool:
    """Whether an animal clearly lacks a feature that it is not listed for."""
    if "wings" in have:
        return beast.letter not in "bi"
    if "fins" in have:
        return beast.letter != "f" and beast.key != "frog"
    doubtful = {
        "cow": "horns milk carry wool",
        "lion": "mane pack",
        "dog": "pack carry ball",
        "cat": "ball",
        "frog": "colour tadpole",
        "crow": "copy tools",
        "ant": "carry honey pack",
    }
    return not any(word in have for word in doubtful.get(beast.key, "").split())


CHOICES: dict[str, tuple[Callable[[Beast], bool | None], dict[Lang, str]]] = {
    "fly": (know.flies, {"en": "can fly", "zh": "会飞"}),
    "eggs": (know.lays_eggs, {"en": "lays eggs", "zh": "会产卵"}),
    "plants": (know.plants, {"en": "eats only plants", "zh": "只吃植物"}),
    "meat": (know.meat, {"en": "is a carnivore", "zh": "是食肉动物"}),
    "night": (know.nightly, {"en": "is active at night", "zh": "在夜里活动"}),
    "danger": (know.dangerous, {"en": "is dangerous to people", "zh": "对人有危险"}),
    "venom": (know.venomous, {"en": "has venom or poison", "zh": "有毒"}),
    "swim": (know.swims, {"en": "can swim", "zh": "会游泳"}),
}


def choice_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two is a mammal, can fly, lives in the sea."""
    test: Callable[[Beast], bool | None]
    draw = rng.random()
    if draw < 0.35:
        letter = rng.choice("mbrfi")
        kind = kinds()[letter]
        words: dict[Lang, str] = {"en": f"is {know.a(kind.one['en'])}", "zh": f"是{kind.one['zh']}"}

        def test(beast: Beast) -> bool | None:
            return beast.letter == letter

    elif draw < 0.6:
        key = rng.choice(
            ("ocean", "savanna", "desert", "arctic", "antarctic", "rainforest", "mountains", "reef", "farm")
        )
        words = {"en": f"lives {places()[key].said['en']}", "zh": f"生活在{inside(places()[key].said['zh'])}"}

        def test(beast: Beast) -> bool | None:
            return True if key in beast.places else False if apart(beast, key) else None

    else:
        test, words = CHOICES[rng.choice(list(CHOICES))]
    has = pick(rng, lambda beast: beast.strength is not None and test(beast) is True)
    lacks = pick(rng, lambda beast: beast.strength is not None and test(beast) is False)
    pair = [has, lacks]
    rng.shuffle(pair)
    slots = {"a": one(pair[0], lang, rng), "b": one(pair[1], lang, rng), "p": words[lang]}
    name = has.names[lang][0]
    answer = f"The {name} {words['en']}." if lang == "en" else f"{name}{words['zh']}。"
    turns = [(ask("choice", lang, rng, slots), answer)]
    if rng.random() < 0.2:
        other = lacks.names[lang][0]
        pattern = (
            "(and the {x}|what about the {x}|the {x} not|what is the {x} then)?"
            if lang == "en"
            else "({x}呢|那{x}呢|{x}不是吗|那{x}是什么)？"
        )
        turns.append((small(pattern, lang, rng, {"x": other}), know.about(first_name(lacks, lang), lang)))
    elif rng.random() < 0.25:
        turns.append(it_turn(first_name(has, lang), lang, rng))
    return turns


def odd_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Three of one class and one of another."""
    key, other = rng.sample("mbrfi", 2)
    group = [pick(rng, lambda beast: beast.letter == other)]
    odd = group[0]
    while len(group) < 4:
        beast = pick(rng, lambda one: one.letter == key)
        if beast not in group:
            group.append(beast)
    rng.shuffle(group)
    name = odd.names[lang][0]
    if lang == "en":
        own, rest = know.a(kinds()[other].one["en"]), kinds()[key].many["en"]
        answer = f"The {name} is the odd one out: it is {own}, and the others are {rest}."
    else:
        answer = f"{name}不同类：它是{kinds()[other].one['zh']}，其他的都是{kinds()[key].one['zh']}。"
    turns = [(ask("odd", lang, rng, group_slots(group, lang, rng)), answer)]
    if rng.random() < 0.25:
        reason = (
            f"Because the {name} is {know.a(kinds()[other].one['en'])}. {kinds()[other].meaning['en']}."
            if lang == "en"
            else f"因为{name}是{kinds()[other].one['zh']}。{kinds()[other].meaning['zh']}。"
        )
        turns.append((follow("why", lang, rng), reason))
    return turns


def count_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """How many of these are birds?"""
    key = rng.choice("mbrfi")
    group = group_of(rng.choice((3, 4, 5)), rng)
    if all(beast.letter != key for beast in group) and rng.random() < 0.7:
        group[rng.randrange(len(group))] = pick(rng, lambda beast: beast.letter == key and beast not in group)
    found = [beast for beast in group if beast.letter == key]
    kind = kinds()[key]
    slots = group_slots(group, lang, rng) | {"kinds": kind.many[lang], "kind": kind.one[lang]}
    if lang == "zh":
        names = join([beast.names["zh"][0] for beast in found], lang) if found else ""
        count = NUMBERS["zh"][len(found)]
        answer = f"有{count}种{kind.one['zh']}：{names}。" if found else f"里面没有{kind.one['zh']}。"
    else:
        names = join([f"the {beast.key}" for beast in found], lang) if found else ""
        noun = kind.one["en"] if len(found) == 1 else kind.many["en"]
        answer = (
            f"{up(NUMBERS['en'][len(found)])} {noun}: {names}."
            if found
            else f"None of them is {know.a(kind.one['en'])}."
        )
    return [(ask("count", lang, rng, slots), answer)]


def telling(beast: Beast) -> bool:
    """Whether the fact about an animal can serve as a riddle: it must not name the animal."""
    if beast.key in lists("animals2")["vague.en"]:
        return False
    hidden = {word.lower() for name in beast.names["en"] for word in name.split()}
    words = set(beast.facts["en"].lower().replace(",", "").replace("'s", "").split())
    return not hidden & words and not any(name in beast.facts["zh"] for name in beast.names["zh"])


def riddle_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The user describes an animal and Eyas finds it, or Eyas asks and the user guesses."""
    beast = pick(rng, telling)
    fact = beast.facts[lang]
    name = beast.names[lang][0]
    lower = fact[0].lower() + fact[1:]
    if rng.random() < 0.55:
        question = ask("riddle", lang, rng, {"fact": fact})
        turns = [(question, say("riddle", lang, {"name": name, "facts": lower}))]
        who = first_name(beast, lang)
        return turns + later_turns(who, lang, rng, same=False)
    turns = [(ask("quiz", lang, rng, {}), say("quiz", lang, {"fact": fact}))]
    draw = rng.random()
    if draw < 0.4:
        right = f"Right, it is the {name}!" if lang == "en" else f"答对了，就是{name}！"
        turns.append((follow("guess", lang, rng, {"guess": name}), right))
    elif draw < 0.75:
        wrong = pick(rng, lambda one: one is not beast and one.letter != beast.letter).names[lang][0]
        answer = f"Not quite: it is the {name}." if lang == "en" else f"不对，是{name}。"
        turns.append((follow("guess", lang, rng, {"guess": wrong}), answer))
    else:
        answer = f"It is the {name}." if lang == "en" else f"答案是{name}。"
        turns.append((follow("give up", lang, rng), answer))
    return turns


# ------------------------------------------------------------------------------------------------- words and whole faqs


def word_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The name of an animal in the other language."""
    beast = pick(rng)
    if rng.random() < 0.5:
        heading, en, zh = "into Chinese", beast.key, beast.names["zh"][0]
        if rng.random() < 0.12:
            en, zh = rng.choice(know.pairs("word"))
        shown = rng.choice((en, f'"{en}"', en))
    else:
        heading, en, zh = "into English", beast.key, beast.names["zh"][0]
        if rng.random() < 0.12:
            en, zh = rng.choice(know.pairs("word"))
        shown = rng.choice((zh, f"“{zh}”", zh))
    turns = [(ask(heading, lang, rng, {"w": shown}).strip(), say(heading, lang, {"en": en, "zh": zh}))]
    if rng.random() < 0.3:
        other = pick(rng, lambda one: one is not beast)
        en, zh = other.names["en"][0], other.names["zh"][0]
        asked = en if heading == "into Chinese" else zh
        pattern = "(and {w}|what about {w}|{w})?" if lang == "en" else "({w}呢|那{w}呢|{w})？"
        turns.append((small(pattern, lang, rng, {"w": asked}), say(heading, lang, {"en": en, "zh": zh})))
    return turns


TRAITS: dict[str, Callable[[Beast], bool | None]] = {
    "fly": know.flies,
    "hibernate": know.sleeps,
    "venom": know.venomous,
    "night": know.nightly,
    "day": lambda beast: know.nightly(beast) is False,
    "rare": know.rare,
    "danger": know.dangerous,
    "six": lambda beast: know.limbs(beast) == (6, "legs"),
    "eight": lambda beast: know.limbs(beast) == (8, "legs"),
    "none": lambda beast: know.limbs(beast) == (0, "legs"),
    "pouch": lambda beast: beast.group == "marsupial",
    "carnivore": lambda beast: beast.diet == "c",
    "herbivore": lambda beast: beast.diet == "h",
    "omnivore": lambda beast: beast.diet == "o",
    "swim": know.swims,
    "flightless": lambda beast: "F" in beast.flags,
}
"""What animals can have in common besides a place, a kind or a food."""


@functools.cache
def traits() -> dict[str, tuple[dict[Lang, str], list[Beast]]]:
    """What people ask for, and the animals of which it is true, first ones first."""
    found: dict[str, tuple[dict[Lang, str], list[Beast]]] = {}
    own = {row[0]: row[1:] for row in rows("animals2_traits")}
    spare = ("meat", "smallanimals", "rottingfood", "mice", "rabbits")
    for key in (*own, *(food for food in know.foods() if food not in own and food not in spare)):
        heads = [by_name()[name] for name in own[key][2].split(";")] if key in own else []
        fits = [one for one in beasts() if (TRAITS[key](one) if key in TRAITS else key in one.foods)]
        rest = [one for one in fits if one not in heads and one.strength is not None]
        group = heads + sorted(rest, key=lambda beast: not know.famous(beast))
        words: dict[Lang, str] = (
            {"en": own[key][0], "zh": own[key][1]}
            if key in own
            else {"en": f"eat {know.foods()[key]['en']}", "zh": f"吃{know.foods()[key]['zh']}"}
        )
        if len(group) > 1:
            found[key] = words, group
    return found


def trait_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which animals can fly, eat grass, hibernate."""
    own = list(traits())
    words, group = traits()[rng.choice(own if rng.random() < 0.45 else own[:25])]
    if rng.random() < 0.25 and len(group) > 6:
        group = [group[rank] for rank in sorted(rng.sample(range(min(len(group), 20)), 5))]
    group = group[:6]
    names = list_of(group, lang)
    trait = words[lang]
    answer = f"{up(names)} {trait}, for example." if lang == "en" else f"{trait}的动物有{names}等。"
    turns = [(ask("trait", lang, rng, {"trait": trait}), answer)]
    draw = rng.random()
    if draw < 0.35:
        turns += best_turns(group, lang, rng, rng.choice((1, 1, 2)))
    elif draw < 0.5 and len(group) > 2:
        at = rng.randrange(3)
        nth = ORDER[at] if lang == "en" else "一二三"[at]
        turns.append((follow("ordinal", lang, rng, {"nth": nth}), know.about(first_name(group[at], lang), lang)))
    return turns


def backwards_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """From the word for the young or the sound back to the animal."""
    spoken = know.spoken()
    if rng.random() < 0.5:
        word = rng.choice(lists("animals2")["young"])
        key = next(key for key, cells in spoken.items() if cells[0] == word)
        name = by_name()[key].names[lang][0]
        question = ask("baby of", lang, rng, {"word": word})
        question = (
            question.replace(" a eyas", " an eyas").replace(" a owlet", " an owlet").replace(" a eaglet", " an eaglet")
        )
        if lang == "en":
            return [(question, f"{up(know.a(word))} is a young {name}.")]
        return [(question, f"{word} 是{name}的幼崽，就是{spoken[key][1]}。")]
    call = rng.choice(lists("animals2")["calls"])
    key = next(key for key, cells in spoken.items() if cells[2] == call)
    beast = by_name()[key]
    sound = call if lang == "en" else spoken[key][3]
    same = [by_name()[other] for other, cells in spoken.items() if cells[2 if lang == "en" else 3] == sound]
    if lang == "en":
        names = join([f"the {one.key}" for one in same], lang)
        answer = f"{up(names)} {call}." if len(same) == 1 else f"{up(names)} do that."
    else:
        answer = f"{join([one.names['zh'][0] for one in same], lang)}{sound}。"
    turns = [(ask("caller", lang, rng, {"sound": sound}), answer)]
    return turns + (later_turns(first_name(beast, lang), lang, rng, same=False) if len(same) == 1 else [])


def meaning_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a mammal is, and examples."""
    taken = {name for beast in beasts() for name in beast.names[lang]}
    key = rng.choice([key for key, kind in kinds().items() if kind.one[lang] not in taken])
    kind = kinds()[key]
    slots = {
        "akind": know.a(kind.one["en"]),
        "kinds": kind.many[lang],
        "kind": kind.one[lang],
        "kindname": kind.one[lang],
    }
    end = "." if lang == "en" else "。"
    turns = [(ask("kind", lang, rng, slots), kind.meaning[lang] + end)]
    if rng.random() < 0.45:
        group = members(key)[:4]
        pattern = (
            "(give me some examples|for example|examples, please|some examples|can you name some|such as)?"
            if lang == "en"
            else "(举几个例子|比如呢|有哪些|能举例吗|例如|有啥例子)？"
        )
        answer = (
            f"Some {kind.many['en']} are: {list_of(group, lang)}."
            if lang == "en"
            else f"{kind.one['zh']}有{list_of(group, lang)}。"
        )
        turns.append((small(pattern, lang, rng), answer))
        if len(group) > 2 and rng.random() < 0.5:
            turns += best_turns(group, lang, rng, 1)
    return turns


def more_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Records, reasons, dinosaurs."""
    found: Entry = rng.choice(list(faq("animals2_more").values()))
    if found.topics[lang] and rng.random() < 0.2:
        asked = disturb(know.wrap("k", rng.choice(found.topics[lang]), lang, rng), lang, rng)
    elif rng.random() < 0.2:
        plain = plainest(rng.choice(found.questions[lang]))
        asked = up(plain) + ("?" if lang == "en" else "？")
    else:
        asked = disturb(know.wrap("q", expand(rng.choice(found.questions[lang]), rng), lang, rng), lang, rng)
    answer = found.answers[lang][0]
    turns = [(asked, answer)]
    if rng.random() < 0.15:
        turns.append(
            (follow("sure", lang, rng), f"Yes, I am sure. {answer}" if lang == "en" else f"是的，我确定。{answer}")
        )
    elif rng.random() < 0.1:
        turns.append((follow("thanks", lang, rng), faq("smalltalk")["thanks"].answers[lang][0]))
    return turns


# ---------------------------------------------------------------------------------------------------------------- edges


def edge_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Beyond the table: other questions about known animals, unknown and invented animals and places."""
    draw = rng.random()
    if draw < 0.45:
        who = named(pick(rng), lang, rng)
        asked = expand(rng.choice(know.entry("edge known", lang)), rng, who.slots(lang, rng))
        turns = [(disturb(asked + ("?" if lang == "en" else "？"), lang, rng), unknown_answer(lang, rng))]
        if rng.random() < 0.3:
            turns.append(it_turn(who, lang, rng))
        elif rng.random() < 0.15:
            heading = faq("animals2_it")["fact"].questions[lang][0]
            turns.append((small(heading, lang, rng), know.fact(who, lang)))
        return turns
    if draw < 0.85:
        name = invented(lang, rng) if rng.random() < 0.45 else rng.choice(lists("animals2")[f"strange.{lang}"])
        asked = expand(rng.choice(know.entry("edge unknown", lang)), rng, {"x": name.lower() if lang == "en" else name})
    else:
        name = invented(lang, rng) if rng.random() < 0.6 else rng.choice(lists("animals2")[f"nowhere.{lang}"])
        asked = expand(rng.choice(know.entry("edge place", lang)), rng, {"x": name})
    return [(disturb(asked + ("?" if lang == "en" else "？"), lang, rng), unknown_answer(lang, rng))]


def lost_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A follow-up without anything before it: Eyas asks back, and the user names the animals."""
    quality = rng.choice(list(VALUES))
    best = superlative(quality, lang, rng)
    pattern = (
        "(which of (them|these|those) is the {b}|which one of them is the {b}|who of them is the {b})?"
        if lang == "en"
        else "((其中|它们中|这些里面|它们当中)(哪一种|哪个|谁){b}|它们谁{b})？"
    )
    back = (
        "Which animals do you mean? Name a few, or ask me first which animals live in a place."
        if lang == "en"
        else "你指的是哪些动物？请先说几种，或者先问我某个地方有哪些动物。"
    )
    turns = [(small(pattern, lang, rng, {"b": best}), back)]
    group = group_of(3, rng)
    first = winner(quality, group)
    if first and rng.random() < 0.6:
        lead = rng.choice(("I mean ", "", "these: ") if lang == "en" else ("我说的是", "", "这几种："))
        turns.append(
            (disturb(lead + group_slots(group, lang, rng)["groupand"], lang, rng), best_answer(quality, first, lang))
        )
    return turns


TALKS: tuple[tuple[Talk, float], ...] = (
    (list_talk, 22),
    (about_talk, 7),
    (attribute_talk, 18),
    (yes_talk, 8),
    (kind_talk, 6),
    (place_talk, 3),
    (compare_talk, 8),
    (several_talk, 5),
    (choice_talk, 4),
    (sort_talk, 1.5),
    (odd_talk, 2.5),
    (count_talk, 2),
    (riddle_talk, 4),
    (word_talk, 5),
    (meaning_talk, 3),
    (trait_talk, 6),
    (feature_talk, 3),
    (backwards_talk, 2),
    (more_talk, 10),
    (edge_talk, 12),
    (lost_talk, 0.7),
)
"""What is talked about within the field, as weights."""
