"""Deletes a model from Falconry's own folder. What other programs keep, and folders of the user's, stay as they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from falconry.errors import ModelNotFound, NotAllowed, StorageError
from falconry.models.local import find_models
from falconry.models.local_model import LocalModel
from falconry.settings import Settings


def is_removable(model: LocalModel, settings: Settings) -> bool:
    """Whether all its files lie in Falconry's own folder."""
    root = os.path.realpath(settings.models_folder)
    return model.source == "falconry" and all(_lies_in(file.parent, root) for file in (*model.files, model.path))


def remove_model(settings: Settings, name: str) -> int:
    """Delete a model's files, the projector too where no other model needs it, and folders that are then empty.
    Blocking.

    Returns:
        the bytes that it had.

    Raises:
        ModelNotFound: nothing of that name is on this machine.
        NotAllowed: it belongs to another program, or lies in a folder of the user's.
        StorageError: the disk does not let us.
    """
    models = find_models(settings)
    model = next((one for one in models if one.name == name), None)
    if model is None:
        raise ModelNotFound(f"There is no model named “{name[:200]}”. Choose another one.", model=name[:200])
    if not is_removable(model, settings):
        raise NotAllowed(
            f"{model.name} does not lie in Falconry's folder, so Falconry does not delete it. Delete it with the "
            f"program that fetched it, or yourself: {model.path}",
            code="model_not_ours",
            model=model.name,
            path=str(model.path),
        )
    files = [*_files(model), *_projector(model, models, settings)]
    try:
        for file in files:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{model.name} could not be deleted: {error.strerror}. Check who owns {settings.models_folder}.",
            code="model_not_deleted",
            model=model.name,
            problem=error.strerror or str(error),
            folder=str(settings.models_folder),
        ) from error
    _remove_empty_folders(model.path.parent if model.format == "gguf" else model.path, settings.models_folder)
    return model.size


def _files(model: LocalModel) -> Sequence[Path]:
    """Of a folder whatever lies in it: its tokenizer and texts are of no use without the weights."""
    if model.format == "gguf":
        return model.files
    return [Path(folder) / name for folder, _, names in os.walk(model.path) for name in names]


def _projector(model: LocalModel, models: Sequence[LocalModel], settings: Settings) -> list[Path]:
    path = model.projector
    if path is None or not _lies_in(path.parent, os.path.realpath(settings.models_folder)):
        return []
    needed = any(other.projector == path for other in models if other.name != model.name)
    return [] if needed else [path]


def _remove_empty_folders(folder: Path, root: Path) -> None:
    if folder.is_dir():
        for inner in sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True):
            with suppress(OSError):
                inner.rmdir()
    with suppress(OSError):  # something else lies there
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent


def _lies_in(folder: Path, root: str) -> bool:
    return os.path.commonpath([os.path.realpath(folder), root]) == root
