"""How a Falconry fetches models: with what its settings, its machine and the catalogue say."""

from __future__ import annotations

from functools import partial

from falconry.models.advice import memory_of, terms_of
from falconry.models.catalog import Terms, find
from falconry.models.downloads import Downloads
from falconry.models.machine import machine
from falconry.models.recommend import usable
from falconry.models.wanted import ShortName
from falconry.settings import Settings


def open_downloads(settings: Settings) -> Downloads:
    """The downloads of a process. Opening does no I/O and starts nothing."""

    def memory() -> int | None:
        whole = memory_of(machine(), settings)
        return usable(whole) if whole is not None else None

    return Downloads(settings, memory=memory, find=partial(in_catalogue, terms=terms_of(settings)))


def in_catalogue(name: ShortName, memory: int | None, *, terms: Terms) -> str | None:
    """What to ask the hub for, for a short name; None where the catalogue does not have it.

    Args:
        memory: bytes that a model may take here; None for any.
        terms: how it would be run.
    """
    model = find(name.name)
    return model.wanted(name.quantization, memory, terms) if model is not None else None
