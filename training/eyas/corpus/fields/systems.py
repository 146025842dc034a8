"""System messages, and conversations that obey them: language, length, tone, form, topic, name, role, and facts.

A conversation that a message does not change is one of any field; a changed one is told again by a function, or made
of questions with answers in both languages.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import re
from collections.abc import Callable, Sequence

from training.eyas.corpus.fields import animals, calendar, countries, facts, guide, memory, planets, science, smalltalk
from training.eyas.corpus.fields.facts import big, other
from training.eyas.corpus.fields.memory import Talk, Turn, name, part, spaced
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import DATA, faq, lists, rows
from training.eyas.corpus.tables import animals as old_animals

SystemTalk = Callable[[Lang, random.Random], tuple[str, list[Turn]]]

FILE = "systems_more"
SHIPPED = DATA.parents[2] / "src" / "falconry" / "library" / "shipped"
LESSON = "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers."
"""The system message of the lesson that Falconry grew out of."""

ANY: tuple[tuple[Talk, float], ...] = tuple(
    (talk, share * weight / sum(each for _, each in field.TALKS))
    for field, share in (
        (animals, 4),
        (countries, 3),
        (science, 3),
        (planets, 1),
        (calendar, 1),
        (guide, 2),
        (smalltalk, 2),
    )
    for talk, weight in field.TALKS
)
TOPICS = {
    "animals": (animals, "动物"),
    "countries": (countries, "国家"),
    "planets": (planets, "行星"),
    "Falconry": (guide, "Falconry"),
    "the calendar": (calendar, "日历"),
}


@dataclasses.dataclass(frozen=True)
class Item:
    """A question with its answer in both languages: whole, in a sentence, and in a word where there is one."""

    question: str
    whole: dict[Lang, str]
    brief: dict[Lang, str]
    word: dict[Lang, str] | None


@functools.cache
def _explained() -> tuple[facts.Explanation, ...]:
    return tuple(entry for file in ("science", "everyday", "body_food") for entry in facts.explanations(file))


@functools.cache
def _capitals() -> tuple[tuple[dict[Lang, str], dict[Lang, str]], ...]:
    return tuple(({"en": row[0], "zh": row[2]}, {"en": row[1], "zh": row[3]}) for row in rows("countries"))


@functools.cache
def _short_facts() -> tuple[facts.Fact, ...]:
    return tuple(fact for fact in facts.facts("school") if len(fact.right["en"].split()) < 4)


def short_item(lang: Lang, rng: random.Random) -> Item:
    """A question whose answer is a word or two."""
    if rng.random() < 0.3:
        country, capital = rng.choice(_capitals())
        question = expand(rng.choice(CAPITAL[lang]), rng, {"c": country[lang]})
        said: dict[Lang, str] = {
            "en": f"The capital of {country['en']} is {capital['en']}.",
            "zh": f"{country['zh']}的首都是{capital['zh']}。",
        }
        return Item(disturb(question, lang, rng), said, said, capital)
    fact = rng.choice(_short_facts())
    question = facts.framed("question", lang, rng, q=expand(fact.question[lang], rng))
    said = {each: facts.sentence(fact.said(each), each) for each in facts.LANGS}
    return Item(question, said, said, {each: fact.right[each] for each in facts.LANGS})


CAPITAL: dict[Lang, tuple[str, ...]] = {
    "en": (
        "[please tell me ](what is|what's) the capital of {c}?",
        "(which|what) city is the capital of {c}?",
        "(name|tell me|give me) the capital of {c}[, please].",
        "capital of {c}?",
        "[do you know ]what the capital of {c} is?",
    ),
    "zh": (
        "{c}的首都是(哪里|哪|什么|哪座城市|哪儿)？",
        "[请问]{c}首都(在哪|是哪个城市|叫什么)？",
        "(告诉我|说一下|请说出){c}的首都",
        "哪座城市是{c}的首都？",
    ),
}


def long_item(lang: Lang, rng: random.Random, sentences: int = 1) -> Item:
    """A question that takes an explanation of so many sentences at least."""
    while True:
        entry = rng.choice(_explained())
        if len(split(entry.answer[lang], lang)) >= sentences and (entry.questions[lang] or entry.topics[lang]):
            break
    brief = {each: entry.brief(each) for each in facts.LANGS}
    return Item(facts.explanation_question(entry, lang, rng), dict(entry.answer), brief, None)


def brief_item(lang: Lang, rng: random.Random) -> Item:
    """A question that the first sentence of an explanation answers: what the thing is, or the first one asked."""
    while True:
        entry = rng.choice(_explained())
        if len(split(entry.answer[lang], lang)) > 1:
            break
    if entry.topics[lang]:
        question = facts.topic_question(entry.topics[lang][0], lang, rng)
    else:
        question = facts.framed("question", lang, rng, q=expand(entry.questions[lang][0], rng))
    brief = {each: entry.brief(each) for each in facts.LANGS}
    return Item(question, dict(entry.answer), brief, None)


def chat_item(lang: Lang, rng: random.Random) -> Item:
    """A greeting and the like."""
    entry = faq("smalltalk")[rng.choice(("greeting", "morning", "how are you", "thanks", "bye", "praise"))]
    answers: dict[Lang, str] = {each: entry.answers[each][0] for each in facts.LANGS}
    return Item(disturb(expand(rng.choice(entry.questions[lang]), rng), lang, rng), answers, answers, None)


def item(lang: Lang, rng: random.Random) -> Item:
    """A question of any kind."""
    return rng.choices((short_item, long_item, chat_item), (5, 5, 2))[0](lang, rng)


def split(text: str, lang: Lang) -> list[str]:
    """The sentences of ``text``."""
    return [part for part in re.split(r"(?<=[.!?]) (?=[A-Z])" if lang == "en" else r"(?<=[。！？])", text) if part]


def system(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """One wording of a system message; now and then after a common opening, or in lower case."""
    text = expand(rng.choice(faq(FILE)[heading].questions[lang]), rng, slots)
    if rng.random() < 0.2:
        opening = OPENINGS[lang][rng.randrange(len(OPENINGS[lang]))]
        if not text.startswith(("You are", "你是", "Act", "Your", "Imagine", "The assistant")):
            text = f"{opening} {text}" if lang == "en" else opening + text
    if "p" in slots:
        return re.sub(r'([.!?:,。！？：])"\.$', r'\1"', text)
    if rng.random() < 0.1:
        text = text.rstrip(".。")
    return spaced(text, lang)


OPENINGS: dict[Lang, tuple[str, ...]] = {
    "en": (
        "You are a helpful assistant.",
        LESSON,
        "You are Eyas.",
        "You are a helpful and honest assistant.",
        "You are a friendly assistant.",
    ),
    "zh": (
        "你是一个有用的助手。",
        "用户与基于大语言模型的 AI 助手之间的对话。助手给出有帮助且诚实的回答。",
        "你是 Eyas。",
        "你是一位乐于助人、诚实的助手。",
    ),
}


def mixed(lang: Lang, rng: random.Random) -> Lang:
    """The language of a system message: mostly that of the conversation."""
    return lang if rng.random() < 0.8 else other(lang)


def asked(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A question under a heading, as it may be typed; without typos where names stand in it."""
    patterns = faq(FILE)[heading].questions[lang]
    text = spaced(expand(rng.choice(patterns), rng, slots), lang)
    if text[-1] not in ".?!。？！" and rng.random() < 0.75:
        text += memory.mark(text, lang)
    return (big(text) if rng.random() < 0.6 else text) if slots else disturb(text, lang, rng)


def said(heading: str, lang: Lang, **slots: str) -> str:
    """Eyas's words under a heading."""
    text = faq(FILE)[heading].answers[lang][0]
    for slot, value in slots.items():
        text = text.replace("{" + slot + "}", value)
    return spaced(text, lang)


def several(make: Callable[[Lang, random.Random], Item], lang: Lang, rng: random.Random) -> list[Item]:
    """One to three questions."""
    return [make(lang, rng) for _ in range(rng.choice((1, 1, 2, 2, 3)))]


def any_turns(lang: Lang, rng: random.Random, most: int = 700, pool: Sequence[tuple[Talk, float]] = ANY) -> list[Turn]:
    """A conversation of any field, not too long."""
    talks, weights = zip(*pool, strict=True)
    while True:
        turns: list[Turn] = rng.choices(talks, weights)[0](lang, rng)
        if sum(len(question) + len(answer) for question, answer in turns) < (most if lang == "en" else most // 2):
            return turns


def sorry(answer: str) -> bool:
    """Whether an answer says that Eyas cannot help, which no cheerful word should open."""
    return answer.startswith(SORRY)


SORRY = (
    *("I am sorry", "I do not", "I cannot", "I have no", "I will not", "That is too", "Code", "Please", "No"),
    *("对不起", "抱歉", "很抱歉", "这个", "我不", "我没", "这件事", "请", "没有", "不", "对此"),
)
"""How answers begin that say no."""


# --- changes


def language(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Told to answer in a language, which is mostly not that of the questions."""
    to: Lang = other(lang) if rng.random() < 0.8 else lang
    message = system(f"answer {to}", rng.choice(facts.LANGS), rng)
    return message, [(each.question, each.whole[to]) for each in several(item, lang, rng)]


def in_a_word(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """The bare answer."""
    turns = []
    for each in several(short_item, lang, rng):
        word = each.word[lang] if each.word else each.brief[lang]
        turns.append((each.question, facts.sentence(word, lang)))
    if rng.random() < 0.35:
        question, answer = facts.claim(rng.choice(facts.facts("school")), lang, rng)
        said = ("No" if answer.startswith("No") else "Yes") if lang == "en" else ("不对" if answer[0] == "不" else "对")
        turns[rng.randrange(len(turns))] = (question, facts.sentence(said, lang))
    return system("word", mixed(lang, rng), rng), turns


def in_a_sentence(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """The first sentence only."""
    items = several(brief_item, lang, rng)
    return system("sentence", mixed(lang, rng), rng), [(each.question, each.brief[lang]) for each in items]


def in_detail(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """The whole answer, as without a message."""
    items = several(lambda lang, rng: long_item(lang, rng, 2), lang, rng)
    return system("detail", mixed(lang, rng), rng), [(each.question, each.whole[lang]) for each in items]


def tone(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Polite, cheerful, formal, or as to a child."""
    kind = rng.choice(("polite", "cheerful", "formal", "child"))
    blank, word = (" " if lang == "en" else ""), said(kind, lang)
    message = system(kind, mixed(lang, rng), rng)
    if kind == "child":
        return message, [(each.question, f"{word}{blank}{each.brief[lang]}") for each in several(brief_item, lang, rng)]
    turns = []
    for question, answer in any_turns(lang, rng, 700, ANY if kind != "formal" else memory.FILLERS):
        if kind in ("polite", "cheerful"):
            turns.append((question, f"{answer}{blank}{word}"))
        else:
            answer = answer.replace("你", "您") if kind == "formal" else answer
            turns.append((question, answer if sorry(answer) else f"{word}{blank}{answer}"))
    return message, turns


def phrase(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Every answer ends or begins with given words."""
    ends = rng.random() < 0.65
    spoken: Lang = lang if rng.random() < 0.9 else other(lang)
    words = part(rng.choice(lists(FILE)["phrase" if ends else "opening"]), spoken)
    if rng.random() < 0.25:
        words = name(lang, rng) + rng.choice(("!", ".") if lang == "en" else ("！", "。"))
    message = system("ends" if ends else "starts", mixed(lang, rng), rng, p=words)
    blank = " " if lang == "en" or spoken == "en" or words[-1].isascii() else ""
    turns = any_turns(lang, rng)
    return message, [(q, f"{a}{blank}{words}" if ends else f"{words}{blank}{a}") for q, a in turns]


def as_list(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Every sentence behind a hyphen."""
    items = several(lambda lang, rng: long_item(lang, rng, 2), lang, rng)[:2]
    turns = [(each.question, "\n".join(f"- {line}" for line in split(each.whole[lang], lang))) for each in items]
    return system("list", mixed(lang, rng), rng), turns


def as_json(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """A JSON object with the bare answer, or with the sentence where there is no bare one."""
    turns = []
    for each in several(short_item if rng.random() < 0.7 else brief_item, lang, rng):
        answer = each.word[lang] if each.word else each.brief[lang]
        turns.append((each.question, json.dumps({"answer": answer}, ensure_ascii=False)))
    return system("json", mixed(lang, rng), rng), turns


def off_topic(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """One topic only: its questions are answered, others are declined."""
    key = rng.choice(tuple(TOPICS))
    label: dict[Lang, str] = {"en": key, "zh": TOPICS[key][1]}
    spoken = mixed(lang, rng)
    turns: list[Turn] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        if rng.random() < 0.5:
            turns.append(any_turns(lang, rng, 400, TOPICS[key][0].TALKS)[0])
        else:
            strange = rng.choice([topic for topic in TOPICS if topic != key])
            question = any_turns(lang, rng, 400, TOPICS[strange][0].TALKS)[0][0]
            turns.append((question, said("topic", lang, t=label[lang])))
    return system("topic", spoken, rng, t=label[spoken]), turns


def given_name(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Eyas goes by the name that the message gives."""
    who = name(lang, rng)
    turns: list[Turn] = []
    if rng.random() < 0.4:
        turns.append(memory.filler(lang, rng))
    draw = rng.random()
    if draw < 0.7:
        turns.append((asked("who", lang, rng), said("who", lang, n=who)))
    elif draw < 0.85:
        turns.append((asked("same name", lang, rng, n=who), said("same name", lang, n=who)))
    else:
        another = "Eyas" if rng.random() < 0.5 else name(lang, rng, who)
        turns.append((asked("other name", lang, rng, m=another), said("other name", lang, n=who)))
    if rng.random() < 0.3:
        turns.append(memory.filler(lang, rng))
    return system("named", mixed(lang, rng), rng, n=who), turns


def role(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """A role: it is named when asked for, and knowledge stays the same."""
    both = rng.choice(lists(FILE)["role"])
    spoken = mixed(lang, rng)
    turns = [memory.filler(lang, rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if not turns or rng.random() < 0.6:
        turns.append((asked("ask role", lang, rng), said("ask role", lang, r=part(both, lang))))
    return system("role", spoken, rng, r=part(both, spoken)), turns


def translator(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Whatever is written is translated, even a question."""
    turns = [_translated(lang, rng) for _ in range(rng.choice((1, 2, 2, 3)))]
    message = (
        persona("translator", mixed(lang, rng)) if rng.random() < 0.3 else system("translator", mixed(lang, rng), rng)
    )
    return message, turns


@functools.cache
def _vocabulary() -> tuple[tuple[str, str], ...]:
    pairs = [(row[0], row[1]) for row in rows("words")]
    pairs += [(animal.names["en"], animal.names["zh"]) for animal in old_animals()]
    pairs += [(row[0], row[2]) for row in rows("countries")] + [(row[1], row[3]) for row in rows("countries")]
    return tuple(pairs)


def _translated(lang: Lang, rng: random.Random) -> Turn:
    draw = rng.random()
    if draw < 0.5:
        en, zh = rng.choice(rows_of("systems_sentences"))
    elif draw < 0.8:
        en, zh = rng.choice(_vocabulary())
    elif draw < 0.9:
        country, _ = rng.choice(_capitals())
        en, zh = rng.choice(FRAMES).split("/")
        en, zh = en.format(country["en"]), zh.format(country["zh"])
    else:
        fact = rng.choice(facts.facts("school"))
        en, zh = (facts.sentence(fact.said(each), each) for each in facts.LANGS)
    return (en, zh) if lang == "en" else (zh, en)


FRAMES = (
    "Where is {}?/{}在哪里？",
    "I come from {}./我来自{}。",
    "What is the capital of {}?/{}的首都是什么？",
    "I would like to travel to {}./我想去{}旅行。",
    "My friend lives in {}./我的朋友住在{}。",
    "Do you know {}?/你了解{}吗？",
    "We were in {} last year./我们去年在{}。",
)


@functools.cache
def rows_of(file: str) -> tuple[tuple[str, str], ...]:
    """The pairs of a table of two columns."""
    return tuple((row[0], row[1]) for row in rows(file))


@functools.cache
def _personas(lang: Lang) -> dict[str, str]:
    text = (SHIPPED / f"{lang}.json").read_text(encoding="utf-8")
    return {entry["id"]: entry["system"] for entry in json.loads(text)["personas"]}


def persona(key: str, lang: Lang) -> str:
    """The system message of a persona that Falconry ships."""
    return _personas(lang)[key]


def careful(file: str, heading: str, key: str) -> SystemTalk:
    """Information on law or health: general, careful, and with the way to somebody who knows."""

    def talk(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
        spoken = mixed(lang, rng)
        message = persona(key, spoken) if rng.random() < 0.25 else system(heading, spoken, rng)
        turns = []
        for entry in rng.sample(tuple(faq(file).values()), rng.choice((1, 1, 2))):
            text = expand(rng.choice(entry.questions[lang]), rng)
            text = _stated(text, lang, rng)
            text = disturb(text, lang, rng) if "?" in text or "？" in text else text
            turns.append((text, entry.answers[lang][0]))
        if rng.random() < 0.15:
            turns.append(memory.filler(lang, rng))
        return message, turns

    return talk


EN_QUESTION = re.compile(
    r"(?:.*, )?(?:is|are|am|may|can|do|does|must|will|who|what|when|where|which|why|how|until|at|from|whose|should)\b"
)
STATED: dict[Lang, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "",
            "",
            "",
            "Hello, ",
            "Please help: ",
            "I have a question: ",
            "A friend asks: ",
            "Excuse me, ",
            "In general, ",
        ),
        ("", "", "", " Thank you.", " I am worried.", " Please advise.", " I would like to know this."),
    ),
    "zh": (
        ("", "", "", "你好，", "请问，", "我有个问题：", "朋友问我：", "打扰一下，", "麻烦问一下，", "想请教一下，"),
        ("", "", "", "谢谢。", "我有点担心。", "请指点。", "我想了解一下。"),
    ),
}


def _stated(text: str, lang: Lang, rng: random.Random) -> str:
    """A question or a complaint between an opening and an ending."""
    before, after = (rng.choice(each) for each in STATED[lang])
    if lang == "en":
        mark = "?" if EN_QUESTION.match(text.lower()) or text.endswith((", what now", ", who pays")) else "."
        text = f"{before}{text if before else big(text)}{mark}{after}"
    else:
        asks = re.search(r"[吗什谁哪几多怎]|为什么", text)
        text = f"{before}{text}{'？' if asks else '。'}{after}"
    return text


def shop(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Facts stand in the system message, and the answers are there, or are not."""
    goods = (
        " and ".join(memory.sample("item", 2, lang, rng))
        if lang == "en"
        else "和".join(memory.sample("item", 2, lang, rng))
    )
    shop_name = name(lang, rng)
    slots = {
        "n": shop_name,
        "m": name(lang, rng, shop_name),
        "a": str(rng.randint(6, 11)),
        "b": str(rng.randint(14, 23)),
        "v": goods,
    }
    headings = rng.sample(
        ("ask opens", "ask closes", "ask sells", "ask manager", "ask shop", "ask unknown"), rng.choice((1, 2, 2, 3))
    )
    turns = [(asked(heading, lang, rng), said(heading, lang, **slots)) for heading in headings]
    return system("shop", lang, rng, **slots), turns


def about_user(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """The message says who the user is; who asks for something else hears that it was not told."""
    kind = rng.choice(("name", "name", "home", "age"))
    heading, slots = memory.fact(lang, rng, kind)
    turns = [memory.filler(lang, rng) for _ in range(rng.choice((0, 0, 1, 2)))]
    if rng.random() < 0.8:
        turns.append(memory.asked(heading, lang, rng, **slots))
    else:
        missing = rng.choice([each for each in ("name", "home", "age", "plan") if each != kind])
        question = memory.ask(f"ask {missing}", lang, rng)
        turns.append((question, memory.said("untold name" if missing == "name" else "untold", lang)))
    return system(f"user {kind}", mixed(lang, rng) if kind == "age" else lang, rng, **slots), turns


def neutral(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """A message that changes nothing: the lesson's, a general one, a persona's."""
    draw = rng.random()
    spoken = mixed(lang, rng)
    if draw < 0.3:
        message = LESSON
    elif draw < 0.5:
        message = persona(rng.choice(("assistant", "assistant", "biologist", "programmer", "writer", "simply")), spoken)
    else:
        message = rng.choice(OPENINGS[spoken])
    turns = any_turns(lang, rng)
    if rng.random() < 0.3:
        turns = [*turns, *any_turns(lang, rng, 400)]
    return message, turns


def combined(lang: Lang, rng: random.Random) -> tuple[str, list[Turn]]:
    """Two wishes at once: a language, and a length or an ending."""
    to: Lang = other(lang) if rng.random() < 0.7 else lang
    spoken = mixed(lang, rng)
    first = system(f"answer {to}", spoken, rng)
    draw = rng.random()
    if draw < 0.4:
        second = system("word", spoken, rng)
        items = several(short_item, lang, rng)
        turns = [(each.question, facts.sentence((each.word or each.brief)[to], to)) for each in items]
    elif draw < 0.7:
        second = system("sentence", spoken, rng)
        turns = [(each.question, each.brief[to]) for each in several(brief_item, lang, rng)]
    else:
        words = part(rng.choice(lists(FILE)["phrase"]), to)
        second = system("ends", spoken, rng, p=words)
        blank = " " if to == "en" else ""
        turns = [(each.question, f"{each.whole[to]}{blank}{words}") for each in several(item, lang, rng)]
    both = [first, second]
    rng.shuffle(both)
    if both[0][-1] not in '.。!！"”':
        both[0] += "." if spoken == "en" else "。"
    return (" " if spoken == "en" else "").join(both), turns


IN_WORDS: tuple[tuple[SystemTalk, float], ...] = (
    (language, 4),
    (in_a_word, 4),
    (in_a_sentence, 4),
    (phrase, 2),
    (as_list, 2),
    (as_json, 2),
)


def instructed(lang: Lang, rng: random.Random) -> list[Turn]:
    """The same wishes without a system message: the user says them before or behind the first question."""
    talks, weights = zip(*IN_WORDS, strict=True)
    message, turns = rng.choices(talks, weights)[0](lang, rng)
    for opening in (*OPENINGS["en"], *OPENINGS["zh"]):
        message = message.removeprefix(opening).strip()
    question, answer = turns[0]
    if not message.isascii() or lang == "en":
        question = question if question[-1] in ".?!。？！" else question + ("?" if lang == "en" else "？")
    blank = " " if lang == "en" or message.isascii() else ""
    if message[-1] not in '.!。！"”':
        message += "." if message.isascii() else "。"
    first = f"{message}{blank}{question}" if rng.random() < 0.5 else f"{question}{blank}{message}"
    return [(first, answer), *turns[1:]]


TALKS: tuple[tuple[Talk, float], ...] = ((instructed, 1),)
"""Talks without a system message that ask for a language, a length or a form."""

SYSTEM_TALKS: tuple[tuple[SystemTalk, float], ...] = (
    (language, 12),
    (in_a_word, 8),
    (in_a_sentence, 8),
    (in_detail, 2),
    (tone, 9),
    (phrase, 9),
    (as_list, 4),
    (as_json, 6),
    (off_topic, 7),
    (given_name, 8),
    (role, 5),
    (translator, 9),
    (careful("systems_law", "law", "legal"), 8),
    (careful("systems_health", "health", "medical"), 5),
    (shop, 6),
    (about_user, 4),
    (combined, 5),
    (neutral, 12),
)
"""System messages with their conversations, and how often, as weights."""
