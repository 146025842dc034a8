"""Finds out what runs behind a URL: asks everything that any kind of server is known by at once, and reads the answers.

One deadline holds for all of it. A route that hangs, lies or is not there costs nothing but its own answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic import SecretStr

from falconry.engines import endpoint_errors as errors
from falconry.engines import probe_errors
from falconry.engines.base import Engine
from falconry.engines.endpoint_errors import Refused
from falconry.engines.endpoint_url import Place, metadata_address, read_url
from falconry.engines.http import EndpointClient
from falconry.engines.probe_readers import NATIVE, embeds_only, identify, read_ollama_loaded, read_ollama_model
from falconry.engines.server_facts import RemoteModel, ServerFacts
from falconry.errors import FalconryError
from falconry.messages import Message, SamplingParams
from falconry.metadata_address import is_metadata_address
from falconry.settings import Endpoint, EndpointKind

SECONDS = 3.0
"""How long all questions together may take. A server across the world answers the slowest of them in one."""
_LARGEST_ANSWER = 4 * 2**20
"""Bytes of one answer. All routes are asked at once, and to read a list of 10 MB from each would take seconds."""
_SHOWN_OLLAMA_MODELS = 30
"""Whose details are asked for; the others' are those that Ollama gives a model by default."""


@dataclass(frozen=True, slots=True)
class Login:
    """With what a server is asked."""

    api_key: SecretStr | None = None
    auth: str = "bearer"


@dataclass(slots=True)
class _Survey:
    """What one place answered: JSON by URL, and whatever else by URL."""

    place: Place
    values: dict[str, object]
    failures: dict[str, Refused | FalconryError]

    @property
    def answered(self) -> bool:
        """Whether anything there speaks HTTP."""
        return bool(self.values) or any(
            isinstance(failure, Refused) or failure.code == "endpoint_nonsense" for failure in self.failures.values()
        )


async def probe(
    url: str, login: Login | None = None, *, kind: EndpointKind = "auto", seconds: float = SECONDS
) -> ServerFacts:
    """What runs behind a URL as a person gives it.

    Args:
        kind: where a person knows it, so that nothing else is asked.
        seconds: that it may take.

    Raises:
        InvalidRequest: the URL can be none.
        FalconryError: nothing that could be used answers there; the error says why, and what to do.
    """
    login = login or Login()
    places = read_url(url, keyed=login.api_key is not None)
    until = time.monotonic() + seconds
    await _refuse_metadata(places[0])
    first: _Survey | None = None
    for number, place in enumerate(places):
        left = until - time.monotonic()
        survey = await _survey(place, login, kind, left / (len(places) - number))
        if survey.answered:
            first = survey
            break
        first = first or survey
    assert first is not None  # noqa: S101 - there is always a place
    if (better := _encrypted(first)) is not None:
        survey = await _survey(better, login, kind, max(0.5, until - time.monotonic()))
        first = survey if survey.answered or probe_errors.is_certificate(survey.failures) else first
    facts = identify(first.values, first.place.bases, first.place.roots)
    if facts is None:
        facts = await _unlisted(first, login, kind, max(0.5, until - time.monotonic()))
    if kind != "auto":
        facts = replace(facts, kind=kind)
    facts = await _details(facts, login, max(0.3, until - time.monotonic()))
    return replace(facts, learnt_at=time.time())


async def try_out(engine: Engine, place: errors.Place, seconds: float) -> None:
    """Let a model write one token. Raises FalconryError, `endpoint_slow` where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            prompt = [Message("user", "Hi")] if await engine.has_chat_template() else "User: Hi\nAssistant:"
            params = SamplingParams(max_tokens=1, temperature=0)
            async with aclosing(engine.generate(prompt, params)) as deltas:
                async for delta in deltas:
                    if delta.text or delta.thinking or delta.finish_reason:
                        return
    except TimeoutError:
        raise probe_errors.slow(place, seconds) from None


async def _survey(place: Place, login: Login, kind: EndpointKind, seconds: float) -> _Survey:
    urls = [f"{base}/models" for base in place.bases]
    if not place.hosted:
        native = [route for route, kinds in NATIVE.items() if kind == "auto" or kind in kinds]
        urls += [root + route for root in place.roots for route in native]
    survey = _Survey(place, {}, {})
    client = _client(place.origin, login, seconds)

    async def ask(url: str) -> None:
        try:
            survey.values[url] = await client.get(url, timeout=seconds, limit=_LARGEST_ANSWER)
        except (Refused, FalconryError) as failure:
            survey.failures[url] = failure

    try:
        await _all_in_time([ask(url) for url in urls], seconds)
    finally:
        await client.aclose()
    for url in urls:
        if url not in survey.values and url not in survey.failures:
            survey.failures[url] = errors.silent(client.place, round(seconds, 1), shown=False)
    return survey


async def _unlisted(survey: _Survey, login: Login, kind: EndpointKind, seconds: float) -> ServerFacts:
    """What a server is that lists no models, but may chat all the same. Raises FalconryError."""
    place = survey.place
    failure = probe_errors.explain(survey.values, survey.failures, place, keyed=login.api_key is not None)
    if embeds_only(survey.values, place.roots):
        raise probe_errors.no_chat(errors.Place(urlsplit(place.origin).netloc))
    if not survey.answered or failure.code in probe_errors.FINAL:
        raise failure
    if kind == "tgi":  # old gateways let through nothing but the base itself
        return ServerFacts("tgi", place.bases[-1] if len(place.bases) == 1 else place.roots[0])
    client = _client(place.origin, login, seconds)
    try:
        for base in place.bases:
            # A server whose kind a person knows may fail at a request without messages, and has the route all the same.
            signs = (400, 422) if kind == "auto" else (400, 422, 500)
            if await _has_chat(client, base, signs, seconds / len(place.bases)):
                return ServerFacts("openai", base)
    finally:
        await client.aclose()
    raise failure


async def _has_chat(client: EndpointClient, base: str, signs: Sequence[int], seconds: float) -> bool:
    """Whether a base has the route that chats: it then complains, by one of these statuses, of missing messages."""
    try:
        answer = await client.post(f"{base}/chat/completions", {"model": "default", "messages": []}, timeout=seconds)
    except Refused as refused:
        return refused.status in signs and bool(refused.failure.message)
    except FalconryError:
        return False
    return isinstance(answer, dict) and "choices" in answer


async def _details(facts: ServerFacts, login: Login, seconds: float) -> ServerFacts:
    """What is asked of one kind only, once it is known."""
    if facts.kind not in ("ollama", "tgi"):
        return facts
    client = _client(facts.url, login, seconds)
    try:
        if facts.kind == "ollama":
            return await _ollama_details(client, facts, seconds)
        return await _tgi_details(client, facts, seconds)
    finally:
        await client.aclose()


async def _ollama_details(client: EndpointClient, facts: ServerFacts, seconds: float) -> ServerFacts:
    root = facts.url.removesuffix("/v1")
    found: dict[str, RemoteModel] = {}
    loaded: dict[str, int] = {}
    with suppress(Refused, FalconryError):
        loaded = read_ollama_loaded(await client.get(f"{root}/api/ps", timeout=seconds))

    async def show(name: str) -> None:
        with suppress(Refused, FalconryError):
            answer = await client.post(f"{root}/api/show", {"model": name}, timeout=seconds)
            found[name] = read_ollama_model(name, answer, loaded)

    await _all_in_time([show(model.id) for model in facts.models[:_SHOWN_OLLAMA_MODELS]], seconds)
    return replace(facts, models=tuple(found.get(model.id, model) for model in facts.models))


async def _tgi_details(client: EndpointClient, facts: ServerFacts, seconds: float) -> ServerFacts:
    """Whether the model has a chat template; base models such as falcon-40b-instruct have none."""
    body = {"model": "tgi", "messages": [{"role": "user", "content": "Hi"}]}
    try:
        await client.post(f"{facts.url}/chat_tokenize", body, timeout=seconds)
    except Refused as refused:
        if refused.status not in (401, 403, 429, 503):
            return replace(facts, features=facts.features - {"chat", "tools"})
    except FalconryError:
        pass  # the engine asks again when it is used
    return facts


def _encrypted(survey: _Survey) -> Place | None:
    """The same place by TLS, where what was heard in the clear says that it wants TLS."""
    origin = survey.place.origin
    if not origin.startswith("http://") or survey.values:
        return None
    refusals = [failure for failure in survey.failures.values() if isinstance(failure, Refused)]
    for refused in refusals:
        there = urlsplit(refused.location or "")
        if there.scheme == "https" and there.hostname == urlsplit(origin).hostname:
            return _moved(survey.place, f"https://{there.netloc}")
        if refused.status == 400 and "https" in refused.failure.message.lower():
            return _moved(survey.place, f"https://{urlsplit(origin).netloc}")
    codes = {failure.code for failure in survey.failures.values() if not isinstance(failure, Refused)}
    broken = not refusals and codes and codes <= {"endpoint_broke_off"}
    return _moved(survey.place, f"https://{urlsplit(origin).netloc}") if broken else None


def _moved(place: Place, origin: str) -> Place:
    def move(urls: Sequence[str]) -> tuple[str, ...]:
        return tuple(re.sub(f"^{re.escape(place.origin)}", origin, url) for url in urls)

    return Place(origin, move(place.bases), move(place.roots), place.hosted)


async def _refuse_metadata(place: Place) -> None:
    """Raise where a name leads to a cloud's metadata. A name that leads nowhere is told by whoever connects."""
    host = urlsplit(place.origin).hostname or ""
    with suppress(OSError, TimeoutError, UnicodeError):
        async with asyncio.timeout(1):
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
            if any(is_metadata_address(str(address[0])) for *_, address in found):
                raise metadata_address(host)


def _client(url: str, login: Login, seconds: float) -> EndpointClient:
    auth = "basic" if login.auth == "basic" else "bearer"
    return EndpointClient(Endpoint(name="probe", url=url, api_key=login.api_key, auth=auth), max(seconds, 0.1))


async def _all_in_time(work: Sequence[Coroutine[None, None, None]], seconds: float) -> None:
    """Run all until they are done or the time is over; what is not done then is dropped."""
    tasks = [asyncio.create_task(each) for each in work]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
