"""The flags that become SamplingParams. Their bounds are those of SamplingParams; a test compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Number
from falconry.messages import SamplingParams

F = TypeVar("F", bound=Callable[..., Any])

MAX_TOKENS = Number(1, 1_000_000, whole=True)
TEMPERATURE = Number(0, 2)
SEED = Number(0, 2**32 - 2, whole=True)


def sampling_flags(function: F) -> F:
    """Give a verb --max-tokens, --temperature, --stop and --seed."""
    for decorate in (
        click.option("--seed", type=SEED, metavar="NUMBER"),
        click.option("--stop", multiple=True, metavar="TEXT"),
        click.option("--temperature", type=TEMPERATURE, metavar="NUMBER"),
        click.option("--max-tokens", type=MAX_TOKENS, metavar="TOKENS"),
    ):
        function = decorate(function)
    return function


def sampling_params(
    terminal: Terminal,
    *,
    max_tokens: int | None,
    temperature: float | None,
    stop: tuple[str, ...],
    seed: int | None,
    default_tokens: int,
) -> SamplingParams:
    """The params; `\\n` in a stop text is a line end, as shells make it hard to type one.

    Raises click.BadParameter for too many or too long stop texts.
    """
    defaults = SamplingParams()
    try:
        return SamplingParams(
            max_tokens=max_tokens or default_tokens,
            temperature=defaults.temperature if temperature is None else temperature,
            stop=tuple(text.replace("\\n", "\n") for text in stop),
            seed=seed,
        )
    except ValueError as error:
        raise click.BadParameter(terminal.text("bad_stop")) from error
