"""What a store tells of a model before anybody looks into its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Source: TypeAlias = Literal["built_in", "folder", "falconry", "huggingface", "ollama", "lm_studio", "llama_cpp"]


@dataclass(frozen=True, slots=True)
class Found:
    """A GGUF file, or a folder with weights in safetensors.

    Attributes:
        path: the file, of several the first; or the folder.
        name: as its program calls it.
        longer: a name that tells it from another of the same name.
        digest: the sha256 of the file in hex, where the store keeps it.
        projector: the projector that the store keeps for it.
        named: the user named this very file, so it is told of even where it is none.
    """

    path: Path
    source: Source
    name: str
    longer: str
    digest: str | None = None
    projector: Path | None = None
    named: bool = False
