"""Countries, the world, planets, elements, units and the calendar: right, complete, and asked in many ways."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from training.eyas.corpus import unknown
from training.eyas.corpus.fields import calendar, countries, elements, planets, table_talk, units, world
from training.eyas.corpus.fields.table_talk import LANGS, Table, Turn
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import faq, rows

FIELDS = ("countries", "world", "planets", "elements", "units", "calendar")
FILES = (
    "table_talk",
    "countries",
    "world",
    "records",
    "planets",
    "astronomy",
    "elements",
    "chemistry",
    "units",
    "measures",
    "calendar",
    "calendar_facts",
    "festivals",
)


def draws(field: str, lang: Lang, count: int, seed: int = 1) -> list[list[Turn]]:
    talks = importlib.import_module(f"training.eyas.corpus.fields.{field}").TALKS
    rng = random.Random(seed)
    return [
        rng.choices([talk for talk, _ in talks], [weight for _, weight in talks])[0](lang, rng) for _ in range(count)
    ]


def answers(talk: Callable[[Lang, random.Random], list[Turn]], lang: Lang, count: int = 3000) -> set[str]:
    rng = random.Random(3)
    return {answer for _ in range(count) for _, answer in talk(lang, rng)[:1]}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_the_same_seed_gives_the_same_talks(field: str, lang: Lang) -> None:
    assert draws(field, lang, 40) == draws(field, lang, 40)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_talks_are_filled_in_and_varied(field: str, lang: Lang) -> None:
    talks = draws(field, lang, 1500)
    texts = [text for talk in talks for turn in talk for text in turn]
    assert [text for text in texts if re.search(r"[{}~]|\bNone\b", text)] == []
    assert all(text.strip() for text in texts)
    assert len({talk[0][0] for talk in talks}) >= 0.8 * len(talks)
    assert sum(len(talk) > 1 for talk in talks) >= 0.2 * len(talks)


@pytest.mark.parametrize("field", FIELDS)
def test_answers_are_in_the_language_of_the_question(field: str) -> None:
    asks_for_english = re.compile("英|nglish|译")
    asks_for_chinese = re.compile("hin|中")
    for talk in draws(field, "en", 500):
        for asked, answer in talk:
            assert asks_for_chinese.search(asked) or "hinese is" in answer or not re.match("[\u4e00-\u9fff]", answer)
    for talk in draws(field, "zh", 500):
        for asked, answer in talk:
            assert asks_for_english.search(asked) or re.search("[。！：]", answer), (asked, answer)


@pytest.mark.parametrize("name", FILES)
def test_patterns_can_be_read(name: str) -> None:
    for entry in faq(name).values():
        for lang in LANGS:
            for pattern in (*entry.questions[lang], *entry.topics[lang], *entry.answers[lang]):
                parse(pattern)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("lang", LANGS)
def test_some_questions_are_met_with_the_honest_answer(field: str, lang: Lang) -> None:
    honest = {answer for kind in ("knowledge", "today") for answer in faq("outside")[kind].answers[lang]}
    share = sum(talk[0][1] in honest for talk in draws(field, lang, 2000)) / 2000
    assert 0.05 < share < 0.2
    assert unknown.answer(lang, random.Random(1)) in honest


def test_all_countries_are_there_with_all_that_is_asked() -> None:
    every = countries.countries()
    assert len(every) == 194
    assert len(countries.LANDLOCKED) == 44
    for country in every.values():
        assert country.name["zh"]
        assert all(country.code in every[code].neighbours for code in country.neighbours)
        assert country.continent in countries.words("place")
        assert country.money == "-" or country.money in countries.words("money")
        assert all(code in countries.words("lang") for code in country.languages)
        assert country.capital["en"] != "-" or country.code in countries.words("capital")
    assert set(every) >= countries.LANDLOCKED
    inland = [every[code] for code in countries.LANDLOCKED]
    assert all(country.neighbours for country in inland)


@pytest.mark.parametrize(
    ("code", "capital", "capital_zh", "money", "neighbour"),
    [
        ("FR", "Paris", "巴黎", "euro", "ES"),
        ("AU", "Canberra", "堪培拉", "Australian dollar", ""),
        ("BR", "Brasília", "巴西利亚", "real", "PE"),
        ("KZ", "Astana", "阿斯塔纳", "tenge", "CN"),
        ("MM", "Naypyidaw", "内比都", "Myanmar kyat", "TH"),
        ("NG", "Abuja", "阿布贾", "naira", "NE"),
        ("CH", "Bern", "伯尔尼", "Swiss franc", "LI"),
        ("TR", "Ankara", "安卡拉", "Turkish lira", "SY"),
        ("HU", "Budapest", "布达佩斯", "forint", "SI"),
        ("KE", "Nairobi", "内罗毕", "Kenyan shilling", "TZ"),
        ("NZ", "Wellington", "惠灵顿", "New Zealand dollar", ""),
        ("CA", "Ottawa", "渥太华", "Canadian dollar", "US"),
    ],
)
def test_countries_are_right(code: str, capital: str, capital_zh: str, money: str, neighbour: str) -> None:
    country = countries.countries()[code]
    assert country.capital == {"en": capital, "zh": capital_zh}
    assert countries.words("money")[country.money]["en"] == money
    assert country.neighbours == () if not neighbour else neighbour in country.neighbours


@pytest.mark.parametrize("lang", LANGS)
def test_every_capital_is_reached(lang: Lang) -> None:
    said = answers(countries.forward("capital"), lang, 4000)
    missing = [
        one.name["en"]
        for one in countries.countries().values()
        if one.capital["en"] != "-" and not any(one.capital[lang] in answer for answer in said)
    ]
    assert missing == []


@pytest.mark.parametrize("lang", LANGS)
def test_yes_and_no_are_balanced_and_true(lang: Lang) -> None:
    rng = random.Random(5)
    yes = 0
    for _ in range(400):
        asked, answer = countries.check("capital")(lang, rng)[0]
        yes += answer.startswith(("Yes", "对"))
        assert answer.startswith(("Yes. ", "No. ", "对，", "不对，")), (asked, answer)
    assert 150 < yes < 250


def test_elements_are_complete() -> None:
    assert [one.number for one in elements.elements()] == list(range(1, 119))
    assert len({one.symbol for one in elements.elements()}) == 118
    assert len({one.name["zh"] for one in elements.elements()}) == 118
    assert all(len(one.name["zh"]) == 1 for one in elements.elements())
    by_symbol = {one.symbol: one for one in elements.elements()}
    for symbol, number, name, zh in (
        ("Fe", 26, "iron", "铁"),
        ("Au", 79, "gold", "金"),
        ("W", 74, "tungsten", "钨"),
        ("Sn", 50, "tin", "锡"),
        ("U", 92, "uranium", "铀"),
        ("K", 19, "potassium", "钾"),
    ):
        one = by_symbol[symbol]
        assert (one.number, one.name) == (number, {"en": name, "zh": zh})
    assert {one.symbol for one in elements.elements() if one.state == "liquid"} == {"Hg", "Br"}
    assert {one.symbol for one in elements.elements() if one.state == "gas"} == {
        "H",
        "He",
        "N",
        "O",
        "F",
        "Ne",
        "Cl",
        "Ar",
        "Kr",
        "Xe",
        "Rn",
    }
    assert [one.symbol for one in elements.elements() if one.kind == "alkali"] == ["Li", "Na", "K", "Rb", "Cs", "Fr"]


def test_conversions_are_right() -> None:
    pairs = {(pair.large["en"][0], pair.small["en"][0]): pair for pair in units.pairs()}
    assert pairs["kilometre", "metre"].factor == 1000
    assert pairs["mile", "foot"].factor == 5280
    assert pairs["Chinese jin", "gram"].factor == 500
    assert pairs["inch", "centimetre"].factor == Fraction("2.54")
    rng = random.Random(2)
    for _ in range(2000):
        _, answer = units.convert("en", rng)[0]
        found = re.fullmatch(r"([\d.,]+) (.+?) (?:is|are) (about |)([\d.,]+) (.+)\.", answer)
        assert found, answer
        first, second = (float(found[at].replace(",", "")) for at in (1, 4))
        one, two = found[2], found[5]
        pair, backwards = _pair(one, two)
        expected = first / float(pair.factor) if backwards else first * float(pair.factor)
        assert second == pytest.approx(expected), answer
        assert bool(found[3]) is not pair.exact


def _pair(one: str, two: str) -> tuple[units.Pair, bool]:
    for pair in units.pairs():
        if one in pair.large["en"] and two in pair.small["en"]:
            return pair, False
        if two in pair.large["en"] and one in pair.small["en"]:
            return pair, True
    raise AssertionError((one, two))


def test_temperatures_are_right() -> None:
    rng = random.Random(2)
    for _ in range(300):
        _, answer = units.temperature("en", rng)[0]
        found = re.fullmatch(r"(-?\d+) degrees (\w+) is (-?\d+) degrees (\w+)\.", answer)
        assert found, answer
        values = {found[2]: int(found[1]), found[4]: int(found[3])}
        assert values["Fahrenheit"] == values["Celsius"] * 9 / 5 + 32


def test_the_calendar_is_right() -> None:
    assert [calendar.is_leap(year) for year in (1900, 2000, 2023, 2024, 2100)] == [False, True, False, True, False]
    assert sum(calendar.LENGTHS) == 365
    said = answers(calendar.zodiac, "en", 4000)
    assert "2024 is a year of the dragon in the Chinese zodiac; it begins at the Spring Festival." in said
    assert "2000 is a year of the dragon in the Chinese zodiac; it begins at the Spring Festival." in said
    assert "After the pig comes the rat in the Chinese zodiac." in said
    later = answers(calendar.day_later, "en")
    assert "3 days after Friday it is Monday." in later
    assert "7 days after Tuesday it is Tuesday." in later
    seasons = answers(lambda lang, rng: calendar.months().forward("season of", lang, rng), "en")
    assert "December is in winter in the northern half of the world and in summer in the southern half." in seasons
    assert "March is in spring in the northern half of the world and in autumn in the southern half." in seasons


def test_planets_are_in_order() -> None:
    names = [thing.name["en"] for thing in planets.table().things]
    assert names == ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]
    said = answers(planets.neighbour, "en")
    assert "After Mars comes Jupiter." in said
    assert "Venus lies between Mercury and Earth." in said


@pytest.mark.parametrize("made", [countries.table, planets.table, elements.table, world.table])
def test_things_differ_in_their_names(made: Callable[[], Table]) -> None:
    for lang in LANGS:
        names = [thing.name[lang] for thing in made().things]
        assert len(names) == len(set(names))


def test_tables_have_as_many_cells_as_their_header() -> None:
    for name in (
        "countries_all",
        "countries_words",
        "world",
        "elements",
        "units",
        "units_symbols",
        "festivals",
        "planets_all",
    ):
        assert len({len(row) for row in rows(name)}) == 1, name


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("a African country", "an African country"),
        ("a European country", "a European country"),
        ("A is the symbol of the ampere", "A is the symbol of the ampere"),
        ("the Netherlands's capital", "the Netherlands' capital"),
        ("What is it?.", "What is it?"),
        ("What's the capitals of Chad and Mali?", "What are the capitals of Chad and Mali?"),
        ("What is the number of planets?", "What is the number of planets?"),
        ("What is the planets in order?", "What are the planets in order?"),
    ],
)
def test_tidy(text: str, tidied: str) -> None:
    assert table_talk.tidy(text, "en") == tidied


def test_follow_ups_look_back() -> None:
    reply = table_talk.Reply("?", {"en": "A is B.", "zh": "甲是乙。"}, {"en": "B", "zh": "乙"}, {"en": "C", "zh": "丙"})
    rng = random.Random(1)
    assert table_talk.one_follow("sure", reply, "en", rng)[1] == "Yes, I am sure. A is B."
    assert table_talk.one_follow("wrong", reply, "zh", rng)[1] == "不是丙。甲是乙。"
    assert table_talk.one_follow("language", reply, "en", rng)[1] == "甲是乙。"
    assert table_talk.one_follow("shorter", reply, "en", rng)[1] == "B."
