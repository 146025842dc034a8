"""One person's personas and prompts: those that come with Falconry, in the person's language, and the person's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any

from falconry.errors import NotAllowed, NotFound
from falconry.i18n import Language
from falconry.library.values import LONGEST_NAME, Persona, SavedPrompt, handle_of, persona_from
from falconry.storage.database import Database
from falconry.storage.library import Shelf, StoredEntry, persona_shelf, prompt_shelf

SHIPPED = "shipped-"
"""What the ids of those begin with that come with Falconry."""


@dataclass(frozen=True, slots=True)
class KnownPersona:
    """A persona with its id. A shipped one can be copied, not changed."""

    id: str
    persona: Persona

    @property
    def shipped(self) -> bool:
        return self.id.startswith(SHIPPED)


@dataclass(frozen=True, slots=True)
class KnownPrompt:
    """A prompt with its id. A shipped one can be copied, not changed."""

    id: str
    prompt: SavedPrompt

    @property
    def shipped(self) -> bool:
        return self.id.startswith(SHIPPED)


@cache
def _shipped(language: Language) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath(f"shipped/{language}.json").read_text("utf-8"))
    return found


@cache
def shipped_personas(language: Language) -> tuple[KnownPersona, ...]:
    """Those that come with Falconry, in the order in which they are shown."""
    return tuple(KnownPersona(SHIPPED + entry["id"], persona_from(entry)) for entry in _shipped(language)["personas"])


@cache
def shipped_prompts(language: Language) -> tuple[KnownPrompt, ...]:
    """Those that come with Falconry, in the order in which they are shown."""
    return tuple(
        KnownPrompt(SHIPPED + entry["id"], SavedPrompt(entry["name"], entry["content"]))
        for entry in _shipped(language)["prompts"]
    )


class Library:
    """The personas and prompts of one person."""

    def __init__(self, personas: Shelf[dict[str, Any]], prompts: Shelf[str]) -> None:
        self._personas = personas
        self._prompts = prompts

    @classmethod
    def on(cls, database: Database) -> Library:
        """That of the person at this machine."""
        return cls(persona_shelf(database, handle_of), prompt_shelf(database, handle_of))

    def of(self, owner_id: str) -> Library:
        """That of another person; "" is the one at this machine."""
        return Library(self._personas.of(owner_id), self._prompts.of(owner_id))

    async def personas(self, language: Language) -> list[KnownPersona]:
        """The person's own by name, then the shipped ones."""
        return [*await self.own_personas(), *shipped_personas(language)]

    async def own_personas(self) -> list[KnownPersona]:
        return [_persona(entry) for entry in await self._personas.all()]

    async def persona(self, persona_id: str, language: Language) -> KnownPersona:
        """Raises NotFound."""
        if persona_id.startswith(SHIPPED):
            return _one(shipped_personas(language), persona_id)
        return _persona(await self._personas.get(persona_id))

    async def add_persona(self, persona: Persona) -> KnownPersona:
        """Raises InvalidRequest where the name is taken, or there are too many."""
        (entry,) = await self._personas.add([(persona.name, persona.as_json())])
        return _persona(entry)

    async def import_personas(self, personas: Sequence[Persona]) -> tuple[list[KnownPersona], int]:
        """Add personas from a file, all or none. One whose name is taken gets a number behind it.

        Gives the new ones, and how many were there already exactly so.
        """
        own = [known.persona for known in await self.own_personas()]
        taken = {persona.handle for persona in own}
        new: list[Persona] = []
        for persona in personas:
            if persona in own or persona in new:
                continue
            free = _with_free_name(persona, taken)
            if any(replace(free, name=other.name) == other for other in own if _is_numbered(other.name, persona.name)):
                continue
            taken.add(free.handle)
            new.append(free)
        entries = await self._personas.add([(persona.name, persona.as_json()) for persona in new])
        return [_persona(entry) for entry in entries], len(personas) - len(new)

    async def change_persona(self, persona_id: str, persona: Persona) -> KnownPersona:
        """Raises NotFound, NotAllowed for a shipped one, InvalidRequest where another one has the name."""
        _refuse_shipped(persona_id, {known.id for known in shipped_personas("en")})
        return _persona(await self._personas.change(persona_id, persona.name, persona.as_json()))

    async def remove_persona(self, persona_id: str) -> None:
        """Raises NotFound, NotAllowed for a shipped one."""
        _refuse_shipped(persona_id, {known.id for known in shipped_personas("en")})
        await self._personas.remove(persona_id)

    async def prompts(self, language: Language) -> list[KnownPrompt]:
        """The person's own by name, then the shipped ones."""
        return [*map(_prompt, await self._prompts.all()), *shipped_prompts(language)]

    async def add_prompt(self, prompt: SavedPrompt) -> KnownPrompt:
        """Raises InvalidRequest where the name is taken, or there are too many."""
        (entry,) = await self._prompts.add([(prompt.name, prompt.content)])
        return _prompt(entry)

    async def change_prompt(self, prompt_id: str, prompt: SavedPrompt) -> KnownPrompt:
        """Raises NotFound, NotAllowed for a shipped one, InvalidRequest where another one has the name."""
        _refuse_shipped(prompt_id, {known.id for known in shipped_prompts("en")})
        return _prompt(await self._prompts.change(prompt_id, prompt.name, prompt.content))

    async def remove_prompt(self, prompt_id: str) -> None:
        """Raises NotFound, NotAllowed for a shipped one."""
        _refuse_shipped(prompt_id, {known.id for known in shipped_prompts("en")})
        await self._prompts.remove(prompt_id)


def _persona(entry: StoredEntry[dict[str, Any]]) -> KnownPersona:
    return KnownPersona(entry.id, persona_from(entry.content, known=True))


def _prompt(entry: StoredEntry[str]) -> KnownPrompt:
    return KnownPrompt(entry.id, SavedPrompt(entry.name, entry.content))


def _one(known: Sequence[KnownPersona], entry_id: str) -> KnownPersona:
    found = next((each for each in known if each.id == entry_id), None)
    if found is None:
        raise NotFound("This does not exist, or not any more.", code="entry_not_found")
    return found


def _refuse_shipped(entry_id: str, shipped: set[str]) -> None:
    if entry_id in shipped:
        raise NotAllowed(
            "This one comes with Falconry and stays as it is. Make a copy, and change that.", code="shipped_entry"
        )


def _with_free_name(persona: Persona, taken: set[str]) -> Persona:
    if persona.handle not in taken:
        return persona
    for number in count(2):
        ending = f" {number}"
        name = persona.name[: LONGEST_NAME - len(ending)].rstrip() + ending
        if handle_of(name) not in taken:
            return replace(persona, name=name)
    raise AssertionError("count() does not end")


def _is_numbered(name: str, plain: str) -> bool:
    """Whether a name is what an import made of a plain one that was taken."""
    begin, _, number = name.rpartition(" ")
    return number.isdecimal() and plain.startswith(begin)
