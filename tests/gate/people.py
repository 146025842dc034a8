"""A server with two people in it, for tests of what each may have."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from falconry.gate.gate import SESSION_COOKIE
from falconry.storage.users import User
from tests.conftest import LiveServer

PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A user with a browser (`client` has the session's cookie)."""

    user: User
    token: str
    client: httpx.AsyncClient


@asynccontextmanager
async def somebody(live: LiveServer, name: str) -> AsyncGenerator[Somebody, None]:
    """A new user, logged in. The first one is an admin."""
    people = live.services.people
    user = await people.add_user(name, PASSWORD)
    opened = await people.open_session(user)
    async with httpx.AsyncClient(
        base_url=live.url, timeout=30, trust_env=False, cookies={SESSION_COOKIE: opened.token}
    ) as client:
        yield Somebody(user, opened.token, client)


@asynccontextmanager
async def two_people(live: LiveServer) -> AsyncGenerator[tuple[Somebody, Somebody], None]:
    """Ada, who is an admin, and Bob."""
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(somebody(live, "ada"))
        bob = await stack.enter_async_context(somebody(live, "bob"))
        yield ada, bob
