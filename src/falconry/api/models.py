"""The models that can be chosen: what they are, how they are, and which of them are in memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict

from falconry.api.request_body import RequestBody
from falconry.api.schemas import ModelName
from falconry.api.strict import StrictRoute
from falconry.gate.identity import language_of
from falconry.gate.marks import admin, user
from falconry.i18n import Language, error_text
from falconry.messages import ModelInfo
from falconry.services import Services

Json = dict[str, Any]


class ChosenModel(RequestBody):
    """A model by its name."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName


def models_router(services: Services) -> APIRouter:
    """Routes under /api/models for what can be chosen."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["models"])
    pool = services.pool

    @router.get("/models")
    @user("conversations")
    async def models(request: Request) -> Json:
        """The models that can be chosen, the settings' own first, and how each is.

        `state` is "unloaded", "loading", "ready" or "failed", and then `problem` says why; `progress` is how much is
        loaded, 0 to 1. `supports` are the sampling params that reach it. Bytes and tokens are plain numbers, null is
        what nobody knows.
        """
        services.shelf.look()
        language = language_of(request)
        return {"models": [model_json(model, language) for model in pool.models()]}

    @router.get("/models/supports")
    @user("conversations")
    async def supports(model: Annotated[str | None, Query(max_length=300)] = None) -> Json:
        """The sampling params that reach a model, the default one if none is named. An endpoint that was not used yet
        is asked what it is."""
        name = pool.resolve(model)
        return {"model": name, "supports": sorted(await pool.supports(name))}

    @router.post("/models/load", status_code=202)
    @user("conversations", counted=True)
    async def load(request: Request, body: ChosenModel) -> Json:
        """Begin to load a model, so that its first reply need not wait; the list tells how far it is.

        One that does not fit is refused with the numbers. Others that nobody uses make room for it. Whoever may ask a
        model may have it loaded, for to ask it is to load it.
        """
        await pool.load(body.model)
        return _one(pool.resolve(body.model), language_of(request))

    @router.post("/models/unload", status_code=202)
    @admin
    async def unload(request: Request, body: ChosenModel) -> Json:
        """Give a model's memory back. One that is in use is not unloaded (409); one that is being loaded is stopped."""
        await pool.unload(body.model)
        return _one(pool.resolve(body.model), language_of(request))

    def _one(name: str, language: Language) -> Json:
        return next(model_json(model, language) for model in pool.models() if model.name == name)

    return router


def model_json(model: ModelInfo, language: Language) -> Json:
    """A model for the page and for programs; what is wrong with it in the asker's language as `text`."""
    problem = {**model.problem, "text": error_text(model.problem, language)} if model.problem else None
    return {**asdict(model), "supports": sorted(model.supports), "problem": problem}
