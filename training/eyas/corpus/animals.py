"""Talk about animals: lists of a habitat, follow-ups that must look back at the list, comparisons, single animals."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb, typed
from training.eyas.corpus.tables import Animal, Habitat, animals, faq, habitats, saying, wording

Turn = tuple[str, str]
"""What the user says, and what Eyas answers."""


@dataclasses.dataclass(frozen=True)
class Quality:
    """Something by which animals are ranked. How it is asked for stands in ``data/qualities.faq`` under ``name``."""

    name: str
    value: Callable[[Animal], float]
    reason: Callable[[Animal, Lang], str]
    weight: int = 1

    def best(self, group: Sequence[Animal]) -> Animal:
        """The winner; a tie goes to the stronger animal, so that there is one answer to learn."""
        return max(group, key=lambda animal: (self.value(animal), animal.strength))

    def superlative(self, lang: Lang, rng: random.Random) -> str:
        """As a user puts it: strongest, most powerful, …"""
        return expand(faq("qualities")[self.name].questions[lang][0], rng)

    def comparative(self, lang: Lang, rng: random.Random) -> str:
        """As a user puts it: stronger, …"""
        return expand(faq("qualities")[self.name].topics[lang][0], rng)

    def said(self, lang: Lang) -> tuple[str, str]:
        """As Eyas puts it: the strongest, stronger."""
        best, better = faq("qualities")[self.name].answers[lang]
        return best, better


def length(centimetres: float, lang: Lang) -> str:
    """A length in words: metres from one metre on."""
    number, unit = (centimetres / 100, 0) if centimetres >= 100 else (centimetres, 1)
    return f"{number:g} {(('metres', 'centimetres') if lang == 'en' else ('米', '厘米'))[unit]}"


def mass(kilograms: float, lang: Lang) -> str:
    """A weight in words: tonnes, kilograms or grams; very light animals weigh less than a gram."""
    if kilograms < 0.001:
        return "less than a gram" if lang == "en" else "不到 1 克"
    if kilograms >= 1000:
        number, unit = kilograms / 1000, 0
    else:
        number, unit = (kilograms, 1) if kilograms >= 1 else (kilograms * 1000, 2)
    units = ("tonnes", "kilograms", "grams") if lang == "en" else ("吨", "公斤", "克")
    return f"{'about' if lang == 'en' else '大约'} {number:g} {units[unit]}"


def _fact(animal: Animal, lang: Lang) -> str:
    return animal.facts[lang] + ("." if lang == "en" else "。")


def _speed(animal: Animal, lang: Lang) -> str:
    if lang == "en":
        return f"It reaches about {animal.speed:g} kilometres per hour."
    return f"它的时速大约是 {animal.speed:g} 公里。"


def _weight(animal: Animal, lang: Lang) -> str:
    return f"It weighs {mass(animal.weight, lang)}." if lang == "en" else f"它重{mass(animal.weight, lang)}。"


def _height(animal: Animal, lang: Lang) -> str:
    tall = length(animal.height, lang)
    return f"It can be about {tall} tall." if lang == "en" else f"它大约有 {tall}高。"


def _danger(animal: Animal, lang: Lang) -> str:
    if animal.danger >= 6:
        return "Keep a safe distance from it." if lang == "en" else "要和它保持安全距离。"
    return "But there are far more dangerous animals." if lang == "en" else "不过还有危险得多的动物。"


QUALITIES = (
    Quality("strength", lambda animal: animal.strength, _fact, weight=4),
    Quality("speed", lambda animal: animal.speed, _speed, weight=2),
    Quality("weight", lambda animal: animal.weight, _weight, weight=2),
    Quality("height", lambda animal: animal.height, _height),
    Quality("lightness", lambda animal: -animal.weight, _weight),
    Quality("danger", lambda animal: animal.danger, _danger),
    Quality("slowness", lambda animal: -animal.speed, _speed),
)
STRENGTH = QUALITIES[0]


def pick_quality(rng: random.Random) -> Quality:
    """A quality, the common questions more often."""
    return rng.choices(QUALITIES, [quality.weight for quality in QUALITIES])[0]


def pick_habitat(rng: random.Random, savanna: int) -> Habitat:
    """A habitat; the savanna ``savanna`` times as often as any other."""
    return rng.choices(habitats(), [savanna if habitat.key == "savanna" else 1 for habitat in habitats()])[0]


def pick_group(habitat: Habitat, rng: random.Random) -> list[Animal]:
    """Four to seven animals of a habitat, in the order of the table: half of the time its first ones.

    The order matters: a model that has to guess which animal comes next, of many that might, repeats itself; one that
    goes down a list does not.
    """
    pool = [animal for animal in animals() if habitat.key in animal.habitats]
    size = min(len(pool), rng.randint(4, 7))
    if rng.random() < 0.5:
        return pool[:size]
    return [pool[rank] for rank in sorted(rng.sample(range(len(pool)), size))]


def home_of(animal: Animal) -> Habitat | None:
    """The habitat an animal is first thought of in."""
    return next((habitat for habitat in habitats() if habitat.key in animal.habitats), None)


def join(names: Sequence[str], lang: Lang) -> str:
    """``a, b and c`` or ``a、b和c``."""
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + " and " + names[-1] if lang == "en" else "、".join(names[:-1]) + "和" + names[-1]


def plural(animal: Animal, lang: Lang) -> str:
    """The name used in lists."""
    return animal.plural if lang == "en" else animal.names["zh"]


def list_answer(habitat: Habitat, group: Sequence[Animal], lang: Lang, rng: random.Random) -> str:
    """The animals of a habitat, as a sentence or as a markdown list."""
    place, name = habitat.places[lang][0], habitat.names[lang]
    names = [plural(animal, lang) for animal in group]
    slots = {
        "place": place,
        "Place": place[:1].upper() + place[1:],
        "name": name,
        "inside": name + ("上" if name[-1] in "原山场" else "里"),
        "group": join(names, lang),
    }
    if rng.random() < 0.25:
        return expand(saying("bullets", lang), rng, slots) + "\n\n" + "\n".join("- " + one for one in names)
    sentence = rng.choices(faq("wordings")["list of a habitat"].answers[lang], (3, 1, 1))[0]
    return expand(sentence, rng, slots)


def best_answer(quality: Quality, group: Sequence[Animal], lang: Lang, rng: random.Random) -> str:
    """Who wins, and one reason."""
    best = quality.best(group)
    slots = {"animal": best.names[lang], "best": quality.said(lang)[0], "reason": quality.reason(best, lang)}
    return expand(saying("best of a list", lang), rng, slots)


def about(animal: Animal, lang: Lang, rng: random.Random) -> str:
    """Two or three sentences about one animal."""
    home = home_of(animal)
    lives = ""
    if home:
        lives = f" It lives {home.places['en'][0]}." if lang == "en" else f"，生活在{home.names['zh']}"
    weight = mass(animal.weight, lang)
    slots = {"name": animal.names[lang], "mass": weight, "lives": lives, "fact": animal.facts[lang]}
    return expand(saying("animal", lang), rng, slots)


def habitat_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A list of animals and up to three follow-ups that only make sense after it."""
    habitat = pick_habitat(rng, savanna=4)
    group = pick_group(habitat, rng)
    question = typed(wording("list of a habitat", lang), lang, rng, {"place": rng.choice(habitat.places[lang])})
    turns = [(question, list_answer(habitat, group, lang, rng))]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        if rng.random() < 0.85:
            turns.append(follow_up(group, lang, rng))
        else:
            turns.append(about_turn(rng.choice(group), lang, rng))
    return turns


def follow_up(group: Sequence[Animal], lang: Lang, rng: random.Random) -> Turn:
    """The strongest, fastest, … of a group that was named before."""
    quality = pick_quality(rng)
    question = typed(wording("best of a list", lang), lang, rng, {"best": quality.superlative(lang, rng)})
    return question, best_answer(quality, group, lang, rng)


def about_turn(animal: Animal, lang: Lang, rng: random.Random) -> Turn:
    """One question about one animal."""
    question = typed(wording("animal", lang), lang, rng, {"name": animal.names[lang], "plural": plural(animal, lang)})
    return question, about(animal, lang, rng)


def animal_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One animal: in general, where it lives, how fast or how heavy it is."""
    animal = rng.choice(animals())
    home = home_of(animal)
    draw = rng.random()
    if draw < 0.5 or (draw >= 0.85 and home is None):
        return [about_turn(animal, lang, rng)]
    heading = "speed" if draw < 0.7 else "mass" if draw < 0.85 else "home"
    name, many = animal.names[lang], plural(animal, lang)
    question = expand(wording(heading, lang), rng)
    article = "the" if rng.random() < 0.5 else ("an" if name[0] in "aeiou" else "a")
    one = f"{article} {name}" if lang == "en" else name
    question = question.replace("are {it}", f"are {many}").replace("can {it}", f"can {one} run")
    slots = {
        "name": name,
        "plural": many,
        "Plural": many[:1].upper() + many[1:],
        "one": one,
        "it": one,
        "speed": f"{animal.speed:g}",
        "mass": mass(animal.weight, lang),
        "place": "" if home is None else home.places["en"][0] if lang == "en" else home.names["zh"],
    }
    return [(disturb(expand(question, rng, slots), lang, rng), expand(saying(heading, lang), rng, slots))]


def compare_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which of two or more animals named by the user wins."""
    quality = pick_quality(rng)
    group = rng.sample(animals(), rng.choice((2, 2, 3, 4, 5)))
    joined = join([animal.names[lang] for animal in group], lang)
    joined = joined.replace(" and ", " or ") if lang == "en" else joined
    if len(group) > 2:
        slots = {"best": quality.superlative(lang, rng), "group": joined}
        question = typed(wording("best of several", lang), lang, rng, slots)
        return [(question, best_answer(quality, group, lang, rng))]
    slots = {"more": quality.comparative(lang, rng), "group": joined}
    question = typed(wording("best of two", lang), lang, rng, slots)
    best = quality.best(group)
    slots = {"animal": best.names[lang], "more": quality.said(lang)[1], "reason": quality.reason(best, lang)}
    return [(question, expand(saying("best of two", lang), rng, slots))]


def lost_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A follow-up without anything before it."""
    question = typed(wording("best of nothing", lang), lang, rng, {"best": pick_quality(rng).superlative(lang, rng)})
    return [(question, saying("best of nothing", lang))]


def text_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A long answer, so that there is something to see while it streams."""
    habitat = pick_habitat(rng, savanna=3)
    question = typed(wording("habitat", lang), lang, rng, {"name": habitat.names[lang]})
    return [(question, habitat_text(habitat, lang, rng))]


def habitat_text(habitat: Habitat, lang: Lang, rng: random.Random) -> str:
    """A text about a habitat: what it is, who lives there, and a few facts. About 100 to 200 tokens."""
    group = pick_group(habitat, rng)
    if lang == "en":
        facts = " ".join(f"The {one.names['en']} is one of them. {one.facts['en']}." for one in group[:3])
    else:
        facts = "".join(
            f"{'再' if i else '先'}看{one.names['zh']}。{one.facts['zh']}。" for i, one in enumerate(group[:3])
        )
    slots = {
        "description": habitat.descriptions[lang],
        "group": join([plural(animal, lang) for animal in group], lang),
        "facts": facts,
        "strongest": STRENGTH.best(group).names[lang],
        "name": habitat.names[lang],
    }
    return expand(saying("habitat", lang), rng, slots)
