"""Sessions and keys: good until they end, are revoked, or their user goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from falconry.errors import InvalidRequest, NotAuthenticated, NotFound
from falconry.storage import credentials as module
from falconry.storage.credentials import ApiKey, Credential, Credentials
from falconry.storage.database import Database
from falconry.storage.users import User, Users
from falconry.storage.values import new_id

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def stored(database: Database) -> Credentials:
    return Credentials(database)


@pytest.fixture
async def ada(database: Database) -> User:
    return await Users(database).add("ada", "user", "a hash")


def key_of(user: User, **values: object) -> ApiKey:
    plain = {"name": "ci", "prefix": "fk-abcdefgh", "scopes": frozenset({"inference"}), "created_at": NOW}
    return ApiKey(id=new_id(), user_id=user.id, **{**plain, **values})  # type: ignore[arg-type]


async def test_a_session_is_found_by_its_hash_until_it_ends(stored: Credentials, ada: User) -> None:
    session = await stored.add_session(ada, "hash of a token", NOW, NOW + DAY)
    expected = Credential(session.id, "session", ada.id, "ada", "admin", None, NOW)
    assert await stored.find("session", "hash of a token", NOW) == expected
    assert await stored.find("session", "hash of a token", NOW + DAY) is None
    assert await stored.find("session", "hash of another", NOW) is None
    assert await stored.find("key", "hash of a token", NOW) is None


async def test_a_key_is_found_with_its_scopes(stored: Credentials, ada: User) -> None:
    key = key_of(ada, scopes=frozenset({"conversations", "inference"}), expires_at=NOW + DAY)
    await stored.add_key(key, "hash of a key")
    found = await stored.find("key", "hash of a key", NOW)
    assert found == Credential(key.id, "key", ada.id, "ada", "admin", key.scopes, None)
    await stored.touch(found, NOW + timedelta(hours=1))
    (listed,) = await stored.keys_of(ada.id)
    assert (listed.last_used_at, listed.expires_at, listed.created_at) == (NOW + timedelta(hours=1), NOW + DAY, NOW)
    assert await stored.find("key", "hash of a key", NOW + DAY) is None


async def test_a_key_without_an_end_has_none(stored: Credentials, ada: User) -> None:
    await stored.add_key(key_of(ada), "hash")
    assert await stored.find("key", "hash", NOW + 5000 * DAY) is not None


async def test_revoking_is_for_the_owner(stored: Credentials, database: Database, ada: User) -> None:
    bob = await Users(database).add("bob", "user", "a hash")
    key, session = key_of(ada), await stored.add_session(ada, "hash of a token", NOW, NOW + DAY)
    await stored.add_key(key, "hash of a key")
    with pytest.raises(NotFound):
        await stored.revoke_key(bob.id, key.id)
    assert await stored.end_sessions(bob.id, session.id) == 0
    assert {found.id for found in await stored.good([key.id, session.id, "x"], NOW)} == {key.id, session.id}
    await stored.revoke_key(ada.id, key.id)
    assert await stored.end_sessions(ada.id) == 1
    assert await stored.good([key.id, session.id], NOW) == []


async def test_what_ended_is_not_good(stored: Credentials, ada: User) -> None:
    session = await stored.add_session(ada, "hash", NOW, NOW + DAY)
    assert len(await stored.good([session.id], NOW)) == 1
    assert await stored.good([session.id], NOW + DAY) == []
    assert await stored.sessions_of(ada.id, NOW + DAY) == []


async def test_a_removed_user_has_no_way_in(stored: Credentials, database: Database, ada: User) -> None:
    bob = await Users(database).add("bob", "user", "a hash")
    await stored.add_session(bob, "hash of a token", NOW, NOW + DAY)
    await stored.add_key(key_of(bob), "hash of a key")
    await Users(database).remove(bob.id)
    assert await stored.find("session", "hash of a token", NOW) is None
    assert await stored.find("key", "hash of a key", NOW) is None
    with pytest.raises(NotFound):
        await stored.add_key(key_of(bob), "another hash")
    with pytest.raises(NotAuthenticated):
        await stored.add_session(bob, "another hash", NOW, NOW + DAY)


async def test_a_new_password_ends_all_sessions_but_one(stored: Credentials, database: Database, ada: User) -> None:
    kept = await stored.add_session(ada, "hash 1", NOW, NOW + DAY)
    await stored.add_session(ada, "hash 2", NOW, NOW + DAY)
    await Users(database).set_password(ada.id, "another hash", keep_session=kept.id)
    assert [session.id for session in await stored.sessions_of(ada.id, NOW)] == [kept.id]
    with pytest.raises(NotAuthenticated):  # it was verified by the old password
        await stored.add_session(ada, "hash 3", NOW, NOW + DAY)


async def test_sessions_and_keys_do_not_pile_up(
    stored: Credentials, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    monkeypatch.setattr(module, "MOST_KEYS", 3)
    for n in range(5):
        await stored.add_session(ada, f"hash {n}", NOW + n * timedelta(seconds=1), NOW + DAY)
    left = [n for n in range(5) if await stored.find("session", f"hash {n}", NOW)]
    assert left == [2, 3, 4]
    for n in range(3):
        await stored.add_key(key_of(ada), f"hash {n}")
    with pytest.raises(InvalidRequest) as error:
        await stored.add_key(key_of(ada), "hash 3")
    assert error.value.code == "too_many_keys"
