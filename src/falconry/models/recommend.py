"""Which model to take: one answer for an amount of memory, a language and a wish, by a rule that a reader can check.

1. Of the models that speak the language, those count that fit into the memory in their usual quantisation.
2. Of these, those that are fast enough, where the speed is known: 2.5 tokens a second, about half as fast as people
   read, or 15 for who wishes for speed. If none is, the fastest.
3. Of these, those that are at least three quarters as strong as the strongest. A model's strength is its parameters;
   of a mixture of experts the geometric mean of all and of those that work on a token, a common rule of thumb.
4. Of these the newest: a year of progress is worth more than a quarter of the parameters.
5. Of it, the best quantisation up to Q6_K that fits and is fast enough; for who wishes for speed, the smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

from falconry.models.catalog import CatalogModel, Terms
from falconry.models.quantization_mix import QUANTIZATIONS
from falconry.models.speed import tokens_per_second

Wish: TypeAlias = Literal["quality", "speed"]
FAST_ENOUGH: dict[Wish, float] = {"quality": 2.5, "speed": 15.0}
"""Tokens per second."""
_AS_STRONG = 0.75
_SYSTEM, _SYSTEM_SHARE = 2 * 2**30, 4
"""Bytes that the system and a browser need; of a small machine a quarter."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A model in one quantisation: bytes of its file and of the memory that it takes, and how fast it will be.

    Attributes:
        fits: whether the memory is enough; None where nobody knows how much there is.
        tokens_per_second: None where nobody knows how fast memory is here.
        wanted: what to fetch.
    """

    quantization: str
    size: int
    memory: int
    fits: bool | None
    tokens_per_second: float | None
    wanted: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model and its quantisation, and the numbers that led to it.

    Attributes:
        strong: parameters of the weakest model that was considered in step 3.
    """

    model: CatalogModel
    variant: Variant
    strong: int


def usable(memory: int) -> int:
    """Bytes for models of a machine that has `memory` bytes: the rest is for the system and other programs."""
    return memory - min(_SYSTEM, memory // _SYSTEM_SHARE)


def variants(model: CatalogModel, terms: Terms, room: int | None, bandwidth: float | None) -> list[Variant]:
    """All quantisations of a model, the smallest first.

    Args:
        room: bytes for models, as `usable` gives it.
        bandwidth: of the memory, in bytes per second.
    """
    found = []
    for name in QUANTIZATIONS:
        header, needs = model.header(name), model.memory(name, terms).total
        speed = tokens_per_second(header, bandwidth) if bandwidth else None
        fits = needs <= room if room is not None else None
        found.append(Variant(name, header.file_size, needs, fits, speed, model.wanted(name)))
    return found


def recommend(
    models: Sequence[CatalogModel],
    terms: Terms,
    room: int,
    bandwidth: float | None,
    *,
    language: str | None = None,
    wish: Wish = "quality",
) -> Recommendation | None:
    """The rule of this module. None where nothing fits."""
    fitting: list[tuple[CatalogModel, list[Variant]]] = []
    for model in models:
        if language is not None and language not in model.languages:
            continue
        if good := [variant for variant in variants(model, terms, room, bandwidth) if variant.fits]:
            fitting.append((model, good))
    fast = [(model, quick) for model, good in fitting if (quick := [each for each in good if _is_fast(each, wish)])]
    if not fitting:
        return None
    if not fast:
        slow, good = max(fitting, key=lambda pair: _speed(pair[1][0]))
        return Recommendation(slow, good[0], _strength(slow))
    strong = _AS_STRONG * max(_strength(model) for model, _ in fast)
    considered = [(model, good) for model, good in fast if _strength(model) >= strong]
    newest, good = max(considered, key=lambda pair: (pair[0].released or "", _strength(pair[0])))
    # Eight bits are no better that anybody could tell, and a third slower.
    sensible = [variant for variant in good if variant.quantization != "Q8_0"] or good
    return Recommendation(newest, sensible[0 if wish == "speed" else -1], round(strong))


def _is_fast(variant: Variant, wish: Wish) -> bool:
    return variant.tokens_per_second is None or variant.tokens_per_second >= FAST_ENOUGH[wish]


def _speed(variant: Variant) -> float:
    return variant.tokens_per_second or 0.0


def _strength(model: CatalogModel) -> int:
    return round(sqrt(model.parameters * model.active_parameters))
