"""Anthropic's messages API: /v1/messages and /v1/messages/count_tokens, for programs written for Claude.

Nothing of a request is stored, and its content is not logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from secrets import token_hex

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.api.answering import answer_stream, answer_whole, json_response
from falconry.api.anthropic_schemas import CountTokens, MessagesRequest
from falconry.api.generation import Plan, generate, plan_chat, prompt_length
from falconry.api.strict import StrictRoute
from falconry.engines.pool import EnginePool
from falconry.errors import FalconryError, NotSupported
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.messages import SamplingParams
from falconry.protocols.anthropic import PING, MessageWriter, error_body
from falconry.protocols.openai import tool_fields
from falconry.protocols.sse import dump_json, encode_json
from falconry.services import Services

_COUNTING = 0.25
"""Seconds that a stream waits, once its first token is there, to be told how long the prompt was."""


def anthropic_router(services: Services) -> APIRouter:
    """The routes of /v1/messages."""
    router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["anthropic"])
    pool = services.pool

    @router.post("/messages")
    @user("inference")
    async def messages(request: Request, asker: Asker, body: MessagesRequest) -> Response:
        """One reply, whole or as Anthropic's events. A last message of the assistant is continued."""
        reply = _Reply(pool, body, asker.id)
        if body.stream:
            return await answer_stream(request, reply.events(), _failure, characters=reply.characters)
        return await answer_whole(request, reply.whole())

    @router.post("/messages/count_tokens")
    @user("inference")
    async def count_tokens(request: Request, asker: Asker, body: CountTokens) -> Response:
        """How long the prompt of such a request is, in tokens of the model."""
        return await answer_whole(request, _counted(pool, _Question(pool, body, SamplingParams())))

    return router


class _Question:
    """A checked request. Raises InvalidRequest, ModelNotFound."""

    def __init__(self, pool: EnginePool, body: CountTokens, params: SamplingParams) -> None:
        body.check()
        self._pool = pool
        self.model = pool.resolve_foreign(body.model)
        self._messages = body.to_messages()
        self._params = params
        self._tools = body.to_tools()
        self.characters = prompt_length(self._messages)

    async def plan(self) -> Plan:
        if self._messages[-1].role == "assistant":
            await self._check_continues()
        return await plan_chat(self._pool, self.model, self._messages, self._params, tools=self._tools)

    async def _check_continues(self) -> None:
        """A server that cannot continue a message would answer it, and nobody would know."""
        async with self._pool.engine(self.model) as engine:
            await engine.context_length()  # endpoints tell what they are at the first question
            if not engine.can_continue:
                raise NotSupported("continuing a message of the assistant")


class _Reply:
    """The reply to a request. Raises InvalidRequest, ModelNotFound."""

    def __init__(self, pool: EnginePool, body: MessagesRequest, owner: str) -> None:
        self._pool = pool
        self._owner = owner
        self._question = _Question(pool, body, body.to_params())
        self.characters = self._question.characters
        self._writer = MessageWriter(
            f"msg_{token_hex(12)}", self._question.model, body.stop_sequences or (), thinking=body.shows_thinking
        )

    async def whole(self) -> Response:
        """The answer in one piece."""
        plan = await self._question.plan()
        async with aclosing(generate(self._pool, plan, self._owner)) as deltas:
            async for delta in deltas:
                for _ in self._writer.reply.take(delta):
                    pass
        return json_response(self._writer.whole())

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The stream."""
        plan = await self._question.plan()
        # The first event tells the prompt's length, which an engine reports with its last token only.
        counting = asyncio.ensure_future(_count(self._pool, plan))
        writer = self._writer
        begun = False
        try:
            async with aclosing(generate(self._pool, plan, self._owner)) as deltas:
                async for delta in deltas:
                    if not begun:
                        begun = True
                        yield writer.start(await _in_time(counting)) + PING
                    if events := writer.events(writer.reply.take(delta)):
                        yield events
            yield writer.end()
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)


async def _counted(pool: EnginePool, question: _Question) -> Response:
    return json_response({"input_tokens": await _count(pool, await question.plan())})


async def _count(pool: EnginePool, plan: Plan) -> int:
    async with pool.engine(plan.model) as engine:
        tokens = (await engine.count_tokens(plan.prompt)).tokens
        if plan.extras.tools:  # the template writes them down in a way of its own, much like this
            tokens += (await engine.count_tokens(dump_json(tool_fields(plan.extras)["tools"]))).tokens
        return tokens


async def _in_time(counting: asyncio.Future[int]) -> int:
    """The count; 0 where it takes too long or fails, since the end of the stream has the engine's own."""
    await asyncio.wait([counting], timeout=_COUNTING)
    return counting.result() if counting.done() and counting.exception() is None else 0


def _failure(error: FalconryError) -> bytes:
    return encode_json(error_body(error), event="error")
