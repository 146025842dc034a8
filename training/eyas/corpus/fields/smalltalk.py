"""Everyday talk: greetings, moods, praise and blame, single words and signs, jokes, riddles and poems."""

from __future__ import annotations

import random

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.asking import Talk, Turn, big, frame, helps, other, said, tidy, typed, went_on
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.noise import disturb
from training.eyas.corpus.tables import faq, rows

FRAMES = "smalltalk_frames"
LANGS: tuple[Lang, Lang] = ("en", "zh")

WEIGHTS = {
    "hello": 4.0,
    "how are you": 2.0,
    "thanks": 2.0,
    "bye": 1.5,
    "can you help": 2.0,
    "crisis": 1.5,
    "why alone": 0.6,
}
"""Headings that come more often than the others."""

ALONE = frozenset(("sign", "emoji", "test", "why alone", "yes", "no", "stop"))
"""Headings that are typed as they are, without anything before or after them."""

BEFORE: dict[Lang, tuple[str, ...]] = {
    "en": (
        "Eyas, ",
        "hey, ",
        "oh, ",
        "well, ",
        "so, ",
        "listen, ",
        "ok, ",
        "hi, ",
        "hello, ",
        "um, ",
        "ah, ",
        "hey Eyas, ",
        "hi there, ",
        "dear Eyas, ",
        "my little falcon, ",
        "hmm, ",
        "right, ",
        "now, ",
        "look, ",
        "you know, ",
        "actually, ",
        "hi again, ",
        "me again: ",
        "just so you know: ",
        "anyway, ",
        "honestly, ",
        "oh well, ",
        "hey bot, ",
        "you there, ",
    ),
    "zh": (
        "Eyas，",
        "喂，",
        "哎，",
        "嗯，",
        "那个，",
        "哦，",
        "嗨，",
        "你好，",
        "嘿，",
        "话说，",
        "唉，",
        "我说，",
        "小鹰，",
        "亲爱的，",
        "那什么，",
        "啊，",
        "哎呀，",
        "又是我，",
        "对了，",
        "说真的，",
        "Eyas 啊，",
        "小家伙，",
        "朋友，",
        "老实说，",
        "其实，",
    ),
}
AFTER: dict[Lang, tuple[str, ...]] = {
    "en": (
        ", Eyas",
        ", my friend",
        ", little falcon",
        ", bot",
        ", dear",
        " :)",
        "!!",
        " ;)",
        "…",
        ", buddy",
        ", mate",
        ", you",
        " <3",
        ", okay",
        " haha",
        ", pal",
        ", small one",
        " 🙂",
        ", really",
        ", I mean it",
        " today",
        ", robot",
        ", computer",
    ),
    "zh": (
        "，Eyas",
        "，朋友",
        "，小猎鹰",
        "～",
        "！！",
        "…",
        " :)",
        "，小家伙",
        "哈",
        "啦",
        "呢",
        "，真的",
        " 🙂",
        "，机器人",
        "，小鹰",
        "，电脑",
        "，哈哈",
        "。。。",
        "，老兄",
        "，亲",
        "，嗯",
    ),
}
"""What may stand before and after a remark."""

OPENERS = ("hello", "morning", "afternoon", "evening")
OPENED = (
    "how are you", "how are you", "can you help", "bored", "sad", "tired", "introduce", "say something", "weather talk",
    "compliments", "happy", "worried", "test", "thanks", "sorry", "food talk", "holiday", "how do you know me",
)  # fmt: skip
"""A greeting may stand before these, and the answer is theirs."""


def say(heading: str, lang: Lang, **slots: str) -> str:
    """Eyas's words under a heading of the frames."""
    text = faq(FRAMES)[heading].answers[lang][0]
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


def said_so(heading: str, lang: Lang, rng: random.Random) -> str:
    """The bare words under a heading of small talk."""
    patterns = next(entry for entry in helps("smalltalk_more") if entry.name == heading).get(lang, "?")
    return tidy(expand(rng.choices(patterns, [len(pattern) for pattern in patterns])[0], rng), lang)


def spoken(heading: str, lang: Lang, rng: random.Random) -> str:
    """What a user says under a heading of small talk, as it is typed."""
    text = said_so(heading, lang, rng)
    if heading in ALONE:
        if heading not in ("sign", "emoji", "why alone") and rng.random() < 0.3:
            text = rng.choice(BEFORE[lang]) + text
        return text if rng.random() < 0.6 else big(text)
    if heading in OPENED and rng.random() < 0.25:
        greeting = said_so(rng.choice(OPENERS), lang, rng).rstrip("?？")
        joint = "" if greeting[-1] in "!！。." else ("," if lang == "en" else "，")
        text = greeting + joint + (" " if lang == "en" else "") + text
    elif rng.random() < 0.4:
        text = rng.choice(BEFORE[lang]) + text
    if rng.random() < 0.3 and text[-1] not in "?？":
        text = text.rstrip("!.。！") + rng.choice(AFTER[lang])
    elif rng.random() < 0.06 and text[-1].isalpha():
        text += text[-1] * rng.randint(1, 4)
    draw = rng.random()
    if lang == "en":
        text = big(text) if draw < 0.55 else text.upper() if draw < 0.57 else text.lower() if draw < 0.75 else text
    return slipped(text, lang, rng) if rng.random() < 0.12 else text


def slipped(text: str, lang: Lang, rng: random.Random) -> str:
    """``text`` with what people do when they type, but without another greeting before it."""
    for _ in range(4):
        typed = disturb(text, lang, rng)
        if len(typed) <= len(text) + 2:
            return typed
    return text


def reply(heading: str, lang: Lang) -> str:
    """What Eyas says to a heading of small talk."""
    return next(entry for entry in helps("smalltalk_more") if entry.name == heading).get(lang, "=")[0]


NEXT: dict[str, tuple[str, ...]] = {
    "hello": ("how are you", "can you help", "introduce", "thanks", "bye"),
    "morning": ("how are you", "can you help", "tired"),
    "afternoon": ("how are you", "can you help", "bored"),
    "evening": ("how are you", "can you help", "tired"),
    "how are you": ("fine", "sad", "tired", "happy", "thanks", "bored"),
    "fine": ("can you help", "bored", "bye"),
    "praise": ("thanks", "bye", "can you help"),
    "insult": ("sorry", "thanks", "bye"),
    "sad": ("thanks", "say something", "compliments", "bye"),
    "worried": ("thanks", "compliments", "bye"),
    "tired": ("night", "thanks", "bye"),
    "happy": ("thanks", "bye"),
    "bored": ("say something", "thanks"),
    "say something": ("praise", "thanks", "ok"),
    "compliments": ("thanks", "praise", "haha"),
    "weather talk": ("thanks", "bye", "how are you"),
    "can you help": ("thanks", "ok"),
    "introduce": ("how are you", "can you help", "thanks"),
    "thanks": ("bye", "praise", "night"),
    "test": ("hello", "ok", "thanks"),
    "swear": ("sorry", "thanks"),
    "holiday": ("thanks", "bye"),
    "ok": ("thanks", "bye"),
}
"""What may follow what in small talk."""


def plain(lang: Lang, rng: random.Random) -> list[Turn]:
    """One to three everyday remarks."""
    entries = helps("smalltalk_more")
    entry = rng.choices(entries, [WEIGHTS.get(entry.name, 1.0) for entry in entries])[0]
    heading = entry.name
    turns = [(spoken(heading, lang, rng), reply(heading, lang))]
    if heading in ("bored", "sing") and rng.random() < 0.5:
        return turns + offered(heading, lang, rng)
    while heading in NEXT and rng.random() < 0.38 and len(turns) < 4:
        heading = rng.choice(NEXT[heading])
        turns.append((spoken(heading, lang, rng), reply(heading, lang)))
    if len(turns) == 1 and rng.random() < 0.06:
        turns.append((went_on("translate", lang, rng), reply(heading, other(lang))))
    return turns


OFFERED: dict[Lang, dict[str, tuple[str, ...]]] = {
    "en": {
        "joke": ("a joke", "a joke please", "the joke", "joke", "then a joke", "let me hear the joke", "the first one"),
        "riddle": ("a riddle", "a riddle please", "the riddle", "riddle", "then a riddle", "I want to guess something"),
        "poem": ("a poem", "the poem", "then a poem", "a short poem please", "the second one"),
    },
    "zh": {
        "joke": ("笑话", "讲笑话吧", "那就笑话", "听笑话", "第一个", "讲个笑话好了", "笑话吧"),
        "riddle": ("谜语", "出个谜语吧", "猜谜", "那就谜语", "我想猜谜", "谜语吧"),
        "poem": ("诗", "念首诗吧", "那就诗", "第二个", "小诗", "听诗"),
    },
}
"""What users take of what Eyas offers."""


def offered(heading: str, lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas offered, taken up: a joke, a riddle or a poem."""
    kind = rng.choice(("joke", "riddle") if heading == "bored" else ("joke", "poem"))
    talk = {"joke": jokes, "riddle": riddles, "poem": poems}[kind]
    while True:
        turns = talk(lang, rng)
        if kind != "riddle" or turns[0][1] in {row[0 if lang == "en" else 3] for row in rows("riddles_more")}:
            break
    if kind == "poem":
        turns = [(turns[0][0], rng.choice(rows("poems_more"))[2 if lang == "en" else 3].replace("\\n", "\n"))]
    asked = rng.choice(OFFERED[lang][kind])
    return [(big(asked) if rng.random() < 0.5 else asked, turns[0][1]), *turns[1:3]]


def jokes(lang: Lang, rng: random.Random) -> list[Turn]:
    """A joke, one about something, and another one."""
    table = rows("jokes_more")
    at = 2 if lang == "en" else 3
    first, second = rng.sample(table, 2)
    if rng.random() < 0.35:
        topic = first[0 if lang == "en" else 1]
        asked = frame("joke about", lang, rng, FRAMES, t=topic)
    else:
        asked = frame("joke", lang, rng, FRAMES)
    turns = [(typed(asked, lang, rng), first[at])]
    draw = rng.random()
    if draw < 0.3:
        turns.append((went_on_in("another joke", lang, rng), second[at]))
    elif draw < 0.42:
        turns.append((went_on_in("not funny", lang, rng), say("not funny", lang)))
        if rng.random() < 0.6:
            yes = (
                ("yes", "yes please", "ok", "go on", "try") if lang == "en" else ("好", "好的", "再来", "行", "试试吧")
            )
            turns.append((rng.choice(yes), second[at]))
    elif draw < 0.58:
        turns.append((went_on_in("haha", lang, rng), say("haha", lang)))
    elif draw < 0.64:
        turns.append((went_on("again", lang, rng), first[at]))
    elif draw < 0.7:
        turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
    return turns


def went_on_in(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A short follow-up out of the frames of this field."""
    text = frame(heading, lang, rng, FRAMES, **slots)
    return big(text) if rng.random() < 0.5 else text


def riddles(lang: Lang, rng: random.Random) -> list[Turn]:
    """Eyas asks a riddle, or solves one."""
    table = rows("riddles_more")
    row = rng.choice(table)
    question, solution, hint = row[:3] if lang == "en" else row[3:6]
    if rng.random() < 0.3:
        asked = frame("solve", lang, rng, FRAMES, r=question)
        turns = [(asked, say("solved", lang, a=solution))]
        if rng.random() < 0.3:
            turns.append((spoken("praise", lang, rng), reply("praise", lang)))
        return turns
    turns = [(typed(frame("riddle", lang, rng, FRAMES), lang, rng), question)]
    if rng.random() < 0.25:
        turns.append((went_on_in("hint", lang, rng), hint))
    draw = rng.random()
    if draw < 0.35:
        turns.append((guessed(solution, lang, rng), say("right", lang, a=solution)))
    elif draw < 0.6:
        wrong = rng.choice(
            [one[1 if lang == "en" else 4] for one in table if one[1 if lang == "en" else 4] != solution]
        )
        turns.append((guessed(wrong, lang, rng), say("wrong", lang)))
        if rng.random() < 0.7:
            right = rng.random() < 0.4
            asked = guessed(solution, lang, rng) if right else went_on_in("give up", lang, rng)
            turns.append((asked, say("right" if right else "give up", lang, a=solution)))
    elif draw < 0.92:
        turns.append((went_on_in("give up", lang, rng), say("give up", lang, a=solution)))
    return turns


def guessed(solution: str, lang: Lang, rng: random.Random) -> str:
    """A guess, with or without its article."""
    if lang == "en" and rng.random() < 0.3:
        return solution.split(" ", 1)[-1]
    return went_on_in("guess", lang, rng, g=solution)


def poems(lang: Lang, rng: random.Random) -> list[Turn]:
    """A short poem about one of ten topics; other topics are too much."""
    table = rows("poems_more")
    row = rng.choice(table)
    poem = row[2 if lang == "en" else 3].replace("\\n", "\n")
    draw = rng.random()
    if draw < 0.25:
        asked = frame("poem", lang, rng, FRAMES)
    elif draw < 0.75:
        topic = rng.choice(row[0 if lang == "en" else 1].split(";"))
        asked = frame("poem about", lang, rng, FRAMES, t=topic)
    else:
        topic = unknown.slots(lang, rng)["topic"]
        if any(topic in row[0 if lang == "en" else 1].split(";") for row in table):
            return poems(lang, rng)
        return [
            (typed(frame("poem about", lang, rng, FRAMES, t=topic), lang, rng), unknown.answer(lang, rng, "writing"))
        ]
    turns = [(typed(asked, lang, rng), poem)]
    if rng.random() < 0.3:
        turns.append((went_on_in("nice poem", lang, rng), say("nice poem", lang)))
    return turns


TALKS: tuple[tuple[Talk, float], ...] = (
    (plain, 77),
    (jokes, 11),
    (riddles, 7),
    (poems, 5),
)
"""What is said, and how often, as weights."""
