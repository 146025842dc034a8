"""Win rates, strengths, and when votes are too few: against closed forms, published figures and simulation."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from falconry.compare.statistics import (
    FEWEST,
    Ballot,
    bradley_terry,
    pair_result,
    summarise,
    votes_needed,
    wilson,
)


def ballot(best: str, others: str = "") -> Ballot:
    return Ballot(frozenset(best), frozenset(others))


@pytest.mark.parametrize(
    ("won", "votes", "low", "high"),
    [
        # Newcombe 1998, table I, method 3: the score interval without continuity correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilsons_interval(won: int, votes: int, low: float, high: float) -> None:
    interval = wilson(won / votes, votes)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_nothing_is_known_without_votes() -> None:
    assert (wilson(0.5, 0).low, wilson(0.5, 0).high) == (0.0, 1.0)
    assert summarise([]).models == ()
    assert summarise([]).votes == 0


def test_what_a_vote_says_of_two_models() -> None:
    assert ballot("a", "bc").score("a", "b") == 1
    assert ballot("a", "bc").score("c", "a") == 0
    assert ballot("ab", "c").score("a", "b") == 0.5
    assert ballot("", "ab").score("a", "b") == 0.5
    assert ballot("abc").score("b", "c") == 0.5
    assert ballot("a", "bc").score("b", "c") is None
    assert ballot("a", "b").score("a", "d") is None


def test_ties_count_half_and_are_counted_apart() -> None:
    found = pair_result("a", "b", [ballot("a", "b")] * 6 + [ballot("b", "a")] * 2 + [ballot("ab")] + [ballot("", "ab")])
    assert (found.won, found.lost, found.tied, found.votes) == (6, 2, 2, 10)
    assert found.rate.value == 0.7


def test_few_votes_say_nothing_however_clear_they_are() -> None:
    found = pair_result("a", "b", [ballot("a", "b")] * (FEWEST - 1))
    assert (found.verdict, found.needed) == ("few", 1)
    tied = pair_result("a", "b", [ballot("ab")])
    assert (tied.verdict, tied.needed) == ("few", FEWEST - 1)


def test_a_clear_majority_is_told() -> None:
    votes = [ballot("a", "b")] * 30 + [ballot("b", "a")] * 10
    assert pair_result("a", "b", votes).verdict == "first"
    assert pair_result("b", "a", votes).verdict == "second"
    assert pair_result("a", "b", votes).needed == 0


@pytest.mark.parametrize("rate", [0.55, 0.6, 0.75, 0.9, 0.42, 0.1])
def test_so_many_votes_more_are_just_enough(rate: float) -> None:
    needed = votes_needed(rate, 0)
    assert needed is not None
    assert not wilson(rate, needed).low <= 0.5 <= wilson(rate, needed).high
    if needed > FEWEST:
        assert wilson(rate, needed - 1).low <= 0.5 <= wilson(rate, needed - 1).high


def test_what_is_even_is_never_decided() -> None:
    assert votes_needed(0.5, 1000) is None
    assert pair_result("a", "b", [ballot("a", "b")] * 20 + [ballot("b", "a")] * 20).verdict == "open"


def test_two_models_have_the_strengths_of_their_win_rate() -> None:
    strengths = bradley_terry(["a", "b"], {("a", "b"): 3000.0, ("b", "a"): 1000.0})
    assert strengths["a"] / strengths["b"] == pytest.approx(3, rel=1e-2)
    assert strengths["a"] * strengths["b"] == pytest.approx(1)


def test_the_strengths_are_those_of_the_greatest_likelihood() -> None:
    """No step away from them makes the votes likelier (with the imagined ties, which are part of the likelihood)."""
    wins = {("a", "b"): 7.0, ("b", "a"): 3.5, ("b", "c"): 6.0, ("c", "b"): 4.0, ("a", "c"): 2.5, ("c", "a"): 8.0}

    def likelihood(logs: dict[str, float], pin: float) -> float:
        games = sum(n * -math.log1p(math.exp(logs[b] - logs[a])) for (a, b), n in wins.items())
        ties = sum(-0.5 * math.log1p(math.exp(pin - x)) - 0.5 * math.log1p(math.exp(x - pin)) for x in logs.values())
        return games + ties

    logs = {model: math.log(strength) for model, strength in bradley_terry("abc", wins).items()}
    pin = max((n / 1000 for n in range(-1000, 1001)), key=lambda pin: likelihood(logs, pin))
    best = likelihood(logs, pin)
    for model in logs:
        for step in (-0.05, 0.05):
            assert likelihood({**logs, model: logs[model] + step}, pin) < best


def test_one_that_won_everything_has_a_finite_strength() -> None:
    (first, last) = summarise([ballot("a", "b")] * 5).models
    assert (first.model, last.model) == ("a", "b")
    assert first.strength.low < first.strength.high < 2500
    assert first.rate.low < 0.7  # five out of five are no certainty


def simulated(strengths: dict[str, float], votes: int, seed: int) -> list[Ballot]:
    """Votes for the best of three, chosen by their strengths."""
    chance = random.Random(seed)
    found = []
    for _ in range(votes):
        shown = chance.sample(sorted(strengths), 3)
        best = chance.choices(shown, [strengths[model] for model in shown])[0]
        found.append(Ballot(frozenset([best]), frozenset(shown) - {best}))
    return found


def test_the_order_of_many_models_is_found() -> None:
    found = summarise(simulated({"a": 8, "b": 4, "c": 2, "d": 1}, 2000, seed=1))
    assert [result.model for result in found.models] == ["a", "b", "c", "d"]
    for better, worse in zip(found.models, found.models[1:], strict=False):
        assert better.strength.low > worse.strength.high
    assert {(pair.first, pair.second) for pair in found.pairs} == set(combinations("abcd", 2))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of equal models the average, 1000 points, in 90 % or more of 20 elections of 60 votes each."""
    held = total = 0
    for seed in range(20):
        for result in summarise(simulated(dict.fromkeys("abcd", 1.0), 60, seed=seed)).models:
            total += 1
            held += result.strength.low <= 1000 <= result.strength.high
    assert held / total > 0.9


def test_the_same_votes_give_the_same_figures() -> None:
    votes = simulated({"a": 3, "b": 2, "c": 1}, 50, seed=4)
    assert summarise(votes) == summarise(votes)


def test_models_that_never_met_are_not_put_in_order() -> None:
    assert not summarise([ballot("a", "b"), ballot("c", "d")]).connected
    assert summarise([ballot("a", "b"), ballot("c", "b")]).connected
    # Of two that were not the best nobody has said which is better.
    assert len(summarise([ballot("a", "bc")]).pairs) == 2


def test_a_vote_for_a_single_model_says_nothing() -> None:
    assert summarise([ballot("a")]).votes == 0
