"""`falconry models catalog`: which models there are, which of them fit, and which one to take."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.tables import aligned, short_number, short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Number, Verb, Word

if TYPE_CHECKING:
    from falconry.models.advice import Advice
    from falconry.models.catalog import CatalogModel
    from falconry.models.recommend import Variant

_COLUMNS = ("name", "parameters", "languages", "license", "quantization", "size", "needs", "fits", "speed")
_GIB = 2**30


@click.command("catalog", cls=Verb)
@click.option("--memory", type=Number(0.25, 2**20), metavar="GIB")
@click.option("--language", type=Word("zh", "en"), metavar="[zh|en]")
@click.option("--wish", type=Word("quality", "speed"), default="quality", metavar="[quality|speed]")
@click.option("--json", "as_json", is_flag=True)
@settings_flags("context_length")
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    memory: float | None,
    language: str | None,
    wish: Any,
    as_json: bool,
    debug: bool,
    **flags: str | None,
) -> None:
    from falconry.models.advice import advise, reason  # not needed for --help

    settings = load_settings(terminal, debug=debug, **flags)
    asked = round(memory * _GIB) if memory is not None else None
    advice = advise(settings, memory=asked, language=language, wish=wish)
    if as_json:
        print(json.dumps(_values(advice), ensure_ascii=False, indent=2))
        return
    head = tuple(terminal.text(f"column_{name}") for name in _COLUMNS)
    rows = [
        _row(terminal, model, variant)
        for model, variants in advice.entries
        if language is None or language in model.languages
        for variant in variants[:1]
    ]
    print(aligned([head, *rows]))
    print()
    chosen = advice.recommended
    if chosen is None:
        print(terminal.text("catalog_nothing"))
        return
    print(printable(reason(advice, chosen, terminal.language)))
    print(f"  falconry models pull {chosen.variant.wanted}")


def _row(terminal: Terminal, model: CatalogModel, variant: Variant) -> tuple[str, ...]:
    fits = "" if variant.fits is None else terminal.text("yes" if variant.fits else "no")
    return (
        model.id,
        short_number(model.parameters),
        " ".join(model.languages),
        model.license.name,
        variant.quantization,
        short_size(variant.size),
        short_size(variant.memory),
        fits,
        f"{variant.tokens_per_second:.1f}" if variant.tokens_per_second is not None else "",
    )


def _values(advice: Advice) -> dict[str, Any]:
    chosen = advice.recommended
    return {
        "machine": {**asdict(advice.machine), "bandwidth": advice.bandwidth},
        "memory": advice.room,
        "models": [
            {"id": model.id, "name": model.name, "variants": [asdict(variant) for variant in variants]}
            for model, variants in advice.entries
        ],
        "recommended": {"id": chosen.model.id, **asdict(chosen.variant)} if chosen is not None else None,
    }
