"""The figures of now, and the curve of the last minutes."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.engines.work import Work
from falconry.figures import LATELY, STEP, WINDOW, Figures, history, memory
from falconry.messages import SamplingParams, Usage

NOW = 10_000.0


def work(asked: float, began: float, first: float, last: float, tokens: int) -> Work:
    """A generation that has ended; times in seconds before now."""
    done = Work("model", "somebody", None, asked=NOW - asked)
    done.began, done.first, done.last, done.ended = NOW - began, NOW - first, NOW - last, NOW - last
    done.usage, done.outcome = Usage(5, tokens), "complete"
    return done


def test_tokens_are_spread_over_the_time_in_which_they_came() -> None:
    curve = history([work(asked=40, began=30, first=20, last=10, tokens=100)], NOW)
    assert curve["step"] == STEP
    assert len(curve["tokens"]) == WINDOW / STEP
    assert curve["tokens"][-4:-2] == [10.0, 10.0]  # from 20 to 10 seconds ago
    assert sum(curve["tokens"]) * STEP == pytest.approx(100)
    assert curve["waiting"][-8:-6] == [1, 1]  # from 40 to 30 seconds ago
    assert curve["running"][-6:-2] == [1, 1, 1, 1]
    assert sum(curve["running"]) == 4


def test_a_reply_that_came_in_one_piece_shows() -> None:
    curve = history([work(asked=12, began=12, first=12, last=12, tokens=50)], NOW)
    assert sum(curve["tokens"]) * STEP == pytest.approx(50)


def test_what_is_older_than_the_window_does_not_show() -> None:
    curve = history([work(asked=400, began=400, first=400, last=390, tokens=50)], NOW)
    assert sum(curve["tokens"]) == 0


async def test_figures_of_a_pool() -> None:
    engine = CannedEngine(rate=500, seed=1)
    pool = EnginePool({"canned": ModelSpec("canned", "Canned", "canned", lambda: engine)}, "canned", loaded_models=1)
    figures = Figures(pool)
    assert figures.now()["first_token"] == {"median": None, "p95": None}
    async with aclosing(pool.generate("canned", "hello", SamplingParams())) as deltas:
        await anext(deltas)
        assert (figures.now()["running"], figures.now()["waiting"]) == (1, 0)
        async for delta in deltas:
            usage = delta.usage
    after = figures.now()
    assert usage is not None
    assert after["generations"] == {"total": 1, "recent": 1, "failed": 0}
    assert after["tokens_per_second"] == pytest.approx(usage.completion_tokens / LATELY, abs=0.11)
    assert after["models"][0]["loaded"]
    assert after["first_token"]["median"] > 0
    await pool.aclose()


def test_memory_of_a_process_that_has_ended_is_nothing() -> None:
    assert memory([Path("/proc/999999999")]) == 0
    assert (memory([Path("/proc/self")]) or 0) > 10 * 2**20
