"""Endpoints, as admins see them: what is there, testing one, adding and removing. Keys go in and never come out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field, SecretStr, field_validator

from falconry.api.errors import error_body
from falconry.api.request_body import RequestBody
from falconry.api.strict import StrictRoute
from falconry.engines.endpoint_check import Report, check, rules_of
from falconry.engines.endpoint_store import StoredEndpoint
from falconry.engines.endpoint_url import LONGEST_URL
from falconry.engines.endpoints import KnownEndpoint
from falconry.engines.probe import Login
from falconry.engines.server_facts import KIND_NAMES, ServerFacts
from falconry.errors import FalconryError, InvalidRequest
from falconry.gate.identity import language_of
from falconry.gate.marks import admin
from falconry.i18n import Language
from falconry.services import Services
from falconry.settings import EndpointKind

Json = dict[str, Any]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Model = Annotated[str, Field(min_length=1, max_length=300)]


class _Server(RequestBody):
    """Where a server is and with what it is asked. Of a refused body the sentence that refuses it shows no key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]
    api_key: Annotated[SecretStr, Field(max_length=4000)] | None = None
    auth: Literal["bearer", "basic"] = "bearer"
    kind: EndpointKind = "auto"
    models: list[Model] = Field([], max_length=200)
    prompt_format: Literal["auto", "plain"] = "auto"
    context_length: int | None = Field(None, ge=128, le=100_000_000)

    @field_validator("api_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        """A key travels in a header: a line end or a letter outside ASCII would break the request."""
        key = value.get_secret_value().strip() if value is not None else ""
        if not key:
            return None
        if not (key.isascii() and key.isprintable()):
            raise ValueError("a key has only letters, digits and signs of ASCII")
        return SecretStr(key)

    def stored(self, name: str) -> StoredEndpoint:
        return StoredEndpoint(
            name=name,
            url=self.url,
            kind=self.kind,
            api_key=self.api_key,
            auth=self.auth,
            models=tuple(self.models),
            prompt_format=self.prompt_format,
            context_length=self.context_length,
        )


class NewEndpoint(_Server):
    """An endpoint to be added.

    `force` keeps it whatever its test says; `replace` puts it in the place of the one that has its name, whose key it
    keeps if it brings none and its URL has the same scheme, host and port.
    """

    name: Name
    force: bool = False
    replace: bool = False

    @field_validator("name")
    @classmethod
    def _shown(cls, value: str) -> str:
        value = value.strip()
        if not value or not value.isprintable():
            raise ValueError("a name has letters that can be seen")
        return value


class TestedEndpoint(RequestBody):
    """What to test: an endpoint that there is, by `name`, or a server that may become one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name | None = None
    server: _Server | None = None


def endpoints_router(services: Services) -> APIRouter:
    """Routes under /api/endpoints."""
    router = APIRouter(prefix="/api/endpoints", route_class=StrictRoute, tags=["models"])
    endpoints = services.endpoints

    @router.get("")
    @admin
    async def listed(request: Request) -> Json:
        """All endpoints, those of the settings first, without their keys.

        `state` is "ready", "failed" (and `problem` says why) or "unknown" until one was asked. `models` are those that
        it lists, `chosen` those that can be picked, empty for all that chat. `problem` beside the list is what is wrong
        with the file that they are kept in.
        """
        language = language_of(request)
        return {
            "endpoints": [_endpoint_json(known, language) for known in endpoints.all()],
            "problem": _problem_json(endpoints.problem, language),
        }

    @router.post("", status_code=201)
    @admin
    async def add(request: Request, body: NewEndpoint) -> Json:
        """Test a server and add it. What is wrong with it is told as the reason of the refusal, unless `force` is set.

        The URL may lack its scheme and its /v1; the one that was found is kept.
        """
        known = await endpoints.add(body.stored(body.name), force=body.force, replacing=body.replace)
        return _endpoint_json(known, language_of(request))

    @router.post("/test")
    @admin
    async def test(request: Request, body: TestedEndpoint) -> Json:
        """Ask a server what it is, and its model for a token, in less than five seconds.

        `ok` is whether the token came; otherwise `problem` says what is wrong. `facts` is what was found out all the
        same.
        """
        if (body.name is None) == (body.server is None):
            raise InvalidRequest("Give either name or server.", code="invalid_field", field="name", problem="or server")
        if body.name is not None:
            report = await endpoints.test(body.name)
        else:
            assert body.server is not None  # noqa: S101 - one of the two is there
            draft = body.server.stored("test")
            report = await check(
                draft.url, Login(draft.api_key, draft.auth), rules=rules_of(draft), models=draft.models
            )
        return _report_json(report, language_of(request))

    @router.delete("/{name:path}", status_code=204)
    @admin
    async def remove(name: Annotated[str, Path(max_length=200)]) -> None:
        """Remove an endpoint that was added, and its key. Those of the settings are removed there."""
        await endpoints.remove(name)

    return router


def _endpoint_json(known: KnownEndpoint, language: Language) -> Json:
    endpoint, facts = known.endpoint, known.facts
    return {
        "name": endpoint.name,
        "url": endpoint.url,
        "source": known.source,
        "has_key": endpoint.api_key is not None,
        "auth": endpoint.auth,
        "chosen": list(known.models) or ([endpoint.model] if endpoint.model else []),
        "prompt_format": endpoint.prompt_format,
        "context_length": endpoint.context_length,
        "state": known.state,
        "problem": _problem_json(known.problem, language),
        **(_facts_json(facts) if facts else _facts_json(ServerFacts(endpoint.kind, endpoint.url))),
    }


def _facts_json(facts: ServerFacts) -> Json:
    learnt = datetime.fromtimestamp(facts.learnt_at, UTC).isoformat() if facts.learnt_at else None
    return {
        "kind": facts.kind,
        "kind_name": KIND_NAMES[facts.kind] if facts.kind != "auto" else None,
        "version": facts.version,
        "models": [asdict(model) for model in facts.models],
        "features": sorted(facts.features),
        "learnt_at": learnt,
    }


def _report_json(report: Report, language: Language) -> Json:
    return {
        "ok": report.problem is None,
        "problem": _problem_json(report.problem, language),
        "model": report.model,
        "seconds": round(report.seconds, 2),
        "facts": {**_facts_json(report.facts), "url": report.facts.url} if report.facts else None,
    }


def _problem_json(problem: FalconryError | None, language: Language) -> Json | None:
    """An error with its sentence in the asker's language as `text`."""
    return error_body(problem, language) if problem is not None else None
