"""A LoRA adapter as a model of its own, in the process of its base."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import ClassVar

from falconry.engines.base import Engine, TokenizerInfo
from falconry.engines.llama_adapters import Adapter
from falconry.engines.llama_cpp import LlamaCppEngine
from falconry.engines.supervisor import State
from falconry.messages import NO_EXTRAS, Delta, Extras, Message, Prompt, SamplingParams, Token, TokenCount


class AdapterEngine(Engine):
    """Everything but what the model says is its base's. Whoever closes the base closes this.

    Args:
        base: runs the model that the adapter was made from; shared with other adapters.
        path: a GGUF file.
        scale: how strongly it works: 1 as it was trained, 0 not at all.
    """

    kind: ClassVar[str] = "llama_cpp"
    can_continue = True

    def __init__(self, base: LlamaCppEngine, path: Path, *, scale: float = 1.0) -> None:
        self._base = base
        self._adapter = Adapter(path.absolute(), scale)
        self.parallel = base.parallel
        self.extras = base.extras
        self.sees_images = base.sees_images

    @property
    def state(self) -> State:
        """The base's."""
        return self._base.state

    @property
    def pid(self) -> int | None:
        """The base's."""
        return self._base.pid

    async def start(self) -> None:
        """Load it now, and its base. Raises EngineError, AdapterMismatch."""
        await self._base.load(self._adapter)

    def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        return self._base.reply(prompt, params, extras, self._adapter)

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        await self._base.prepare(self._adapter)
        return await self._base.count_tokens(prompt)

    async def context_length(self) -> int:
        await self._base.prepare(self._adapter)
        return await self._base.context_length()

    async def has_chat_template(self) -> bool:
        return await self._base.has_chat_template()

    async def has_native_tools(self) -> bool:
        await self._base.prepare(self._adapter)
        return await self._base.has_native_tools()

    async def render(self, messages: Sequence[Message]) -> str:
        await self._base.prepare(self._adapter)
        return await self._base.render(messages)

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        await self._base.prepare(self._adapter)
        return await self._base.tokenize(text, special=special)

    async def detokenize(self, ids: Sequence[int]) -> str:
        await self._base.prepare(self._adapter)
        return await self._base.detokenize(ids)

    async def tokenizer_info(self) -> TokenizerInfo:
        await self._base.prepare(self._adapter)
        return await self._base.tokenizer_info()
