"""JSON from a sentence, sentences from JSON, yes and no as JSON, and the classes of sentences."""

from __future__ import annotations

import json
import random

from training.eyas.corpus.fields import reading
from training.eyas.corpus.fields.common import Talk, Turn, asked, drawn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import lists

FILE = "json_skills"
Value = str | int
ENTRIES: dict[Lang, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "en": (
        (
            ("name", "age"),
            ("{name} is {age} years old.", "{name}, {age} years old, is here.", "I met {name}, aged {age}."),
        ),
        (
            ("name", "city"),
            ("{name} lives in {city}.", "{name} has a flat in {city}.", "My friend {name} is from {city}."),
        ),
        (("name", "age", "city"), ("{name} is {age} and lives in {city}.", "{name} from {city} is {age} years old.")),
        (("name", "job"), ("{name} works as a {job}.", "{name} is a {job}.", "Our {job} is called {name}.")),
        (("name", "job", "city"), ("{name} is a {job} in {city}.", "{name} works in {city} as a {job}.")),
        (("item", "price"), ("The {item} costs {price} euros.", "I paid {price} euros for the {item}.")),
        (("item", "colour"), ("The {item} is {colour}.", "I bought a {colour} {item}.", "She has a {colour} {item}.")),
        (("item", "count"), ("Please order {count} of these: {item}.", "We need the {item} {count} times.")),
        (("name", "day"), ("{name} comes on {day}.", "On {day} we meet {name}.", "The visit of {name} is on {day}.")),
        (("city", "day"), ("On {day} we travel to {city}.", "The train to {city} leaves on {day}.")),
    ),
    "zh": (
        (("name", "age"), ("{name}今年 {age} 岁。", "我认识 {age} 岁的{name}。", "{age} 岁的{name}在这里。")),
        (("name", "city"), ("{name}住在{city}。", "{name}来自{city}。", "我的朋友{name}是{city}人。")),
        (("name", "age", "city"), ("{name} {age} 岁，住在{city}。", "{name}来自{city}，今年 {age} 岁。")),
        (("name", "job"), ("{name}是{job}。", "{name}的工作是{job}。", "我们的{job}叫{name}。")),
        (("name", "job", "city"), ("{name}在{city}当{job}。", "{name}是{city}的一名{job}。")),
        (("item", "price"), ("{item}的价格是 {price} 元。", "我花了 {price} 元买{item}。")),
        (("item", "colour"), ("{item}是{colour}的。", "我买了{colour}的{item}。", "她有{colour}的{item}。")),
        (("item", "count"), ("请订 {count} 份{item}。", "我们要 {count} 份{item}。")),
        (("name", "day"), ("{name}{day}来。", "{day}我们和{name}见面。", "{name}的来访在{day}。")),
        (("city", "day"), ("{day}我们去{city}。", "去{city}的火车{day}出发。")),
    ),
}
"""Keys, and sentences that say the same; the first one is how Eyas says it."""
ITEMS: dict[Lang, str] = {
    "en": "bag hat lamp chair cup book coat bike clock scarf box bottle table mirror phone camera",
    "zh": "书包 帽子 台灯 椅子 杯子 书 大衣 自行车 闹钟 围巾 盒子 瓶子 桌子 镜子 手机 相机",
}
JOBS: dict[Lang, str] = {
    "en": "teacher doctor nurse cook baker farmer painter singer pilot driver lawyer writer",
    "zh": "老师 医生 护士 厨师 农民 画家 歌手 司机 律师 工程师 警察 记者",
}
LABELS: dict[Lang, dict[str, str]] = {
    "en": {"positive": "positive", "negative": "negative", "neutral": "neutral"},
    "zh": {"positive": "正面", "negative": "负面", "neutral": "中性"},
}


def value(key: str, lang: Lang, rng: random.Random) -> Value:
    """Something for a key."""
    if key in ("age", "price", "count"):
        return rng.randint(3, 95) if key != "count" else rng.randint(2, 20)
    if key == "name":
        return rng.choice(reading.NAMES[lang].split())
    if key == "item":
        return rng.choice(ITEMS[lang].split())
    if key == "job":
        return rng.choice(JOBS[lang].split())
    return rng.choice(reading.VALUES[{"city": "place", "colour": "colour", "day": "day"}[key]][lang].split())


def entry(lang: Lang, rng: random.Random, keys: tuple[str, ...] = ()) -> tuple[dict[str, Value], str, str]:
    """An object, a sentence that says it, and how Eyas would say it."""
    found = rng.choice([one for one in ENTRIES[lang] if not keys or one[0] == keys])
    slots = {key: value(key, lang, rng) for key in found[0]}
    texts = {key: str(one) for key, one in slots.items()}
    said = rng.choice(found[1]).format_map(texts)
    return slots, reading.a_an(said), reading.a_an(found[1][0].format_map(texts))


def dump(slots: dict[str, Value]) -> str:
    """The object as Eyas writes it."""
    return json.dumps(slots, ensure_ascii=False)


def schema(slots: dict[str, Value], lang: Lang, rng: random.Random) -> str:
    """A template for an object: empty, with types, with dots, or filled with another example."""
    draw = rng.random()
    if draw < 0.25:
        return dump({key: "" if isinstance(one, str) else 0 for key, one in slots.items()})
    if draw < 0.5:
        parts = [f'"{key}": {"string" if isinstance(one, str) else "number"}' for key, one in slots.items()]
        return "{" + ", ".join(parts) + "}"
    if draw < 0.75:
        return "{" + ", ".join(f'"{key}": …' for key in slots) + "}"
    return dump(entry(lang, rng, tuple(slots))[0])


def fill_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Fill JSON of a given form or with given keys; then the same for other sentences."""
    slots, text, _ = entry(lang, rng)
    keys = tuple(slots)
    if rng.random() < 0.65:
        question = asked(FILE, "fill", lang, rng, 0.1, t=text, s=schema(slots, lang, rng))
    else:
        names = ", ".join(keys) if lang == "en" else "、".join(keys)
        question = asked(FILE, "keys", lang, rng, 0.1, t=text, k=names)
    turns = [(question.replace("\\n", "\n"), dump(slots))]
    while rng.random() < 0.35 and len(turns) < 4:
        slots, text, _ = entry(lang, rng, keys)
        turns.append((asked(FILE, "more", lang, rng, 0.1, t=text), dump(slots)))
    return turns


def sentence_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A sentence from JSON, or one of its values; then what is asked about it."""
    slots, _, said = entry(lang, rng)
    turns: list[Turn] = []
    if rng.random() < 0.6:
        turns.append((asked(FILE, "sentence", lang, rng, 0.1, j=dump(slots)), said))
    key = rng.choice(sorted(slots))
    answer = f"{key}: {slots[key]}" if lang == "en" else f"{key}：{slots[key]}"
    if not turns:
        turns.append((asked(FILE, "value", lang, rng, 0.1, j=dump(slots), f=key), answer))
    elif rng.random() < 0.5:
        ways = (f"and what is the {key}?", f"What is the {key}?", f"the {key}?")
        turns.append((rng.choice(ways) if lang == "en" else rng.choice((f"{key} 是什么？", f"那 {key} 呢？")), answer))
    return turns


def yes_no_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Yes or no as JSON, about a text."""
    slots, text, _ = entry(lang, rng, rng.choice((("name", "age"), ("name", "city"), ("item", "colour"))))
    first, key = tuple(slots)
    right = rng.random() < 0.5
    shown = slots[key]
    while not right and shown == slots[key]:
        shown = value(key, lang, rng)
    ways = {
        ("en", "age"): f"Is {slots[first]} {shown} years old?",
        ("en", "city"): f"Does {slots[first]} live in {shown}?",
        ("en", "colour"): f"Is the {slots[first]} {shown}?",
        ("zh", "age"): f"{slots[first]} {shown} 岁吗？",
        ("zh", "city"): f"{slots[first]}住在{shown}吗？",
        ("zh", "colour"): f"{slots[first]}是{shown}的吗？",
    }
    if key == "city":
        text = f"{slots[first]} lives in {slots[key]}." if lang == "en" else f"{slots[first]}住在{slots[key]}。"
    question = f"{text}{' ' if lang == 'en' else ''}{ways[lang, key]}"
    return [(asked(FILE, "yes no", lang, rng, 0.0, q=question), dump({"answer": "yes" if right else "no"}))]


def mood(lang: Lang, rng: random.Random, names: tuple[str, ...]) -> tuple[str, str]:
    """A sentence with a clear mood, and the mood."""
    table, name = lists("json_sentiment"), rng.choice(names)
    pattern, thing = rng.choice(table[f"{name}.{lang}"]), rng.choice(table[f"thing.{lang}"])
    text = pattern.replace("{x}", thing) + (rng.choice((".", ".", "!")) if lang == "en" else rng.choice("。。！"))
    return name, text


def class_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Positive, negative or neutral; as a word or as JSON; then other sentences."""
    names = ("positive", "negative", "neutral") if rng.random() < 0.4 else ("positive", "negative")
    order = [LABELS[lang][name] for name in rng.sample(names, len(names))]
    shown = (", ".join(order[:-1]) + " or " + order[-1]) if lang == "en" else "、".join(order[:-1]) + "还是" + order[-1]
    as_json = rng.random() < 0.3
    turns: list[Turn] = []
    while not turns or (rng.random() < 0.35 and len(turns) < 4):
        name, text = mood(lang, rng, names)
        label = LABELS[lang][name]
        answer = dump({"label": label}) if as_json else label.capitalize() + ("." if lang == "en" else "。")
        if turns:
            turns.append((asked(FILE, "more", lang, rng, 0.1, t=text), answer))
        else:
            heading = "class json" if as_json else "class"
            turns.append((asked(FILE, heading, lang, rng, 0.1, t=text, l=shown), answer))
    return turns


def mixed_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Two such jobs, one after the other."""
    return [turn for _ in range(2) for turn in drawn(SINGLE, lang, rng)]


SINGLE: tuple[tuple[Talk, float], ...] = ((fill_talk, 40), (sentence_talk, 14), (yes_no_talk, 10), (class_talk, 30))
TALKS: tuple[tuple[Talk, float], ...] = (*SINGLE, (mixed_talk, 12))
"""The talks of this field with their weights."""
