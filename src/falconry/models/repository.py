"""What lies in a repository of the hub, and which of its files make a model that can run here."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from falconry.models import download_errors as errors
from falconry.models.checksum import Checksum
from falconry.models.safe_names import collide, is_safe
from falconry.models.wanted import HubReference

# Best first: about four bits, the usual middle between size and quality; then more; then fewer, each from the largest.
_ORDER = (
    "Q4_K_M Q4_K_L Q4_K_XL Q4_K_S IQ4_NL IQ4_XS Q4_1 Q4_0 Q4_K MXFP4 MXFP4_MOE",
    "Q5_K_M Q5_K_L Q5_K_XL Q5_K_S Q5_1 Q5_0 Q6_K Q6_K_L Q6_K_XL Q8_0 Q8_K_XL",
    "Q3_K_L Q3_K_XL Q3_K_M IQ3_M Q3_K_S IQ3_S IQ3_XS IQ3_XXS",
    "Q2_K_L Q2_K_XL Q2_K IQ2_M Q2_K_S IQ2_S IQ2_XS IQ2_XXS TQ2_0 TQ1_0 IQ1_M IQ1_S",
    "F16 BF16 F32",
)
PREFERRED = tuple(name for row in _ORDER for name in row.split())
_PROJECTORS = ("F16", "Q8_0", "BF16", "F32")
_QUANTIZATION = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:UD-)?((?:I?Q\d|TQ\d)_[A-Z0-9]+(?:_[A-Z]+)*|MXFP4(?:_MOE)?|BF16|FP?16|FP?32)(?![A-Za-z0-9])"
)
_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_SETUP = re.compile(r"(?:[^/]+\.json|tokenizer\.model|merges\.txt|vocab\.txt|[^/]+\.tiktoken|[^/]+\.jinja)")
MOST_FILES = 2000
"""Of one model. The largest have two hundred."""
_WORKING_MEMORY = 512 * 2**20
"""Bytes beside the weights, for a first look: the context and the engine's buffers. What counts is the check of the
header before a model is loaded."""


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a repository: its path there, its size in bytes and its checksum, None where the hub does not say."""

    path: str
    size: int | None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit. `gated`: its files are given only to those who have accepted its licence."""

    name: str
    commit: str
    files: tuple[RepoFile, ...]
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The files that make a model: a GGUF file with all parts and its projector, or a folder of safetensors."""

    format: Literal["gguf", "safetensors"]
    files: tuple[RepoFile, ...]
    quantization: str | None = None


@dataclass(frozen=True, slots=True)
class _Variant:
    """One GGUF model with all its parts."""

    files: tuple[RepoFile, ...]
    quantization: str | None

    @property
    def path(self) -> str:
        return self.files[0].path

    @property
    def size(self) -> int:
        return sum(file.size or 0 for file in self.files)

    @property
    def label(self) -> str:
        return self.quantization or PurePosixPath(self.path).name


def quantization_of(path: str) -> str | None:
    """The quantisation that a file's name tells, or that of the folder it lies in: `Q4_K_M`, `F16`."""
    for part in reversed(path.split("/")):
        if found := _QUANTIZATION.findall(part):
            name = str(found[-1]).upper()
            return {"FP16": "F16", "FP32": "F32"}.get(name, name)
    return None


def choose(repository: Repository, wanted: HubReference, *, memory: int | None = None) -> Choice:
    """The files to fetch for what is wanted.

    Args:
        memory: bytes that a model may take on this machine, for the choice of a quantisation; None for any.

    Raises NotFound where there is nothing of the kind, DownloadFailed for names that no disk should get.
    """
    models, projectors = _gguf(repository.files)
    if wanted.file is not None:
        choice = _by_file(repository, wanted.file, models, projectors)
    elif models:
        choice = _with_projector(_by_quantization(repository, wanted.quantization, models, memory), projectors)
    else:
        choice = _folder(repository, wanted.quantization)
    if len(choice.files) > MOST_FILES:
        raise errors.nothing_usable(repository.name, _summary(repository.files))
    for file in choice.files:
        if not is_safe(f"{repository.name}/{file.path}"):
            raise errors.unsafe_name(repository.name, file.path[:200])
    if collide(file.path for file in choice.files):
        raise errors.unsafe_name(repository.name, choice.files[0].path)
    return choice


def _gguf(files: Sequence[RepoFile]) -> tuple[list[_Variant], list[RepoFile]]:
    """The GGUF models, and the projectors of vision models."""
    groups: dict[str, list[RepoFile]] = defaultdict(list)
    projectors = []
    for file in files:
        name = PurePosixPath(file.path).name.lower()
        if not name.endswith(".gguf") or "imatrix" in name:
            continue
        if "mmproj" in name:
            projectors.append(file)
        else:
            split = _SPLIT.fullmatch(file.path)
            groups[f"{split[1]} {split[3]}" if split else file.path].append(file)
    models = [
        _Variant(tuple(sorted(group, key=lambda file: file.path)), quantization_of(group[0].path))
        for group in groups.values()
    ]
    return sorted(models, key=lambda model: model.path), projectors


def _by_quantization(
    repository: Repository, quantization: str | None, models: Sequence[_Variant], memory: int | None
) -> _Variant:
    if quantization is None:
        whole = [model for model in models if _is_whole(model)]
        if not whole:
            raise errors.parts_missing(repository.name, models[0].path)
        fitting = [model for model in whole if memory is None or model.size + _WORKING_MEMORY <= memory]
        return min(fitting, key=_rank) if fitting else min(whole, key=lambda model: model.size)
    named = quantization.upper()
    found = [model for model in models if model.quantization == named.removeprefix("UD-")]
    # UD-Q4_K_XL and Q4_K_XL may lie side by side: the one as it was written.
    chosen = min(found, key=lambda model: ("UD-" in model.path.upper()) != ("UD-" in named), default=None)
    if chosen is None:
        raise errors.no_such_quantization(repository.name, quantization, _labels(models))
    return _checked(repository, chosen)


def _by_file(repository: Repository, wanted: str, models: Sequence[_Variant], projectors: Sequence[RepoFile]) -> Choice:
    for model in models:
        if any(file.path == wanted for file in model.files):
            return _with_projector(_checked(repository, model), projectors)
    for file in projectors:
        if file.path == wanted:
            return Choice("gguf", (file,), quantization_of(file.path))
    raise errors.no_such_file(repository.name, wanted, _labels(models) or _summary(repository.files))


def _with_projector(model: _Variant, projectors: Sequence[RepoFile]) -> Choice:
    """A vision model and the file that reads its pictures: of several, one of 16 bits."""

    def rank(file: RepoFile) -> tuple[bool, int, str]:
        near = PurePosixPath(file.path).parent in PurePosixPath(model.path).parents
        quantization = quantization_of(file.path)
        return not near, _index(_PROJECTORS, quantization), file.path

    best = min(projectors, key=rank, default=None)
    return Choice("gguf", (*model.files, *([best] if best else [])), model.quantization)


def _folder(repository: Repository, quantization: str | None) -> Choice:
    """A model as its makers publish it: safetensors at the top of the repository, with what describes them."""
    top = [file for file in repository.files if "/" not in file.path]
    weights = [file for file in top if file.path.endswith(".safetensors")]
    named = [
        file for file in weights if file.path.startswith("model")
    ]  # beside consolidated.safetensors, the same again
    adapters = [file for file in weights if file.path.startswith("adapter_model")]
    if not any(file.path == "config.json" for file in top) or not weights or (adapters and not named):
        raise errors.nothing_usable(repository.name, _summary(repository.files))
    if quantization is not None:
        raise errors.no_such_quantization(repository.name, quantization, "safetensors")
    setup = [file for file in top if _SETUP.fullmatch(file.path)]
    return Choice("safetensors", (*(named or weights), *setup))


def _checked(repository: Repository, model: _Variant) -> _Variant:
    if not _is_whole(model):
        raise errors.parts_missing(repository.name, model.path)
    return model


def _is_whole(model: _Variant) -> bool:
    """Whether all parts of a model are there."""
    split = _SPLIT.fullmatch(model.path)
    if split is None:
        return True
    numbers = [int(part[2]) for file in model.files if (part := _SPLIT.fullmatch(file.path))]
    return numbers == list(range(1, int(split[3]) + 1))


def _rank(model: _Variant) -> tuple[int, int, str]:
    return _index(PREFERRED, model.quantization), model.size, model.path


def _index(order: Sequence[str], quantization: str | None) -> int:
    return order.index(quantization) if quantization in order else len(order)


def _labels(models: Sequence[_Variant]) -> str:
    return ", ".join(sorted({model.label for model in models})[:40])


def _summary(files: Sequence[RepoFile]) -> str:
    """What kinds of files there are: `2 × .bin, 1 × .py`."""
    kinds = Counter(PurePosixPath(file.path).suffix or PurePosixPath(file.path).name for file in files)
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(8)) or "0"
