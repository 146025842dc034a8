"""What stands on the shelf."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool
from falconry.engines.specs import ModelSpec
from falconry.errors import ModelNotFound
from falconry.models import eyas
from falconry.settings import BUILT_IN_MODEL, Endpoint, Settings


def open_pool(settings: Settings) -> EnginePool:
    """The pool that the settings describe. Nothing is started or reached out for yet."""
    specs: dict[str, ModelSpec] = {}

    def add(name: str, title: str, kind: str, make: Callable[[], Engine], path: Path | None = None) -> None:
        free = next(n for i in count(1) if (n := name if i == 1 else f"{name} ({i})") not in specs)
        specs[free] = ModelSpec(free, title if free == name else free, kind, make, _size(path))

    for path in _model_files(settings.models):
        add(path.stem, path.stem, "llama_cpp", _llama_cpp(path, settings), path)
    for endpoint in settings.all_endpoints():
        add(endpoint.name, endpoint.name, endpoint.kind, _remote(endpoint, settings.engine_timeout))
    add(BUILT_IN_MODEL, "Eyas", "llama_cpp", _llama_cpp(eyas.path(), settings), eyas.path())
    if settings.canned:
        add("canned", "Canned replies", "canned", _canned(settings))
    default = settings.model or next(iter(specs))
    if default not in specs:
        raise ModelNotFound(f"There is no model named “{default}”. There are: {', '.join(specs)}.", model=default)
    return EnginePool(
        specs,
        default,
        loaded_models=settings.loaded_models,
        queue=settings.queue_size,
        strict=settings.strict_models,
    )


def _size(path: Path | None) -> int | None:
    """Bytes of a model's file; of one that is split, of all its parts. None where there is none."""
    if path is None:
        return None
    split = re.fullmatch(r"(.+)-\d{5}(-of-\d{5}\.gguf)", path.name)
    try:
        parts = list(path.parent.glob(f"{glob.escape(split[1])}-?????{split[2]}")) if split else [path]
        return sum(part.stat().st_size for part in parts) or None
    except OSError:
        return None


def _model_files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        expanded = path.expanduser()
        files.extend(sorted(expanded.glob("*.gguf")) if expanded.is_dir() else [expanded])
    return files


def _llama_cpp(path: Path, settings: Settings) -> Callable[[], Engine]:
    def make() -> Engine:
        from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions

        return LlamaCppEngine(
            path,
            LlamaCppOptions(
                context_length=settings.context_length,
                threads=settings.threads,
                slots=settings.slots,
                prompt_cache_mib=settings.prompt_cache_mib,
                llama_server=settings.llama_server,
            ),
        )

    return make


def _remote(endpoint: Endpoint, timeout: float) -> Callable[[], Engine]:
    def make() -> Engine:
        if endpoint.kind == "tgi":
            from falconry.engines.tgi import TGIEngine

            return TGIEngine(endpoint, timeout)
        from falconry.engines.openai import OpenAIEngine

        return OpenAIEngine(endpoint, timeout)

    return make


def _canned(settings: Settings) -> Callable[[], Engine]:
    def make() -> Engine:
        from falconry.engines.canned import CannedEngine

        return CannedEngine(seed=settings.canned_seed, rate=settings.canned_rate, delay=settings.canned_delay)

    return make
