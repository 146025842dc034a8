"""The catalogue: some thirty open chat models, with what is known of each and where it is known from.

`catalog.json` holds facts that were looked up, each with its source and its date; what could not be verified is not in
it. Sizes are not looked up but computed, from a model's shape (`falconry.models.shape`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from falconry.models.fit import Alternative, MemoryEstimate, estimate_memory, slot_context
from falconry.models.header import Header
from falconry.models.quantization_mix import QUANTIZATIONS
from falconry.models.shape import Shape

_SMALL = 1_000_000_000
"""Parameters below which four bits cost more quality than they save memory."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact is from, and the day that the source is of, or was looked up."""

    url: str
    date: str


@dataclass(frozen=True, slots=True)
class License:
    """A licence by its SPDX id or its own name. All allow commercial use; `conditions`: under terms of its own."""

    name: str
    url: str
    conditions: bool


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model of the catalogue.

    Attributes:
        weights, gguf: repositories on the hub: the original weights, and files that llama.cpp runs.
        context_length: tokens that it was trained with.
        released: "2026-03", None where nobody told.
        description: a sentence in English and in Chinese.
        facts: where each of the above is from.
    """

    id: str
    name: str
    weights: str
    gguf: str
    license: License
    languages: tuple[str, ...]
    context_length: int
    released: str | None
    shape: Shape
    description: Mapping[str, str]
    facts: Mapping[str, tuple[Source, ...]]

    @property
    def parameters(self) -> int:
        return self.header(QUANTIZATIONS[0]).parameters

    @property
    def active_parameters(self) -> int:
        """Those that work on one token: all, but of a mixture of experts."""
        shape = self.shape
        idle = shape.experts - shape.experts_used
        return self.parameters - shape.layers * 3 * shape.width * shape.expert_feed_forward * max(idle, 0)

    def header(self, quantization: str) -> Header:
        """The header that its file has in a quantisation. Raises KeyError where that is none of QUANTIZATIONS."""
        return _header(self.shape, quantization, self.context_length)

    def memory(self, quantization: str, terms: Terms) -> MemoryEstimate:
        """What it will take of the memory."""
        return estimate_memory(
            self.header(quantization),
            context_length=terms.context(self.context_length),
            slots=terms.slots,
            kv_type=terms.kv_type,
            flash_attention=terms.flash_attention,
        )

    def wanted(self, quantization: str | None = None, memory: int | None = None, terms: Terms | None = None) -> str:
        """What to ask the hub for. Without a quantisation it is the usual one, or the smallest where `memory` bytes
        are too few for that, run as `terms` say."""
        if quantization is None:
            usual = "Q8_0" if self.parameters < _SMALL else "Q4_K_M"
            too_large = memory is not None and self.memory(usual, terms or Terms()).total > memory
            quantization = QUANTIZATIONS[0] if too_large else usual
        return f"{self.gguf}:{quantization}"

    def alternatives(self) -> list[Alternative]:
        """Its quantisations, to be offered where another one is too large."""
        return [Alternative(name, self.header(name).file_size, self.wanted(name)) for name in QUANTIZATIONS]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a model would be run: tokens of one slot, None for the usual ones; slots; and how keys and values are
    stored."""

    context_length: int | None = None
    slots: int = 2
    kv_type: str = "f16"
    flash_attention: bool = True

    def context(self, most: int) -> int:
        """Tokens of a slot for a model that was trained with so many."""
        return slot_context(self.context_length, most)


@cache
def catalog() -> tuple[CatalogModel, ...]:
    """All models, as they stand in the file."""
    read = json.loads(files(__package__).joinpath("catalog.json").read_text(encoding="utf-8"))
    sources = {key: Source(**value) for key, value in read["sources"].items()}
    licenses = {name: License(name, **value) for name, value in read["licenses"].items()}
    return tuple(_model(model, sources, licenses) for model in read["models"])


def find(name: str) -> CatalogModel | None:
    """A model by its id, its name or its repository, whatever the case."""
    wanted = _plain(name)
    for model in catalog():
        if wanted in {_plain(text) for text in (model.id, model.name, model.weights, model.gguf)}:
            return model
    return None


def alternatives_for(names: Sequence[str]) -> list[Alternative]:
    """The quantisations of the model that is called like one of these: file names, titles, repositories."""
    plain = [_plain(name).removesuffix("-gguf") for name in names if name]
    for model in sorted(catalog(), key=lambda model: -len(model.weights)):
        if any(name.startswith(_plain(model.weights.rpartition("/")[2])) for name in plain):
            return model.alternatives()
    return []


@cache
def _header(shape: Shape, quantization: str, context_length: int) -> Header:
    return shape.header(quantization, context_length)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "-").replace("_", "-")


def _model(read: dict[str, Any], sources: Mapping[str, Source], licenses: Mapping[str, License]) -> CatalogModel:
    facts = {fact: tuple(sources[key] for key in keys) for fact, keys in read.pop("facts").items()}
    return CatalogModel(
        **{
            **read,
            "license": licenses[read["license"]],
            "languages": tuple(read["languages"]),
            "shape": Shape(**read["shape"]),
            "facts": facts,
        }
    )
