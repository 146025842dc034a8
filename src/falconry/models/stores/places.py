"""All places where other programs keep models, and which of them we may not look into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from falconry.errors import FalconryError, NotAllowed
from falconry.models.stores.files import find_in_folder
from falconry.models.stores.found import Found
from falconry.models.stores.hugging_face import find_in_hub_cache, hub_cache
from falconry.models.stores.ollama import find_in_ollama, ollama_stores
from falconry.models.stores.programs import llama_cpp_cache, lm_studio_folders
from falconry.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, and how models are found in it."""

    folder: Path
    find: Callable[[Path], Iterable[Found]]

    def found(self) -> Iterable[Found]:
        return self.find(self.folder)


def other_programs(settings: Settings) -> list[Place]:
    """The places of other programs, whether they are there or not; none where the settings leave them alone."""
    if not settings.find_models:
        return []
    return [
        Place(hub_cache(settings), find_in_hub_cache),
        *(Place(store, find_in_ollama) for store in ollama_stores(settings)),
        *(Place(folder, partial(find_in_folder, source="lm_studio")) for folder in lm_studio_folders()),
        Place(llama_cpp_cache(settings), partial(find_in_folder, source="llama_cpp")),
    ]


def unreadable_places(settings: Settings) -> list[FalconryError]:
    """One error for each place that is there and may not be read. Blocking.

    It is so where Ollama runs as a service: its folder belongs to a user of its own.
    """
    return [
        NotAllowed(
            f"Models in {place.folder} do not show, for it cannot be read: {problem}. To have them, let your user "
            "read that folder.",
            code="models_unreadable",
            folder=str(place.folder),
            problem=problem,
        )
        for place in other_programs(settings)
        if (problem := _problem(place.folder)) is not None
    ]


def _problem(folder: Path) -> str | None:
    try:
        with os.scandir(folder):
            return None
    except PermissionError as error:
        return error.strerror or str(error)
    except (OSError, ValueError):  # it is not there
        return None
