"""People come in by what they know and have, and not a second longer than they may."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal

import pytest
from argon2 import PasswordHasher

from falconry.access import people as module
from falconry.access.passwords import Passwords
from falconry.access.people import People
from falconry.access.person import ALL_SCOPES, USER_SCOPES, Person
from falconry.errors import InvalidRequest, NotAuthenticated, NotFound, TooManyRequests
from falconry.storage.database import Database
from falconry.storage.users import User
from tests.access.conftest import PASSWORD, QUICK

HERE = "192.0.2.1"


@pytest.fixture
async def ada(people: People) -> User:
    """The first user, so an admin."""
    return await people.add_user("ada", PASSWORD)


@pytest.fixture
async def bob(people: People, ada: User) -> User:
    return await people.add_user("Bob", PASSWORD)


# -- users


@pytest.mark.parametrize("name", ["a", "Bob", "猎鹰", "anna-maria", "x@example.org", "अनिल", "7", "a" * 64])
async def test_a_name_can_be_in_any_script(people: People, name: str) -> None:
    assert (await people.add_user(name, PASSWORD)).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a\nb",
        "-a",
        ".",
        "a/b",
        "a\x00",
        "a\u200bb",
        "a\u202eb",
        "<b>",
        "a" * 65,
        "x" * 100_000,
        "\ud800",
    ],
)
async def test_what_cannot_be_typed_or_told_apart_is_no_name(people: People, name: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await people.add_user(name, PASSWORD)
    assert error.value.code == "bad_user_name"


async def test_a_short_password_adds_nobody(people: People) -> None:
    with pytest.raises(InvalidRequest):
        await people.add_user("ada", "short")
    assert not await people.any_users()


async def test_whether_anybody_has_to_log_in_is_known_within_a_second(people: People, elsewhere: People) -> None:
    assert not await people.any_users()
    started = monotonic()
    ada = await elsewhere.add_user("ada", PASSWORD)
    await until(people.any_users, started)
    await people.remove_user(ada.id)
    assert not await people.any_users()


async def until(is_true: Callable[[], Awaitable[bool]], started: float) -> None:
    """Ask again and again whether something is so; it must be so within a second of `started`."""
    while not await is_true():
        assert monotonic() - started < 1
        await asyncio.sleep(0.02)


# -- passwords


async def test_name_and_password_open_a_session(people: People, bob: User) -> None:
    user = await people.verify(" bOB", PASSWORD, HERE)
    assert user == bob
    opened = await people.open_session(user)
    assert await people.person_of_session(opened.token) == Person(bob.id, "Bob", "user", USER_SCOPES, opened.session.id)
    assert opened.token not in repr(opened)
    assert len(opened.token) == 43


async def test_an_admins_session_has_all_scopes(people: People, ada: User) -> None:
    opened = await people.open_session(ada)
    person = await people.person_of_session(opened.token)
    assert person == Person(ada.id, "ada", "admin", ALL_SCOPES, opened.session.id)


@pytest.mark.parametrize(
    ("name", "password"), [("bob", "wrong horse"), ("nobody", PASSWORD), ("", ""), ("x" * 99_999, "x")]
)
async def test_a_wrong_name_and_a_wrong_password_are_one_error(
    people: People, bob: User, name: str, password: str
) -> None:
    with pytest.raises(NotAuthenticated) as error:
        await people.verify(name, password, HERE)
    assert error.value.as_dict() == {"code": "login_failed", "message": "Name or password is wrong.", "details": {}}


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    people: People, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002  # argon2's name
            checked.append(str(hash).rpartition("$")[0].rpartition("$")[0])  # kind and parameters
            return super().verify(hash, password)

    monkeypatch.setattr(people, "_passwords", Passwords(Counting(time_cost=1, memory_cost=64, parallelism=1)))
    for name in ("ada", "nobody"):
        with pytest.raises(NotAuthenticated):
            await people.verify(name, "wrong horse", HERE)
    assert len(checked) == 2
    assert checked[0] == checked[1]


async def test_the_eleventh_failure_for_a_name_waits(people: People, ada: User) -> None:
    for n in range(10):
        with pytest.raises(NotAuthenticated):
            await people.verify("ada" if n % 2 else "ADA ", "wrong horse", f"192.0.2.{n}")
    with pytest.raises(TooManyRequests) as error:
        await people.verify("ada", PASSWORD, "192.0.2.99")
    assert error.value.code == "too_many_logins"
    assert 50 < error.value.retry_after <= 60


async def test_the_eleventh_failure_from_an_address_waits(people: People, ada: User) -> None:
    for n in range(10):
        with pytest.raises(NotAuthenticated):
            await people.verify(f"name{n}", "wrong horse", f"2001:db8:0:1::{n}")
    with pytest.raises(TooManyRequests):
        await people.verify("ada", PASSWORD, "2001:db8:0:1:ffff::")
    await people.verify("ada", PASSWORD, "2001:db8:0:2::1")


async def test_a_hundred_tries_at_once_are_ten(people: People, ada: User) -> None:
    tries = (people.verify("ada", f"wrong horse {n}", f"192.0.2.{n}") for n in range(100))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, NotAuthenticated) for result in results) == 10
    assert sum(isinstance(result, TooManyRequests) for result in results) == 90


async def test_logging_in_often_is_no_failure(people: People, ada: User) -> None:
    for _ in range(15):
        await people.verify("ada", PASSWORD, HERE)


async def test_wrong_keys_are_counted_and_do_not_keep_anybody_from_logging_in(people: People, ada: User) -> None:
    for _ in range(10):
        people.note_wrong_key(HERE)
    with pytest.raises(TooManyRequests):
        people.note_wrong_key(HERE)
    assert await people.verify("ada", PASSWORD, HERE) == ada


async def test_a_hash_of_old_parameters_is_renewed_at_the_next_login(people: People, database: Database) -> None:
    old = People(database, passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)))
    before = (await old.add_user("ada", PASSWORD)).password_hash
    user = await people.verify("ada", PASSWORD, HERE)
    assert user.password_hash != before
    assert not QUICK.check_needs_rehash(user.password_hash)
    await people.open_session(await people.verify("ada", PASSWORD, HERE))
    await old.aclose()


async def test_a_new_password_ends_what_the_old_one_opened(people: People, ada: User) -> None:
    kept, other = await people.open_session(ada), await people.open_session(ada)
    await people.set_password(ada.id, "battery staple", keep_session=kept.session.id)
    assert await people.person_of_session(other.token) is None
    assert await people.person_of_session(kept.token) is not None
    with pytest.raises(NotAuthenticated):
        await people.verify("ada", PASSWORD, HERE)
    with pytest.raises(NotAuthenticated):
        await people.open_session(ada)  # verified before the change
    await people.open_session(await people.verify("ada", "battery staple", HERE))


# -- sessions and keys


async def test_a_session_ends(database: Database) -> None:
    people = People(database, session_days=1 / 86400 / 5, passwords=Passwords(QUICK))
    started = monotonic()
    opened = await people.open_session(await people.add_user("ada", PASSWORD))

    async def is_over() -> bool:
        return await people.person_of_session(opened.token) is None

    await until(is_over, started)
    await people.aclose()


async def test_a_key_opens_what_its_scopes_say(people: People, bob: User) -> None:
    made = await people.create_key(bob.id, "ci", ["inference"])
    person = await people.person_of_key(made.key)
    assert person == Person(bob.id, "Bob", "user", frozenset({"inference"}), made.stored.id)
    assert made.key.startswith("fk-")
    assert made.key.startswith(made.stored.prefix)
    assert made.key not in repr(made)
    assert await people.person_of_session(made.key) is None
    assert [key.id for key in await people.keys(bob.id)] == [made.stored.id]


async def test_a_key_never_does_more_than_its_owner(people: People, ada: User, bob: User) -> None:
    for scopes in (["admin"], ["inference", "admin"], [], ["everything"]):
        with pytest.raises(InvalidRequest) as error:
            await people.create_key(bob.id, "ci", scopes)  # type: ignore[arg-type]
        assert error.value.code == "bad_scopes"
    made = await people.create_key(ada.id, "ops", ["inference", "admin"])
    await people.set_role(bob.id, "admin")
    await people.set_role(ada.id, "user")
    person = await people.person_of_key(made.key)
    assert person is not None
    assert (person.role, person.scopes) == ("user", frozenset({"inference"}))


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\x1b[2J"])
async def test_a_key_has_a_name_that_can_be_shown(people: People, ada: User, name: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await people.create_key(ada.id, name, ["inference"])
    assert error.value.code == "bad_key_name"


async def test_a_key_ends(people: People, ada: User) -> None:
    now = datetime.now(UTC)
    with pytest.raises(InvalidRequest) as error:
        await people.create_key(ada.id, "ci", ["inference"], expires_at=now)
    assert error.value.code == "key_ended"
    made = await people.create_key(ada.id, "ci", ["inference"], expires_at=now + timedelta(seconds=0.3))

    async def is_over() -> bool:
        return await people.person_of_key(made.key) is None

    await until(is_over, monotonic())


@pytest.mark.parametrize("secret", ["", "fk-", "fk-wrong", "x", "fk-" + "x" * 100_000, "fk-\ud800", "fk-' OR 1=1 --"])
async def test_what_nobody_made_opens_nothing(people: People, ada: User, secret: str) -> None:
    await people.create_key(ada.id, "ci", ["inference"])
    assert await people.person_of_key(secret) is None
    assert await people.person_of_session(secret) is None


async def test_what_another_process_revokes_is_over_within_a_second(
    people: People, elsewhere: People, ada: User, bob: User
) -> None:
    async def over(key: str) -> bool:
        return await people.person_of_key(key) is None

    async def session_over() -> bool:
        return await people.person_of_session(session.token) is None

    made, his = [await people.create_key(user.id, "ci", ["inference"]) for user in (ada, bob)]
    session = await people.open_session(bob)
    assert not await over(made.key)
    assert not await over(his.key)
    assert await people.person_of_session(session.token) is not None
    started = monotonic()
    await elsewhere.revoke_key(ada.id, made.stored.id)
    await elsewhere.remove_user(bob.id)
    await until(lambda: over(made.key), started)
    await until(lambda: over(his.key), started)
    await until(session_over, started)


async def test_what_is_revoked_here_is_over_at_once(people: People, ada: User) -> None:
    made, session = await people.create_key(ada.id, "ci", ["inference"]), await people.open_session(ada)
    assert await people.person_of_key(made.key) is not None
    assert await people.person_of_session(session.token) is not None
    await people.revoke_key(ada.id, made.stored.id)
    await people.close_session(ada.id, session.session.id)
    assert await people.person_of_key(made.key) is None
    assert await people.person_of_session(session.token) is None


async def test_nobody_ends_what_is_anothers(people: People, ada: User, bob: User) -> None:
    made, session = await people.create_key(ada.id, "ci", ["inference"]), await people.open_session(ada)
    with pytest.raises(NotFound):
        await people.revoke_key(bob.id, made.stored.id)
    await people.close_session(bob.id, session.session.id)
    assert await people.close_sessions(bob.id) == 0
    assert await people.person_of_key(made.key) is not None
    assert await people.person_of_session(session.token) is not None
    assert await people.keys(bob.id) == []
    assert await people.sessions(bob.id) == []


async def test_a_person_is_looked_up_once_in_half_a_second(
    people: People, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await people.create_key(ada.id, "ci", ["inference"])
    asked = 0
    find = people._credentials.find

    async def counting(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        return await find(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(people._credentials, "find", counting)
    monkeypatch.setattr(module, "BELIEVED", 60.0)
    for _ in range(100):
        assert await people.person_of_key(made.key) is not None
    assert asked == 1


async def test_the_last_use_is_written_down_once_a_minute(
    people: People, elsewhere: People, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await people.create_key(ada.id, "ci", ["inference"])
    monkeypatch.setattr(module, "BELIEVED", 0.0)
    written = 0
    touch = people._credentials.touch

    async def counting(*arguments: object) -> None:
        nonlocal written
        written += 1
        await touch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(people._credentials, "touch", counting)
    for _ in range(20):
        await people.person_of_key(made.key)
    await people.aclose()
    (stored,) = await elsewhere.keys(ada.id)
    assert written == 1
    assert stored.last_used_at is not None


# -- requests in flight


async def test_a_request_in_flight_ends_after_a_revocation_elsewhere(
    people: People, elsewhere: People, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("falconry.access.open_requests.LOOK_SECONDS", 0.05)
    made = await people.create_key(ada.id, "ci", ["inference"])
    person = await people.person_of_key(made.key)
    assert person is not None
    started = asyncio.Event()

    async def stream() -> None:
        started.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(people.while_valid(person, stream()))
    await started.wait()
    await elsewhere.revoke_key(ada.id, made.stored.id)
    async with asyncio.timeout(5):
        assert await request is False


async def test_secrets_are_in_no_log(people: People, ada: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made, session = await people.create_key(ada.id, "ci", ["inference"]), await people.open_session(ada)
    await people.person_of_key(made.key)
    await people.person_of_session(session.token)
    with pytest.raises(NotAuthenticated):
        await people.verify("ada", "a wrong password", HERE)
    for secret in (made.key, session.token, PASSWORD, "a wrong password", ada.password_hash):
        assert secret not in caplog.text
