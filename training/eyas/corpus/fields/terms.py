"""The words of language models and computing: what each is, what it is for, differences, and the reverse."""

from __future__ import annotations

import dataclasses
import functools
import random
import re

from training.eyas.corpus.fields.asking import (
    Talk,
    Turn,
    about,
    beyond_talk,
    big,
    frame,
    help_talk,
    is_plural,
    other,
    said,
    typed,
    went_on,
)
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FRAMES = "terms_frames"
LANGS: tuple[Lang, Lang] = ("en", "zh")


@dataclasses.dataclass(frozen=True)
class Term:
    """One term: its names, what it is, what follows from that, and the same for a child."""

    names: dict[Lang, tuple[str, ...]]
    what: dict[Lang, str]
    more: dict[Lang, str]
    simple: dict[Lang, str]

    def definition(self, lang: Lang) -> str:
        """What it is, in a sentence."""
        name = self.names[lang][0]
        if lang == "zh":
            return f"{spaced(name)}是{' ' * self.what['zh'][0].isascii()}{self.what['zh']}。"
        return f"{big(name)} {'are' if is_plural(name) else 'is'} {self.what['en']}."

    def answer(self, lang: Lang) -> str:
        """What it is, and what follows from that."""
        return self.definition(lang) + (" " if lang == "en" else "") + self.more[lang]

    def simply(self, lang: Lang) -> str:
        """The same for a child, with its name."""
        name, text = self.names[lang][0], self.simple[lang]
        if re.sub(r"^(an?|the) ", "", name).lower() in text.lower():
            return text
        if lang == "zh":
            return f"{name}，简单地说：{text}"
        return f"{big(name)}, simply put: {text if text[:4].isupper() else text[:1].lower() + text[1:]}"

    def clue(self, lang: Lang) -> str:
        """What it is, short enough to ask for the term."""
        return re.split(r", (?:which|such as|strong|often|weights|many)|，(?:例如|常常|中英文|许多)", self.what[lang])[
            0
        ]


def spaced(name: str) -> str:
    """A name before a Chinese word: with a blank behind Latin letters."""
    return name + " " if name[-1].isascii() else name


@functools.cache
def terms() -> tuple[Term, ...]:
    """All terms."""
    return tuple(
        Term(
            names={"en": tuple(row[0].split(";")), "zh": tuple(row[1].split(";"))},
            what={"en": row[2], "zh": row[3]},
            more={"en": row[4], "zh": row[5]},
            simple={"en": row[6], "zh": row[7]},
        )
        for row in rows("terms")
    )


def asked_for(term: Term, lang: Lang, rng: random.Random) -> str:
    """A question for a term; now and then by its name in the other language."""
    name = rng.choice(term.names[lang])
    if rng.random() < 0.05:
        name = rng.choice(term.names[other(lang)])
        return typed(frame("term", lang, rng, FRAMES, t=f" {name} " if lang == "zh" else name), lang, rng)
    if lang == "en" and rng.random() < 0.2:
        name = re.sub(r"^(an?|the) ", "", name)
    return typed(about(spaced(name) if lang == "zh" else name, lang, rng, FRAMES, "term"), lang, rng)


def follow(term: Term, lang: Lang, rng: random.Random) -> list[Turn]:
    """How a talk about a term goes on."""
    kind = rng.choice(
        (
            "short",
            "translate",
            "translate",
            "sure",
            "doubt",
            "thanks",
            "simple",
            "simple",
            "simple",
            "another",
            "another",
            "again",
        )
    )
    if kind == "another":
        more = rng.choice(terms())
        name = rng.choice(more.names[lang])
        text = about(spaced(name) if lang == "zh" else name, lang, rng, FRAMES, "and term").replace(" ？", "？")
        return [(big(text) if rng.random() < 0.5 else text, more.answer(lang))]
    asked = went_on(kind, lang, rng)
    answers = {
        "short": term.definition(lang),
        "translate": term.answer(other(lang)),
        "sure": said("sure", lang, s=term.definition(lang)),
        "doubt": said("doubt", lang, s=term.definition(lang)),
        "thanks": said("thanks", lang),
        "simple": term.simply(lang),
        "again": term.answer(lang),
    }
    turns = [(asked, answers[kind])]
    if rng.random() < 0.2:
        turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
    return turns


def term_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a term means."""
    term = rng.choice(terms())
    turns = [(asked_for(term, lang, rng), term.answer(lang))]
    if rng.random() < 0.42:
        turns += follow(term, lang, rng)
    return turns


def simple_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A term, asked for in simple words at once."""
    term = rng.choice(terms())
    name = rng.choice(term.names[lang])
    ways = {
        "en": (
            "explain {t} to a child",
            "explain {t} like I am five",
            "how do I explain {t} to my grandmother?",
            "{t} in simple words",
            "{t} for children",
            "what is {t}, for a child of six?",
            "ELI5: {t}",
            "very simply: what is {t}?",
            "in plain words please: {t}",
            "I am eight years old. What is {t}?",
        ),
        "zh": (
            "怎么给孩子解释{t}？",
            "像给五岁孩子讲一样，解释一下{t}",
            "用大白话说说{t}",
            "怎么跟奶奶讲{t}？",
            "我八岁，{t}是什么？",
            "给小朋友讲讲{t}",
            "用最简单的话说，什么是{t}",
            "通俗地解释{t}",
            "打个比方说明{t}",
        ),
    }
    asked = rng.choice(ways[lang]).replace("{t}", spaced(name) if lang == "zh" else name)
    if lang == "en" and is_plural(name):
        asked = asked.replace("what is ", "what are ").replace("What is ", "What are ")
    turns = [(typed(asked.strip(), lang, rng), term.simply(lang))]
    if rng.random() < 0.3:
        again = (
            ("and for adults?", "and properly?", "and what is it really?", "now the exact definition")
            if lang == "en"
            else ("那正式的定义呢？", "给大人怎么讲？", "准确地说呢？", "再说得专业一点")
        )
        turns.append((rng.choice(again), term.answer(lang)))
    return turns


def clue_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What is the word for …?"""
    term = rng.choice(terms())
    turns = [(typed(frame("clue", lang, rng, FRAMES, c=term.clue(lang)), lang, rng), term.definition(lang))]
    if rng.random() < 0.4:
        turns += follow(term, lang, rng)
    return turns


def claim_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is a token …? Half of them are wrong, and the answer says what is right."""
    term, second = rng.sample(terms(), 2)
    name = rng.choice(term.names[lang])
    true = rng.random() < 0.5
    clue = (term if true else second).clue(lang)
    text = frame("claim", lang, rng, FRAMES, t=spaced(name) if lang == "zh" else name, c=clue)
    if lang == "en" and is_plural(name):
        text = re.sub(rf"(?i)({re.escape(name)}) is\b", r"\1 are", text)
        text = re.sub(rf"(?i)\bis ({re.escape(name)})", r"are \1", text)
    word = {"en": ("Yes: ", "No: "), "zh": ("对：", "不对：")}[lang][not true]
    definition = term.definition(lang)
    if (
        lang == "en"
        and re.match(r"(An?|The) [a-z]|[A-Z][a-z]+ [a-z]", definition)
        and definition.split()[0] not in KEEP
    ):
        definition = definition[:1].lower() + definition[1:]
    turns = [(typed(text, lang, rng), word + definition)]
    if rng.random() < 0.35:
        turns += follow(term, lang, rng)
    return turns


KEEP = frozenset(("Falcon", "Llama", "Qwen", "Gemma", "Mistral", "Gradio", "Ollama", "Hugging", "Markdown"))
"""First words of definitions that keep their capital behind a "Yes:"."""


def difference_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The difference between two terms, asked in either order."""
    row = rng.choice(rows("terms_pairs"))
    a, b = (row[0], row[2]) if lang == "en" else (row[1], row[3])
    if rng.random() < 0.4:
        a, b = b, a
    if lang == "en" and rng.random() < 0.3:
        a, b = (re.sub(r"^(an?|the) ", "", one) for one in (a, b))
    end, translated = (row[4], row[5]) if lang == "en" else (row[5], row[4])
    text = frame("difference", lang, rng, FRAMES, a=a, b=b)
    turns = [(typed(text, lang, rng), end)]
    draw = rng.random()
    if draw < 0.12:
        turns.append((went_on("translate", lang, rng), translated))
    elif draw < 0.24:
        kind = rng.choice(("sure", "doubt"))
        turns.append((went_on(kind, lang, rng), said(kind, lang, s=end)))
    elif draw < 0.34:
        turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
    elif draw < 0.44:
        turns.append((went_on("again", lang, rng), end))
    return turns


def first_then_difference(lang: Lang, rng: random.Random) -> list[Turn]:
    """A term, and then: and the difference to …?"""
    column = 0 if lang == "en" else 1
    by_name = {name: term for term in terms() for name in term.names[lang]}
    pairs = [row for row in rows("terms_pairs") if row[column] in by_name]
    row = rng.choice(pairs)
    term = by_name[row[column]]
    asked = frame("and the difference", lang, rng, FRAMES, b=row[column + 2])
    if not re.search("differ|compar|区别|不同|比", asked):
        asked = f"and what is the difference to {row[2]}?" if lang == "en" else f"那和{row[3]}有什么区别？"
    return [
        (typed(about(row[column], lang, rng, FRAMES, "term"), lang, rng), term.answer(lang)),
        (big(asked) if rng.random() < 0.5 else asked, row[4] if lang == "en" else row[5]),
    ]


def kinds(lang: Lang, rng: random.Random) -> list[Turn]:
    """What belongs to which kind: yes or no, a list, one of three, the odd one out."""
    table = rows("terms_kinds")
    row, second = rng.sample(table, 2)
    at, several = (3, 1) if lang == "en" else (4, 2)
    names, foreign = row[at].split(";"), second[at].split(";")
    one, another = (row[0], second[0]) if lang == "en" else (row[2], second[2])
    many = row[several]
    member, outsider = rng.choice(names), rng.choice(foreign)
    yes = f"{big(member)} is {one}." if lang == "en" else f"{spaced(member)}是{one}。"
    draw = rng.random()
    if draw < 0.25:
        answer = f"Yes, {member} is {one}." if lang == "en" else f"对，{spaced(member)}是{one}。"
        return [(asked_kind("kind of", lang, rng, m=member, k=one, p=many), answer)]
    if draw < 0.5:
        if lang == "en":
            answer = f"No, {outsider} is not {one}, but {another}."
        else:
            answer = f"不对，{spaced(outsider)}不是{one}，而是{another}。"
        return [(asked_kind("kind of", lang, rng, m=outsider, k=one, p=many), answer)]
    if draw < 0.7:
        shown = names[:3]
        if lang == "en":
            answer = f"{big(many)} are, for example, {shown[0]}, {shown[1]} and {shown[2]}."
        else:
            answer = f"{many}例如{spaced_in(spaced('、'.join(shown[:2])))}和{spaced_in(shown[2])}。"
        turns = [(asked_kind("kind list", lang, rng, p=many), answer)]
        if len(names) > 3 and rng.random() < 0.4:
            more = (
                ("and more?", "any others?", "one more?", "what else?")
                if lang == "en"
                else ("还有呢？", "还有别的吗？", "再说一个", "还有吗")
            )
            end = f"{big(names[3])} is another one." if lang == "en" else f"还有{spaced_in(names[3])}。"
            turns.append((rng.choice(more), end))
        return turns
    if draw < 0.85:
        three = [member, *rng.sample([name for other in table if other is not row for name in other[at].split(";")], 2)]
        rng.shuffle(three)
        return [(asked_kind("kind which", lang, rng, a=three[0], b=three[1], d=three[2], k=one, p=many), yes)]
    three = [*rng.sample(names, 2), outsider]
    rng.shuffle(three)
    if lang == "en":
        answer = f"{big(outsider)} is the odd one out: it is {another}, and the others are {many}."
    else:
        answer = f"{spaced(outsider)}不是一类：它是{another}，其他是{many}。"
    return [(asked_kind("odd one", lang, rng, a=three[0], b=three[1], d=three[2]), answer)]


def asked_kind(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A question about kinds, as it is typed."""
    return typed(frame(heading, lang, rng, FRAMES, **slots), lang, rng)


def spaced_in(text: str) -> str:
    """``text`` behind a Chinese word: with a blank before Latin letters."""
    return f" {text}" if text[0].isascii() else text


TALKS: tuple[tuple[Talk, float], ...] = (
    (term_talk, 40),
    (simple_talk, 5),
    (clue_talk, 9),
    (claim_talk, 10),
    (difference_talk, 12),
    (first_then_difference, 4),
    (kinds, 7),
    (help_talk("terms_more", helping=False), 14),
    (beyond_talk("terms_beyond"), 9),
)
"""What is asked about words, and how often, as weights."""
