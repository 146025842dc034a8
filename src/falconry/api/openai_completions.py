"""POST /v1/completions: raw prompts in, their continuations out, with the prompt's own logprobs where asked for.

Evaluation harnesses live on that last thing: `echo` with `logprobs` and `max_tokens` 0 or 1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import astuple, replace
from math import fsum
from secrets import token_hex
from time import time

from falconry.api.generation import Plan, Reply, check_grammar, collect_all, generate, merge
from falconry.api.openai_chat import total_usage
from falconry.api.openai_params import sampling, wrong
from falconry.api.openai_schemas import MOST_PROMPTS, CompletionBody
from falconry.engines.pool import EnginePool
from falconry.errors import NotSupported
from falconry.messages import Delta, Extras, FinishReason, Token, TokenPrompt, Usage
from falconry.protocols.openai_answers import (
    Head,
    ShownTokens,
    TextChunks,
    reply_body,
    text_choice,
    text_logprobs,
    usage_chunk,
)
from falconry.protocols.sse import DONE, encode_json

_USUAL = 16  # new tokens where nothing is said, as OpenAI has it


class CompletionQuestion:
    """A checked request. Raises InvalidRequest, ModelNotFound."""

    def __init__(self, pool: EnginePool, body: CompletionBody, owner: str) -> None:
        if body.suffix:
            raise NotSupported("suffix")
        self._pool = pool
        self._owner = owner
        self._prompts = prompts_of(body.prompt)
        self._kept = body.n or 1
        self._tries = body.best_of or self._kept
        if self._tries < self._kept:
            raise wrong("best_of", "it must be at least n")
        if self._tries > self._kept and body.stream:
            raise wrong("best_of", "a stream cannot wait for the best one; leave one of the two out")
        if self._tries * len(self._prompts) > MOST_PROMPTS:
            raise wrong("n", f"at most {MOST_PROMPTS} replies in one request")
        self._model = pool.resolve_foreign(body.model)
        self._echo = body.echo is True
        self._top = body.logprobs
        self._usage = body.stream_options is not None and body.stream_options.include_usage is True
        most = _USUAL if body.max_tokens is None else body.max_tokens
        self._nothing_new = most == 0
        self._params = sampling(body, most or 1)
        check_grammar(self._params)
        compared = 0 if self._tries > self._kept else None
        self._extras = Extras(
            top_logprobs=compared if self._top is None else self._top,
            prompt_logprobs=self._echo and self._top is not None,
        )
        self.characters = sum(map(_length, self._prompts))

    async def whole(self) -> dict[str, object]:
        """The body of the reply."""
        echoes = await self._echoes()
        replies = await collect_all(self._sources())
        choices: list[dict[str, object]] = []
        for number, echo in enumerate(echoes):
            tried = replies[number * self._tries : (number + 1) * self._tries]
            if self._tries > self._kept:
                tried = sorted(tried, key=_mean_logprob, reverse=True)
            for reply in tried[: self._kept]:
                text, logprobs = echo + reply.text, None
                if self._top is not None:
                    tokens = reply.prompt_tokens + ShownTokens().take(reply.text, reply.tokens)
                    logprobs = text_logprobs(text, tokens, self._top)
                choices.append(text_choice(len(choices), text, reply.finish_reason, logprobs))
        usages = [reply.usage for reply in replies]
        return reply_body(self._head(), choices, self._total(usages), chat=False)

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The stream, [DONE] included."""
        echoes, head = await self._echoes(), self._head()
        writers = [
            _Stream(TextChunks(head, index, null_usage=self._usage), self._top, echoes[index // self._kept])
            for index in range(self._kept * len(self._prompts))
        ]
        usages: dict[int, Usage] = {}
        async with aclosing(merge(self._sources())) as steps:
            async for index, delta in steps:
                if delta.usage is not None:
                    usages[index] = delta.usage
                if chunks := writers[index].chunks(delta):
                    yield chunks
        total = self._total([usages[index] for index in sorted(usages)])
        yield (encode_json(usage_chunk(head, total, chat=False)) if self._usage else b"") + DONE

    def _sources(self) -> list[AsyncGenerator[Delta, None]]:
        return [self._source(prompt, number) for prompt in self._prompts for number in range(self._tries)]

    async def _source(self, prompt: str | TokenPrompt, number: int) -> AsyncGenerator[Delta, None]:
        plan = Plan(self._model, prompt, self._params, self._extras, stop=self._params.stop)
        async with aclosing(generate(self._pool, plan, self._owner, number)) as deltas:
            async for delta in deltas:
                yield _nothing_of(delta) if self._nothing_new else delta

    async def _echoes(self) -> list[str]:
        """What stands before each reply."""
        if not self._echo:
            return [""] * len(self._prompts)
        texts = []
        for prompt in self._prompts:
            if isinstance(prompt, TokenPrompt):
                async with self._pool.engine(self._model) as engine:
                    texts.append(await engine.detokenize(prompt.ids))
            else:
                texts.append(prompt)
        return texts

    def _total(self, usages: Sequence[Usage]) -> Usage:
        """What all prompts took, each read once."""
        each = [total_usage(usages[at : at + self._tries]) for at in range(0, len(usages), self._tries)]
        return Usage(*(sum(numbers) for numbers in zip(*map(astuple, each), strict=True)))

    def _head(self) -> Head:
        return Head(f"cmpl-{token_hex(12)}", self._model, int(time()))


def prompts_of(given: str | list[str] | list[int] | list[list[int]]) -> list[str | TokenPrompt]:
    """One prompt or several, each as text or as tokens."""
    if isinstance(given, str):
        return [given]
    prompts: list[str | TokenPrompt] = []
    single: list[int] = []
    for entry in given:
        if isinstance(entry, int):
            single.append(entry)
        else:
            prompts.append(entry if isinstance(entry, str) else TokenPrompt(tuple(entry)))
    return prompts or [TokenPrompt(tuple(single))]


def _length(prompt: str | TokenPrompt) -> int:
    return len(prompt.ids) if isinstance(prompt, TokenPrompt) else len(prompt)


def _nothing_of(delta: Delta) -> Delta:
    """What is left of a delta where no new token was wanted: engines write at least one."""
    usage = None if delta.usage is None else replace(delta.usage, completion_tokens=0)
    finish: FinishReason | None = None if delta.finish_reason is None else "length"
    return Delta(finish_reason=finish, usage=usage, prompt_tokens=delta.prompt_tokens)


def _mean_logprob(reply: Reply) -> float:
    values = [token.logprob for token in reply.tokens if token.logprob is not None]
    return fsum(values) / len(values) if values else float("-inf")


class _Stream:
    """Writes the chunks of one choice.

    Args:
        top: alternatives for each token; None for no logprobs.
        echo: what stands before the reply.
    """

    def __init__(self, writer: TextChunks, top: int | None, echo: str) -> None:
        self._writer = writer
        self._top = top
        self._echo = echo
        self._offset = 0
        self._shown = ShownTokens()

    def chunks(self, delta: Delta) -> bytes:
        chunks = b""
        if self._echo or delta.prompt_tokens:
            chunks += self._piece(self._echo, delta.prompt_tokens)
            self._echo = ""
        if delta.text or delta.tokens:
            chunks += self._piece(delta.text, self._shown.take(delta.text, delta.tokens))
        if delta.finish_reason is not None:
            chunks += self._writer.finish(delta.finish_reason)
        return chunks

    def _piece(self, text: str, tokens: Sequence[Token]) -> bytes:
        if self._top is None:
            return self._writer.text(text)
        if not text and not tokens:
            return b""
        logprobs = text_logprobs(text, tokens, self._top, self._offset)
        self._offset += len(text)
        return self._writer.tokens(text, logprobs)
