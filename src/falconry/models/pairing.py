"""Which projector belongs to which model: files of their own, side by side, that nothing but their names connects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from falconry.models.header import Header
from falconry.models.local_model import LocalModel

_WORD = re.compile(r"[a-z]+|\d+")
_COMMON = frozenset(
    {"mmproj", "model", "gguf", "f", "bf", "q", "k", "m", "s", "it", "b", "instruct", "chat", "vision"}
    | {"0", "8", "16", "32"}
)
_BEST = {"F16": 0, "BF16": 1, "Q8_0": 2, "F32": 3}
"""Which one is taken of several: what others are made from, and then what is smaller."""


def pair(models: Sequence[LocalModel]) -> list[LocalModel]:
    """The same models, those that can see with the projector that lies beside them."""
    projectors = [model for model in models if model.kind == "projector" and model.header and not model.problem]
    return [
        replace(model, projector=best.path)
        if model.kind == "model" and model.projector is None and (best := _best(model, projectors)) is not None
        else model
        for model in models
    ]


def _best(model: LocalModel, projectors: Sequence[LocalModel]) -> LocalModel | None:
    if model.header is None:
        return None
    beside = [
        one
        for one in projectors
        if one.path.parent in (model.path.parent, model.path.parent.parent)
        and one.header is not None
        and _fits(model.header, one.header)
        and (_alike(model, one) or not _words(one))  # “mmproj-F16.gguf” in a folder of its own says nothing
    ]
    return min(beside, key=lambda one: (-_alike(model, one), _BEST.get(one.quantization or "", 9)), default=None)


def _fits(model: Header, projector: Header) -> bool:
    """What comes out of the projector must be as wide as what goes into the model. Some models take it in several
    slices, one above the other."""
    width = projector.metadata.get("clip.vision.projection_dim")
    if not isinstance(width, int) or width <= 0 or not model.embedding_length:
        return True  # it does not say
    return width % model.embedding_length == 0


def _alike(model: LocalModel, projector: LocalModel) -> int:
    """How many words the two have in common: of their files' names, and of the names that they give themselves."""
    return len(_words(model) & _words(projector))


def _words(model: LocalModel) -> set[str]:
    own = model.header.name if model.header is not None else None
    return set(_WORD.findall(f"{model.path.stem} {own or ''}".lower())) - _COMMON
