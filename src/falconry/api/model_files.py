"""Our own API: the model files on this machine, broken ones included, and how one is deleted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from falconry.access.person import Person
from falconry.api.errors import error_body
from falconry.api.request_body import RequestBody
from falconry.api.strict import StrictRoute
from falconry.errors import FalconryError
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import admin, user
from falconry.i18n import Language
from falconry.models.local import LocalModel, find_models
from falconry.models.removal import is_removable, remove_model
from falconry.models.stores.places import unreadable_places
from falconry.services import Services
from falconry.settings import Settings

Json = dict[str, Any]


class ModelFile(RequestBody):
    """A model on this machine, by its name in the list of files."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=300)]


def model_files_router(services: Services) -> APIRouter:
    """The routes under /api/models/files."""
    router = APIRouter(prefix="/api/models/files", route_class=StrictRoute, tags=["models"])
    settings = services.settings

    @router.get("")
    @user("conversations")
    async def files(request: Request, asker: Asker) -> Json:
        """All models, adapters and projectors on this machine, and where they come from. `problem` says why one
        cannot be used. Sizes are in bytes, contexts in tokens. Where they lie is told to admins only, and so is which
        folders cannot be read (`unreadable`)."""
        found, unreadable = await asyncio.to_thread(_look, settings)
        language = language_of(request)
        return {
            "folder": _text(settings.models_folder) if asker.may("admin") else None,
            "unreadable": [error_body(error, language) for error in unreadable] if asker.may("admin") else [],
            "files": [file_json(model, settings, asker, language) for model in found],
        }

    @router.delete("")
    @admin
    async def delete(body: ModelFile) -> Json:
        """Delete a model that lies in Falconry's own folder. `freed` is in bytes."""
        freed = await asyncio.to_thread(remove_model, settings, body.name)
        await services.shelf.refresh()
        return {"freed": freed}

    return router


def file_json(model: LocalModel, settings: Settings, asker: Person, language: Language) -> Json:
    """One model for the page and for programs."""
    knows_paths = asker.may("admin")
    return {
        "name": model.name,
        "path": _text(model.path) if knows_paths else None,
        "format": model.format,
        "source": model.source,
        "kind": model.kind,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "parameters": model.parameters,
        "context_length": model.context_length,
        "size": model.size,
        "license": model.license,
        "vision": model.vision,
        "copies": [_text(copy) for copy in model.copies] if knows_paths else [],
        "removable": is_removable(model, settings),
        "problem": error_body(model.problem, language) if model.problem else None,
    }


def _look(settings: Settings) -> tuple[list[LocalModel], list[FalconryError]]:
    return find_models(settings), unreadable_places(settings)


def _text(path: object) -> str:
    """A path for JSON: names of files need be no Unicode."""
    return str(path).encode(errors="replace").decode()
