"""What can be chosen: a model's name, how its engine is made, and what is known of it before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from falconry.engines.base import Engine
from falconry.errors import FalconryError

LOCAL_KINDS = frozenset({"llama_cpp", "transformers"})
"""Engines that take this machine's memory."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that can be chosen.

    Attributes:
        name, title: what it is called by programs and in the database, and by people.
        kind: that of its engine.
        make: builds the engine, which starts nothing yet.
        size: bytes of its files.
        path: its file or folder, None for what runs elsewhere.
        source: where it was found: "settings", "falconry", "huggingface", "ollama", …; "built_in" for Eyas.
        base: of an adapter, the name of the model whose engine it shares.
        view: of an adapter, makes its engine from that of its base.
        identity: what the engine is made of. A spec of the same name and identity is the same model, and stays loaded.
        needs: bytes of memory that it will take, read from its header; None where nobody can tell.
        needed: the same, where it is known already.
        too_large: the error for a machine with so many bytes free, with what could be done about it.
        problem: why it cannot be used.
        mark: what was wrong with it when it was last looked at; it may be asked all the same.
        quantization, parameters, context_length: what its header says; the context as it was trained.
        vision: it sees pictures; None where its server does not tell.
        keep: so small that it is neither refused nor unloaded for being idle.
    """

    name: str
    title: str
    kind: str
    make: Callable[[], Engine]
    size: int | None = None
    path: Path | None = None
    source: str = "settings"
    base: str | None = None
    view: Callable[[Engine], Engine] | None = None
    identity: Hashable = ()
    needs: Callable[[], int] | None = None
    needed: int | None = None
    too_large: Callable[[int], FalconryError] | None = None
    problem: FalconryError | None = None
    mark: FalconryError | None = None
    quantization: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    vision: bool | None = False
    keep: bool = False

    @property
    def local(self) -> bool:
        """Whether it takes this machine's memory."""
        return self.kind in LOCAL_KINDS
