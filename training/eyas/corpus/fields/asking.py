"""Help in the shape of headings: things to do, things to know, questions and complaints, and how the talk goes on.

The marks of such a ``.faq`` file, each behind a language: ``~`` things to do ("stop a reply"), ``*`` topics, ``?``
patterns of questions (those that end with a mark are statements), ``=`` answers, ``+`` more, ``>`` an example,
``$`` the same in the terminal, ``!`` in simple words, ``^`` why.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re
from collections.abc import Callable, Sequence

from training.eyas.corpus import unknown
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import DATA, faq

Turn = tuple[str, str]
Talk = Callable[[Lang, random.Random], list[Turn]]

MARKS = "~*?=+>$!^"
AFTER: dict[str, str] = {"+": "more", ">": "example", "$": "terminal", "!": "simple", "^": "why"}
"""Marks whose text answers a follow-up, and the heading of what users say then."""


@dataclasses.dataclass(frozen=True)
class Help:
    """One heading: the texts behind each mark of each language."""

    name: str
    texts: dict[tuple[Lang, str], tuple[str, ...]]

    def get(self, lang: Lang, mark: str) -> tuple[str, ...]:
        """The texts behind a mark."""
        return self.texts.get((lang, mark), ())

    def brief(self, lang: Lang) -> str:
        """The first sentence of the answer."""
        return first_sentence(self.get(lang, "=")[0], lang)


def first_sentence(text: str, lang: Lang) -> str:
    """The first sentence of ``text``."""
    text = text.split("\n", 1)[0]
    return re.split(r"(?<=[.!?]) (?=[A-Z])" if lang == "en" else r"(?<=[。！？])", text)[0]


@functools.cache
def helps(name: str) -> tuple[Help, ...]:
    """The headings of ``data/<name>.faq``."""
    found: dict[str, dict[tuple[Lang, str], tuple[str, ...]]] = {}
    texts: dict[tuple[Lang, str], tuple[str, ...]] = {}
    for line in (DATA / f"{name}.faq").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            if heading in found:
                raise ValueError(f"{heading!r} is there twice in {name}.faq")
            texts = found.setdefault(heading, {})
        elif line.strip() and not line.startswith("#"):
            mark, text = line.split(" ", 1)
            lang: Lang = "zh" if mark.startswith("zh") else "en"
            if mark[:2] not in ("en", "zh") or mark[2:] not in MARKS or not mark[2:]:
                raise ValueError(f"unknown mark {mark!r} in {name}.faq")
            parts = (part.strip() for part in text.split(";")) if mark[2] in "~*" else (text.strip(),)
            texts[lang, mark[2]] = texts.get((lang, mark[2]), ()) + tuple(part.replace("\\n", "\n") for part in parts)
    return tuple(Help(heading, texts) for heading, texts in found.items())


def big(text: str) -> str:
    """``text`` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


@functools.cache
def patterns(file: str, heading: str, lang: Lang) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The patterns under a heading of frames, and their weights: those that stand for more come more often."""
    found = faq(file)[heading].questions[lang]
    return found, tuple(1 + pattern.count("|") ** 0.5 for pattern in found)


def frame(heading: str, lang: Lang, rng: random.Random, file: str = "asking", **slots: str) -> str:
    """One wording of a heading of frames, its slots filled; behind a capital the slot begins with a capital."""
    found, weights = patterns(file, heading, lang)
    slots |= {big(name): big(text) for name, text in slots.items()}
    return tidy(expand(rng.choices(found, weights)[0], rng, slots), lang)


def tidy(text: str, lang: Lang) -> str:
    """``text`` without doubled marks and blanks that came of putting parts together."""
    text = re.sub(r"  +", " ", text).strip()
    text = re.sub(r"([?？!！])[.。?？]$", r"\1", text)
    if lang == "zh":
        text = re.sub(r"(请问|问一下，|我想知道|请教一下，)(?:请问|我想知道|你知道)", r"\1", text)
        return re.sub(r"(?<=[\u4e00-\u9fff，。？])(吗)[呢呀啊吗](?=[？。]|$)", r"\1", text).replace("呢呢", "呢")
    return re.sub(r"\bI (want|would like|'d like) to want to\b", r"I \1 to", text)


def is_plural(topic: str) -> bool:
    """Whether an English topic is in the plural."""
    last = re.split(" (?:of|in|below|behind|beside|at|like|for|with|from|that|on) ", topic.lower().strip(" ?."))[0]
    return (
        last.endswith("s") and not last.startswith(("a ", "an ")) and not last.endswith(("ss", "us", "is", "ics", "as"))
    )


def about(topic: str, lang: Lang, rng: random.Random, file: str = "asking", heading: str = "topic") -> str:
    """A question for a topic, its verb in the right number."""
    text = frame(heading, lang, rng, file, t=topic)
    if lang == "zh" or not is_plural(topic):
        return text
    found = re.escape(topic)
    text = re.sub(rf"(?i)\b(what(?: exactly| on earth)?)(?: is|'s)( exactly)? ({found})", r"\1 are\2 \3", text)
    text = re.sub(rf"(?i)\b(is) ({found}) (for|good)", r"are \2 \3", text)
    text = re.sub(rf"(?i)\bdoes ({found})", r"do \1", text)
    text = re.sub(rf"(?i)({found}) is\b", r"\1 are", text)
    for one, many in (("What is it", "What are they"), ("What is that", "What are those"), ("there is", "there are")):
        text = text.replace(one, many).replace(one[:1].lower() + one[1:], many[:1].lower() + many[1:])
    return text.replace("What does it mean", "What do they mean")


def typed(text: str, lang: Lang, rng: random.Random) -> str:
    """``text`` as somebody types it; code in it is left as it is, but for the case."""
    return text if rng.random() < 0.15 else tidy(disturb(text, lang, rng), lang)


def asked(entry: Help, lang: Lang, rng: random.Random) -> str:
    """One question for a heading."""
    ways = ["~"] * 4 * bool(entry.get(lang, "~")) + ["*"] * 3 * bool(entry.get(lang, "*"))
    ways += ["?"] * (3 if ways else 1) * bool(entry.get(lang, "?"))
    way = rng.choice(ways)
    text = expand(rng.choice(entry.get(lang, way)), rng)
    if way == "~":
        return typed(frame("task", lang, rng, v=text), lang, rng)
    if way == "*":
        return typed(about(text, lang, rng), lang, rng)
    if text[-1] in ".!。！":
        return typed(frame("statement", lang, rng, s=text), lang, rng)
    return typed(frame("question", lang, rng, q=text.rstrip("?？")), lang, rng)


def answered(entry: Help, lang: Lang, rng: random.Random) -> str:
    """One answer of a heading; the first wording comes four times as often as the others."""
    answers = entry.get(lang, "=")
    return rng.choices(answers, (4, *(1 for _ in answers[1:])))[0]


def other(lang: Lang) -> Lang:
    """The other language."""
    return "zh" if lang == "en" else "en"


def said(heading: str, lang: Lang, **slots: str) -> str:
    """Eyas's words under a heading of the frames."""
    text = faq("asking")[heading].answers[lang][0]
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


def plainly(text: str, lang: Lang) -> str:
    """``text`` without a yes or no at its beginning, so that it can stand behind another one."""
    if lang == "en":
        return big(re.sub(r"^(?:Yes|No)[,:] ", "", text))
    return re.sub(r"^(?:不能|不是|没有|不会|可以|是的|对|不对)[，：]", "", text)


def went_on(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """What a user types to go on: mostly short and without any opening."""
    text = frame(heading, lang, rng, **slots)
    return big(text) if rng.random() < 0.5 else text


def followed(entry: Help, pool: Sequence[Help], lang: Lang, rng: random.Random, helping: bool = True) -> Turn:
    """How a talk about a heading goes on."""
    kinds = ["short", "translate", "translate", "sure", "doubt", "thanks", "again", "another", "another"]
    kinds += ["failed", "where", "where"] * (helping and bool(entry.get(lang, "~")))
    kinds += [heading for mark, heading in AFTER.items() if entry.get(lang, mark) for _ in range(3)]
    kind = rng.choice(kinds)
    if kind == "another":
        return another(pool, lang, rng)
    asked = went_on(kind, lang, rng)
    brief = entry.brief(lang)
    if kind in ("thanks", "failed"):
        return asked, said(kind, lang)
    if kind in ("sure", "doubt"):
        return asked, said(kind, lang, s=plainly(brief, lang))
    if kind == "short":
        return asked, brief
    if kind == "translate":
        return asked, entry.get(other(lang), "=")[0]
    for mark, heading in AFTER.items():
        if heading == kind:
            return asked, entry.get(lang, mark)[0]
    return asked, entry.get(lang, "=")[0]


def another(pool: Sequence[Help], lang: Lang, rng: random.Random) -> Turn:
    """A second question of the same field, tied to the first by a short word."""
    entry = rng.choice(pool)
    if entry.get(lang, "~"):
        text = went_on("another task", lang, rng, v=expand(rng.choice(entry.get(lang, "~")), rng))
    elif entry.get(lang, "*"):
        text = about(expand(rng.choice(entry.get(lang, "*")), rng), lang, rng, heading="another topic")
    else:
        text = expand(rng.choice(entry.get(lang, "?")), rng)
        if text[-1] not in ".!。！":
            text = went_on("another question", lang, rng, q=text.rstrip("?？"))
    return text, entry.get(lang, "=")[0]


def help_talk(*names: str, follow: float = 0.42, helping: bool = True) -> Talk:
    """Questions for the headings of some files, with and without follow-ups."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        pool = [entry for name in names for entry in helps(name)]
        entry = rng.choice(pool)
        turns = [(asked(entry, lang, rng), answered(entry, lang, rng))]
        if rng.random() < follow:
            turns.append(followed(entry, pool, lang, rng, helping))
            if rng.random() < 0.25:
                turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
        return turns

    return talk


def beyond_talk(name: str, kind: str = "knowledge") -> Talk:
    """Questions that sound like the field and go beyond it, and the honest answer; patterns stand in ``<name>.faq``."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        entry = rng.choice(tuple(faq(name).values()))
        kind_of = entry.name.split(":")[0] if ":" in entry.name else kind
        text = expand(rng.choice(entry.questions[lang]), rng, unknown.slots(lang, rng))
        text = typed(frame("question", lang, rng, q=text.rstrip("?？")), lang, rng)
        return [(text, unknown.answer(lang, rng, kind_of))]

    return talk
