"""Whose turn it is."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from falconry.engines.queue import FairQueue
from falconry.errors import EngineOverloaded


class Asker:
    """Somebody who wants a place, and keeps it until told to leave."""

    def __init__(self, queue: FairQueue, owner: str, log: list[str]) -> None:
        self.has_place = asyncio.Event()
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._run(queue, owner, log))

    async def _run(self, queue: FairQueue, owner: str, log: list[str]) -> None:
        async with queue.place(owner):
            log.append(owner)
            self.has_place.set()
            await self.leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def drain(askers: list[Asker]) -> None:
    for asker in askers:
        asker.leave.set()
    await asyncio.gather(*(asker.task for asker in askers))


async def test_one_person_with_fifty_requests_delays_another_by_one_place_only() -> None:
    queue, log = FairQueue(1, 100), list[str]()
    many = [Asker(queue, "many", log) for _ in range(50)]
    await settle()
    one = Asker(queue, "one", log)
    await settle()
    assert log == ["many"]
    many[0].leave.set()
    await one.has_place.wait()
    assert log == ["many", "one"]
    await drain([*many, one])


async def test_people_who_wait_are_served_in_turn() -> None:
    queue, log = FairQueue(1, 100), list[str]()
    askers = [Asker(queue, owner, log) for owner in ("a", "a", "a", "b", "b", "c")]
    await settle()
    await drain(askers)
    assert log == ["a", "b", "c", "a", "b", "a"]


async def test_the_last_place_is_kept_for_somebody_else() -> None:
    queue, log = FairQueue(2, 100), list[str]()
    mine = [Asker(queue, "me", log) for _ in range(3)]
    await settle()
    assert queue.running == 1
    other = Asker(queue, "other", log)
    await other.has_place.wait()
    assert queue.running == 2
    await drain([*mine, other])


async def test_the_one_person_of_a_falconry_without_logins_gets_every_place() -> None:
    queue, log = FairQueue(2, 100), list[str]()
    mine = [Asker(queue, "", log) for _ in range(3)]
    await settle()
    assert queue.running == 2
    await drain(mine)


async def test_a_full_queue_turns_away_at_once_and_says_how_long_to_wait() -> None:
    queue, log = FairQueue(1, 2), list[str]()
    askers = [Asker(queue, "a", log) for _ in range(3)]
    await settle()
    with pytest.raises(EngineOverloaded) as caught:
        async with queue.place("a"):
            pass
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    await drain(askers)


async def test_who_leaves_while_waiting_leaves_nothing_behind() -> None:
    queue, log = FairQueue(1, 100), list[str]()
    first, gone, last = (Asker(queue, owner, log) for owner in ("a", "b", "c"))
    await settle()
    gone.task.cancel()
    first.leave.set()
    await last.has_place.wait()
    assert log == ["a", "c"]
    assert queue.waiting == 0
    await drain([first, last])
    assert queue.running == 0


async def test_who_leaves_in_the_moment_of_getting_a_place_gives_it_back() -> None:
    queue, log = FairQueue(1, 100), list[str]()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(queue.place("a"))
        gone = Asker(queue, "b", log)
        await settle()
    gone.task.cancel()  # the place is given already, and the task has not run since
    await asyncio.gather(gone.task, return_exceptions=True)
    assert queue.running == 0


async def test_who_has_just_left_the_queue_is_given_no_place() -> None:
    queue, log = FairQueue(1, 100), list[str]()
    first, gone, last = (Asker(queue, owner, log) for owner in ("a", "b", "c"))
    await settle()
    first.leave.set()
    gone.task.cancel()  # in the next round the first one's task runs before this one's can notice
    await first.task
    await last.has_place.wait()
    await asyncio.gather(gone.task, return_exceptions=True)
    await drain([last])
    assert queue.running == 0


async def test_any_order_of_coming_and_leaving_leaks_no_place() -> None:
    rng = random.Random(7)
    queue, log = FairQueue(2, 1000), list[str]()
    askers: list[Asker] = []
    for _ in range(500):
        askers.append(Asker(queue, rng.choice("abc"), log))
        for asker in rng.sample(askers, min(3, len(askers))):
            if rng.random() < 0.5:
                asker.task.cancel()
            else:
                asker.leave.set()
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
    for asker in askers:
        asker.leave.set()
    await asyncio.gather(*(asker.task for asker in askers), return_exceptions=True)
    assert (queue.running, queue.waiting) == (0, 0)


async def test_without_a_limit_everybody_begins_at_once() -> None:
    queue, log = FairQueue(None, 1), list[str]()
    askers = [Asker(queue, "a", log) for _ in range(200)]
    await settle()
    assert queue.running == 200
    await drain(askers)
