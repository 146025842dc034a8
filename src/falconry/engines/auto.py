"""An endpoint of which nobody has said what it is: it is asked when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import ClassVar, TypeVar

from falconry.engines.base import ALL_EXTRAS, Engine, TokenizerInfo
from falconry.engines.probe import Login, probe
from falconry.engines.remote_engine import remote_engine
from falconry.engines.server_facts import ServerFacts
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenCount,
    TokenPrompt,
)
from falconry.settings import Endpoint

T = TypeVar("T")


def resolved(endpoint: Endpoint, facts: ServerFacts) -> Endpoint:
    """An endpoint as engines take it, once it is known what runs there."""
    chat = facts.chat_models()
    model = endpoint.model or (chat[0].id if chat else None)
    return endpoint.model_copy(update={"kind": facts.kind, "url": facts.url, "model": model})


class AutoEngine(Engine):
    """The engine of whatever kind of server answers. Until one has, every question asks again."""

    kind: ClassVar[str] = "auto"
    extras = ALL_EXTRAS

    def __init__(self, endpoint: Endpoint, timeout: float, *, retries: int) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._retries = retries
        self._engine: Engine | None = None
        self._finding = asyncio.Lock()

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        engine = await self._found()
        try:
            async with aclosing(engine.generate(prompt, params, extras)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._mirror(engine)

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return await self._asked(lambda engine: engine.count_tokens(prompt))

    async def context_length(self) -> int | None:
        return await self._asked(lambda engine: engine.context_length())

    async def has_chat_template(self) -> bool:
        return await self._asked(lambda engine: engine.has_chat_template())

    async def render(self, messages: Sequence[Message]) -> str | None:
        return await self._asked(lambda engine: engine.render(messages))

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        return await self._asked(lambda engine: engine.tokenize(text, special=special))

    async def detokenize(self, ids: Sequence[int]) -> str:
        return await self._asked(lambda engine: engine.detokenize(ids))

    async def tokenizer_info(self) -> TokenizerInfo:
        return await self._asked(lambda engine: engine.tokenizer_info())

    async def has_native_tools(self) -> bool:
        return await self._asked(lambda engine: engine.has_native_tools())

    async def embed(self, texts: Sequence[str | TokenPrompt]) -> tuple[list[list[float]], int]:
        return await self._asked(lambda engine: engine.embed(texts))

    async def aclose(self) -> None:
        if self._engine is not None:
            await self._engine.aclose()

    async def _asked(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        engine = await self._found()
        try:
            return await question(engine)
        finally:
            self._mirror(engine)

    async def _found(self) -> Engine:
        """The engine. Raises FalconryError where nothing that could be used answers."""
        async with self._finding:
            if self._engine is None:
                login = Login(self._endpoint.api_key, self._endpoint.auth)
                facts = await probe(self._endpoint.url, login)
                self._engine = remote_engine(resolved(self._endpoint, facts), self._timeout, retries=self._retries)
            return self._engine

    def _mirror(self, engine: Engine) -> None:
        """What an engine says of itself may change with all that it learns."""
        self.can_continue = engine.can_continue
        self.supports = engine.supports
        self.extras = engine.extras
        self.sees_images = engine.sees_images
        self.parallel = engine.parallel
