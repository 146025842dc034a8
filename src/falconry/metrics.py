"""What Falconry counts for Prometheus: generations by model, requests by route, and the process itself.

The names are text-generation-inference's where it has one, so that its dashboards work, and `falconry_…` for the
rest. Labels are models that are configured, patterns of routes and codes of errors: their number has an end, and nobody
can be found in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from time import monotonic
from typing import ClassVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from falconry.engines.pool import EnginePool
from falconry.engines.work import Work
from falconry.messages import StoredMessage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
SECONDS_PER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.5)
TOKENS = tuple(float(2**power) for power in range(0, 18, 2))
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MODEL = ("model",)
# When the request that is being answered came; emptied by the first generation that ends in it.
_arrived: ContextVar[float | None] = ContextVar("arrived", default=None)


def arrived() -> None:
    """Note that a request has come: until its generation is asked for, it is being validated."""
    _arrived.set(monotonic())


class Metrics:
    """The metrics of one Falconry. Whoever makes it hands it the pool, whose generations it then counts."""

    def __init__(self, pool: EnginePool) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._tgi = _TgiCounts()
        self._make_histograms()
        self._make_counters()
        for collector in (self._tgi, _Now(pool)):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._pool = pool
        pool.on_end.append(self._count_work)

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that has been answered. `route` is its pattern, None where there is no such route."""
        known = route or "none"
        self._requests.labels(method if method in METHODS else "other", known, str(status)).inc()
        self._request_seconds.labels(known).observe(seconds)

    def count_reply(self, reply: StoredMessage) -> None:
        """Count a turn whose conversation was longer than what the model can read."""
        if reply.model is not None and reply.context is not None and reply.context.left_out:
            self._trimmed.labels(reply.model).inc()

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus 0.0.4."""
        for model in self._pool.models():  # one that nobody has used yet is 0 and not missing
            self._tgi.add("tgi_request_count", 0, model=model.name)
            self._tgi.add("tgi_request_success", 0, model=model.name)
        return generate_latest(_WithoutCreated(self._registry))

    def _make_histograms(self) -> None:
        def seconds(name: str, what: str, buckets: Sequence[float] = SECONDS) -> Histogram:
            return Histogram(name, what, _MODEL, buckets=buckets, registry=self._registry)

        self._duration = seconds("tgi_request_duration", "Seconds from the question to the end of the reply.")
        self._validation = seconds("tgi_request_validation_duration", "Seconds until a request had been checked.")
        self._tgi_queue = seconds("tgi_request_queue_duration", "Seconds in the queue.")
        self._inference = seconds("tgi_request_inference_duration", "Seconds from leaving the queue to the end.")
        self._mean_token = seconds(
            "tgi_request_mean_time_per_token_duration", "Seconds of inference for each new token.", SECONDS_PER_TOKEN
        )
        self._generated = seconds("tgi_request_generated_tokens", "New tokens of a reply.", TOKENS)
        self._input = seconds("tgi_request_input_length", "Tokens of a prompt.", TOKENS)
        self._asked = seconds("tgi_request_max_new_tokens", "New tokens that were asked for.", TOKENS)
        self._first = seconds("falconry_time_to_first_token_seconds", "Seconds from the question to the first token.")
        self._per_token = seconds(
            "falconry_time_per_output_token_seconds", "Seconds between two tokens of a reply.", SECONDS_PER_TOKEN
        )
        self._queue = seconds("falconry_queue_seconds", "Seconds in the queue.")
        self._request_seconds = Histogram(
            "falconry_http_request_seconds",
            "Seconds that a request took, streams to their end.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )

    def _make_counters(self) -> None:
        def counter(name: str, what: str, labels: Sequence[str] = _MODEL) -> Counter:
            return Counter(name, what, labels, registry=self._registry)

        self._ended = counter(
            "falconry_generations_total", "Generations by how they ended.", (*_MODEL, "outcome", "finish_reason")
        )
        self._prompt = counter("falconry_prompt_tokens_total", "Tokens of all prompts.")
        self._cached = counter("falconry_prompt_tokens_cached_total", "Of these, tokens from the engine's cache.")
        self._completion = counter("falconry_completion_tokens_total", "New tokens of all replies.")
        self._trimmed = counter("falconry_context_trimmed_total", "Turns that left earlier messages out.")
        self._requests = counter(
            "falconry_http_requests_total", "Requests by route and status.", ("method", "route", "status")
        )

    def _count_work(self, work: Work) -> None:
        model, ended = work.model, work.ended or monotonic()
        self._tgi.add("tgi_request_count", 1, model=model)
        if work.outcome == "complete":
            self._tgi.add("tgi_request_success", 1, model=model)
        elif work.outcome != "stopped":
            self._tgi.add("tgi_request_failure", 1, model=model, err=work.outcome)
        self._ended.labels(model, work.outcome, work.finish_reason or "none").inc()
        self._queue.labels(model).observe(work.queued_seconds)
        self._tgi_queue.labels(model).observe(work.queued_seconds)
        if (came := _arrived.get()) is not None:
            _arrived.set(None)  # a turn that goes on after a crash is not validated again
            self._validation.labels(model).observe(max(0.0, work.asked - came))
        if work.max_tokens is not None:
            self._asked.labels(model).observe(work.max_tokens)
        if work.first is not None:
            self._first.labels(model).observe(work.first - work.asked)
        if work.outcome == "complete":
            self._duration.labels(model).observe(ended - work.asked)
            self._inference.labels(model).observe(ended - (work.began or work.asked))
        self._count_tokens(work, ended)

    def _count_tokens(self, work: Work, ended: float) -> None:
        tokens = work.tokens
        self._completion.labels(work.model).inc(tokens)
        if work.usage is not None:
            self._prompt.labels(work.model).inc(work.usage.prompt_tokens)
            self._cached.labels(work.model).inc(work.usage.cached_tokens)
            self._input.labels(work.model).observe(work.usage.prompt_tokens)
        if work.outcome != "complete" or not tokens:
            return
        self._generated.labels(work.model).observe(tokens)
        self._mean_token.labels(work.model).observe((ended - (work.began or work.asked)) / tokens)
        if tokens > 1 and work.first is not None and work.last is not None:
            self._per_token.labels(work.model).observe((work.last - work.first) / (tokens - 1))


class _TgiCounts(Collector):
    """TGI's three counts, under the very names it has: prometheus_client's Counter would put `_total` behind them."""

    _HELP: ClassVar = {
        "tgi_request_count": "Generations that were asked for and have ended.",
        "tgi_request_success": "Generations that came to their end.",
        "tgi_request_failure": "Generations that failed, by the error's code.",
    }

    def __init__(self) -> None:
        self._counts: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}

    def add(self, name: str, more: int, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        self._counts[key] = self._counts.get(key, 0) + more

    def collect(self) -> Iterable[Metric]:
        for name, what in self._HELP.items():
            metric = Metric(name, what, "unknown")
            for (counted, labels), value in self._counts.items():
                if counted == name:
                    metric.add_sample(name, dict(labels), value)
            yield metric


class _Now(Collector):
    """What is going on at this moment, looked at when somebody asks."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        queue = GaugeMetricFamily("tgi_queue_size", "Generations that wait for their turn.", labels=_MODEL)
        running = GaugeMetricFamily("tgi_batch_current_size", "Generations that are being written.", labels=_MODEL)
        room = GaugeMetricFamily(
            "tgi_batch_current_max_tokens", "New tokens that those may still have at most.", labels=_MODEL
        )
        loaded = GaugeMetricFamily("falconry_model_loaded", "Whether the model's engine is there.", labels=_MODEL)
        memory = GaugeMetricFamily("falconry_model_memory_bytes", "Memory of the model's process.", labels=_MODEL)
        failed = GaugeMetricFamily("falconry_model_failed", "Whether the model cannot be used.", labels=_MODEL)
        work = list(self._pool.work)
        there = self._pool.loaded()
        for model in self._pool.models():
            mine = [one for one in work if one.model == model.name]
            begun = [one for one in mine if one.began is not None]
            labels = (model.name,)
            queue.add_metric(labels, len(mine) - len(begun))
            running.add_metric(labels, len(begun))
            room.add_metric(labels, sum(one.max_tokens or 0 for one in begun))
            loaded.add_metric(labels, model.name in there)
            failed.add_metric(labels, model.state == "failed")
            if model.memory is not None and model.base is None:  # an adapter's is its base's
                memory.add_metric(labels, model.memory)
        yield from (queue, running, room, loaded, memory, failed)


class _WithoutCreated(Collector):
    """A registry without the time at which each histogram was made, a third of all lines that nobody reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
