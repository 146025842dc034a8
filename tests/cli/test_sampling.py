"""The bounds of the flags are those of SamplingParams."""

from __future__ import annotations

import pytest

from falconry.cli.sampling import MAX_TOKENS, SEED, TEMPERATURE
from falconry.cli.verbs import Number
from falconry.messages import SamplingParams


@pytest.mark.parametrize(
    ("name", "bounds", "step"), [("max_tokens", MAX_TOKENS, 1), ("temperature", TEMPERATURE, 0.1), ("seed", SEED, 1)]
)
def test_the_bounds(name: str, bounds: Number, step: float) -> None:
    for value in (bounds.low, bounds.high):
        SamplingParams(**{name: value})  # type: ignore[arg-type]
    for value in (bounds.low - step, bounds.high + step):
        with pytest.raises(ValueError, match=name):
            SamplingParams(**{name: value})  # type: ignore[arg-type]
