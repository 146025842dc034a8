"""The benchmark against engines whose speed is known, and against the real one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from falconry.bench.measure import Measurement, Plan, Start, measure, summary
from falconry.bench.prompts import Prompts
from falconry.engines.pool import EnginePool
from falconry.engines.shelf import open_pool
from falconry.engines.work import Work
from falconry.errors import InvalidRequest
from falconry.messages import Usage
from falconry.settings import Settings

MakeSettings = Callable[..., Settings]


async def measured(pool: EnginePool, model: str, plan: Plan) -> tuple[Start, list[Measurement]]:
    try:
        found = [each async for each in measure(pool, model, plan)]
    finally:
        await pool.aclose()
    start = found[0]
    assert isinstance(start, Start)
    return start, [each for each in found if isinstance(each, Measurement)]


async def test_a_known_speed_is_found(make_settings: MakeSettings) -> None:
    pool = open_pool(make_settings(canned_rate=100, canned_delay=0.2, canned_seed=1))
    start, (alone, both) = await measured(pool, "canned", Plan(users=(1, 2), prompt_tokens=64, tokens=20, rounds=2))
    assert start.load_seconds is None
    assert alone.first == pytest.approx(0.2, abs=0.06)
    assert alone.speed == pytest.approx(100, rel=0.25)
    assert (alone.requests, both.requests) == (2, 4)
    assert both.together > 1.5 * alone.together


async def test_a_real_model_writes_as_much_as_asked_for_and_reads_all_of_every_prompt(
    make_settings: MakeSettings,
) -> None:
    plan = Plan(users=(1, 3), prompt_tokens=300, tokens=50, rounds=2)
    start, (alone, three) = await measured(open_pool(make_settings()), "eyas", plan)
    assert start.prompt_tokens == pytest.approx(300, rel=0.02)
    assert start.forced
    assert start.load_seconds is not None
    assert start.load_seconds > 0
    assert alone.tokens == three.tokens == 50
    assert alone.prompt_speed is not None
    assert alone.speed is not None
    # Two replies are written at a time, so that the third user waits for one of them.
    assert three.first_p95 > alone.first


async def test_a_plan_that_does_not_fit_is_refused_with_its_numbers(make_settings: MakeSettings) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await measured(open_pool(make_settings()), "eyas", Plan(prompt_tokens=3000, tokens=100))
    assert refused.value.code == "bench_too_long"
    assert refused.value.details["limit"] == 2048


async def test_prompts_differ_from_their_beginning_and_repeat_by_seed(make_settings: MakeSettings) -> None:
    pool = open_pool(make_settings())
    try:
        async with pool.engine("eyas") as engine:
            made = []
            for seed in (1, 1, 2):
                prompts = Prompts(engine, 100, seed)
                await prompts.fit()
                made.append(list(islice(prompts, 3)))
    finally:
        await pool.aclose()
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert len({prompt[0].content for prompt in made[0]}) == 3


def test_the_queue_counts_for_the_first_token_and_not_for_the_prompt() -> None:
    work = Work("m", "user 0", 10, asked=100.0, began=103.0, first=105.0, last=107.0)
    work.usage = Usage(prompt_tokens=220, completion_tokens=11, cached_tokens=20, drafted_tokens=8, accepted_tokens=5)
    found = summary(1, [work])
    assert found.first == 5.0
    assert found.prompt_speed == 100.0
    assert found.speed == 5.0
    assert found.together == pytest.approx(11 / 7)
    assert (found.drafted, found.accepted) == (8, 5)


def test_a_reply_in_one_piece_has_no_speed() -> None:
    work = Work("m", "user 0", 1, asked=100.0, began=100.0, first=101.0, last=101.0)
    work.usage = Usage(prompt_tokens=10, completion_tokens=1)
    assert summary(1, [work]).speed is None
