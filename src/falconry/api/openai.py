"""OpenAI's routes, for any program that was written for them. Nothing is stored.

https://platform.openai.com/docs/api-reference; what real clients need of it is in `falconry.protocols.openai_answers`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from time import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.api.answering import answer_stream, answer_whole, json_response
from falconry.api.openai_chat import ChatQuestion
from falconry.api.openai_completions import CompletionQuestion, prompts_of
from falconry.api.openai_schemas import ChatBody, CompletionBody, EmbeddingBody
from falconry.api.strict import StrictRoute
from falconry.engines.pool import EnginePool
from falconry.errors import FalconryError, NotSupported
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.protocols.openai_answers import embeddings_body, error_body, model_entry, model_list
from falconry.protocols.sse import DONE, encode_json
from falconry.services import Services


def openai_router(services: Services) -> APIRouter:
    """The routes under /v1 that are OpenAI's."""
    router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["openai"])
    pool = services.pool
    created = int(time())

    @router.post("/chat/completions")
    @user("inference")
    async def chat_completions(request: Request, asker: Asker, body: ChatBody) -> Response:
        """The reply to a conversation, whole or as a stream. Leaving stops the work."""
        question = ChatQuestion(pool, body, asker.id)
        if body.stream:
            return await answer_stream(request, question.events(), broken_off, characters=question.characters)
        return await answer_whole(request, _as_json(question.whole()))

    @router.post("/completions")
    @user("inference")
    async def completions(request: Request, asker: Asker, body: CompletionBody) -> Response:
        """The continuations of raw prompts, whole or as a stream. Leaving stops the work."""
        question = CompletionQuestion(pool, body, asker.id)
        if body.stream:
            return await answer_stream(request, question.events(), broken_off, characters=question.characters)
        return await answer_whole(request, _as_json(question.whole()))

    @router.post("/embeddings")
    @user("inference")
    async def embeddings(request: Request, body: EmbeddingBody) -> Response:
        """A vector for each text."""
        return await answer_whole(request, _as_json(_embed(pool, body)))

    @router.get("/models")
    @user("inference")
    async def models() -> Response:
        """The models that there are, the default first."""
        found = sorted(pool.models(), key=lambda model: not model.default)
        return json_response(model_list([model.name for model in found], created))

    @router.get("/models/{model_id:path}")
    @user("inference")
    async def model(model_id: str) -> Response:
        """One model. Its name may have slashes."""
        return json_response(model_entry(pool.resolve(model_id), created))

    return router


async def _embed(pool: EnginePool, body: EmbeddingBody) -> dict[str, Any]:
    if body.dimensions is not None:
        raise NotSupported("dimensions")
    model = pool.resolve_foreign(body.model)
    async with pool.engine(model) as engine:
        vectors, tokens = await engine.embed(prompts_of(body.input))
    return embeddings_body(model, vectors, tokens, base64=body.encoding_format == "base64")


def broken_off(error: FalconryError) -> bytes:
    """How a stream ends that has begun and cannot go on."""
    return encode_json(error_body(error)) + DONE


async def _as_json(work: Coroutine[Any, Any, dict[str, Any]]) -> Response:
    return json_response(await work)
