"""Asking for what stands in tables: questions in many frames, and the ways in which people go on after an answer.

A field's ``.faq`` holds, per kind of question: ``?`` whole questions, ``*`` noun phrases ("the capital of {x}"), ``=``
the answer. For yes/no there is a second heading, ``<kind> check``, whose topics (``*``) are statements ("{v} is the
capital of {x}"); ``<kind> it`` asks about what was talked about, ``<kind> back`` from the value to the thing.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence

from training.eyas.corpus import unknown
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq

Turn = tuple[str, str]
Talk = Callable[[Lang, random.Random], list[Turn]]
Slots = dict[str, str]
Both = dict[Lang, str]
LANGS: tuple[Lang, Lang] = ("en", "zh")
PLURALS = (
    "capitals|countries|nations|neighbou?rs|planets|moons|months|days|weekdays|seasons|elements|continents|oceans|animals|"
    "names|directions|parts|units|gases|halogens|metals|metalloids|lanthanides|actinides|rivers|mountains|deserts|seas|"
    "lakes|islands|facts|terms"
)


@dataclasses.dataclass(frozen=True)
class Reply:
    """A question with its answer: what follow-ups need to know of it.

    ``says`` is the answer in both languages, ``short`` its heart, ``wrong`` what a user may hold against it.
    """

    asked: str
    says: Both
    short: Both | None = None
    wrong: Both | None = None


def other(lang: Lang) -> Lang:
    """The other language."""
    return "zh" if lang == "en" else "en"


def cap(text: str) -> str:
    """``text`` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def stop(text: str, lang: Lang) -> str:
    """``text`` as a sentence of its own."""
    return tidy(cap(text) + ("." if lang == "en" else "。"), lang)


def join(names: Sequence[str], lang: Lang, word: str = "") -> str:
    """``a, b and c`` or ``a、b和c``; ``word`` instead of and."""
    if len(names) < 2:
        return "".join(names)
    last = f" {word or 'and'} " if lang == "en" else word or "和"
    return (", " if lang == "en" else "、").join(names[:-1]) + last + names[-1]


def pick(file: str, heading: str, lang: Lang, rng: random.Random, slots: Mapping[str, str], mark: str = "?") -> str:
    """One wording under a heading: a question (?), a noun phrase or statement (*), or an answer (=).

    Patterns with more wordings come more often; the first answer comes five times as often as the others.
    """
    entry = faq(file)[heading]
    slots = {**{name.upper(): cap(text) for name, text in slots.items() if len(name) == 1}, **slots}
    if mark == "=":
        answers = entry.answers[lang]
        answer = tidy(expand(rng.choices(answers, (5, *(1 for _ in answers[1:])))[0], rng, slots), lang)
        return spaced(answer) if lang == "zh" else answer
    patterns = entry.questions[lang] if mark == "?" else entry.topics[lang]
    weights = [1 + min(pattern.count("|"), 25) ** 0.5 for pattern in patterns]
    return expand(rng.choices(patterns, weights)[0], rng, slots)


def spaced(text: str) -> str:
    """Chinese text with blanks around its numbers and Latin words, as Eyas writes them."""
    text = re.sub(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z\d])", " ", text)
    return re.sub(r"(?<=[A-Za-z\d])(?=[\u4e00-\u9fff])", " ", text)


def tidy(text: str, lang: Lang) -> str:
    """``text`` without what slots and frames make wrong: doubled marks and words, a's that should be an's, s's."""
    text = re.sub(r"([?!？！])[.?。？]", r"\1", text)
    if lang == "zh":
        text = re.sub(r"(呢|吗|啊|呀)(?:呢|吗|啊|呀)(?=[？?。！]|$)", r"\1", text)
        text = re.sub(r"(请问|问一下|我想知道)[，：]?(?:请问一下|请问|问一下|想问下|我想知道)", r"\1", text)
        return re.sub(r"(?<=[a-zA-Z]) (?=[，。？])", "", text)
    text = re.sub(r"\.\.+", ".", text)
    text = re.sub(rf"\b([Ww]hat)(?: is|'s) ((?:the|some) (?:(?!of\b)\w+ ){{0,3}}(?:{PLURALS})\b)", r"\1 are \2", text)
    text = re.sub(r"\b(\w*[a-zé]s)'s\b", r"\1'", text)
    text = re.sub(r"\b([Aa]) (?=(?:[aioAIO](?!nd\b|ne\b)|[eE](?![uU])|[uU]n(?!i))\w\w)", r"\1n ", text)
    return re.sub(r"\b([Tt]he|[Tt]heir) the\b", r"\1", text)


def framed(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A question, noun phrase, statement … in a frame of ``data/table_talk.faq``, as somebody may type it."""
    return tidy(disturb(pick("table_talk", heading, lang, rng, slots), lang, rng), lang)


def marked(question: str, lang: Lang) -> str:
    """``question`` with a mark at its end."""
    return question if question[-1] in ".。!?？！" else question + ("?" if lang == "en" else "？")


def ask(file: str, heading: str, lang: Lang, rng: random.Random, slots: Mapping[str, str]) -> str:
    """A question of a kind: a whole one or a noun phrase, in a frame or plain."""
    entry = faq(file)[heading]
    if entry.topics[lang] and (not entry.questions[lang] or rng.random() < 0.45):
        noun = pick(file, heading, lang, rng, slots, "*")
        # What begins with ~ is explained ("what is a comet"), and not told ("tell me the capital").
        return framed("topic" if noun[0] == "~" else "noun", lang, rng, n=noun.removeprefix("~"))
    question = pick(file, heading, lang, rng, slots)
    if question[-1] in ".。!?？！" or rng.random() < 0.45:
        return tidy(disturb(marked(question, lang), lang, rng), lang)
    return framed("question", lang, rng, q=question)


def ask_check(file: str, heading: str, lang: Lang, rng: random.Random, slots: Mapping[str, str]) -> str:
    """A yes/no question: as a question, or as a statement to confirm."""
    question = pick(file, heading, lang, rng, slots)
    return framed("check", lang, rng, q=question, s=pick(file, heading, lang, rng, slots, "*"))


def say(file: str, heading: str, lang: Lang, rng: random.Random, slots: Mapping[str, str]) -> str:
    """The answer under a heading."""
    return pick(file, heading, lang, rng, slots, "=")


def says(file: str, heading: str, rng: random.Random, slots: Mapping[Lang, Mapping[str, str]]) -> Both:
    """The answer under a heading in both languages."""
    return {lang: say(file, heading, lang, rng, slots[lang]) for lang in LANGS}


def verdict(right: bool, answer: str, lang: Lang) -> str:
    """Yes or no before an answer."""
    if lang == "en":
        return ("Yes. " if right else "No. ") + answer
    return ("对，" if right else "不对，") + answer


def verdicts(right: bool, answer: Both) -> Both:
    """Yes or no before an answer, in both languages."""
    return {lang: verdict(right, answer[lang], lang) for lang in LANGS}


def follow(reply: Reply, lang: Lang, rng: random.Random) -> list[Turn]:
    """What people say after any answer: are you sure, in the other language, shorter, again, thanks, no it is …"""
    kinds = ["sure", "language", "thanks", "again"]
    kinds += ["shorter"] if reply.short else []
    kinds += ["wrong", "wrong"] if reply.wrong else []
    return [one_follow(rng.choice(kinds), reply, lang, rng)]


def one_follow(kind: str, reply: Reply, lang: Lang, rng: random.Random) -> Turn:
    """One such turn."""
    slots = {"a": reply.says[lang], "w": reply.wrong[lang] if reply.wrong else ""}
    asked = lightly(pick("table_talk", kind, lang, rng, slots), lang, rng)
    if kind == "language":
        return asked, reply.says[other(lang)]
    if kind == "again":
        return asked, reply.says[lang]
    if kind == "shorter" and reply.short:
        return asked, stop(reply.short[lang], lang)
    return asked, say("table_talk", kind, lang, rng, slots)


def lightly(text: str, lang: Lang, rng: random.Random) -> str:
    """Case and marks as people type them, without words before or after."""
    if lang == "en" and rng.random() < 0.6:
        text = cap(text)
    if rng.random() < 0.2:
        text = text.rstrip(".?!。？！")
    return tidy(text, lang)


def next_question(name: str, lang: Lang, rng: random.Random) -> str:
    """The same question for something else."""
    return lightly(pick("table_talk", "next", lang, rng, {"x": name}), lang, rng)


def turns(reply: Reply, lang: Lang, rng: random.Random, chance: float = 0.3) -> list[Turn]:
    """The question with its answer, now and then with one more turn."""
    talk = [(reply.asked, reply.says[lang])]
    return talk + follow(reply, lang, rng) if rng.random() < chance else talk


def edge(
    file: str, heading: str, lang: Lang, rng: random.Random, slots: Mapping[str, str], kind: str = "knowledge"
) -> list[Turn]:
    """A question beyond the field, and the honest answer; now and then insisted on."""
    talk = [(ask(file, heading, lang, rng, slots), unknown.answer(lang, rng, kind))]
    if rng.random() < 0.12:
        talk.append((lightly(pick("table_talk", "push", lang, rng, {}), lang, rng), unknown.answer(lang, rng, kind)))
    return talk


@dataclasses.dataclass(frozen=True)
class Thing:
    """A row of a table: its name, what is known of it (the slots of each kind of question), and likely mistakes."""

    name: Both
    known: dict[str, dict[Lang, Slots]]
    decoys: dict[str, tuple[Both, ...]] = dataclasses.field(default_factory=dict)
    aliases: dict[Lang, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def slots(self, kind: str, lang: Lang) -> Slots:
        """The name as ``x`` and what belongs to a kind of question; ``v`` is the value."""
        return {"x": self.name[lang], "b": self.name[lang].removeprefix("the "), **self.known[kind][lang]}

    def value(self, kind: str) -> Both:
        """The value in both languages."""
        return {lang: self.known[kind][lang]["v"] for lang in LANGS}


@dataclasses.dataclass(frozen=True)
class Table:
    """Things of one sort and the file with the wordings; each talk below draws a thing and a kind of question."""

    file: str
    things: tuple[Thing, ...]

    def having(self, kind: str) -> list[Thing]:
        """The things of which something is known under ``kind``."""
        return [thing for thing in self.things if kind in thing.known]

    def called(self, thing: Thing, slots: Slots, lang: Lang, rng: random.Random) -> Slots:
        """The slots for a question, now and then with another name of the thing, or its name in the other language."""
        name, draw = thing.name[lang], rng.random()
        if draw < 0.4 and thing.aliases.get(lang):
            name = rng.choice(thing.aliases[lang])
        elif draw > 0.96:
            name = thing.name[other(lang)]
        return {**slots, "x": name, "b": name.removeprefix("the ")} if name != thing.name[lang] else slots

    def wrong(self, thing: Thing, kind: str, rng: random.Random) -> Both:
        """A value that is not the thing's own: a likely mistake, or what belongs to another thing."""
        decoys = thing.decoys.get(kind, ())
        if decoys and (kind == "where" or rng.random() < 0.6):
            return rng.choice(decoys)
        right = thing.value(kind)
        while True:
            value = rng.choice(self.having(kind)).value(kind)
            if value["en"] not in right["en"] and value["zh"] != right["zh"]:
                return value

    def says(self, thing: Thing, kind: str, rng: random.Random) -> Both:
        """The answer in both languages."""
        return says(self.file, kind, rng, {lang: thing.slots(kind, lang) for lang in LANGS})

    def reply(self, thing: Thing, kind: str, asked: str, rng: random.Random) -> Reply:
        """The answer to a question of a kind, however it was asked."""
        wrong = self.wrong(thing, kind, rng)
        if kind == "money":
            wrong = {**wrong, "en": "the " + wrong["en"]}
        return Reply(asked, self.says(thing, kind, rng), thing.value(kind), wrong)

    def forward(self, kind: str, lang: Lang, rng: random.Random, thing: Thing | None = None) -> list[Turn]:
        """What a thing has: alone, or followed by another thing, another question about it, or what people say."""
        things = self.having(kind)
        thing = thing or rng.choice(things)
        slots = self.called(thing, thing.slots(kind, lang), lang, rng)
        reply = self.reply(thing, kind, ask(self.file, kind, lang, rng, slots), rng)
        talk = [(reply.asked, reply.says[lang])]
        draw = rng.random()
        if draw < 0.6:
            return talk
        if draw < 0.76:
            more = [one for one in rng.sample(things, min(len(things), rng.choice((1, 1, 2, 3)))) if one is not thing]
            talk += [(next_question(one.name[lang], lang, rng), self.says(one, kind, rng)[lang]) for one in more]
            return talk
        kinds = [name for name in thing.known if name != kind and f"{name} it" in faq(self.file)]
        if draw < 0.88 and kinds:
            for name in rng.sample(kinds, min(len(kinds), rng.choice((1, 1, 2)))):
                asked = lightly(pick(self.file, f"{name} it", lang, rng, thing.slots(name, lang)), lang, rng)
                talk.append((asked, self.says(thing, name, rng)[lang]))
            return talk
        return talk + follow(reply, lang, rng)

    def back(self, kind: str, lang: Lang, rng: random.Random, mixed: bool = True) -> list[Turn]:
        """Which thing has a value that only one has; ``mixed``: now and then the value in the other language."""
        things = self.having(kind)
        values = [thing.value(kind)[lang] for thing in things]
        thing = rng.choice([one for one in things if values.count(one.value(kind)[lang]) == 1])
        heading = f"{kind} back"
        slots = {one: thing.slots(kind, one) for one in LANGS}
        asking = slots[lang]
        if mixed and rng.random() < 0.05:
            asking = {**asking, "v": slots[other(lang)]["v"]}
        asked = ask(self.file, heading, lang, rng, asking)
        answered = heading if faq(self.file)[heading].answers[lang] else kind
        wrong = rng.choice([one.name for one in things if one is not thing])
        return turns(Reply(asked, says(self.file, answered, rng, slots), thing.name, wrong), lang, rng)

    def check(self, kind: str, lang: Lang, rng: random.Random) -> list[Turn]:
        """Is it so? Half of the time it is not, and the answer says what is."""
        thing, right = rng.choice(self.having(kind)), rng.random() < 0.5
        slots = self.called(thing, thing.slots(kind, lang), lang, rng)
        slots = slots if right else {**slots, "v": self.wrong(thing, kind, rng)[lang]}
        asked = ask_check(self.file, f"{kind} check", lang, rng, slots)
        return checked(right, asked, self.says(thing, kind, rng), lang, rng)

    def choice(self, kind: str, lang: Lang, rng: random.Random) -> list[Turn]:
        """One of two values: which is it?"""
        thing = rng.choice(self.having(kind))
        slots, entry = thing.slots(kind, lang), faq(self.file)[kind]
        pair = [slots["v"], self.wrong(thing, kind, rng)[lang]]
        rng.shuffle(pair)
        noun = pick(self.file, kind, lang, rng, slots, "*")
        first = plain_question(entry.questions[lang][0], lang, rng, slots)
        asked = framed("choice", lang, rng, q=first, n=noun, v=pair[0], w=pair[1])
        return turns(self.reply(thing, kind, asked, rng), lang, rng)


def plain_question(pattern: str, lang: Lang, rng: random.Random, slots: Mapping[str, str]) -> str:
    """A pattern's wording without its mark."""
    return expand(pattern, rng, slots).rstrip("?？")


def checked(right: bool, asked: str, answer: Both, lang: Lang, rng: random.Random) -> list[Turn]:
    """The talk for a yes/no question, now and then with one more turn."""
    talk = [(asked, verdict(right, answer[lang], lang))]
    if rng.random() < 0.25:
        short: Both = {"en": "yes" if right else "no", "zh": "对" if right else "不对"}
        kind = rng.choice(("thanks", "sure", "shorter", "language"))
        talk.append(one_follow(kind, Reply(asked, answer, short), lang, rng))
    return talk


def entry_talk(file: str, skip: frozenset[str] = frozenset()) -> Talk:
    """A talk about any heading of a file that has whole questions or topics and an answer of its own.

    A heading ``<name> why`` explains another: it is asked alone, or with a bare "why?" after that one.
    """

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        entries = faq(file)
        heading = rng.choice([name for name in entries if name not in skip and entries[name].answers["en"]])
        reply = Reply(ask(file, heading, lang, rng, {}), says(file, heading, rng, {"en": {}, "zh": {}}))
        why = f"{heading} why"
        if why in entries and rng.random() < 0.45:
            asked = lightly(pick("table_talk", "why", lang, rng, {}), lang, rng)
            return [(reply.asked, reply.says[lang]), (asked, say(file, why, lang, rng, {}))]
        because = reply.says[lang].startswith(("Because", "因为"))
        return turns(reply, lang, rng, 0 if because else 0.35)

    return talk


def which_is(
    kind: Both,
    inside: Sequence[Both],
    outside: Sequence[Both],
    lang: Lang,
    rng: random.Random,
    tells: Mapping[str, Both],
) -> list[Turn]:
    """Which of some is of a kind, or is not; ``tells`` says, by English name, what each one is."""
    negated = rng.random() < 0.5
    pool, strange = (inside, outside) if negated else (outside, inside)
    one = rng.choice(list(strange))
    group = [*rng.sample(list(pool), min(len(pool), rng.choice((2, 2, 3)))), one]
    rng.shuffle(group)
    names = join([name[lang] for name in group], lang, rng.choice(("or", "and")) if lang == "en" else "")
    asked = framed("which is not" if negated else "which is", lang, rng, k=kind[lang], g=names)
    return turns(Reply(asked, tells[one["en"]], one), lang, rng)
