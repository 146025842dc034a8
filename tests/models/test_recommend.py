"""Which model to take: each step of the rule, on the real catalogue."""

from __future__ import annotations

import pytest

from falconry.models.catalog import Terms, catalog
from falconry.models.recommend import FAST_ENOUGH, Recommendation, Wish, recommend, usable, variants

GIB, FAST = 2**30, 60e9


def take(
    memory: int, bandwidth: float | None = None, language: str | None = "zh", wish: Wish = "quality"
) -> Recommendation:
    found = recommend(catalog(), Terms(), usable(memory), bandwidth, language=language, wish=wish)
    assert found is not None
    return found


def test_the_system_gets_its_share() -> None:
    assert usable(8 * GIB) == 6 * GIB
    assert usable(64 * GIB) == 62 * GIB
    assert usable(2 * GIB) == 1.5 * GIB


@pytest.mark.parametrize(
    ("memory", "model"), [(2, "qwen3.5-0.8b"), (4, "qwen3.5-2b"), (8, "qwen3.5-4b"), (32, "qwen3.5-27b")]
)
def test_one_answer_for_each_size_of_machine(memory: int, model: str) -> None:
    found = take(memory * GIB)
    assert found.model.id == model
    assert found.variant.memory <= usable(memory * GIB)


def test_it_speaks_the_language() -> None:
    for memory in (4, 8, 16, 64):
        assert "zh" in take(memory * GIB, language="zh").model.languages
        assert "fr" in take(memory * GIB, language="fr").model.languages


def test_nothing_fits_into_nothing() -> None:
    assert recommend(catalog(), Terms(), 10 * 2**20, None) is None


def test_who_wishes_for_speed_gets_a_faster_one() -> None:
    quick, good = take(32 * GIB, FAST, wish="speed"), take(32 * GIB, FAST)
    assert quick.variant.tokens_per_second is not None
    assert good.variant.tokens_per_second is not None
    assert quick.variant.tokens_per_second >= FAST_ENOUGH["speed"]
    assert quick.variant.tokens_per_second > good.variant.tokens_per_second >= FAST_ENOUGH["quality"]


def test_where_none_is_fast_enough_it_is_the_fastest() -> None:
    found = take(16 * GIB, 0.05e9)
    speeds = [
        variant.tokens_per_second or 0
        for model in catalog()
        if "zh" in model.languages
        for variant in variants(model, Terms(), usable(16 * GIB), 0.05e9)
        if variant.fits
    ]
    assert found.variant.tokens_per_second == max(speeds)


def test_of_about_equal_ones_the_newest() -> None:
    found = take(8 * GIB)
    rivals = [
        model
        for model in catalog()
        if "zh" in model.languages
        and model.parameters >= found.strong
        and variants(model, Terms(), usable(8 * GIB), None)[0].fits
    ]
    assert len(rivals) > 1
    assert max(model.released or "" for model in rivals) == found.model.released


def test_without_knowing_the_memory_nobody_says_that_it_fits() -> None:
    assert [variant.fits for variant in variants(catalog()[0], Terms(), None, None)] == [None] * 4
