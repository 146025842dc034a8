"""One-shot completion: a raw prompt in, its continuation out as a stream. Nothing is stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.api.errors import error_body
from falconry.api.schemas import Completion
from falconry.api.strict import StrictRoute
from falconry.errors import FalconryError
from falconry.event_stream import EventStream, kept_alive
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.i18n import Language
from falconry.protocols.sse import encode_json
from falconry.services import Services


def complete_router(services: Services) -> APIRouter:
    """The route /api/complete."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["completion"])

    @router.post("/complete")
    @user("inference")
    async def complete(request: Request, asker: Asker, body: Completion) -> Response:
        """Events `delta` {"text"}, then `done` {"finish_reason", "usage"} or `error`. Leaving stops the work."""
        services.pool.resolve(body.model)
        return EventStream(kept_alive(_events(services, body, asker.id, language_of(request))))

    return router


async def _events(services: Services, body: Completion, owner: str, language: Language) -> AsyncGenerator[bytes, None]:
    finish_reason, usage = None, None
    work = services.pool.generate(
        services.pool.resolve(body.model), body.prompt, body.params.to_sampling(), owner=owner
    )
    try:
        async with aclosing(work) as deltas:
            async for delta in deltas:
                usage = delta.usage or usage
                finish_reason = delta.finish_reason or finish_reason
                if delta.text or delta.thinking:
                    yield encode_json({"text": delta.thinking + delta.text}, event="delta")
    except FalconryError as error:
        yield encode_json(error_body(error, language), event="error")
        return
    yield encode_json({"finish_reason": finish_reason, "usage": asdict(usage) if usage else None}, event="done")
