"""text-generation-inference's door: what its clients post to, `/` above all, and what they ask about the server.

It serves the default model: the protocol names none. Nothing is stored, and a client that leaves stops the work.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from time import monotonic

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry import __version__
from falconry.api.answering import answer_stream, answer_whole, json_response
from falconry.api.strict import StrictRoute
from falconry.api.tgi_generate import frames, prepare, whole
from falconry.api.tgi_schemas import LIMITS, GenerateRequest
from falconry.engines.pool import EnginePool
from falconry.engines.work import Work
from falconry.errors import FalconryError
from falconry.gate.identity import Asker
from falconry.gate.marks import public, user
from falconry.protocols.sse import encode_json
from falconry.protocols.tgi_answers import Outcome, error_body, info_json
from falconry.services import Services

_ended: ContextVar[list[Work] | None] = ContextVar("ended", default=None)
"""Where the generations of one request are noted when they end, for the headers that tell times."""


def tgi_router(services: Services) -> APIRouter:
    """The routes that generate, and /info and /ping."""
    router = APIRouter(route_class=StrictRoute, tags=["text-generation-inference"])
    services.pool.on_end.append(_note)

    @router.post("/")
    @user("inference")
    async def compat_generate(request: Request, asker: Asker, body: GenerateRequest) -> Response:
        """What both official clients post to: a list with one reply, or with `stream` an event stream."""
        if body.stream:
            return await _stream(services, request, body, asker.id)
        return await answer_whole(request, _whole(services, body, asker.id, in_list=True))

    @router.post("/invocations")
    @user("inference")
    async def invocations(request: Request, asker: Asker, body: GenerateRequest) -> Response:
        """The same for SageMaker."""
        return await compat_generate(request, asker, body)

    @router.post("/generate")
    @user("inference")
    async def generate(request: Request, asker: Asker, body: GenerateRequest) -> Response:
        """One reply, whole, and not in a list."""
        return await answer_whole(request, _whole(services, body, asker.id, in_list=False))

    @router.post("/generate_stream")
    @user("inference")
    async def generate_stream(request: Request, asker: Asker, body: GenerateRequest) -> Response:
        """One reply as an event stream, a frame for each token; it ends without `[DONE]`.

        `generated_text` and `details` come with the last frame.
        """
        return await _stream(services, request, body, asker.id)

    @router.get("/info")
    @user("inference")
    async def info() -> Response:
        """The default model, and what a request may ask of it."""
        model = services.pool.resolve_foreign(None)
        async with services.pool.engine(model) as engine:
            context_length = await engine.context_length()
        concurrent = services.settings.queue_size
        return json_response(
            info_json(model, context_length=context_length, concurrent=concurrent, limits=LIMITS, version=__version__)
        )

    @router.get("/ping", response_class=Response)
    @public
    async def ping() -> Response:
        """SageMaker's question whether the process lives."""
        return Response()

    return router


def _note(work: Work) -> None:
    if (works := _ended.get()) is not None:
        works.append(work)


async def _whole(services: Services, body: GenerateRequest, owner: str, *, in_list: bool) -> Response:
    begun = monotonic()
    works: list[Work] = []
    _ended.set(works)
    job = await prepare(services.pool, body, owner, stream=False)
    answer, outcome = await whole(services.pool, job)
    headers = _compute_headers(services.pool, body) | _times(begun, works[-1], outcome)
    return json_response([answer] if in_list else answer, headers)


async def _stream(services: Services, request: Request, body: GenerateRequest, owner: str) -> Response:
    pool = services.pool
    response = await answer_stream(request, _events(pool, body, owner), _error_frame, characters=len(body.inputs))
    response.headers.update(_compute_headers(pool, body))
    return response


async def _events(pool: EnginePool, body: GenerateRequest, owner: str) -> AsyncGenerator[bytes, None]:
    """What has to be asked before belongs to the stream: a model that is still being loaded takes its time."""
    job = await prepare(pool, body, owner, stream=True)
    async with aclosing(frames(pool, job)) as events:
        async for event in events:
            yield event


def _error_frame(error: FalconryError) -> bytes:
    return encode_json(error_body(error))


def _compute_headers(pool: EnginePool, body: GenerateRequest) -> dict[str, str]:
    kind = next(model.engine for model in pool.models() if model.default)
    return {"x-compute-type": kind, "x-compute-characters": str(len(body.inputs))}


def _times(begun: float, work: Work, outcome: Outcome) -> dict[str, str]:
    """How long the parts of it took: whole milliseconds, but for the first, in seconds."""
    now = monotonic()
    inference = (work.ended or now) - (work.began or now)
    milliseconds = {
        "x-total-time": now - begun,
        "x-validation-time": work.asked - begun,
        "x-queue-time": work.queued_seconds,
        "x-inference-time": inference,
        "x-time-per-token": inference / max(1, outcome.generated_tokens),
    }
    return {
        "x-compute-time": f"{now - begun:.6f}",
        **{name: str(round(seconds * 1000)) for name, seconds in milliseconds.items()},
        "x-prompt-tokens": str(outcome.input_length),
        "x-generated-tokens": str(outcome.generated_tokens),
    }
