"""Knowledge in two shapes, and the talks about it: short facts to ask for, and explanations of what, why and how."""

from __future__ import annotations

import dataclasses
import functools
import random
import re
from collections.abc import Callable, Sequence

from training.eyas.corpus import unknown
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import DATA, faq, rows

Turn = tuple[str, str]
Talk = Callable[[Lang, random.Random], list[Turn]]

LANGS: tuple[Lang, Lang] = ("en", "zh")
BLANK: dict[Lang, str] = {"en": "___", "zh": "____"}


@dataclasses.dataclass(frozen=True)
class Fact:
    """A question with one right answer and wrong ones; ``saying`` has ``{}`` where the answer stands."""

    group: str
    question: dict[Lang, str]
    saying: dict[Lang, str]
    right: dict[Lang, str]
    wrong: dict[Lang, tuple[str, ...]]

    def said(self, lang: Lang, what: str | None = None) -> str:
        """The sentence with the right answer, or with another one; without its mark and not capitalised."""
        text = self.saying[lang].replace("{}", self.right[lang] if what is None else what)
        return re.sub(r"(?<=[一-鿿]) (?=[一-鿿])", "", text)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Something that takes a sentence or two: topics ("what is …"), questions, indirect questions, examples."""

    name: str
    topics: dict[Lang, tuple[str, ...]]
    questions: dict[Lang, tuple[str, ...]]
    clauses: tuple[str, ...]
    answer: dict[Lang, str]
    example: dict[Lang, str]

    def brief(self, lang: Lang) -> str:
        """The first sentence of the answer."""
        return re.split(r"(?<=[.!?]) (?=[A-Z])" if lang == "en" else r"(?<=[。！？])", self.answer[lang])[0]


@functools.cache
def facts(name: str) -> tuple[Fact, ...]:
    """The facts of ``data/<name>.psv``."""
    return tuple(
        Fact(
            group=row[0],
            question={"en": row[1], "zh": row[5]},
            saying={"en": row[2], "zh": row[6]},
            right={"en": row[3], "zh": row[7]},
            wrong={"en": tuple(row[4].split(";")), "zh": tuple(row[8].split(";"))},
        )
        for row in rows(name)
    )


@functools.cache
def explanations(name: str) -> tuple[Explanation, ...]:
    """The explanations of ``data/<name>.faq``; marks: ``*`` topics, ``?`` questions, ``~`` clauses, ``=``, ``>``."""
    found: dict[str, dict[str, str]] = {}
    lines: dict[str, str] = {}
    for line in (DATA / f"{name}.faq").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line[3:].strip(), {})
        elif line.strip() and not line.startswith("#"):
            mark, text = line.split(" ", 1)
            lines[mark] = f"{lines[mark]};{text.strip()}" if mark in lines else text.strip()
    return tuple(_explanation(name, lines) for name, lines in found.items())


def _explanation(name: str, lines: dict[str, str]) -> Explanation:
    def several(mark: str) -> tuple[str, ...]:
        return tuple(text.strip() for text in lines[mark].split(";")) if mark in lines else ()

    return Explanation(
        name=name,
        topics={lang: several(lang + "*") for lang in LANGS},
        questions={lang: several(lang + "?") for lang in LANGS},
        clauses=several("en~"),
        answer={lang: lines[lang + "="] for lang in LANGS},
        example={lang: lines.get(lang + ">", "") for lang in LANGS},
    )


def big(text: str) -> str:
    """``text`` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def sentence(text: str, lang: Lang) -> str:
    """``text`` as a sentence with its mark."""
    return big(text) + ("." if lang == "en" else "。")


def pick(heading: str, lang: Lang, rng: random.Random, file: str = "facts_frames") -> str:
    """One of the patterns of questions under a heading, longer patterns (which stand for more) more often."""
    patterns = faq(file)[heading].questions[lang]
    return rng.choices(patterns, [1 + pattern.count("|") ** 0.5 for pattern in patterns])[0]


def framed(heading: str, lang: Lang, rng: random.Random, file: str = "facts_frames", **slots: str) -> str:
    """A question put into one of the frames under a heading, as it may be typed."""
    slots |= {big(name): big(text) for name, text in slots.items() if len(name) == 1}
    text = expand(pick(heading, lang, rng, file), rng, slots)
    text = text.replace("what is  ", "what is ").replace("what 's", "what's")
    return tidy(disturb(text, lang, rng), lang)


def tidy(text: str, lang: Lang) -> str:
    """``text`` without doubled marks and openings that frames and noise made together."""
    text = re.sub(r"([?？])[.。?？]", r"\1", text)
    if lang == "zh":
        text = re.sub(r"(请问|你好|问一下|我想知道)[，]?(?:请问|我想知道|你知道|问一下|想问下)[，]?", r"\1，", text)
        return text.replace("什么是什么", "什么").replace("吗吗", "吗").replace("呢呢", "呢").replace("吗呢", "吗")
    return re.sub(r"\b([Ww])hat is (the [a-z]+s|[a-z ]+[a-z]s)(?= *[?]?$)", _plural, text)


SINGULAR_ENDINGS = ("ss", "sis", "ics", "us", "as", "is", "lens", "series", "species", "pythagoras")


def is_plural(topic: str) -> bool:
    """Whether an English topic is in the plural."""
    return topic.endswith("s") and not topic.startswith(("a ", "an ")) and not topic.lower().endswith(SINGULAR_ENDINGS)


def _plural(match: re.Match[str]) -> str:
    return match[0].replace("hat is", "hat are") if is_plural(match[2]) else match[0]


def topic_question(topic: str, lang: Lang, rng: random.Random) -> str:
    """A question for a topic, its verb in the right number."""
    asked = framed("topic", lang, rng, t=topic)
    if lang == "en" and is_plural(topic):
        found = re.escape(topic)
        asked = re.sub(rf"(?i)\b(what) (?:is|'s) ({found})", r"\1 are \2", asked)
        asked = re.sub(rf"(?i)\b(what)'s ({found})", r"\1 are \2", asked)
        asked = re.sub(rf"(?i)(what {found}) is\b", r"\1 are", asked)
        asked = asked.replace("What is it?", "What are they?").replace("what is it?", "what are they?")
        asked = asked.replace("What is that?", "What are those?").replace("what is that?", "what are those?")
        asked = re.sub(r"(?i)(can you explain) it\?", r"\1 them?", asked)
        asked = re.sub(r"(?i)what does it mean\?", "What are they?", asked)
    return asked


def follow(heading: str, lang: Lang, rng: random.Random) -> str:
    """What a user types to go on."""
    return framed_plain(pick(heading, lang, rng), lang, rng)


def framed_plain(pattern: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A short follow-up as typed: mostly in lower case, without any opening."""
    text = expand(pattern, rng, slots)
    return big(text) if lang == "en" and rng.random() < 0.5 else text


def say(heading: str, lang: Lang, **slots: str) -> str:
    """Eyas's words under a heading of the frames."""
    text = faq("facts_frames")[heading].answers[lang][0]
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


def other(lang: Lang) -> Lang:
    """The other language."""
    return "zh" if lang == "en" else "en"


# --- short facts


def fact_question(fact: Fact, lang: Lang, rng: random.Random) -> Turn:
    """One question for a fact: direct, as a choice, with options, as a gap, or as a claim to judge."""
    draw = rng.random()
    answer = sentence(fact.said(lang), lang)
    question = fact.question[lang]
    if draw < 0.42:
        return framed("question", lang, rng, q=expand(question, rng)), answer
    if draw < 0.56:
        pair = [fact.right[lang], rng.choice(fact.wrong[lang])]
        rng.shuffle(pair)
        return framed("choice", lang, rng, q=expand(question, rng), a=pair[0], b=pair[1]), answer
    if draw < 0.62 and len(fact.wrong[lang]) > 1:
        three = [fact.right[lang], *rng.sample(fact.wrong[lang], 2)]
        rng.shuffle(three)
        return framed("options", lang, rng, q=expand(question, rng), a=three[0], b=three[1], d=three[2]), answer
    if draw < 0.68:
        return framed("blank", lang, rng, s=fact.said(lang, BLANK[lang])), answer
    return claim(fact, lang, rng)


def claim(fact: Fact, lang: Lang, rng: random.Random) -> Turn:
    """A claim, right or wrong with equal chance, and the judgement."""
    if rng.random() < 0.5:
        return framed("claim", lang, rng, s=fact.said(lang)), say("yes", lang, s=fact.said(lang))
    said = fact.said(lang, rng.choice(fact.wrong[lang]))
    return framed("claim", lang, rng, s=said), say("no", lang, s=fact.said(lang))


def fact_follow(fact: Fact, pool: Sequence[Fact], lang: Lang, rng: random.Random) -> Turn:
    """How a talk about a fact goes on."""
    said = fact.said(lang)
    kind = rng.choice(("sure", "wrong", "wrong", "translate", "only", "thanks", "another", "another", "again"))
    if kind == "wrong":
        wrong = rng.choice(fact.wrong[lang])
        return framed_plain(pick("wrong", lang, rng), lang, rng, w=wrong), say("wrong", lang, s=said)
    if kind == "another":
        more = rng.choice(pool)
        asked = framed_plain(pick("another", lang, rng), lang, rng, q=expand(more.question[lang], rng))
        return asked, sentence(more.said(lang), lang)
    asked = follow(kind, lang, rng)
    if kind == "sure":
        return asked, say("sure", lang, s=said)
    if kind == "translate":
        return asked, sentence(fact.said(other(lang)), other(lang))
    if kind == "only":
        return asked, sentence(fact.right[lang], lang)
    return asked, say("thanks", lang) if kind == "thanks" else sentence(said, lang)


def fact_talk(name: str, *groups: str) -> Talk:
    """Questions about the facts of some groups of a file, with and without follow-ups."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        pool = [fact for fact in facts(name) if fact.group in groups]
        fact = rng.choice(pool)
        if rng.random() < 0.07:
            return quiz(fact, lang, rng)
        turns = [fact_question(fact, lang, rng)]
        if rng.random() < 0.4:
            turns.append(fact_follow(fact, pool, lang, rng))
            if rng.random() < 0.25:
                turns.append((follow("thanks", lang, rng), say("thanks", lang)))
        return turns

    return talk


def quiz(fact: Fact, lang: Lang, rng: random.Random) -> list[Turn]:
    """Eyas asks, the user guesses."""
    asked = big(expand(fact.question[lang], random.Random(fact.question[lang])))
    turns = [(follow("quiz me", lang, rng), asked + ("?" if lang == "en" else "？"))]
    said = fact.said(lang)
    draw = rng.random()
    if draw < 0.4:
        guess, answer = fact.right[lang], say("guess right", lang, s=said)
    elif draw < 0.8:
        guess, answer = rng.choice(fact.wrong[lang]), say("guess wrong", lang, s=said)
    else:
        return [*turns, (follow("give up", lang, rng), say("reveal", lang, s=said))]
    return [*turns, (framed_plain(pick("guess", lang, rng), lang, rng, g=guess), answer)]


# --- explanations


def explanation_way(entry: Explanation, lang: Lang, rng: random.Random) -> str:
    """How to ask: by its topic, a direct question or an indirect one."""
    ways = []
    if entry.topics[lang]:
        ways += ["topic"] * (2 if lang == "en" else 3)
    if entry.questions[lang]:
        ways += ["question"] * 3
    if lang == "en" and entry.clauses:
        ways += ["clause"] * 2
    return rng.choice(ways)


def explanation_question(entry: Explanation, lang: Lang, rng: random.Random, way: str = "") -> str:
    """One question for an explanation."""
    way = way or explanation_way(entry, lang, rng)
    if way == "topic":
        spoken = lang if rng.random() < 0.96 or not entry.topics[other(lang)] else other(lang)
        topic = rng.choice(entry.topics[spoken])
        if spoken == "en" and lang == "zh":
            topic = f" {topic.removeprefix('the ').removeprefix('an ').removeprefix('a ')} "
        return topic_question(topic, lang, rng).strip()
    if way == "clause":
        return framed("clause", lang, rng, c=expand(rng.choice(entry.clauses), rng))
    return framed("question", lang, rng, q=expand(rng.choice(entry.questions[lang]), rng))


SHORT: dict[Lang, re.Pattern[str]] = {
    "en": re.compile(r"keep it short|short answer|one sentence|in short|brief|just the basics|in a few words"),
    "zh": re.compile(r"一句话|简短|一两句"),
}
"""Where these words stand in a question, the first sentence is enough."""


def edge_talk(*names: str) -> Talk:
    """Questions about known topics that go beyond what Eyas knows, and then the known one."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        pool = [entry for name in names for entry in explanations(name) if entry.topics[lang]]
        entry = rng.choice(pool)
        topic = rng.choice(entry.topics[lang])
        heading, kind = rng.choice((("edge", "knowledge"), ("edge", "knowledge"), ("edge essay", "writing")))
        turns = [(framed(heading, lang, rng, t=topic), unknown.answer(lang, rng, kind))]
        if rng.random() < 0.4:
            turns.append((topic_question(topic, lang, rng), entry.answer[lang]))
            if rng.random() < 0.3:
                turns.reverse()
        return turns

    return talk


def two_in_one(one: Explanation, two: Explanation, lang: Lang, rng: random.Random) -> Turn:
    """Two questions in one message, and both answers."""
    first, second = (
        expand(rng.choice(entry.questions[lang] or tuple(_what(topic, lang) for topic in entry.topics[lang])), rng)
        for entry in (one, two)
    )
    link = rng.choice((" and ", "? And ", ", and also: ", "? Also, ")) if lang == "en" else rng.choice("，？")
    link = link if lang == "en" else link + rng.choice(("", "还有，", "另外，", "以及"))
    asked = first + link + second + rng.choice(("?", "")) if lang == "en" else first + link + second + "？"
    return big(asked), one.answer[lang] + (" " if lang == "en" else "") + two.answer[lang]


def _what(topic: str, lang: Lang) -> str:
    """The plain question for a topic."""
    return f"{topic}是什么" if lang == "zh" else f"what {'are' if is_plural(topic) else 'is'} {topic}"


def explanation_follow(entry: Explanation, pool: Sequence[Explanation], lang: Lang, rng: random.Random) -> Turn:
    """How a talk about an explanation goes on."""
    kinds = ["brief", "brief", "translate", "translate", "sure", "thanks", "again", "another", "another"]
    kind = rng.choice(kinds + ["example"] * 4 if entry.example[lang] else kinds)
    if kind == "another":
        more = rng.choice(pool)
        if more.topics[lang]:
            topic = rng.choice(more.topics[lang])
            asked = framed_plain(pick("another topic", lang, rng), lang, rng, t=topic)
            asked = asked.replace("hat is", "hat are") if lang == "en" and is_plural(topic) else asked
        else:
            question = expand(rng.choice(more.questions[lang]), rng)
            asked = framed_plain(pick("another", lang, rng), lang, rng, q=question)
        return asked, more.answer[lang]
    asked = follow(kind, lang, rng)
    brief = entry.brief(lang)
    if kind == "brief":
        return asked, brief
    if kind == "example":
        return asked, entry.example[lang]
    if kind == "translate":
        return asked, entry.answer[other(lang)]
    if kind == "sure":
        return asked, ("Yes, I am sure. " if lang == "en" else "是的，我确定。") + brief
    return asked, say("thanks", lang) if kind == "thanks" else entry.answer[lang]


def explanation_talk(*names: str) -> Talk:
    """Explanations of some files, with and without follow-ups."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        pool = [entry for name in names for entry in explanations(name)]
        entry = rng.choice(pool)
        if rng.random() < 0.04:
            return [two_in_one(entry, rng.choice([one for one in pool if one is not entry]), lang, rng)]
        way = explanation_way(entry, lang, rng)
        asked = explanation_question(entry, lang, rng, way)
        short = SHORT[lang].search(asked.lower()) and (way == "topic" or not entry.topics[lang])
        turns = [(asked, entry.brief(lang) if short else entry.answer[lang])]
        if rng.random() < 0.4:
            turns.append(explanation_follow(entry, pool, lang, rng))
            if rng.random() < 0.2:
                turns.append((follow("thanks", lang, rng), say("thanks", lang)))
        return turns

    return talk
