"""Any server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, Ollama, LM Studio, hosted ones.

They differ in what they take. So every param that is set is sent once; a field that the server refuses by name is
left out from then on, and disappears from `supports`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

from falconry.engines import endpoint_errors as errors
from falconry.engines import openai_extras as more
from falconry.engines.base import ALL_EXTRAS, ALL_SAMPLING
from falconry.engines.endpoint_errors import Refused
from falconry.engines.http import RETRIES
from falconry.engines.openai_server import Server, explore
from falconry.engines.remote import OpenAIReader, RemoteEngine, relay
from falconry.errors import ContextWindowExceeded, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
)
from falconry.protocols import openai
from falconry.protocols.failures import refused_fields
from falconry.settings import Endpoint

_EMBEDDING_TIMEOUT = 120.0
"""Seconds for what a server reads in one go, without a sign of life."""


class OpenAIEngine(RemoteEngine):
    """Chats by /chat/completions, raw prompts by /completions.

    Token counts are exact with llama.cpp, vLLM and SGLang, which can be asked; elsewhere they are estimated.
    """

    kind: ClassVar[str] = "openai"
    extras = ALL_EXTRAS
    sees_images = True

    def __init__(self, endpoint: Endpoint, timeout: float, *, retries: int = RETRIES) -> None:
        super().__init__(endpoint, timeout, retries=retries)
        self._url = endpoint.url.removesuffix("/chat/completions").rstrip("/")
        self._root = self._url.removesuffix("/v1")
        self._server: Server | None = None
        self._asking = asyncio.Lock()
        self._left_out: set[str] = set()
        self._shapeless = False  # has refused to give a reply a shape
        self._max_tokens = "max_tokens"
        self._missing: set[str] = set()

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        raw = isinstance(prompt, str | TokenPrompt)
        if raw and extras.tools:
            raise NotSupported("tools")
        body = await self._body(prompt, params, extras)
        url = f"{self._url}/completions" if raw else f"{self._url}/chat/completions"
        if extras.prompt_logprobs:
            yield Delta(prompt_tokens=await self._scored(prompt, extras))
        try:
            # Every round but the last leaves out or changes at least one field.
            for _ in range(len(more.OPTIONAL) + 1):
                try:
                    async with self._http.stream(url, self._accepted(body)) as events:
                        reader = OpenAIReader(self._http.place, extras)
                        async with aclosing(relay(events, reader, params, self._http.place)) as deltas:
                            async for delta in deltas:
                                yield delta
                        if reader.usage is not None:
                            self._estimator.learn(prompt, reader.usage.prompt_tokens)
                        return
                except Refused as refused:
                    if not self._adapt(body, refused):
                        raise
        except (Refused, ContextWindowExceeded) as error:
            if isinstance(error, Refused) and error.status in (404, 405) and raw:
                raise errors.no_completions(self._http.place, error) from None
            raise await self._translated(error, prompt) from None

    async def context_length(self) -> int | None:
        return self._endpoint.context_length or (await self._about()).context_length

    async def render(self, messages: Sequence[Message]) -> str | None:
        if (await self._about()).flavour != "llama_cpp":
            return None
        answer = await self._ask("/apply-template", {"messages": openai.message_list(messages)})
        prompt = answer.get("prompt") if answer is not None else None
        return prompt if isinstance(prompt, str) else None

    async def has_native_tools(self) -> bool:
        """What the model makes of them is the server's affair; one that cannot refuses them."""
        return True

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        server = await self._about()
        body = more.tokenize_body(text, server.model, server.flavour, special=special)
        answer = await self._ask("/tokenize", body) if server.flavour in ("llama_cpp", "vllm") else None
        tokens = more.read_tokens(answer) if answer is not None else None
        if tokens is None:
            raise NotSupported("tokenize")
        return tokens

    async def detokenize(self, ids: Sequence[int]) -> str:
        server = await self._about()
        body = more.detokenize_body(ids, server.model, server.flavour)
        answer = await self._ask("/detokenize", body) if server.flavour in ("llama_cpp", "vllm") else None
        text = more.read_text(answer) if answer is not None else None
        if text is None:
            raise NotSupported("detokenize")
        return text

    async def embed(self, texts: Sequence[str | TokenPrompt]) -> tuple[list[list[float]], int]:
        server = await self._about()
        inputs = [more.prompt_field(text) for text in texts]
        body = {"model": server.model, "input": inputs, "encoding_format": "float"}
        try:
            answer = await self._http.post(f"{self._url}/embeddings", body, timeout=_EMBEDDING_TIMEOUT)
        except Refused as refused:
            if refused.status in (404, 405, 501):
                raise NotSupported("embeddings") from None
            raise errors.refused(self._http.place, refused) from None
        found = openai.read_embeddings(answer)
        if found is None or len(found[0]) != len(texts):
            raise errors.nonsense(self._http.place, "no embeddings")
        return [more.unit(vector) for vector in found[0]], found[1]

    async def _scored(self, prompt: Prompt, extras: Extras) -> tuple[Token, ...]:
        """The prompt's tokens with their logprobs, from a request of their own that generates nothing."""
        server = await self._about()
        body = {"model": server.model, **more.echo_fields(prompt, extras.top_logprobs, server.flavour)}
        try:
            answer = await self._http.post(f"{self._url}/completions", body, timeout=_EMBEDDING_TIMEOUT)
        except Refused as refused:
            if refused_fields(refused.failure, {"echo"}) or refused.status in (404, 405):
                raise NotSupported("logprobs of the prompt") from None
            raise await self._translated(refused, prompt) from None
        tokens = openai.read_chunk(answer).tokens if isinstance(answer, dict) else ()
        if not tokens:
            raise NotSupported("logprobs of the prompt")
        return tuple(replace(token, top=token.top[: extras.top_logprobs or 0]) for token in tokens)

    async def _exact_count(self, prompt: str | Sequence[Message]) -> int | None:
        server = await self._about()
        if server.flavour in ("vllm", "sglang"):
            body = {"model": server.model, **more.prompt_fields(prompt, server.flavour)}
            answer = await self._ask("/tokenize", body)
            count = answer.get("count") if answer is not None else None
            return count if isinstance(count, int) else None
        if server.flavour != "llama_cpp":
            return None
        text = prompt if isinstance(prompt, str) else await self.render(prompt)
        if text is None:
            return None
        answer = await self._ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        tokens = answer.get("tokens") if answer is not None else None
        return len(tokens) if isinstance(tokens, list) else None

    async def _ask(self, path: str, body: Mapping[str, object]) -> Mapping[str, object] | None:
        """POST to one of the server's own routes; None where it does not have it (a proxy may hide it)."""
        if path in self._missing:
            return None
        try:
            answer = await self._http.post(f"{self._root}{path}", body)
        except Refused as refused:
            if refused.status in (404, 405, 501):
                self._missing.add(path)
            return None
        return answer if isinstance(answer, dict) else None

    async def _body(self, prompt: Prompt, params: SamplingParams, extras: Extras) -> dict[str, object]:
        server = await self._about()
        raw = isinstance(prompt, str | TokenPrompt)
        body: dict[str, object] = {"model": server.model, "stream": True}
        body["stream_options"] = {"include_usage": True}
        body |= openai.sampling_fields(params)
        body |= more.logprob_fields(extras.top_logprobs, server.flavour, raw=raw)
        body |= openai.tool_fields(extras)
        if params.grammar is not None:
            body |= more.shape_fields(params.grammar, server.flavour, raw=raw)
        if isinstance(prompt, str | TokenPrompt):
            body["prompt"] = more.prompt_field(prompt)
            if params.max_tokens is None:  # /completions makes 16 tokens where nothing is said
                body["max_tokens"] = await self._room(prompt)
        elif server.flavour in ("vllm", "sglang"):
            body |= more.prompt_fields(prompt, server.flavour)
        else:
            body["messages"] = openai.message_list(prompt)
        if server.flavour in ("llama_cpp", "lm_studio") and "repetition_penalty" in body:
            body["repeat_penalty"] = body.pop("repetition_penalty")
        return body

    def _accepted(self, body: Mapping[str, object]) -> dict[str, object]:
        """The body as this server takes it, by what it has refused so far."""
        named = {self._max_tokens if name == "max_tokens" else name: value for name, value in body.items()}
        return {name: value for name, value in named.items() if name not in self._left_out}

    def _adapt(self, body: dict[str, object], refused: Refused) -> bool:
        """Learn from a refusal; whether it is worth asking again."""
        if refused.status not in (400, 413, 422):
            if refused.status == 404:
                self._server = None  # it may have another model by now
            return False
        if overflow := errors.too_long(refused.failure):
            # The prompt fits, only together with max_tokens it does not.
            room = overflow.limit - overflow.prompt_tokens
            asked = body.get("max_tokens")
            if overflow.prompt_tokens and room > 0 and isinstance(asked, int) and asked > room:
                body["max_tokens"] = room
                return True
            return False
        if (limit := more.too_many_asked(refused.failure)) is not None and body.get("max_tokens") != limit - 1:
            body["max_tokens"] = limit - 1  # what still does not fit is then refused with both numbers
            return True
        accepted = self._accepted(body)
        for name in refused_fields(refused.failure, accepted.keys() & more.NEEDED.keys()):
            self._shapeless = self._shapeless or more.NEEDED[name] == "response_format"
            self.supports = self._supported()
            raise NotSupported(more.NEEDED[name])
        sent = accepted.keys() & more.OPTIONAL.keys()
        names = refused_fields(refused.failure, sent)
        if self._max_tokens == "max_tokens" and "max_tokens" in names:
            self._max_tokens = "max_completion_tokens"
            names = {"max_tokens"}
        self._left_out |= names
        self.supports = self._supported()
        return bool(names)

    def _supported(self) -> frozenset[str]:
        lost = {more.OPTIONAL[name] for name in self._left_out}
        if self._server is not None:
            lost |= more.IGNORED.get(self._server.flavour, frozenset())
        if self._shapeless:
            lost.add("grammar")
        return ALL_SAMPLING - lost

    async def _about(self) -> Server:
        """Ask the server what it is, once. Raises EngineError where it cannot be reached or refuses the key."""
        async with self._asking:
            if self._server is None:
                self._server = await explore(self._http, self._url, self._endpoint)
                self.can_continue = self._server.flavour in more.CONTINUE
                self.supports = self._supported()
                self.extras = ALL_EXTRAS if self._server.flavour == "vllm" else ALL_EXTRAS - {"prompt_logprobs"}
            return self._server
