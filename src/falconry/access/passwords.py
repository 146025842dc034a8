"""Passwords: the one rule for them, and argon2id, in threads of its own so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from falconry.errors import InvalidRequest, TooManyRequests

T = TypeVar("T")

LEAST, MOST = 8, 1024  # characters
# RFC 9106's choice for where memory is scarce, but in one lane: four would take all cores from those who chat.
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
THREADS = 2  # each takes 64 MiB while it works
LONGEST_QUEUE = 32


class Passwords:
    """Hashes and checks passwords. About 0.1 s and 64 MiB each, so few at a time, and few that wait."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(THREADS, "falconry-password")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Raises InvalidRequest for a password that is too short or far too long."""
        normal = _normal(password)
        if len(normal) < LEAST:
            raise InvalidRequest(
                f"The password is too short: it needs at least {LEAST} characters.", code="password_short", least=LEAST
            )
        if len(password) > MOST:
            raise InvalidRequest(
                f"The password is too long: it may have at most {MOST} characters.", code="password_long", most=MOST
            )
        return await self._run(lambda: self._hasher.hash(_bytes(normal)))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the password. Without a hash, for a name that nobody has, it takes as long and says no."""
        if len(password) > MOST:
            return False
        if self._nobodys is None:
            self._nobodys = await self._run(lambda: self._hasher.hash(b"nobody has this name"))
        against = password_hash if password_hash is not None else self._nobodys
        secret = _bytes(_normal(password))

        def check() -> bool:
            try:
                return self._hasher.verify(against, secret)
            except (VerificationError, InvalidHashError):
                return False

        return await self._run(check) and password_hash is not None

    def is_old(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, function: Callable[[], T]) -> T:
        if self._waiting >= LONGEST_QUEUE:
            raise TooManyRequests(
                "Too many people are logging in at this moment. Try again in a few seconds.",
                code="login_busy",
                retry_after=5,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _normal(password: str) -> str:
    """The same password from every keyboard: composed and full-width characters have more than one form."""
    return unicodedata.normalize("NFKC", password[: MOST + 1])


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
