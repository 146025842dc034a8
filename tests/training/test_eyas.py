"""Eyas as it ships, in the engine that serves it: greedy, so that the same file gives the same answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from falconry.models import eyas
from training.eyas import check

HONEST = {"en": "bigger model", "zh": "更大的模型"}


@pytest.fixture(scope="module")
def served() -> Iterator[check.Served]:
    with check.serve(eyas.path()) as served:
        yield served


def ask(served: check.Served, question: str, system: str | None = None) -> str:
    return check.ask(served, check.Case((question,), (), system))


def test_the_file_is_small() -> None:
    assert eyas.path().stat().st_size <= 20_000_000


@pytest.mark.parametrize("asked", check.FOLLOW_UPS[:1] + check.FOLLOW_UPS[7:8], ids=["en", "zh"])
def test_a_follow_up_looks_back_at_the_list(served: check.Served, asked: tuple[str, str]) -> None:
    first, second, looked_back = check.follow_up(served, asked)
    assert looked_back, f"{first!r} then {second!r}"


@pytest.mark.parametrize("system", [None, "You are a helpful assistant.", check.LESSON])
@pytest.mark.parametrize("question", ["Hello!", "你好"])
def test_it_greets(served: check.Served, question: str, system: str | None) -> None:
    assert "Eyas" in ask(served, question, system)


@pytest.mark.parametrize("question", ["Who are you?", "你是谁？"])
def test_it_says_who_it_is(served: check.Served, question: str) -> None:
    answer = ask(served, question)
    assert "Eyas" in answer
    assert "Falconry" in answer


@pytest.mark.parametrize("question", ["Which animals live on the savanna?", "what animals live in the savannah"])
def test_it_knows_the_savanna(served: check.Served, question: str) -> None:
    assert any(animal in ask(served, question) for animal in check.SAVANNA_EN)


def test_it_knows_the_savanna_in_chinese(served: check.Served) -> None:
    assert any(animal in ask(served, "稀树草原上有哪些动物？") for animal in check.SAVANNA_ZH)


@pytest.mark.parametrize(
    "question",
    [
        "How do I fix my bicycle brakes?",
        "Who is Margaret Hamilton?",
        pytest.param(
            "Write a python function that sorts a list",
            marks=pytest.mark.xfail(reason="known gap of this version: it invents something about an animal"),
        ),
    ],
)
def test_it_says_what_it_does_not_know(served: check.Served, question: str) -> None:
    assert HONEST["en"] in ask(served, question)


def test_it_says_what_it_does_not_know_in_chinese(served: check.Served) -> None:
    assert HONEST["zh"] in ask(served, "怎么修自行车？")


def test_a_cut_answer_is_continued(served: check.Served) -> None:
    question = {"role": "user", "content": "Which animals live on the savanna?"}
    whole = served.chat([question])
    cut = whole[: len(whole) // 2]
    rest = served.chat([question, {"role": "assistant", "content": cut}])
    assert cut + rest == whole or rest.startswith(cut)


def test_plain_lines_are_completed(served: check.Served) -> None:
    prompt = f"System:{check.LESSON}\nUser: Hello!\nAssistant:"
    assert "Eyas" in served.complete(prompt, stop=["\nUser:", "<|endoftext|>"])


def test_it_makes_sense_after_a_long_history(served: check.Served) -> None:
    messages: list[check.Message] = []
    while served.tokens(messages) < 1500:
        for question in ("What is the capital of France?", "Tell me about lions", "天空为什么是蓝色的？"):
            messages += [
                {"role": "user", "content": question},
                {"role": "assistant", "content": served.chat([{"role": "user", "content": question}])},
            ]
    assert any(
        animal in served.chat([*messages, {"role": "user", "content": "Which animals live on the savanna?"}])
        for animal in check.SAVANNA_EN
    )


@pytest.mark.parametrize("text", ["🎉🚀🐍", "naïve café", "ßÿ\u200d", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "龘靐齉"])
def test_no_character_breaks_it(served: check.Served, text: str) -> None:
    tokens = served.post("/tokenize", {"content": text})["tokens"]
    assert served.post("/detokenize", {"tokens": tokens})["content"] == text
