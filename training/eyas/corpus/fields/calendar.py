"""Days, months, years, seasons, festivals, the Chinese zodiac; and what Eyas cannot know: today, now, the weather."""

from __future__ import annotations

import functools
import random

from training.eyas.corpus.fields import table_talk
from training.eyas.corpus.fields.table_talk import LANGS, Both, Reply, Slots, Table, Talk, Thing, Turn
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows, words

FILE = "calendar"
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
NUMBERS = ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
COUNTS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
SEASONS: dict[Lang, tuple[str, ...]] = {
    "en": ("winter", "spring", "summer", "autumn"),
    "zh": ("冬天", "春天", "夏天", "秋天"),
}
ZODIAC: dict[Lang, tuple[str, ...]] = {
    "en": ("rat", "ox", "tiger", "rabbit", "dragon", "snake", "horse", "goat", "monkey", "rooster", "dog", "pig"),
    "zh": ("鼠", "牛", "虎", "兔", "龙", "蛇", "马", "羊", "猴", "鸡", "狗", "猪"),
}


def _asked(heading: str, slots: dict[Lang, Slots], lang: Lang, rng: random.Random) -> list[Turn]:
    asked = table_talk.ask(FILE, heading, lang, rng, slots[lang])
    says = table_talk.says(FILE, heading, rng, slots)
    short: Both | None = {one: slots[one]["v"] for one in LANGS} if "v" in slots["en"] else None
    return table_talk.turns(Reply(asked, says, short), lang, rng)


def _spoken(day: str, rng: random.Random) -> str:
    """星期一 as people say it: 周一, 礼拜一."""
    return day.replace("星期", rng.choice(("星期", "星期", "周", "礼拜")))


def _circle(name: str, lang: Lang) -> tuple[str, ...]:
    return words(name, lang)


def neighbour(kind: str) -> Talk:
    """The day or month before or after, and on from there."""

    def talk(lang: Lang, rng: random.Random) -> list[Turn]:
        after = rng.random() < 0.6
        circle: dict[Lang, tuple[str, ...]] = {one: _circle(kind, one) for one in LANGS}
        at, step = rng.randrange(len(circle["en"])), 1 if after else -1
        heading = f"{kind} {'after' if after else 'before'}"

        def slots(position: int) -> dict[Lang, Slots]:
            count = len(circle["en"])
            return {
                one: {"x": circle[one][position % count], "v": circle[one][(position + step) % count]} for one in LANGS
            }

        asking = slots(at)[lang]
        if lang == "zh" and kind == "day":
            asking = {**asking, "x": _spoken(asking["x"], rng)}
        if rng.random() < 0.05:
            asking = {**asking, "x": slots(at)[table_talk.other(lang)]["x"]}
        asked = table_talk.ask(FILE, heading, lang, rng, asking)
        says = table_talk.says(FILE, heading, rng, slots(at))
        talk = [(asked, says[lang])]
        draw = rng.random()
        if draw < 0.15:
            further: Both = {
                "en": f"and {'after' if after else 'before'} that",
                "zh": f"{'再往后' if after else '再往前'}呢",
            }
            answer = table_talk.say(FILE, heading, lang, rng, slots(at + step)[lang])
            talk.append((table_talk.lightly(table_talk.marked(further[lang], lang), lang, rng), answer))
        elif draw < 0.28:
            jump = rng.randrange(len(circle["en"]))
            answer = table_talk.say(FILE, heading, lang, rng, slots(jump)[lang])
            talk.append((table_talk.next_question(circle[lang][jump], lang, rng), answer))
        elif draw < 0.42:
            value: Both = {one: slots(at)[one]["v"] for one in LANGS}
            wrong: Both = {one: slots(at + 2)[one]["v"] for one in LANGS}
            talk += table_talk.follow(Reply(asked, says, value, wrong), lang, rng)
        return talk

    return talk


def day_later(lang: Lang, rng: random.Random) -> list[Turn]:
    """The day some days later, up to ten."""
    at, count = rng.randrange(7), rng.choice((2, 2, 3, 3, 4, 5, 6, 7, 8, 10))
    slots: dict[Lang, Slots] = {
        "en": {"n": str(count)},
        "zh": {"n": COUNTS[count] if rng.random() < 0.5 else f" {count} "},
    }
    for one in LANGS:
        slots[one] |= {"x": words("day", one)[at], "v": words("day", one)[(at + count) % 7]}
    return _asked("day later", slots, lang, rng)


@functools.cache
def months() -> Table:
    """The months with their lengths."""
    things = []
    for at, (en, zh) in enumerate(zip(words("month", "en"), words("month", "zh"), strict=True)):
        february = at == 1
        known: dict[str, dict[Lang, Slots]] = {
            "month days": {
                "en": {"v": str(LENGTHS[at]), "note": ", in a leap year 29" if february else ""},
                "zh": {"v": str(LENGTHS[at]), "note": "，闰年 29 天" if february else ""},
            },
            "month number": {
                "en": {"v": ORDINALS[at], "o": ORDINALS[at], "n": str(at + 1)},
                "zh": {"v": en, "o": NUMBERS[at + 1], "e": en, "n": str(at + 1)},
            },
            "season of": {
                one: {"v": SEASONS[one][(at + 1) % 12 // 3], "w": SEASONS[one][((at + 1) % 12 // 3 + 2) % 4]}
                for one in LANGS
            },
        }
        things.append(Thing({"en": en, "zh": zh}, known))
    return Table(FILE, tuple(things))


def month_number(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which month of the year it is; in Chinese, the English names."""
    thing = rng.choice(months().things)
    heading = rng.choice(("month number", "month number back"))
    slots = thing.slots("month number", lang)
    asked = table_talk.ask(FILE, heading, lang, rng, slots)
    return [(asked, table_talk.say(FILE, heading, lang, rng, slots))]


def month_days_check(lang: Lang, rng: random.Random) -> list[Turn]:
    """Has the month 30 or 31 days?"""
    at, right = rng.randrange(12), rng.random() < 0.5
    thing = months().things[at]
    told = LENGTHS[at] if right else rng.choice([days for days in (28, 30, 31) if days != LENGTHS[at]])
    slots = {**thing.slots("month days", lang), "v": str(told)}
    asked = table_talk.ask_check(FILE, "month days check", lang, rng, slots)
    return table_talk.checked(right, asked, months().says(thing, "month days", rng), lang, rng)


def hours_later(lang: Lang, rng: random.Random) -> list[Turn]:
    """What time it is some hours later, on the 12-hour clock."""
    start, count = rng.randint(1, 12), rng.randint(1, 8)
    end = (start + count - 1) % 12 + 1
    plural = "" if count == 1 else "s"
    slots: dict[Lang, Slots] = {
        "en": {"n": str(start), "k": str(count), "s": plural, "v": str(end)},
        "zh": {"n": str(start), "k": str(count), "v": str(end)},
    }
    if rng.random() < 0.4:
        slots["zh"] = {"n": COUNTS[start], "k": COUNTS[count], "v": COUNTS[end]}
    asked = table_talk.ask(FILE, "hours later", lang, rng, slots[lang])
    return table_talk.turns(Reply(asked, table_talk.says(FILE, "hours later", rng, slots)), lang, rng)


def clock(lang: Lang, rng: random.Random) -> list[Turn]:
    """The 24-hour clock."""
    hour = rng.randint(13, 23)
    part = "下午" if hour < 18 else "晚上"
    slots: dict[Lang, Slots] = {
        "en": {"n": str(hour), "v": f"{hour - 12} pm"},
        "zh": {"n": str(hour), "v": f"{part} {hour - 12} 点"},
    }
    return _asked("clock", slots, lang, rng)


def zodiac(lang: Lang, rng: random.Random) -> list[Turn]:
    """The animal of a year, the next one, and its place."""
    draw = rng.random()
    at = rng.randrange(12)
    if draw < 0.45:
        year = rng.randint(1940, 2035)
        slots: dict[Lang, Slots] = {one: {"y": str(year), "v": ZODIAC[one][(year - 4) % 12]} for one in LANGS}
        return _asked("zodiac of", slots, lang, rng)
    if draw < 0.75:
        slots = {one: {"x": ZODIAC[one][at], "v": ZODIAC[one][(at + 1) % 12]} for one in LANGS}
        return _asked("zodiac next", slots, lang, rng)
    slots = {"en": {"x": ZODIAC["en"][at], "o": ORDINALS[at]}, "zh": {"x": ZODIAC["zh"][at], "o": NUMBERS[at + 1]}}
    return _asked("zodiac place", slots, lang, rng)


def is_leap(year: int) -> bool:
    """By the rule of the Gregorian calendar."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def leap(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is it a leap year?"""
    year = rng.choice((1700, 1800, 1900, 2000, 2100, 2200, 2400)) if rng.random() < 0.2 else rng.randint(1950, 2050)
    if rng.random() < 0.4:
        year -= year % 4
    asked = table_talk.ask(FILE, "leap", lang, rng, {"y": str(year)})
    yes = is_leap(year)
    if lang == "en":
        answer = f"{year} is a leap year, with 366 days and 29 days in February."
        answer = answer if yes else f"{year} is not a leap year: it has 365 days, and February has 28."
    else:
        answer = f"{year} 年是闰年，有 366 天，二月有 29 天。"
        answer = answer if yes else f"{year} 年不是闰年，有 365 天，二月有 28 天。"
    talk = [(asked, answer)]
    if rng.random() < 0.2:
        other = year + rng.randint(1, 4)
        yes = is_leap(other)
        if lang == "en":
            after = (
                f"{other} is a leap year, with 366 days." if yes else f"{other} is not a leap year: it has 365 days."
            )
        else:
            after = f"{other} 年是闰年，有 366 天。" if yes else f"{other} 年不是闰年，有 365 天。"
        talk.append((table_talk.next_question(str(other) if lang == "en" else f"{other} 年", lang, rng), after))
    return talk


@functools.cache
def festivals() -> Table:
    """Holidays and festivals."""
    things = []
    for en, zh, date, date_zh, about, about_zh in rows("festivals"):
        at = date if date.startswith("around") else "on " + date
        known: dict[str, dict[Lang, Slots]] = {
            "date": {"en": {"v": date, "at": at}, "zh": {"v": date_zh}},
            "about": {"en": {"v": about, "at": at}, "zh": {"v": about_zh.removeprefix("它"), "d": date_zh}},
        }
        things.append(Thing({"en": en, "zh": zh}, known))
    return Table("festivals", tuple(things))


def festival(lang: Lang, rng: random.Random) -> list[Turn]:
    """When it is, what it is about, and which one is on a date."""
    draw = rng.random()
    fixed = rng.random() < 0.7
    some = tuple(thing for thing in festivals().things if thing.value("date")["en"][0].isdigit() == fixed)
    table = Table("festivals", some)
    if draw < 0.4:
        talk = table.forward("date", lang, rng)
    elif draw < 0.62:
        talk = table.forward("about", lang, rng)
    elif draw < 0.8 or not fixed:
        talk = table.check("date", lang, rng)
    else:
        talk = table.back("date", lang, rng, mixed=False)
    return [(_american(asked, rng), answer) for asked, answer in talk] if lang == "en" else talk


def _american(text: str, rng: random.Random) -> str:
    """``December 25`` for ``25 December``, now and then."""
    if rng.random() < 0.6:
        return text
    for month in words("month", "en"):
        for form in (month, month.lower()):
            head, sep, tail = text.partition(" " + form)
            if sep and head[-1:].isdigit():
                cut = len(head.rstrip("0123456789"))
                return f"{head[:cut]}{form} {head[cut:]}{tail}"
    return text


def edge(lang: Lang, rng: random.Random) -> list[Turn]:
    """What Eyas cannot know: today, now, the weather; and dates it cannot work out."""
    draw = rng.random()
    if draw < 0.75:
        return table_talk.edge(FILE, "edge", lang, rng, {}, "today")
    if draw < 0.85:
        name = rng.choice(festivals().things).name[lang]
        return table_talk.edge("festivals", "edge", lang, rng, {"x": name})
    day, month = rng.randint(1, 28), rng.randrange(12)
    dates = {"en": f"{day} {words('month', 'en')[month]}", "zh": f"{month + 1} 月 {day} 日"}
    return table_talk.edge(FILE, "edge far", lang, rng, {"d": dates[lang], "y": str(rng.randint(1850, 2060))})


TALKS: tuple[tuple[Talk, float], ...] = (
    (neighbour("day"), 9),
    (day_later, 6),
    (neighbour("month"), 7),
    (lambda lang, rng: months().forward("month days", lang, rng), 6),
    (month_days_check, 3),
    (month_number, 3.5),
    (lambda lang, rng: months().forward("season of", lang, rng), 3),
    (hours_later, 4),
    (clock, 2),
    (zodiac, 7),
    (leap, 4),
    (festival, 12),
    (table_talk.entry_talk("calendar_facts"), 22),
    (edge, 13),
)
