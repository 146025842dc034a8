"""Who asks, as the gate found out, and in which language."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from falconry.access.person import Person
from falconry.i18n import Language, accepted_language


def person_of(request: Request) -> Person:
    """The person behind a request that has passed the gate. Only public routes may find none: LookupError."""
    person = request.scope["state"].get("person")
    if not isinstance(person, Person):
        raise LookupError("a public route asked for a person")
    return person


async def _asker(request: Request) -> Person:
    return person_of(request)


Asker: TypeAlias = Annotated[Person, Depends(_asker)]
"""The type of a route's parameter that is to be the person who asks."""


def language_of(request: Request) -> Language:
    """The asker's language: `?lang=`, else Accept-Language."""
    return accepted_language(request.query_params.get("lang") or request.headers.get("accept-language"))
