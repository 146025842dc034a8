"""POST /v1/chat/completions: the events of a stream, or the body of a whole reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from secrets import token_hex
from time import time

from falconry.api.generation import Plan, Reply, collect_all, generate, merge, plan_chat, prompt_length
from falconry.api.openai_params import chat_tokens, messages_of, refuse_what_would_be_a_lie, sampling, tools_of, wrong
from falconry.api.openai_schemas import ChatBody
from falconry.api.tools import ToolUse
from falconry.engines.pool import EnginePool
from falconry.messages import Delta, Extras, Message, SamplingParams, Usage
from falconry.protocols.openai_answers import (
    ChatChunks,
    Head,
    ShownTokens,
    chat_choice,
    chat_logprobs,
    finish_word,
    reply_body,
    usage_chunk,
)
from falconry.protocols.sse import DONE, encode_json


class ChatQuestion:
    """A checked request. Raises InvalidRequest, ModelNotFound."""

    def __init__(self, pool: EnginePool, body: ChatBody, owner: str) -> None:
        refuse_what_would_be_a_lie(body)
        if body.top_logprobs is not None and not body.logprobs:
            raise wrong("top_logprobs", "it needs logprobs: true")
        self._pool = pool
        self._owner = owner
        self._choices = body.n or 1
        self._usage = body.stream_options is not None and body.stream_options.include_usage is True
        self._top = (body.top_logprobs or 0) if body.logprobs else None
        self._model = pool.resolve_foreign(body.model)
        self._messages: list[Message] = messages_of(body.messages)
        self._params: SamplingParams = sampling(body, chat_tokens(body))
        self._tools: ToolUse = tools_of(body)
        self.characters = prompt_length(self._messages)

    async def whole(self) -> dict[str, object]:
        """The body of the reply."""
        replies = await collect_all(self._sources(await self._plan()))
        usage = total_usage([reply.usage for reply in replies])
        choices = [self._choice(index, reply) for index, reply in enumerate(replies)]
        return reply_body(self._head(), choices, usage, chat=True)

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The stream, [DONE] included."""
        plan, head = await self._plan(), self._head()
        writers = [ChatChunks(head, index, null_usage=self._usage) for index in range(self._choices)]
        shown = [ShownTokens() for _ in writers]
        called: set[int] = set()
        usages: list[Usage] = []
        before = b"".join(writer.role() for writer in writers)
        async with aclosing(merge(self._sources(plan))) as steps:
            async for index, delta in steps:
                if delta.tool_calls:
                    called.add(index)
                if delta.usage is not None:
                    usages.append(delta.usage)
                chunks = self._chunks(writers[index], shown[index], delta, called=index in called)
                if before or chunks:
                    yield before + chunks
                    before = b""
        end = encode_json(usage_chunk(head, total_usage(usages))) if self._usage else b""
        yield end + DONE

    def _chunks(self, writer: ChatChunks, shown: ShownTokens, delta: Delta, *, called: bool) -> bytes:
        chunks = b""
        if delta.thinking:
            chunks += writer.thinking(delta.thinking)
        if self._top is None:
            if delta.text:
                chunks += writer.text(delta.text)
        elif (tokens := shown.take(delta.text, delta.tokens)) or delta.text:
            chunks += writer.tokens(delta.text, tokens, self._top)
        if delta.tool_calls:
            chunks += writer.calls(delta.tool_calls)
        if delta.finish_reason is not None:
            chunks += writer.finish(finish_word(delta.finish_reason, called=called and not self._tools.named))
        return chunks

    def _choice(self, index: int, reply: Reply) -> dict[str, object]:
        logprobs = None
        if self._top is not None:
            logprobs = chat_logprobs(ShownTokens().take(reply.text, reply.tokens), self._top)
        return chat_choice(
            index,
            reply.text,
            finish_word(reply.finish_reason, called=bool(reply.tool_calls) and not self._tools.named),
            thinking=reply.thinking,
            calls=reply.tool_calls,
            logprobs=logprobs,
        )

    async def _plan(self) -> Plan:
        extras = Extras(top_logprobs=self._top)
        return await plan_chat(self._pool, self._model, self._messages, self._params, tools=self._tools, extras=extras)

    def _sources(self, plan: Plan) -> list[AsyncGenerator[Delta, None]]:
        return [generate(self._pool, plan, self._owner, number) for number in range(self._choices)]

    def _head(self) -> Head:
        return Head(f"chatcmpl-{token_hex(12)}", self._model, int(time()))


def total_usage(usages: Sequence[Usage]) -> Usage:
    """What several choices for one prompt took: it was read once."""
    first = usages[0] if usages else Usage()
    return replace(first, completion_tokens=sum(usage.completion_tokens for usage in usages))
