"""The token estimate against six real tokenizers; token_counts.json holds their counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from falconry.engines.estimate import TokenEstimator
from falconry.messages import Message
from falconry.protocols.images import read_image
from tests.pictures import png

SAMPLES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("token_counts.json").read_text(encoding="utf-8"))
TOKENIZERS = list(SAMPLES[0]["tokens"])
# What chat templates add: tokens per message, and once.
TEMPLATES = [(4, 3), (5, 8), (6, 25), (5, 70)]


def within(estimator: TokenEstimator, prompt: str | list[Message], tokens: int) -> bool:
    count = estimator.count(prompt)
    return abs(tokens - count.tokens) <= count.error * count.tokens + 0.5


@pytest.mark.parametrize("kind", ["en", "zh", "mixed", "code", "other"])
def test_the_first_estimate_is_within_its_stated_error(kind: str) -> None:
    hits = [
        within(TokenEstimator(), sample["text"], tokens)
        for sample in SAMPLES
        if sample["kind"] == kind
        for tokens in sample["tokens"].values()
    ]
    # One of 36 is not: German in Mistral's vocabulary. European languages are cut finer than English.
    assert sum(hits) / len(hits) >= (0.95 if kind == "other" else 1.0)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", ["en", "zh", "mixed"])
def test_a_conversation_teaches_it(tokenizer: str, template: tuple[int, int], kind: str) -> None:
    estimator = TokenEstimator()
    messages: list[Message] = []
    tokens = template[1]
    samples = [sample for sample in SAMPLES if sample["kind"] == kind] * 2
    for turn, sample in enumerate(samples):
        messages.append(Message("user", sample["text"]))
        tokens += sample["tokens"][tokenizer] + template[0]
        count = estimator.count(messages)
        assert within(estimator, messages, tokens)
        if turn >= 3:
            assert abs(count.tokens - tokens) <= 0.08 * tokens
            assert count.error < 0.25
        estimator.learn(messages, tokens)


def test_counts_chinese_apart_from_english() -> None:
    estimator = TokenEstimator()
    # Four characters for a token is what others assume: here that would be 13.
    chinese = estimator.count(
        "猎鹰是一种非常聪明的鸟。它的眼睛很敏锐，可以看到几公里以外的猎物，然后迅速俯冲下去。请再说一遍。"
    )
    assert 25 <= chinese.tokens <= 70
    assert estimator.count("a " * 100).tokens >= 90


def test_odd_reports_and_prompts_do_no_harm() -> None:
    estimator = TokenEstimator()
    for tokens in (0, -1, 1_000_000):
        estimator.learn([Message("user", "Hi")], tokens)
    for prompt in ("", "\ud800", [Message("user", "")]):
        count = estimator.count(prompt)
        assert count.tokens >= 1
        assert count.error > 0


def test_a_picture_counts_as_what_models_may_make_of_it_until_one_tells() -> None:
    estimator = TokenEstimator()
    seen = [Message("user", "What is it?", images=(read_image(png("red"), "picture"),))]
    first = estimator.count(seen)
    assert first.tokens * (1 - first.error) < 85 + 20
    assert first.upper > 1600
    for _ in range(3):
        estimator.learn(seen, 281)
    told = estimator.count(seen)
    assert abs(told.tokens - 281) < 15
    assert estimator.count([Message("user", "What is it?")]).tokens < 40
