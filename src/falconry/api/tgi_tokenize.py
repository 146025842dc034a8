"""The tokenizer of the default model for programs, in the three shapes that servers have given the same routes.

TGI's clients send `inputs`, vLLM's `prompt` or `messages` (lm-evaluation-harness is one of them), llama.cpp's
`content`; the answer has the shape of the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from falconry.api.answering import answer_whole
from falconry.api.generation import plan_chat
from falconry.api.openai_params import messages_of, tools_of
from falconry.api.openai_schemas import Body, ChatBody, ChatMessage, Flag, TokenId
from falconry.api.strict import StrictRoute
from falconry.api.tgi_tokens import MOST_CHARACTERS, tokens_of
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool
from falconry.errors import InvalidRequest, NotSupported
from falconry.gate.marks import user
from falconry.messages import SamplingParams, Token, TokenPrompt, has_images
from falconry.protocols.sse import dump_json
from falconry.protocols.tgi_answers import simple_tokens
from falconry.services import Services

_AT_ONCE = 2000
"""Tokens that are written down before others have their turn, in some milliseconds."""


class TokenizeBody(Body):
    """One of the four texts, and what vLLM (`add_special_tokens`, `return_token_strs`) and llama.cpp call the rest."""

    inputs: str | None = None
    prompt: str | None = None
    content: str | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)] | None = None
    add_special_tokens: Flag | None = None
    return_token_strs: Flag | None = None
    add_special: Flag | None = None
    parse_special: Flag | None = None
    with_pieces: Flag | None = None


class DetokenizeBody(Body):
    tokens: Annotated[list[TokenId], Field(max_length=MOST_CHARACTERS)]


def tgi_tokenize_router(services: Services) -> APIRouter:
    """The routes /tokenize, /chat_tokenize, /detokenize, /tokenizer_info."""
    router = APIRouter(route_class=StrictRoute, tags=["text-generation-inference"])
    pool = services.pool

    @router.post("/tokenize")
    @user("inference")
    async def tokenize(request: Request, body: TokenizeBody) -> Response:
        """Tokens of a text."""
        return await answer_whole(request, _tokenize(pool, body))

    @router.post("/chat_tokenize")
    @user("inference")
    async def chat_tokenize(request: Request, body: ChatBody) -> Response:
        """The prompt that the chat template makes of messages, and its tokens."""
        return await answer_whole(request, _chat_tokenize(pool, body))

    @router.post("/detokenize")
    @user("inference")
    async def detokenize(body: DetokenizeBody) -> Response:
        """The text of tokens, under vLLM's name and under llama.cpp's."""
        async with pool.engine() as engine:
            text = await engine.detokenize(body.tokens)
        return _json({"prompt": text, "content": text})

    @router.get("/tokenizer_info")
    @user("inference")
    async def tokenizer_info() -> Response:
        """What lm-evaluation-harness asks before it uses the routes above for its tokenizer."""
        async with pool.engine() as engine:
            info = await engine.tokenizer_info()
            length = await engine.context_length()
        return _json(
            {
                "bos_token": info.bos,
                "eos_token": info.eos,
                "pad_token": None,
                "chat_template": info.chat_template,
                "model_max_length": length,
            }
        )

    return router


async def _tokenize(pool: EnginePool, body: TokenizeBody) -> Response:
    async with pool.engine() as engine:
        if body.inputs is not None:
            tokens = await tokens_of(engine, body.inputs, added=body.add_special_tokens is not False)
            return _response(await _dump_many(simple_tokens(body.inputs, tokens)))
        if body.content is not None:
            names = body.parse_special is not False
            tokens = await tokens_of(engine, body.content, added=body.add_special is True, names=names)
            pieces = (_piece(token) if body.with_pieces else token.id for token in tokens)
            return _response(f'{{"tokens":{await _dump_many(pieces)}}}')
        if body.prompt is not None:
            tokens = await tokens_of(engine, body.prompt, added=body.add_special_tokens is not False)
        elif body.messages is not None:
            text = await _templated(pool, ChatBody(messages=body.messages))
            # The template writes all special tokens that there are to be.
            tokens = await tokens_of(engine, text, added=body.add_special_tokens is True)
        else:
            problem = "one of inputs, prompt, messages and content is needed"
            raise InvalidRequest(problem, code="invalid_field", field="inputs", problem=problem)
        return _json(await _counted(engine, tokens, with_texts=body.return_token_strs is True))


def _piece(token: Token) -> dict[str, object]:
    """With its text, or its bytes where they are no text by themselves."""
    try:
        return {"id": token.id, "piece": token.text if token.special else token.raw.decode()}
    except UnicodeDecodeError:
        return {"id": token.id, "piece": list(token.raw)}


async def _counted(engine: Engine, tokens: Sequence[Token], *, with_texts: bool) -> dict[str, object]:
    """The shape of vLLM."""
    return {
        "count": len(tokens),
        "max_model_len": await engine.context_length(),
        "tokens": [token.id for token in tokens],
        "token_strs": [token.text for token in tokens] if with_texts else None,
    }


async def _chat_tokenize(pool: EnginePool, body: ChatBody) -> Response:
    text = await _templated(pool, body)
    async with pool.engine() as engine:
        tokens = await tokens_of(engine, text, added=False)
    listed = await _dump_many(simple_tokens(text, tokens))
    return _response(f'{{"tokenize_response":{listed},"templated_text":{dump_json(text)}}}')


async def _templated(pool: EnginePool, body: ChatBody) -> str:
    """What the model would read; where it has no template, in the plain format."""
    plan = await plan_chat(
        pool, pool.resolve_foreign(None), messages_of(body.messages), SamplingParams(), tools=tools_of(body)
    )
    prompt = plan.prompt
    if isinstance(prompt, str):
        return prompt
    if has_images(prompt):
        raise NotSupported("images in chat_tokenize")
    text = None
    if not isinstance(prompt, TokenPrompt):
        async with pool.engine() as engine:
            text = await engine.render(prompt)
    if text is None:
        raise NotSupported("chat_tokenize")
    return text


async def _dump_many(values: Iterable[object]) -> str:
    """A JSON list, some at a time: for half a million tokens in one go everybody else would wait half a second."""
    rest = iter(values)
    parts = []
    while some := list(islice(rest, _AT_ONCE)):
        parts.append(dump_json(some)[1:-1])
        await asyncio.sleep(0)
    return f"[{','.join(parts)}]"


def _json(value: object) -> Response:
    return _response(dump_json(value))


def _response(text: str) -> Response:
    return Response(text, media_type="application/json")
