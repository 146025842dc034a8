"""Local models: llama.cpp's own server as a child process, on a Unix socket.

The process is the wall between us and native code: whatever a model file or a request does to it, the web server
lives, and killing it frees all its memory. What the server answers is translated here, errors too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import ClassVar

from falconry.engines.base import ALL_EXTRAS, Engine, TokenizerInfo
from falconry.engines.llama_adapters import Adapter, Adapters, check_adapter
from falconry.engines.llama_child import LlamaChild
from falconry.engines.llama_launch import EMBEDDING_TOKENS, header_of, launch
from falconry.engines.llama_options import LlamaCppOptions
from falconry.engines.llama_scores import score
from falconry.engines.llama_server import EventReader, completion
from falconry.engines.llama_vocabulary import Vocabulary
from falconry.engines.local_http import Response
from falconry.engines.prompt_texts import refuse_unbroken, texts_of, unbroken
from falconry.engines.slots import Slots
from falconry.engines.stop import StopFilter
from falconry.engines.supervisor import State
from falconry.engines.turns import Turns
from falconry.errors import ContextWindowExceeded, EngineError, EngineInterrupted, InvalidRequest, NotSupported
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
    Usage,
    has_images,
)

__all__ = ["LlamaCppEngine", "LlamaCppOptions"]

_SHORTEST_REST, _REST = 0.002, 0.08
"""Seconds between two reads of a stream that shows text, doubled from one to the next. Waking up costs 0.2 ms, more
than all the rest of reading a token, and a dozen steps a second look smooth; but what ends after five milliseconds must
not take eighty."""
_CROWDED = 6 * 1024
"""Bytes in one read, above which the rest is halved: the server writes so small pieces that the socket is full after
9 KiB, and then it waits for us. Without it nothing came faster than 550 tokens a second."""
_USUAL_PER_TOKEN, _MOST_PER_TOKEN = 4, 32
"""Characters. A prompt with more than the first for each token of the context is counted before it is sent; none with
more than the second fits."""


class LlamaCppEngine(Engine):
    """One model file in a child process of its own, which starts on first use.

    LoRA adapters share that process; each has an engine of its own for it (engines/llama_adapter_engine.py).

    Args:
        model: a GGUF file.
    """

    kind: ClassVar[str] = "llama_cpp"
    can_continue = True
    extras = ALL_EXTRAS

    def __init__(self, model: Path, options: LlamaCppOptions) -> None:
        self._model = model.absolute()
        self.parallel = options.slots
        self.sees_images = options.projector is not None
        if options.speculates:
            # The server tells no logprobs of tokens that were guessed (llama.cpp issue 27972).
            self.extras = ALL_EXTRAS - {"top_logprobs"}
        self._context_length: int | None = None
        self._native_tools: bool | None = None
        self._slots = Slots(options.slots)
        self._adapters = Adapters()
        self._turns = Turns()
        self._child = LlamaChild(launch(self._model, options, adapters=self._adapters.hand_over), self._adapters)
        self._vocabulary = Vocabulary(self._child, self._model)
        # A server makes either text or vectors, so those have one of their own, which starts on its first use.
        self._embedder = LlamaChild(launch(self._model, options, embeddings=True))
        self._embedding = asyncio.Semaphore(2)

    @property
    def state(self) -> State:
        """ "stopped", "starting", "ready" or "failed"."""
        return self._child.state

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.pid

    async def start(self) -> None:
        """Load the model now; also the way to try again after a crash loop. Raises EngineError."""
        await self._child.start()

    def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        return self.reply(prompt, params, extras)

    async def reply(
        self, prompt: Prompt, params: SamplingParams, extras: Extras, adapter: Adapter | None = None
    ) -> AsyncGenerator[Delta, None]:
        """As `generate`, with an adapter or the base alone. Replies of different adapters take turns."""
        await self.prepare(adapter)
        await self._refuse_what_cannot_fit(prompt)
        await self._refuse_what_cannot_be(prompt, params, extras)
        path, body = completion(prompt, params, extras)
        async with self._turns.take(adapter):
            await self._load(adapter)
            async with self._slots.take(prompt, adapter) as slot:
                if extras.prompt_logprobs:
                    yield Delta(prompt_tokens=await self._scored(prompt, slot, extras, adapter))
                answer = self._child.generate(path, {**body, "id_slot": slot}, adapter)
                async with aclosing(self._read(answer, prompt, params, extras)) as deltas:
                    async for delta in deltas:
                        yield delta

    async def prepare(self, adapter: Adapter | None) -> None:
        """Start with an adapter where nothing runs yet, so that its first reply need not start it again.

        Raises EngineError, AdapterMismatch.
        """
        if adapter is not None and self.state == "stopped":
            await self.load(adapter)

    async def load(self, adapter: Adapter) -> None:
        """Have an adapter beside the base; for that the process starts again when its replies have ended.

        Raises EngineError, AdapterMismatch.
        """
        async with self._turns.take(adapter):
            await self._load(adapter)

    async def _load(self, adapter: Adapter | None) -> None:
        """The same for whoever's turn it is."""
        if adapter is None or (self._adapters.loaded(adapter.path) and self.state in ("starting", "ready")):
            return
        await asyncio.to_thread(self._check, adapter)
        self._adapters.add(adapter.path)
        try:
            await self._child.restart()
        except EngineError:
            self._adapters.remove(adapter.path)  # the base goes on without it
            raise

    def _check(self, adapter: Adapter) -> None:
        check_adapter(header_of(self._model), header_of(adapter.path), adapter.path.stem)

    async def _read(
        self,
        answer: AbstractAsyncContextManager[Response],
        prompt: Prompt,
        params: SamplingParams,
        extras: Extras,
    ) -> AsyncGenerator[Delta, None]:
        # The server is not told the stop sequences: what it holds back as the possible beginning of one is lost when
        # the reply ends by its length (llama.cpp, October 2026; a test has the case).
        stop = StopFilter(params.stop)
        reader = EventReader(extras)
        shown = thoughts = ""
        written = 0
        async with answer as response, aclosing(response.blocks()) as blocks:
            async for block in blocks:
                delta = reader.feed(block)
                thoughts += delta.thinking
                text = stop.feed(delta.text)
                shown += text
                if stop.stopped:
                    break
                done = delta.finish_reason is not None
                if done:
                    text += stop.flush()
                tokens: tuple[Token, ...] = ()
                if reader.tokens is not None:
                    tokens = await self._vocabulary.whole(
                        reader.tokens.take(text) + (reader.tokens.take_all() if done else ())
                    )
                    written += len(tokens)
                if done or text or delta.thinking or delta.tool_calls:
                    yield Delta(text, delta.thinking, delta.finish_reason, delta.usage, delta.tool_calls, tokens)
                    # What brings no text, such as news of the prompt, must not keep the first token waiting.
                    response.pause = _rest_after(response.pause, len(block))
                if done:
                    return
        if stop.matched is None:
            raise EngineInterrupted(f"{self._model.stem} stopped in the middle of its reply. Ask it to continue.")
        read = reader.prompt_tokens or (await self.count_tokens(prompt)).tokens
        if reader.tokens is not None:
            tokens = await self._vocabulary.whole(reader.tokens.take(text) + reader.tokens.take_through(stop.matched))
            written += len(tokens)
        else:
            tokens = ()
            written = await self._vocabulary.count(thoughts + shown + stop.matched, special=False)
        usage = Usage(read, written, reader.cached_tokens)
        yield Delta(text, delta.thinking, "stop", usage, tokens=tokens, stop_sequence=stop.matched)

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        """Count exactly; of a prompt many times longer than the context, only until that is sure ("at least")."""
        if isinstance(prompt, TokenPrompt):
            return TokenCount(len(prompt.ids))
        if has_images(prompt):
            return TokenCount(await self._vocabulary.count_seen(prompt))
        texts = texts_of(prompt)
        limit = await self.context_length()
        if sum(map(len, texts)) > limit * _MOST_PER_TOKEN or unbroken(texts):
            return TokenCount(await self._vocabulary.count_at_least(texts, limit))
        text = prompt if isinstance(prompt, str) else await self.render(prompt)
        return TokenCount(await self._vocabulary.count(text))

    async def context_length(self) -> int:
        if self._context_length is None:
            props = await self._child.ask("/props")
            self._context_length = int(props["default_generation_settings"]["n_ctx"])
        return self._context_length

    async def has_chat_template(self) -> bool:
        # The server itself does not tell: to a model without a template it gives ChatML.
        return (await asyncio.to_thread(header_of, self._model)).chat_template is not None

    async def has_native_tools(self) -> bool:
        """Where the template has no place for tools, the server leaves them out and says nothing."""
        if self._native_tools is None:
            caps = (await self._child.ask("/props")).get("chat_template_caps")
            if caps is None:  # an older server
                knows = await self._vocabulary.renders_tools()
            else:
                knows = bool(caps.get("supports_tools") and caps.get("supports_tool_calls"))
            self._native_tools = knows and await self.has_chat_template()
        return self._native_tools

    async def render(self, messages: Sequence[Message]) -> str:
        return await self._vocabulary.render(messages)

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        """Also of a text that is somewhat too long to be read: whoever wants to shorten it has to know its tokens."""
        refuse_unbroken([text])
        limit = await self.context_length()
        if len(text) > limit * _MOST_PER_TOKEN:
            raise ContextWindowExceeded(await self._vocabulary.count_at_least([text], limit), limit)
        return await self._vocabulary.tokenize(text, special=special)

    async def detokenize(self, ids: Sequence[int]) -> str:
        return await self._vocabulary.detokenize(ids)

    async def tokenizer_info(self) -> TokenizerInfo:
        props = await self._child.ask("/props")
        template = props.get("chat_template") if await self.has_chat_template() else None
        return TokenizerInfo(props.get("bos_token") or None, props.get("eos_token") or None, template or None)

    async def embed(self, texts: Sequence[str | TokenPrompt]) -> tuple[list[list[float]], int]:
        """The mean of what the model's last layer says of each token."""
        for text in texts:
            if isinstance(text, TokenPrompt):
                await self._vocabulary.check(text.ids)
            elif len(text) > EMBEDDING_TOKENS * _MOST_PER_TOKEN:
                tokens = await self._vocabulary.count_at_least([text], EMBEDDING_TOKENS)
                raise ContextWindowExceeded(max(tokens, EMBEDDING_TOKENS + 1), EMBEDDING_TOKENS)
            if not (text.ids if isinstance(text, TokenPrompt) else text):
                raise InvalidRequest("An empty text has no embedding. Leave it out.", code="empty_input")
        inputs = [text if isinstance(text, str) else list(text.ids) for text in texts]
        async with self._embedding:
            answer = await self._embedder.ask("/v1/embeddings", {"input": inputs})
        ordered = sorted(answer["data"], key=lambda entry: int(entry["index"]))
        return [entry["embedding"] for entry in ordered], int(answer["usage"]["prompt_tokens"])

    async def aclose(self) -> None:
        await asyncio.gather(self._child.aclose(), self._embedder.aclose())

    async def _scored(self, prompt: Prompt, slot: int, extras: Extras, adapter: Adapter | None) -> tuple[Token, ...]:
        """The tokens of a prompt, with their logprobs."""
        if isinstance(prompt, TokenPrompt):
            ids = prompt.ids
        else:
            text = prompt if isinstance(prompt, str) else await self.render(prompt)
            ids = tuple(token.id for token in await self._vocabulary.tokenize(text, special=True))
        limit = await self.context_length()
        if len(ids) >= limit:
            raise ContextWindowExceeded(len(ids), limit)
        scores = score(self._child, self._vocabulary, ids, slot, extras.top_logprobs or 0, adapter)
        async with aclosing(scores) as tokens:
            return tuple([token async for token in tokens])

    async def _refuse_what_cannot_be(self, prompt: Prompt, params: SamplingParams, extras: Extras) -> None:
        """Raise NotSupported or InvalidRequest for what the server would not do, or do wrong."""
        self._refuse_extras(extras)
        if has_images(prompt):
            self._refuse_unseen(prompt, extras)
        if isinstance(prompt, TokenPrompt):
            await self._vocabulary.check(prompt.ids)
        await self._vocabulary.check(token for token, _ in params.logit_bias)
        if extras.tools and (isinstance(prompt, str | TokenPrompt) or not await self.has_native_tools()):
            raise NotSupported("tools")
        if extras.tools and extras.top_logprobs is not None:
            raise NotSupported("logprobs together with tools")

    def _refuse_unseen(self, prompt: Sequence[Message], extras: Extras) -> None:
        if not self.sees_images:
            raise NotSupported("images")
        if extras.prompt_logprobs:
            raise NotSupported("logprobs of a prompt with images")
        if any(image.media_type == "image/webp" for message in prompt for image in message.images):
            raise NotSupported("WebP", "Local models cannot read WebP. Send the picture as PNG or JPEG.")

    async def _refuse_what_cannot_fit(self, prompt: Prompt) -> None:
        """Raise ContextWindowExceeded or InvalidRequest for what would keep the server busy, or crash it."""
        texts = texts_of(prompt)
        limit = await self.context_length()
        if sum(map(len, texts)) > limit * _USUAL_PER_TOKEN:
            tokens = await self._vocabulary.count_at_least(texts, limit)
            if tokens >= limit:
                raise ContextWindowExceeded(
                    tokens,
                    limit,
                    f"This needs at least {tokens} tokens and the model can read at most {limit}. "
                    "Shorten it, or choose a model with a larger context window.",
                )
        refuse_unbroken(texts)


def _rest_after(last: float, size: int) -> float:
    """How long to rest after a read of so many bytes that followed a rest of `last` seconds."""
    return last / 2 if size > _CROWDED else min(_REST, last * 2 or _SHORTEST_REST)
