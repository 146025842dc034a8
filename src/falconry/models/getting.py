"""How a Falconry fetches models: with what its settings, its machine and the catalogue say."""

from __future__ import annotations

from falconry.models.catalog import find
from falconry.models.downloads import Downloads
from falconry.models.machine import total_memory
from falconry.models.wanted import ShortName
from falconry.settings import Settings

_SHARE = 0.75
"""Of the memory, for the choice of a quantisation: the system and other programs need the rest."""


def open_downloads(settings: Settings) -> Downloads:
    """The downloads of a process. Opening does no I/O and starts nothing."""

    def memory() -> int | None:
        limit = settings.memory_limit_mib * 2**20 if settings.memory_limit_mib is not None else None
        known = [total for total in (total_memory(), limit) if total is not None]
        return int(min(known) * _SHARE) if known else None

    return Downloads(settings, memory=memory, find=in_catalogue)


def in_catalogue(name: ShortName, memory: int | None) -> str | None:
    """What to ask the hub for, for a short name; None where the catalogue does not have it.

    Args:
        memory: bytes that a model may take here; None for any.
    """
    model = find(name.name)
    return model.wanted(name.quantization, memory) if model is not None else None
