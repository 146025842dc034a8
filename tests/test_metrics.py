"""What is counted, under which names, and that nobody can be found in it."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import EngineInterrupted
from falconry.messages import ContextUse, SamplingParams, StoredMessage, Usage
from falconry.metrics import Metrics


def make_pool() -> EnginePool:
    engines = {"fast": lambda: CannedEngine(rate=1000, seed=1), "breaks": lambda: CannedEngine(rate=1000, fail_after=2)}
    specs = {name: ModelSpec(name, name, "canned", make) for name, make in engines.items()}
    return EnginePool(specs, "fast", loaded_models=2)


def values(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return values(metrics)[name, frozenset(labels.items())]


async def generate(pool: EnginePool, model: str, *, pieces: int | None = None) -> Usage | None:
    usage = None
    params = SamplingParams(max_tokens=50)
    async with aclosing(pool.generate(model, "canary-prompt", params, owner="canary-owner")) as deltas:
        count = 0
        async for delta in deltas:
            usage = delta.usage or usage
            count += 1
            if count == pieces:
                break
    return usage


async def test_a_generation_is_counted_under_the_names_of_tgi_and_our_own() -> None:
    pool = make_pool()
    metrics = Metrics(pool)
    usage = await generate(pool, "fast")
    assert usage is not None
    for name in ("tgi_request_count", "tgi_request_success"):
        assert value(metrics, name, model="fast") == 1
    for name in (
        "tgi_request_duration",
        "tgi_request_queue_duration",
        "tgi_request_inference_duration",
        "tgi_request_mean_time_per_token_duration",
        "tgi_request_generated_tokens",
        "tgi_request_input_length",
        "tgi_request_max_new_tokens",
        "falconry_time_to_first_token_seconds",
        "falconry_time_per_output_token_seconds",
        "falconry_queue_seconds",
    ):
        assert value(metrics, f"{name}_count", model="fast") == 1, name
    assert value(metrics, "tgi_request_generated_tokens_sum", model="fast") == usage.completion_tokens
    assert value(metrics, "tgi_request_max_new_tokens_sum", model="fast") == 50
    assert value(metrics, "falconry_completion_tokens_total", model="fast") == usage.completion_tokens
    assert value(metrics, "falconry_prompt_tokens_total", model="fast") == usage.prompt_tokens
    await pool.aclose()


async def test_a_failure_is_counted_by_its_code_and_a_stop_is_neither() -> None:
    pool = make_pool()
    metrics = Metrics(pool)
    with pytest.raises(EngineInterrupted):
        await generate(pool, "breaks")
    await generate(pool, "fast", pieces=1)
    assert value(metrics, "tgi_request_failure", model="breaks", err="engine_interrupted") == 1
    assert value(metrics, "tgi_request_success", model="breaks") == 0
    assert value(metrics, "tgi_request_count", model="fast") == 1
    assert value(metrics, "tgi_request_success", model="fast") == 0
    stopped = value(metrics, "falconry_generations_total", model="fast", outcome="stopped", finish_reason="none")
    assert stopped == 1
    assert value(metrics, "falconry_completion_tokens_total", model="fast") == 1  # what had come counts
    await pool.aclose()


async def test_what_goes_on_now() -> None:
    pool = make_pool()
    metrics = Metrics(pool)
    assert value(metrics, "falconry_model_loaded", model="fast") == 0
    async with aclosing(pool.generate("fast", "hello", SamplingParams())) as deltas:
        await anext(deltas)
        assert value(metrics, "tgi_batch_current_size", model="fast") == 1
        assert value(metrics, "tgi_queue_size", model="fast") == 0
        assert value(metrics, "falconry_model_loaded", model="fast") == 1
    assert value(metrics, "tgi_batch_current_size", model="fast") == 0
    await pool.aclose()


def reply(left_out: int) -> StoredMessage:
    use = ContextUse(prompt_tokens=10, error=0.0, context_length=100, start_id=None, left_out=left_out, system="")
    return StoredMessage("1", "2", None, "assistant", "", datetime.now(UTC), model="fast", context=use)


async def test_turns_that_left_messages_out() -> None:
    pool = make_pool()
    metrics = Metrics(pool)
    metrics.count_reply(reply(0))
    assert ("falconry_context_trimmed_total", frozenset({("model", "fast")})) not in values(metrics)
    metrics.count_reply(reply(3))
    metrics.count_reply(reply(1))
    assert value(metrics, "falconry_context_trimmed_total", model="fast") == 2


async def test_no_label_holds_what_came_from_outside() -> None:
    pool = make_pool()
    metrics = Metrics(pool)
    await generate(pool, "fast")
    metrics.count_request("CANARY", None, 404, 0.1)
    assert value(metrics, "falconry_http_requests_total", method="other", route="none", status="404") == 1
    assert "canary" not in metrics.text().decode().lower()
    await pool.aclose()


async def test_the_process_itself() -> None:
    names = {name for name, _ in values(Metrics(make_pool()))}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} <= names
    assert not [name for name in names if name.endswith("_created")]
