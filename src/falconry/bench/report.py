"""What a benchmark found, as JSON and as rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from falconry.bench.measure import Measurement, Start

_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Report:
    """One model's figures.

    Attributes:
        size, memory: bytes of its file, and of its processes after the last measurement; None for endpoints.
        per_token: bytes of weights, keys and values that are read for one token; None where the file does not tell.
        bandwidth: of this machine's memory, in bytes a second.
    """

    model: str
    title: str
    engine: str
    size: int | None
    per_token: int | None
    start: Start
    measurements: tuple[Measurement, ...]
    memory: int | None
    bandwidth: float | None

    @property
    def limit(self) -> float | None:
        """Tokens a second that one user can get at most: every token reads the weights that work on it from memory.

        What fits into the processor's cache does not come from memory, and can be faster than that.
        """
        return self.bandwidth / self.per_token if self.bandwidth and self.per_token else None

    @property
    def reply_tokens(self) -> float:
        """Of the longest usual reply, by which a reader sees whether models were made to write alike."""
        return max((measured.tokens for measured in self.measurements), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """All of it, and the limit; times in seconds, sizes in bytes, speeds in tokens a second."""
        return {**asdict(self), "limit": self.limit}


HEAD = ("users", "first", "first_p95", "prompt_speed", "speed", "together")


def rows(report: Report, say: Callable[..., str]) -> list[tuple[str, ...]]:
    """The table of one model; `say` gives the words for a column and for seconds."""
    head = tuple(say(f"bench_{name}") for name in HEAD)
    return [head, *(_row(measured, say) for measured in report.measurements)]


def _row(measured: Measurement, say: Callable[..., str]) -> tuple[str, ...]:
    times = [say("bench_seconds", seconds=f"{value:.2f}") for value in (measured.first, measured.first_p95)]
    speeds = [_speed(value) for value in (measured.prompt_speed, measured.speed, measured.together)]
    return (str(measured.users), *times, *speeds)


def _speed(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
