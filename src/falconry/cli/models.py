"""`falconry models`: what can be chosen, and what else lies on this machine. Its verbs do something about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.tables import aligned, short_number, short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import VerbGroup

if TYPE_CHECKING:
    from falconry.errors import FalconryError
    from falconry.messages import ModelInfo
    from falconry.models.local import LocalModel
    from falconry.settings import Settings

VERBS = ("catalog", "show", "pull", "downloads", "remove")
_COLUMNS = ("name", "kind", "parameters", "size", "context", "source", "state")


class Models(VerbGroup):
    """The group, whose verbs are in `models_<verb>.py`. Alone it lists."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"falconry.cli.models_{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return click.Group.parse_args(self, ctx, args)


@click.group("models", cls=Models, invoke_without_command=True)
@settings_flags("model", "data_dir")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def command(ctx: click.Context, /, debug: bool, as_json: bool, **flags: str | None) -> None:
    if ctx.invoked_subcommand is not None:
        return
    terminal = ctx.ensure_object(Terminal)
    settings = load_settings(terminal, debug=debug, **flags)
    models = _all(settings)
    if as_json:
        print(json.dumps([_values(info, local) for info, local in models], ensure_ascii=False, indent=2))
        return
    head = tuple(terminal.text(f"column_{name}") for name in _COLUMNS)
    print(aligned([head, *(_row(terminal, info, local) for info, local in models)]))
    problems = [local.problem for _, local in models if local is not None and local.problem is not None]
    for problem in (*problems, *_unreadable(settings)):
        print(printable(terminal.error(problem.as_dict())))


def _all(settings: Settings) -> list[tuple[ModelInfo | None, LocalModel | None]]:
    """What can be chosen, then what else lies here: adapters, projectors, and what cannot be used."""
    from falconry.engines.shelf import whole_pool  # not needed for --help
    from falconry.engines.specs import LOCAL_KINDS
    from falconry.models import eyas
    from falconry.models.local import find_models, model_at
    from falconry.settings import BUILT_IN_MODEL

    found = find_models(settings)
    local = {model.name: model for model in found}
    local.setdefault(BUILT_IN_MODEL, replace(model_at(eyas.path()), source="built_in"))
    chosen = whole_pool(settings, found).models()
    models: list[tuple[ModelInfo | None, LocalModel | None]] = [
        (info, local.pop(info.name, None) if info.engine in LOCAL_KINDS else None) for info in chosen
    ]
    return [*models, *((None, model) for model in local.values())]


def _unreadable(settings: Settings) -> list[FalconryError]:
    from falconry.models.stores.places import unreadable_places

    return unreadable_places(settings)


def _values(info: ModelInfo | None, local: LocalModel | None) -> Mapping[str, Any]:
    """A model for programs: bytes and tokens as numbers, null for what nobody knows."""
    about = local if local is not None else info
    return {
        "name": getattr(about, "name", None),
        "engine": info.engine if info else None,
        "default": info is not None and info.default,
        "kind": local.kind if local else "model",
        "format": local.format if local else None,
        "source": getattr(about, "source", None),
        "architecture": local.architecture if local else None,
        "quantization": getattr(about, "quantization", None),
        "parameters": getattr(about, "parameters", None),
        "size": getattr(about, "size", None),
        "context_length": getattr(about, "context_length", None),
        "license": local.license if local else None,
        "path": str(local.path) if local else None,
        "problem": local.problem.as_dict() if local is not None and local.problem is not None else None,
    }


def _row(terminal: Terminal, info: ModelInfo | None, local: LocalModel | None) -> tuple[str, ...]:
    values = _values(info, local)
    kind = values["quantization"] or values["format"] or values["engine"]
    if values["kind"] != "model":
        kind = terminal.text(f"kind_{values['kind']}")
    state = "broken" if values["problem"] else "default" if values["default"] else ""
    return (
        str(values["name"]),
        str(kind),
        short_number(values["parameters"]),
        short_size(values["size"]),
        str(values["context_length"] or ""),
        source_name(terminal, str(values["source"])),
        terminal.text(f"state_{state}") if state else "",
    )


def source_name(terminal: Terminal, source: str) -> str:
    """Where a model comes from, in the terminal's language."""
    return terminal.text(f"source_{source}")
