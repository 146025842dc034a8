"""Small work on words, lists, sentences and texts: spell, count, sort, repeat, rewrite, and read."""

from __future__ import annotations

import functools
import random

from training.eyas.corpus import unknown
from training.eyas.corpus.fields import reading
from training.eyas.corpus.fields.common import Talk, Turn, asked, drawn, told
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FILE, WORDS = "text_skills", "text_words"
PLAIN = (
    "apple bread chair door eagle fish garden house island jungle kite lemon moon night ocean paper "
    "queen river sun table "
    "uncle violin water yellow zebra bird cloud dream earth flower green happy ice juice king leaf "
    "music nose orange plant "
    "rain school tree winter banana coffee dog egg fire glass hand lamp milk nest owl pencil road "
    "star train cat window "
    "bridge candle dance engine forest guitar hotel ink jacket kitchen letter market number onion "
    "piano rabbit silver "
    "tiger umbrella village wolf box car duck elf fan goat hat jam key lion map net oil pen rose sea tea van web"
)
ITEMS: dict[Lang, str] = {
    "en": PLAIN,
    "zh": "苹果 香蕉 面包 牛奶 鸡蛋 书包 铅笔 自行车 大象 猫 狗 山 大海 桌子 椅子 米饭 葡萄 西红柿 电脑 "
    "手机 图书馆 火车站 太阳 月亮 花 "
    "水 茶 咖啡 毛巾 雨伞 帽子 鞋子 汽车 飞机 胡萝卜",
}
SENTENCES: dict[Lang, str] = {
    "en": "the cat sleeps on the sofa;we go home now;the train is late today;I like green tea;Good "
    "morning;hello world;"
    "My name is Tom;Please call me back;the soup is hot;Stop;two birds sit on the roof;The door is "
    "open;Happy birthday;"
    "see you on Monday;she reads a long book;It rains again;blue sky;the children play in the garden;open the window;"
    "no smoking;fresh bread;The sun is shining;my dog is very old;thank you for everything;welcome home;quiet please",
    "zh": "今天天气很好;我喜欢喝茶;猫在沙发上睡觉;火车晚点了;早上好;生日快乐;请把门打开;孩子们在花园里玩;"
    "我的狗很老了;欢迎回家;"
    "我们现在回家;天空是蓝色的;请安静;明天见;她在看书;外面下雨了;祝你好运;面包很新鲜;谢谢你的帮助;中国很大",
}
GAPS: dict[Lang, str] = {
    "en": "A week has ___ days.=seven;A year has twelve ___.=months;The sun rises in the ___.=east;Snow "
    "is ___.=white;"
    "A triangle has ___ sides.=three;After Monday comes ___.=Tuesday;A bird has two ___.=wings;Bees make ___.=honey;"
    "Ice is frozen ___.=water;Cows give ___.=milk;The opposite of hot is ___.=cold;Fish live in ___.=water;"
    "A day has twenty-four ___.=hours;A spider has ___ legs.=eight;Grass is ___.=green;We hear with our ___.=ears;"
    "We see with our ___.=eyes;An hour has sixty ___.=minutes;Hens lay ___.=eggs;After winter comes ___.=spring",
    "zh": "一周有___天。=七;一年有十二个___。=月;太阳从___边升起。=东;雪是___色的。=白;"
    "三角形有___条边。=三;星期一后面是___。=星期二;"
    "鸟有两只___。=翅膀;蜜蜂酿___。=蜜;冰是___结成的。=水;“热”的反义词是___。=冷;鱼生活在___里。=水;"
    "一天有二十四个___。=小时;"
    "蜘蛛有___条腿。=八;我们用___听声音。=耳朵;我们用___看东西。=眼睛;一小时有六十___。=分钟;"
    "母鸡下___。=蛋;冬天过后是___。=春天",
}
TOPICS: dict[Lang, str] = {
    "en": "the sea;dogs;summer;my school;friendship;trees;China;music;the Moon;football;my holidays;bread;love",
    "zh": "大海;狗;夏天;我的学校;友谊;树;春节;音乐;月亮;足球;我的假期;面包;火车;母爱",
}
ORDER = ("first item", "second item", "third item")


def end(text: str, lang: Lang) -> str:
    """``text`` as a sentence."""
    return text if text[-1] in ".?!。？！" else text + ("." if lang == "en" else "。")


def quoted(text: str, rng: random.Random) -> str:
    """A text or word to work on, now and then in marks."""
    return rng.choice((text, text, text, f'"{text}"', f"'{text}'"))


def new_word(rng: random.Random) -> str:
    """An English word, one in five times made up or a name."""
    if rng.random() < 0.2:
        return rng.choice(reading.NAMES["en"].split())
    if rng.random() < 0.12:
        return "".join(rng.choice("bdfgklmnprst") + rng.choice("aeiou") for _ in range(rng.choice((2, 2, 3))))
    return rng.choice(PLAIN.split())


def word_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Spell, count letters, first and last letter, reverse; often several with the same word."""
    word = new_word(rng)
    word = word if len(word) < 9 else word[:4]
    kinds: dict[str, str] = {
        "spell": told(FILE, "spell", lang, rng, w=word, r="-".join(word.upper())),
        "letters": told(FILE, "letters", lang, rng, w=word, n=str(len(word))),
        "first letter": (f"{word} starts with {word[0]}." if lang == "en" else f"{word} 的第一个字母是 {word[0]}。"),
        "last letter": (f"{word} ends with {word[-1]}." if lang == "en" else f"{word} 的最后一个字母是 {word[-1]}。"),
    }
    if len(word) <= 6:
        kinds["reverse"] = word.lower()[::-1]
    return [
        (asked(FILE, kind, lang, rng, 0.6 if not at else 0.2, w=quoted(word, rng)), kinds[kind])
        for at, kind in enumerate(rng.sample(sorted(kinds), rng.choice((1, 1, 1, 2))))
    ]


def case_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Upper and lower case, of a word or a sentence."""
    text = rng.choice((new_word(rng), rng.choice(SENTENCES["en"].split(";"))))
    if rng.random() < 0.65:
        return [(asked(FILE, "upper", lang, rng, 0.5, t=quoted(text, rng)), text.upper())]
    return [(asked(FILE, "lower", lang, rng, 0.5, t=quoted(text.upper(), rng)), text.lower())]


def count_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Count the words of a sentence, the characters of a Chinese one, the items of a list."""
    if rng.random() < 0.5:
        text = rng.choice(SENTENCES[lang].split(";"))
        number = len(text.split()) if lang == "en" else len(text)
        heading = "words" if lang == "en" else "characters"
        answer = told(FILE, heading, lang, rng, n=str(number))
        answer = "1 word." if answer == "1 words." else answer
        return [(asked(FILE, heading, lang, rng, 0.4, t=quoted(text, rng) if lang == "en" else text), answer)]
    items = some(lang, rng, 2, 8)
    answer = told(FILE, "how many", lang, rng, n=str(len(items)))
    return [(asked(FILE, "how many", lang, rng, 0.4, l=row(items, lang, rng)), answer)]


def some(lang: Lang, rng: random.Random, low: int, high: int) -> list[str]:
    """Different items for a list."""
    return rng.sample(ITEMS[lang].split(), rng.randint(low, high))


def row(items: list[str], lang: Lang, rng: random.Random) -> str:
    """A list in one line."""
    if lang == "en":
        return rng.choice((", ", ", ", ", ", " ", ",")).join(items)
    return rng.choice(("、", "、", "，", ", ")).join(items)


def numbers(rng: random.Random) -> list[int]:
    """Different numbers for a list."""
    top = rng.choice((10, 20, 50, 100, 100, 1000))
    return rng.sample(range(1, top + 1), rng.randint(3, 6))


def sort_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Sort numbers up or down, or words by the alphabet; then the other way, the first, the last."""
    blank = ", " if lang == "en" else "、"
    draw = rng.random()
    if draw < 0.3:
        words = rng.sample(sorted({*PLAIN.split()}), rng.randint(3, 5))
        return [
            (
                asked(FILE, "sort words", lang, rng, 0.4, l=rng.choice((", ", ", ", " ")).join(words)),
                ", ".join(sorted(words)),
            )
        ]
    row_ = numbers(rng)
    up = draw < 0.75
    shown = row([str(n) for n in row_], lang, rng)
    ordered = sorted(row_, reverse=not up)
    turns = [
        (
            asked(FILE, "sort numbers" if up else "sort down", lang, rng, 0.4, l=shown),
            blank.join(str(n) for n in ordered),
        )
    ]
    if rng.random() < 0.35:
        back = {
            "en": ("And the other way round?", "now reversed", "in the other order please"),
            "zh": ("反过来呢？", "倒过来排"),
        }
        turns.append((rng.choice(back[lang]), blank.join(str(n) for n in ordered[::-1])))
    if rng.random() < 0.35:
        kind = rng.choice(("largest", "smallest"))
        value = max(row_) if kind == "largest" else min(row_)
        ask = {
            "en": (f"and the {kind} of them?", f"which of them is the {kind}?", f"What is the {kind} one?"),
            "zh": ("其中最大的是哪个？", "最大的数是几？")
            if kind == "largest"
            else ("其中最小的是哪个？", "最小的数是几？"),
        }
        turns.append((rng.choice(ask[lang]), told(FILE, kind, lang, rng, r=str(value))))
    return turns


def item_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """First, second, third, last or longest item; the largest or smallest number; follow-ups on the same list."""
    if rng.random() < 0.3:
        kind, row_ = rng.choice(("largest", "smallest")), numbers(rng)
        value = max(row_) if kind == "largest" else min(row_)
        shown = row([str(n) for n in row_], lang, rng)
        return [(asked(FILE, kind, lang, rng, 0.4, l=shown), told(FILE, kind, lang, rng, r=str(value)))]
    items = some(lang, rng, 3, 6)
    answers = {heading: items[at] for at, heading in enumerate(ORDER)} | {"last item": items[-1]}
    lengths = sorted(map(len, items))
    if lengths[-1] > lengths[-2]:
        answers["longest"] = max(items, key=len)
    kind = rng.choice(sorted(answers))
    turns = [(asked(FILE, kind, lang, rng, 0.4, l=row(items, lang, rng)), told(FILE, kind, lang, rng, r=answers[kind]))]
    if rng.random() < 0.5:
        kind = rng.choice((*ORDER, "last item"))
        ask = {
            "en": {"first item": "first", "second item": "second", "third item": "third", "last item": "last"}[kind],
            "zh": {"first item": "第一个", "second item": "第二个", "third item": "第三个", "last item": "最后一个"}[
                kind
            ],
        }[lang]
        ways = {
            "en": (f"and the {ask} one?", f"which is the {ask}?", f"the {ask}?", f"What is the {ask} one?"),
            "zh": (f"{ask}呢？", f"那{ask}是什么？", f"{ask}是哪个", f"{ask}是啥？"),
        }
        turns.append((rng.choice(ways[lang]), told(FILE, kind, lang, rng, r=answers[kind])))
    return turns


def repeat_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Repeat exactly."""
    text = rng.choice(
        (rng.choice(SENTENCES[lang].split(";")), reading.text_of(lang, rng, 1)[1], " ".join(some("en", rng, 2, 4)))
    )
    return [(asked(FILE, "repeat", lang, rng, 0.3, t=quoted(text, rng) if lang == "en" else text), text)]


def list_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A bulleted or numbered list, or one without duplicates."""
    items = some(lang, rng, 3, 5)
    kind = rng.choice(("bullets", "numbered", "duplicates"))
    if kind == "duplicates":
        twice = items + rng.sample(items, rng.choice((1, 1, 2)))
        rng.shuffle(twice)
        blank = ", " if lang == "en" else "、"
        return [(asked(FILE, kind, lang, rng, 0.3, l=row(twice, lang, rng)), blank.join(dict.fromkeys(twice)))]
    lines = [f"- {item}" if kind == "bullets" else f"{at}. {item}" for at, item in enumerate(items, 1)]
    return [(asked(FILE, kind, lang, rng, 0.3, l=row(items, lang, rng)), "\n".join(lines))]


@functools.cache
def table(name: str) -> tuple[tuple[str, ...], ...]:
    """A table of the field."""
    return tuple(tuple(cells) for cells in rows(name))


@functools.cache
def opposites(lang: Lang) -> dict[str, str]:
    """Every word that has exactly one opposite in the table, with it."""
    pairs = [(cells[0], cells[1]) if lang == "en" else (cells[2], cells[3]) for cells in table("text_words")]
    pairs += [(b, a) for a, b in pairs]
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def lookup_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Opposites, plurals, past forms, synonyms, rhymes, spelling: from their tables."""
    if rng.random() < 0.35:
        pairs = rng.sample(sorted(opposites(lang).items()), 2)
        w, r = pairs[0]
        turns = [(asked(WORDS, "opposite", lang, rng, w=w), told(WORDS, "opposite", lang, rng, w=w, r=r))]
        if rng.random() < 0.4:
            w, r = pairs[1]
            more = f"and {w}?" if lang == "en" else f"那{w}呢？"
            turns.append((more, told(WORDS, "opposite", lang, rng, w=w, r=r)))
        return turns
    kind, w, r = rng.choice(table("text_english"))
    turns = [(asked(WORDS, kind, lang, rng, w=w), told(WORDS, kind, lang, rng, w=w, r=r, R=r[:1].upper() + r[1:]))]
    if kind != "spelling" and rng.random() < 0.4:
        _, w, r = rng.choice([cells for cells in table("text_english") if cells[0] == kind])
        more = rng.choice((f"and {w}?", f"and of {w}?" if kind == "past" else f"what about {w}?", f"{w}?"))
        more = more if lang == "en" else rng.choice((f"那 {w} 呢？", f"{w} 呢？"))
        turns.append((more, told(WORDS, kind, lang, rng, w=w, r=r, R=r[:1].upper() + r[1:])))
    return turns


def chinese_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Measure words and idioms."""
    if rng.random() < 0.5:
        noun, measure, _ = rng.choice(table("text_measures"))
        return [(asked(WORDS, "measure", lang, rng, w=noun), told(WORDS, "measure", lang, rng, w=noun, r=measure))]
    idiom, zh, en = rng.choice(table("text_idioms"))
    meaning = en if lang == "en" else zh
    if lang == "zh" and rng.random() < 0.3 and idiom not in ("一箭双雕", "一石二鸟"):
        return [(asked(WORDS, "idiom back", lang, rng, 0.4, r=zh), told(WORDS, "idiom back", lang, rng, w=idiom))]
    return [(asked(WORDS, "idiom", lang, rng, 0.5, w=idiom), told(WORDS, "idiom", lang, rng, w=idiom, r=meaning))]


def tone_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Rewrite a sentence in another tone."""
    kind, _, before, after = rng.choice([cells for cells in table("text_tones") if cells[1] == lang])
    turns = [(asked(WORDS, kind, lang, rng, 0.3, t=before), after)]
    if rng.random() < 0.25:
        thanks = {"en": ("thanks", "perfect, thank you", "Great!"), "zh": ("谢谢", "很好，谢谢", "好的")}
        turns.append((rng.choice(thanks[lang]), "You're welcome!" if lang == "en" else "不客气！"))
    return turns


def gap_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Fill in the blank."""
    text, word = rng.choice(GAPS[lang].split(";")).split("=")
    return [(asked(WORDS, "blank", lang, rng, 0.3, t=text), text.replace("___", word))]


def reading_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A text and what is asked about it."""
    return drawn(reading.TALKS, lang, rng)


def edge_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What is beyond small work on texts: essays, translations of books, other languages."""
    ways = {
        "en": "write an essay about {t};write a story of 1000 words about {t};write a speech about {t} for my boss;"
        "correct my whole thesis about {t};write a chapter on {t};write me a long article about {t};"
        "compose a report on {t}",
        "zh": "写一篇关于{t}的作文;写一篇一千字的{t}故事;帮我写一篇关于{t}的演讲稿;帮我修改关于{t}的论文;"
        "写一篇{t}的长文章;写一份{t}的报告",
    }
    pattern = rng.choice(ways[lang].split(";")).replace("{t}", rng.choice(TOPICS[lang].split(";")))
    lead = {"en": ("", "Please ", "Can you ", "I need you to "), "zh": ("", "请", "麻烦你", "你能")}
    text = rng.choice(lead[lang]) + pattern
    text += ("?" if lang == "en" else "吗？") if text.startswith(("Can", "你能")) else ""
    return [(text, unknown.answer(lang, rng, "writing"))]


def mixed_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two or three small jobs, one after another, and thanks."""
    turns = [turn for _ in range(rng.choice((2, 2, 3))) for turn in drawn(SINGLE, lang, rng)]
    if rng.random() < 0.35:
        turns.append((asked("arithmetic", "thanks", lang, rng, 0.2), "You're welcome!" if lang == "en" else "不客气！"))
    return turns


SINGLE: tuple[tuple[Talk, float], ...] = (
    (reading_talk, 34),
    (word_talk, 9),
    (case_talk, 5),
    (count_talk, 5),
    (sort_talk, 8),
    (item_talk, 7),
    (repeat_talk, 5),
    (list_talk, 6),
    (lookup_talk, 12),
    (chinese_talk, 7),
    (tone_talk, 6),
    (gap_talk, 2.5),
    (edge_talk, 3),
)
TALKS: tuple[tuple[Talk, float], ...] = (*SINGLE, (mixed_talk, 28))
"""The talks of this field with their weights."""
