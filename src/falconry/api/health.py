"""/health: the process lives. /ready: it can answer, database and default model included."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from falconry import __version__
from falconry.errors import FalconryError
from falconry.gate.marks import public
from falconry.services import Services


def health_router(services: Services) -> APIRouter:
    """Routes for process managers and load balancers."""
    router = APIRouter()

    @router.get("/health")
    @public
    async def health() -> dict[str, Any]:
        return {"status": "ok", "version": __version__}

    @router.get("/ready")
    @public
    async def ready() -> JSONResponse:
        try:
            await services.chat.conversations(limit=1)
            async with services.pool.engine() as engine:
                await engine.context_length()
        except FalconryError as error:
            return JSONResponse({"status": "not ready", "error": error.as_dict()}, 503)
        return JSONResponse({"status": "ready", "model": services.pool.resolve(None)})

    return router
