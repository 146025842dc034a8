"""Models that run on this machine, as they can be chosen: what their headers say, and what memory they will take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from falconry.engines.base import Engine
from falconry.engines.llama_launch import batch_size, header_of
from falconry.engines.llama_options import options_from
from falconry.engines.specs import ModelSpec
from falconry.engines.transformers_launch import estimate as estimate_folder
from falconry.engines.transformers_launch import missing
from falconry.errors import FalconryError
from falconry.models import eyas
from falconry.models.catalog import alternatives_for
from falconry.models.fit import Fit, fits, slot_context, too_large
from falconry.models.header import Header
from falconry.models.local_model import LocalModel
from falconry.models.split import part_paths, stem_of
from falconry.settings import BUILT_IN_MODEL, Settings


def eyas_spec(settings: Settings) -> ModelSpec:
    """The model that comes with Falconry. It is so small that it stays in memory once it is there."""
    path = eyas.path()
    return ModelSpec(
        BUILT_IN_MODEL,
        "Eyas",
        "llama_cpp",
        partial(_llama_cpp, path, settings),
        size=_size([path]),
        path=path,
        source="built_in",
        identity=_identity(path),
        needs=partial(_needs, path, settings),
        keep=True,
    )


def file_spec(path: Path, settings: Settings) -> ModelSpec:
    """A GGUF file that nobody has looked into yet."""
    name = stem_of(path)
    return ModelSpec(
        name,
        name,
        "llama_cpp",
        partial(_llama_cpp, path, settings),
        size=_size(part_paths(path)),
        path=path,
        identity=_identity(path),
        needs=partial(_needs, path, settings),
        too_large=partial(_too_large, path, settings, None, name),
    )


def local_spec(local: LocalModel, settings: Settings) -> ModelSpec:
    """A model that was found, whatever its format."""
    gguf, path = local.format == "gguf", local.path
    make: Callable[[], Engine] = partial(_transformers, path, settings)
    needs: Callable[[], int] = partial(_folder_needs, path, settings)
    refuse: Callable[[int], FalconryError] = partial(_folder_too_large, path, settings, local.name)
    if gguf:
        make = partial(_llama_cpp, path, settings, local.projector)
        needs = partial(_needs, path, settings, local.projector, local.header)
        refuse = partial(_too_large, path, settings, local.projector, local.name)
    return ModelSpec(
        local.name,
        local.name,
        "llama_cpp" if gguf else "transformers",
        make,
        size=local.size or None,
        path=path,
        source="settings" if local.source == "folder" else local.source,
        identity=_identity(path, local.projector),
        needs=needs,
        needed=None if local.problem else _told(needs),
        too_large=refuse,
        problem=local.problem or (None if gguf else missing()),
        quantization=local.quantization,
        parameters=local.parameters,
        context_length=local.context_length,
        vision=gguf and local.projector is not None,
    )


def _identity(path: Path, projector: Path | None = None) -> Hashable:
    """What tells a file from another one that has taken its place, and from itself once it can see."""
    try:
        status = path.stat()
    except OSError:
        return str(path), None
    return str(path), projector, status.st_ino, status.st_size, status.st_mtime_ns


def _size(files: Sequence[Path]) -> int | None:
    try:
        return sum(file.stat().st_size for file in files) or None
    except OSError:
        return None


def _told(needs: Callable[[], int]) -> int | None:
    """Bytes of memory, where the files tell."""
    try:
        return needs()
    except FalconryError:
        return None


def _needs(path: Path, settings: Settings, projector: Path | None = None, header: Header | None = None) -> int:
    """Bytes of memory. Raises BadModelFile."""
    return _fit(path, settings, projector, header or header_of(path), sys.maxsize).estimate.total


def _too_large(path: Path, settings: Settings, projector: Path | None, name: str, free: int) -> FalconryError:
    return too_large(name, _fit(path, settings, projector, header_of(path), free, name))


def _fit(path: Path, settings: Settings, projector: Path | None, header: Header, free: int, name: str = "") -> Fit:
    """Whether a model fits, run as the settings have it. Raises BadModelFile."""
    options = options_from(settings)
    return fits(
        header,
        context_length=slot_context(options.context_length, header.context_length),
        slots=options.slots,
        free=free,
        kv_type=options.kv_cache_type,
        batch=batch_size(header.file_size, own_server=options.llama_server),
        flash_attention=options.flash_attention != "off",
        beside=header_of(projector).file_size if projector is not None else 0,
        alternatives=alternatives_for([name, path.name, header.name or ""]) if name else (),
    )


def _folder_needs(path: Path, settings: Settings) -> int:
    return estimate_folder(path, settings.context_length).total


def _folder_too_large(path: Path, settings: Settings, name: str, free: int) -> FalconryError:
    return too_large(name, Fit(estimate_folder(path, settings.context_length), free, settings.context_length or 0))


# The engines are imported when one is made: `falconry models` needs none.


def _llama_cpp(path: Path, settings: Settings, projector: Path | None = None) -> Engine:
    from falconry.engines.llama_cpp import LlamaCppEngine

    options = options_from(settings)
    return LlamaCppEngine(path, options if projector is None else replace(options, projector=projector))


def _transformers(path: Path, settings: Settings) -> Engine:
    from falconry.engines.transformers_serve import transformers_engine

    return transformers_engine(path, settings)
