"""Writes docs/compat.md from the results of one run."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.compat.clients import Result

DOCUMENT = Path(__file__).parent.parent / "docs" / "compat.md"

COLUMNS = (
    "chat",
    "streaming",
    "tools",
    "structured",
    "logprobs",
    "completions",
    "generate",
    "embeddings",
    "responses",
    "messages",
    "models",
    "errors",
    "async",
)
SAME = {
    "the lesson": "generate",
    "grammar": "structured",
    "structured output": "structured",
    "server": "models",
    "overload": "errors",
    "start": "errors",
}
"""Capabilities that share a column with another."""

HEAD = """\
# Other people's clients

Made by `make compat` on {date}; edit scripts/compat_table.py or the probes in tests/compat/probes.

Clients that others wrote, each in the version named, did what its users do with it: against Falconry {falconry} with
the built-in model, and, for comparison, against llama.cpp's own server (of xllamacpp {engine}) with the same model. A
cell says how many of the checks passed; `°` marks a failure whose reason lies outside the server, or that was decided
on. What failed stands below with its reason. The light ones of these clients run with the ordinary tests as well.
"""
SMALL = """
The built-in model has a few million parameters, and its chat template knows no tools: what is checked is the protocol,
not the sense of the answers.
"""


def document(ours: Sequence[Result], theirs: Sequence[Result], skipped: Sequence[str]) -> str:
    """The whole page."""
    version = importlib.metadata.version
    head = HEAD.format(date=datetime.now(UTC).date(), falconry=version("falconry"), engine=version("xllamacpp"))
    left_out = f"\nNot run this time: {', '.join(skipped)}.\n" if skipped else ""
    return "".join(
        (
            head,
            SMALL,
            left_out,
            f"\n## Falconry: {_sum(ours)}\n\n{_table(ours)}\n{_failures(ours)}",
            f"\n## llama.cpp's own server: {_sum(theirs)}\n\n{_table(theirs)}\n{_failures(theirs)}",
        )
    )


def _sum(results: Sequence[Result]) -> str:
    return f"{sum(result.outcome == 'pass' for result in results)} of {len(results)} checks"


def _table(results: Sequence[Result]) -> str:
    lines = [f"| client | version | {' | '.join(COLUMNS)} |", "| --- " * (len(COLUMNS) + 2) + "|"]
    for client in dict.fromkeys(result.client for result in results):
        own = [result for result in results if result.client == client]
        cells = [_cell([result for result in own if column(result) == name]) for name in COLUMNS]
        lines.append(f"| {client} | {own[0].version} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def column(result: Result) -> str:
    """Where a result is shown; a capability that nobody gave a column is an error of the probe."""
    name = SAME.get(result.capability, result.capability)
    if name not in COLUMNS:
        raise ValueError(f"no column for the capability {result.capability!r}")
    return name


def _cell(results: Sequence[Result]) -> str:
    if not results:
        return ""
    passed = sum(result.outcome == "pass" for result in results)
    return f"{passed}/{len(results)}{'°' if any(result.outcome == 'outside' for result in results) else ''}"


def _failures(results: Sequence[Result]) -> str:
    failed = [result for result in results if result.outcome != "pass"]
    if not failed:
        return "\nNothing failed.\n"
    lines = [
        f"- {result.client}, {result.capability}: {result.check}{'°' if result.outcome == 'outside' else ''}. "
        f"{_reason(result.reason)}"
        for result in failed
    ]
    return "\n### What failed\n\n" + "\n".join(lines) + "\n"


def _reason(text: str) -> str:
    short = " ".join(text.split())[:220].replace("`", "'")
    return f"`{short}`" if short else ""
