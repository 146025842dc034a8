"""Short invented texts and what is asked about them: the answer must be looked up in the text, not known."""

from __future__ import annotations

import dataclasses
import random
import re

from training.eyas.corpus.fields.common import Talk, Turn, asked, shielded
from training.eyas.corpus.grammar import Lang, expand
from training.eyas.corpus.tables import faq

FILE = "text_reading"
NAMES: dict[Lang, str] = {
    "en": "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Lena Marco Nora Oscar Paula Sam Tom Vera "
    "Will Zoe Mia "
    "Leo Ella Noah Ruth Peter Alice Hugo Jane Omar Lucy Ivan Mei Ravi Sofia Karl Nina Paul Eva Max",
    "zh": "小明 小刚 小丽 小华 小芳 小军 小强 小兰 小林 小雨 李雷 王芳 张伟 刘洋 陈静 赵敏 孙丽 周明 吴昊 "
    "郑云 安娜 汤姆 老王 老李 "
    "丽丽 明明 芳芳 乐乐 阿强 阿梅",
}
VALUES: dict[str, dict[Lang, str]] = {
    "colour": {
        "en": "red blue green yellow black white brown grey pink purple",
        "zh": "红色 蓝色 绿色 黄色 黑色 白色 棕色 灰色 粉色 紫色",
    },
    "place": {
        "en": "Berlin Paris London Rome Madrid Boston Sydney Tokyo Beijing Vienna Dublin Oslo Lima Cairo Prague",
        "zh": "北京 上海 广州 成都 西安 杭州 南京 武汉 重庆 天津 昆明 青岛 苏州 长沙 巴黎 伦敦",
    },
    "job": {
        "en": "a_teacher a_doctor a_nurse a_cook a_baker a_farmer a_painter a_singer a_pilot an_engineer",
        "zh": "老师 医生 护士 厨师 农民 画家 歌手 司机 律师 工程师 警察 记者",
    },
    "like": {
        "en": "pizza rice apples noodles soup cake cheese bread bananas fish chocolate salad pasta grapes",
        "zh": "面条 米饭 苹果 饺子 蛋糕 西瓜 香蕉 鱼 豆腐 包子 葡萄 巧克力",
    },
    "day": {
        "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "zh": "星期一 星期二 星期三 星期四 星期五 星期六 星期天",
    },
    "pet": {"en": "dog cat rabbit parrot horse hamster", "zh": "狗 猫 兔子 鹦鹉 仓鼠 乌龟"},
    "bought": {
        "en": "a_lamp a_hat an_umbrella bread milk flowers a_chair two_books a_clock eggs a_map shoes a_bag tomatoes",
        "zh": "一盏灯 一顶帽子 一把雨伞 面包 牛奶 鲜花 一把椅子 两本书 一个闹钟 鸡蛋 一张地图 一双鞋 一个包 西红柿",
    },
}
"""What may be said, words apart by blanks; an underscore stands for a blank."""
THINGS: dict[Lang, str] = {
    "en": "car bike coat house bag hat scarf door boat cup lamp jacket",
    "zh": "汽车,辆 自行车,辆 大衣,件 房子,座 书包,个 帽子,顶 围巾,条 杯子,个 裙子,条 雨伞,把 夹克,件",
}
PETS: dict[Lang, str] = {
    "en": "Bello Luna Rocky Mimi Coco Lucky Shadow Daisy Snowy Pepper",
    "zh": "旺财 小白 咪咪 豆豆 球球 可可 花花 大黄",
}


@dataclasses.dataclass(frozen=True)
class Said:
    """One sentence of a text: its kind, about whom, and what."""

    kind: str
    slots: dict[str, str]

    def statement(self, lang: Lang, rng: random.Random, **other: str) -> str:
        """The sentence, without its mark."""
        slots = {**self.slots, **other}
        if lang == "en" and self.kind in ("age", "day", "bought", "like", "place", "job", "colour", "pet"):
            return a_an(expand(rng.choice(faq(FILE)[self.kind].topics[lang]), rng, slots))
        return expand(rng.choice(faq(FILE)[self.kind].topics[lang]), rng, slots)

    def answer(self, lang: Lang, rng: random.Random) -> str:
        """The answer to a question about it."""
        return expand(faq(FILE)[self.kind].answers[lang][0], rng, self.slots)


def a_an(text: str) -> str:
    """``text`` with an before a vowel."""
    for vowel in "aeio":
        text = text.replace(f" a {vowel}", f" an {vowel}")
    return text


def value(kind: str, lang: Lang, rng: random.Random) -> str:
    """Something that may be said under a kind."""
    if kind == "age":
        return str(rng.randint(4, 90))
    return rng.choice(VALUES[kind][lang].split()).replace("_", " ")


def said(kind: str, name: str, lang: Lang, rng: random.Random) -> Said:
    """A new sentence about somebody."""
    slots = {"n": name, "v": value(kind, lang, rng)}
    if kind == "colour":
        slots["t"], _, slots["m"] = rng.choice(THINGS[lang].split()).partition(",")
    elif kind == "pet":
        slots["t"], slots["m"] = rng.choice(PETS[lang].split()), "只"
    return Said(kind, slots)


KINDS = ("colour", "place", "age", "job", "like", "day", "pet", "bought")


def text_of(lang: Lang, rng: random.Random, count: int) -> tuple[list[Said], str]:
    """Some sentences, often of the same kind about several people, and their text."""
    names = rng.sample(NAMES[lang].split(), count)
    same = rng.random() < 0.5
    kind = rng.choice(KINDS)
    parts = [said(kind if same else rng.choice(KINDS), name, lang, rng) for name in names]
    if not same and count > 1 and rng.random() < 0.4:
        parts[1] = said(rng.choice([one for one in KINDS if one != parts[0].kind]), names[0], lang, rng)
    mark = ". " if lang == "en" else "。"
    return parts, (mark.join(part.statement(lang, rng) for part in parts) + mark).strip()


def question(part: Said, lang: Lang, rng: random.Random) -> str:
    """A question for one sentence of a text."""
    text = expand(rng.choice(faq(FILE)[part.kind].questions[lang]), rng, part.slots)
    return text[:1].upper() + text[1:] if rng.random() < 0.7 and lang == "en" else text


def framed(text: str, ask: str, lang: Lang, rng: random.Random) -> str:
    """A text and a question as one message."""
    return asked(FILE, "frame", lang, rng, 0.1, t=text, q=ask).replace("\\n", "\n")


def text_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A text and one question, or several in a row; one in eight asks what the text does not say."""
    parts, text = text_of(lang, rng, rng.choice((1, 2, 2, 3, 3, 4)))
    rng.shuffle(parts)
    turns: list[Turn] = []
    for part in parts[: rng.choice((1, 1, 2, 3))]:
        ask, answer = question(part, lang, rng), part.answer(lang, rng)
        if rng.random() < 0.12:
            kinds = {one.kind for one in parts if one.slots["n"] == part.slots["n"]}
            gap = said(rng.choice([one for one in KINDS if one not in kinds]), part.slots["n"], lang, rng)
            ask, answer = question(gap, lang, rng), faq(FILE)["missing"].answers[lang][0]
        if not turns:
            turns.append((framed(text, ask, lang, rng), answer))
        else:
            turns.append((asked(FILE, "next", lang, rng, 0.1, q=ask[:1].lower() + ask[1:]), answer))
    return turns


def truth_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it so, as the text has it? Half are not."""
    parts, text = text_of(lang, rng, rng.choice((1, 2, 3)))
    part, right = rng.choice(parts), rng.random() < 0.5
    claim = part.statement(lang, rng)
    while not right:
        wrong = value(part.kind, lang, rng)
        if wrong != part.slots["v"] and part.kind != "pet":
            claim = part.statement(lang, rng, v=wrong)
            break
        if part.kind == "pet":
            names = [name for name in PETS[lang].split() if name != part.slots["t"]]
            claim = part.statement(lang, rng, t=rng.choice(names))
            break
    if claim.startswith(("The ", "Most ", "At ", "Yesterday ")):
        claim = claim[:1].lower() + claim[1:]
    ask = asked(FILE, "truth", lang, rng, 0.0, s=claim)
    verdict = {"en": ("No. ", "Yes. "), "zh": ("不对，", "对，")}[lang][right]
    return [(framed(text, ask, lang, rng), verdict + part.answer(lang, rng))]


def who_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Who of several people is it?"""
    names = rng.sample(NAMES[lang].split(), rng.choice((2, 3, 3)))
    kind = rng.choice(("place", "job", "like", "day", "bought", "age"))
    parts: list[Said] = []
    while len(parts) < len(names):
        part = said(kind, names[len(parts)], lang, rng)
        if part.slots["v"] not in [one.slots["v"] for one in parts]:
            parts.append(part)
    mark = ". " if lang == "en" else "。"
    text = (mark.join(part.statement(lang, rng) for part in parts) + mark).strip()
    turns: list[Turn] = []
    for part in rng.sample(parts, rng.choice((1, 1, 2))):
        plain = part.answer(lang, rng)
        rest = plain.removeprefix(part.slots["n"]).strip(" .。")
        pattern = rng.choice(faq(FILE)["who"].questions[lang])
        pattern = pattern.replace("是谁", "谁")
        ask = shielded(pattern, lang, rng, 0.0, p=rest)
        turns.append((ask if turns else framed(text, ask, lang, rng), plain))
    return turns


def whole_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The gist of two or three sentences: their first or last one; or all names, or all numbers."""
    draw = rng.random()
    if draw < 0.5:
        topic, gist = rng.choice(GISTS[lang])
        details = rng.sample(DETAILS[lang], rng.choice((1, 2)))
        name = rng.choice(NAMES[lang].split())
        lines = [line.replace("{n}", name) for line in ([gist, *details] if topic == "first" else [*details, gist])]
        text = (" " if lang == "en" else "").join(lines)
        main = re.sub(r"^(So|In the end|That is why|所以|最后|因此|于是) ?", "", gist.replace("{n}", name))
        return [(asked(FILE, "whole", lang, rng, 0.2, t=text), main[:1].upper() + main[1:])]
    parts, text = text_of(lang, rng, rng.choice((2, 2, 3)))
    if draw < 0.75:
        pets = [part for part in parts if part.kind == "pet"]
        if not pets:
            found = sorted({part.slots["n"] for part in parts}, key=text.index)
            shown = (", " if lang == "en" else "、").join(found)
            return [(asked(FILE, "names", lang, rng, 0.2, t=text), shown)]
    names = rng.sample(NAMES[lang].split(), rng.choice((2, 3)))
    ages = [said("age", name, lang, rng) for name in names]
    mark = ". " if lang == "en" else "。"
    text = (mark.join(part.statement(lang, rng) for part in ages) + mark).strip()
    shown = (", " if lang == "en" else "、").join(part.slots["v"] for part in ages)
    return [(asked(FILE, "numbers", lang, rng, 0.2, t=text), shown)]


GISTS: dict[Lang, tuple[tuple[str, str], ...]] = {
    "en": (
        ("first", "{n} is going to move to a new house next month."),
        ("first", "The school trip was cancelled because of the rain."),
        ("first", "{n} has found a new job in a hospital."),
        ("last", "So the meeting was moved to Friday."),
        ("last", "In the end {n} bought the cheaper bicycle."),
        ("last", "That is why {n} missed the train."),
        ("first", "The library will be closed on Monday."),
        ("first", "{n} won the running race."),
        ("last", "So {n} decided to learn Chinese."),
        ("first", "The town will get a new bridge."),
    ),
    "zh": (
        ("first", "{n}下个月要搬新家。"),
        ("first", "因为下雨，学校的郊游取消了。"),
        ("first", "{n}在医院找到了新工作。"),
        ("last", "所以会议改到了星期五。"),
        ("last", "最后{n}买了便宜的那辆自行车。"),
        ("last", "因此{n}没赶上火车。"),
        ("first", "图书馆星期一不开门。"),
        ("first", "{n}赢了跑步比赛。"),
        ("last", "于是{n}决定学英语。"),
        ("first", "城里要修一座新桥。"),
    ),
}
DETAILS: dict[Lang, tuple[str, ...]] = {
    "en": (
        "Many people talked about it.",
        "It was a long week.",
        "There was much to think about.",
        "The weather was not good that day.",
        "A few friends had come to help.",
        "Everybody was a little tired.",
        "It took more time than planned.",
        "Nobody had expected that.",
    ),
    "zh": (
        "很多人都在谈这件事。",
        "这一周过得很慢。",
        "要考虑的事情很多。",
        "那天天气不太好。",
        "有几个朋友来帮忙。",
        "大家都有点累。",
        "花的时间比计划的多。",
        "谁也没有想到。",
    ),
}
TALKS: tuple[tuple[Talk, float], ...] = ((text_talk, 10), (truth_talk, 5), (who_talk, 5), (whole_talk, 4))
"""The talks about texts with their weights."""
