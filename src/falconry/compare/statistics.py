"""What votes say about models: win rates with their intervals, strengths, and when there are too few to say anything.

Sources, and why these, are told in docs/compare.md:

    win rate of a pair    Wilson's score interval; a tie is half a win for either
    strengths             Bradley and Terry's model, fitted by Hunter's MM algorithm
    their intervals       bootstrap over whole votes, since one vote among three or four models is several pairs
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

Z = 1.959964  # of the normal distribution, for 95 %
FEWEST = 10  # votes between two models below which nothing is said about them
RESAMPLES = 400
ELO = 400 / math.log(10)  # points for one unit of log strength, the scale that chess players know
AVERAGE = 1000.0  # points of a model of average strength
MOST_NEEDED = 100_000  # more votes than anybody will give

Pair: TypeAlias = tuple[str, str]
Verdict: TypeAlias = Literal["few", "open", "first", "second"]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One judgement: the models that were best, and the others. Without a best one all were bad."""

    best: frozenset[str]
    others: frozenset[str]

    @property
    def models(self) -> frozenset[str]:
        return self.best | self.others

    def score(self, first: str, second: str) -> float | None:
        """What the first model got against the second: 1, 0, or a half for a tie; None where nothing is known.

        Both best is a tie, and so is everybody bad. Of two that were not the best nobody has said which is better.
        """
        if not {first, second} <= self.models:
            return None
        if (first in self.best) != (second in self.best):
            return 1.0 if first in self.best else 0.0
        return 0.5 if first in self.best or not self.best else None


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairResult:
    """Two models against each other.

    Attributes:
        rate: the share of votes that the first one won, ties as halves.
        verdict: which one is better, "open" where the votes do not tell, "few" where there are too few to look.
        needed: how many more votes would decide it if they went on like this; None where they never would.
    """

    first: str
    second: str
    won: int
    lost: int
    tied: int
    rate: Interval
    verdict: Verdict
    needed: int | None

    @property
    def votes(self) -> int:
        return self.won + self.lost + self.tied


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model against all others. `strength` is in points on the scale of Elo, 1000 for the average model."""

    model: str
    votes: int
    won: int
    lost: int
    tied: int
    rate: Interval
    strength: Interval


@dataclass(frozen=True, slots=True)
class Results:
    """All models, the strongest first, and all pairs that have votes.

    Attributes:
        connected: every model was compared with every other, at least by way of a third one. Where it is False, the
            order of models that never met says nothing.
    """

    votes: int
    connected: bool
    models: tuple[ModelResult, ...]
    pairs: tuple[PairResult, ...]


def wilson(rate: float, votes: float) -> Interval:
    """The 95 % score interval of a share (Wilson 1927)."""
    if votes <= 0:
        return Interval(rate, 0.0, 1.0)
    square = Z * Z / votes
    middle = (rate + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(rate * (1 - rate) / votes + square / (4 * votes))
    return Interval(rate, max(0.0, middle - half), min(1.0, middle + half))


def votes_needed(rate: float, votes: int) -> int | None:
    """How many more votes would tell the share from one half, if they went on like this; None where they never would.

    At least as many as it takes to look at them at all.
    """
    if rate == 0.5:
        return FEWEST - votes if votes < FEWEST else None
    # Wilson's interval leaves out one half exactly where the score test rejects it: |rate - 1/2| > z / (2 sqrt(n)).
    enough = math.floor((Z / (2 * (rate - 0.5))) ** 2) + 1
    needed = max(enough, FEWEST) - votes
    return max(0, needed) if needed <= MOST_NEEDED else None


def pair_result(first: str, second: str, ballots: Iterable[Ballot]) -> PairResult:
    """What the votes say about two models."""
    scores = Counter(ballot.score(first, second) for ballot in ballots)
    won, lost, tied = scores[1.0], scores[0.0], scores[0.5]
    votes = won + lost + tied
    rate = wilson((won + tied / 2) / votes if votes else 0.5, votes)
    verdict: Verdict = "open"
    if votes < FEWEST:
        verdict = "few"
    elif rate.low > 0.5:
        verdict = "first"
    elif rate.high < 0.5:
        verdict = "second"
    return PairResult(first, second, won, lost, tied, rate, verdict, votes_needed(rate.value, votes))


def bradley_terry(
    models: Sequence[str], wins: Mapping[Pair, float], start: Mapping[str, float] | None = None
) -> dict[str, float]:
    """The strength of each model: its chance to win against another is its share of both strengths.

    Args:
        wins: of (a, b), how often a won against b; a tie is half a win for either.
        start: where to begin to look; the result does not depend on it.

    The MM algorithm (Hunter 2004, eq. 3) climbs the likelihood by itself, without a step size. One imagined tie of each
    model with an average one keeps a model that has won everything at a finite strength. The geometric mean is 1.
    """
    games = {model: [(other, n) for other in models if (n := _games(wins, model, other))] for model in models}
    total = {model: 0.5 + sum(wins.get((model, other), 0.0) for other in models) for model in models}
    strengths = dict(start or dict.fromkeys(models, 1.0))
    for _ in range(1000):
        worst = 1.0
        for model in models:
            mine = strengths[model]
            divisor = 1 / (mine + 1) + sum(n / (mine + strengths[other]) for other, n in games[model])
            strengths[model] = total[model] / divisor
            worst = max(worst, strengths[model] / mine, mine / strengths[model])
        if worst < 1.0001:
            break
    mean = math.exp(sum(map(math.log, strengths.values())) / max(1, len(models)))
    return {model: strength / mean for model, strength in strengths.items()}


def summarise(votes: Iterable[Ballot]) -> Results:
    """All that the votes say. The same votes always give the same figures: the bootstrap has a fixed seed."""
    kinds = Counter(ballot for ballot in votes if len(ballot.models) > 1)
    models = sorted({model for ballot in kinds for model in ballot.models})
    ballots = list(kinds.elements())
    pairs = [pair_result(first, second, ballots) for first, second in combinations(models, 2)]
    found = _bootstrap(models, kinds)
    if len(pairs) == 1:  # nothing to estimate that is not known in closed form
        rate = pairs[0].rate
        mirrored = Interval(1 - rate.value, 1 - rate.high, 1 - rate.low)
        found = {model: (own, found[model][1]) for model, own in zip(models, (rate, mirrored), strict=True)}
    results = [_model_result(model, pairs, *intervals) for model, intervals in found.items()]
    results.sort(key=lambda result: -result.strength.value)
    met = tuple(pair for pair in pairs if pair.votes)
    return Results(len(ballots), _connected(models, met), tuple(results), met)


def _connected(models: Sequence[str], met: Iterable[PairResult]) -> bool:
    groups = {model: {model} for model in models}
    for pair in met:
        together = groups[pair.first] | groups[pair.second]
        groups |= dict.fromkeys(together, together)
    return all(len(group) == len(models) for group in groups.values())


def _games(wins: Mapping[Pair, float], first: str, second: str) -> float:
    return wins.get((first, second), 0.0) + wins.get((second, first), 0.0)


def _outcomes(ballot: Ballot) -> list[tuple[Pair, float]]:
    """What one vote adds to the wins."""
    outcomes: list[tuple[Pair, float]] = []
    for first, second in combinations(sorted(ballot.models), 2):
        score = ballot.score(first, second)
        if score is not None:
            outcomes += [((first, second), score), ((second, first), 1 - score)]
    return outcomes


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Of each model its strength, and the share of its comparisons that it won."""

    strengths: Mapping[str, float]
    rates: Mapping[str, float]


def _estimate(
    models: Sequence[str], votes: Iterable[tuple[list[tuple[Pair, float]], float]], start: Mapping[str, float] | None
) -> _Estimates:
    wins: dict[Pair, float] = {}
    for outcomes, count in votes:
        for pair, score in outcomes:
            wins[pair] = wins.get(pair, 0.0) + score * count
    rates = {}
    for model in models:
        games = sum(_games(wins, model, other) for other in models)
        rates[model] = sum(wins.get((model, other), 0.0) for other in models) / games if games else 0.5
    return _Estimates(bradley_terry(models, wins, start), rates)


def _bootstrap(models: Sequence[str], kinds: Counter[Ballot]) -> dict[str, tuple[Interval, Interval]]:
    """Intervals of win rate and points: the middle 95 % of what other votes of the same kinds might have said.

    Half a vote more is imagined for either side of every pair that met: five wins out of five are no certainty.
    """
    outcomes = {ballot: _outcomes(ballot) for ballot in kinds}
    met = sorted({pair for listed in outcomes.values() for pair, _ in listed})
    imagined = [[(pair, 1.0), ((pair[1], pair[0]), 0.0)] for pair in met]
    drawable = [*outcomes.values(), *imagined]
    weights = [*map(float, kinds.values()), *[0.5] * len(imagined)]
    known = _estimate(models, zip(drawable, weights, strict=True), None)
    rates = _estimate(models, [(outcomes[ballot], float(n)) for ballot, n in kinds.items()], known.strengths).rates
    chance = random.Random(0)  # noqa: S311 - the same figures for the same votes
    drawn = []
    for _ in range(RESAMPLES if models else 0):
        counts = Counter(chance.choices(range(len(drawable)), weights, k=kinds.total()))
        votes = [(drawable[index], float(count)) for index, count in counts.items()]
        drawn.append(_estimate(models, votes, known.strengths))
    return {
        model: (
            _between(rates[model], [draw.rates[model] for draw in drawn]),
            _between(_points(known.strengths[model]), [_points(draw.strengths[model]) for draw in drawn]),
        )
        for model in models
    }


def _points(strength: float) -> float:
    return AVERAGE + ELO * math.log(strength)


def _between(value: float, drawn: list[float]) -> Interval:
    drawn.sort()
    cut = int(len(drawn) * 0.025)
    return Interval(value, min(value, drawn[cut]), max(value, drawn[-1 - cut]))


def _model_result(model: str, pairs: Iterable[PairResult], rate: Interval, strength: Interval) -> ModelResult:
    won = lost = tied = 0
    for pair in pairs:
        if model == pair.first:
            won, lost, tied = won + pair.won, lost + pair.lost, tied + pair.tied
        elif model == pair.second:
            won, lost, tied = won + pair.lost, lost + pair.won, tied + pair.tied
    return ModelResult(model, won + lost + tied, won, lost, tied, rate, strength)
