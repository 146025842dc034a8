"""What Eyas cannot answer, in as many shapes as people ask it: honest answers, and contrasts with what it knows."""

from __future__ import annotations

import functools
import random
import re
import string
from collections.abc import Callable

from training.eyas.corpus import unknown
from training.eyas.corpus.fields import body_food, mathematics, people, science, works
from training.eyas.corpus.fields.facts import (
    Talk,
    Turn,
    explanation_question,
    explanations,
    facts,
    follow,
    framed,
    framed_plain,
    other,
    pick,
    say,
    sentence,
    topic_question,
)
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb, invented
from training.eyas.corpus.tables import faq, lists

QUESTIONS, TEXTS = "outside_questions", "outside_texts"
EXPLAINED = ("science", "everyday", "body_food", "mathematics")
INVENTED = ("topic", "person", "place", "game", "film", "book", "character", "brand", "thing")
"""Slots that are now and then filled with a name that does not exist: Eyas need not know a word to decline."""

MIXED = ("person", "place", "game", "film", "book", "song", "brand", "product")
"""Slots that are now and then filled in the other language."""

RARE = {
    "snippet": 0.6,
    "error": 0.6,
    "foreign": 1.0,
    "tongue": 0.7,
    "clock": 0.7,
    "half": 0.4,
    "url": 0.5,
    "table": 0.5,
}
"""Weights of domains that have little to learn from, against 1 for the others."""
COMMON = {"topic": 3, "person": 2.5, "action": 2.5, "thing": 2, "fact": 1.5, "place": 1.7, "writing": 2, "code": 1.7}
COMMON |= {"said knowledge": 3, "story": 1.5, "request": 1.3, "said advice": 1.3, "said code": 1.2, "said writing": 1.2}
COMMON |= {"invented": 2, "dish": 1.5, "product": 1.2, "weather": 1.2, "deed": 1.2, "premise": 1.2, "nonsense": 1.2}


@functools.cache
def domains() -> dict[str, tuple[str, str, float]]:
    """The domains of ``data/outside_questions.faq``: name → (heading, kind of answer, weight)."""
    found = {}
    for heading in faq(QUESTIONS):
        name, kind = (part.strip() for part in heading.split(":"))
        found[name] = (heading, kind, COMMON.get(name, RARE.get(name, 1.0)))
    return found


@functools.cache
def choices(name: str, lang: Lang) -> tuple[str, ...]:
    """A list of ``data/outside.lists``; ``@en`` stands for the English one."""
    words = lists("outside")[f"{name}.{lang}"]
    return choices(name, "en") if words == ("@en",) else words


def slot(name: str, lang: Lang, rng: random.Random) -> str:
    """A filling for a slot such as ``topic`` or ``topic2``."""
    if made := MADE.get(name):
        return made(lang, rng)
    kind = name.rstrip("012")
    if kind in INVENTED and rng.random() < 0.1:
        return invented(lang, rng)
    if kind in MIXED and rng.random() < (0.05 if lang == "zh" else 0.02):
        return f" {rng.choice(choices(kind, other(lang)))} "
    return rng.choice(choices(kind, lang))


def fill(pattern: str, lang: Lang, rng: random.Random) -> str:
    """One wording of ``pattern`` with all its slots filled."""
    text = expand(pattern, rng)
    text = re.sub(r"\{(\w+)\}", lambda match: slot(match[1], lang, rng), text)
    return re.sub(r"((?:best|brand of|kind of|model of|kinds of|shops for)) an? ", r"\1 ", text)


def _word(lang: Lang, rng: random.Random) -> str:
    return invented(lang, rng)


def _name(lang: Lang, rng: random.Random) -> str:
    return invented(lang, rng).capitalize()


ALPHABETS = (
    string.ascii_lowercase,
    string.ascii_lowercase,
    string.ascii_letters + string.digits,
    string.punctuation,
    "🎉🚀🐍🍕🔥💡🌍🎵👍😂🙏",
    "asdfghjklqwertyuiop",
    "啊哦嗯呃哈嘿吧呢",
    "0123456789",
)


def _junk(lang: Lang, rng: random.Random) -> str:
    alphabet = rng.choice(ALPHABETS)
    blank = " " if rng.random() < 0.4 else ""
    clusters = ["".join(rng.choice(alphabet) for _ in range(rng.randint(2, 8))) for _ in range(rng.randint(1, 5))]
    return blank.join(clusters)


def _words(lang: Lang, rng: random.Random) -> str:
    names = ("thing", "place", "asset", "deed", "topic")
    parts = [
        invented(lang, rng) if rng.random() < 0.5 else rng.choice(choices(rng.choice(names), lang))
        for _ in range(rng.randint(2, 6))
    ]
    return (" " if lang == "en" else "").join(parts)


def _sum(lang: Lang, rng: random.Random) -> str:
    a, b = rng.randint(211, 99999), rng.randint(113, 9999)
    shape = rng.randrange(8)
    if shape < 4:
        return f"{a} {rng.choice('*×/÷x' if shape < 3 else '+-')} {b}"
    if shape == 4:
        return f"{rng.randint(13, 99)}^{rng.randint(3, 12)}" if lang == "en" else f"{a} 的 {rng.randint(3, 9)} 次方"
    if shape == 5:
        return f"{a / 100:.2f} × {b / 10:.1f}"
    if shape == 6:
        return f"sqrt({a})" if lang == "en" else f"根号 {a}"
    return f"({a} + {b}) × {rng.randint(23, 987)} - {rng.randint(1000, 9999)}"


def _formula(lang: Lang, rng: random.Random) -> str:
    a, b, c = (rng.randint(2, 19) for _ in range(3))
    return rng.choice(
        (
            f"{a}x² + {b}x - {c} = 0",
            f"x^3 - {a}x + {b}",
            f"sin({a}x) cos(x)",
            f"e^({a}x) / {b}",
            f"{a}x + {b}y = {c}, x - {b}y = {a}",
            f"log_{a}(x + {b}) = {c}",
            f"∫ x^{a} ln(x) dx",
            f"lim x→0 ({a}x)/sin({b}x)",
        )
    )


def _numbers(lang: Lang, rng: random.Random) -> str:
    return ", ".join(str(rng.randint(-50, 900) / rng.choice((1, 1, 10))) for _ in range(rng.randint(6, 24)))


def _text(lang: Lang, rng: random.Random) -> str:
    blank = " " if lang == "en" else ""
    return blank.join(fill(pick("sentence", lang, rng, TEXTS), lang, rng) for _ in range(rng.randint(3, 7)))


def _log(lang: Lang, rng: random.Random) -> str:
    level, part = ("INFO", "WARN", "ERROR", "DEBUG"), ("db", "auth", "worker-3", "nginx", "scheduler", "cache")
    said = ("connection reset", "retrying in 5s", "job 8841 done", "timeout after 30s", "user 17 logged in", "disk 91%")
    return "\n".join(
        f"2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02} "
        f"{rng.choice(level)} [{rng.choice(part)}] {rng.choice(said)}"
        for _ in range(rng.randint(2, 6))
    )


def _url(lang: Lang, rng: random.Random) -> str:
    host = f"{invented('en', rng).lower()}.{rng.choice(('com', 'org', 'net', 'cn', 'io', 'de'))}"
    path = rng.choice(("", "/news", f"/a/{rng.randint(10, 99999)}", "/index.html", "/watch?v=" + _junk(lang, rng)[:6]))
    return f"https://{rng.choice(('www.', ''))}{host}{path}".replace(" ", "")


def _number(lang: Lang, rng: random.Random) -> str:
    return str(rng.randint(3, 60) if rng.random() < 0.1 else rng.randint(1200, 2040))


MADE: dict[str, Callable[[Lang, random.Random], str]] = {
    "word0": _word,
    "Word1": _name,
    "junk": _junk,
    "words": _words,
    "sum": _sum,
    "formula": _formula,
    "numbers": _numbers,
    "text": _text,
    "log": _log,
    "url": _url,
    "number": _number,
    "future": lambda lang, rng: str(rng.randint(2027, 2120)),
    "day": lambda lang, rng: rng.choice(("Monday", "spring", "winter", "year", "week")),
}

RAW = ("foreign", "snippet", "error", "nonsense", "log", "url", "table", "sum", "algebra", "long text", "half")
"""Domains whose questions are not disturbed any further."""


def question(name: str, lang: Lang, rng: random.Random) -> str:
    """A question of a domain."""
    heading = domains()[name][0]
    if name in ("topic", "thing") and rng.random() < 0.4:
        return topic_question(slot(name, lang, rng), lang, rng)
    if name == "person" and rng.random() < 0.4:
        way = rng.choice(("who", "who", "born", "died", "from", "deed", "works of"))
        return framed(way, lang, rng, people.FRAMES, p=slot(name, lang, rng))
    if name in ("book", "film", "song") and rng.random() < 0.3:
        way = rng.choice(("what work", "work about", "author"))
        verbs = {"v": "wrote" if lang == "en" else "写"}
        return framed(way, lang, rng, people.FRAMES, w=slot(name, lang, rng), **verbs)
    text = fill(pick(heading, lang, rng, QUESTIONS), lang, rng)
    if name in RAW:
        return text
    return disturb(text.replace("?.", "?").replace("??", "?"), lang, rng)


def draw(rng: random.Random) -> str:
    """A domain by its weight."""
    names = list(domains())
    return rng.choices(names, [domains()[name][2] for name in names])[0]


FOLLOW = {
    "knowledge": ("why knowledge", "guess", "where model", "what then", "more"),
    "today": ("why today", "where model", "what then"),
    "action": ("why action", "what then"),
    "picture": ("why action", "what then"),
    "danger": ("why danger",),
    "code": ("where model", "what then", "guess"),
    "writing": ("where model", "what then", "guess"),
    "advice": ("where model", "what then", "guess"),
    "large": ("where model", "guess"),
    "long": ("where model",),
    "opinion": ("guess", "where model"),
    "nonsense": ("what then",),
    "private": ("guess",),
    "language": ("where model",),
    "health": ("what then",),
    "law": ("what then",),
}


def known_turn(lang: Lang, rng: random.Random) -> Turn:
    """A question that Eyas can answer, from the fields of knowledge."""
    fields = (science.TALKS, body_food.TALKS, mathematics.TALKS, people.TALKS, works.TALKS)
    talks = rng.choice(fields)
    return rng.choices([talk for talk, _ in talks], [weight for _, weight in talks])[0](lang, rng)[0]


def outside_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A question beyond Eyas; then, now and then, why not, a known one, or the next unknown one."""
    name = draw(rng)
    kind = domains()[name][1]
    # pasted code and foreign words look the same whatever language the user speaks: then Eyas says it in English
    spoken = lang
    asked = question(name, lang, rng)
    if name == "foreign":
        spoken = "en" if asked in choices("foreign", "en") else lang
    elif name in ("snippet", "error", "log", "url", "nonsense"):
        spoken = "zh" if any("一" <= letter <= "鿿" for letter in asked) else "en"
    turns = [(asked, unknown.answer(spoken, rng, kind))]
    if rng.random() < 0.35:
        way = rng.random()
        if way < 0.45:
            heading = rng.choice(FOLLOW[kind])
            said = faq(TEXTS)[heading].answers[spoken][0]
            turns.append((framed_plain(pick(heading, spoken, rng, TEXTS), spoken, rng), said))
        elif way < 0.7:
            turns.append(known_turn(spoken, rng))
        elif way < 0.8:
            turns.append((follow("thanks", spoken, rng), say("thanks", spoken)))
        elif way < 0.87 and kind != "language":
            turns.append((follow("translate", spoken, rng), faq("outside")[kind].answers[other(spoken)][0]))
        else:
            more = rng.choice([each for each in domains() if each not in RAW])
            turns.append((question(more, spoken, rng), unknown.answer(spoken, rng, domains()[more][1])))
    return turns


def contrast_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The same frame twice: about something that Eyas knows, and about something that it does not know."""
    way = rng.choice(("topic", "topic", "fact", "fact", "who", "born", "deed", "author", "what work"))
    if way == "fact":
        fact = rng.choice(facts("school"))
        inside = (framed("question", lang, rng, q=expand(fact.question[lang], rng)), sentence(fact.said(lang), lang))
        name = rng.choice(("premise", "fact")) if lang == "zh" else "premise"
        beyond = framed("question", lang, rng, q=slot(name, lang, rng))
    elif way == "topic":
        entry = rng.choice([one for name in EXPLAINED for one in explanations(name) if one.topics[lang]])
        inside = (topic_question(rng.choice(entry.topics[lang]), lang, rng), entry.answer[lang])
        beyond = topic_question(slot(rng.choice(("topic", "topic", "thing")), lang, rng), lang, rng)
    elif way in ("author", "what work"):
        work = rng.choice(works.works())
        asked = framed(way, lang, rng, people.FRAMES, w=work.called(lang, rng), **work.verbs(lang))
        inside = (asked, works.TEXTS[way](work, lang))
        name = slot(rng.choice(("book", "film")), lang, rng)
        beyond = framed(way, lang, rng, people.FRAMES, w=name, v="wrote" if lang == "en" else "写")
    else:
        person = rng.choice([one for one in people.people() if way in people.known(one)])
        asked = framed(way, lang, rng, people.FRAMES, p=person.called(lang, rng))
        inside = (asked, people.SENTENCES[way](person, lang))
        beyond = framed(way, lang, rng, people.FRAMES, p=slot("person", lang, rng))
    turns = [inside, (beyond, unknown.answer(lang, rng))]
    if rng.random() < 0.5:
        turns.reverse()
    return turns


def buried_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A known question behind some sentences that have nothing to do with it, or an unknown one behind a greeting."""
    before = fill(pick("sentence", lang, rng, TEXTS), lang, rng)
    entry = rng.choice([one for name in EXPLAINED for one in explanations(name)])
    asked = explanation_question(entry, lang, rng)
    bridge = rng.choice((" But now something else: ", " Anyway. ", " So my question: ", "\n\n"))
    bridge = bridge if lang == "en" else rng.choice(("不说这个了，", "对了，", "我的问题是：", "\n\n"))
    return [(before + bridge + asked, entry.answer[lang])]


TALKS: tuple[tuple[Talk, float], ...] = ((outside_talk, 20), (contrast_talk, 4), (buried_talk, 0.6))
"""The talks of this field with their weights."""
