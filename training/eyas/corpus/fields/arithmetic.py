"""Arithmetic with small numbers: sums, tables, fractions, comparisons, sequences, word problems, and chains of them."""

from __future__ import annotations

import random

from training.eyas.corpus import unknown
from training.eyas.corpus.fields.common import Talk, Turn, asked, drawn, told
from training.eyas.corpus.grammar import Lang, expand

FILE = "arithmetic"
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
DIGITS = "零一二三四五六七八九"
WAYS: dict[str, dict[Lang, tuple[str, ...]]] = {
    "+": {"en": ("{a} + {b}", "{a}+{b}", "{a} plus {b}", "{a} and {b}"), "zh": ("{a} + {b}", "{a}+{b}", "{a}加{b}")},
    "−": {"en": ("{a} - {b}", "{a}-{b}", "{a} minus {b}", "{a} − {b}"), "zh": ("{a} - {b}", "{a}-{b}", "{a}减{b}")},
    "×": {
        "en": ("{a} × {b}", "{a} x {b}", "{a}*{b}", "{a} * {b}", "{a} times {b}", "{a} multiplied by {b}"),
        "zh": ("{a} × {b}", "{a}*{b}", "{a}乘{b}", "{a}乘以{b}", "{a}×{b}", "{a} x {b}"),
    },
    "÷": {
        "en": ("{a} ÷ {b}", "{a} / {b}", "{a}/{b}", "{a} divided by {b}", "{a} : {b}"),
        "zh": ("{a} ÷ {b}", "{a}/{b}", "{a}除以{b}", "{a}÷{b}"),
    },
}
"""How the four operations are written and said."""
NOUNS: dict[str, dict[Lang, str]] = {
    "+": {"en": "the sum of {a} and {b}", "zh": "{a}与{b}的和"},
    "−": {"en": "the difference between {a} and {b}", "zh": "{a}与{b}的差"},
    "×": {"en": "the product of {a} and {b}", "zh": "{a}与{b}的积"},
    "÷": {"en": "the quotient of {a} and {b}", "zh": "{a}除以{b}的商"},
}
THEN: dict[str, dict[Lang, tuple[str, ...]]] = {
    "+": {"en": ("plus {b}", "+ {b}"), "zh": ("加 {b}", "加上 {b}")},
    "−": {"en": ("minus {b}", "- {b}"), "zh": ("减 {b}", "减去 {b}")},
    "×": {"en": ("times {b}", "x {b}"), "zh": ("乘 {b}", "乘以 {b}")},
    "÷": {"en": ("divided by {b}", "/ {b}"), "zh": ("除以 {b}",)},
}
NAMES: dict[Lang, str] = {
    "en": "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Lena Marco Nora Oscar Paula Sam Tom Vera Will Zoe",
    "zh": "小明 小刚 小丽 小华 小芳 小军 小强 小兰 小林 小雨 妈妈 爸爸 奶奶 老师",
}
THINGS: dict[Lang, tuple[tuple[str, str], ...]] = {
    "en": tuple(
        (word, "")
        for word in [
            "apples",
            "books",
            "pens",
            "coins",
            "stickers",
            "eggs",
            "balls",
            "pears",
            "stamps",
            "cards",
            "shells",
            "cookies",
        ]
    ),
    "zh": (
        ("苹果", "个"),
        ("书", "本"),
        ("铅笔", "支"),
        ("硬币", "枚"),
        ("贴纸", "张"),
        ("鸡蛋", "个"),
        ("球", "个"),
        ("糖", "颗"),
        ("邮票", "张"),
        ("卡片", "张"),
        ("饼干", "块"),
        ("梨", "个"),
    ),
}


def result(op: str, a: int, b: int) -> int:
    """The result of one operation."""
    return {"+": a + b, "−": a - b, "×": a * b, "÷": a // b if b else 0}[op]


def numbers(op: str, rng: random.Random) -> tuple[int, int]:
    """Two numbers that suit an operation; results are whole and not below zero."""
    if op == "×":
        return rng.choice(((rng.randint(0, 12), rng.randint(0, 12)), (rng.randint(2, 10), rng.randint(2, 10))))
    if op == "÷":
        b, c = rng.randint(1, 12), rng.randint(1, 12)
        return b * c, b
    top = rng.choice((10, 20, 20, 50, 100))
    a, b = rng.randint(0, top), rng.randint(0, top)
    if op == "−":
        return max(a, b), min(a, b)
    return (a, b) if a + b <= 100 or rng.random() < 0.15 else (a // 2, b // 2)


def in_words(number: int, lang: Lang) -> str:
    """A number below a hundred million in words."""
    return english(number) if lang == "en" else chinese(number)


def english(number: int) -> str:
    """A number in English words."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 1] + (f"-{ONES[number % 10]}" if number % 10 else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            link = " and " if rest < 100 else " "
            return f"{english(number // size)} {name}" + (link + english(rest) if rest else "")
    raise ValueError(number)


def chinese(number: int) -> str:
    """A number in Chinese words."""
    if number < 10:
        return DIGITS[number]
    if number < 20:
        return "十" + (DIGITS[number % 10] if number % 10 else "")
    text = below_wan(number % 10000) if number % 10000 or number < 10000 else ""
    text = text.replace("二千", "两千")
    if number < 10000:
        return text
    gap = "零" if text and number % 10000 < 1000 else ""
    if number // 10000 == 2:
        return "两万" + gap + text
    return (chinese(number // 10000) if number < 200_000 else below_wan(number // 10000)) + "万" + gap + text


def below_wan(number: int) -> str:
    """A number below ten thousand in Chinese words."""
    text, zero = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            text += ("零" if zero and text else "") + DIGITS[digit] + name
        zero = not digit
    return text


def end(text: str, lang: Lang) -> str:
    """``text`` as a sentence."""
    return text + ("." if lang == "en" else "。")


def written(op: str, a: int, b: int, lang: Lang, rng: random.Random) -> str:
    """An expression as somebody writes or says it."""
    draw = rng.random()
    pattern = NOUNS[op][lang] if draw < 0.08 else rng.choice(WAYS[op][lang])
    spoken = draw > 0.85 and any(mark.isalpha() for mark in pattern.replace("{a}", "").replace("{b}", ""))
    names = [in_words(n, lang) if spoken and n <= 100 else str(n) for n in (a, b)]
    return expand(pattern, rng, {"a": names[0], "b": names[1]})


def ending(value: int, said: str, lang: Lang, rng: random.Random) -> list[Turn]:
    """What people say after a result: are you sure, no it is …, thanks; or nothing."""
    draw = rng.random()
    if draw < 0.8:
        return []
    if draw < 0.87:
        return [(asked(FILE, "sure", lang, rng, 0.2), told(FILE, "sure", lang, rng, a=said))]
    if draw < 0.94:
        wrong = max(value + rng.choice((-2, -1, 1, 2, 10)), 0)
        wrong = value + 1 if wrong == value else wrong
        return [(asked(FILE, "wrong", lang, rng, 0.2, w=str(wrong)), told(FILE, "wrong", lang, rng, a=said))]
    return [(asked(FILE, "thanks", lang, rng, 0.2), told(FILE, "thanks", lang, rng))]


def sum_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One sum, and now and then the result taken on."""
    op = rng.choice("++−−×××÷÷")
    a, b = numbers(op, rng)
    value = result(op, a, b)
    said = end(f"{a} {op} {b} = {value}", lang)
    turns = [(asked(FILE, "sum", lang, rng, e=written(op, a, b, lang, rng)), said)]
    if rng.random() < 0.4:
        for _ in range(rng.choice((1, 1, 2, 3))):
            step = then(value, rng)
            if step is None:
                break
            op, b = step
            part = expand(rng.choice(THEN[op][lang]), rng, {"b": str(b)})
            said = end(f"{value} {op} {b} = {result(op, value, b)}", lang)
            value = result(op, value, b)
            turns.append((asked(FILE, "then", lang, rng, 0.3, p=part), said))
    return turns + ending(value, said, lang, rng)


def then(value: int, rng: random.Random) -> tuple[str, int] | None:
    """A next step that stays small and whole."""
    steps = [("+", rng.randint(1, 20)), ("−", rng.randint(1, max(1, min(value, 20))))] if value <= 120 else []
    if value <= 12:
        steps += [("×", rng.randint(2, 10))] * 2
    steps += [("÷", b) for b in range(2, 13) if value and value % b == 0 and value // b <= 12]
    steps = [(op, b) for op, b in steps if result(op, value, b) >= 0 and (op != "−" or value >= b)]
    return rng.choice(steps) if steps else None


def again_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Several sums in a row, of one table."""
    op, base = rng.choice("+−×"), rng.randint(2, 12)
    turns = []
    for _ in range(rng.randint(2, 4)):
        other = rng.randint(0, 12) if op == "×" else rng.randint(0, 30)
        a, b = (base, other) if op != "−" else (base + other, base)
        turns.append((asked(FILE, "sum", lang, rng, 0.4, e=written(op, a, b, lang, rng)), f"{a} {op} {b} = "))
        turns[-1] = (turns[-1][0], end(turns[-1][1] + str(result(op, a, b)), lang))
    return turns


def check_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Is 3 + 4 = 8? Half of them are right."""
    op = rng.choice("+−×÷")
    a, b = numbers(op, rng)
    value, right = result(op, a, b), rng.random() < 0.5
    shown = value if right else value + rng.choice((1, 2, 3, 10) if value < 10 else (-10, -2, -1, 1, 2, 10))
    said = end(f"{a} {op} {b} = {value}", lang)
    verdict = {"en": ("No", "Yes"), "zh": ("不对", "对")}[lang][right]
    expression = expand(WAYS[op][lang][0], rng, {"a": str(a), "b": str(b)})
    question = asked(FILE, "check", lang, rng, e=expression, w=str(shown))
    return [(question, told(FILE, "check", lang, rng, v=verdict, a=said)), *ending(value, said, lang, rng)]


def special_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Doubles, halves, squares, quarters, percentages, simple roots."""
    kind = rng.choice(("double", "half", "square", "part", "percent", "root", "third"))
    n = rng.randint(1, 50)
    en, zh = "", ""
    ways: tuple[tuple[str, ...], tuple[str, ...]]
    if kind == "double":
        ways = ("double {a}", "twice {a}", "two times {a}"), ("{a}的两倍", "{a}的2倍", "{a}翻一倍")
        en, zh, value = f"Twice {n} is {2 * n}.", f"{n} 的两倍是 {2 * n}。", 2 * n
    elif kind == "half":
        n, value = 2 * n, n
        ways = ("half of {a}", "one half of {a}", "half {a}"), ("{a}的一半", "{a}的二分之一", "{a}的1/2")
        en, zh = f"Half of {n} is {value}.", f"{n} 的一半是 {value}。"
    elif kind == "third":
        value = rng.randint(1, 12)
        n = 3 * value
        ways = ("a third of {a}", "one third of {a}", "1/3 of {a}"), ("{a}的三分之一", "{a}的1/3")
        en, zh = f"A third of {n} is {value}.", f"{n} 的三分之一是 {value}。"
    elif kind == "part":
        value = rng.randint(1, 25)
        n = 4 * value
        ways = ("a quarter of {a}", "one quarter of {a}", "1/4 of {a}"), ("{a}的四分之一", "{a}的1/4")
        en, zh = f"A quarter of {n} is {value}.", f"{n} 的四分之一是 {value}。"
    elif kind == "square":
        n = rng.randint(1, 12)
        value = n * n
        ways = ("{a} squared", "the square of {a}", "{a}^2", "{a}²"), ("{a}的平方", "{a}²", "{a}^2")
        en, zh = f"{n} squared is {value}: {n} × {n} = {value}.", f"{n} 的平方是 {value}：{n} × {n} = {value}。"
    elif kind == "root":
        value = rng.randint(1, 12)
        n = value * value
        ways = (
            ("the square root of {a}", "root of {a}", "sqrt({a})", "√{a}"),
            ("{a}的平方根", "{a}的算术平方根", "√{a}"),
        )
        en, zh = f"The square root of {n} is {value}.", f"{n} 的算术平方根是 {value}。"
    else:
        p = rng.choice((10, 20, 25, 50, 100))
        n = rng.choice((100, 200, 300, 400, 500, 1000)) if p != 50 else 10 * rng.randint(1, 20)
        value = n * p // 100
        ways = (
            (f"{p}% of {{a}}", f"{p} percent of {{a}}", f"{p} per cent of {{a}}"),
            (f"{{a}}的{p}%", f"{{a}}的百分之{p}"),
        )
        en, zh = f"{p}% of {n} is {value}.", f"{n} 的 {p}% 是 {value}。"
    shown = expand(rng.choice(ways[lang == "zh"]).replace("(", r"\(").replace(")", r"\)"), rng, {"a": str(n)})
    said = en if lang == "en" else zh
    return [(asked(FILE, "sum", lang, rng, e=shown), said), *ending(value, said, lang, rng)]


def compare_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """The larger or the smaller of two numbers, one time in ten equal ones."""
    top = rng.choice((10, 20, 100, 100, 1000))
    a, b = rng.randint(0, top), rng.randint(0, top)
    b = a if rng.random() < 0.08 else b
    larger = rng.random() < 0.7
    question = asked(FILE, "compare" if larger else "smaller", lang, rng, a=str(a), b=str(b))
    if a == b:
        return [(question, f"They are equal: {a} = {b}." if lang == "en" else f"一样大：{a} = {b}。")]
    big, small = max(a, b), min(a, b)
    if larger:
        said = f"{big} is larger than {small}." if lang == "en" else f"{big} 更大，{big} 大于 {small}。"
    else:
        said = f"{small} is smaller than {big}." if lang == "en" else f"{small} 更小，{small} 小于 {big}。"
    if "Is " in question[:3] and lang == "en" and larger:
        said = ("Yes, " if a > b and "or smaller" not in question else "") + said
        said = said if a > b or "or smaller" in question else f"No, {a} is smaller than {b}."
    return [(question, said)]


def parity_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Even or odd; prime or not."""
    if rng.random() < 0.5:
        n = rng.randint(0, rng.choice((20, 100, 1000)))
        said = f"{n} is {('even', 'odd')[n % 2]}." if lang == "en" else f"{n} 是{('偶数', '奇数')[n % 2]}。"
        return [(asked(FILE, "even", lang, rng, a=str(n)), said)]
    n = rng.choice((rng.choice(PRIMES), rng.randint(1, 50)))
    if n in PRIMES:
        said = f"Yes, {n} is a prime number." if lang == "en" else f"{n} 是质数。"
    elif n == 1:
        said = "No, 1 is not a prime number." if lang == "en" else "1 不是质数，也不是合数。"
    else:
        small = next(p for p in PRIMES if n % p == 0)
        parts = f"{n} = {small} × {n // small}"
        said = f"No, {n} is not a prime number: {parts}." if lang == "en" else f"{n} 不是质数：{parts}。"
    return [(asked(FILE, "prime", lang, rng, a=str(n)), said)]


def sequence_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What comes next in a simple sequence."""
    kind, count = rng.random(), rng.choice((3, 4, 4, 5))
    if kind < 0.75:
        step = rng.choice((1, 2, 2, 3, 4, 5, 5, 10, 10))
        first = rng.randint(0, 20)
        row = [first + step * i for i in range(count + 1)]
        row = row[::-1] if rng.random() < 0.3 else row
        signed = f"+ {step}" if row[1] > row[0] else f"− {step}"
    else:
        row = [rng.choice((1, 2, 3)) * 2**i for i in range(1)]
        for _ in range(count):
            row.append(row[-1] * 2)
        signed = "× 2"
    shown = rng.choice((", ", ", ", " ", ",")) if lang == "en" else rng.choice(("，", "、", ", ", " "))
    question = asked(FILE, "next", lang, rng, l=shown.join(map(str, row[:-1])))
    rule = f"{row[-2]} {signed} = {row[-1]}"
    said = f"The next number is {row[-1]}: {rule}." if lang == "en" else f"下一个数是 {row[-1]}：{rule}。"
    return [(question, said)]


def count_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Counting up and down; rounding to the nearest ten."""
    if rng.random() < 0.4:
        n = rng.randint(1, 99)
        near = (n + 5) // 10 * 10
        said = f"{n} rounded to the nearest ten is {near}." if lang == "en" else f"{n} 四舍五入到十位是 {near}。"
        return [(asked(FILE, "round", lang, rng, a=str(n)), said)]
    a = rng.randint(0, 20)
    b = a + rng.randint(3, 10)
    row = list(range(a, b + 1))
    row = row[::-1] if rng.random() < 0.35 else row
    said = end((", " if lang == "en" else "、").join(map(str, row)), lang)
    return [(asked(FILE, "count", lang, rng, a=str(row[0]), b=str(row[-1])), said)]


def words_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """Digits to words and back."""
    n = rng.choice((rng.randint(0, 20), rng.randint(0, 99), rng.randint(100, 999), rng.choice((1000, 10000, 100000))))
    n = rng.choice((n, n, n, rng.randint(1, 9) * rng.choice((100, 1000, 10000, 1_000_000)), 100_000_000 // 10))
    word = in_words(n, lang)
    if rng.random() < 0.5:
        said = f"{n} in words is {word}." if lang == "en" else f"{n} 用汉字写作{word}。"
        return [(asked(FILE, "words ask", lang, rng, a=str(n)), said)]
    said = f"{word[:1].upper() + word[1:]} is {n}." if lang == "en" else f"{word}是 {n}。"
    return [(asked(FILE, "digits ask", lang, rng, a=word), said)]


def story_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """A word problem of one step."""
    op, heading = rng.choice((("+", "add"), ("−", "sub"), ("×", "mul"), ("÷", "div")))
    while True:
        a, b = numbers(op, rng)
        if min(a, b) >= 2 and result(op, a, b) >= 2 and a <= 100:
            break
    thing, measure = rng.choice(THINGS[lang])
    name = rng.choice(NAMES[lang].split())
    slots = {"n": name, "a": str(a), "b": str(b), "t": thing, "m": measure}
    question = asked("arithmetic_stories", heading, lang, rng, 0.15, **slots)
    said = told("arithmetic_stories", heading, lang, rng, r=str(result(op, a, b)), **slots)
    return [(question, said), *ending(result(op, a, b), said, lang, rng)]


def big_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """What is too large for Eyas."""
    a, b = rng.randint(1001, 99999), rng.randint(113, 9999)
    shown = rng.choice(
        (f"{a} * {b}", f"{a} × {b}", f"{a} / {b}", f"{a} + {b * 7}", f"√{a}", f"{a % 90 + 13}^{b % 9 + 4}")
    )
    shown = rng.choice((shown, shown, f"{b % 900 + 101} × {a % 800 + 103}", f"{b}.{a % 97 + 1} × {a % 31 + 3}.7"))
    turns = [(asked(FILE, "big", lang, rng, e=shown), unknown.answer(lang, rng, "large"))]
    return turns + sum_talk(lang, rng) if rng.random() < 0.3 else turns


def mixed_talk(lang: Lang, rng: random.Random) -> list[Turn]:
    """One question of arithmetic after another."""
    return [turn for _ in range(2) for turn in drawn(SINGLE, lang, rng)]


SINGLE: tuple[tuple[Talk, float], ...] = (
    (sum_talk, 34),
    (again_talk, 7),
    (check_talk, 8),
    (special_talk, 10),
    (compare_talk, 7),
    (parity_talk, 7),
    (sequence_talk, 6),
    (count_talk, 5),
    (words_talk, 7),
    (story_talk, 14),
    (big_talk, 7),
)
TALKS: tuple[tuple[Talk, float], ...] = (*SINGLE, (mixed_talk, 10))
"""The talks of this field with their weights."""
