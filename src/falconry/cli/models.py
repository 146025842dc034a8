"""`falconry models`: what the model picker shows."""

from __future__ import annotations

import unicodedata

import click

from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb


@click.command("models", cls=Verb)
@settings_flags("model")
@click.pass_obj
def command(terminal: Terminal, /, debug: bool, **flags: str | None) -> None:
    from falconry.engines.shelf import open_pool  # not needed for --help

    models = open_pool(load_settings(terminal, debug=debug, **flags)).models()
    head = tuple(terminal.text(f"column_{name}") for name in ("name", "engine", "default"))
    rows = [(model.name, model.engine, terminal.text("yes") if model.default else "") for model in models]
    print(aligned([head, *rows]))


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as columns. Chinese characters take two columns of a terminal."""
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(_columns(row[n]) for row in cells) for n in range(len(cells[0]))]
    lines = [
        "  ".join(cell + " " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
