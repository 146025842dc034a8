"""LoRA adapters of a local model: which of them its process has loaded, and whether one belongs to a base at all.

One process holds the base once and any number of adapters beside it; each request says which one it wants. What
llama-server does not do by itself (October 2026, all of it tested):

* A request without `lora` runs with the adapter of the one before in its slot, and on its KV cache. So every request
  says it, the base's own too.
* The cache of prompts in memory finds them by their tokens alone, and hands what one adapter made of them to another:
  21 of 150 greedy replies were wrong. So there is none beside adapters; each slot keeps what it read, which the server
  drops when the adapter changes.
* While a slot writes with one adapter, slots with another stand still. So they take turns here, where those who wait
  can be told and can go away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from falconry.errors import AdapterMismatch, EngineUnavailable
from falconry.models.gguf import Header, Tensor

_A, _B = ".lora_a", ".lora_b"
_EMBEDDING = "token_embd.weight"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in a GGUF file, and how strongly it works: 1 as it was trained, 0 not at all."""

    path: Path
    scale: float = 1.0


class Adapters:
    """The adapters of one base. They are numbered in the order in which its process was given them."""

    def __init__(self) -> None:
        self._wanted: list[Path] = []
        self._loaded: tuple[Path, ...] = ()

    def add(self, path: Path) -> None:
        """Have it loaded by the next process that is started."""
        if path not in self._wanted:
            self._wanted.append(path)

    def remove(self, path: Path) -> None:
        if path in self._wanted:
            self._wanted.remove(path)

    def hand_over(self) -> tuple[Path, ...]:
        """The files that a process which is being started shall load."""
        self._loaded = tuple(path for path in self._wanted if path.is_file())
        return self._loaded

    def loaded(self, path: Path) -> bool:
        """Whether the newest process was given it."""
        return path in self._loaded

    def scales(self, adapter: Adapter | None) -> list[dict[str, float]]:
        """The field `lora` of a request: this adapter and no other; [] where the process has none.

        Raises EngineUnavailable where the process has not this one: it crashed, and its file was gone meanwhile.
        """
        if adapter is not None and adapter.path not in self._loaded:
            raise EngineUnavailable(
                f"The adapter {adapter.path.stem} cannot be loaded: its file is gone. Choose another one.",
                code="adapter_load_failed",
                adapter=adapter.path.stem,
                reason="its file is gone",
            )
        return [
            {"id": number, "scale": adapter.scale if adapter is not None and adapter.path == path else 0.0}
            for number, path in enumerate(self._loaded)
        ]


def check_adapter(base: Header, adapter: Header, name: str) -> None:
    """Raise AdapterMismatch for an adapter, called `name`, that was not made for this base."""
    if adapter.kind != "adapter" or adapter.metadata.get("adapter.type", "lora") != "lora" or not adapter.tensors:
        raise AdapterMismatch(f"{name} is no LoRA adapter. Choose another file.", code="not_an_adapter", adapter=name)
    if any(key.startswith("adapter.alora.") for key in adapter.metadata):
        raise AdapterMismatch(
            f"The adapter {name} works only after certain words (activated LoRA), which Falconry does not support.",
            code="activated_adapter",
            adapter=name,
        )
    if adapter.architecture != base.architecture:
        raise AdapterMismatch(
            f"The adapter {name} is for models of the architecture {adapter.architecture}, and this one is "
            f"{base.architecture}. Choose the model that it was made from.",
            adapter=name,
            wanted=adapter.architecture,
            found=base.architecture,
        )
    _check_shapes(base, adapter, name)


def _check_shapes(base: Header, adapter: Header, name: str) -> None:
    weights = {tensor.name: tensor for tensor in base.tensors}
    parts = {tensor.name: tensor for tensor in adapter.tensors}
    for part in parts:
        target = part.removesuffix(_A).removesuffix(_B)
        weight, a, b = weights.get(target), parts.get(target + _A), parts.get(target + _B)
        if weight is None or a is None or b is None or not _fits(weight, a, b):
            raise AdapterMismatch(
                f"The adapter {name} does not fit this model: {target[:100]} is not there, or has another shape. "
                "Choose the model that it was made from.",
                code="adapter_other_shape",
                adapter=name,
                tensor=target[:100],
            )


def _fits(weight: Tensor, a: Tensor, b: Tensor) -> bool:
    """Whether the product of the two has the shape of the weight; shapes as in the file, columns first."""
    columns, rows = _matrix(weight.shape)
    (a_columns, a_rows), (b_columns, b_rows) = _matrix(a.shape), _matrix(b.shape)
    if weight.name == _EMBEDDING:  # which is read by rows, so its two parts have changed places
        return (columns, rows) == (b_rows, a_rows) and a_columns == b_columns
    return (columns, rows) == (a_columns, b_rows) and a_rows == b_columns


def _matrix(shape: Sequence[int]) -> tuple[int, int]:
    """The first two dimensions, 1 where there is none."""
    first, second, *_ = (*shape, 1, 1)
    return first, second
