"""Who Eyas is: its name, size and limits, who made it, which other models it is not, and that it stays itself."""

from __future__ import annotations

import random

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.asking import Talk, Turn, big, frame, help_talk, said, typed, went_on
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

PARAMETERS: dict[Lang, str] = {"en": "about 5 million", "zh": "大约五百万"}
"""How many parameters the shipped model has, as it says so itself."""

FRAMES = "identity_frames"


def filled(talk: Talk) -> Talk:
    """``talk`` with the number of parameters filled in."""

    def told(lang: Lang, rng: random.Random) -> list[Turn]:
        return [(asked, fill(text)) for asked, text in talk(lang, rng)]

    return told


def fill(text: str) -> str:
    """``text`` with the number of parameters in its own language."""
    chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    return text.replace("{parameters}", PARAMETERS["zh" if chinese else "en"])


def glued(name: str) -> str:
    """``name`` inside Chinese text: with blanks around Latin letters."""
    return (
        f" {name} ".lstrip()
        if not name[0].isascii() and name[-1].isascii()
        else f" {name} "
        if name[0].isascii()
        else name
    )


def others(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it one of the known assistants? No."""
    table = rows("identity_names")
    (name, maker, maker_zh), (second, second_maker, second_maker_zh) = rng.sample(table, 2)

    def denied(name: str, maker: str, maker_zh: str) -> str:
        own = maker == name
        if lang == "en":
            whose = "" if own else f" from {maker}"
            return f"No, I am not {name}{whose}. I am Eyas, the small model that comes with Falconry."
        return f"不是，我不是{'' if own else f'{glued(maker_zh)}的'} {name}。我是 Eyas，Falconry 自带的小模型。"

    if rng.random() < 0.7:
        turns = [(typed(frame("is", lang, rng, FRAMES, n=name), lang, rng), denied(name, maker, maker_zh))]
    else:
        end = (
            "No, I was trained from nothing by the Falconry project. I am Eyas, and no other model is behind me."
            if lang == "en"
            else "不是，我是 Falconry 项目从零训练的 Eyas，背后没有别的模型。"
        )
        turns = [
            (typed(frame("based", lang, rng, FRAMES, n=name, m=maker if lang == "en" else maker_zh), lang, rng), end)
        ]
    draw = rng.random()
    if draw < 0.25:
        asked = frame("and", lang, rng, FRAMES, n=second)
        turns.append((big(asked) if rng.random() < 0.5 else asked, denied(second, second_maker, second_maker_zh)))
    elif draw < 0.45:
        kind = rng.choice(("sure", "doubt"))
        end = (
            "I am Eyas, the small model that comes with Falconry."
            if lang == "en"
            else "我是 Eyas，Falconry 自带的小模型。"
        )
        turns.append((went_on(kind, lang, rng), said(kind, lang, s=end)))
    return turns


def is_eyas(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it Eyas? Yes."""
    ways = {
        "en": (
            "are you Eyas?",
            "so you are Eyas, right?",
            "is your name Eyas?",
            "you are Eyas, aren't you?",
            "Eyas?",
            "am I talking to Eyas?",
            "is this Eyas?",
            "hey, is that you, Eyas?",
            "are you the small model of Falconry?",
            "are you the built-in model?",
            "are you a language model?",
            "do you come with Falconry?",
            "do you belong to Falconry?",
        ),
        "zh": (
            "你是 Eyas 吗？",
            "你就是 Eyas 吧？",
            "你的名字是 Eyas 吗？",
            "你叫 Eyas，对吧？",
            "Eyas？",
            "我在和 Eyas 聊天吗？",
            "这是 Eyas 吗？",
            "你是 Falconry 的小模型吗？",
            "你是自带的模型吗？",
            "你是语言模型吗？",
            "你是 Falconry 自带的吗？",
            "你属于 Falconry 吗？",
        ),
    }
    end = (
        "Yes, I am Eyas, the small language model that comes with Falconry."
        if lang == "en"
        else "是的，我是 Eyas，Falconry 自带的小语言模型。"
    )
    turns = [(typed(rng.choice(ways[lang]), lang, rng), end)]
    if rng.random() < 0.3:
        turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
    return turns


def now(lang: Lang, rng: random.Random) -> list[Turn]:
    """What nobody told it: the time, the news, who the user is."""
    today = {
        "en": (
            "what time is it",
            "what is the date today",
            "which day is it",
            "what day of the week is it today",
            "what year is it",
            "what is in the news",
            "what is the weather today",
            "will it rain tomorrow",
            "who won the match yesterday",
            "how are the shares doing today",
            "what happened today",
            "is it cold outside",
            "what is the temperature in Berlin right now",
            "who is the president at the moment",
            "how late is it",
        ),
        "zh": (
            "现在几点了",
            "今天几号",
            "今天星期几",
            "今年是哪一年",
            "有什么新闻",
            "今天天气怎么样",
            "明天会下雨吗",
            "昨天谁赢了比赛",
            "今天股市怎么样",
            "今天发生了什么",
            "外面冷吗",
            "北京现在多少度",
            "现在的总统是谁",
            "几点啦",
        ),
    }
    private = {
        "en": (
            "who am I",
            "what is my name",
            "how old am I",
            "where do I live",
            "what am I doing right now",
            "what did I eat for breakfast",
            "what is my phone number",
            "where am I sitting",
            "what am I thinking of",
            "what is my dog called",
            "where are my keys",
            "am I married",
            "what colour is my shirt",
        ),
        "zh": (
            "我是谁",
            "我叫什么名字",
            "我几岁",
            "我住在哪里",
            "我现在在做什么",
            "我早饭吃了什么",
            "我的电话号码是多少",
            "我在想什么",
            "我的狗叫什么",
            "我的钥匙在哪里",
            "我结婚了吗",
            "我的衣服是什么颜色",
        ),
    }
    kind, asked = rng.choice((("today", today), ("private", private)))
    text = frame("question", lang, rng, q=rng.choice(asked[lang]))
    return [(typed(text, lang, rng), unknown.answer(lang, rng, kind))]


TALKS: tuple[tuple[Talk, float], ...] = (
    (filled(help_talk("identity_more", follow=0.36, helping=False)), 70),
    (others, 14),
    (is_eyas, 4),
    (now, 12),
)
"""What is asked about Eyas, and how often, as weights."""
