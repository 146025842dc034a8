"""One model on this machine, as it is found: what it is, or why it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from falconry.errors import FalconryError
from falconry.models.folder import ModelFolder
from falconry.models.header import Header
from falconry.models.stores.found import Source

Format: TypeAlias = Literal["gguf", "safetensors"]
LocalKind: TypeAlias = Literal["model", "adapter", "projector"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model, an adapter or a projector on this machine.

    Attributes:
        name: unique among all that were found, to be typed.
        path: the file, of several the first; or the folder of a model in safetensors.
        files: all files, without the projector.
        size: bytes of these.
        header: what a GGUF file says; None where it is broken, and for safetensors.
        folder: what a folder with safetensors says.
        projector: the file that makes this model see images.
        problem: why it cannot be used.
        copies: where the same content lies once more; it is offered once.
    """

    name: str
    path: Path
    files: tuple[Path, ...]
    format: Format
    source: Source
    kind: LocalKind
    size: int
    header: Header | None = None
    folder: ModelFolder | None = None
    projector: Path | None = None
    problem: FalconryError | None = None
    copies: tuple[Path, ...] = ()

    @property
    def architecture(self) -> str | None:
        if self.header is not None:
            return self.header.architecture or None
        return self.folder.architecture if self.folder is not None else None

    @property
    def quantization(self) -> str | None:
        """As in file names: "Q4_K_M", "F16"; for safetensors the type of most weights, "BF16"."""
        if self.header is not None:
            return self.header.quantization
        return self.folder.dtype or None if self.folder is not None else None

    @property
    def parameters(self) -> int | None:
        if self.header is not None:
            return self.header.parameters
        return self.folder.parameters if self.folder is not None else None

    @property
    def context_length(self) -> int | None:
        """Tokens that it was trained with."""
        if self.header is not None:
            return self.header.context_length
        return self.folder.context_length if self.folder is not None else None

    @property
    def license(self) -> str | None:
        return self.header.license if self.header is not None else None

    @property
    def vision(self) -> bool:
        """Whether it can be shown images."""
        return self.projector is not None or (self.folder is not None and self.folder.vision)
