"""What can be chosen, and which of it is the default: from the settings, what lies on the disk, and endpoints.

The settings' own models come first, then endpoints, Eyas, and whatever else was found. The default is the setting
`model`; without it the first of the settings' models, else of the endpoints, else Eyas: what was only found never
becomes it by itself. One that is not there, or broken, keeps nobody from chatting: Eyas answers in its place, and the
list says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import NoReturn

from falconry.engines.adapters_of import NO_PAIRS, Pairs
from falconry.engines.endpoints import Choice
from falconry.engines.local_specs import eyas_spec, file_spec, local_spec
from falconry.engines.remote_specs import canned_spec, endpoint_spec
from falconry.engines.specs import ModelSpec
from falconry.errors import ModelNotFound
from falconry.models.local import model_at
from falconry.models.local_model import LocalModel
from falconry.models.split import part_number
from falconry.models.stores.files import folder_model
from falconry.settings import BUILT_IN_MODEL, Settings

MOST_NAMED = 20  # models, in the sentence that one is not there
OWN = "folder"  # the source of what the settings name


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen by name, in the order in which it is shown, and the name of the default.

    `missing` says that the model which the settings name is not there.
    """

    specs: dict[str, ModelSpec]
    default: str
    missing: ModelNotFound | None = None


def offer(
    settings: Settings, choices: Sequence[Choice], found: Sequence[LocalModel] | None = None, pairs: Pairs = NO_PAIRS
) -> Offer:
    """Put it together.

    Args:
        choices: the models of endpoints.
        found: what lies on the disk; None where nobody has looked yet, and then the settings' files by their names.
        pairs: which adapter belongs to which of the models found.
    """
    there = [one for one in found or () if one.kind == "model"]
    own = [local_spec(one, settings) for one in there if one.source == OWN]
    if found is None:
        own = list(_own_files(settings))
    remote = [endpoint_spec(choice, settings) for choice in choices]
    built_in = [eyas_spec(settings), *([canned_spec(settings)] if settings.canned else [])]
    # What is broken stands among the files, with the reason; only what the settings name is told of here as well.
    other = [local_spec(one, settings) for one in there if one.source not in (OWN, "built_in") and not one.problem]
    specs = _unique([*own, *remote, *built_in, *other])
    specs |= {spec.name: spec for spec in pairs.specs(specs)}
    return _with_default(settings.model, specs, [*own, *remote])


def _with_default(wanted: str | None, specs: dict[str, ModelSpec], candidates: Sequence[ModelSpec]) -> Offer:
    if wanted is None:
        usable = (spec.name for spec in candidates if spec.problem is None)
        return Offer(specs, next(usable, BUILT_IN_MODEL))
    if wanted in specs and specs[wanted].problem is None:
        return Offer(specs, wanted)
    if wanted in specs:
        return Offer(specs, BUILT_IN_MODEL)
    missing = ModelNotFound(
        f"There is no model named “{wanted}”. There are: {', '.join([*specs][:MOST_NAMED])}.", model=wanted
    )
    # It stands in the list with its reason, and conversations that it answered can be gone on with when it is back.
    return Offer(
        {wanted: ModelSpec(wanted, wanted, "missing", _nothing, problem=missing), **specs}, BUILT_IN_MODEL, missing
    )


def _nothing() -> NoReturn:
    raise AssertionError("a model with a problem has no engine")


def _own_files(settings: Settings) -> Iterator[ModelSpec]:
    """The settings' models by their names alone: nothing is read, so that the start does not wait for a slow disk.

    But of a folder that is a model, whose name says nothing, the config and the heads of its files.
    """
    for path in settings.models:
        expanded = path.expanduser()
        if (name := folder_model(expanded)) is not None:
            yield local_spec(replace(model_at(expanded), name=name), settings)
            continue
        files: Iterable[Path] = sorted(expanded.glob("*.gguf")) if expanded.is_dir() else [expanded]
        yield from (file_spec(file, settings) for file in files if part_number(file) == 1)


def _unique(specs: Iterable[ModelSpec]) -> dict[str, ModelSpec]:
    """By name; whoever comes later with a name that is taken gets a number behind it."""
    found: dict[str, ModelSpec] = {}
    for spec in specs:
        names = (spec.name if number == 1 else f"{spec.name} ({number})" for number in count(1))
        name = next(name for name in names if name not in found)
        found[name] = spec if name == spec.name else replace(spec, name=name, title=name)
    return found
