"""Personas and prompts, and what the options need to know: whether replies can be held to a schema."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from falconry.access.person import Person
from falconry.api.request_body import RequestBody
from falconry.api.schemas import ModelName, StopText
from falconry.api.strict import StrictRoute
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.library import values
from falconry.library.library import KnownPersona, KnownPrompt, Library
from falconry.library.persona_file import read_personas, write_personas
from falconry.library.values import Persona, Safeguard, SavedPrompt, persona_from
from falconry.protocols.grammar import check_schema
from falconry.services import Services

Json = dict[str, Any]
# Those that come with Falconry have ids that can be read.
EntryId = Annotated[str, Field(pattern=r"^([0-9a-f]{32}|shipped-[a-z-]{1,40})$")]
Name = Annotated[str, Field(min_length=1, max_length=4 * values.LONGEST_NAME)]
Starter = Annotated[str, Field(max_length=values.LONGEST_STARTER)]


class _Body(RequestBody):
    model_config = ConfigDict(extra="forbid")


class PersonaParamsBody(_Body):
    """Sampling params that the persona sets; null for those that it leaves as they are."""

    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    min_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10, allow_inf_nan=False)
    stop: list[StopText] = Field(default_factory=list, max_length=16)
    seed: int | None = Field(None, ge=0, le=2**32 - 2)
    json_schema: dict[str, Any] | None = None


class PersonaBody(_Body):
    """A persona. `language` is a tag like "fr"; `starters` are questions to begin with."""

    name: Name
    description: str = Field("", max_length=values.LONGEST_DESCRIPTION)
    system: str = Field("", max_length=values.LONGEST_SYSTEM)
    model: ModelName | None = None
    params: PersonaParamsBody = Field(default_factory=PersonaParamsBody)
    language: str | None = Field(None, max_length=35)
    starters: list[Starter] = Field(default_factory=list, max_length=values.MOST_STARTERS)
    safeguard: Safeguard | None = None

    def to_persona(self) -> Persona:
        return persona_from(self.model_dump())


class PromptBody(_Body):
    """A prompt. Its text may have `{{places}}` to be filled in."""

    name: Name
    content: str = Field(min_length=1, max_length=values.LONGEST_PROMPT)

    def to_prompt(self) -> SavedPrompt:
        return SavedPrompt(self.name, self.content)


class SchemaBody(_Body):
    """A JSON schema to be checked."""

    json_schema: dict[str, Any]


def library_router(services: Services) -> APIRouter:
    """Routes under /api for personas and prompts."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["library"])
    library = Library.on(services.database)

    def mine(asker: Person) -> Library:
        return library.of(asker.id)

    @router.get("/personas")
    @user("conversations")
    async def personas(request: Request, asker: Asker) -> Json:
        """My personas by name, then those that come with Falconry, in the language of Accept-Language."""
        return {"personas": [_persona_json(each) for each in await mine(asker).personas(language_of(request))]}

    @router.post("/personas", status_code=201)
    @user("conversations")
    async def add_persona(asker: Asker, body: PersonaBody) -> Json:
        """Make a persona. No two of mine may have names that are typed alike."""
        return _persona_json(await mine(asker).add_persona(body.to_persona()))

    @router.get("/personas/file")
    @user("conversations")
    async def all_personas(asker: Asker) -> Response:
        """My own personas as a file."""
        return _file([each.persona for each in await mine(asker).own_personas()], "personas")

    @router.post("/personas/import", status_code=201)
    @user("conversations")
    async def import_personas(asker: Asker, body: Annotated[Any, Body()]) -> Json:
        """Add the personas of a file: Falconry's, Open WebUI's models, or a character card. All of them or none.

        One whose name is taken gets a number behind it; `skipped` are those that were there already exactly so.
        """
        new, skipped = await mine(asker).import_personas(await asyncio.to_thread(read_personas, body))
        return {"personas": [_persona_json(each) for each in new], "skipped": skipped}

    @router.put("/personas/{persona_id}")
    @user("conversations")
    async def change_persona(asker: Asker, persona_id: EntryId, body: PersonaBody) -> Json:
        """Change a persona of mine. Those that come with Falconry stay as they are; copy them."""
        return _persona_json(await mine(asker).change_persona(persona_id, body.to_persona()))

    @router.delete("/personas/{persona_id}", status_code=204)
    @user("conversations")
    async def remove_persona(asker: Asker, persona_id: EntryId) -> None:
        """Delete a persona of mine. Replies that were written as it keep its name."""
        await mine(asker).remove_persona(persona_id)

    @router.get("/personas/{persona_id}/file")
    @user("conversations")
    async def persona_file(request: Request, asker: Asker, persona_id: EntryId) -> Response:
        """One persona as a file."""
        found = await mine(asker).persona(persona_id, language_of(request))
        return _file([found.persona], found.persona.handle)

    @router.get("/prompts")
    @user("conversations")
    async def prompts(request: Request, asker: Asker) -> Json:
        """My prompts by name, then those that come with Falconry, in the language of Accept-Language."""
        return {"prompts": [_prompt_json(each) for each in await mine(asker).prompts(language_of(request))]}

    @router.post("/prompts", status_code=201)
    @user("conversations")
    async def add_prompt(asker: Asker, body: PromptBody) -> Json:
        """Save a prompt. No two of mine may have names that are typed alike."""
        return _prompt_json(await mine(asker).add_prompt(body.to_prompt()))

    @router.put("/prompts/{prompt_id}")
    @user("conversations")
    async def change_prompt(asker: Asker, prompt_id: EntryId, body: PromptBody) -> Json:
        """Change a prompt of mine. Those that come with Falconry stay as they are; copy them."""
        return _prompt_json(await mine(asker).change_prompt(prompt_id, body.to_prompt()))

    @router.delete("/prompts/{prompt_id}", status_code=204)
    @user("conversations")
    async def remove_prompt(asker: Asker, prompt_id: EntryId) -> None:
        """Delete a prompt of mine."""
        await mine(asker).remove_prompt(prompt_id)

    return router


def options_router() -> APIRouter:
    """The route under /api that answers a question about sampling params."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])

    @router.post("/json-schema/check", status_code=204)
    @user("conversations")
    async def check(body: SchemaBody) -> None:
        """Whether replies can be held to a JSON schema; if not, the error says what is wrong and where."""
        check_schema(json.dumps(body.json_schema))

    return router


def _persona_json(known: KnownPersona) -> Json:
    return {"id": known.id, "handle": known.persona.handle, "shipped": known.shipped, **known.persona.as_json()}


def _prompt_json(known: KnownPrompt) -> Json:
    prompt = known.prompt
    return {
        "id": known.id,
        "handle": prompt.handle,
        "shipped": known.shipped,
        "name": prompt.name,
        "content": prompt.content,
    }


def _file(personas: list[Persona], name: str) -> Response:
    """A download. Its name may be in any script, so it goes as RFC 6266 has it."""
    text = json.dumps(write_personas(personas), ensure_ascii=False, indent=2) + "\n"
    file_name = f"falconry-{name}.json"
    headers = {
        "Content-Disposition": f"attachment; filename=\"falconry-personas.json\"; filename*=UTF-8''{quote(file_name)}",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text.encode(), media_type="application/json", headers=headers)
