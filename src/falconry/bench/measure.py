"""Asks a model as one user and as several at once, and notes when what came.

The requests go through the pool, as those of everybody else: a model that writes two replies at a time lets the third
user wait, and that is part of what a user sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from statistics import median
from time import monotonic

from falconry.bench.prompts import Prompts
from falconry.chat.prompt_format import plain_prompt
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool
from falconry.engines.work import Work
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Message, Prompt, SamplingParams

_NEVER = -100.0  # logit bias of a token that must not come
# How the model families end a turn; a model may end a reply with another token than its end of text.
_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        users: how many ask at the same time, one measurement for each number.
        prompt_tokens, tokens: length of a prompt, and new tokens of a reply.
        rounds: requests of each user, one after the other.
        seed: of the prompts.
    """

    users: tuple[int, ...] = (1, 4)
    prompt_tokens: int = 256
    tokens: int = 128
    rounds: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply. Times in seconds.

    Attributes:
        first: from asking to the first token, the wait in the queue included.
        reading: the same without the queue.
        writing: from the first to the last token.
        prompt_tokens: those that had to be read; what a cache knew is not among them.
        tokens: new tokens.
    """

    first: float
    reading: float
    writing: float
    prompt_tokens: int
    tokens: int

    @property
    def prompt_speed(self) -> float | None:
        """Prompt tokens a second; None where the engine did not tell how many it read."""
        return self.prompt_tokens / self.reading if self.prompt_tokens and self.reading > 0 else None

    @property
    def speed(self) -> float | None:
        """Tokens a second once the first one is there; None for a reply that came in one piece."""
        return (self.tokens - 1) / self.writing if self.tokens > 1 and self.writing > 0 else None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What so many users saw. Times in seconds, speeds in tokens a second; None where nothing can be told.

    Attributes:
        first, first_p95: median and 95th percentile of the time to the first token.
        prompt_speed: median over the requests.
        speed: median of what one user gets.
        together: new tokens of all users, by the time from the first question to the last token.
        tokens: median length of a reply; shorter ones than planned were ended by the model.
        drafted, accepted: tokens that were guessed ahead, and those of them that the model would have written itself.
    """

    users: int
    requests: int
    first: float
    first_p95: float
    prompt_speed: float | None
    speed: float | None
    together: float
    tokens: float
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """What is known before the first measurement.

    Attributes:
        load_seconds: until the model was ready; None for an endpoint.
        prompt_tokens: what the prompts really have.
        context_length: tokens, None where it is not told.
        forced: whether the model was kept from ending its reply early.
    """

    load_seconds: float | None
    prompt_tokens: int
    context_length: int | None
    forced: bool


async def measure(pool: EnginePool, model: str, plan: Plan) -> AsyncIterator[Start | Measurement]:
    """First what is known at the start, then a measurement for each number of users.

    Raises:
        ModelNotFound, EngineError
        InvalidRequest: the model's context is too small for the plan.
    """
    began = monotonic()
    local = any(each.size for each in pool.models() if each.name == model)
    async with pool.engine(model) as engine:
        await engine.count_tokens("begin")
        loaded = monotonic() - began
        prompts = Prompts(engine, plan.prompt_tokens, plan.seed)
        length = await prompts.fit()
        context = await engine.context_length()
        if context is not None and length + plan.tokens > context:
            raise InvalidRequest(
                f"A prompt of {length} tokens and a reply of {plan.tokens} do not fit into the context of {model}, "
                f"which has {context}. Ask for fewer.",
                code="bench_too_long",
                model=model,
                prompt_tokens=length,
                tokens=plan.tokens,
                limit=context,
            )
        params = await _params(engine, plan.tokens)
        template = await engine.has_chat_template()
        yield Start(loaded if local else None, length, context, bool(params.logit_bias))
        each = iter(prompts)
        await _ask(pool, model, _shown(next(each), template=template), params)  # the first one pays for warming up
        for users in plan.users:
            yield await _together(pool, model, _prompts(each, template=template), params, users, plan.rounds)


async def _together(
    pool: EnginePool, model: str, prompts: Iterator[Prompt], params: SamplingParams, users: int, rounds: int
) -> Measurement:
    async def one(user: int, mine: Sequence[Prompt]) -> list[Work]:
        return [await _ask(pool, model, prompt, params, owner=f"user {user}") for prompt in mine]

    own = [list(islice(prompts, rounds)) for _ in range(users)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(user, mine)) for user, mine in enumerate(own)]
    return summary(users, [work for task in tasks for work in task.result()])


def summary(users: int, works: Sequence[Work]) -> Measurement:
    """The figures of some generations that have ended."""
    samples = [_sample(work) for work in works]
    waits = sorted(sample.first for sample in samples)
    seconds = max(work.last or work.asked for work in works) - min(work.asked for work in works)
    tokens = sum(sample.tokens for sample in samples)
    return Measurement(
        users=users,
        requests=len(samples),
        first=median(waits),
        first_p95=waits[min(len(waits) - 1, int(len(waits) * 0.95))],
        prompt_speed=_median([sample.prompt_speed for sample in samples]),
        speed=_median([sample.speed for sample in samples]),
        together=tokens / seconds if seconds > 0 else 0.0,
        tokens=median(sample.tokens for sample in samples),
        drafted=sum(work.usage.drafted_tokens for work in works if work.usage),
        accepted=sum(work.usage.accepted_tokens for work in works if work.usage),
    )


def _sample(work: Work) -> Sample:
    first, last = work.first or work.asked, work.last or work.asked
    read = work.usage.prompt_tokens - work.usage.cached_tokens if work.usage else 0
    return Sample(first - work.asked, first - (work.began or work.asked), last - first, read, work.tokens)


def _median(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return median(told) if told else None


async def _ask(pool: EnginePool, model: str, prompt: Prompt, params: SamplingParams, *, owner: str = "") -> Work:
    """One generation to its end."""
    noticed: list[Work] = []

    def notice(work: Work) -> None:
        if work.owner == owner:  # each user asks one thing at a time
            noticed.append(work)

    pool.on_end.append(notice)
    try:
        async with aclosing(pool.generate(model, prompt, params, owner=owner)) as deltas:
            async for _ in deltas:
                pass
    finally:
        pool.on_end.remove(notice)
    return noticed[-1]


async def _params(engine: Engine, tokens: int) -> SamplingParams:
    """As long a reply as asked for: where the engine takes a bias, the tokens that end a reply are forbidden."""
    ends: set[int] = set()
    if "logit_bias" in engine.supports:
        try:
            eos = (await engine.tokenizer_info()).eos
            for name in (*_ENDS, *([eos] if eos else [])):
                ends |= {token.id for token in await engine.tokenize(name) if token.special and token.text == name}
        except NotSupported:
            pass
    return SamplingParams(
        max_tokens=tokens, temperature=0.7, seed=1, logit_bias=tuple((each, _NEVER) for each in sorted(ends))
    )


def _prompts(each: Iterator[list[Message]], *, template: bool) -> Iterator[Prompt]:
    return (_shown(messages, template=template) for messages in each)


def _shown(messages: list[Message], *, template: bool) -> Prompt:
    return messages if template else plain_prompt(messages)
