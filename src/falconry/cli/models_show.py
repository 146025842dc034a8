"""`falconry models show`: all that a model's files say of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falconry.cli.configure import load_settings, problem, settings_flags
from falconry.cli.models import source_name
from falconry.cli.tables import short_number, short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb

if TYPE_CHECKING:
    from falconry.models.header import Header, Value
    from falconry.models.local import LocalModel
    from falconry.settings import Settings

# What makers tell of a model, in the order in which it is shown.
_TOLD = (
    "description",
    "author",
    "organization",
    "version",
    "url",
    "source.url",
    "base_model.0.name",
    "languages",
    "tags",
)


@click.command("show", cls=Verb)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True)
@click.option("--template", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def command(terminal: Terminal, /, name: str, as_json: bool, template: bool, debug: bool, data_dir: str | None) -> None:
    model = _model(load_settings(terminal, debug=debug, data_dir=data_dir), name)
    if template:
        written = model.header.chat_template if model.header is not None else None
        if written is None:
            raise problem(terminal, "no_template", name=model.name)
        print(printable(written))
    elif as_json:
        print(json.dumps(_values(model), ensure_ascii=False, indent=2))
    else:
        for label, text in _lines(terminal, model):
            print(printable(f"{terminal.text(f'about_{label}')}{terminal.text('about_colon')}{text}"))


def _model(settings: Settings, name: str) -> LocalModel:
    """A model by its name, or by the path of its file. Raises ModelNotFound."""
    from falconry.errors import ModelNotFound
    from falconry.models import eyas
    from falconry.models.local import find_models, model_at
    from falconry.settings import BUILT_IN_MODEL

    found = next((model for model in find_models(settings) if model.name == name), None)
    if found is None and name == BUILT_IN_MODEL:
        return replace(model_at(eyas.path()), source="built_in")
    if found is None and (path := Path(name).expanduser()).exists():
        found = model_at(path)
    if found is None:
        raise ModelNotFound(f"There is no model named “{name[:200]}”. Choose another one.", model=name[:200])
    return found


def _lines(terminal: Terminal, model: LocalModel) -> Iterator[tuple[str, str]]:
    """What is to be told, each with the name of its label; what nobody knows is left out."""
    yield "name", model.name
    if model.problem is not None:
        yield "problem", terminal.error(model.problem.as_dict())
    yield "path", str(model.path)
    for copy in model.copies:
        yield "copy", str(copy)
    yield "source", source_name(terminal, model.source)
    yield "kind", terminal.text(f"kind_{model.kind}")
    yield "size", short_size(model.size) + (f" ({len(model.files)})" if len(model.files) > 1 else "")
    for label, text in (
        ("title", model.header.name if model.header is not None else None),
        ("architecture", model.architecture),
        ("parameters", short_number(model.parameters)),
        ("quantization", model.quantization),
        ("context", str(model.context_length or "")),
    ):
        if text:
            yield label, text
    if model.header is not None:
        yield from _header_lines(terminal, model.header)
    if model.projector is not None:
        yield "projector", str(model.projector)


def _header_lines(terminal: Terminal, header: Header) -> Iterator[tuple[str, str]]:
    sizes = Counter[str]()
    for tensor in header.tensors:
        sizes[tensor.type] += tensor.size
    shares = ((name, round(100 * size / max(header.weights_size, 1))) for name, size in sizes.most_common(5))
    yield "tensors", ", ".join(f"{name} {share} %" for name, share in shares if share)
    if header.block_count:
        heads, kept = max((*header.head_counts, 0)), max((*header.head_counts_kv, 0))
        yield "layers", str(header.block_count)
        yield "heads", f"{heads} / {kept}"
        yield "embedding", str(header.embedding_length)
    if header.vocabulary_size:
        yield "vocabulary", str(header.vocabulary_size)
    if header.kind == "model":
        yield "template", terminal.text("yes" if header.chat_template else "no")
    if header.license:
        yield "license", header.license
    for key in _TOLD:
        value = header.metadata.get(f"general.{key}")
        if isinstance(value, str | tuple) and value:
            label = "url" if key == "source.url" else key.partition(".")[0]
            yield label, value[:500] if isinstance(value, str) else ", ".join(map(str, value))[:500]


def _values(model: LocalModel) -> dict[str, Any]:
    metadata = model.header.metadata if model.header is not None else {}
    return {
        "name": model.name,
        "path": str(model.path),
        "files": [str(file) for file in model.files],
        "copies": [str(copy) for copy in model.copies],
        "format": model.format,
        "source": model.source,
        "kind": model.kind,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "parameters": model.parameters,
        "size": model.size,
        "context_length": model.context_length,
        "license": model.license,
        "projector": str(model.projector) if model.projector else None,
        "problem": model.problem.as_dict() if model.problem else None,
        "metadata": {key: _plain(value) for key, value in metadata.items()},
    }


def _plain(value: Value) -> Any:
    """A value of the metadata for JSON, which has no NaN and no infinity."""
    from falconry.models.header import Array

    if isinstance(value, Array):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
