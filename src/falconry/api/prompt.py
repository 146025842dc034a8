"""How a model reads a conversation, token by token."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from falconry.api.request_body import RequestBody
from falconry.api.schemas import Id, ModelName
from falconry.api.strict import StrictRoute
from falconry.chat.rendering import Rendering
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.messages import Message, Token
from falconry.services import Services

Json = dict[str, Any]
MOST_TOKENS = 20_000
"""That are told one by one; of a longer prompt these are the first ones."""


class PromptMessage(RequestBody):
    """A message that stands in no conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=200_000)


class PromptQuestion(RequestBody):
    """A conversation and what is to be its next message; or messages of one's own, where `conversation_id` is null.

    `system` belongs to the conversation: null is the one that its newest reply had, "" is none.
    """

    model_config = ConfigDict(extra="forbid")

    model: ModelName | None = None
    conversation_id: Id | None = None
    draft: str = Field("", max_length=200_000)
    system: str | None = Field(None, max_length=200_000)
    messages: list[PromptMessage] = Field(default_factory=list, max_length=200)


def prompt_router(services: Services) -> APIRouter:
    """The route /api/prompt."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["completion"])

    @router.post("/prompt")
    @user("conversations", counted=True)
    async def prompt(asker: Asker, body: PromptQuestion) -> Json:
        """The exact text that a model gets to read, and its tokens, each with its id. Nothing is generated.

        What the backend does not tell is null. Only the first 20,000 tokens are told one by one; `count` is of all.
        """
        found = await services.chat.of(asker.id).rendering(
            body.conversation_id,
            messages=[Message(message.role, message.content) for message in body.messages],
            draft=body.draft,
            model=body.model,
            system=body.system,
        )
        return _json(found)

    return router


def _json(found: Rendering) -> Json:
    return {
        "messages": [{"role": message.role, "content": message.content} for message in found.messages],
        "format": "plain" if found.plain else "template",
        "template": found.template,
        "text": found.text,
        "tokens": None if found.tokens is None else [_token(token) for token in found.tokens[:MOST_TOKENS]],
        "count": found.use.prompt_tokens,
        "exact": found.use.error == 0.0,
        "context_length": found.use.context_length,
        "left_out": found.use.left_out,
    }


def _token(token: Token) -> Json:
    """`bytes` (hexadecimal) only where they are no text by themselves, as of a part of a character."""
    told: Json = {"id": token.id, "text": token.text}
    if token.special:
        told["special"] = True
    if "\ufffd" in token.text:
        told["bytes"] = token.raw.hex()
    return told
