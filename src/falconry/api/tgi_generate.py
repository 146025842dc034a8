"""A request of text-generation-inference's clients, carried out: whole, the best of several, or frame by frame."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from falconry.api.generation import Plan, check_grammar, generate, together
from falconry.api.tgi_schemas import SEEDS, GenerateRequest, Parameters
from falconry.api.tgi_tokens import cut_prompt
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt
from falconry.protocols.sse import encode_json
from falconry.protocols.tgi_answers import Outcome, Reply, last_frame, sequence_json, token_frame


@dataclass(frozen=True, slots=True)
class Job:
    """A request, ready to be carried out.

    Attributes:
        seed: what was asked for or drawn; None where nothing is drawn.
    """

    inputs: str
    parameters: Parameters
    plan: Plan
    seed: int | None
    owner: str

    @property
    def prompt(self) -> str:
        """What stands before the generated text in the answer."""
        return self.inputs if self.parameters.return_full_text else ""

    @property
    def details(self) -> bool:
        return bool(self.parameters.details or self.parameters.decoder_input_details)

    @property
    def top(self) -> bool:
        return bool(self.parameters.top_n_tokens)


async def prepare(pool: EnginePool, body: GenerateRequest, owner: str, *, stream: bool) -> Job:
    """Check a request and put it into the engine's words.

    Raises:
        InvalidRequest: in TGI's words; NotSupported for what the model's server cannot do.
        and what the engine raises when it is asked what it can.
    """
    parameters = body.checked(stream=stream)
    seed = (parameters.seed if parameters.seed is not None else _draw()) if parameters.sampling else None
    model = pool.resolve_foreign(None)
    async with pool.engine(model) as engine:
        params = parameters.to_sampling(seed, engine.supports)
        check_grammar(params)
        extras = _extras(parameters, engine, tokens=stream or _wants_tokens(parameters))
        prompt = await _prompt(engine, body.inputs, parameters.truncate)
    return Job(body.inputs, parameters, Plan(model, prompt, params, extras, stop=params.stop), seed, owner)


def _draw() -> int:
    return random.randrange(SEEDS)  # noqa: S311 - nothing secret hangs on it


def _wants_tokens(parameters: Parameters) -> bool:
    return bool(parameters.details or parameters.decoder_input_details or (parameters.best_of or 1) > 1)


def _extras(parameters: Parameters, engine: Engine, *, tokens: bool) -> Extras:
    if not tokens:
        return NO_EXTRAS
    scored = bool(parameters.decoder_input_details)
    if scored and "prompt_logprobs" not in engine.extras:
        raise NotSupported("decoder_input_details")
    if "top_logprobs" in engine.extras:
        return Extras(top_logprobs=parameters.top_n_tokens or 0, prompt_logprobs=scored)
    if needed := _needs_tokens(parameters):
        raise NotSupported(needed)
    return Extras(prompt_logprobs=scored)


def _needs_tokens(parameters: Parameters) -> str | None:
    """What makes no sense without tokens; all the rest can do with text alone."""
    if (parameters.best_of or 1) > 1:
        return "best_of"
    return "top_n_tokens" if parameters.top_n_tokens else None


async def _prompt(engine: Engine, inputs: str, truncate: int | None) -> Prompt:
    if truncate is None:
        return inputs
    limit = await engine.context_length()
    if limit is not None and truncate >= limit:
        sentence = f"`truncate` must be strictly positive and less than {limit}. Given: {truncate}"
        raise InvalidRequest(sentence, code="invalid_field", field="truncate", problem=sentence)
    return await cut_prompt(engine, inputs, truncate)


async def frames(pool: EnginePool, job: Job) -> AsyncGenerator[bytes, None]:
    """The frames of a stream; what goes wrong is raised. TGI's streams end without `[DONE]`."""
    reply = _reply(job)
    index = 0
    async with aclosing(_deltas(pool, job, job.plan)) as deltas:
        async for delta in deltas:
            ready: list[bytes] = []
            for token in reply.take(delta):
                index += 1
                ready.append(encode_json(token_frame(index, token, top=job.top)))
            if ready:
                yield b"".join(ready)
    outcome = reply.outcome(job.seed)
    yield encode_json(
        last_frame(
            index + 1,
            reply.last_token,
            outcome,
            prompt=job.prompt,
            details=bool(job.parameters.details),
            top=job.top,
        )
    )


async def whole(pool: EnginePool, job: Job) -> tuple[dict[str, object], Outcome]:
    """The answer in one piece, and how its reply ended."""
    found = await _best_of(pool, job) if (job.parameters.best_of or 1) > 1 else [await _collect(pool, job, job.seed)]
    (reply, outcome), *others = found
    body: dict[str, object] = {"generated_text": job.prompt + outcome.text}
    if job.details:
        details = sequence_json(reply, outcome, top=job.top)
        if others:
            details["best_of_sequences"] = [
                {"generated_text": job.prompt + other.text, **sequence_json(sequence, other, top=job.top)}
                for sequence, other in others
            ]
        body["details"] = details
    return body, outcome


async def _best_of(pool: EnginePool, job: Job) -> list[tuple[Reply, Outcome]]:
    """Several replies, the most likely one, token by token, first."""
    seeds = random.sample(range(SEEDS), job.parameters.best_of or 1)
    found = await together([_collect(pool, job, seed) for seed in seeds])
    return sorted(found, key=lambda each: each[0].mean_logprob, reverse=True)


async def _collect(pool: EnginePool, job: Job, seed: int | None) -> tuple[Reply, Outcome]:
    plan = job.plan
    if seed is not None:
        plan = replace(plan, params=replace(plan.params, seed=seed % SEEDS))
    reply = _reply(job)
    async with aclosing(_deltas(pool, job, plan)) as deltas:
        async for delta in deltas:
            reply.take(delta)
    return reply, reply.outcome(seed)


def _reply(job: Job) -> Reply:
    return Reply(by_token=job.plan.extras.top_logprobs is not None, limit=job.plan.params.max_tokens)


async def _deltas(pool: EnginePool, job: Job, plan: Plan) -> AsyncGenerator[Delta, None]:
    """The deltas of a reply; without tokens where the backend only now says that it gives none."""
    begun = False
    try:
        async with aclosing(generate(pool, plan, job.owner)) as deltas:
            async for delta in deltas:
                begun = True
                yield delta
        return
    except NotSupported:
        if begun or plan.extras == NO_EXTRAS or plan.extras.prompt_logprobs or _needs_tokens(job.parameters):
            raise
    async with aclosing(generate(pool, replace(plan, extras=NO_EXTRAS), job.owner)) as deltas:
        async for delta in deltas:
            yield delta
