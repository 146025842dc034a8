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

from falconry.api.answering import answer_stream, answer_whole
from falconry.api.anthropic_schemas import CountTokens, MessagesRequest, TokensCounted
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
        plan = await _plan(pool, body, body.to_params())
        stop = body.stop_sequences or ()
        writer = MessageWriter(f"msg_{token_hex(12)}", plan.model, stop, thinking=body.shows_thinking)
        if body.stream:
            return await answer_stream(
                request, _events(pool, plan, writer, asker.id), _failure, characters=prompt_length(plan.prompt)
            )
        return await answer_whole(request, _whole(pool, plan, writer, asker.id))

    @router.post("/messages/count_tokens")
    @user("inference")
    async def count_tokens(request: Request, asker: Asker, body: CountTokens) -> Response:
        """How long the prompt of such a request is, in tokens of the model."""

        async def count() -> Response:
            tokens = await _count(pool, await _plan(pool, body, SamplingParams()))
            return _json(TokensCounted(input_tokens=tokens).model_dump())

        return await answer_whole(request, count())

    return router


async def _plan(pool: EnginePool, body: CountTokens, params: SamplingParams) -> Plan:
    model = pool.resolve_foreign(body.model)
    messages = body.to_messages()
    if messages[-1].role == "assistant":
        await _check_continues(pool, model)
    return await plan_chat(pool, model, messages, params, tools=body.to_tools())


async def _check_continues(pool: EnginePool, model: str) -> None:
    """A server that cannot continue a message would answer it, and nobody would know."""
    async with pool.engine(model) as engine:
        await engine.context_length()  # endpoints tell what they are at the first question
        if not engine.can_continue:
            raise NotSupported("continuing a message of the assistant")


async def _whole(pool: EnginePool, plan: Plan, writer: MessageWriter, owner: str) -> Response:
    async with aclosing(generate(pool, plan, owner)) as deltas:
        async for delta in deltas:
            for _ in writer.reply.take(delta):
                pass
    return _json(writer.whole())


async def _events(pool: EnginePool, plan: Plan, writer: MessageWriter, owner: str) -> AsyncGenerator[bytes, None]:
    # The first event tells the prompt's length, which an engine reports with its last token only.
    counting = asyncio.ensure_future(_count(pool, plan))
    begun = False
    try:
        async with aclosing(generate(pool, plan, owner)) as deltas:
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


def _json(body: dict[str, object]) -> Response:
    return Response(dump_json(body), media_type="application/json")
