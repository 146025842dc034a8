"""OpenAI's responses API: /v1/responses, for programs that no longer speak chat completions.

A response is not kept, so there is none to be asked for later, and each request brings its whole conversation.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from secrets import token_hex

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.api.answering import answer_stream, answer_whole
from falconry.api.generation import Plan, generate, plan_chat, prompt_length
from falconry.api.responses_schemas import ResponsesRequest
from falconry.api.strict import StrictRoute
from falconry.engines.pool import EnginePool
from falconry.errors import NotFound
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.messages import Extras
from falconry.protocols.responses import ResponseWriter
from falconry.protocols.sse import dump_json
from falconry.services import Services


def responses_router(services: Services) -> APIRouter:
    """The routes of /v1/responses."""
    router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["openai"])
    pool = services.pool

    @router.post("/responses")
    @user("inference")
    async def responses(request: Request, asker: Asker, body: ResponsesRequest) -> Response:
        """One response, whole or as the events of OpenAI's client."""
        body.check()
        plan = await plan_chat(
            pool,
            pool.resolve_foreign(body.model),
            body.to_messages(),
            body.to_params(),
            tools=body.to_tools(),
            extras=Extras(top_logprobs=body.logprobs),
        )
        writer = ResponseWriter(token_hex(12), plan.model, int(time.time()), body.echo(), logprobs=body.logprobs)
        if body.stream:
            return await answer_stream(
                request, _events(pool, plan, writer, asker.id), writer.failed, characters=prompt_length(plan.prompt)
            )
        return await answer_whole(request, _whole(pool, plan, writer, asker.id))

    @router.get("/responses/{response_id}")
    @router.delete("/responses/{response_id}")
    @user("inference")
    async def stored(response_id: str) -> Response:
        """There is never a stored response."""
        raise NotFound("Falconry keeps no responses. Keep what you need of an answer.", code="no_stored_responses")

    return router


async def _whole(pool: EnginePool, plan: Plan, writer: ResponseWriter, owner: str) -> Response:
    async with aclosing(generate(pool, plan, owner)) as deltas:
        async for delta in deltas:
            for _ in writer.reply.take(delta):
                pass
    return Response(dump_json(writer.whole()), media_type="application/json")


async def _events(pool: EnginePool, plan: Plan, writer: ResponseWriter, owner: str) -> AsyncGenerator[bytes, None]:
    begun = False
    async with aclosing(generate(pool, plan, owner)) as deltas:
        async for delta in deltas:
            if not begun:
                begun = True
                yield writer.start()
            if events := writer.events(writer.reply.take(delta)):
                yield events
    yield writer.end()
