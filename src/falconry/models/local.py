"""What is already there: all models on this machine, wherever a program has put them.

They are read where they lie. What is the same content in two places is offered once; what is broken is offered with
the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from falconry.models.bad_file import renamed
from falconry.models.local_model import Format, LocalKind, LocalModel
from falconry.models.look import look_at, state_of
from falconry.models.pairing import pair
from falconry.models.regular_file import is_folder
from falconry.models.split import part_paths
from falconry.models.stores.files import find_in_folder, found_file
from falconry.models.stores.found import Found, Source
from falconry.models.stores.places import other_programs
from falconry.models.unique import Seen, seen, unique
from falconry.settings import Settings

__all__ = ["Format", "LocalKind", "LocalModel", "Source", "find_models", "model_at"]


_LONGEST_NAME = 200


def find_models(settings: Settings) -> list[LocalModel]:
    """All models, adapters and projectors on this machine, the user's own first. Blocking.

    The first call reads the head of every file; further ones only look at the files' times and sizes.
    """
    there = [found for place in _places(settings) for found in place]
    models = [one for one in unique(there) if not _is_no_concern(one)]
    return pair([_local(one, name) for one, name in zip(models, _names(models), strict=True)])


def model_at(path: Path) -> LocalModel:
    """The model in a file or folder, wherever it lies. Blocking."""
    found = found_file(path, "folder", named=True)
    return _local(seen(found), _typeable(found.name))


def _places(settings: Settings) -> Iterator[Iterable[Found]]:
    for path in settings.models:
        yield _users_own(path.expanduser())
    yield find_in_folder(settings.models_folder, "falconry")
    for place in other_programs(settings):
        yield place.found()


def _users_own(path: Path) -> Iterable[Found]:
    """A file that the settings name is told of whatever it is, and so is a folder that cannot be read."""
    if not is_folder(path):
        return [found_file(path, "folder", named=True)]
    try:
        next(path.iterdir(), None)
    except OSError:
        return [found_file(path, "folder", named=True)]
    return find_in_folder(path, "folder")


def _is_no_concern(model: Seen) -> bool:
    """Whether it is a folder of the hub's cache for other work than chat: speech, search, pictures."""
    if model.found.source != "huggingface" or not model.is_folder:
        return False
    problem = look_at(model.found.path, model.state).problem
    return problem is not None and problem.code == "model_file_not_chat"


def _names(models: Iterable[Seen]) -> list[str]:
    """A name for each that no other has: the short one goes to the first."""
    names: dict[str, None] = {}
    for model in models:
        short = _typeable(model.found.name)
        plain = short if short not in names else _typeable(model.found.longer)
        numbered = (plain if number == 1 else f"{plain} ({number})" for number in count(1))
        names[next(name for name in numbered if name not in names)] = None
    return list(names)


def _has_no_name(model: Seen) -> bool:
    """Whether only the store says what a file is called: on the disk it is a digest, or a revision."""
    return model.found.source == "ollama" or (model.is_folder and model.found.source == "huggingface")


def _typeable(name: str) -> str:
    """A name without what no terminal and no page should be given; file systems take nearly anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)[-_LONGEST_NAME:]


def _local(model: Seen, name: str) -> LocalModel:
    found, look = model.found, look_at(model.found.path, model.state)
    projector = found.projector
    if projector is not None and look_at(projector, state_of(projector)).kind != "projector":
        projector = None
    there = {file.path for file in model.state}
    files = look.folder.files if look.folder is not None else part_paths(found.path)
    return LocalModel(
        name=name,
        path=found.path,
        files=tuple(file for file in files if file in there) or (found.path,),
        format="safetensors" if model.is_folder else "gguf",
        source=found.source,
        kind=look.kind,
        size=model.size,
        header=look.header,
        folder=look.folder,
        projector=projector,
        problem=renamed(look.problem, name) if look.problem and _has_no_name(model) else look.problem,
        copies=tuple(model.copies),
    )
