"""Which LoRA adapter belongs to which base: by what its header says, where it lies, and the shapes of its weights.

An adapter file names the model that it was made from, if at all, in words that no file has to have. What it must do is
fit: so the bases are tried whose shapes it has, those with its base's name first, then those beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from falconry.engines.base import Engine
from falconry.engines.llama_adapters import check_adapter
from falconry.engines.llama_launch import header_of
from falconry.engines.specs import ModelSpec
from falconry.errors import FalconryError
from falconry.models import eyas
from falconry.models.header import Header
from falconry.models.local_model import LocalModel


@dataclass(frozen=True, slots=True)
class Pairs:
    """Adapters and the files of their bases."""

    bases: tuple[tuple[LocalModel, Path], ...] = ()

    def specs(self, models: Mapping[str, ModelSpec]) -> Iterator[ModelSpec]:
        """The adapters whose bases can be chosen, as models of their own."""
        names = {spec.path: spec for spec in models.values()}
        taken = set(models)
        for adapter, path in self.bases:
            base = names.get(path)
            name = adapter.name if adapter.name not in taken else f"{adapter.name} · {base.name if base else ''}"
            if base is None or base.problem is not None or name in taken:
                continue
            taken.add(name)
            yield replace(
                base,
                name=name,
                title=name,
                size=adapter.size,
                path=adapter.path,
                source="settings" if adapter.source == "folder" else adapter.source,
                base=base.name,
                view=partial(_view, adapter.path),
                identity=(base.identity, str(adapter.path), adapter.size),
                needed=base.needed and base.needed + adapter.size,
                keep=False,
            )


NO_PAIRS = Pairs()


def pair_adapters(found: Sequence[LocalModel]) -> Pairs:
    """Find the base of each adapter. Blocking."""
    models = [(eyas.path(), header_of(eyas.path()))]
    models += [(one.path, one.header) for one in found if _can_be_base(one) and one.header is not None]
    adapters = [one for one in found if one.kind == "adapter" and one.problem is None and one.header is not None]
    pairs = ((adapter, _base_of(adapter, models)) for adapter in adapters)
    return Pairs(tuple((adapter, base) for adapter, base in pairs if base is not None))


def _can_be_base(local: LocalModel) -> bool:
    return local.kind == "model" and local.format == "gguf" and local.problem is None


def _base_of(adapter: LocalModel, models: Sequence[tuple[Path, Header]]) -> Path | None:
    header = adapter.header
    assert header is not None  # noqa: S101 - the caller has looked
    told = _names_of_base(header)

    def nearness(model: tuple[Path, Header]) -> tuple[bool, bool]:
        path, base = model
        named = any(name in told for name in (_plain(base.name or ""), _plain(path.stem)) if name)
        return named, path.parent == adapter.path.parent

    for path, base in sorted(models, key=nearness, reverse=True):
        try:
            check_adapter(base, header, adapter.name)
        except FalconryError:
            continue
        return path
    return None


def _names_of_base(header: Header) -> frozenset[str]:
    keys = ("general.base_model.0.name", "general.base_model.0.repo_url", "general.finetune")
    told = (header.text(key) or "" for key in keys)
    return frozenset(_plain(text.rstrip("/").rpartition("/")[2]) for text in told if text)


def _plain(name: str) -> str:
    """A name without what people write in several ways."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _view(path: Path, base: Engine) -> Engine:
    from falconry.engines.llama_adapter_engine import AdapterEngine
    from falconry.engines.llama_cpp import LlamaCppEngine

    assert isinstance(base, LlamaCppEngine)  # noqa: S101 - that is what a base's spec makes
    return AdapterEngine(base, path)
