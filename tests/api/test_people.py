"""Myself, my password and keys over HTTP, and the users as an admin has them."""

from __future__ import annotations

import httpx
import pytest

from falconry.gate.gate import SESSION_COOKIE
from tests.conftest import LiveServer
from tests.gate.people import PASSWORD, two_people


def program(server: LiveServer, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)


async def test_without_users_one_is_the_person_at_this_machine(server: LiveServer) -> None:
    me = (await server.client.get("/api/me")).json()
    assert me == {
        "id": "",
        "name": "",
        "role": "admin",
        "scopes": ["admin", "conversations", "inference"],
        "login": False,
    }
    assert (await server.client.get("/api/me/keys")).json() == {"keys": []}
    for path, body in (("keys", {"name": "k"}), ("password", {"present": "x", "new": "y"})):
        refused = await server.client.post(f"/api/me/{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_users")


async def test_who_am_i(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        me = (await bob.client.get("/api/me")).json()
        assert (me["name"], me["role"], me["login"]) == ("bob", "user", True)
        assert me["scopes"] == ["conversations", "inference"]
        assert (await ada.client.get("/api/me")).json()["role"] == "admin"


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        made = (await ada.client.post("/api/me/keys", json={"name": "laptop", "scopes": ["conversations"]})).json()
        listed = (await ada.client.get("/api/me/keys")).json()["keys"]
        assert [(key["name"], key["prefix"], key["expires_at"]) for key in listed] == [
            ("laptop", made["key"][:11], None)
        ]
        assert made["key"] not in str(listed)
        async with program(server, made["key"]) as client:
            assert (await client.get("/api/me")).json()["name"] == "ada"
            assert (await client.post("/api/complete", json={"prompt": "x"})).status_code == 403  # not its scope
            assert (await ada.client.delete(f"/api/me/keys/{made['id']}")).status_code == 204
            assert (await client.get("/api/me")).status_code == 401


async def test_a_key_makes_no_key(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        body = {"name": "k", "scopes": ["conversations", "admin", "inference"]}
        key = (await ada.client.post("/api/me/keys", json=body)).json()["key"]
        async with program(server, key) as client:
            refused = await client.post("/api/me/keys", json={"name": "successor"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "needs_session")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "k", "scopes": []},
        {"name": "k", "scopes": ["everything"]},
        {"name": "k", "days": 0},
        {"name": "k", "days": 10**9},
        {"name": "k", "odd": 1},
        {},
        [],
    ],
)
async def test_keys_that_cannot_be(server: LiveServer, body: object) -> None:
    async with two_people(server) as (ada, _):
        assert (await ada.client.post("/api/me/keys", json=body)).status_code == 400


async def test_a_user_makes_no_admin_key(server: LiveServer) -> None:
    async with two_people(server) as (_, bob):
        refused = await bob.client.post("/api/me/keys", json={"name": "k", "scopes": ["admin"]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_scopes")


async def test_a_new_password_ends_the_other_sessions(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        other = await server.services.people.open_session(ada.user)
        wrong = await ada.client.post("/api/me/password", json={"present": "wrong one", "new": "something new"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "wrong_password")
        right = await ada.client.post("/api/me/password", json={"present": PASSWORD, "new": "something new"})
        assert right.status_code == 204
        assert (await ada.client.get("/api/me")).status_code == 200
        cookies = {SESSION_COOKIE: other.token}
        async with httpx.AsyncClient(base_url=server.url, cookies=cookies, trust_env=False) as elsewhere:
            assert (await elsewhere.get("/api/me")).status_code == 401


async def test_guessing_the_present_password_has_an_end(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        body = {"present": "wrong one", "new": "something new"}
        answers = [await ada.client.post("/api/me/password", json=body) for _ in range(12)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_admins_have_users(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        made = await ada.client.post("/api/admin/users", json={"name": "Cleo", "password": "another one"})
        assert made.status_code == 201
        cleo = made.json()
        names = [user["name"] for user in (await ada.client.get("/api/admin/users")).json()["users"]]
        assert names == ["ada", "bob", "Cleo"]
        changed = await ada.client.patch(f"/api/admin/users/{cleo['id']}", json={"role": "admin"})
        assert changed.json()["role"] == "admin"
        reset = await ada.client.patch(f"/api/admin/users/{bob.user.id}", json={"password": "by the admin"})
        assert reset.status_code == 200
        assert (await bob.client.get("/api/me")).status_code == 401  # the session ended with the old password
        assert (await ada.client.delete(f"/api/admin/users/{bob.user.id}")).status_code == 204
        assert (await ada.client.delete(f"/api/admin/users/{bob.user.id}")).status_code == 404


async def test_conversations_go_with_their_user_or_to_an_heir(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        await bob.client.post("/api/conversations", json={"title": "falcons"})
        count = await ada.client.get(f"/api/admin/users/{bob.user.id}/conversations")
        assert count.json() == {"count": 1}
        await ada.client.delete(f"/api/admin/users/{bob.user.id}", params={"heir": ada.user.id})
        titles = [one["title"] for one in (await ada.client.get("/api/conversations")).json()["conversations"]]
        assert titles == ["falcons"]


async def test_the_last_admin_stays(server: LiveServer) -> None:
    async with two_people(server) as (ada, _):
        for refused in (
            await ada.client.delete(f"/api/admin/users/{ada.user.id}"),
            await ada.client.patch(f"/api/admin/users/{ada.user.id}", json={"role": "user"}),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "last_admin")


async def test_a_refused_password_does_not_come_back(server: LiveServer) -> None:
    body = {"name": "ada", "password": "secret-canary" * 100}
    refused = await server.client.post("/api/admin/users", json=body)
    assert refused.status_code == 400
    assert "canary" not in refused.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_users_are_for_admins_only(server: LiveServer, method: str) -> None:
    async with two_people(server) as (_, bob):
        refused = await bob.client.request(method, "/api/admin/users", json={"name": "x", "password": "yyyyyyyy"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admins_only")
