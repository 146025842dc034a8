"""All endpoints of one Falconry: those of the settings and those that were added, what they are, and which models they
bring into the picker.

What was learnt is kept, so that nobody waits for a server elsewhere: not the start, and not who opens the picker. An
endpoint that is gone, hangs or lies has a problem with its reason, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from falconry.engines import probe_errors
from falconry.engines.auto import resolved
from falconry.engines.endpoint_check import Report, check, rules_of
from falconry.engines.endpoint_store import EndpointStore, StoredEndpoint, endpoint_not_found, name_taken
from falconry.engines.endpoint_url import origin_of, read_url, with_scheme
from falconry.engines.facts_cache import FactsCache
from falconry.engines.probe import Login, probe
from falconry.engines.server_facts import ServerFacts
from falconry.errors import FalconryError, InvalidRequest
from falconry.settings import Endpoint, Settings

FRESH_SECONDS = 600.0
FAILED_SECONDS = 60.0
"""What did not answer is asked again sooner: it may be back."""
LONGEST_NAME = 200
MOST_CHOICES = 200
"""Models of one endpoint in the picker. Who wants another one of a service with more chooses it by name."""
_AT_ONCE = 16
# What does not keep an endpoint from being added: it is the right one, and will answer when it has time.
_PASSING = frozenset({"endpoint_slow", "engine_overloaded"})

State: TypeAlias = Literal["ready", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class KnownEndpoint:
    """An endpoint and what is known of it.

    Attributes:
        endpoint: as the settings or the file have it.
        models: those that were chosen; empty means all that it lists.
        facts: what it told when it last answered.
        problem: why it did not answer when it was last asked.
    """

    endpoint: Endpoint
    source: Literal["settings", "stored"]
    models: tuple[str, ...] = ()
    facts: ServerFacts | None = None
    problem: FalconryError | None = None

    @property
    def state(self) -> State:
        if self.problem is not None:
            return "failed"
        return "ready" if self.facts is not None else "unknown"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model of an endpoint, as the picker offers it.

    Attributes:
        name: the endpoint's for its first model, `endpoint/model` for each further one.
        endpoint: ready for an engine, its kind "auto" until it is known.
        problem: why it did not answer last; it can be chosen all the same, since it may be back.
    """

    name: str
    title: str
    endpoint: Endpoint
    context_length: int | None = None
    vision: bool | None = None
    problem: FalconryError | None = None


class Endpoints:
    """The endpoints. Nothing is read or asked before it is needed.

    Attributes:
        on_change: called when endpoints, facts or problems have changed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = EndpointStore(settings.data_dir)
        self._cache = FactsCache(settings.data_dir)
        self._facts: dict[str, ServerFacts] | None = None
        self._problems: dict[str, FalconryError] = {}
        self._asked: dict[str, float] = {}
        self._refreshing = asyncio.Lock()
        self.on_change: list[Callable[[], None]] = []

    @property
    def problem(self) -> FalconryError | None:
        """What is wrong with the file of endpoints; None where nothing is."""
        self._store.all()
        return self._store.problem

    def all(self) -> list[KnownEndpoint]:
        """Those of the settings, then those that were added; of two with one name that of the settings."""
        found = [self._known(endpoint, "settings") for endpoint in self._settings.all_endpoints()]
        taken = {known.endpoint.name for known in found}
        stored = [each for each in self._store.all() if each.name not in taken]
        return found + [self._known(each.endpoint(), "stored", each.models) for each in stored]

    def find(self, name: str) -> KnownEndpoint:
        """The endpoint of a name. Raises NotFound."""
        for known in self.all():
            if known.endpoint.name == name:
                return known
        raise endpoint_not_found(name)

    def choices(self) -> list[Choice]:
        """The models that endpoints bring into the picker, in the order of the endpoints."""
        found: dict[str, Choice] = {}
        for known in self.all():
            for choice in _choices(known):
                number, name = 1, choice.name
                while name in found:
                    number += 1
                    name = f"{choice.name} ({number})"
                found[name] = choice if number == 1 else replace(choice, name=name, title=f"{choice.title} ({number})")
        return list(found.values())

    async def refresh(self, *, older_than: float = FRESH_SECONDS) -> None:
        """Ask all endpoints of which nothing was heard for some seconds; those that failed, for a minute at most.

        Never raises because of one of them.
        """
        async with self._refreshing:
            now = time.time()
            most = {"failed": min(older_than, FAILED_SECONDS)}
            waiting = [known for known in self.all() if now - self._last(known) >= most.get(known.state, older_than)]
            if not waiting:
                return
            places = asyncio.Semaphore(_AT_ONCE)

            async def ask(known: KnownEndpoint) -> None:
                async with places:
                    await self._learn(known.endpoint)

            await asyncio.gather(*(ask(known) for known in waiting))
            await self._keep()
        self._changed()

    async def test(self, name: str) -> Report:
        """Test an endpoint that there is, and remember how it went. Raises NotFound."""
        known = self.find(name)
        endpoint = known.endpoint
        models = [endpoint.model] if endpoint.model else known.models
        login = Login(endpoint.api_key, endpoint.auth)
        report = await check(endpoint.url, login, rules=endpoint, models=models)
        self._remember(endpoint, report.facts, report.problem)
        await self._keep()
        self._changed()
        return report

    async def add(self, draft: StoredEndpoint, *, force: bool = False, replacing: bool = False) -> KnownEndpoint:
        """Test an endpoint and keep it, under the base URL that was found.

        Args:
            force: keep it whatever the test says.
            replacing: put it in the place of the one that has its name. Without a key it keeps that one's, as long as
                it is for the same scheme, host and port.

        Raises InvalidRequest with the code and the sentence of what is wrong, StorageError.
        """
        if not _is_name(draft.name):
            raise InvalidRequest(
                f"An endpoint's name has 1 to {LONGEST_NAME} letters, all of which can be seen, and no part between "
                "slashes that is empty or dots alone.",
                code="endpoint_bad_name",
                limit=LONGEST_NAME,
            )
        read_url(draft.url)  # what can be no server is refused, however much somebody insists
        if any(endpoint.name == draft.name for endpoint in self._settings.all_endpoints()):
            raise in_settings(draft.name)
        old = next((each for each in self._store.all() if each.name == draft.name), None)
        if old is not None and not replacing:
            raise name_taken(draft.name)
        as_given = draft
        if draft.api_key is None and old is not None and _may_have(old, draft.url):
            as_given = replace(draft, api_key=old.api_key, auth=old.auth)
        login = Login(as_given.api_key, as_given.auth)
        report = await check(draft.url, login, rules=rules_of(draft), models=draft.models)
        if report.problem is not None and not _may_be_kept(report.problem, force):
            raise refused(report.problem)
        stored = replace(as_given, url=report.facts.url if report.facts else with_scheme(draft.url))
        if old is not None and stored.api_key is old.api_key and origin_of(old.url) != origin_of(stored.url):
            stored = replace(stored, api_key=None)
        stored.endpoint()  # checked once more, as it will be read
        await asyncio.to_thread(self._store.add, stored, replace=replacing)
        self._remember(stored.endpoint(), report.facts, report.problem)
        await self._keep()
        self._changed()
        return self.find(stored.name)

    async def remove(self, name: str) -> None:
        """Remove an endpoint that was added, with its key. Raises NotFound, InvalidRequest, StorageError."""
        known = next((each for each in self.all() if each.endpoint.name == name), None)
        if known is not None and known.source == "settings":
            raise in_settings(name)
        await asyncio.to_thread(self._store.remove, name)
        self._changed()

    async def aclose(self) -> None:
        """Wait until nothing is being asked any more; every question has its deadline."""
        async with self._refreshing:
            pass

    async def _learn(self, endpoint: Endpoint) -> None:
        login = Login(endpoint.api_key, endpoint.auth)
        try:
            facts = await probe(endpoint.url, login, kind=endpoint.kind)
        except FalconryError as error:
            key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
            self._remember(endpoint, None, probe_errors.foreign_key(error, urlsplit(endpoint.url).netloc, key))
        else:
            self._remember(endpoint, facts, None)

    def _remember(self, endpoint: Endpoint, facts: ServerFacts | None, problem: FalconryError | None) -> None:
        key = _key(endpoint)
        self._asked[key] = time.time()
        if facts is not None:
            known = self._known_facts()
            known[key] = _in_old_order(facts, known.get(key))
        if problem is None:
            self._problems.pop(key, None)
        else:
            self._problems[key] = problem

    def _known(
        self, endpoint: Endpoint, source: Literal["settings", "stored"], models: tuple[str, ...] = ()
    ) -> KnownEndpoint:
        key = _key(endpoint)
        return KnownEndpoint(endpoint, source, models, self._known_facts().get(key), self._problems.get(key))

    def _known_facts(self) -> dict[str, ServerFacts]:
        if self._facts is None:
            self._facts = self._cache.load()
        return self._facts

    def _last(self, known: KnownEndpoint) -> float:
        """When it was last asked, in this process or, with success, before."""
        return max(self._asked.get(_key(known.endpoint), 0.0), known.facts.learnt_at if known.facts else 0.0)

    async def _keep(self) -> None:
        """Write the facts down, without those of endpoints that are gone."""
        there = {_key(known.endpoint) for known in self.all()}
        self._facts = {key: facts for key, facts in self._known_facts().items() if key in there}
        await asyncio.to_thread(self._cache.save, dict(self._facts))

    def _changed(self) -> None:
        for notice in self.on_change:
            notice()


def in_settings(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"“{name}” is an endpoint of the settings. Change it there: in falconry.toml, .env or the environment.",
        code="endpoint_in_settings",
        name=name,
    )


def refused(problem: FalconryError) -> InvalidRequest:
    """What a test found, as the reason for not keeping an endpoint: the request is at fault, not this server."""
    return InvalidRequest(problem.message, code=problem.code, **problem.details)


def _choices(known: KnownEndpoint) -> list[Choice]:
    endpoint, facts = known.endpoint, known.facts
    if facts is None:
        models = list(known.models) or [endpoint.model or ""]
    else:
        models = list(known.models) or ([endpoint.model] if endpoint.model else [m.id for m in facts.chat_models()])
    models = models[:MOST_CHOICES] or [""]
    several = len(models) > 1
    found = []
    for number, model in enumerate(models):
        about = facts.model(model) if facts else None
        for_engine = endpoint.model_copy(update={"model": model or None})
        found.append(
            Choice(
                name=endpoint.name if number == 0 else f"{endpoint.name}/{model}",
                title=f"{model} · {endpoint.name}" if several else endpoint.name,
                endpoint=resolved(for_engine, facts) if facts else for_engine,
                context_length=endpoint.context_length or (about.context_length if about else None),
                vision=about.vision if about else None,
                problem=known.problem,
            )
        )
    return found


def _in_old_order(facts: ServerFacts, old: ServerFacts | None) -> ServerFacts:
    """The facts, models that were there before first: a name in the picker goes on to mean the same model."""
    places = {model.id: number for number, model in enumerate(old.models)} if old else {}
    ordered = sorted(facts.models, key=lambda model: places.get(model.id, len(places)))
    return replace(facts, models=tuple(ordered))


def _key(endpoint: Endpoint) -> str:
    return f"{endpoint.name}\n{endpoint.url}"


def _may_be_kept(problem: FalconryError, force: bool) -> bool:
    """Whether what a test found keeps an endpoint out: a cloud's metadata is never kept, whatever name leads there."""
    return problem.code in _PASSING or (force and problem.code != "endpoint_metadata_address")


def _is_name(name: str) -> bool:
    """Names stand in addresses of the API, where `a//b`, `.` and `..` mean something else."""
    parts = [part.strip() for part in name.split("/")]
    return name.isprintable() and len(name) <= LONGEST_NAME and all(part not in ("", ".", "..") for part in parts)


def _may_have(old: StoredEndpoint, url: str) -> bool:
    """Whether an endpoint's key may be sent to a URL: the same scheme, host and port."""
    return origin_of(old.url) == origin_of(with_scheme(url))
