"""The evaluation of Eyas: its rules, its items, and a run with a stand-in for the engine."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from training.eyas import evaluate
from training.eyas.corpus import unknown
from training.eyas.corpus.grammar import Lang
from training.eyas.evaluation import items, rules

BIGGER = {
    "en": "I do not know that. A bigger model may: choose one at the top of the page.",
    "zh": "这个我不知道。可以在页面上方选择一个更大的模型。",
}


def wrong(answer: str, *, lang: str = "en", question: str = "", **expect: Any) -> list[str]:
    return rules.failures(expect, answer, lang=lang, question=question)


@pytest.mark.parametrize(
    ("wanted", "text", "found"),
    [
        ("lion", "Lions eat meat.", True),
        ("fox", "foxes", True),
        ("ant", "An elephant", False),
        ("scatter*", "It is scattered.", True),
        ("8", "It has 8 legs.", True),
        ("8", "It has 18 legs.", False),
        ("1", "1.5 km", False),
        ("au", "Au", True),
        ("象", "大象", True),
        ("falconry chat", "Run `falconry chat`.", True),
    ],
)
def test_a_word_occurs_whole_and_chinese_anywhere(wanted: str, text: str, found: bool) -> None:
    assert rules.occurs(wanted, text) is found


def test_capitals_count_only_where_they_shall() -> None:
    assert not wrong("Hello World", any=["HELLO WORLD"])
    assert wrong("Hello World", any=["HELLO WORLD"], case=True) == ["any"]


def test_any_all_and_none() -> None:
    assert not wrong("Paris and Rome", all=[["paris", "lyon"], ["rome"]], none=["berlin"])
    assert wrong("Paris", all=[["paris"], ["rome"]]) == ["all"]
    assert wrong("Paris, not Berlin", none=["berlin"]) == ["none"]


@pytest.mark.parametrize(
    ("question", "answer", "yes", "no"),
    [
        ("is lisbon the capital?", "Yes, Lisbon is the capital.", True, False),
        ("is lisbon the capital?", "Lisbon is the capital of Portugal.", True, False),
        ("is milan the capital?", "No, Rome is.", False, True),
        ("are whales fish", "A whale is not a fish.", False, True),
        ("do penguins fly", "Penguins can't fly. They can swim.", False, True),
        ("are snakes reptiles", "You are welcome!", False, False),
        ("can it fly?", "A penguin cannot fly.", False, True),
        ("冰岛是岛国吗", "是的，冰岛是岛国。", True, False),
        ("冰岛是岛国吗", "冰岛是岛国。", True, False),
        ("鲸是鱼吗", "不是，鲸是哺乳动物。", False, True),
        ("企鹅会飞吗", "企鹅不会飞。", False, True),
        ("企鹅会飞吗", "不客气！", False, False),
        ("蛇是爬行动物吧", "没错，蛇是爬行动物。", True, False),
    ],
)
def test_yes_and_no(question: str, answer: str, yes: bool, no: bool) -> None:
    lang = rules.language(answer) or "en"
    assert (not wrong(answer, lang=lang, question=question, any=["@yes"])) is yes
    assert (not wrong(answer, lang=lang, question=question, any=["@no"])) is no


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        ("13+9", "13 + 9 = 22", True),
        ("13+9", "13 + 9 = 23", False),
        ("spider legs?", "A spider has eight legs.", True),
        ("蜘蛛几条腿", "蜘蛛有八条腿。", True),
        ("5-5+5", "The result is 5.", True),
    ],
)
def test_the_first_new_number(question: str, answer: str, right: bool) -> None:
    value = {"13+9": 22, "5-5+5": 5}.get(question, 8)
    lang = rules.language(answer) or "en"
    assert (not wrong(answer, lang=lang, question=question, number=value)) is right


def test_chinese_numbers() -> None:
    assert rules.numbers("三百六十五天，十二个月，二十") == [365, 12, 20]
    assert rules.numbers("1,000 and 2.5 and twelve") == [1000, 2.5, 12]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_honest_needs_both_parts(lang: str) -> None:
    assert rules.honest(BIGGER[lang])
    assert not rules.honest({"en": "I do not know that.", "zh": "这个我不知道。"}[lang])
    assert rules.declines({"en": "I do not know that.", "zh": "这个我不知道。"}[lang])
    assert not rules.honest({"en": "Open Models and choose a bigger model.", "zh": "在页面上方选择更大的模型。"}[lang])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_the_corpus_teaches_to_say_is_heard_as_honest(lang: Lang) -> None:
    assert all(rules.honest(unknown.answer(lang, random.Random(seed))) for seed in range(50))


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Paris is the capital of France.", "en"),
        ("用 `falconry models pull` 下载模型就可以了。", "zh"),
        ("The Chinese name of Mars is 火星.", "mixed"),
        ("42", None),
        ("コンピュータです", "other"),
    ],
)
def test_language(text: str, lang: str | None) -> None:
    assert rules.language(text) == lang


def test_the_language_of_the_item_is_asked_for_unless_another_is() -> None:
    assert wrong("巴黎", any=["巴黎"]) == ["lang"]
    assert not wrong("巴黎", any=["巴黎"], lang="zh")
    assert not wrong("巴黎", any=["巴黎"], lang="any")


def test_json() -> None:
    assert not wrong('```json\n{"name": "Lisa", "age": 9}\n```', json={"age": 9})
    assert wrong('Here: {"age": 9}', json={"age": 9}) == ["json"]
    assert wrong('{"age": "9"}', json={"age": 9}) == ["json"]


def test_exact_and_order() -> None:
    assert not wrong("“今天去爬山。”", lang="zh", exact="今天去爬山。")
    assert not wrong("Sorted: 2, 5 and 9.", order=["2", "5", "9"])
    assert wrong("2, 9, 5", order=["2", "5", "9"]) == ["order"]
    assert not wrong("F-A-L-C-O-N", order=list("falcon"))


def test_counts() -> None:
    assert rules.words("It's 3.5 km, 大象") == 5
    assert len(rules.sentences("It is 3.5 km. Yes! 是的。好")) == 4
    assert wrong("One. Two.", max_sentences=1) == ["max_sentences"]
    assert wrong("a b c", max_words=2) == ["max_words"]
    assert not wrong("- a\n- b", list=True)


def test_loops() -> None:
    assert rules.repeats("the falcon flies over the wide green land " * 3)
    assert not rules.repeats("the falcon flies over the wide green land " * 2)
    assert rules.repeats("猎豹是跑得最快的动物。" * 3)


def test_an_empty_answer_is_wrong() -> None:
    assert "empty" in wrong(" ", none=["x"])


ALL = items.load()


def test_there_are_enough_items_and_half_are_chinese() -> None:
    assert len(ALL) >= 700
    assert 0.45 <= sum(item.lang == "zh" for item in ALL) / len(ALL) <= 0.55
    assert len({item.id for item in ALL}) == len(ALL)
    assert len({(item.system, item.turns) for item in ALL}) == len(ALL)


def test_every_rule_of_every_item_can_be_asked() -> None:
    for item in ALL:
        rules.failures(item.expect, "Something 1 else.", lang=item.lang, question=item.turns[-1])
        assert item.source
        assert all(text.strip() == text and text for text in item.turns), item.id


def test_an_answer_about_something_else_is_wrong_in_the_closed_fields() -> None:
    strange = {"en": "You are welcome! Is there anything else?", "zh": "不客气！还有什么想知道的吗？"}
    for item in ALL:
        if item.field in evaluate.CLOSED:
            asked = item.turns[-1]
            assert rules.failures(item.expect, strange[item.lang], lang=item.lang, question=asked), item.id


def test_no_item_is_right_by_saying_nothing_much() -> None:
    for item in ALL:
        assert rules.failures(item.expect, "Zzz", lang=item.lang) or "lang" in item.expect or item.system, item.id


def test_the_honest_answer_is_right_outside_and_wrong_inside() -> None:
    right = {
        item.id: not rules.failures(item.expect, BIGGER[item.lang], lang=item.lang, question=item.turns[-1])
        for item in ALL
    }
    outside = [item for item in ALL if item.outside and not item.expect.get("lang")]
    assert all(right[item.id] for item in outside), [item.id for item in outside if not right[item.id]]
    inside = [item for item in ALL if rules.inside(item.expect)]
    assert len(inside) > 700
    assert not any(right[item.id] for item in inside)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1}',
        "no json",
        json.dumps({"id": "x", "lang": "en", "field": "f", "turns": ["a"], "expect": {"so": 1}, "source": "s"}),
    ],
)
def test_a_line_that_is_no_item(line: str) -> None:
    with pytest.raises(items.BadItem):
        items.item(line)


class Stub:
    """Answers what it was told to, or the same always."""

    def __init__(self, answers: dict[str, str], finish: str = "stop") -> None:
        self.answers, self.finish, self.bodies = answers, finish, list[dict[str, Any]]()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.bodies.append(json.loads(json.dumps(body)))
        content = self.answers.get(body["messages"][-1]["content"], BIGGER["en"])
        return {"choices": [{"message": {"content": content}, "finish_reason": self.finish}]}


CAPITAL = items.Item("c-1", "en", "countries", ("capital of France", "and of Italy?"), {"any": ["rome"]}, "geography")
STRANGE = items.Item("o-1", "en", "outside", ("who won?",), {"honest": True}, "outside", system="Be kind.")


def test_a_conversation_goes_on_with_what_was_answered() -> None:
    served = Stub({"capital of France": "Paris.", "and of Italy?": "Rome."})
    assert evaluate.ask(served, CAPITAL).right
    assert [message["content"] for message in served.bodies[1]["messages"]] == [
        "capital of France",
        "Paris.",
        "and of Italy?",
    ]
    assert evaluate.ask(served, STRANGE, temperature=0.7, seed=2).right
    assert served.bodies[2]["messages"][0] == {"role": "system", "content": "Be kind."}
    assert (served.bodies[2]["temperature"], served.bodies[2]["seed"]) == (0.7, 2)


def test_loops_breaks_and_answers_without_an_end_are_wrong() -> None:
    result = evaluate.ask(
        Stub({"and of Italy?": "Rome \ufffd " + "one two three four five six seven eight " * 4}, "length"), CAPITAL
    )
    assert result.wrong == ("ended", "repeats", "broken")


def test_wilson() -> None:
    low, high = evaluate.wilson(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert evaluate.wilson(0, 0) == (0.0, 1.0)


def test_a_run_gives_tables_and_a_report() -> None:
    served = Stub({"capital of France": "Paris.", "and of Italy?": "Milan."})
    results = evaluate.run(served, [CAPITAL, STRANGE])
    assert len(results) == 8
    table = evaluate.markdown(results)
    assert "| outside, honest answer | ≥ 90 % | 100.0 % (21–100) | 100.0 % (21–100) |" in table
    assert "| countries | 1 | 0.0 % (0–79) | – | 0.0 % (0–79) | – |" in table
    told = evaluate.report(results)
    assert told["goals"]["0.0"]["closed fields, right"]["met"] is False
    assert told["goals"]["0.7"]["outside, honest answer"] == {
        "items": 1,
        "right": 1.0,
        "interval": [0.2065, 1.0],
        "goal": 0.9,
        "met": True,
    }
    assert [entry["seed"] for entry in told["wrong"]] == [1, 1, 2, 3]
    json.dumps(told)
