"""How much one person, and one key, may ask of the models: so many requests at a time, and so many in a minute.

The person at a machine without logins has no limit. Everything is in memory: a restart forgives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic

from falconry.access.person import Person
from falconry.errors import TooManyRequests

REMEMBERED = 10_000  # people and keys


@dataclass(frozen=True, slots=True)
class Allowance:
    """None: no limit. A minute's requests may come all at once, and are then made good one by one."""

    at_once: int | None = None
    per_minute: int | None = None


@dataclass(slots=True)
class _Account:
    """A token bucket, and how many requests are open."""

    left: float
    counted: float
    open: int = 0


class Limits:
    """See the module. `with limits.admit(person): …` around all of a request, its stream included."""

    def __init__(self, user: Allowance, key: Allowance, clock: Callable[[], float] = monotonic) -> None:
        self._user = user
        self._key = key
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    @contextmanager
    def admit(self, person: Person) -> Iterator[None]:
        """Count a request of a person, by the session or key that it came with.

        Raises TooManyRequests, with the seconds until the next one may be tried; then nothing was counted.
        """
        with ExitStack() as stack:
            if person.id:
                accounts = [(self._account(f"user {person.id}", self._user), self._user)]
                if person.credential:
                    accounts.append((self._account(f"key {person.credential}", self._key), self._key))
                for account, allowance in accounts:
                    _refuse_when_used_up(account, allowance)
                for account, _ in accounts:
                    account.left -= 1
                    account.open += 1
                    stack.callback(_close, account)
            yield

    def _account(self, key: str, allowance: Allowance) -> _Account:
        now, most = self._clock(), float(allowance.per_minute or 0)
        account = self._accounts.get(key)
        if account is None:
            self._forget(now)
            account = self._accounts[key] = _Account(most, now)
        account.left = min(most, account.left + (now - account.counted) * most / 60)
        account.counted = now
        return account

    def _forget(self, now: float) -> None:
        """After a minute without a request a bucket is full, so nothing is lost with it."""
        if len(self._accounts) >= REMEMBERED:
            self._accounts = {
                key: account for key, account in self._accounts.items() if account.open or now - account.counted < 60
            }


def _refuse_when_used_up(account: _Account, allowance: Allowance) -> None:
    if allowance.at_once is not None and account.open >= allowance.at_once:
        raise TooManyRequests(
            f"You have {account.open} requests open, and may have no more at the same time. Try again when one of "
            "them has ended.",
            code="too_many_at_once",
            retry_after=1,
            open=account.open,
        )
    if allowance.per_minute is not None and account.left < 1:
        wait = ceil((1 - account.left) * 60 / allowance.per_minute)
        raise TooManyRequests(
            f"You may make {allowance.per_minute} requests in a minute. Try again in {wait} s.",
            code="too_many_a_minute",
            retry_after=wait,
            most=allowance.per_minute,
            seconds=wait,
        )


def _close(account: _Account) -> None:
    account.open -= 1
