"""Makes the engine for an endpoint, by the kind of server that it is."""

from __future__ import annotations

from falconry.engines.base import Engine
from falconry.engines.http import RETRIES
from falconry.settings import Endpoint


def remote_engine(endpoint: Endpoint, timeout: float, *, retries: int = RETRIES) -> Engine:
    """The engine of an endpoint. Nothing is asked of it yet.

    Args:
        timeout: seconds of silence after which the endpoint counts as dead.
        retries: how often a busy server is asked again.
    """
    # Each is imported when it is used: a Falconry with local models only starts without them.
    if endpoint.kind == "auto":
        from falconry.engines.auto import AutoEngine

        return AutoEngine(endpoint, timeout, retries=retries)
    if endpoint.kind == "tgi":
        from falconry.engines.tgi import TGIEngine

        return TGIEngine(endpoint, timeout, retries=retries)
    from falconry.engines.openai import OpenAIEngine

    return OpenAIEngine(endpoint, timeout, retries=retries)
