from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest
from argon2 import PasswordHasher, extract_parameters

from falconry.access.passwords import HASHER, LONGEST_QUEUE, Passwords
from falconry.errors import InvalidRequest, TooManyRequests
from tests.access.conftest import QUICK


@pytest.fixture
def passwords() -> Generator[Passwords, None, None]:
    opened = Passwords(QUICK)
    yield opened
    opened.close()


async def test_the_right_one_matches_and_no_other(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches("correct horse", stored)
    for wrong in ("Correct horse", "correct horse ", "", "x" * 5000, "\ud800 lone"):
        assert not await passwords.matches(wrong, stored)
    assert not await passwords.matches("correct horse", None)
    assert not await passwords.matches("correct horse", "not a hash")


async def test_one_password_from_every_keyboard(passwords: Passwords) -> None:
    stored = await passwords.hash("pa\u0308sswort１２")
    assert await passwords.matches("pässwort12", stored)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("seven77", "password_short"),
        ("", "password_short"),
        ("x" * 1025, "password_long"),
        ("e\u0301" * 4, "password_short"),
    ],
)
async def test_eight_characters_are_needed(passwords: Passwords, password: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await passwords.hash(password)
    assert error.value.code == code


@pytest.mark.parametrize(
    "password", ["12345678", "八个字就可以了吗", " " * 8, "x" * 1024, "nul\x00 inside", "lone \ud800 one"]
)
async def test_nothing_else_is_asked_of_one(passwords: Passwords, password: str) -> None:
    stored = await passwords.hash(password)
    assert await passwords.matches(password, stored)
    assert not await passwords.matches(password + "x", stored)


async def test_hashes_of_other_parameters_are_old(passwords: Passwords) -> None:
    assert passwords.is_old(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash("correct horse"))
    assert not passwords.is_old(await passwords.hash("correct horse"))


async def test_a_crowd_is_told_to_come_back_and_the_loop_never_waits() -> None:
    passwords = Passwords()
    tries = [asyncio.ensure_future(passwords.hash("correct horse")) for _ in range(LONGEST_QUEUE + 5)]
    await asyncio.sleep(0)  # all of them have begun, and none has ended: the loop did not wait
    assert sum(attempt.done() for attempt in tries) == 5
    for attempt in tries[:-5]:
        attempt.cancel()
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, TooManyRequests) for result in results) == 5
    passwords.close()


def test_the_parameters_are_those_of_the_rfc_at_least() -> None:
    found = extract_parameters(HASHER.hash("correct horse"))
    assert (found.time_cost, found.memory_cost) >= (3, 64 * 1024)
