"""People, as programs and the pages see them: myself, my password and keys; for admins, all users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from falconry.access.people import People
from falconry.access.person import Person, Role, Scope
from falconry.api.request_body import RequestBody
from falconry.api.schemas import Id
from falconry.api.strict import StrictRoute
from falconry.errors import InvalidRequest, NotAllowed, NotAuthenticated
from falconry.gate.identity import Asker
from falconry.gate.marks import admin, user
from falconry.services import Services
from falconry.storage.credentials import ApiKey
from falconry.storage.users import User

Json = dict[str, Any]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, Field(max_length=1000)]


class _Body(RequestBody):
    # A refused password must not come back in the sentence that refuses it.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewPassword(_Body):
    """A new password, with the present one beside it."""

    present: Password
    new: Password


class NewKey(_Body):
    """An API key to be made. `days` is how long it is good; null is for ever."""

    name: Name
    scopes: list[Scope] = Field(["inference"], min_length=1, max_length=3)
    days: int | None = Field(None, ge=1, le=3650)


class NewUser(_Body):
    """A user to be added. The first one is an admin whatever `role` says."""

    name: Name
    password: Password
    role: Role = "user"


class UserChange(_Body):
    """What is to be changed of a user. A new password ends all of their sessions."""

    role: Role | None = None
    password: Password | None = None


def me_router(services: Services) -> APIRouter:
    """Routes under /api/me: who am I, and with what I come in."""
    router = APIRouter(prefix="/api/me", route_class=StrictRoute, tags=["account"])
    people = services.people

    @router.get("")
    @user("conversations")
    async def me(asker: Asker) -> Json:
        """Who asks. `login` is false in a Falconry without users, where nobody needs to log in."""
        return {
            "id": asker.id,
            "name": asker.name,
            "role": asker.role,
            "scopes": sorted(asker.scopes),
            "login": bool(asker.id),
        }

    @router.post("/password", status_code=204)
    @user("conversations")
    async def password(request: Request, asker: Asker, body: NewPassword) -> None:
        """Change my password. All my other sessions end; keys stay as they are."""
        _refuse_without_users(asker)
        try:
            await people.verify(asker.name, body.present, request.client.host if request.client else "")
        except NotAuthenticated:
            raise InvalidRequest("The present password is wrong.", code="wrong_password") from None
        await people.set_password(asker.id, body.new, keep_session=asker.credential)

    @router.get("/keys")
    @user("conversations")
    async def keys(asker: Asker) -> Json:
        """My API keys, the newest first, without the keys themselves."""
        return {"keys": [_key_json(key) for key in await people.keys(asker.id)] if asker.id else []}

    @router.post("/keys", status_code=201)
    @user("conversations")
    async def make_key(asker: Asker, body: NewKey) -> Json:
        """Make an API key. This answer is the only place where it is ever shown."""
        _refuse_without_users(asker)
        await _refuse_keys(people, asker)
        ends = datetime.now(UTC) + timedelta(days=body.days) if body.days is not None else None
        made = await people.create_key(asker.id, body.name, body.scopes, expires_at=ends)
        return {**_key_json(made.stored), "key": made.key}

    @router.delete("/keys/{key_id}", status_code=204)
    @user("conversations")
    async def revoke_key(asker: Asker, key_id: Id) -> None:
        """Revoke one of my API keys. What it is used for at this moment ends, too."""
        await people.revoke_key(asker.id, key_id)

    return router


def users_router(services: Services) -> APIRouter:
    """Routes under /api/admin/users."""
    router = APIRouter(prefix="/api/admin/users", route_class=StrictRoute, tags=["administration"])
    people = services.people

    @router.get("")
    @admin
    async def users() -> Json:
        """All users, in the order in which they came."""
        return {"users": [_user_json(user) for user in await people.users()]}

    @router.post("", status_code=201)
    @admin
    async def add(body: NewUser) -> Json:
        """Add a user. With the first one, everybody has to log in from then on."""
        return _user_json(await people.add_user(body.name, body.password, body.role))

    @router.patch("/{user_id}")
    @admin
    async def change(asker: Asker, user_id: Id, body: UserChange) -> Json:
        """Change a user's role or password."""
        if body.role is not None:
            await people.set_role(user_id, body.role)
        if body.password is not None:
            await people.set_password(user_id, body.password, keep_session=asker.credential)
        return _user_json(await people.user(user_id))

    @router.delete("/{user_id}", status_code=204)
    @admin
    async def remove(user_id: Id, heir: Annotated[Id | None, Query()] = None) -> None:
        """Remove a user with all sessions and keys, and all conversations, unless `heir`, another user, gets them."""
        await people.remove_user(user_id, heir_id=heir)

    @router.get("/{user_id}/conversations")
    @admin
    async def conversations(user_id: Id) -> Json:
        """How many conversations would go with a user. What is in them, an admin does not see."""
        await people.user(user_id)
        return {"count": await people.conversations_of(user_id)}

    return router


def _refuse_without_users(asker: Person) -> None:
    if not asker.id:
        raise InvalidRequest(
            "This Falconry has no users, so it has no passwords and needs no keys. "
            "Make the first user with: falconry users add NAME",
            code="no_users",
        )


async def _refuse_keys(people: People, asker: Person) -> None:
    """Keys are made in a session only: a key that was stolen must not make itself a successor."""
    if all(session.id != asker.credential for session in await people.sessions(asker.id)):
        raise NotAllowed("Log in to make a key: an API key cannot make another one.", code="needs_session")


def _key_json(key: ApiKey) -> Json:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }


def _user_json(user: User) -> Json:
    return {"id": user.id, "name": user.name, "role": user.role, "created_at": user.created_at.isoformat()}
