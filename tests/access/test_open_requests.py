"""Requests in flight end when the credential behind them does, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection

import pytest

from falconry.access import open_requests
from falconry.access.open_requests import OpenRequests
from falconry.access.person import Person
from falconry.errors import StorageError

ADA, BOB = Person("1", "ada", "user", credential="a"), Person("2", "bob", "user", credential="b")


class Door:
    """Says who is still good, and how often it was asked."""

    def __init__(self) -> None:
        self.good = {person.credential: person for person in (ADA, BOB)}
        self.asked: list[set[str]] = []
        self.broken = False
        self._news = asyncio.Condition()

    async def was_asked(self, times: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked) >= times)

    async def __call__(self, credentials: Collection[str]) -> dict[str, Person]:
        async with self._news:
            self.asked.append(set(credentials))
            self._news.notify_all()
        if self.broken:
            raise StorageError("gone")
        return {each: self.good[each] for each in credentials if each in self.good}


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def requests(door: Door, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[OpenRequests, None]:
    monkeypatch.setattr(open_requests, "LOOK_SECONDS", 0.01)
    opened = OpenRequests(door)
    yield opened
    await opened.aclose()


async def endless(cleaned: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cleaned.set()


async def test_the_requests_of_a_dead_credential_are_cut_and_others_go_on(requests: OpenRequests, door: Door) -> None:
    ended, going = asyncio.Event(), asyncio.Event()
    cut = asyncio.create_task(requests.run(ADA, endless(ended)))
    other = asyncio.create_task(requests.run(BOB, endless(going)))
    del door.good["a"]
    assert await cut is False
    assert ended.is_set()
    assert cut.cancelling() == 0
    assert not other.done()
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other


@pytest.mark.parametrize(
    "change", [Person("1", "ada", "admin", credential="a"), Person("1", "ada", "user", frozenset(), "a")]
)
async def test_a_credential_that_may_do_something_else_now_counts_as_another(
    change: Person, requests: OpenRequests, door: Door
) -> None:
    task = asyncio.create_task(requests.run(ADA, endless(asyncio.Event())))
    door.good["a"] = change
    assert await task is False


async def test_a_request_ends_by_itself(requests: OpenRequests, door: Door) -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    assert await requests.run(ADA, work()) is True


async def test_an_error_of_the_request_is_its_own(requests: OpenRequests) -> None:
    async def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await requests.run(ADA, work())


async def test_a_request_that_cleans_up_slowly_is_cancelled_once(requests: OpenRequests, door: Door) -> None:
    stored = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await door.was_asked(len(door.asked) + 3)  # other requests keep the looks going
            stored.set()

    other = asyncio.create_task(requests.run(BOB, endless(asyncio.Event())))
    task = asyncio.create_task(requests.run(ADA, work()))
    del door.good["a"]
    assert await task is False
    assert stored.is_set()
    other.cancel()


async def test_a_database_that_is_away_cuts_nobody(requests: OpenRequests, door: Door) -> None:
    door.broken = True
    task = asyncio.create_task(requests.run(ADA, endless(asyncio.Event())))
    await door.was_asked(3)
    assert not task.done()
    door.broken = False
    del door.good["a"]
    assert await task is False


async def test_only_what_is_in_use_is_asked_about_and_nothing_when_idle(requests: OpenRequests, door: Door) -> None:
    task = asyncio.create_task(requests.run(ADA, endless(asyncio.Event())))
    await door.was_asked(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    looking = requests._looking
    assert looking is not None
    await looking
    assert all(asked == {"a"} for asked in door.asked)


async def test_a_revocation_nearby_is_noticed_at_once(door: Door) -> None:
    requests = OpenRequests(door)  # looks every two seconds
    started = asyncio.get_running_loop().time()
    task = asyncio.create_task(requests.run(ADA, endless(asyncio.Event())))
    await asyncio.sleep(0)
    del door.good["a"]
    requests.hurry()
    assert await task is False
    assert asyncio.get_running_loop().time() - started < 1.5
    await requests.aclose()
