"""Models that take no memory here, as they can be chosen: those of endpoints, and the bot without a model."""

from __future__ import annotations

from functools import partial

from falconry.engines.base import Engine
from falconry.engines.endpoints import Choice
from falconry.engines.remote_engine import remote_engine
from falconry.engines.specs import ModelSpec
from falconry.settings import Settings


def endpoint_spec(choice: Choice, settings: Settings) -> ModelSpec:
    """A model of an endpoint. That it did not answer last is told, but it may be back, so it can be asked."""
    return ModelSpec(
        choice.name,
        choice.title,
        # Which protocol is spoken; the picker need not know more.
        "tgi" if choice.endpoint.kind == "tgi" else "openai",
        partial(remote_engine, choice.endpoint, settings.engine_timeout),
        source="endpoint",
        identity=choice.endpoint,
        mark=choice.problem,
        context_length=choice.context_length,
        vision=choice.vision if choice.endpoint.kind != "tgi" else False,
    )


def canned_spec(settings: Settings) -> ModelSpec:
    """The bot without a model."""
    return ModelSpec("canned", "Canned replies", "canned", partial(_canned, settings), source="built_in")


def _canned(settings: Settings) -> Engine:
    from falconry.engines.canned import CannedEngine

    return CannedEngine(seed=settings.canned_seed, rate=settings.canned_rate, delay=settings.canned_delay)
