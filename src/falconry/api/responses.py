"""OpenAI's responses API: /v1/responses, for programs that no longer speak chat completions.

A response is not kept, so there is none to be asked for later, and each request brings its whole conversation.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from secrets import token_hex
from time import time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.api.answering import answer_stream, answer_whole, json_response
from falconry.api.generation import Plan, generate, plan_chat, prompt_length
from falconry.api.responses_schemas import ResponsesRequest
from falconry.api.strict import StrictRoute
from falconry.engines.pool import EnginePool
from falconry.errors import NotFound
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.messages import Extras
from falconry.protocols.responses import ResponseWriter
from falconry.services import Services


def responses_router(services: Services) -> APIRouter:
    """The routes of /v1/responses."""
    router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["openai"])
    pool = services.pool

    @router.post("/responses")
    @user("inference")
    async def responses(request: Request, asker: Asker, body: ResponsesRequest) -> Response:
        """One response, whole or as the events of OpenAI's client."""
        reply = _Reply(pool, body, asker.id)
        if body.stream:
            return await answer_stream(request, reply.events(), reply.failed, characters=reply.characters)
        return await answer_whole(request, reply.whole())

    @router.get("/responses/{response_id}")
    @router.delete("/responses/{response_id}")
    @user("inference")
    async def stored(response_id: str) -> Response:
        """There is never a stored response."""
        raise NotFound("Falconry keeps no responses. Keep what you need of an answer.", code="no_stored_responses")

    return router


class _Reply:
    """The response to a request. Raises InvalidRequest, ModelNotFound."""

    def __init__(self, pool: EnginePool, body: ResponsesRequest, owner: str) -> None:
        body.check()
        self._pool = pool
        self._owner = owner
        self._model = pool.resolve_foreign(body.model)
        self._messages = body.to_messages()
        self._params = body.to_params()
        self._tools = body.to_tools()
        self._extras = Extras(top_logprobs=body.logprobs)
        self._writer = ResponseWriter(token_hex(12), self._model, int(time()), body.echo(), logprobs=body.logprobs)
        self.characters = prompt_length(self._messages)
        self.failed = self._writer.failed

    async def whole(self) -> Response:
        """The answer in one piece."""
        async with aclosing(generate(self._pool, await self._plan(), self._owner)) as deltas:
            async for delta in deltas:
                for _ in self._writer.reply.take(delta):
                    pass
        return json_response(self._writer.whole())

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The stream."""
        writer = self._writer
        begun = False
        async with aclosing(generate(self._pool, await self._plan(), self._owner)) as deltas:
            async for delta in deltas:
                if not begun:
                    begun = True
                    yield writer.start()
                if events := writer.events(writer.reply.take(delta)):
                    yield events
        yield writer.end()

    async def _plan(self) -> Plan:
        return await plan_chat(
            self._pool, self._model, self._messages, self._params, tools=self._tools, extras=self._extras
        )
