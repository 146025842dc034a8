"""Tests a server elsewhere as a person would: what runs there, and does a model of it write a token?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from falconry.engines import probe_errors
from falconry.engines.auto import resolved
from falconry.engines.endpoint_errors import Place
from falconry.engines.endpoint_store import StoredEndpoint
from falconry.engines.probe import SECONDS, Login, probe, try_out
from falconry.engines.remote_engine import remote_engine
from falconry.engines.server_facts import ServerFacts
from falconry.errors import FalconryError
from falconry.settings import Endpoint

TEST_SECONDS = 4.7
"""A test as a whole; what is left after the questions is for the model's token."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a test ended.

    Attributes:
        facts: what runs there; None where that could not be found out.
        problem: what is wrong; None where the model wrote its token.
        model: the one that was tried.
        seconds: that it took.
    """

    facts: ServerFacts | None
    problem: FalconryError | None
    model: str | None
    seconds: float


async def check(url: str, login: Login, *, rules: Endpoint | None = None, models: Iterable[str] = ()) -> Report:
    """Find out what is at a URL, and let a model write a token, in less than five seconds.

    Args:
        rules: an endpoint whose kind, prompt format and context length hold, where a person knows better.
        models: the chosen ones; the first is tried, by default the first that chats.
    """
    begun = time.monotonic()
    draft = rules or Endpoint(name="test", url="http://localhost")
    facts: ServerFacts | None = None
    wanted = list(models)
    model = wanted[0] if wanted else None
    try:
        facts = await probe(url, login, kind=draft.kind, seconds=min(SECONDS, TEST_SECONDS - 1))
        place = Place(urlsplit(facts.url).netloc, model)
        for name in wanted:
            if facts.models and facts.model(name) is None:
                raise probe_errors.unknown_model(place, name, [each.id for each in facts.chat_models()])
        # A server of OpenAI's protocol may list nothing and take any name; the others have nothing then.
        if model is None and not facts.chat_models() and (facts.models or facts.kind not in ("openai", "tgi")):
            raise probe_errors.no_models(place)
        endpoint = resolved(
            draft.model_copy(update={"model": model, "api_key": login.api_key, "auth": login.auth}), facts
        )
        model = endpoint.model
        left = TEST_SECONDS - (time.monotonic() - begun)
        engine = remote_engine(endpoint, left, retries=0)
        try:
            await try_out(engine, replace(place, model=model), left)
        finally:
            await engine.aclose()
    except FalconryError as error:
        key = login.api_key.get_secret_value() if login.api_key else ""
        problem = probe_errors.foreign_key(error, _netloc(facts.url if facts else url), key)
        return Report(facts, problem, model, time.monotonic() - begun)
    return Report(facts, None, model, time.monotonic() - begun)


def rules_of(draft: StoredEndpoint) -> Endpoint:
    """What a person says of a server that it does not say itself."""
    return Endpoint(
        name="test",
        url="http://localhost",
        kind=draft.kind,
        prompt_format=draft.prompt_format,
        context_length=draft.context_length,
    )


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:  # it is no URL, and that is the error already
        return ""
