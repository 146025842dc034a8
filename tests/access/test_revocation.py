"""A key revoked at the command line, in another process, while a server answers to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from time import monotonic

import httpx
import pytest

from falconry.access.people import NewKey
from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve

PASSWORD = "correct horse"


@pytest.fixture
async def server(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    """A server whose replies take minutes."""
    async with open_services(make_settings(canned_rate=1.0)) as services, serve(services) as live:
        yield live


async def falconry(server: LiveServer, *arguments: str) -> float:
    """Run a command on the server's data folder; gives when it was done."""
    folder = str(server.services.settings.data_dir)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "falconry", *arguments, "--data-dir", folder, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors
    return monotonic()


async def key_of(server: LiveServer, name: str) -> NewKey:
    people = server.services.people
    return await people.create_key((await people.add_user(name, PASSWORD)).id, "ci", ["inference", "conversations"])


def with_key(key: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.key}"}


async def test_a_revoked_key_opens_nothing_a_second_later(server: LiveServer) -> None:
    made = await key_of(server, "ada")
    assert (await server.client.get("/api/conversations", headers=with_key(made))).status_code == 200
    done = await falconry(server, "keys", "revoke", made.stored.prefix)
    while (await server.client.get("/api/conversations", headers=with_key(made))).status_code != 401:
        assert monotonic() - done < 1


async def test_open_streams_end_within_five_seconds_and_those_of_others_go_on(server: LiveServer) -> None:
    keys = [await key_of(server, name) for name in ("ada", "bob")]
    begun = [asyncio.Event() for _ in keys]
    ended: list[float] = []

    async def read(n: int) -> None:
        body = {"prompt": "hello", "model": "canned"}
        with suppress(httpx.RemoteProtocolError):
            async with server.client.stream("POST", "/api/complete", json=body, headers=with_key(keys[n])) as answer:
                assert answer.status_code == 200
                async for _ in answer.aiter_bytes():
                    begun[n].set()
        ended.append(monotonic())

    hers, his = [asyncio.create_task(read(n)) for n in range(2)]
    await asyncio.gather(*(event.wait() for event in begun))
    done = await falconry(server, "users", "remove", "bob", "--yes")
    await his
    assert ended[0] - done < 5
    assert not hers.done()
    hers.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hers


async def test_the_first_user_closes_the_door_for_all_without_a_login(server: LiveServer) -> None:
    assert (await server.client.get("/api/conversations")).status_code == 200
    await server.client.post("/api/conversations", json={"title": "before"})
    ada = await server.services.people.add_user("ada", PASSWORD)
    assert (await server.client.get("/api/conversations")).status_code == 401
    (listed,) = await server.services.chat.of(ada.id).conversations()
    assert listed.title == "before"
