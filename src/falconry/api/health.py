"""/health: the process lives. /ready: it can answer a prompt, database and default model included.

A process manager restarts what is not healthy, a load balancer passes by what is not ready. So /health asks nobody, and
neither of them minds a full queue: that is work, and no failure.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from falconry import __version__
from falconry.engines.pool import EnginePool
from falconry.errors import EngineUnavailable, FalconryError, StorageError
from falconry.gate.marks import public
from falconry.services import Services

PATIENCE = 1.5  # seconds for database and engine together; a probe waits no longer than 2
SILENT = 15.0  # seconds without a token, while others wait, after which an engine counts as hanging


def health_router(services: Services) -> APIRouter:
    """Routes for process managers and load balancers."""
    router = APIRouter(tags=["operation"])

    @router.get("/health")
    @public
    async def health() -> dict[str, Any]:
        """The process lives and answers."""
        return {"status": "ok", "version": __version__}

    @router.get("/ready", responses={503: {"description": "Not ready; `error` says why."}})
    @public
    async def ready() -> JSONResponse:
        """A prompt would be answered, after its time in the queue."""
        try:
            await _check(services)
        except FalconryError as error:
            return JSONResponse({"status": "not ready", "error": error.as_dict()}, 503)
        return JSONResponse({"status": "ready", "model": services.pool.resolve(None)})

    return router


async def _check(services: Services) -> None:
    """Raises the error that keeps Falconry from answering."""
    _refuse_silence(services.pool)
    waiting_for: FalconryError = StorageError("The database does not answer.", code="database_silent")
    try:
        async with asyncio.timeout(PATIENCE):
            await services.chat.conversations(limit=1)
            waiting_for = EngineUnavailable("The default model does not answer yet.", code="model_silent")
            await _ask_default_model(services.pool)
    except TimeoutError:
        raise waiting_for from None


def _refuse_silence(pool: EnginePool) -> None:
    waiting = {work.model for work in pool.work if work.began is None}
    begun = [work for work in pool.work if work.began is not None and work.model in waiting]
    if begun and (oldest := min(begun, key=lambda work: work.began or 0.0)).silent_seconds() > SILENT:
        raise EngineUnavailable(
            f"{oldest.model} has been silent for {oldest.silent_seconds():.0f} seconds while others wait for it.",
            code="engine_stalled",
            model=oldest.model,
            seconds=round(oldest.silent_seconds()),
        )


async def _ask_default_model(pool: EnginePool) -> None:
    """Ask it something quick that its own process, or server, has to answer, past the queue.

    Where other models are in memory and this one is not, it is left alone, and so is one that was unloaded because
    nobody used it: being looked at is no reason to take memory, nor to keep it.
    """
    name = pool.resolve(None)
    if name not in (loaded := pool.loaded()) and (loaded or pool.proven(name)):
        return
    async with pool.engine(name, used=False) as engine:
        await engine.context_length()
        await engine.count_tokens("ready")
