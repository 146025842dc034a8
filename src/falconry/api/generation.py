"""From what a program asks to the deltas of a reply: the same way for every protocol that we speak.

A `Plan` is a request in the words of the engine. It can be carried out several times, for several choices.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from falconry.api.tool_reader import ToolReader, with_calls
from falconry.api.tools import CALL_END, NO_TOOLS, RESPONSE, ToolUse, call_grammar, in_words, speaks_of_tools
from falconry.chat.prompt_format import PLAIN_STOP, plain_prompt
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool
from falconry.errors import EngineInterrupted, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    FinishReason,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
    ToolCall,
    Usage,
    has_images,
)
from falconry.protocols.grammar import check_schema, regex_to_gbnf

T = TypeVar("T")

_SEEDS = 2**32 - 1
_MOST_STOP = 16  # as in SamplingParams
_COUNTED = 16 * 1024
"""Characters of a reply that are kept to be counted, where its server does not tell how many tokens it was."""
ABREAST = 8
"""Replies that one request has in the works at the same time; the others wait here and not in the engine's queue."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A generation, ready to be asked for.

    Attributes:
        model: the name of a model that there is.
        tools: what to read from the reply's text; no tools where the model's template does that.
        parallel_tools: more than one call in a reply is wanted.
        stop: the asker's own stop sequences; `params` may have more.
    """

    model: str
    prompt: Prompt
    params: SamplingParams
    extras: Extras = NO_EXTRAS
    tools: ToolUse = NO_TOOLS
    parallel_tools: bool = True
    stop: tuple[str, ...] = ()


async def plan_chat(
    pool: EnginePool,
    model: str,
    messages: Sequence[Message],
    params: SamplingParams,
    *,
    tools: ToolUse = NO_TOOLS,
    extras: Extras = NO_EXTRAS,
) -> Plan:
    """Plan the reply to a conversation. A last message of the assistant is continued.

    Raises:
        InvalidRequest: a schema or a regular expression that no engine should see.
        and what the engine raises when it is asked what it can.
    """
    check_grammar(params)
    stop = params.stop
    messages = _one_system_message(messages)
    async with pool.engine(model) as engine:
        template = await engine.has_chat_template()
        if has_images(messages) and not (engine.sees_images and template):
            raise NotSupported("images", "The chosen model cannot see pictures. Choose another one, or leave them out.")
        uses_tools = bool(tools.tools) or speaks_of_tools(messages)
        native = uses_tools and template and await engine.has_native_tools()
    if native:
        for tool in tools.tools:
            check_schema(tool.parameters)
        extras = replace(extras, tools=tools.tools, tool_choice=tools.choice)
        return Plan(model, messages, params, extras, parallel_tools=tools.parallel, stop=stop)
    if uses_tools:
        messages = in_words(messages, tools)
        params = _params_for_tools(params, tools)
    prompt: Prompt = messages
    if not template:
        prompt = plain_prompt(messages)
        params = _stopping_also_at(params, PLAIN_STOP)
    return Plan(model, prompt, params, extras, tools, tools.parallel, stop)


def check_grammar(params: SamplingParams) -> None:
    """Raise InvalidRequest for a shape that no engine should see."""
    grammar = params.grammar
    if grammar is not None and grammar.kind == "json_schema":
        check_schema(grammar.text)
    elif grammar is not None and grammar.kind == "regex":
        regex_to_gbnf(grammar.text)


def _one_system_message(messages: Sequence[Message]) -> list[Message]:
    """System messages at the beginning joined: most templates take one, and some refuse a second."""
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    if leading < 2:
        return list(messages)
    content = "\n\n".join(message.content for message in messages[:leading])
    return [Message("system", content), *messages[leading:]]


def _params_for_tools(params: SamplingParams, tools: ToolUse) -> SamplingParams:
    if not tools.tools:
        return params
    if tools.forced:
        grammar = call_grammar(tools)
        check_schema(grammar.text)
        return replace(params, grammar=grammar)
    return _stopping_also_at(params, (RESPONSE,) if tools.parallel else (RESPONSE, CALL_END))


def _stopping_also_at(params: SamplingParams, stop: Sequence[str]) -> SamplingParams:
    return replace(params, stop=(*params.stop, *stop)[:_MOST_STOP])


async def generate(pool: EnginePool, plan: Plan, owner: str, number: int = 0) -> AsyncGenerator[Delta, None]:
    """Carry a plan out, for choice `number`. Use it under `contextlib.aclosing`.

    The last delta has a finish reason and a usage. Calls of tools come as `Delta.tool_calls`, whoever found them.

    Raises whatever `EnginePool.generate` raises, and EngineInterrupted where the reply just ends.
    """
    params = plan.params
    if number and params.seed is not None:
        params = replace(params, seed=(params.seed + number) % _SEEDS)
    deltas = pool.generate(plan.model, plan.prompt, params, plan.extras, owner=owner)
    if plan.tools.tools:
        names = [tool.name for tool in plan.tools.allowed]
        reader = ToolReader(names, forced=plan.tools.forced, parallel=plan.tools.parallel)
        deltas = with_calls(deltas, reader)
    said = _Sample()
    async with aclosing(deltas):
        async for delta in deltas:
            said.add(delta.text)
            if delta.tool_calls and not plan.parallel_tools:
                delta = replace(delta, tool_calls=tuple(call for call in delta.tool_calls if call.index == 0))
            if delta.finish_reason is None:
                yield delta
                continue
            if delta.usage is None:
                delta = replace(delta, usage=await _counted(pool, plan, said))
            if delta.stop_sequence not in plan.stop:
                delta = replace(delta, stop_sequence=None)
            yield delta
            return
    raise EngineInterrupted("The model stopped in the middle of its reply. Ask again.")


class _Sample:
    """The beginning of a text, and its length: replies without end must not be kept for the sake of their count."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._kept = self._length = 0

    def add(self, text: str) -> None:
        self._length += len(text)
        if text and self._kept < _COUNTED:
            self._pieces.append(text)
            self._kept += len(text)

    async def tokens(self, engine: Engine) -> int:
        """As many as the engine counts; beyond the part that is kept, as many for a character as in it."""
        if not self._kept:
            return 0
        counted = (await engine.count_tokens("".join(self._pieces))).tokens
        return round(counted * self._length / self._kept)


async def _counted(pool: EnginePool, plan: Plan, said: _Sample) -> Usage:
    """The usage of a backend that does not report it."""
    async with pool.engine(plan.model) as engine:
        prompt = await engine.count_tokens(plan.prompt)
        return Usage(prompt.tokens, await said.tokens(engine))


@dataclass(slots=True)
class Reply:
    """A whole reply. Fields as in `Delta`."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[Token, ...] = ()
    prompt_tokens: tuple[Token, ...] = ()
    finish_reason: FinishReason = "stop"
    stop_sequence: str | None = None
    usage: Usage = field(default_factory=Usage)


async def collect(deltas: AsyncGenerator[Delta, None]) -> Reply:
    """Read a generation to its end."""
    reply = Reply()
    text: list[str] = []
    thinking: list[str] = []
    tokens: list[Token] = []
    calls: dict[int, ToolCall] = {}
    async with aclosing(deltas):
        async for delta in deltas:
            text.append(delta.text)
            thinking.append(delta.thinking)
            tokens += delta.tokens
            reply.prompt_tokens += delta.prompt_tokens
            for piece in delta.tool_calls:
                begun = calls.get(piece.index, ToolCall("", "", ""))
                calls[piece.index] = ToolCall(
                    begun.id or piece.id, begun.name or piece.name, begun.arguments + piece.arguments
                )
            reply.finish_reason = delta.finish_reason or reply.finish_reason
            reply.stop_sequence = delta.stop_sequence or reply.stop_sequence
            reply.usage = delta.usage or reply.usage
    reply.text, reply.thinking, reply.tokens = "".join(text), "".join(thinking), tuple(tokens)
    reply.tool_calls = tuple(calls[index] for index in sorted(calls))
    return reply


async def collect_all(sources: Sequence[AsyncGenerator[Delta, None]]) -> list[Reply]:
    """Read several generations, `ABREAST` at a time. When one fails, the others end."""
    if len(sources) == 1:
        return [await collect(sources[0])]
    places = asyncio.Semaphore(ABREAST)

    async def one(source: AsyncGenerator[Delta, None]) -> Reply:
        async with places:
            return await collect(source)

    return await together([one(source) for source in sources])


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give, done at the same time. When one fails, or nobody wants them any more, the others end."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _end(tasks)


async def merge(sources: Sequence[AsyncGenerator[Delta, None]]) -> AsyncGenerator[tuple[int, Delta], None]:
    """The deltas of several generations as they come, with their numbers, `ABREAST` at a time.

    When one fails, the others end. A reader that does not read holds all of them up.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as deltas:
            async for delta in deltas:
                yield 0, delta
        return
    places = asyncio.Semaphore(ABREAST)
    coming: asyncio.Queue[tuple[int, Delta] | None] = asyncio.Queue(maxsize=ABREAST)

    async def one(number: int, source: AsyncGenerator[Delta, None]) -> None:
        async with places, aclosing(source):
            async for delta in source:
                await coming.put((number, delta))

    async def all_of_them() -> None:
        try:
            await asyncio.gather(*tasks)
        finally:
            await coming.put(None)

    tasks = [asyncio.ensure_future(one(*numbered)) for numbered in enumerate(sources)]
    whole = asyncio.ensure_future(all_of_them())
    try:
        while (step := await coming.get()) is not None:
            yield step
        await whole
    finally:
        await _end([*tasks, whole])


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def prompt_length(prompt: Prompt) -> int:
    """Characters (or tokens) of a prompt: how long it may take to find out that it does not fit."""
    if isinstance(prompt, TokenPrompt):
        return len(prompt.ids)
    return len(prompt) if isinstance(prompt, str) else sum(len(message.content) for message in prompt)
